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
    proves = has_night or (reading == "inclusive" and has_after)
    assert (window.date_to_is if window else None) == (reading if proves else None)
    asked_for = window or window_of(NIGHT, "unknown")
    found = rows_of(reading, rows, asked_for.date_from, asked_for.date_to)
    assert found == rows & {NIGHT}


@pytest.mark.parametrize(
    ("reading", "at_first", "later", "after"),
    [
        (reading, set(first), set(later), after)
        for reading in ("inclusive", "exclusive")
        for first in ((), (NIGHT,), (AFTER,))
        for later in ((NIGHT,), (AFTER,), (NIGHT, AFTER))
        for after in range(4)
    ],
)
async def test_rows_that_come_between_two_questions_prove_nothing_wrong(
    reading: str, at_first: set[str], later: set[str], after: int
) -> None:
    questions = 0

    async def has_rows(first: str, last: str) -> bool:
        nonlocal questions
        questions += 1
        return await vendor(reading, at_first | later if questions > after else at_first)(first, last)

    window = await find_window(NIGHT, has_rows)
    assert window in (None, window_of(NIGHT, reading))
    assert questions <= 3


def test_an_overlap_reaches_to_both_sides() -> None:
    window = window_of(NIGHT, "exclusive", 2)
    assert (window.date_from, window.date_to) == ("2026-11-18", "2026-11-23")


async def test_a_refused_window_has_no_rows_and_another_error_is_one() -> None:
    async def refused(status: int) -> bool:
        raise Rejected("no", vendor="v", method="GET", path="/x", status=status, advice="")

    assert await accepted(refused(400)) is False
    with pytest.raises(Rejected):
        await accepted(refused(422))
