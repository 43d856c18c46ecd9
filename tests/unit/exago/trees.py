"""Trees for tests, made from lines: ``Sales/`` is a folder, ``Sales/Daily`` a report."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import strategies as st

from nightshift.exago.paths import ContentPath
from nightshift.exago.tree import Entry, Tree

NAMES = st.sampled_from(["live", "next", "a", "b", "c d", "%20", "ä#+"])

BEFORE = ("App/live/r1", "App/live/r2", "App/next/r1", "App/next/r2", "App/next/r3", "Other/x")
AFTER = {
    "App/",
    "App/live/",
    "App/live/r1",
    "App/live/r2",
    "App/live/r3",
    "Other/",
    "Other/x",
    "Archive/",
    "Archive/2026-11-21/",
    "Archive/2026-11-21/r1",
    "Archive/2026-11-21/r2",
}


def tree_of(lines: Iterable[str], ids: dict[str, str] | None = None, read_only: Iterable[str] = ()) -> Tree:
    found: dict[tuple[str, ...], Entry] = {}
    for line in lines:
        text, _, kind = line.partition("|")
        is_report = not text.endswith("/")
        levels = tuple(text.rstrip("/").split("/"))
        for depth in range(1, len(levels) + 1):
            here = ContentPath(levels[:depth])
            if depth == len(levels) and is_report:
                found[levels] = Entry(here, True, kind or "advanced", content_id=(ids or {}).get(text))
            elif levels[:depth] not in found:
                name = f"{here}/"
                found[levels[:depth]] = Entry(here, False, None, name in read_only, content_id=(ids or {}).get(name))
    return Tree(tuple(found[levels] for levels in sorted(found)))


def lines_of(tree: Tree) -> set[str]:
    return {str(entry.path) + ("" if entry.is_report else "/") for entry in tree}


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Any tree, up to four levels deep."""
    folders = draw(st.lists(st.lists(NAMES, min_size=1, max_size=3).map("/".join), max_size=6))
    reports = draw(
        st.lists(
            st.tuples(
                st.lists(NAMES, max_size=3),
                st.sampled_from(["r1", "r2", "r3"]),
                st.sampled_from(["advanced", "dashboard"]),
            ),
            max_size=8,
        )
    )
    lines = [f"{folder}/" for folder in folders]
    lines += ["/".join([*above, name]) + f"|{kind}" for above, name, kind in reports]
    return tree_of(lines)
