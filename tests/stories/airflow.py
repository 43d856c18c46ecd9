"""Airflow as far as a promotion needs it: runs, attempts, retries, deferrals, questions, clears; in one process.

The operators and triggers are the real ones, and so are the lake and FlexDeploy's HTTP. An attempt can be killed or
stand still at any of its changes: from a kill on it can change nothing any more, neither in the lake nor at FlexDeploy;
what stands still goes on when the story thaws it, and finds that Airflow has given it up.
"""

from __future__ import annotations

import asyncio
import copy
import json
import re
import threading
import uuid
from collections.abc import Callable, Sequence
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from airflow.sdk import TriggerRule
from airflow.sdk.exceptions import (
    AirflowFailException,
    AirflowSkipException,
    DownstreamTasksSkipped,
    TaskAwaitingInput,
    TaskDeferred,
)

from tests.execution_api import FakeExecutionApi, httpx
from tests.stories.clock import OURS, StillWaiting, StoryClock, really_sleep
from tests.stories.fates import FROZEN, LIFE, POLLS, SLOW, Fate, Life, Lost

MAX_TRIES = 2
"""Retries of a task, as ``promotions.yaml`` has it by default."""
ANSWER = ("responded_by_user", "responded_at", "chosen_options", "params_input")
PATIENCE = 60.0
"""Real seconds after which an attempt that neither ends nor stands still is a mistake of ours."""
ENDED = frozenset({"success", "skipped", "failed", "upstream_failed"})


class GivenUp(RuntimeError):
    """Airflow refuses a write of an attempt that a newer one has replaced."""


class Store(dict[str, Any]):
    """A task state store as one attempt sees it; what is in it is JSON, and outlives the attempt."""

    def __init__(self, kept: dict[str, Any], is_current: Callable[[], bool]) -> None:
        super().__init__()
        self._kept, self._is_current = kept, is_current

    def get(self, key: str, default: Any = None) -> Any:
        return self._kept.get(key, default)

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        life = LIFE.get()
        if life is not None:
            life.before("set")
        if not self._is_current():
            raise GivenUp("a newer attempt is there")
        self._kept[key] = json.loads(json.dumps(value))
        if life is not None:
            life.after("set")

    def delete(self, key: str) -> None:
        if not self._is_current():
            raise GivenUp("a newer attempt is there")
        self._kept.pop(key, None)


@dataclass
class Parked:
    """What a task waits for: an event of its trigger, or a person's answer."""

    method: str
    kwargs: dict[str, Any]
    trigger: Any = None
    question: bool = False
    since: float = 0.0
    until: float | None = None


@dataclass
class Run:
    """A run, and what Airflow knows of it."""

    name: str
    run_after: datetime
    night: str | None = None
    asked_by: str | None = None
    """Who started it by hand; ``None``: the night did."""
    params: dict[str, Any] = field(default_factory=dict)
    alive: bool = True
    states: dict[str, str] = field(default_factory=dict)
    tries: dict[str, int] = field(default_factory=dict)
    max_tries: dict[str, int] = field(default_factory=dict)
    stores: dict[str, dict[str, Any]] = field(default_factory=dict)
    parked: dict[str, Parked] = field(default_factory=dict)

    # As the operators ask for a run.

    @property
    def run_id(self) -> str:
        return self.name

    @property
    def partition_key(self) -> str | None:
        return self.night

    @property
    def conf(self) -> dict[str, Any]:
        return {}

    @property
    def run_type(self) -> str:
        return "manual" if self.asked_by else "asset_triggered"

    @property
    def triggering_user_name(self) -> str | None:
        return self.asked_by


@dataclass
class Frozen:
    """An attempt that stands still, and that Airflow has given up."""

    run: Run
    task: str
    life: Life
    thread: threading.Thread
    words: str


class Instance:
    """A task instance, as far as the operators ask for it."""

    map_index = -1

    def __init__(self, airflow: MiniAirflow, run: Run, task: str) -> None:
        self.id, self.task_id, self._airflow = uuid.uuid4(), task, airflow
        self.dag_id, self.run_id = airflow.dag.dag_id, run.name
        self.try_number, self.max_tries = run.tries[task], run.max_tries.get(task, MAX_TRIES)
        airflow.instances[self.id] = (run.name, task)

    def get_dr_count(self, *, dag_id: str, run_ids: list[str], states: list[str]) -> int:
        return sum(self._airflow.runs[one].alive for one in run_ids if one in self._airflow.runs)

    def get_task_states(self, *, dag_id: str, run_ids: list[str]) -> dict[str, dict[str, str]]:
        return {one: dict(self._airflow.runs[one].states) for one in run_ids}

    def xcom_push(self, *args: Any, **kwargs: Any) -> None:
        return None


class ExecutionApi(FakeExecutionApi):
    """What operators ask Airflow for over HTTP. A question keeps its first text through every clear of its task."""

    airflows: Sequence[MiniAirflow]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.lstrip("/").startswith("hitlDetails"):
            asking = uuid.UUID(request.url.path.rpartition("/")[2])
            airflow = next(one for one in self.airflows if asking in one.instances)
            task = airflow.instances[asking]
            if request.method == "GET":
                kept = airflow.kept.get(task, dict.fromkeys(ANSWER))
                return httpx.Response(200, json={**kept, "response_received": kept["responded_at"] is not None})
            # Who asks again takes the answer away.
            airflow.kept.pop(task, None)
            shown = airflow.questions.setdefault(task, json.loads(request.content))
            return httpx.Response(201, json={**shown, "ti_id": str(asking)})
        return super().__call__(request)


class MiniAirflow:
    """Runs of one DAG.

    :param dag: the DAG as it is in force; a story may replace it
    :param clock: the time of the story
    """

    def __init__(self, dag: Any, clock: StoryClock) -> None:
        self.dag, self.clock = dag, clock
        self.runs: dict[str, Run] = {}
        self.instances: dict[uuid.UUID, tuple[str, str]] = {}
        self.questions: dict[tuple[str, str], dict[str, Any]] = {}
        self.kept: dict[tuple[str, str], dict[str, Any]] = {}
        """What Airflow holds of the answers to them."""
        self.frozen: list[Frozen] = []
        self.meanwhile: Callable[[Run, str], None] = lambda run, task: None
        """What happens while an attempt is slow."""
        self._ordered: Any = None
        self._order: list[str] = []

    def order(self) -> list[str]:
        """Ids of the tasks, each after all that it follows."""
        if self._ordered is not self.dag:
            self._ordered, self._order = self.dag, [task.task_id for task in self.dag.topological_sort()]
        return self._order

    def next_task(self, run: Run) -> str | None:
        """Return the task of a run that is next; ``None``: all have ended."""
        for name in self.order():
            if run.states.get(name) in ENDED:
                continue
            before = [run.states.get(one, "") for one in self.dag.get_task(name).upstream_task_ids]
            if any(state not in ENDED for state in before):
                continue
            rule = TriggerRule(self.dag.get_task(name).trigger_rule)
            bad = any(state in ("failed", "upstream_failed") for state in before)
            if rule is not TriggerRule.ALL_DONE and bad:
                run.states[name] = "upstream_failed"
            elif rule is TriggerRule.ALL_SUCCESS and "skipped" in before:
                run.states[name] = "skipped"
            else:
                return name
        return None

    def clear(self, run: Run, task: str, *, with_state: bool = False) -> list[str]:
        """Clear a task with all that follows, as a person does; the run goes on. Return what was cleared.

        :param with_state: empty the task state stores as well, as Airflow 3.4 does unless it is told otherwise
        """
        cleared = [task, *self.dag.get_task(task).get_flat_relative_ids(upstream=False)]
        for name in cleared:
            run.states.pop(name, None)
            run.parked.pop(name, None)
            run.max_tries[name] = run.tries.get(name, 0) + MAX_TRIES
            if with_state:
                run.stores.get(name, {}).clear()
        # Where what comes before has failed, Airflow ends the run again at once.
        run.alive = self.next_task(run) is not None
        return cleared

    def attempt(self, run: Run, task: str, fate: tuple[Fate, int | str] | None) -> tuple[str, BaseException | None]:
        """Run the next attempt of a task, in its state after that; ``lost``: Airflow does not hear of it any more."""
        run.parked.pop(task, None)
        run.tries[task] = run.tries.get(task, 0) + 1
        return self._run(run, task, fate, lambda operator, context: operator.execute(context))

    def resume(
        self, run: Run, task: str, event: Any, fate: tuple[Fate, int | str] | None
    ) -> tuple[str, BaseException | None]:
        """Go on with a task whose trigger has fired, or whose question was answered."""
        parked = run.parked.pop(task)

        def go_on(operator: Any, context: Any) -> Any:
            return getattr(operator, parked.method)(context, event, **parked.kwargs)

        return self._run(run, task, fate, go_on)

    def shown(self, run: Run, task: str) -> tuple[str, ...]:
        """Return the tickets that the question of a task shows: those that its attempt knew of."""
        return tuple(dict.fromkeys(re.findall(r"CHG-[0-9]+", self.questions[run.name, task]["body"] or "")))

    def keep(self, run: Run, task: str, said: dict[str, Any]) -> dict[str, Any]:
        """Take an answer, and return the event that it is: Airflow keeps it until the task asks again."""
        told = {**said, "responded_at": said["responded_at"].isoformat()}
        self.kept[run.name, task] = {name: told[name] for name in ANSWER}
        return said

    def fired(self, parked: Parked) -> Any:
        """Let a trigger look once; return its event, ``None``: what it waits for is not there."""
        path, arguments = parked.trigger.serialize()
        if self.clock.now.timestamp() - parked.since > arguments.get("longest", float("inf")):
            # It counts by a clock that no story moves.
            return {"why": "time to look"}
        module, _, name = path.rpartition(".")
        trigger = getattr(__import__(module, fromlist=[name]), name)(**arguments)

        async def first() -> Any:
            async for event in trigger.run():
                return event.payload
            return None

        async def look() -> Any:
            polls, event = POLLS[0], asyncio.create_task(first())
            await really_sleep(0)
            # A poll is due a moment after the wait began, and time stands still.
            self.clock.move(1)
            while POLLS[0] == polls and not event.done():
                await really_sleep(0.0005)
            for _ in range(20):
                await really_sleep(0)
            if event.done():
                return event.result()
            event.cancel()
            return None

        def within() -> Any:
            OURS.set(True)
            self.clock.looks.set([1])
            try:
                return asyncio.run(asyncio.wait_for(look(), PATIENCE))
            except StillWaiting:
                return None

        return copy_context().run(within)

    def thaw(self, one: Frozen) -> None:
        """Let an attempt that stands still go on, to its end."""
        self.frozen.remove(one)
        one.life.thawed.set()
        one.thread.join(PATIENCE)
        assert not one.thread.is_alive(), f"{one.words} does not end"

    def _run(
        self, run: Run, task: str, fate: tuple[Fate, int | str] | None, go: Callable[[Any, Any], Any]
    ) -> tuple[str, BaseException | None]:
        life, ended = Life(fate), list[tuple[str, Any]]()

        def live() -> None:
            OURS.set(True)
            LIFE.set(life)
            ended.append(self._outcome(run, task, life, go))

        if fate is None or fate[0] not in FROZEN | SLOW:
            copy_context().run(live)
            return self._heard(run, task, *ended[0])
        thread = threading.Thread(target=copy_context().run, args=(live,), daemon=True)
        thread.start()
        while thread.is_alive() and not life.frozen.is_set():
            thread.join(0.001)
        if life.frozen.is_set() and not ended and fate[0] in SLOW:
            number = run.tries[task]
            self.meanwhile(run, task)
            life.thawed.set()
            thread.join(PATIENCE)
            if run.tries[task] != number:
                return "lost", None
        elif life.frozen.is_set() and not ended:
            self.frozen.append(Frozen(run, task, life, thread, f"{run.name} {task} {fate}"))
            return "lost", None
        return self._heard(run, task, *ended[0])

    def _outcome(self, run: Run, task: str, life: Life, go: Callable[[Any, Any], Any]) -> tuple[str, Any]:
        operator = copy.copy(self.dag.get_task(task))
        if hasattr(operator, "poll_first"):
            operator.poll_first, operator.poll_cap = 0.002, 0.01
        instance, number = Instance(self, run, task), run.tries[task]
        store = Store(run.stores.setdefault(task, {}), lambda: run.tries[task] == number)
        context: Any = {
            "ti": instance,
            "task_instance": instance,
            "dag_run": run,
            "dag": self.dag,
            "task": operator,
            "params": run.params,
            "inlet_events": {},
            "task_state_store": store,
        }
        try:
            go(operator, context)
        except Lost:
            return "lost", None
        except TaskAwaitingInput as parked:
            return "parked", parked
        except TaskDeferred as parked:
            return "parked", parked
        except DownstreamTasksSkipped as skip:
            return "success", skip
        except AirflowSkipException:
            return "skipped", None
        except Exception as error:
            # What is raised because nothing can be changed any more is no word of the attempt.
            return ("lost", None) if life.dead else ("failed", error)
        return ("lost", None) if life.dead else ("success", None)

    def _heard(self, run: Run, task: str, state: str, said: Any) -> tuple[str, BaseException | None]:
        """Take note of how an attempt ended."""
        if state == "parked":
            timeout = None if said.timeout is None else self.clock.now.timestamp() + said.timeout.total_seconds()
            trigger = getattr(said, "trigger", None)
            since = self.clock.now.timestamp()
            run.parked[task] = Parked(said.method_name, said.kwargs or {}, trigger, trigger is None, since, timeout)
            return "parked", None
        if isinstance(said, DownstreamTasksSkipped):
            for one in said.tasks:
                run.states[one if isinstance(one, str) else one[0]] = "skipped"
        if state in ENDED:
            run.states[task] = state
        return state, said if isinstance(said, Exception) and not isinstance(said, DownstreamTasksSkipped) else None

    def may_try_again(self, run: Run, task: str, error: BaseException) -> bool:
        """Whether Airflow would try a failed task again."""
        return not isinstance(error, AirflowFailException) and run.tries[task] <= run.max_tries.get(task, MAX_TRIES)
