"""Event loops whose seconds are short: the default time-outs and retries to their end, without waiting for it."""

from __future__ import annotations

import asyncio
import selectors
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

SPEED = 50.0
"""Seconds of a task that one real second has. A silence of 15 seconds is then 0.3: time enough for an answer."""
PATIENCE = 1.0
"""Real seconds without an event after which the rest of a wait is passed over: no stand-in is silent so long."""


class _Waits:
    """The seconds that loops have waited while nothing came, as the tasks count them."""

    def __init__(self) -> None:
        self.seconds = 0.0


waits = _Waits()


class _Selector:
    """A selector that waits a part of the time that it is told, and not long.

    :ivar skipped: the seconds that it has passed over
    """

    def __init__(self) -> None:
        self._real = selectors.DefaultSelector()
        self.skipped = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def select(self, timeout: float | None = None) -> list[Any]:
        if not timeout or timeout < 0:
            return self._real.select(timeout)
        began = time.monotonic()
        found = self._real.select(min(timeout / SPEED, PATIENCE))
        if not found:
            waited = (time.monotonic() - began) * SPEED
            rest = max(0.0, timeout - waited)
            self.skipped += rest
            waits.seconds += waited + rest
        return found


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._began = time.monotonic()
        self._hurrying = _Selector()
        super().__init__(self._hurrying)  # type: ignore[arg-type]

    def time(self) -> float:
        return self._began + (time.monotonic() - self._began) * SPEED + self._hurrying.skipped


@contextmanager
def hurried() -> Iterator[_Waits]:
    """Let the loops of this thread hurry, and not those of the stand-ins, and say how long they have waited."""
    from airflow.providers.standard.triggers import temporal

    plain, here = asyncio.events.new_event_loop, threading.current_thread()

    def new_event_loop() -> asyncio.AbstractEventLoop:
        return _Loop() if threading.current_thread() is here else plain()

    class Ahead:
        """The clock that Airflow's trigger for a moment looks at: as far ahead as the loop that it runs in."""

        def __getattr__(self, name: str) -> Any:
            return getattr(clock, name)

        def utcnow(self) -> datetime:
            return clock.utcnow() + timedelta(seconds=asyncio.get_running_loop().time() - time.monotonic())

    waits.seconds, clock = 0.0, temporal.timezone
    # Airflow's operators take the loop that a thread has already; without one they ask for a new one.
    asyncio.set_event_loop(None)
    asyncio.new_event_loop = asyncio.events.new_event_loop = new_event_loop
    temporal.timezone = Ahead()  # type: ignore[assignment]
    try:
        yield waits
    finally:
        asyncio.new_event_loop = asyncio.events.new_event_loop = plain
        temporal.timezone = clock
