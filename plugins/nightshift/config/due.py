"""By when a night has to be there: a time of the day, in a time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator

from nightshift.config.scalars import clock_of
from nightshift.local_time import DAY, end_of

NEVER = "never"
"""Stands for no time, where the source has one."""
YEAR = 2026
"""The year that a time of the day is tried for: each zone changes its clock in it as in any other."""
_AROUND = range(-3, 3)
"""Nights, beside the day of a change, of which the change comes before their end or between that and when they are
due."""


def _due(given: Any) -> str:
    if given == NEVER:
        return NEVER
    try:
        return clock_of(given)
    except ValueError:
        raise ValueError(f"must be a time of the day, such as 06:00, or {NEVER}") from None


DueTime = Annotated[str, BeforeValidator(_due)]
"""A time of the day, ``HH:MM``, or ``never``."""


@dataclass(frozen=True)
class Due:
    """A time of the day by which a night has to be there.

    :param clock: ``HH:MM``
    :param timezone: the zone of that clock
    """

    clock: str
    timezone: str

    def __str__(self) -> str:
        return f"{self.clock} {self.timezone}"

    def after(self, ended: datetime) -> datetime:
        """Return the moment, in UTC, by which a night has to be there that ended at ``ended``: the first time after it
        that the clock shows this. Of an hour that comes twice the second counts, and one that is skipped is as much
        later.
        """
        return _after(ended, self.clock, ZoneInfo(self.timezone))

    def extremes(self, timezone: str) -> tuple[tuple[timedelta, date], tuple[timedelta, date]]:
        """Return how long after its end a night is due at the least and at the most, each with such a night of
        :data:`YEAR`.

        :param timezone: the zone whose midnight ends the night
        """
        return _extremes(self, timezone)


@lru_cache(maxsize=1024)
def _extremes(due: Due, timezone: str) -> tuple[tuple[timedelta, date], tuple[timedelta, date]]:
    zone = ZoneInfo(timezone)
    changes = _changes(timezone) | _changes(due.timezone)
    nights = {date(YEAR, 1, 15), *(day + number * DAY for day in changes for number in _AROUND)}
    ends = {night: end_of(night, zone) for night in sorted(nights)}
    found = [(due.after(ended) - ended, night) for night, ended in ends.items()]
    return min(found), max(found, key=lambda one: one[0])


@lru_cache(maxsize=256)
def _changes(timezone: str) -> frozenset[date]:
    """Return the days of the year on which a zone changes its clock."""
    zone, first = ZoneInfo(timezone), datetime(YEAR, 1, 1, tzinfo=UTC)
    offsets = [(first + number * DAY).astimezone(zone).utcoffset() for number in range(367)]
    return frozenset((first + number * DAY).date() for number in range(366) if offsets[number] != offsets[number + 1])


@lru_cache(maxsize=4096)
def _after(ended: datetime, clock: str, zone: ZoneInfo) -> datetime:
    day = ended.astimezone(zone).date()
    found = _on(day, clock, zone)
    return found if found > ended else _on(day + DAY, clock, zone)


def _on(day: date, clock: str, zone: ZoneInfo) -> datetime:
    shown = datetime.combine(day, time.fromisoformat(clock), zone)
    return max(shown.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
