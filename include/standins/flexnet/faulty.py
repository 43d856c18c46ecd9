"""FlexNet's own faults: what a warehouse that is refreshed under a reader, or a server that is wrong, does to a
report.
"""

from __future__ import annotations

from collections.abc import Sequence

from include.standins.flexnet.rows import Listed, Reversed, Rows, Spliced, Window, edited
from include.standins.routing import Request

NEXT_LOOPS = "next_loops"
NEXT_ELSEWHERE = "next_elsewhere"
PAGE_IGNORED = "page_ignored"
ROWS_SHIFT = "rows_shift"
TOTALS_OFF = "totals_off"
BAD_VALUE = "bad_value"
DUPLICATE_ROW = "duplicate_row"
LINK_LOST = "link_lost"
PAGE_CUT = "page_cut"
TAIL_CUT = "tail_cut"

KINDS = frozenset(
    {
        NEXT_LOOPS,
        NEXT_ELSEWHERE,
        PAGE_IGNORED,
        ROWS_SHIFT,
        TOTALS_OFF,
        BAD_VALUE,
        DUPLICATE_ROW,
        LINK_LOST,
        PAGE_CUT,
        TAIL_CUT,
    }
)
"""Kinds and what they take in ``detail``.

``next_loops``: the next link leads to page ``to`` (default: the same page), even from the last page.
``next_elsewhere``: the next link leads to another origin. ``page_ignored``: every page is page 1. ``rows_shift``: the
report was refreshed: ``insert`` new rows in front, ``delete`` rows gone from the front, ``reorder``: opposite order,
``constant_totals``: the counts stay as they were. Give it ``after`` or ``from_page`` and ``times=None``, so that it
begins in the middle of a walk. ``totals_off``: counts are off by ``add`` (default 1); with ``after`` they change
between pages. ``bad_value``: row ``row`` (default 0) of the report has ``value`` in ``field``. ``link_lost``: the
header says that there is no next page, though there is one. ``page_cut``: the page has its first ``keep`` rows only
(default 0: none), in a body that is whole; its header is as it should be. ``tail_cut``: the last ``bytes`` of the body
are missing (default 1), and the Content-Length agrees. ``duplicate_row``: row ``row`` (default 0) comes once more at
position ``at`` (default: the end), with ``changes`` (default none: identical).
"""


def view(request: Request, rows: Rows, window: Window) -> Rows:
    """Return the rows as the faults of a call show them.

    :param rows: as they are
    :param window: where new rows come from
    """
    shift = request.fault(ROWS_SHIFT)
    if shift:
        gone = min(int(shift.detail.get("delete", 0)), rows.count)
        rows = Spliced(rows, 0, gone, window.later(int(shift.detail.get("insert", 0))))
        if shift.detail.get("reorder"):
            rows = Reversed(rows)
    twice = request.fault(DUPLICATE_ROW)
    if twice:
        rows = _again(
            rows, int(twice.detail.get("row", 0)), twice.detail.get("at"), dict(twice.detail.get("changes", {}))
        )
    bad = request.fault(BAD_VALUE)
    if bad:
        place = int(bad.detail.get("row", 0))
        found = rows.part(place, place + 1)
        changes = {str(bad.detail["field"]): bad.detail.get("value")}
        rows = Spliced(rows, place, len(found), [edited(row, changes) for row in found])
    return rows


def _again(rows: Rows, row: int, at: int | None, changes: dict[str, object]) -> Rows:
    found = rows.part(row, row + 1)
    if changes:
        found = [edited(one, changes) for one in found]
    return Spliced(rows, rows.count if at is None else min(int(at), rows.count), 0, found)


def record_count(request: Request, true: Rows, seen: Rows) -> int:
    """Return how many records the header tells.

    :param true: the rows before a refresh
    :param seen: the rows as the faults show them
    """
    shift = request.fault(ROWS_SHIFT)
    count = true.count if shift and shift.detail.get("constant_totals") else seen.count
    off = request.fault(TOTALS_OFF)
    return count + int(off.detail.get("add", 1)) if off else count


def kept(request: Request, rows: Sequence[bytes]) -> Sequence[bytes]:
    cut = request.fault(PAGE_CUT)
    return rows[: int(cut.detail.get("keep", 0))] if cut else rows


def ended(request: Request, body: bytes) -> bytes:
    cut = request.fault(TAIL_CUT)
    return body[: -int(cut.detail.get("bytes", 1))] if cut else body


def filtered(rows: Rows, kept: list[bytes] | None) -> Rows:
    """Return the rows that a filter kept, or all."""
    return rows if kept is None else Listed(kept)
