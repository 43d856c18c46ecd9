"""Event loops whose seconds are short: the default time-outs and retries to their end, without waiting for it."""

from __future__ import annotations

import asyncio
import selectors
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SPEED = 50.0
"""Seconds of a task that one real second has. A silence of 15 seconds is then 0.3: time enough for an answer."""


class _Waits:
    """The seconds that loops have waited while nothing came, as the tasks count them."""

    def __init__(self) -> None:
        self.seconds = 0.0


waits = _Waits()


class _Selector:
    """A selector that waits a part of the time that it is told."""

    def __init__(self) -> None:
        self._real = selectors.DefaultSelector()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def select(self, timeout: float | None = None) -> list[Any]:
        if not timeout or timeout < 0:
            return self._real.select(timeout)
        began = time.monotonic()
        found = self._real.select(timeout / SPEED)
        if not found:
            waits.seconds += (time.monotonic() - began) * SPEED
        return found


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._began = time.monotonic()
        super().__init__(_Selector())  # type: ignore[arg-type]

    def time(self) -> float:
        return self._began + (time.monotonic() - self._began) * SPEED


@contextmanager
def hurried() -> Iterator[_Waits]:
    """Let the loops of this thread hurry, and not those of the stand-ins, and say how long they have waited."""
    plain, here = asyncio.events.new_event_loop, threading.current_thread()

    def new_event_loop() -> asyncio.AbstractEventLoop:
        return _Loop() if threading.current_thread() is here else plain()

    waits.seconds = 0.0
    asyncio.new_event_loop = asyncio.events.new_event_loop = new_event_loop
    try:
        yield waits
    finally:
        asyncio.new_event_loop = asyncio.events.new_event_loop = plain
