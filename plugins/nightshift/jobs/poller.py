"""One poller for all waits on one connection in a process: N waits cost the vendor what it must cost, not N times.

Waits come and go; the poller opens one adapter for them, asks for what is due (many ids in one request where the vendor
answers so), keeps to the connection's budget of requests, and ends with the last wait. It belongs to one event loop.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import count
from math import inf
from typing import Protocol
from weakref import WeakKeyDictionary

from nightshift.errors import AuthFailed, BadResponse, Forbidden, Unreachable
from nightshift.jobs.adapter import AdapterSpec, JobAdapter
from nightshift.jobs.state import JobStatus
from nightshift.jobs.waiting import JobEvent, LogLine, Watch

POLL_TIMEOUT = 120.0
"""Seconds after which one poll counts as failed."""
_SINGLE_POLLS_AT_ONCE = 16
_BREATH = 100
"""Waits handled before other coroutines of the loop get their turn."""
_LOOK_AHEAD = 30.0
_BEAT = 0.02
"""Seconds that the poller sleeps at least: polls that fall due meanwhile are started together."""


class Log(Protocol):
    """The log of a task: on a worker the operator's, in the triggerer the trigger's."""

    def log(self, level: int, msg: str, /) -> None:
        """Write one line."""


class _Wait:
    __slots__ = ("lines", "open", "wake", "watch")

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.open = True
        self.wake = asyncio.Event()
        self.lines: deque[LogLine] = deque()


class Poller:
    """Polls for many waits with one adapter.

    :param build: makes the adapter, unopened; called again after refused credentials, so that renewed ones are read.
    :param lent: ``build`` gives an open adapter of somebody else's: used, never opened or closed here.
    :param clock: seconds since the epoch.
    """

    def __init__(
        self, build: Callable[[], JobAdapter], *, lent: bool = False, clock: Callable[[], float] = time.time
    ) -> None:
        self._build = build
        self._lent = lent
        self._clock = clock
        self._heap: list[tuple[float, int, _Wait]] = []
        self._numbers = count()
        self._waits: set[_Wait] = set()
        self._news = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._adapter: JobAdapter | None = None
        self._opening = asyncio.Lock()
        self._stale = False
        self._next_request = 0.0
        self._sleeps_until = -inf
        self._failure: BaseException | None = None
        self._in_flight: set[asyncio.Task[None]] = set()

    @property
    def waits(self) -> int:
        """How many waits it serves."""
        return len(self._waits)

    async def follow(self, watch: Watch, log: Log) -> JobEvent:
        """Wait for what a watch comes to, and write its lines to a task's log.

        May be cancelled at any time; the poller ends when its last wait has left.
        """
        wait = _Wait(watch)
        self._waits.add(wait)
        self._push(wait)
        if self._loop is None:
            # A context of its own: else all lines of the poller would be filed under the task that came first.
            self._loop = asyncio.create_task(self._run(), name="job poller", context=contextvars.Context())
            self._loop.add_done_callback(self._broken)
        try:
            while True:
                await wait.wake.wait()
                wait.wake.clear()
                while wait.lines:
                    line = wait.lines.popleft()
                    log.log(line.level, line.text)
                if self._failure is not None:
                    raise self._failure
                if watch.event is not None:
                    return watch.event
        finally:
            wait.open = False
            self._waits.discard(wait)
            if not self._waits:
                await self._close()

    def _push(self, wait: _Wait) -> None:
        heapq.heappush(self._heap, (wait.watch.due, next(self._numbers), wait))
        if wait.watch.due < self._sleeps_until:
            self._news.set()

    async def _run(self) -> None:
        while True:
            now = self._clock()
            if self._full():
                await self._sleep(None)
                continue
            if not self._heap or self._heap[0][0] > now:
                await self._sleep(max(self._heap[0][0] - now, _BEAT) if self._heap else None)
                continue
            if (budget := self._next_request - self._clock()) > 0:
                await asyncio.sleep(budget)
            batch = self._take()
            if batch:
                if charged := self._adapter is not None:
                    self._charge()
                task = asyncio.create_task(self._poll(batch, charged))
                self._in_flight.add(task)
                task.add_done_callback(self._landed)

    async def _sleep(self, pause: float | None) -> None:
        self._news.clear()
        self._sleeps_until = inf if pause is None else self._clock() + pause
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._news.wait()
        self._sleeps_until = -inf

    def _full(self) -> bool:
        most = 1 if self._adapter is None or self._adapter.bulk > 1 else _SINGLE_POLLS_AT_ONCE
        return len(self._in_flight) >= most

    def _landed(self, task: asyncio.Task[None]) -> None:
        if self._full():
            self._news.set()
        self._in_flight.discard(task)
        self._broken(task)

    def _broken(self, task: asyncio.Task[None]) -> None:
        # A signal's exception (Airflow's execution time-out) is thrown into whatever runs; no wait may hang over it.
        if task.cancelled() or task.exception() is None:
            return
        self._failure = task.exception()
        for wait in self._waits:
            wait.wake.set()

    def _take(self) -> list[_Wait]:
        now = self._clock()
        most = 1 if self._adapter is None else max(1, self._adapter.bulk)
        batch: list[_Wait] = []
        later: list[tuple[float, int, _Wait]] = []
        horizon = now + (_LOOK_AHEAD if most > 1 else 0.0)
        while self._heap and len(batch) < most and self._heap[0][0] <= horizon:
            entry = heapq.heappop(self._heap)
            due, _, wait = entry
            if not wait.open:
                continue
            if (due > now and due - wait.watch.slack > now) or wait.watch.too_early(now):
                later.append(entry)
            else:
                batch.append(wait)
        for entry in later:
            heapq.heappush(self._heap, entry)
        return batch

    async def _poll(self, batch: list[_Wait], charged: bool) -> None:
        ids = list(dict.fromkeys(wait.watch.plan.job_id for wait in batch))
        try:
            async with asyncio.timeout(POLL_TIMEOUT):
                adapter = await self._opened()
                if not charged:
                    self._charge()
                answers = await adapter.status(ids)
        except Exception as error:
            failure: BaseException = error
            await self._deliver(batch, lambda wait: wait.watch.miss(failure, self._clock()))
            self._stale = self._stale or isinstance(error, AuthFailed | Forbidden)
            return
        await self._deliver(batch, lambda wait: self._answer(wait, answers.get(wait.watch.plan.job_id)))

    def _answer(self, wait: _Wait, answer: object) -> list[LogLine]:
        now = self._clock()
        if answer is None:
            answer = Unreachable(f"the vendor's answer left job {wait.watch.plan.job_id} out")
        elif isinstance(answer, JobStatus) and answer.id != wait.watch.plan.job_id:
            answer = BadResponse(f"the vendor showed job {answer.id} where {wait.watch.plan.job_id} was asked for")
        if isinstance(answer, BaseException):
            return wait.watch.miss(answer, now)
        return wait.watch.see(answer, now)  # type: ignore[arg-type]

    async def _deliver(self, batch: Iterable[_Wait], feed: Callable[[_Wait], list[LogLine]]) -> None:
        for number, wait in enumerate(batch, 1):
            if wait.open:
                lines = feed(wait)
                wait.lines.extend(lines)
                if wait.watch.event is None:
                    self._push(wait)
                if lines or wait.watch.event is not None:
                    wait.wake.set()
            if number % _BREATH == 0:
                await asyncio.sleep(0)

    async def _opened(self) -> JobAdapter:
        async with self._opening:
            if self._stale and len(self._in_flight) <= 1:
                adapter, self._adapter, self._stale = self._adapter, None, False
                await self._shut(adapter)
            if self._adapter is None:
                adapter = self._build()
                self._adapter = adapter if self._lent else await adapter.__aenter__()
            return self._adapter

    def _charge(self) -> None:
        if self._adapter is not None and (allowed := self._adapter.requests_per_minute):
            self._next_request = max(self._next_request, self._clock()) + 60.0 / allowed

    async def _shut(self, adapter: JobAdapter | None) -> None:
        if adapter is not None and not self._lent:
            with suppress(Exception):
                await adapter.__aexit__(None, None, None)

    async def _close(self) -> None:
        # Everything is let go of before the first await: a wait that joins meanwhile starts afresh.
        tasks = [task for task in (self._loop, *self._in_flight) if task is not None]
        adapter, self._adapter = self._adapter, None
        self._loop, self._in_flight = None, set()
        self._heap.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._shut(adapter)


_SHARED: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Poller]] = WeakKeyDictionary()


async def follow(spec: AdapterSpec, watch: Watch, log: Log) -> JobEvent:
    """Wait through the poller that this event loop's waits with an equal :meth:`AdapterSpec.scope` share."""
    shared = _SHARED.setdefault(asyncio.get_running_loop(), {})
    scope = spec.scope()
    poller = shared.setdefault(scope, Poller(spec.build))
    try:
        return await poller.follow(watch, log)
    finally:
        if not poller.waits and shared.get(scope) is poller:
            del shared[scope]


async def look(adapter: JobAdapter, watch: Watch, log: Log, seconds: float | None) -> JobEvent | None:
    """Wait with an adapter that is open already and stays open, on a worker.

    :param seconds: how long; None until the wait comes to something.
    :returns: None if it came to nothing in that time.
    """
    poller = Poller(lambda: adapter, lent=True)
    try:
        async with asyncio.timeout(seconds):
            return await poller.follow(watch, log)
    except TimeoutError:
        return None
