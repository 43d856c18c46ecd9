from __future__ import annotations

import itertools

import pytest

from nightshift.errors import Rejected
from nightshift.flexnet.window import Answer, accepted, find_window, window_of

NIGHT, AFTER = "2026-11-20", "2026-11-21"
DAYS = (NIGHT, AFTER, "2026-11-22")


def part(reading: str, first: str, last: str) -> set[str]:
    return {day for day in DAYS if first <= day and (day <= last if reading == "inclusive" else day < last)}


def vendor(reading: str, days_with_rows: set[str]):
    async def ask(first: str, last: str) -> Answer:
        days = part(reading, first, last) & days_with_rows
        return Answer(bool(days), len(days))

    return ask


def by_moments(at_midnight: int, counts: str = "all"):
    """A vendor that compares moments; each day has 10 rows, and those of its midnight."""

    async def ask(first: str, last: str) -> Answer:
        rows = sum(10 + at_midnight for day in part("exclusive", first, last)) + at_midnight
        return Answer(rows > 0, {"all": rows, "none": None, "page": min(rows, 1)}[counts])

    return ask


async def uncounted(first: str, last: str) -> Answer:
    return Answer(has_rows=True)


@pytest.mark.parametrize(
    ("reading", "has_night", "has_after"),
    list(itertools.product(["inclusive", "exclusive"], [True, False], [True, False])),
)
async def test_the_window_holds_exactly_the_night_however_the_vendor_reads_date_to(
    reading: str, has_night: bool, has_after: bool
) -> None:
    rows = {day for day, there in ((NIGHT, has_night), (AFTER, has_after)) if there}
    window = await find_window(NIGHT, vendor(reading, rows), uncounted)
    proves = has_night or (reading == "inclusive" and has_after)
    assert (window.date_to_is if window else None) == (reading if proves else None)
    asked_for = window or window_of(NIGHT, "unknown")
    assert part(reading, asked_for.date_from, asked_for.date_to) & rows == rows & {NIGHT}


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

    async def ask(first: str, last: str) -> Answer:
        nonlocal questions
        questions += 1
        return await vendor(reading, at_first | later if questions > after else at_first)(first, last)

    window = await find_window(NIGHT, ask, uncounted)
    assert window in (None, window_of(NIGHT, reading))
    assert questions <= 3


@pytest.mark.parametrize(
    ("at_midnight", "counts", "more", "reading"),
    [
        (0, "all", "all", "exclusive"),
        (1, "all", "all", "neither"),
        (1, "none", "all", "neither"),
        (1, "none", "none", "inclusive"),
        (1, "page", "page", "inclusive"),
    ],
)
async def test_a_vendor_that_has_the_first_moment_of_date_to_alone_is_seen_by_its_counts(
    at_midnight: int, counts: str, more: str, reading: str
) -> None:
    window = await find_window(NIGHT, by_moments(at_midnight, counts), by_moments(at_midnight, more))
    assert window is not None
    assert window.date_to_is == reading


@pytest.mark.parametrize("cap", [5, 15, 100])
async def test_counts_that_are_capped_speak_against_nothing(cap: int) -> None:
    async def ask(first: str, last: str) -> Answer:
        return Answer(has_rows=True, count=min(cap, 10 * len(part("inclusive", first, last))))

    assert await find_window(NIGHT, ask, uncounted) == window_of(NIGHT, "inclusive")


def test_an_overlap_reaches_to_both_sides() -> None:
    window = window_of(NIGHT, "exclusive", 2)
    assert (window.date_from, window.date_to) == ("2026-11-18", "2026-11-23")


async def test_a_refused_window_has_no_rows_and_another_error_is_one() -> None:
    async def refused(status: int) -> Answer:
        raise Rejected("no", vendor="v", method="GET", path="/x", status=status, advice="")

    assert await accepted(refused(400)) == Answer(has_rows=False, count=0)
    with pytest.raises(Rejected):
        await accepted(refused(422))
