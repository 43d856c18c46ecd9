"""The event loop of a triggerer, as far as a trigger can tell: one task a trigger, each in a greenback portal as
Airflow has it, next to a clock that sees how late the loop is.

No other part of Airflow is imported here, so that every contender imports what is its own. What only the loop can see
goes into ``told.json``; the waits that ended as they had to, into ``events.txt``.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Protocol

import greenback

from benchmarks.jobs import WARM_UP

TICK = 0.02
"""Seconds between two looks at the clock."""
MEMORY_EVERY = 1.0
SETTLED = 0.25
"""Share of the time after which memory counts: by then all waits are there, and what is kept once is kept."""
REST = 1.5
"""Seconds for which the loop first has nothing to do but to look at the clock: what that costs is taken off."""


class Trigger(Protocol):
    """What a triggerer runs."""

    def run(self) -> AsyncIterator[Any]:
        """Yield one event."""


class Loop:
    """A triggerer's loop with its waits.

    :param job: the job of this process: ``waits``, ``spread_s`` (seconds over which they come) and ``jobs_s``
    """

    def __init__(self, job: dict[str, Any]) -> None:
        self.settings = job["settings"]
        self.out = Path(job["out"])
        self.late: list[float] = []
        self.memory: list[tuple[float, float]] = []
        self.events: dict[int, Any] = {}
        self.failed: Counter[str] = Counter()

    def run(
        self,
        make: Callable[[int], Trigger] | None,
        polls: Callable[[Any], int] | None = None,
        misses: Callable[[Any], int] = lambda payload: 0,
    ) -> None:
        """Run all waits to their end and tell what it cost.

        :param make: returns the trigger of a wait; ``None``: there are no waits, the loop rests for as long
        :param polls: reads from the payload of an event how many polls it took; else one request is one poll
        :param misses: reads how many of them were not answered
        """
        told = asyncio.run(self._all(make))
        if polls is not None:
            told["polls"] = sum(polls(event) for event in self.events.values())
            told["missed"] = sum(misses(event) for event in self.events.values())
            # One an interval from the beginning of a wait to the end of its job.
            lasts = self.settings["jobs_s"] - self.settings["spread_s"] / 2
            told["due"] = self.settings["waits"] * lasts / self.settings["interval_s"]
        if self.failed:
            print("failed:", self.failed.most_common(3))
        (self.out / "told.json").write_text(json.dumps(told))
        (self.out / "events.txt").write_text("\n".join(map(str, self.events)))

    async def _all(self, make: Callable[[int], Trigger] | None) -> dict[str, float]:
        if make is not None:
            async for _ in make(WARM_UP).run():
                """What a process does once is no part of what a poll costs."""
        clock, scale = asyncio.create_task(self._clock()), asyncio.create_task(self._weigh())
        before = used()
        await asyncio.sleep(REST)
        idle = [(now - then) / REST for now, then in zip(used(), before, strict=True)]
        self.late.clear()
        began, before = time.perf_counter(), used()
        if make is None:
            await asyncio.sleep(self.settings["spread_s"] + self.settings["jobs_s"])
        else:
            await self._waits(make, began)
        wall = time.perf_counter() - began
        user, kernel = (
            max(0.0, now - then - rest * wall) for now, then, rest in zip(used(), before, idle, strict=True)
        )
        clock.cancel()
        scale.cancel()
        late = sorted(self.late)
        return {
            "loop_s": wall,
            "user_s": user,
            "kernel_s": kernel,
            "clock_s": sum(idle) * wall,
            "late_p50_ms": _share(late, 0.5),
            "late_p99_ms": _share(late, 0.99),
            "late_max_ms": late[-1] * 1000,
            "grows_mb_h": slope(self.memory[int(SETTLED * len(self.memory)) :]) * 3600,
        }

    async def _waits(self, make: Callable[[int], Trigger], began: float) -> None:
        count, spread = int(self.settings["waits"]), self.settings["spread_s"]
        async with asyncio.TaskGroup() as group:
            for number in range(1, count + 1):
                if (early := began + spread * (number - 1) / count - time.perf_counter()) > 0:
                    await asyncio.sleep(early)
                group.create_task(self._wait(number, make(number)))

    async def _wait(self, number: int, trigger: Trigger) -> None:
        await greenback.ensure_portal()
        try:
            async for event in trigger.run():
                self.events[number] = event.payload
        except Exception as error:
            self.failed[f"{type(error).__name__}: {error}"[:200]] += 1

    async def _clock(self) -> None:
        while True:
            due = time.perf_counter() + TICK
            await asyncio.sleep(TICK)
            self.late.append(time.perf_counter() - due)

    async def _weigh(self) -> None:
        while True:
            await asyncio.sleep(MEMORY_EVERY)
            pages = int(Path("/proc/self/statm").read_text().split()[1])  # noqa: ASYNC240 - the kernel's, not a disk's
            self.memory.append((time.perf_counter(), pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)))


def slope(points: list[tuple[float, float]]) -> float:
    """Return by how much the second of two values grows with the first: the line of least squares."""
    if len(points) < 2:
        return 0.0
    at, of = ([point[place] for point in points] for place in (0, 1))
    middle, mean = sum(at) / len(at), sum(of) / len(of)
    spread = sum((one - middle) ** 2 for one in at)
    return sum((x - middle) * (y - mean) for x, y in points) / spread if spread else 0.0


def used() -> tuple[float, float]:
    """Return the seconds of processor that this process has used, its own and the kernel's for it."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime, usage.ru_stime


def loop_of_this_process() -> tuple[dict[str, Any], Loop]:
    """Return the job in the only argument, and the loop for it."""
    job = json.loads(sys.argv[1])
    return job, Loop(job)


def _share(ordered: list[float], share: float) -> float:
    return ordered[int(share * (len(ordered) - 1))] * 1000
