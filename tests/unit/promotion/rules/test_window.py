from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nightshift.config.stages import DeploymentWindow
from nightshift.promotion.rules.window import is_open, next_opening

BERLIN = {"timezone": "Europe/Berlin", "opens": "22:00", "closes": "04:00"}
FRIDAY = {**BERLIN, "days": ("fri",)}
NOON = {"timezone": "UTC", "opens": "12:00", "closes": "13:30"}
# Clocks in Berlin go from 02:00 to 03:00 on 2026-03-29, and from 03:00 back to 02:00 on 2026-10-25.
GAP = {"timezone": "Europe/Berlin", "opens": "02:30", "closes": "05:00"}
INTO_GAP = {"timezone": "Europe/Berlin", "opens": "01:00", "closes": "02:30"}
IN_GAP = {"timezone": "Europe/Berlin", "opens": "02:10", "closes": "02:50"}
TWICE = {"timezone": "Europe/Berlin", "opens": "02:15", "closes": "02:45"}
FROM_TWICE = {"timezone": "Europe/Berlin", "opens": "02:30", "closes": "05:00"}
# Half an hour on Lord Howe Island, a day that was left out on Samoa.
HOWE = {"timezone": "Australia/Lord_Howe", "opens": "02:15", "closes": "04:00"}
SAMOA = {"timezone": "Pacific/Apia", "opens": "22:00", "closes": "04:00"}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("window", "time", "open_then"),
    [
        (NOON, "2026-11-21T11:59:59.999999+00:00", False),
        (NOON, "2026-11-21T12:00:00+00:00", True),
        (NOON, "2026-11-21T13:29:59+00:00", True),
        (NOON, "2026-11-21T13:30:00+00:00", False),
        (NOON, "2026-11-21T14:00:00+02:00", True),
        (BERLIN, "2026-11-21T21:59:59+01:00", False),
        (BERLIN, "2026-11-21T22:00:00+01:00", True),
        (BERLIN, "2026-11-22T00:00:00+01:00", True),
        (BERLIN, "2026-11-22T03:59:59+01:00", True),
        (BERLIN, "2026-11-22T04:00:00+01:00", False),
        # Friday's window goes on into Saturday, and Thursday's is none.
        (FRIDAY, "2026-11-20T22:00:00+01:00", True),
        (FRIDAY, "2026-11-21T03:00:00+01:00", True),
        (FRIDAY, "2026-11-20T03:00:00+01:00", False),
        (FRIDAY, "2026-11-21T22:00:00+01:00", False),
        # The night of the spring change has five hours, that of autumn seven.
        (BERLIN, "2026-03-29T01:59:00+00:00", True),
        (BERLIN, "2026-03-29T02:00:00+00:00", False),
        (BERLIN, "2026-10-25T02:59:00+00:00", True),
        (BERLIN, "2026-10-25T03:00:00+00:00", False),
        (GAP, "2026-03-29T00:59:59+00:00", False),
        (GAP, "2026-03-29T01:00:00+00:00", True),
        (INTO_GAP, "2026-03-29T00:59:59+00:00", True),
        (INTO_GAP, "2026-03-29T01:00:00+00:00", False),
        (IN_GAP, "2026-03-29T01:00:00+00:00", False),
        (TWICE, "2026-10-25T00:14:59+00:00", False),
        (TWICE, "2026-10-25T00:15:00+00:00", True),
        (TWICE, "2026-10-25T01:00:00+00:00", True),
        (TWICE, "2026-10-25T01:44:59+00:00", True),
        (TWICE, "2026-10-25T01:45:00+00:00", False),
    ],
)
def test_a_window_is_open_from_its_opening_to_its_closing(window: dict, time: str, open_then: bool) -> None:
    assert is_open(DeploymentWindow(**window), at(time)) is open_then


@pytest.mark.parametrize(
    ("window", "time", "opens"),
    [
        (NOON, "2026-11-21T11:00:00+00:00", "2026-11-21T12:00:00+00:00"),
        (NOON, "2026-11-21T13:30:00+00:00", "2026-11-22T12:00:00+00:00"),
        (NOON, "2026-11-21T12:34:56.789+00:00", "2026-11-21T12:34:56.789+00:00"),
        (NOON, "2026-12-31T23:00:00+00:00", "2027-01-01T12:00:00+00:00"),
        (BERLIN, "2026-11-21T12:00:00+01:00", "2026-11-21T21:00:00+00:00"),
        (BERLIN, "2026-06-21T12:00:00+00:00", "2026-06-21T20:00:00+00:00"),
        (BERLIN, "2026-11-22T03:00:00+01:00", "2026-11-22T02:00:00+00:00"),
        (FRIDAY, "2026-11-21T04:00:00+01:00", "2026-11-27T21:00:00+00:00"),
        ({**FRIDAY, "days": ("thu", "mon")}, "2026-11-20T12:00:00+01:00", "2026-11-23T21:00:00+00:00"),
        # The day before the change, and the day of it: 22:00 is another instant.
        (BERLIN, "2026-03-28T12:00:00+00:00", "2026-03-28T21:00:00+00:00"),
        (BERLIN, "2026-03-29T12:00:00+00:00", "2026-03-29T20:00:00+00:00"),
        (BERLIN, "2026-10-24T12:00:00+00:00", "2026-10-24T20:00:00+00:00"),
        (BERLIN, "2026-10-25T12:00:00+00:00", "2026-10-25T21:00:00+00:00"),
        # 02:30 is not there: the next instant that is.
        (GAP, "2026-03-28T12:00:00+00:00", "2026-03-29T01:00:00+00:00"),
        (HOWE, "2026-10-03T12:00:00+00:00", "2026-10-03T15:30:00+00:00"),
        # A window that lies in the gap does not open in that night.
        (IN_GAP, "2026-03-28T12:00:00+00:00", "2026-03-30T00:10:00+00:00"),
        ({**IN_GAP, "days": ("sun",)}, "2026-03-28T12:00:00+00:00", "2026-04-05T00:10:00+00:00"),
        # 02:30 is there twice: the first.
        (FROM_TWICE, "2026-10-24T12:00:00+00:00", "2026-10-25T00:30:00+00:00"),
        # Samoa had no 30 December 2011.
        (SAMOA, "2011-12-30T00:00:00-10:00", "2011-12-30T10:00:00+00:00"),
        (SAMOA, "2011-12-31T12:00:00+14:00", "2011-12-31T08:00:00+00:00"),
    ],
)
def test_the_next_opening_is_told_in_utc(window: dict, time: str, opens: str) -> None:
    told = next_opening(DeploymentWindow(**window), at(time))
    assert told == at(opens)
    assert told.tzinfo is UTC


@pytest.mark.parametrize("ask", [is_open, next_opening])
def test_a_time_without_a_zone_is_refused(ask) -> None:
    with pytest.raises(ValueError, match="2026-11-21 12:00:00 has no time zone"):
        ask(DeploymentWindow(**NOON), at("2026-11-21T12:00:00"))


DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
clocks = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
# Weeks with clock changes in either half of the world, and quiet ones.
times = st.builds(
    lambda start, minutes, seconds: at(start) + timedelta(minutes=minutes, seconds=seconds),
    st.sampled_from(
        ["2026-03-26T00:00+00:00", "2026-10-22T00:00+00:00", "2026-04-02T00:00+00:00", "2026-07-01T00:00+00:00"]
    ),
    st.integers(0, 6 * 24 * 60),
    st.integers(0, 59),
)


@settings(max_examples=25)
@given(
    zone=st.sampled_from(["Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns", "Asia/Kathmandu", "UTC"]),
    opens=clocks,
    closes=clocks,
    days=st.lists(st.sampled_from(DAYS), unique=True, min_size=5),
    time=times,
)
def test_the_next_opening_is_open_and_nothing_before_it_is(
    zone: str, opens: str, closes: str, days: list[str], time: datetime
) -> None:
    assume(opens != closes)
    window = DeploymentWindow(timezone=zone, opens=opens, closes=closes, days=tuple(days))
    told = next_opening(window, time)
    assert is_open(window, told)
    assert (told == time) is is_open(window, time)
    assert not any(
        is_open(window, time + timedelta(minutes=one)) for one in range(int((told - time) / timedelta(minutes=1)))
    )
    if told > time:
        assert not is_open(window, told - timedelta(microseconds=1))


def test_airflow_is_not_needed() -> None:
    code = (
        "import sys, nightshift.promotion.rules.window; print([m for m in sys.modules if m.split('.')[0] == 'airflow'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
