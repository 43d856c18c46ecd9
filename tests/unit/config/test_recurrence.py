"""Rules of RFC 5545 say when something begins, in local time."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshift.config.recurrence import Recurrence

BERLIN = ZoneInfo("Europe/Berlin")


def days(rule: str, begins: str, first: str, last: str) -> list[str]:
    found = Recurrence(rule, datetime.fromisoformat(begins), BERLIN).starts(
        datetime.fromisoformat(first), datetime.fromisoformat(last)
    )
    return [one.isoformat(" ", "minutes") for one in found]


@pytest.mark.parametrize(
    ("rule", "begins", "found"),
    [
        ("FREQ=YEARLY", "2024-02-29T18:00", ["2028-02-29 18:00"]),
        (
            "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=18",
            "2026-01-01T18:00",
            ["2026-12-18 18:00", "2027-12-18 18:00", "2028-12-18 18:00"],
        ),
        ("FREQ=MONTHLY;BYDAY=-1FR;UNTIL=20260227", "2026-01-01T00:00", ["2026-01-30 00:00", "2026-02-27 00:00"]),
        # 23:00 UTC is midnight in Berlin.
        ("FREQ=MONTHLY;BYDAY=-1FR;UNTIL=20260226T225900Z", "2026-01-01T00:00", ["2026-01-30 00:00"]),
        (
            "RRULE:FREQ=YEARLY;BYMONTH=3,6;BYMONTHDAY=-1;COUNT=3",
            "2026-01-01T12:00",
            ["2026-03-31 12:00", "2026-06-30 12:00", "2027-03-31 12:00"],
        ),
        ("FREQ=YEARLY;BYDAY=MO;BYWEEKNO=53", "2020-01-01T06:00", ["2026-12-28 06:00"]),
    ],
)
def test_a_rule_says_when(rule: str, begins: str, found: list[str]) -> None:
    assert days(rule, begins, "2026-01-01T00:00", "2028-12-31T23:59") == found


@given(begins=st.datetimes(datetime.fromisoformat("2000-01-01"), datetime.fromisoformat("2099-12-31")))
def test_what_is_moved_by_whole_cycles_of_the_calendar_comes_back_on_the_same_weekday(begins: datetime) -> None:
    begins = begins.replace(second=0, microsecond=0)
    first = Recurrence("FREQ=WEEKLY", begins, BERLIN).first
    assert first == begins
