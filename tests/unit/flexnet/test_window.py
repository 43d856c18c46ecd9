from __future__ import annotations

import itertools

import pytest

from nightshift.errors import Rejected
from nightshift.flexnet.window import accepted, find_window, window_of

NIGHT, AFTER = "2026-11-20", "2026-11-21"


def vendor(reading: str, days_with_rows: set[str]):
    async def has_rows(first: str, last: str) -> bool:
        days = [
            day
            for day in (NIGHT, AFTER, "2026-11-22")
            if first <= day and (day <= last if reading == "inclusive" else day < last)
        ]
        return any(day in days_with_rows for day in days)

    return has_rows


def rows_of(reading: str, days_with_rows: set[str], first: str, last: str) -> set[str]:
    return {day for day in days_with_rows if first <= day and (day <= last if reading == "inclusive" else day < last)}


@pytest.mark.parametrize(
    ("reading", "has_night", "has_after"),
    list(itertools.product(["inclusive", "exclusive"], [True, False], [True, False])),
)
async def test_the_window_holds_exactly_the_night_however_the_vendor_reads_date_to(
    reading: str, has_night: bool, has_after: bool
) -> None:
    rows = {day for day, there in ((NIGHT, has_night), (AFTER, has_after)) if there}
    window = await find_window(NIGHT, vendor(reading, rows))
    assert rows_of(reading, rows, window.date_from, window.date_to) == rows & {NIGHT}


def test_an_overlap_reaches_to_both_sides() -> None:
    window = window_of(NIGHT, "exclusive", 2)
    assert (window.date_from, window.date_to) == ("2026-11-18", "2026-11-23")


async def test_a_refused_window_has_no_rows_and_another_error_is_one() -> None:
    async def refused(status: int) -> bool:
        raise Rejected("no", vendor="v", method="GET", path="/x", status=status, advice="")

    assert await accepted(refused(400)) is False
    with pytest.raises(Rejected):
        await accepted(refused(422))
