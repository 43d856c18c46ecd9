"""The trees that a stand-in begins with."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from include.standins.draw import Draw
from include.standins.exago.switches import ExagoSwitches
from include.standins.exago.tree import Node

EXAMPLE = Path(__file__).parent / "examples" / "reports_list_tree.json"
_BULK_TYPES = ("advanced", "express", "dashboard", "chained", "expressview")


class Ids:
    """Ids of nodes, one after the other.

    :param seed: of the stand-in
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._made = 0

    def __call__(self) -> str:
        """Return the next id."""
        self._made += 1
        return Draw(self._seed, "exago", "node", self._made).uuid()


def planted(switches: ExagoSwitches, new_id: Callable[[], str]) -> Node:
    """Return the tree at the start: that of the vendor's page, and folders with names that are hard to write."""

    def folder(name: str, *children: Node, read_only: bool = False) -> Node:
        return Node(name, new_id(), None, read_only, children)

    def report(name: str, kind: str = "advanced") -> Node:
        return Node(name, new_id(), kind)

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
    bulk = (
        folder(f"Bulk {n:05d}", *(report(f"Report {m}", _BULK_TYPES[(n + m) % 5]) for m in range(10)))
        for n in range(switches.bulk_folders)
    )
    return Node("", children=(*documented.children, *more, *bulk))


def _documented(node: Mapping[str, Any], new_id: Callable[[], str]) -> Node:
    children = tuple(_documented(child, new_id) for child in node.get("entity") or ())
    if "name" not in node:
        return Node("", children=children)
    return Node(node["name"], new_id(), node["type"], node["readonly_flag"], children)
