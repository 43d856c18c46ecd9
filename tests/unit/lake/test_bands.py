"""A band that knows the weekday and the month's end, as tables."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from benchmarks.bands import KINDS, RULES, Tally, judged
from nightshift.lake.bands import MONTHS, in_band
from nightshift.lake.spec import Band

WEEKDAY = Band(season="weekday", nights=8)


def history(until: str, days: int = 200, *, weekend: int = 100, end: int | None = None, **given: int) -> dict[str, int]:
    """Rows by night: 1000 on work days, fewer on weekends, ``end`` at the end of a month."""
    found = {}
    for number in range(1, days + 1):
        day = date.fromisoformat(until) - timedelta(days=number)
        rows = weekend if day.weekday() >= 5 else 1000
        if end is not None and (day + timedelta(days=1)).day == 1:
            rows = end
        found[day.isoformat()] = rows
    return {**found, **{name.replace("n", "").replace("_", "-"): rows for name, rows in given.items()}}


@pytest.mark.parametrize(
    ("night", "rows", "ok"),
    [
        ("2026-11-25", 1000, True),  # a Wednesday
        ("2026-11-25", 501, True),
        ("2026-11-25", 499, False),
        ("2026-11-25", 2001, False),
        ("2026-11-22", 100, True),  # a Sunday
        ("2026-11-22", 1000, False),
        ("2026-11-22", 40, False),
        ("2026-11-22", 0, False),
        ("2026-11-23", 1000, True),  # the Monday after it
        ("2026-11-23", 100, False),
    ],
)
def test_a_night_is_compared_with_its_weekday(night: str, rows: int, ok: bool) -> None:
    found, detail = in_band(WEEKDAY, night, rows, history(night))
    assert found is ok, detail


def test_it_says_what_it_has_compared() -> None:
    ok, detail = in_band(WEEKDAY, "2026-11-25", 10, history("2026-11-25"))
    assert not ok
    assert detail == (
        "2026-11-25: 10 rows, 500 to 2000 expected after 8 Wednesdays with a median of 1000. If the vendor is right, "
        "widen checks.band for this night and publish again"
    )
    _, detail = in_band(WEEKDAY, "2026-11-30", 4000, history("2026-11-30", end=4000))
    assert detail == (
        "2026-11-30: 4000 rows, 500 to 2000 expected after 8 Mondays with a median of 1000; or 2000 to 8000 expected "
        "after 6 ends of months with a median of 4000"
    )


@pytest.mark.parametrize(
    ("night", "rows", "end", "days", "ok"),
    [
        ("2026-11-30", 4000, 4000, 250, True),
        ("2026-11-30", 1000, 4000, 250, True),  # as the weekday is: both are sound
        ("2026-11-30", 300, 4000, 250, False),
        ("2026-11-30", 9000, 4000, 250, False),
        ("2026-11-29", 4000, 4000, 250, False),  # not the end
        ("2026-11-30", 4000, None, 250, False),  # no such thing at the ends before
        ("2026-11-30", 9000, 4000, 50, True),  # one end is known: nobody knows what is too much
        ("2026-11-30", 300, 4000, 50, False),
        ("2026-02-28", 4000, 4000, 250, True),
        ("2028-02-29", 4000, 4000, 250, True),
        ("2028-02-28", 4000, 4000, 250, False),
    ],
)
def test_the_end_of_a_month_is_compared_with_ends_of_months(night, rows, end, days, ok) -> None:
    found, detail = in_band(WEEKDAY, night, rows, history(night, days, end=end))
    assert found is ok, detail


def test_ends_of_months_are_no_part_of_their_weekdays() -> None:
    """Four of eight Tuesdays are ends of a month; the fifth says what Tuesdays are."""
    peaks = {f"2026-{month:02}-{day}": 9000 for month, day in ((3, 31), (6, 30))}
    _, detail = in_band(WEEKDAY, "2026-07-07", 1000, {**history("2026-07-07"), **peaks})
    assert "8 Tuesdays with a median of 1000" in detail
    assert (
        in_band(Band(season="weekday", nights=8, month_end=0), "2026-06-30", 4000, history("2026-06-30", end=4000))[0]
        is False
    )


def test_the_last_days_of_a_month_are_compared_each_with_its_own() -> None:
    rule = Band(season="weekday", nights=8, month_end=2)
    peaks = {(date(2026, month + 1, 1) - timedelta(days=2)).isoformat(): 5000 for month in range(1, 11)}
    known = {**history("2026-11-29"), **peaks}
    assert in_band(rule, "2026-11-29", 5000, known)[0]
    assert in_band(rule, "2026-11-30", 5000, known)[0] is False
    assert f"{MONTHS} ends of months" in in_band(rule, "2026-11-29", 5000, known)[1]


def test_without_enough_of_the_same_weekday_there_is_no_verdict() -> None:
    ok, detail = in_band(WEEKDAY, "2026-11-25", 1, history("2026-11-25", days=28))
    assert (ok, detail) == (True, "2026-11-25: not judged, 4 of 5 earlier Wednesdays are there")


def test_what_goes_up_and_down_by_itself_has_a_wider_band() -> None:
    restless = {
        (date(2026, 11, 25) - timedelta(weeks=week)).isoformat(): rows
        for week, rows in enumerate((300, 3000, 1000, 500, 2000, 900, 1500, 700), start=1)
    }
    assert in_band(WEEKDAY, "2026-11-25", 300, restless)[0]
    assert in_band(WEEKDAY, "2026-11-25", 20, restless)[0] is False


def test_holidays_are_not_judged_and_nothing_is_compared_with_them() -> None:
    rule = Band(season="weekday", nights=5, holidays=("2026-11-18", "2026-11-25"))
    known = history("2026-12-02", n2026_11_18=3, n2026_11_25=3)
    assert in_band(rule, "2026-11-25", 3, known) == (True, "2026-11-25: 3 rows; not judged, it is one of the holidays")
    assert "5 Wednesdays with a median of 1000" in in_band(rule, "2026-12-02", 1000, known)[1]


def test_a_night_that_is_published_again_is_not_compared_with_what_came_later() -> None:
    known = history("2026-11-25") | {"2026-12-02": 9_000_000}
    assert in_band(WEEKDAY, "2026-11-18", 1000, known)[0]
    assert in_band(Band(), "2026-11-18", 1000, history("2026-11-18", weekend=1000) | {"2026-11-19": 1})[0]


@pytest.mark.parametrize("kind", ["work days and weekends", "… and peaks at months' ends"])
def test_two_years_without_a_false_alarm(kind: str) -> None:
    tally = Tally()
    judged(RULES["weekday"], KINDS[kind], 1, tally)
    assert tally.alarms == 0
    assert tally.seen is not None
    assert tally.seen["empty"] == tally.faults
