"""One change of the tree as a step: what it asks for, what takes it back, and how a tree shows whether it was done.

Pure. A step is never judged by the answer to its request alone: the answer may be lost, and other users change the same
tree (Exago reference, sections 1.1 and 6).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from enum import StrEnum
from typing import Self

import msgspec

from nightshift.exago.paths import ContentPath
from nightshift.exago.tree import Entry, Tree

LIST_LAG = 30.0
"""Seconds that the server's list may be old where nothing else is said."""
SKETCH = 64
SAME_FOLDER = 0.5


class FolderStepKind(StrEnum):
    """What a step does."""

    CREATE = "create"
    MOVE = "move"
    DELETE = "delete"


class FolderStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One change of one folder.

    :param kind: what is done
    :param path: the folder; for a move, where it is before
    :param to: where it is after a move; empty otherwise
    """

    kind: FolderStepKind
    path: str
    to: str = ""

    def __str__(self) -> str:
        return f"move {self.path} to {self.to}" if self.kind is FolderStepKind.MOVE else f"{self.kind} {self.path}"

    @property
    def source(self) -> ContentPath:
        """The folder."""
        return ContentPath.parse(self.path)

    @property
    def target(self) -> ContentPath:
        """Where a move leads."""
        return ContentPath.parse(self.to)

    @property
    def inverse(self) -> FolderStep:
        """The step that takes this one back; an empty folder only comes back empty."""
        match self.kind:
            case FolderStepKind.MOVE:
                return FolderStep(FolderStepKind.MOVE, self.to, self.path)
            case FolderStepKind.CREATE:
                return FolderStep(FolderStepKind.DELETE, self.path)
            case FolderStepKind.DELETE:
                return FolderStep(FolderStepKind.CREATE, self.path)


class Mark(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What tells one folder from another when both have been at the same path: its id where the server has ids, else
    what is inside.

    :param content_id: the server's id (2021.1 and later)
    :param size: number of folders and reports inside
    :param sketch: the smallest 64 digests of what is inside; two of them tell how much two folders have in common
    """

    content_id: str | None
    size: int
    sketch: tuple[str, ...]

    @classmethod
    def of(cls, tree: Tree, path: ContentPath) -> Self:
        """Return the mark of the folder at ``path``; of no folder, it is the mark of nothing."""
        entry = tree.folder(path)
        inside = [f"{'/'.join(one.path.below(path))}|{one.kind}|{one.type}" for one in tree.inside(path)]
        digests = sorted(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12] for text in inside)
        return cls(entry.content_id if entry else None, len(inside), tuple(digests[:SKETCH]))

    def is_of(self, other: Mark) -> bool:
        """Tell whether two marks are of one folder: by its id, else by at least half of what is inside; of a folder
        that was empty nothing tells.
        """
        if None not in (self.content_id, other.content_id):
            return self.content_id == other.content_id
        return not self.size or self.similarity(other) >= SAME_FOLDER

    def similarity(self, other: Mark) -> float:
        """Return how much two folders have in common, 0 to 1: exact up to 64 things inside, an estimate above."""
        if None not in (self.content_id, other.content_id):
            return float(self.content_id == other.content_id)
        if not self.sketch or not other.sketch:
            return float(self.sketch == other.sketch)
        smallest = sorted({*self.sketch, *other.sketch})[:SKETCH]
        shared = set(self.sketch) & set(other.sketch)
        return sum(1 for digest in smallest if digest in shared) / len(smallest)


class FolderStepState(StrEnum):
    """What a tree shows of a step."""

    TO_DO = "to do"
    DONE = "done"
    BLOCKED = "blocked"


class StepStatus(msgspec.Struct, frozen=True):
    """What a tree shows of a step, and why it is blocked.

    :param state: the verdict
    :param why: for people; empty where the step is to do or done
    """

    state: FolderStepState
    why: str = ""


_TO_DO, _DONE = StepStatus(FolderStepState.TO_DO), StepStatus(FolderStepState.DONE)


def status_of(step: FolderStep, tree: Tree, mark: Mark | None = None) -> StepStatus:
    """Read from a tree whether a step is to do, done, or cannot be done.

    :param step: the step
    :param tree: as it is now
    :param mark: of the folder that a move moves, from before; with it, a folder that somebody else has put at one end
        of the move is told from the one that is moved
    """
    match step.kind:
        case FolderStepKind.CREATE:
            return _creation(step.source, tree)
        case FolderStepKind.DELETE:
            return _deletion(step.source, tree)
        case FolderStepKind.MOVE:
            return _move(step, tree, mark)


def place_of(mark: Mark, tree: Tree) -> ContentPath | None:
    """Return where the folder with this mark is now, if exactly one has the same id, or exactly the same inside."""
    if mark.content_id is None and not mark.size:
        return None
    sizes = Counter(folder for entry in tree for folder in entry.path.ancestors)
    likely = [one for one in tree.folders if sizes[one.path] == mark.size or one.content_id is not None]
    found = [one.path for one in likely if _is_it(mark, one, tree)]
    return found[0] if len(found) == 1 else None


def _is_it(mark: Mark, entry: Entry, tree: Tree) -> bool:
    if None not in (mark.content_id, entry.content_id):
        return mark.content_id == entry.content_id
    other = Mark.of(tree, entry.path)
    return (mark.size, mark.sketch) == (other.size, other.sketch)


def _creation(path: ContentPath, tree: Tree) -> StepStatus:
    if tree.folder(path) is not None:
        return _DONE
    why = _closed(path, tree)
    return StepStatus(FolderStepState.BLOCKED, why) if why else _TO_DO


def _closed(path: ContentPath, tree: Tree) -> str:
    """Return why nothing can be put where ``path`` is; empty where something can."""
    for folder in path.ancestors:
        if (entry := tree.folder(folder)) is not None and entry.read_only:
            return entry.why_closed
    return ""


def _deletion(path: ContentPath, tree: Tree) -> StepStatus:
    entry = tree.folder(path)
    if entry is None:
        return _DONE
    if entry.read_only:
        return StepStatus(FolderStepState.BLOCKED, entry.why_closed)
    if inside := tree.inside(path):
        return StepStatus(FolderStepState.BLOCKED, f"{path} is not empty: {_some([str(one.path) for one in inside])}")
    return _TO_DO


def _move(step: FolderStep, tree: Tree, mark: Mark | None) -> StepStatus:
    old, new = step.source, step.target
    match tree.folder(old), tree.folder(new):
        case None, None:
            where = place_of(mark, tree) if mark is not None else None
            hint = f"; a folder with the same contents is at {where}" if where is not None else ""
            return StepStatus(FolderStepState.BLOCKED, f"neither {old} nor {new} is there{hint}")
        case None, _:
            if mark is not None and not mark.is_of(Mark.of(tree, new)):
                return StepStatus(FolderStepState.BLOCKED, f"{old} is gone, and what is at {new} is not what was there")
            return _DONE
        case entry, None:
            if why := _closed(new, tree) or entry.why_closed:
                return StepStatus(FolderStepState.BLOCKED, why)
            if (above := new.parent) is not None and tree.folder(above) is None:
                return StepStatus(FolderStepState.BLOCKED, f"{above}, which {new} would be in, is not there")
            return _TO_DO
    return _both_there(old, new, tree, mark)


def _both_there(old: ContentPath, new: ContentPath, tree: Tree, mark: Mark | None) -> StepStatus:
    """Somebody made a folder at one end: at the new one before our move, or at the old one after it."""
    at_old = mark.similarity(Mark.of(tree, old)) if mark is not None else 0.0
    at_new = mark.similarity(Mark.of(tree, new)) if mark is not None else 0.0
    if _is_rather(at_new, at_old):
        return _DONE
    if _is_rather(at_old, at_new):
        return StepStatus(FolderStepState.BLOCKED, f"somebody has made {new}, so {old} cannot go there")
    return StepStatus(FolderStepState.BLOCKED, f"both {old} and {new} are there, and nothing tells which is which")


def _is_rather(this: float, other: float) -> bool:
    """Tell whether only one of two folders can be the one that is looked for."""
    return this > other and (this == 1.0 or other < SAME_FOLDER <= this)


def _some(names: list[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
