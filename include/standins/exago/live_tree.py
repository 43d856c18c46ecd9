"""The tree as it lives at the stand-in: changed by calls and by other users, guarded, every change in the ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from include.standins.calls import Call
from include.standins.exago import tree
from include.standins.exago.listing import Trees, hidden_from, listed
from include.standins.exago.planted import Ids, planted
from include.standins.exago.switches import ExagoSwitches
from include.standins.exago.tree import CannotChange, Levels, Node, Same
from include.standins.server import StandIn

Sink = Callable[..., None]


class LiveTree:
    """The tree of a stand-in.

    :param vendor: the stand-in, for its switches, its clock and its lock
    """

    def __init__(self, vendor: StandIn[ExagoSwitches]) -> None:
        self._vendor = vendor
        self._new_id = Ids(vendor.seed)
        self._trees = Trees(planted(vendor.switches, self._new_id))
        self._calls = 0

    @property
    def same(self) -> Same:
        """How names are compared."""
        return tree.exactly if self._vendor.switches.names_case_sensitive else tree.in_any_case

    def count_call(self) -> None:
        """Note that a call is served: listings lag behind by calls."""
        self._calls += 1

    def listing(self, identity: Mapping[str, Any]) -> dict[str, Any]:
        """Return the tree as a storage identity sees it in a listing, which may be late.

        :param identity: with ``ReportListCacheEnabled`` off, nothing is late
        """
        switches = self._vendor.switches
        with self._vendor.locked():
            late = identity.get("ReportListCacheEnabled", True)
            root = self._trees.seen(self._now(), self._calls, switches) if late else self._trees.now
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
        """Return the report of a path."""
        return tree.find(self._trees.now, levels, self.same, report=True)

    def report_of(self, node_id: str) -> tuple[str, Node] | None:
        """Return path and node of the report with an id."""
        waiting = [("", self._trees.now)]
        for above, node in waiting:
            if node.is_report and node.id == node_id:
                return above, node
            waiting += [(f"{above}/{child.name}".lstrip("/"), child) for child in node.children]
        return None

    def create(self, call: Call, levels: Levels) -> None:
        """Create a folder.

        :raises CannotChange: the tree does not allow it
        """
        with self._vendor.locked():
            parents = self._vendor.switches.parents_made
            self._take(tree.create(self._trees.now, levels, self.same, self._new_id, parents=parents))
        call.effect("folder_created", "/".join(levels))

    def rename(self, call: Call, old: Levels, new: Levels) -> None:
        """Rename or move a folder.

        :raises CannotChange: the tree does not allow it
        """
        with self._vendor.locked():
            self._take(tree.rename(self._trees.now, old, new, self.same))
        call.effect("folder_renamed", "/".join(old), to="/".join(new))

    def delete(self, call: Call, levels: Levels) -> None:
        """Delete an empty folder.

        :raises CannotChange: the tree does not allow it
        """
        with self._vendor.locked():
            self._take(tree.delete(self._trees.now, levels, self.same))
        call.effect("folder_deleted", "/".join(levels))

    def other_user(self, do: str, path: str, *, to: str = "", type: str = "advanced", sink: Sink | None = None) -> bool:  # noqa: A002 -- as it stands in a fault's detail
        """Change the tree as another user does; see ``other_user`` in :data:`faulty.KINDS`.

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
        self._trees.change(root, self._now(), self._calls)

    def _now(self) -> float:
        return self._vendor.clock.elapsed()
