"""Airflow as far as tasks need it: attempts, retries, deferrals, a triggerer, a state store, clears; with the fates of
its workers.

The operators and triggers are the real ones. A worker can be killed before any of its steps, and on either side of a
write of the state store or of an answer to a request that changes something; it can be frozen for longer than Airflow
has patience, so that its next attempt has begun when it thaws; its clock can jump. A triggerer can be killed or frozen;
its waits move to another one.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace
from typing import Any

from airflow.sdk.exceptions import AirflowSkipException, TaskDeferred

from tests.simulation.world.loop import PROCESS, Killed, Process
from tests.simulation.world.universe import Broken, Universe

RETRIES = 3
CLEARS = 8
"""Clears after which a task that does not end well is a broken promise."""
HEARTBEAT = 20.0
SEEN_LOST = (40.0, 330.0)
"""Seconds after which Airflow takes note that an attempt is lost."""


@dataclass(frozen=True)
class Fates:
    """How likely what befalls an attempt is.

    :param kill: share of attempts that are killed; ``freeze``, ``jump``: likewise
    :param write: share of writes to the state store that fail, or whose answer is lost
    :param at_write: share of writes at which the worker is killed or frozen
    :param at_answer: share of answers to requests that change something at which it is
    """

    kill: float = 0.0
    freeze: float = 0.0
    jump: float = 0.0
    write: float = 0.0
    at_write: float = 0.0
    at_answer: float = 0.0


CALM = Fates()


class GivenUp(RuntimeError):
    """Airflow refuses a write of an attempt that a newer one has replaced."""

    response = SimpleNamespace(status_code=404)


class ApiFailed(RuntimeError):
    """Airflow's API server did not answer."""


class StateStore:
    """The task state store as one attempt sees it; what is in it is JSON, and outlives the attempt."""

    def __init__(self, airflow: Airflow, task: str, number: int) -> None:
        self._airflow, self._task, self._number = airflow, task, number
        self._kept = airflow.stores.setdefault(task, {})

    def get(self, key: str, default: Any = None) -> Any:
        self._airflow.asked()
        self._own()
        return json.loads(self._kept[key]) if key in self._kept else default

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        airflow = self._airflow
        airflow.befall("write", airflow.fates.at_write)
        airflow.asked()
        self._own()
        wrong = airflow.random.random() if airflow.fates.write else 1.0
        if wrong < airflow.fates.write / 2:
            airflow.universe.note(f"{PROCESS.get()} write of {key} lost")
            raise ApiFailed("the write did not arrive")
        self._kept[key] = json.dumps(value)
        airflow.universe.note(f"{PROCESS.get()} set {key}")
        airflow.befall("written", airflow.fates.at_write)
        airflow.asked()
        if wrong < airflow.fates.write:
            raise ApiFailed("the answer to the write was lost")

    def delete(self, key: str) -> None:
        self._airflow.asked()
        self._own()
        self._kept.pop(key, None)

    def _own(self) -> None:
        if self._airflow.tries.get(self._task) != self._number:
            raise GivenUp("a newer attempt is there")


class Event:
    """What a task says to an outlet."""

    def __init__(self) -> None:
        self.extra: Any = None
        self.partitions: list[str] = []

    def add_partitions(self, nights: list[str]) -> None:
        self.partitions += nights


class Events(dict[Any, Event]):
    def __missing__(self, key: Any) -> Event:
        return self.setdefault(key, Event())


@dataclass
class Outcome:
    """How a piece of an attempt ended: ``success``, ``failed``, ``deferred``, ``lost``."""

    state: str
    value: Any = None


@dataclass
class Airflow:
    """One run of one DAG.

    :param random: draws fates
    :param person: called with a task's name and its error before the task is cleared; may answer in its state store
    """

    universe: Universe
    random: Random
    run_id: str = "run"
    fates: Fates = CALM
    person: Callable[[str, BaseException], None] = lambda task, error: None
    stores: dict[str, dict[str, str]] = field(default_factory=dict)
    tries: dict[str, int] = field(default_factory=dict)
    max_tries: dict[str, int] = field(default_factory=dict)
    xcoms: dict[tuple[str, str], Any] = field(default_factory=dict)
    calm: Callable[[], None] = lambda: None
    errors: list[str] = field(default_factory=list)
    given_up: list[Process] = field(default_factory=list)
    cleared: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.loop = self.universe.loop
        self.universe.network.on_answer = lambda line, process: self._at_answer(process)
        self.triggerer = Process("triggerer")

    # Fates.

    def asked(self) -> None:
        """Take the time of a question to Airflow, for which a process stands still."""
        if self.universe.is_over:
            raise Killed
        self.loop.stall(0.002 + 0.02 * self.random.random() ** 2)

    def befall(self, where: str, share: float, process: Process | None = None) -> None:
        """Kill or freeze the process that is here, sometimes."""
        process = process or PROCESS.get()
        if not share or process is None or process.dead or self.random.random() >= share:
            return
        if self.random.random() < 0.6:
            self.universe.note(f"{process} killed at {where}")
            process.kill()
        else:
            seconds = self.random.choice((8.0, 30.0, 400.0, 1000.0, 3600.0))
            self.universe.note(f"{process} frozen at {where} for {seconds:.0f} s")
            self.loop.freeze(process, seconds)

    def _at_answer(self, process: Process | None) -> None:
        if process is not None and process is not self.triggerer:
            self.befall("answer", self.fates.at_answer, process)

    def _fated(self, process: Process) -> None:
        """Draw what befalls an attempt, and before which of its steps."""
        random, fates = self.random, self.fates

        def step() -> int:
            return int(math.exp(random.uniform(0.0, math.log(250.0))))

        if random.random() < fates.kill:
            process.fates.append((step(), lambda: self._kill(process)))
        if random.random() < fates.freeze:
            seconds = random.choice((6.0, 45.0, 400.0, 1200.0, 4000.0))
            process.fates.append((step(), lambda: self._freeze(process, seconds)))
        if random.random() < fates.jump:
            ahead = random.choice((-7200.0, -600.0, -30.0, 30.0, 600.0, 7200.0))
            process.fates.append((step(), lambda: self._jump(process, ahead)))
        process.fates.sort(key=lambda fate: fate[0])

    def _kill(self, process: Process) -> None:
        self.universe.note(f"{process} killed at step {process.steps}")
        process.kill()

    def _freeze(self, process: Process, seconds: float) -> None:
        self.universe.note(f"{process} frozen at step {process.steps} for {seconds:.0f} s")
        self.loop.freeze(process, seconds)

    def _jump(self, process: Process, ahead: float) -> None:
        self.universe.note(f"{process} clock jumps by {ahead:.0f} s")
        process.ahead = ahead

    # Tasks.

    async def run(self, task: str, make: Callable[[], Any], *, retries: int = RETRIES) -> Any:
        """Run a task until it ends well, however often a person has to clear it; return what it returns.

        :raises Broken: it does not
        """
        self.max_tries[task] = self.tries.get(task, 0) + retries
        for cleared in range(CLEARS + 1):
            if cleared == CLEARS // 2:
                self.calm()
            outcome = await self._tried(task, make)
            if outcome.state == "success":
                return outcome.value
            self.person(task, outcome.value)
            self.cleared.append(task)
            self.max_tries[task] = self.tries[task] + retries
            await asyncio.sleep(self.random.uniform(60.0, 600.0))
        raise Broken("everything ends well", f"{task}: {outcome.value}")

    async def _tried(self, task: str, make: Callable[[], Any]) -> Outcome:
        while True:
            self.tries[task] = self.tries.get(task, 0) + 1
            outcome = await self._attempt(task, make)
            self.universe.note(f"{task} {self.tries[task]} {outcome.state} {_words(outcome)}")
            if outcome.state == "success":
                return outcome
            if outcome.state == "failed":
                self.errors.append(f"{task}: {outcome.value}")
            if self.tries[task] > self.max_tries[task]:
                return outcome
            if outcome.state == "failed" and not self._again(make(), task, outcome.value):
                return outcome
            await asyncio.sleep(self.random.uniform(1.0, 300.0))

    def _again(self, operator: Any, task: str, error: BaseException) -> bool:
        from airflow.sdk import RetryAction

        policy = getattr(operator, "retry_policy", None)
        if policy is None or not isinstance(error, Exception):
            return True
        decision = policy.evaluate(error, self.tries[task], self.max_tries[task], {})
        return decision.action is not RetryAction.FAIL

    async def _attempt(self, task: str, make: Callable[[], Any]) -> Outcome:
        outcome = await self._piece(task, make, lambda operator, context: _execute(self, operator, context))
        while outcome.state == "deferred":
            parked = outcome.value
            event = await self._event(parked)
            if isinstance(event, Outcome):
                return event
            kwargs = dict(parked.kwargs or {})

            def go_on(
                operator: Any, context: Any, parked: Any = parked, event: Any = event, kwargs: Any = kwargs
            ) -> Any:
                return getattr(operator, parked.method_name)(context, event=event, **kwargs)

            outcome = await self._piece(task, make, go_on)
        return outcome

    async def _piece(self, task: str, make: Callable[[], Any], go: Callable[[Any, Any], Any]) -> Outcome:
        """Run what one worker does of an attempt."""
        number = self.tries[task]
        process = Process(f"{task} {number}")
        self._fated(process)
        died = self.loop.create_future()
        process.on_death.append(lambda: died.done() or died.set_result(None))
        future = self.loop.spawn(process, lambda: self._live(task, number, make, go))
        patience = self.random.uniform(*SEEN_LOST)
        silent = 0.0
        while True:
            done, _ = await asyncio.wait({future, died}, timeout=HEARTBEAT, return_when=asyncio.FIRST_COMPLETED)
            if future in done and not process.dead:
                return future.result()
            silent = silent + HEARTBEAT if process.dead or self.loop.time() < process.frozen_until else 0.0
            if process.dead:
                await asyncio.sleep(self.random.uniform(*SEEN_LOST))
                return Outcome("lost")
            if silent >= patience:
                self.universe.note(f"{process} given up")
                self._ends_soon(process)
                return Outcome("lost")

    def _ends_soon(self, process: Process) -> None:
        """Its supervisor ends an attempt that was given up, some time after it has thawed; or never hears of it."""
        self.given_up.append(process)
        if self.random.random() < 0.5:
            after = max(process.frozen_until - self.loop.time(), 0.0) + self.random.uniform(0.0, 60.0)
            self.loop.call_later(after, process.kill)

    def _live(self, task: str, number: int, make: Callable[[], Any], go: Callable[[Any, Any], Any]) -> Outcome:
        operator = make()
        context = self.context(task, number, operator)
        try:
            value = go(operator, context)
        except TaskDeferred as parked:
            return Outcome("deferred", parked)
        except AirflowSkipException:
            return Outcome("success", None)
        except Exception as error:
            return Outcome("failed", error)
        if self.tries[task] == number:
            self.xcoms[task, "return_value"] = value
        return Outcome("success", value)

    def context(self, task: str, number: int, operator: Any) -> Any:
        """Return what an operator is given."""
        run = SimpleNamespace(run_id=self.run_id, run_type="scheduled", conf={}, partition_key=None)
        ti = SimpleNamespace(
            dag_id="dag",
            run_id=self.run_id,
            task_id=task,
            map_index=-1,
            try_number=number,
            max_tries=self.max_tries[task],
            xcom_push=lambda key, value: self.xcoms.__setitem__((task, key), value),
            xcom_pull=lambda task_ids, key, map_indexes=None: self.xcoms.get((task_ids, key)),
        )
        return {
            "ti": ti,
            "task_instance": ti,
            "task": operator,
            "dag_run": run,
            "task_state_store": StateStore(self, task, number),
            "outlet_events": Events(),
            "params": {},
        }

    # The triggerer.

    async def _event(self, parked: TaskDeferred) -> Any:
        """Let a triggerer wait; return the payload of the event, or an outcome where none came."""
        path, kwargs = parked.trigger.serialize()
        kwargs = json.loads(json.dumps(kwargs, default=str)) if "moment" not in kwargs else kwargs
        until = self.loop.time() + (parked.timeout.total_seconds() if parked.timeout else 10 * 86400.0)
        waits: list[asyncio.Future[Any]] = []
        try:
            while True:
                process = self._serving()
                died = self.loop.create_future()
                process.on_death.append(lambda died=died: died.done() or died.set_result(None))
                waits.append(self._fire(process, path, kwargs))
                while not process.dead and self.loop.time() < until:
                    done, _ = await asyncio.wait({*waits, died}, timeout=60.0, return_when=asyncio.FIRST_COMPLETED)
                    for one in done & set(waits):
                        return one.result()
                    if self.loop.time() < process.frozen_until - 60.0:
                        break
                if self.loop.time() >= until:
                    return Outcome("failed", RuntimeError("the trigger timed out"))
                if process is self.triggerer:
                    self.triggerer = Process(f"triggerer {self.loop.pieces}")
                await asyncio.sleep(self.random.uniform(1.0, 60.0))
        finally:
            for one in waits:
                one.cancel()

    def _serving(self) -> Process:
        process = self.triggerer
        if process.steps > 40 and not process.fates and self.random.random() < self.fates.kill / 2:
            process.fates.append((process.steps + self.random.randrange(1, 200), lambda: self._kill(process)))
        elif self.random.random() < self.fates.freeze / 2:
            process.fates.append((process.steps + self.random.randrange(1, 200), lambda: self._freeze(process, 300.0)))
        return process

    def _fire(self, process: Process, path: str, kwargs: dict[str, Any]) -> asyncio.Future[Any]:
        from airflow.sdk._shared.module_loading import import_string

        heard: asyncio.Future[Any] = self.loop.create_future()
        context = copy_context()
        context.run(PROCESS.set, process)

        async def live() -> None:
            try:
                async for event in import_string(path)(**kwargs).run():
                    if not heard.done():
                        heard.set_result(event.payload)
                    return
            except Exception as error:
                if not heard.done():
                    heard.set_result(Outcome("failed", error))

        task = self.loop.create_task(live(), context=context)
        heard.add_done_callback(lambda _: process.dead or task.cancel())
        return heard


def _execute(airflow: Airflow, operator: Any, context: Any) -> Any:
    if hasattr(operator, "aexecute"):
        return airflow.loop.run_blocking(operator.aexecute(context))
    return operator.execute(context)


def _words(outcome: Outcome) -> str:
    return f"{type(outcome.value).__name__}: {outcome.value}" if outcome.state == "failed" else ""
