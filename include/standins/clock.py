"""The time as a stand-in sees it: real, fixed or moved, so that no test waits for an hour to pass."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta


class Clock:
    """A clock that runs, or stands still at a given time, and can be moved on.

    :param fixed: an aware time to stand still at; default: the real time, running
    """

    def __init__(self, fixed: datetime | None = None) -> None:
        self._lock = threading.Lock()
        self._fixed = _aware(fixed) if fixed else None
        self._ahead = timedelta()

    def now(self) -> datetime:
        """Return the time, aware, in UTC."""
        with self._lock:
            return (self._fixed or datetime.now(UTC)) + self._ahead

    def elapsed(self) -> float:
        """Return seconds that only ever grow by themselves (monotonic), moved by :meth:`advance` as :meth:`now` is."""
        with self._lock:
            base = 0.0 if self._fixed else time.monotonic()
            return base + self._ahead.total_seconds()

    def advance(self, seconds: float) -> None:
        """Move the clock.

        :param seconds: how far, forward when positive
        """
        with self._lock:
            self._ahead += timedelta(seconds=seconds)

    def fix(self, at: datetime) -> None:
        """Stand still at a time.

        :param at: an aware time
        :raises ValueError: the time has no zone
        """
        fixed = _aware(at)
        with self._lock:
            self._fixed, self._ahead = fixed, timedelta()

    def run(self) -> None:
        with self._lock:
            self._fixed, self._ahead = None, timedelta()


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError(f"the time {at.isoformat()} has no zone; give one, for instance tzinfo=UTC")
    return at.astimezone(UTC)
