"""The tree of folders and reports, as one answer of the server tells it (Exago reference, section 3.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import msgspec

from nightshift.errors import BadResponse
from nightshift.exago.paths import VENDOR, ContentPath
from nightshift.http.bodies import BOM
from nightshift.lake.spec import Column
from nightshift.nesting import UNREADABLE, shallow

LIST_PATH = "/rest/reports/list"
TREE_COLUMNS = tuple(
    Column(name=name, type="bool" if name == "read_only" else "string")
    for name in ("path", "parent", "name", "kind", "type", "read_only", "role", "content_id")
)
"""The columns of the table ``exago/tree``."""


class _Node(msgspec.Struct):
    name: str = ""
    leaf_flag: bool | None = None
    readonly_flag: bool | None = None
    type: str | int | None = None
    user: str | None = None
    content_id: str | int | None = None
    before_2021: list[_Node] | msgspec.UnsetType | None = msgspec.field(default=msgspec.UNSET, name="entity")
    since_2021: list[_Node] | msgspec.UnsetType | None = msgspec.field(default=msgspec.UNSET, name="Entity")

    @property
    def has_children_key(self) -> bool:
        return not (self.before_2021 is msgspec.UNSET and self.since_2021 is msgspec.UNSET)

    @property
    def children(self) -> list[_Node]:
        return (self.before_2021 or None) or (self.since_2021 or None) or []

    @property
    def is_report(self) -> bool:
        if self.leaf_flag is not None:
            return self.leaf_flag
        return self.type is not None and str(self.type).lower() not in ("folder", "6") and not self.children


class Entry(msgspec.Struct, frozen=True):
    """A folder or a report.

    :param path: where it is
    :param is_report: else a folder
    :param type: the vendor's word for the type of a report, as sent; ``None`` for a folder
    :param read_only: for the active role
    :param role: the active role
    :param content_id: what identifies it, from server version 2021.1 on
    """

    path: ContentPath
    is_report: bool
    type: str | None = None
    read_only: bool = False
    role: str | None = None
    content_id: str | None = None

    @property
    def key(self) -> tuple[tuple[str, ...], bool]:
        """What is once in a tree: a folder and a report may have the same path."""
        return self.path.levels, self.is_report

    @property
    def kind(self) -> str:
        """``report`` or ``folder``."""
        return "report" if self.is_report else "folder"

    @property
    def why_closed(self) -> str:
        """Why the active role cannot change it; empty where it can."""
        return f"{self.path} is read-only for the role {self.role or 'of the connection'}" if self.read_only else ""

    def row(self) -> dict[str, Any]:
        """Return the entry as a row of the table ``exago/tree``."""
        parent = self.path.parent
        return {
            "path": str(self.path),
            "parent": None if parent is None else str(parent),
            "name": self.path.name,
            "kind": self.kind,
            "type": self.type,
            "read_only": self.read_only,
            "role": self.role,
            "content_id": self.content_id,
        }


class Tree:
    """All folders and reports, in the server's order.

    :param entries: each after the folder that it is in
    """

    def __init__(self, entries: tuple[Entry, ...]) -> None:
        self.entries = entries
        self._folders = {entry.path: entry for entry in entries if not entry.is_report}
        self._reports = {entry.path: entry for entry in entries if entry.is_report}

    @classmethod
    def of(cls, body: bytes) -> Self:
        """Read an answer. The children may be under ``entity`` (before 2021.1) or ``Entity``; other keys are ignored.

        :param body: the answer
        :raises BadResponse: not a tree
        """
        try:
            root = msgspec.json.decode(shallow(body.removeprefix(BOM)), type=_Node)
        except UNREADABLE as error:
            raise _not_a_tree(f"{type(error).__name__}: {error}") from None
        if not root.has_children_key:
            raise _not_a_tree("it has neither entity nor Entity at the top")
        return cls(tuple(_entries(root, ())))

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def folder(self, path: ContentPath) -> Entry | None:
        """Return the folder at a path."""
        return self._folders.get(path)

    def report(self, path: ContentPath) -> Entry | None:
        """Return the report at a path."""
        return self._reports.get(path)

    def inside(self, folder: ContentPath) -> tuple[Entry, ...]:
        """Return everything below a folder."""
        return tuple(entry for entry in self.entries if entry.path.is_in(folder) and entry.path != folder)

    @property
    def folders(self) -> tuple[Entry, ...]:
        """The folders."""
        return tuple(self._folders.values())

    def size(self) -> str:
        """Return how many folders and reports there are, in words."""
        reports = sum(entry.is_report for entry in self.entries)
        folders = len(self.entries) - reports
        return f"{folders} folder{'s'[: folders != 1]} and {reports} report{'s'[: reports != 1]}"


def _entries(root: _Node, above: tuple[str, ...]) -> Iterator[Entry]:
    waiting = [(node, above) for node in reversed(root.children)]
    while waiting:
        node, parent = waiting.pop()
        levels = (*parent, node.name)
        yield Entry(
            path=ContentPath(levels),
            is_report=node.is_report,
            type=None if node.type is None else str(node.type),
            read_only=bool(node.readonly_flag),
            role=node.user,
            content_id=None if node.content_id in (None, "") else str(node.content_id),
        )
        waiting += [(child, levels) for child in reversed(node.children)]


def _not_a_tree(problem: str) -> BadResponse:
    return BadResponse(
        f"the answer is not a tree of folders and reports: {problem}",
        vendor=VENDOR,
        method="GET",
        path=LIST_PATH,
        status=200,
        advice="Nothing was taken over. Check the host of the connection: it is the root of the web service, such as "
        "https://bi.example.com/ExagoWebApi.",
    )
