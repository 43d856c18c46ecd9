"""A request that may leave until a moment only: what was held up for too long does not go out at all.

Whoever has taken over meanwhile relies on it. So the clock is looked at where nothing is awaited any more before the
bytes go to the kernel: at the last piece of the body. A body that is held back leaves a request that no server takes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import aiohttp
from aiohttp.abc import AbstractStreamWriter


class Window:
    """A span of time from now on, by the wall clock and by one that goes on while the machine sleeps: the first counts.

    :param seconds: how long it is open
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


_window: ContextVar[Window | None] = ContextVar("nightshift_send_window", default=None)


@contextmanager
def sent_within(window: Window) -> Iterator[None]:
    """Let requests that change something leave within a window only; those that change nothing are not concerned."""
    token = _window.set(window)
    try:
        yield
    finally:
        _window.reset(token)


def window_now() -> Window | None:
    """Return the window that requests which change something have to keep to; ``None`` where there is none."""
    return _window.get()


class HeldBack(Exception):
    """The body was not sent: the window had closed."""


class TimelyBody(aiohttp.BytesPayload):
    """A body that is sent within a window, or not at all.

    :param body: as it is
    :param window: until when
    """

    def __init__(self, body: bytes, window: Window) -> None:
        super().__init__(body)
        self.held_back = False
        self.window = window

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Send the body.

        :raises HeldBack: the window has closed
        """
        if self.window.is_over:
            self.held_back = True
            raise HeldBack
        await super().write_with_length(writer, content_length)


def timely(body: bytes | None, *, safe: bool) -> Any:
    """Return the body of a request, bound to the window that it has to keep to.

    :param safe: whether the request changes nothing
    """
    window = None if safe else window_now()
    return body if window is None else TimelyBody(body or b"", window)


def _elapsed() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
