"""The time of a world: it moves only when nothing is left to do now."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import time_machine

from nightshift.http import timing

START = datetime(2026, 11, 27, 2, 0, tzinfo=UTC)
_EPOCH = START.timestamp()


class WorldClock:
    """The wall clock as the process sees it that runs now, and the one that goes on evenly for all.

    :param traveller: of time-machine
    """

    def __init__(self, traveller: Any) -> None:
        self._traveller = traveller
        self.elapsed = 0.0

    def show(self, elapsed: float, ahead: float) -> None:
        """Show the time of a process whose clock is so far ahead."""
        self.elapsed = elapsed
        self._traveller.move_to(_EPOCH + elapsed + ahead)


@contextmanager
def virtual_time() -> Iterator[WorldClock]:
    """Let this operating system's process live in the time of worlds."""
    with time_machine.travel(START, tick=False) as traveller:
        clock = WorldClock(traveller)
        really = time.monotonic, timing._elapsed
        time.monotonic = timing._elapsed = lambda: clock.elapsed
        try:
            yield clock
        finally:
            time.monotonic, timing._elapsed = really
