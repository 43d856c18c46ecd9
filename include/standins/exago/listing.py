"""The tree as ``GET /rest/reports/list`` tells it, and how far it lags behind."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from include.standins.exago.switches import ChildKey, ExagoSwitches, Version
from include.standins.exago.tree import Node

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
        self._before: deque[tuple[float, int, Node]] = deque(maxlen=CHANGES_KEPT)

    def change(self, root: Node, at: float, call: int) -> None:
        """Take a new tree.

        :param at: seconds of the stand-in's clock
        :param call: number of the call that changes it
        """
        self._before.append((at, call, self.now))
        self.now = root

    def seen(self, at: float, call: int, switches: ExagoSwitches) -> Node:
        """Return the tree as a listing shows it, late as the switches say."""
        calls, seconds = switches.listing_lag_calls, switches.listing_lag_seconds
        for until, by, root in self._before:
            if (calls and by >= call - calls) or (seconds and until > at - seconds):
                return root
        return self.now


def listed(root: Node, switches: ExagoSwitches, hidden: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Return the answer of the listing; the top node has nothing but its children (3.1).

    :param hidden: names of top folders that the caller may not see
    """
    newer = switches.version is Version.V2021
    key = switches.child_key or (ChildKey.UPPER if newer else ChildKey.LOWER)
    children = [_told(child, key, switches, newer=newer) for child in root.children if child.name not in hidden]
    return {key.value: children}


def hidden_from(identity: Mapping[str, Any], switches: ExagoSwitches) -> frozenset[str]:
    """Return the top folders that a storage identity does not see (1.4)."""
    if switches.version is Version.V2019 or identity.get("IsAdmin"):
        return frozenset()
    named = identity.get("Identities") or {}
    values = named.values() if isinstance(named, Mapping) else [one.get("Value") for one in named]
    return frozenset(path for path, party in switches.parties.items() if party not in set(values))


def _told(node: Node, key: ChildKey, switches: ExagoSwitches, *, newer: bool) -> dict[str, Any]:
    number = NUMBERS.get(node.type or "", FOLDER_NUMBER)
    kind = number if switches.numeric_types and node.is_report else node.type
    told: dict[str, Any] = {
        "name": node.name, "leaf_flag": node.is_report, "readonly_flag": node.read_only, "type": kind, "user": switches.role,
    }  # fmt: skip
    if newer:
        told |= {
            "content_id": node.id, "content_type": "Report" if node.is_report else "Folder", "report_type": number,
            "access_flags": READ_ONLY if node.read_only else FULL_ACCESS,
        }  # fmt: skip
    told[key.value] = None if node.is_report else [_told(child, key, switches, newer=newer) for child in node.children]
    return told
