"""When a night begins and ends, and which one is the last that is over."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from nightshift.midnights import DAY, begin_of, end_of

__all__ = ["DAY", "begin_of", "end_of", "last_night"]


def last_night(zone: ZoneInfo, now: datetime) -> date:
    """Return the last day that is over in ``zone``."""
    night = now.astimezone(zone).date() - DAY
    return night if end_of(night, zone) <= now else night - DAY
