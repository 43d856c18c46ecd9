"""The tree of folders and reports: nodes that never change, changes that give a new tree, and the trees that a stand-in
begins with.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from include.standins.draw import Draw
from include.standins.exago.switches import ExagoSwitches

Levels = Sequence[str]
Same = Callable[[str, str], bool]


class Trouble(StrEnum):
    """Why a change is not possible."""

    EXISTS = "exists"
    MISSING = "missing"
    NOT_EMPTY = "not_empty"
    READ_ONLY = "read_only"
    INSIDE_ITSELF = "inside_itself"


class CannotChange(Exception):
    """A change of the tree is not possible.

    :param trouble: why
    :param levels: where
    """

    def __init__(self, trouble: Trouble, levels: Levels) -> None:
        super().__init__(trouble)
        self.trouble = trouble
        self.path = "/".join(levels)


@dataclass(frozen=True)
class Node:
    """A folder or a report.

    :param id: stays when the node moves
    :param type: of a report; ``None``: a folder
    :param children: of a folder, in order
    """

    name: str
    id: str = ""
    type: str | None = None
    read_only: bool = False
    children: tuple[Node, ...] = ()

    @property
    def is_report(self) -> bool:
        return self.type is not None


def exactly(one: str, other: str) -> bool:
    return one == other


def in_any_case(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


def find(root: Node, levels: Levels, same: Same, *, report: bool = False) -> Node | None:
    """Return the folder, or the report, of a path."""
    node = root
    for place, name in enumerate(levels, 1):
        wanted = report and place == len(levels)
        found = next((one for one in node.children if one.is_report == wanted and same(one.name, name)), None)
        if found is None:
            return None
        node = found
    return node


def create(root: Node, levels: Levels, same: Same, new_id: Callable[[], str], *, parents: bool = False) -> Node:
    """Return the tree with a new folder.

    :param parents: make the folders above it too
    :raises CannotChange: it is there; its parent is not, or is read-only
    """
    if find(root, levels, same):
        raise CannotChange(Trouble.EXISTS, levels)
    above = levels[:-1]
    if parents and above and not find(root, above, same):
        root = create(root, above, same, new_id, parents=True)
    return put(root, above, Node(levels[-1], new_id()), same)


def rename(root: Node, old: Levels, new: Levels, same: Same) -> Node:
    """Return the tree with a folder that has another name, another parent, or both.

    :raises CannotChange: it is not there, the target is, the target's parent is not, lies inside it, or one of them is
        read-only
    """
    folder = find(root, old, same)
    if folder is None:
        raise CannotChange(Trouble.MISSING, old)
    stays = len(old) == len(new) and all(map(same, old, new))
    if find(root, new, same) and not stays:
        raise CannotChange(Trouble.EXISTS, new)
    if not stays and len(new) > len(old) and all(map(same, old, new)):
        raise CannotChange(Trouble.INSIDE_ITSELF, new)
    if find(root, new[:-1], same) is None:
        raise CannotChange(Trouble.MISSING, new[:-1])
    return put(_without(root, old, folder, same), new[:-1], replace(folder, name=new[-1]), same)


def delete(root: Node, levels: Levels, same: Same) -> Node:
    """Return the tree without a folder.

    :raises CannotChange: it is not there, not empty, or read-only
    """
    folder = find(root, levels, same)
    if folder is None:
        raise CannotChange(Trouble.MISSING, levels)
    if folder.children:
        raise CannotChange(Trouble.NOT_EMPTY, levels)
    return _without(root, levels, folder, same)


def put(root: Node, above: Levels, node: Node, same: Same) -> Node:
    """Return the tree with a node at the end of a folder.

    :raises CannotChange: the folder is not there, or read-only
    """
    folder = find(root, above, same)
    if folder is None:
        raise CannotChange(Trouble.MISSING, above)
    if folder.read_only:
        raise CannotChange(Trouble.READ_ONLY, above)
    return changed(root, above, same, lambda found: replace(found, children=(*found.children, node)))


def changed(root: Node, levels: Levels, same: Same, change: Callable[[Node], Node]) -> Node:
    """Return the tree with one folder changed, whatever it is.

    :raises CannotChange: it is not there
    """
    if not levels:
        return change(root)
    children = list(root.children)
    for place, child in enumerate(children):
        if not child.is_report and same(child.name, levels[0]):
            children[place] = changed(child, levels[1:], same, change)
            return replace(root, children=tuple(children))
    raise CannotChange(Trouble.MISSING, levels)


def dropped(root: Node, levels: Levels, node: Node, same: Same) -> Node:
    """Return the tree without a node, whatever it holds."""
    return changed(
        root,
        levels[:-1],
        same,
        lambda above: replace(above, children=tuple(one for one in above.children if one is not node)),
    )


def _without(root: Node, levels: Levels, node: Node, same: Same) -> Node:
    above = find(root, levels[:-1], same)
    if node.read_only or (above is not None and above.read_only):
        raise CannotChange(Trouble.READ_ONLY, levels)
    return dropped(root, levels, node, same)


EXAMPLE = Path(__file__).parent / "examples" / "reports_list_tree.json"


class Ids:
    """Ids of nodes, one after the other.

    :param seed: of the stand-in
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._made = 0

    def __call__(self) -> str:
        self._made += 1
        return Draw(self._seed, "exago", "node", self._made).uuid()


def planted(switches: ExagoSwitches, new_id: Callable[[], str]) -> Node:
    """Return the tree at the start: that of the switch ``tree``, or that of the vendor's page, and folders with names
    that are hard to write.
    """

    def folder(name: str, *children: Node, read_only: bool = False) -> Node:
        return Node(name, new_id(), None, read_only, children)

    def report(name: str, kind: str = "advanced") -> Node:
        return Node(name, new_id(), kind)

    if switches.tree is not None:
        return _of_paths(switches.tree, new_id)
    documented = _documented(json.loads(EXAMPLE.read_text(encoding="utf-8")), new_id)
    if switches.documented_tree:
        return documented
    more = (
        folder(
            "Sales",
            folder("Live", report("Daily"), report("Weekly", "express")),
            folder("Candidate", report("Daily"), report("Überblick 50 % + #1"), report("Board", "dashboard")),
            folder("Archive"),
            report("Daily"),
        ),
        folder("R&D + Café #2 (50 %)", folder("東京 ナイト", report("Σ costs", "chained")), report('O\'Neil "quoted"')),
        folder("Templates", report("Letterhead"), folder("Old"), read_only=True),
        folder("Empty"),
    )
    return Node("", children=(*documented.children, *more))


def _documented(node: Mapping[str, Any], new_id: Callable[[], str]) -> Node:
    children = tuple(_documented(child, new_id) for child in node.get("entity") or ())
    if "name" not in node:
        return Node("", children=children)
    return Node(node["name"], new_id(), node["type"], node["readonly_flag"], children)


def _of_paths(paths: Iterable[str], new_id: Callable[[], str]) -> Node:
    root = Node("")
    for path in paths:
        *above, name = path.rstrip("/").split("/")
        for depth in range(1, len(above) + (2 if path.endswith("/") else 1)):
            if find(root, [*above, name][:depth], exactly) is None:
                root = create(root, [*above, name][:depth], exactly, new_id)
        if not path.endswith("/"):
            root = put(root, above, Node(name, new_id(), "advanced"), exactly)
    return root
