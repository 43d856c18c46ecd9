"""The tree as it lives at the stand-in: changed by requests and by other users, guarded, every change in the ledger,
listed as the switches say.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from include.standins.exago import tree
from include.standins.exago.switches import ChildKey, ExagoSwitches, Version
from include.standins.exago.tree import CannotChange, Ids, Levels, Node, Same, planted
from include.standins.routing import Request
from include.standins.server import StandIn

NUMBERS = {"advanced": 0, "express": 1, "dashboard": 2, "chained": 3, "expressview": 5}
FOLDER_NUMBER = 6
FULL_ACCESS, READ_ONLY = 65_535, 840
CHANGES_KEPT = 1_000


class Trees:
    """The tree, and what it was before its last 1,000 changes.

    :param root: at the start
    """

    def __init__(self, root: Node) -> None:
        self.now = root
        self._before: deque[tuple[int, Node]] = deque(maxlen=CHANGES_KEPT)

    def change(self, root: Node, requests: int) -> None:
        """Take a new tree, after so many requests."""
        self._before.append((requests, self.now))
        self.now = root

    def seen(self, requests: int, switches: ExagoSwitches) -> Node:
        """Return the tree as a listing shows it, late as the switches say."""
        lag = switches.listing_lag_calls
        return next((root for by, root in self._before if lag and by >= requests - lag), self.now)


def listed(root: Node, switches: ExagoSwitches, hidden: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Return the answer of the listing; the top node has nothing but its children (3.1).

    :param hidden: names of top folders that the caller may not see
    """
    newer = switches.version is Version.V2021
    key = switches.child_key or (ChildKey.UPPER if newer else ChildKey.LOWER)
    children = [_shown(child, key, switches, newer=newer) for child in root.children if child.name not in hidden]
    return {key.value: children}


def hidden_from(identity: Mapping[str, Any], switches: ExagoSwitches) -> frozenset[str]:
    """Return the top folders that a storage identity does not see (1.4)."""
    if switches.version is Version.V2019 or identity.get("IsAdmin"):
        return frozenset()
    named = identity.get("Identities") or {}
    values = named.values() if isinstance(named, Mapping) else [one.get("Value") for one in named]
    return frozenset(path for path, party in switches.parties.items() if party not in set(values))


def _shown(node: Node, key: ChildKey, switches: ExagoSwitches, *, newer: bool) -> dict[str, Any]:
    number = NUMBERS.get(node.type or "", FOLDER_NUMBER)
    kind = number if switches.numeric_types and node.is_report else node.type
    shown: dict[str, Any] = {
        "name": node.name,
        "leaf_flag": node.is_report,
        "readonly_flag": node.read_only,
        "type": kind,
        "user": switches.role,
    }
    if newer:
        shown |= {
            "content_id": node.id,
            "content_type": "Report" if node.is_report else "Folder",
            "report_type": number,
            "access_flags": READ_ONLY if node.read_only else FULL_ACCESS,
        }
    shown[key.value] = (
        None if node.is_report else [_shown(child, key, switches, newer=newer) for child in node.children]
    )
    return shown


Sink = Callable[..., None]


class LiveTree:
    """The tree of a stand-in.

    :param vendor: the stand-in, for its switches, its clock and its lock
    """

    def __init__(self, vendor: StandIn[ExagoSwitches]) -> None:
        self._vendor = vendor
        self._new_id = Ids(vendor.seed)
        self._trees = Trees(planted(vendor.switches, self._new_id))
        self._requests = 0

    @property
    def same(self) -> Same:
        return tree.exactly if self._vendor.switches.names_case_sensitive else tree.in_any_case

    def count_request(self) -> None:
        """Note that a call is served: listings lag behind by calls."""
        self._requests += 1

    def listing(self, identity: Mapping[str, Any]) -> dict[str, Any]:
        """Return the tree as a storage identity sees it in a listing, which may be late.

        :param identity: with ``ReportListCacheEnabled`` off, nothing is late
        """
        switches = self._vendor.switches
        with self._vendor.locked():
            late = identity.get("ReportListCacheEnabled", True)
            root = self._trees.seen(self._requests, switches) if late else self._trees.now
        return listed(root, switches, hidden_from(identity, switches))

    def paths(self) -> list[str]:
        """Return the paths of all folders and reports as they are, a folder's with ``/`` at its end."""
        with self._vendor.locked():
            root = self._trees.now

        def below(node: Node, above: str) -> list[str]:
            found = []
            for child in node.children:
                path = above + child.name + ("" if child.is_report else "/")
                found += [path, *below(child, path)]
            return found

        return below(root, "")

    def report(self, levels: Levels) -> Node | None:
        return tree.find(self._trees.now, levels, self.same, report=True)

    def report_of(self, node_id: str) -> tuple[str, Node] | None:
        waiting = [("", self._trees.now)]
        for above, node in waiting:
            if node.is_report and node.id == node_id:
                return above, node
            waiting += [(f"{above}/{child.name}".lstrip("/"), child) for child in node.children]
        return None

    def create(self, request: Request, levels: Levels) -> None:
        """Create a folder.

        :raises CannotChange: the tree does not allow it
        """
        with self._vendor.locked():
            parents = self._vendor.switches.parents_made
            self._take(tree.create(self._trees.now, levels, self.same, self._new_id, parents=parents))
        request.effect("folder_created", "/".join(levels))

    def rename(self, request: Request, old: Levels, new: Levels) -> None:
        """Rename or move a folder.

        :raises CannotChange: the tree does not allow it
        """
        with self._vendor.locked():
            self._take(tree.rename(self._trees.now, old, new, self.same))
        request.effect("folder_renamed", "/".join(old), to="/".join(new))

    def delete(self, request: Request, levels: Levels) -> None:
        """Delete an empty folder.

        :raises CannotChange: the tree does not allow it
        """
        with self._vendor.locked():
            self._take(tree.delete(self._trees.now, levels, self.same))
        request.effect("folder_deleted", "/".join(levels))

    def other_user(
        self,
        do: str,
        path: str,
        *,
        to: str = "",
        type: str = "advanced",  # noqa: A002 -- as it stands in a fault's detail
        sink: Sink | None = None,
    ) -> bool:
        """Change the tree as another user does; see ``other_user`` in :mod:`~include.standins.exago.faulty`.

        :param sink: where the effect goes; default: the ledger, as the vendor's own doing
        :return: whether it was possible
        :raises ValueError: there is no such change
        """
        levels, same = path.split("/"), self.same
        with self._vendor.locked():
            root = self._trees.now
            try:
                match do:
                    case "create":
                        made = tree.create(root, levels, same, self._new_id, parents=True)
                    case "create_report":
                        made = tree.put(root, levels[:-1], Node(levels[-1], self._new_id(), type), same)
                    case "rename":
                        made = tree.rename(root, levels, to.split("/"), same)
                    case "delete" | "delete_report":
                        made = self._dropped(root, levels, report=do == "delete_report")
                    case "protect" | "unprotect":
                        made = tree.changed(root, levels, same, lambda node: replace(node, read_only=do == "protect"))
                    case _:
                        raise ValueError(f"another user cannot {do!r}")
            except CannotChange:
                return False
            self._take(made)
        detail = {"do": do, **({"to": to} if to else {})}
        if sink:
            sink("other_user", path, **detail)
        else:
            self._vendor.ledger.effect("other_user", path, detail)
        return True

    def _dropped(self, root: Node, levels: Levels, *, report: bool) -> Node:
        node = tree.find(root, levels, self.same, report=report)
        if node is None:
            raise CannotChange(tree.Trouble.MISSING, levels)
        return tree.dropped(root, levels, node, self.same)

    def _take(self, root: Node) -> None:
        self._trees.change(root, self._requests)
