"""When a deployment window is open (4.4)."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from include.standins.flexdeploy.switches import Window


def next_opening(window: Window, at: datetime) -> datetime:
    """Return the first time, not before ``at``, at which a window is open; ``at`` itself where it is open then.

    :param at: aware, UTC
    """
    opens, closes = time.fromisoformat(window.opens), time.fromisoformat(window.closes)
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    for ahead in range(-1, 8):
        day = midnight + timedelta(days=ahead)
        if window.days and day.isoweekday() not in window.days:
            continue
        begins = _on(day, opens)
        ends = _on(day if closes > opens else day + timedelta(days=1), closes)
        if at < ends:
            return max(at, begins)
    raise ValueError(f"the window {window} never opens")


def _on(day: datetime, clock: time) -> datetime:
    return day.replace(hour=clock.hour, minute=clock.minute)
