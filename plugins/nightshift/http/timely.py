"""The window that a request has to leave in: what was held up for too long does not go out at all.

Operators set it, so it knows no HTTP library; :mod:`nightshift.http.transport` keeps to it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class SendWindow:
    """A span of time from now on, by the wall clock and by one that goes on while the machine sleeps: the first
    counts.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._wall = time.time() + seconds
        self._awake = _elapsed() + seconds

    @property
    def left(self) -> float:
        """Seconds until it closes; below 0 where it has closed."""
        return min(self._wall - time.time(), self._awake - _elapsed())

    @property
    def is_over(self) -> bool:
        """Whether it has closed."""
        return self.left <= 0


_window: ContextVar[SendWindow | None] = ContextVar("nightshift_send_window", default=None)


@contextmanager
def sent_within(window: SendWindow) -> Iterator[None]:
    """Let requests that change something leave within a window only; those that change nothing are not concerned."""
    token = _window.set(window)
    try:
        yield
    finally:
        _window.reset(token)


def window_now() -> SendWindow | None:
    """Return the window that requests which change something have to keep to; ``None`` where there is none."""
    return _window.get()


def _elapsed() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
