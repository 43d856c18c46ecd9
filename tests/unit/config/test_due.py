"""By when a night has to be there, in any zone and on the days that change the clock."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from nightshift.config.due import Due
from nightshift.config.in_force import AS_KEPT
from nightshift.config.reports import model_of
from nightshift.local_time import end_of


@pytest.mark.parametrize(
    ("clock", "zone", "night", "source", "due"),
    [
        ("06:00", "UTC", "2026-11-27", "UTC", "2026-11-28T06:00"),
        ("06:00", "Europe/Berlin", "2026-11-27", "Europe/Berlin", "2026-11-28T05:00"),
        # The clock is put forward in the night that ends there, and back: the same hour on the wall.
        ("06:00", "Europe/Berlin", "2026-03-28", "Europe/Berlin", "2026-03-29T04:00"),
        ("06:00", "Europe/Berlin", "2026-10-24", "Europe/Berlin", "2026-10-25T05:00"),
        # 02:30 is skipped, and 02:30 comes twice: never earlier than a person would say.
        ("02:30", "Europe/Berlin", "2026-03-28", "Europe/Berlin", "2026-03-29T01:30"),
        ("02:30", "Europe/Berlin", "2026-10-24", "Europe/Berlin", "2026-10-25T01:30"),
        # The night ends at 08:00 UTC: 09:00 in Berlin, so that 06:00 is that of the next day.
        ("06:00", "Europe/Berlin", "2026-11-27", "America/Los_Angeles", "2026-11-29T05:00"),
        ("10:00", "Europe/Berlin", "2026-11-27", "America/Los_Angeles", "2026-11-28T09:00"),
        # The night ends at 15:00 UTC of its own day.
        ("06:00", "UTC", "2026-11-27", "Asia/Tokyo", "2026-11-28T06:00"),
        ("16:00", "UTC", "2026-11-27", "Asia/Tokyo", "2026-11-27T16:00"),
        # A zone without a midnight on that day.
        ("06:00", "America/Santiago", "2026-09-05", "America/Santiago", "2026-09-06T09:00"),
        # The very moment of the end is that of the next day.
        ("00:00", "UTC", "2026-11-27", "UTC", "2026-11-29T00:00"),
    ],
)
def test_a_night_is_due_at_the_first_such_time_after_its_end(
    clock: str, zone: str, night: str, source: str, due: str
) -> None:
    ended = end_of(date.fromisoformat(night), ZoneInfo(source))
    assert Due(clock, zone).after(ended) == datetime.fromisoformat(due).replace(tzinfo=UTC)


def section(**given):
    reports = given.pop("reports", [{"name": "usage"}])
    return model_of("flexnet").model_validate({"reports": reports, **given})


def test_a_report_says_more_than_its_source() -> None:
    source = section(
        due="06:00",
        timezone="Europe/Berlin",
        reports=[
            {"name": "a"},
            {"name": "b", "due": "7:30", "due_timezone": "UTC", "since": "2026-11-01"},
            {"name": "c", "due": "never"},
        ],
    )
    assert source.due_of("a") == Due("06:00", "Europe/Berlin")
    assert source.due_of("b") == Due("07:30", "UTC")
    assert source.due_of("c") is None
    assert (source.since_of("a"), source.since_of("b")) == (None, "2026-11-01")


def test_without_due_nobody_waits() -> None:
    assert section().due_of("usage") is None


def test_own_reports_of_a_source_are_due_as_the_source_is() -> None:
    exago = model_of("exago").model_validate({"due": "06:00"})
    assert {name: exago.due_of(name) for name in exago.groups} == {
        "tree": Due("06:00", "UTC"),
        "tree_changes": Due("06:00", "UTC"),
    }


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"due": "6 o'clock"}, "must be a time of the day, such as 06:00, or never"),
        ({"due": "24:00"}, "must be a time of the day"),
        ({"due": "06:00", "due_timezone": "Europe/Berlinn"}, "did you mean 'Europe/Berlin'"),
        (
            {"due": "03:00"},
            "usage is due at 03:00 UTC, before the night 2026-01-15 is fetched, 4 hours after its end in UTC",
        ),
        ({"due": "04:00"}, "before the night 2026-01-15 is fetched"),
        # 05:30 in Berlin is 04:30 in UTC only in winter.
        ({"due": "05:30", "due_timezone": "Europe/Berlin"}, "before the night 2026-03-28 is fetched"),
        # The night that ends with an hour less.
        ({"due": "04:30", "timezone": "Europe/Berlin"}, "before the night 2026-03-28 is fetched"),
        ({"due": "04:00", "timezone": "America/Santiago", "settle_hours": 3}, "before the night 2026-09-05 is fetched"),
        # 01:30 in Berlin is before the end of the night in summer, so that of the day after it would count.
        (
            {"due": "01:30", "due_timezone": "Europe/Berlin", "settle_hours": 0},
            "usage is due at 01:30 Europe/Berlin: 0.5 hours after its end in UTC for the night 2026-01-15, and 24.5 "
            "for 2026-10-24, because the clocks change",
        ),
    ],
)
def test_what_cannot_be_is_refused(given: dict, told: str) -> None:
    with pytest.raises(ValueError, match=told.replace("(", "\\(")):
        section(**given)


@pytest.mark.parametrize(
    ("timezone", "due", "due_timezone"),
    [
        ("UTC", "06:30", "Europe/Berlin"),
        ("Europe/Berlin", "05:30", "Europe/Berlin"),
        ("America/Los_Angeles", "14:00", "Europe/Berlin"),
        ("Europe/Berlin", "00:00", "Europe/Berlin"),
        ("Australia/Lord_Howe", "06:00", "Antarctica/Troll"),
    ],
)
def test_what_every_night_of_a_year_can_keep_is_taken(timezone: str, due: str, due_timezone: str) -> None:
    given = section(due=due, timezone=timezone, due_timezone=due_timezone)
    nights = [date(2026, 1, 1) + timedelta(days=number) for number in range(365)]
    ends = [end_of(night, ZoneInfo(timezone)) for night in nights]
    found = [Due(due, due_timezone).after(ended) - ended for ended in ends]
    assert min(found) > timedelta(hours=given.settle_hours)
    (least, _), (most, _) = Due(due, due_timezone).extremes(timezone)
    assert (least, most) == (min(found), max(found))


def test_what_was_right_in_its_own_time_goes_on() -> None:
    kept = {"due": "04:30", "timezone": "Europe/Berlin", "reports": [{"name": "usage"}]}
    assert model_of("flexnet").model_validate(kept, context=AS_KEPT).due_of("usage") == Due("04:30", "Europe/Berlin")


def test_a_hundred_reports_are_looked_at_in_no_time() -> None:
    reports = [{"name": f"r{n}", "due": f"{12 + n // 60}:{n % 60:02}"} for n in range(100)]
    began = time.process_time()
    section(timezone="America/New_York", due_timezone="Europe/Berlin", due="12:00", settle_hours=1, reports=reports)
    assert time.process_time() - began < 0.3
