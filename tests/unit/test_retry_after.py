"""What vendors and proxies write into ``Retry-After``, and how long that is waited for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from multidict import CIMultiDict

from nightshift.errors import RateLimited
from nightshift.retry_after import LONGEST_WAIT, bounded, retry_after

NOW = datetime(2026, 11, 21, tzinfo=UTC)
EPOCH = int(NOW.timestamp())


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 120 ", 120),
        ("0.5", 0.5),
        ("0", 0),
        ("-1", 0),
        ("3601", 3600),
        ("86400", 3600),
        # A moment, in seconds, milliseconds, microseconds and nanoseconds since 1970.
        (f"{EPOCH + 30}", 30),
        (f"{EPOCH + 30}.5", 30.5),
        (f"{(EPOCH + 30) * 1000}", 30),
        (f"{(EPOCH + 30) * 1_000_000}", 30),
        (f"{(EPOCH + 30) * 1_000_000_000}", 30),
        (f"{EPOCH - 30}", 0),
        (f"{(EPOCH - 30) * 1000}", 0),
        (f"{EPOCH + 10**8}", 3600),
        ("9" * 400, 3600),
        ("-" + "9" * 400, 0),
        # A date.
        ("Sat, 21 Nov 2026 00:01:00 GMT", 60),
        ("Saturday, 21-Nov-26 00:01:00 GMT", 60),
        ("Sat Nov 21 00:01:00 2026", 60),
        ("Fri, 20 Nov 2026 00:00:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600),
        ("Mon, 01 Jan 0001 00:00:00 +1400", 0),
        ("2026-11-21T00:01:00Z", 60),
        ("2026-11-21T01:01:00+01:00", 60),
        # More than one, joined by a proxy.
        ("10, 120", 120),
        # Nothing that can be understood.
        ("soon", None),
        ("", None),
        (",", None),
        ("1e9", None),
        ("0x10", None),
        ("१२", None),
        ("Sat, 99 Nov 2026 00:01:00 GMT", None),
        ("Sat, 21 Nov 99999 00:01:00 GMT", None),
        ("120 seconds", None),
    ],
)
def test_one_value(value: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": value}, NOW) == (None if seconds is None else pytest.approx(seconds, abs=0.01))


def test_the_name_in_any_case_and_more_than_once() -> None:
    assert retry_after({"retry-after": "7"}, NOW) == 7
    assert retry_after(CIMultiDict([("Retry-After", "7"), ("retry-after", "soon"), ("RETRY-AFTER", "40")]), NOW) == 40
    assert retry_after({"Content-Type": "text/plain"}, NOW) is None


@given(st.text() | st.integers().map(str) | st.floats().map(str) | st.datetimes().map(format_datetime))
@example("9" * 5000)
@example("Sat, 21 Nov 2026 00:01:00 -9999999999")
def test_whatever_is_written_the_wait_is_bounded_and_can_be_added_to_a_date(value: str) -> None:
    seconds = retry_after({"Retry-After": value}, NOW)
    assert seconds is None or 0 <= seconds <= LONGEST_WAIT
    error = RateLimited("x", retry_after=seconds)
    assert NOW + timedelta(seconds=error.retry_after or 0) <= NOW + timedelta(hours=1)
    assert str(error)


@given(st.floats() | st.integers().filter(lambda number: abs(number) < 2**1000))
def test_every_number_is_bounded(seconds: float) -> None:
    assert 0 <= bounded(seconds) <= LONGEST_WAIT
    assert RateLimited("x", retry_after=seconds).retry_after == bounded(seconds)
