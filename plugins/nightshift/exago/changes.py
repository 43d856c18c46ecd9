"""What changed between two trees: appeared, vanished, moved, changed its type. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from nightshift.exago.paths import ContentPath
from nightshift.exago.tree import Entry, Tree
from nightshift.lake.spec import Column

SHOWN = 8
CHANGE_COLUMNS = tuple(
    Column(name=name, type="string")
    for name in ("change", "kind", "name", "path", "path_before", "type", "type_before", "since")
)
"""The columns of the table ``exago/tree_changes``."""
Key = tuple[tuple[str, ...], bool]


class ChangeKind(StrEnum):
    """What happened to a folder or report."""

    APPEARED = "appeared"
    VANISHED = "vanished"
    MOVED = "moved"
    RETYPED = "type changed"


class Change(msgspec.Struct, frozen=True):
    """One change of one folder or report.

    :param kind: what happened
    :param before: as it was; ``None`` where it appeared
    :param after: as it is; ``None`` where it vanished
    """

    kind: ChangeKind
    before: Entry | None
    after: Entry | None

    @property
    def entry(self) -> Entry:
        """The folder or report as it is, or as it last was."""
        found = self.after or self.before
        assert found is not None  # noqa: S101  # one of the two is always there
        return found

    def row(self, since: str | None) -> dict[str, Any]:
        """Return the change as a row of the table ``exago/tree_changes``.

        :param since: the night that the tree is compared with
        """
        before, after = self.before, self.after
        return {
            "change": str(self.kind),
            "kind": self.entry.kind,
            "name": self.entry.path.name,
            "path": str(after.path) if after else None,
            "path_before": str(before.path) if before else None,
            "type": after.type if after else None,
            "type_before": before.type if before else None,
            "since": since,
        }


def compare(before: Tree, after: Tree) -> tuple[Change, ...]:
    """Return what changed, one change for each folder and report concerned, in the order of paths.

    A folder or report counts as moved when the server gives both the same ``content_id`` (2021.1 and later), when a
    folder with the same things inside is found nowhere else, or when its name and type are gone in one place and new in
    one other. A report that got another name in place has no id on older servers: it vanished, and another appeared.
    """
    old, new = _index(before), _index(after)
    stayed = {key for key in old.keys() & new.keys() if not _are_two(old[key], new[key])}
    gone = {key: entry for key, entry in old.items() if key not in stayed}
    come = {key: entry for key, entry in new.items() if key not in stayed}
    moves = _moves(gone, come)
    arrived = set(moves.values())
    changes = [Change(ChangeKind.MOVED, old[key], new[to]) for key, to in moves.items()]
    changes += [Change(ChangeKind.VANISHED, entry, None) for key, entry in gone.items() if key not in moves]
    changes += [Change(ChangeKind.APPEARED, None, entry) for key, entry in come.items() if key not in arrived]
    changes += [Change(ChangeKind.RETYPED, old[key], new[key]) for key in stayed if old[key].type != new[key].type]
    return tuple(sorted(changes, key=lambda change: (change.entry.path, change.kind, change.entry.is_report)))


def summary(changes: Iterable[Change], since: str | None) -> str:
    """Return the changes as a short text; what moved, came or went with its folder is not listed again.

    :param since: the night that the tree is compared with; ``None`` where there is none
    """
    if since is None:
        return "No earlier night to compare with: this one is the first."
    changes = tuple(changes)
    if not changes:
        return f"No change since the night {since}."
    counts = Counter(change.kind for change in changes)
    head = ", ".join(f"{counts[kind]} {kind}" for kind in ChangeKind if counts[kind])
    folders = {(change.kind, change.entry.path): change for change in changes if not change.entry.is_report}
    tops = [change for change in changes if not _went_with_its_folder(change, folders)]
    lines = [_line(change) for change in tops[:SHOWN]]
    if len(tops) > SHOWN:
        lines.append(f"… and {len(tops) - SHOWN} more")
    return "\n".join([f"Since the night {since}: {head}.", *lines])


def _are_two(before: Entry, after: Entry) -> bool:
    """Tell whether the server says that the two are not the same folder or report."""
    return None not in (before.content_id, after.content_id) and before.content_id != after.content_id


def _index(tree: Tree) -> dict[Key, Entry]:
    found: dict[Key, Entry] = {}
    for entry in tree:
        found.setdefault(entry.key, entry)
    return found


def _moves(gone: Mapping[Key, Entry], come: Mapping[Key, Entry]) -> dict[Key, Key]:
    moves: dict[Key, Key] = {}
    _pair(gone, come, moves, lambda entry: (entry.content_id, entry.is_report) if entry.content_id else None)
    below, inside_old, inside_new = _inside(gone), _contents(gone), _contents(come)
    arrived = set(moves.values())
    for key, to in _unique(gone, come, moves, lambda one: inside_old.get(one.key), lambda one: inside_new.get(one.key)):
        for found in (key, *below[key]) if key not in moves else ():
            there = (gone[found].path.moved(ContentPath(key[0]), ContentPath(to[0])).levels, found[1])
            if found in moves or there in arrived or there not in come or _are_two(gone[found], come[there]):
                continue
            moves[found] = there
            arrived.add(there)
    _pair(gone, come, moves, lambda entry: (entry.path.name, entry.type, entry.is_report))
    return moves


def _pair(gone: Mapping[Key, Entry], come: Mapping[Key, Entry], moves: dict[Key, Key], mark: Any) -> None:
    moves.update(_unique(gone, come, moves, mark, mark))


def _unique(
    gone: Mapping[Key, Entry], come: Mapping[Key, Entry], moves: Mapping[Key, Key], mark_old: Any, mark_new: Any
) -> list[tuple[Key, Key]]:
    """Return the pairs whose mark is once among what is gone and once among what has come, outermost first."""
    arrived = set(moves.values())
    old = _by_mark(gone, mark_old, moves)
    new = _by_mark(come, mark_new, arrived)
    pairs = [(keys[0], new[mark][0]) for mark, keys in old.items() if len(keys) == 1 and len(new.get(mark, ())) == 1]
    likely = [(key, to) for key, to in pairs if not _are_two(gone[key], come[to])]
    return sorted(likely, key=lambda pair: (len(pair[0][0]), pair))


def _by_mark(entries: Mapping[Key, Entry], mark: Any, taken: Iterable[Key]) -> dict[Hashable, list[Key]]:
    found: dict[Hashable, list[Key]] = defaultdict(list)
    taken = set(taken)
    for key, entry in entries.items():
        if key not in taken and (label := mark(entry)) is not None:
            found[label].append(key)
    return found


def _inside(entries: Mapping[Key, Entry]) -> dict[Key, list[Key]]:
    """Return what is inside of each folder, at any depth."""
    found: dict[Key, list[Key]] = defaultdict(list)
    for entry in entries.values():
        for folder in entry.path.ancestors:
            found[folder.levels, False].append(entry.key)
    return found


def _contents(entries: Mapping[Key, Entry]) -> dict[Key, frozenset[Hashable]]:
    """Return what each folder is known by, the names and types of what is inside; an empty one is known by nothing."""
    known: dict[Key, frozenset[Hashable]] = {}
    for key, inside in _inside(entries).items():
        depth = len(key[0])
        known[key] = frozenset((one[0][depth:], one[1], entries[one].type) for one in inside)
    return known


def _went_with_its_folder(change: Change, folders: Mapping[tuple[ChangeKind, ContentPath], Change]) -> bool:
    parent = change.entry.path.parent
    folder = folders.get((change.kind, parent)) if parent is not None else None
    if folder is None or folder.before is None or change.before is None:
        return folder is not None
    return change.before.path.parent == folder.before.path and change.before.path.name == change.entry.path.name


def _line(change: Change) -> str:
    what = f"{change.kind} {change.entry.kind}"
    match change:
        case Change(ChangeKind.MOVED, Entry() as before, Entry() as after):
            return f"{what} {before.path} → {after.path}"
        case Change(ChangeKind.RETYPED, Entry() as before, Entry() as after):
            return f"{what} {after.path}: {before.type} → {after.type}"
        case _:
            return f"{what} {change.entry.path}"
