"""By when a night has to be there: a time of the day, in a time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator

from nightshift.config.scalars import clock_of

NEVER = "never"
"""Stands for no time, where the source has one."""


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


@lru_cache(maxsize=4096)
def _after(ended: datetime, clock: str, zone: ZoneInfo) -> datetime:
    day = ended.astimezone(zone).date()
    found = _on(day, clock, zone)
    return found if found > ended else _on(day + timedelta(days=1), clock, zone)


def _on(day: date, clock: str, zone: ZoneInfo) -> datetime:
    shown = datetime.combine(day, time.fromisoformat(clock), zone)
    return max(shown.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
