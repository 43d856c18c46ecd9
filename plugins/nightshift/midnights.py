"""When a night begins and ends. A night is a calendar day of the vendor's zone, whatever its clocks do."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)


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
