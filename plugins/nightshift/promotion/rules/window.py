"""When a stage may be deployed to: the times of its window, in its own time zone.

A window is open from the instant it opens up to, and without, the instant it closes. Where a clock change leaves the
local time out, its instant is that of the change; where the local time comes twice, a window opens the first time and
closes the second.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from itertools import count

import pendulum

from nightshift.config.stages import DeploymentWindow
from nightshift.local_time import instant

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def is_open(window: DeploymentWindow, at: datetime) -> bool:
    """Tell whether the window is open.

    :param at: an aware time
    :raises ValueError: ``at`` has no time zone
    """
    opens, _ = _current_or_next(window, at)
    return opens <= at


def next_opening(window: DeploymentWindow, at: datetime) -> datetime:
    """Return when the window opens next, in UTC; ``at`` itself where it is open.

    :param at: an aware time
    :raises ValueError: ``at`` has no time zone
    """
    opens, _ = _current_or_next(window, at)
    return max(opens, at.astimezone(UTC))


def _current_or_next(window: DeploymentWindow, at: datetime) -> tuple[datetime, datetime]:
    """Return the opening and the closing of the first window that has not closed by ``at``."""
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone")
    return next(hours for hours in _hours(window, at) if hours[1] > at)


def _hours(window: DeploymentWindow, at: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield openings with their closings in UTC, from before ``at`` on; those of no length are left out."""
    zone = pendulum.timezone(window.timezone)
    opens, closes = time.fromisoformat(window.opens), time.fromisoformat(window.closes)
    # Two days back: the window of yesterday may still be open, and a zone can leave out a whole day.
    first = at.astimezone(zone).date() - timedelta(days=2)
    for day in (first + timedelta(days=one) for one in count()):
        if window.days and _WEEKDAYS[day.weekday()] not in window.days:
            continue
        last = day if closes > opens else day + timedelta(days=1)
        hours = (
            instant(datetime.combine(day, opens), zone, fold=0),
            instant(datetime.combine(last, closes), zone, fold=1),
        )
        if hours[0] < hours[1]:
            yield hours
