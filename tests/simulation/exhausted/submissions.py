"""Every way in which one job can come to be made, enumerated: the real :class:`~nightshift.jobs.once.SubmitOnce` and
its record, against a vendor and a task state store in memory, in a time of its own.

At each effect of an attempt (a request that leaves, an answer that comes, a pause, a write of the state store)
something may go wrong: the worker dies, it freezes and thaws beside its successor, the request or its answer is lost,
the vendor refuses, the list is late, the write fails before or after it counts. All combinations of up to a number of
such faults are tried, one after the other, by depth-first search over the choices; a run is named by its choices and
can be had again.

What must hold once an attempt that nothing disturbs has come to its end, and all that were frozen have thawed:

* it has a job, or it says that only a person can tell;
* no other job of the task is alive at the vendor, unless the person is told of it;
* where only a person can tell, the vendor was never asked again on a guess.
"""

from __future__ import annotations

import contextvars
import types
from collections.abc import Callable, Coroutine, Generator, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from nightshift.errors import Ambiguous, Unreachable
from nightshift.jobs.adapter import Cancelled, Immediate, JobAdapter
from nightshift.jobs.once import Attempt, SubmitOnce
from nightshift.jobs.record import JobRecord, JobStore
from nightshift.jobs.state import FAILED, Intent, JobState, JobStatus, RunIdentity
from tests.simulation.exhausted.world import CURRENT, Broken, Choices, DisturbedWorld, Window, sent_within

RUN = RunIdentity(dag_id="dag", run_id="run", task_id="task")
SETTLE = 30.0
"""Seconds for which the vendor's list may be late."""
WINDOW = 10.0
"""Seconds in which a request may leave."""
MOST_STEPS = 400


@types.coroutine
def effect(name: str) -> Generator[str, None, None]:
    """Be at an effect: here the worker may die or freeze."""
    yield name


@dataclass
class Job:
    """A job at the vendor."""

    id: str
    name: str
    listed_at: float
    state: JobState = JobState.RUNNING
    cancels: int = 0

    @property
    def is_alive(self) -> bool:
        """Whether it has done, or will do, what it was asked for."""
        return self.state not in FAILED and not self.cancels


@dataclass
class World(DisturbedWorld):
    """The vendor and the store of one run."""

    can_find: bool = True
    now: float = 1000.0
    jobs: list[Job] = field(default_factory=list)
    kept: dict[str, Any] = field(default_factory=dict)
    newest: int = 0

    @property
    def alive(self) -> list[Job]:
        """The jobs that do, or have done, their work."""
        return [job for job in self.jobs if job.is_alive]


class Refused(Exception):
    """Airflow's word that a newer attempt has taken over."""

    response = types.SimpleNamespace(status_code=404)


class StoreFailed(Exception):
    """The state store did not answer."""


class Store:
    """The task state store as one attempt sees it."""

    def __init__(self, world: World, number: int) -> None:
        self._world, self._number = world, number

    def get(self, key: str, default: Any = None) -> Any:
        """Return what is kept."""
        self._own()
        return self._world.kept.get(key, default)

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        """Keep a value."""
        self._own()
        wrong = self._world.fault("the write does not count", "the write counts and its answer is lost")
        if wrong != "the write does not count":
            self._world.kept[key] = value
        if wrong:
            raise StoreFailed(wrong)

    def delete(self, key: str) -> None:
        """Keep nothing."""
        self._own()
        self._world.kept.pop(key, None)

    def _own(self) -> None:
        if self._number != self._world.newest:
            raise Refused


class Adapter(JobAdapter):
    """The vendor as one attempt sees it."""

    vendor = "Acme"
    can_cancel = True
    settle = SETTLE
    send_within = WINDOW

    def __init__(self, world: World) -> None:
        super().__init__("acme")
        self._world = world
        self.can_find = world.can_find  # type: ignore[misc]

    async def ready(self) -> None:
        """Wait for the turn."""
        await effect("before the intent")

    async def submit(self, intent: Intent, payload: Any) -> JobStatus | Immediate:
        """Make a job, unless something is in the way."""
        await effect("before the request")
        if CURRENT.get().is_over:
            raise Unreachable("held up", vendor="Acme")
        wrong = self._world.fault("the vendor refuses", "the request is lost", "the answer is lost", "the list is late")
        if wrong == "the vendor refuses":
            raise Unreachable("no", vendor="Acme")
        if wrong == "the request is lost":
            raise Ambiguous("no answer", vendor="Acme")
        late = SETTLE - 1 if wrong == "the list is late" else 0.0
        job = Job(str(len(self._world.jobs) + 1), intent.name or intent.marker, self._world.now + late)
        self._world.jobs.append(job)
        await effect("before the answer")
        if wrong == "the answer is lost":
            raise Ambiguous("no answer", vendor="Acme")
        return JobStatus(id=job.id, state=job.state)

    async def find(self, intent: Intent) -> Sequence[JobStatus]:
        """List the jobs of an intent."""
        await effect("before the list")
        if self._world.fault("the list fails"):
            raise Unreachable("no list", vendor="Acme")
        name = intent.name or intent.marker
        return [
            JobStatus(id=job.id, state=JobState.CANCELLED if job.cancels else job.state)
            for job in self._world.jobs
            if job.name == name and job.listed_at <= self._world.now
        ]

    async def poll(self, job_id: str) -> JobStatus:
        """Tell how a job stands."""
        await effect("before a poll")
        if self._world.fault("the poll fails"):
            raise Unreachable("no poll", vendor="Acme")
        job = self._world.jobs[int(job_id) - 1]
        return JobStatus(id=job.id, state=JobState.CANCELLED if job.cancels else job.state)

    async def cancel(self, job_id: str) -> Cancelled:
        """End a job."""
        await effect("before a cancel")
        self._world.jobs[int(job_id) - 1].cancels += 1
        return Cancelled()


class _Quiet:
    def log(self, level: int, message: str) -> None:
        """Say nothing."""


async def _attempt(world: World, number: int) -> JobRecord | Immediate:
    async def sleep(seconds: float) -> None:
        await effect("before a pause")
        world.now += seconds

    attempt = Attempt(run=RUN, number=number, max_tries=3, payload={"what": 1})
    store = JobStore(Store(world, number))
    return await SubmitOnce(Adapter(world), store, attempt, _Quiet(), clock=lambda: world.now, sleep=sleep).secure()


class _Runner:
    """One attempt, step by step, in a context of its own as a worker has."""

    def __init__(self, world: World, number: int) -> None:
        self._coroutine: Coroutine[str, None, Any] = _attempt(world, number)
        self._context = contextvars.copy_context()
        self.result: Any = None
        self.error: Exception | None = None
        self.is_over = False

    def step(self) -> None:
        """Go on to the next effect."""
        try:
            self._context.run(self._coroutine.send, None)
        except StopIteration as end:
            self.result, self.is_over = end.value, True
        except Exception as error:
            self.error, self.is_over = error, True

    def die(self) -> None:
        """Be killed: nothing of it runs any more."""
        self._context.run(self._coroutine.close)
        self.is_over = True


def run_one(choices: Choices, *, faults: int, can_find: bool) -> World:
    """Let one run happen: attempts until one is neither killed nor frozen, and then one that nothing disturbs.

    :raises Broken: a promise was broken
    """
    world = World(choices, faults, can_find=can_find)
    frozen: list[_Runner] = []
    Window.world = world
    while world.faults and world.newest < faults + 1:
        if _disturbed(world, frozen):
            break
    _pass_time(world)
    world.faults = 0
    last = _Runner(world, _next(world))
    _to_the_end(last)
    for one in frozen:
        _to_the_end(one)
    _judge(world, last)
    return world


def _next(world: World) -> int:
    world.newest += 1
    return world.newest


def _pass_time(world: World) -> None:
    """Let the jobs that there are come to an end, or not, before the next attempt."""
    for job in world.jobs:
        if job.state is JobState.RUNNING and world.faults and not job.cancels:
            job.state = (JobState.RUNNING, JobState.SUCCEEDED, JobState.FAILED)[world.choices.pick(3)]


def _disturbed(world: World, frozen: list[_Runner]) -> bool:
    """Run one attempt with faults; return whether it came to a job, so that nothing follows."""
    runner = _Runner(world, _next(world))
    for _ in range(MOST_STEPS):
        runner.step()
        if runner.is_over:
            _pass_time(world)
            return runner.error is None
        if (wrong := world.fault("killed", "frozen", "frozen for long", *(["another thaws"] if frozen else []))) == "":
            continue
        if wrong == "another thaws":
            _to_the_end(frozen.pop())
            continue
        if wrong == "killed":
            runner.die()
        else:
            frozen.append(runner)
            world.now += 1 if wrong == "frozen" else WINDOW + SETTLE + 1
        _pass_time(world)
        return False
    raise Broken(f"an attempt does not end; choices {world.choices.taken}: {world.happened}")


def _to_the_end(runner: _Runner) -> None:
    for _ in range(MOST_STEPS):
        if runner.is_over:
            return
        runner.step()
    raise Broken("an attempt that nothing disturbs does not end")


def _judge(world: World, last: _Runner) -> None:
    def broken(what: str) -> Broken:
        jobs = [(job.id, str(job.state), job.cancels) for job in world.jobs]
        return Broken(f"{what}; jobs {jobs}, choices {world.choices.taken}: {world.happened}")

    alive = [job.id for job in world.alive]
    if isinstance(last.error, Ambiguous):
        if len(alive) > 1 and not all(f"{one}" in str(last.error) for one in alive):
            raise broken(f"a person is asked, and not told of the jobs {alive}")
        if not world.can_find and len(alive) > 1:
            raise broken("the vendor was asked again on a guess")
    elif last.error is not None:
        raise broken(f"nothing disturbed the last attempt, and it came to {last.error!r}")
    elif alive != [last.result.id]:
        raise broken(f"the task has the job {last.result.id}, and alive are {alive}")


@contextmanager
def time_of_its_own() -> Iterator[None]:
    """Let the windows of requests be of the world's time."""
    with (
        mock.patch("nightshift.jobs.once.SendWindow", Window),
        mock.patch("nightshift.jobs.once.sent_within", sent_within),
        # There is no event loop here, and no time that passes by itself.
        mock.patch("nightshift.jobs.cancel.asyncio.timeout", return_value=_Null()),
    ):
        yield


class _Null(nullcontext[None]):
    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, *_exc: object) -> None:
        return None


def explore(*, faults: int, can_find: bool, each: Callable[[World], None] = lambda _world: None) -> int:
    """Try all runs with up to so many faults, and return how many there were.

    :raises Broken: one broke a promise
    """
    choices, count = Choices(), 0
    with time_of_its_own():
        while True:
            each(run_one(choices, faults=faults, can_find=can_find))
            count += 1
            if not choices.advance():
                return count
