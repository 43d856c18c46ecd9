"""The time of a story: it stands still but for what the story says, and every sleep of our code passes at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any

import time_machine

from nightshift.jobs.once import SubmitOnce

START = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
"""A Monday."""

OURS: ContextVar[bool] = ContextVar("ours", default=False)
"""Whether the code that runs is an attempt's or a trigger's; the stand-in's own sleeps are real."""

really_sleep = asyncio.sleep


class StillWaiting(Exception):
    """A trigger has looked, and what it waits for is not there."""


class StoryClock:
    """The time of a story, in the whole process: the stand-in's clock goes by it as well."""

    def __init__(self, traveller: Any) -> None:
        self._traveller = traveller
        self.looks: ContextVar[list[int] | None] = ContextVar("looks", default=None)
        """Of a trigger that is run for one look: sleeps that are left."""

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    def begin(self) -> None:
        """Go back to where all stories begin."""
        self._traveller.move_to(START)

    def move(self, seconds: float) -> None:
        """Move on, or jump back."""
        self._traveller.shift(timedelta(seconds=seconds))

    async def sleep(self, seconds: float, result: Any = None) -> Any:
        """Pass a sleep of our code at once; a trigger that is run for one look ends at its second sleep."""
        left = self.looks.get()
        if left is not None:
            if not left[0]:
                raise StillWaiting
            left[0] -= 1
        elif seconds > 0:
            self.move(seconds)
        await really_sleep(0)
        return result


@contextmanager
def virtual_time() -> Iterator[StoryClock]:
    """Let a process live in the time of stories."""
    with time_machine.travel(START, tick=False) as traveller:
        clock = StoryClock(traveller)

        async def sleep(seconds: float, result: Any = None) -> Any:
            return await (clock.sleep if OURS.get() else really_sleep)(seconds, result)

        defaults: Any = SubmitOnce.__init__.__kwdefaults__
        before = defaults["sleep"]
        asyncio.sleep, defaults["sleep"] = sleep, sleep  # type: ignore[assignment]
        try:
            yield clock
        finally:
            asyncio.sleep, defaults["sleep"] = really_sleep, before
