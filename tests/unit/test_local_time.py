"""When nights begin and end, judged by the zones' own clocks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightshift.fields import night_of
from nightshift.local_time import begin_of, end_of, last_night

ZONES = sorted(available_timezones())
HOUR = timedelta(hours=1)


def on_the_clock(moment: datetime, zone: ZoneInfo) -> date:
    return moment.astimezone(zone).date()


@pytest.mark.parametrize(
    ("zone", "night", "begins"),
    [
        ("UTC", "2026-11-21", "2026-11-21T00:00"),
        ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00"),
        # Put forward over midnight.
        ("Africa/Cairo", "2026-04-24", "2026-04-23T22:00"),
        ("America/Santiago", "2026-09-06", "2026-09-06T04:00"),
        ("America/Havana", "2026-03-08", "2026-03-08T05:00"),
        ("Asia/Beirut", "2026-03-29", "2026-03-28T22:00"),
        # Put forward at 23:30, over midnight.
        ("America/Toronto", "1919-03-31", "1919-03-31T05:00"),
        # Put back to or over midnight: the day before comes again.
        ("America/Santiago", "2026-04-05", "2026-04-05T04:00"),
        ("Atlantic/Azores", "2026-10-25", "2026-10-25T00:00"),
        ("America/St_Johns", "2005-10-30", "2005-10-30T03:30"),
        # Days that were left out, or came twice.
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00"),
        ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00"),
        ("Pacific/Kwajalein", "1969-10-01", "1969-10-01T12:00"),
    ],
)
def test_where_a_night_begins(zone: str, night: str, begins: str) -> None:
    assert begin_of(date.fromisoformat(night), ZoneInfo(zone)) == datetime.fromisoformat(begins).replace(tzinfo=UTC)


@settings(max_examples=400)
@given(st.sampled_from(ZONES), st.dates(date(1850, 1, 1), date(2200, 1, 1)))
def test_after_its_end_no_clock_shows_a_night_again_and_before_it_one_does(name: str, night: date) -> None:
    zone = ZoneInfo(name)
    end = end_of(night, zone)
    assert on_the_clock(end - HOUR, zone) <= night
    hours = [end + timedelta(minutes=minutes) for minutes in range(0, 48 * 60, 15)]
    assert all(on_the_clock(moment, zone) > night for moment in hours)
    assert begin_of(night, zone) <= end


@settings(max_examples=400)
@given(st.sampled_from(ZONES), st.integers(-2_200_000_000, 4_100_000_000))
def test_last_night_is_the_latest_that_is_over(name: str, seconds: int) -> None:
    zone, now = ZoneInfo(name), datetime.fromtimestamp(seconds, UTC)
    night = last_night(zone, now)
    assert end_of(night, zone) <= now < end_of(night + timedelta(days=1), zone)


@pytest.mark.parametrize(
    "text", ["", "20261121", "2026-W47-6", "2026-1-5", "2026-02-30", "2026-11-21T00:00", "x", " 2026-11-21"]
)
def test_a_night_is_written_in_one_way(text: str) -> None:
    with pytest.raises(ValueError, match="YYYY-MM-DD"):
        night_of(text)
