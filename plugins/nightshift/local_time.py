"""When it is, by the clocks of a zone: where a night begins and ends, and when a local time is. A night is a calendar
day of the vendor's zone, whatever its clocks do.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
CLOCKS_APART = timedelta(seconds=10)
"""How far the clocks of two machines may be apart: a night that one of them begins to fetch at its end is over."""


@lru_cache(maxsize=4096)
def begin_of(night: date, zone: ZoneInfo) -> datetime:
    """Return the moment, in UTC, from which on no clock in ``zone`` shows a day before ``night``.

    It is midnight where there is one, and the second one where the clock is put back to the day before. Where the clock
    is put forward over midnight it is the change itself (of a change some minutes before midnight: so many minutes
    later); of a day that is left out (Apia had no 30 December 2011) it is the begin of the next one.
    """
    midnight = datetime.combine(night, time.min, zone)
    early, late = sorted(midnight.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    shown_before = (late - _SECOND).astimezone(zone).date()
    twice_on_one_day = shown_before >= night and late.astimezone(zone).time() == time.min
    return early if twice_on_one_day else late


def end_of(night: date, zone: ZoneInfo) -> datetime:
    """Return the moment, in UTC, at which a night is over."""
    return begin_of(night + DAY, zone)


def was_over(night: date, zone: ZoneInfo, at: datetime) -> bool:
    """Whether a night was over at a moment, by the clock of another machine."""
    return at >= end_of(night, zone) - CLOCKS_APART


def last_night(zone: ZoneInfo, now: datetime) -> date:
    """Return the last day that is over in ``zone``."""
    night = now.astimezone(zone).date() - DAY
    return night if end_of(night, zone) <= now else night - DAY


def instant(local: datetime, zone: tzinfo, *, fold: int) -> datetime:
    """Return when it is that local time, in UTC; where a clock change leaves it out, at the change.

    :param local: without a zone
    :param fold: which of two instants, 0 the first and 1 the second, where the local time comes twice
    """
    instants = [local.replace(tzinfo=zone, fold=one).astimezone(UTC) for one in (0, 1)]
    return instants[fold] if instants[0] <= instants[1] else _change(instants[1], instants[0], zone)


def _change(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """Return the first second after ``before`` in UTC from which on the zone has the offset that it has at
    ``after``.
    """
    old = before.astimezone(zone).utcoffset()
    while (span := (after - before) // _SECOND) > 1:
        middle = before + timedelta(seconds=span // 2)
        if middle.astimezone(zone).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after
