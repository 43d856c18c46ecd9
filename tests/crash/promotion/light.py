"""Tasks of several promotions in one process, quick enough for hundreds of stories.

The operators are the real ones and so are the lake and FlexDeploy's HTTP; of Airflow there is only what they ask it for. A
kill is simulated: from a chosen write on, the attempt can change nothing any more, neither in the lake nor at FlexDeploy.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from airflow.sdk.exceptions import AirflowSkipException, DownstreamTasksSkipped, TaskAwaitingInput, TaskDeferred

from nightshift.flexdeploy.adapter import FlexDeployAdapter
from nightshift.promotion.store import Records
from nightshift.promotion.turns import Turns
from tests.crash.promotion.night import MAX_TRIES, NAME, TASKS, Airflow, OneTask, dag_of

PARAMS = {"version_id": None, "force_build": False}


class Lost(BaseException):
    """The attempt was killed."""


class Life:
    """Counts what an attempt changes, and ends it at one of these changes."""

    def __init__(self) -> None:
        self.doom: tuple[int, bool] | None = None
        self.changes = 0
        self.dead = False

    def begin(self, doom: tuple[int, bool] | None) -> None:
        """Begin an attempt.

        :param doom: the change at which it is killed, and whether that change is still made
        """
        self.doom, self.changes, self.dead = doom, 0, False

    def due(self) -> bool | None:
        """Count a change: ``None``: go on; else the attempt ends here, and whether this change is still made."""
        if self.dead:
            raise Lost
        self.changes += 1
        if self.doom is None or self.changes != self.doom[0]:
            return None
        self.dead = True
        return self.doom[1]


LIFE = Life()
CHANGING = (
    (Records, "write"), (Turns, "take"), (Turns, "enter"), (Turns, "leave"), (FlexDeployAdapter, "submit"),
    (FlexDeployAdapter, "cancel"),
)  # fmt: skip


@contextmanager
def mortal() -> Iterator[None]:
    """Let every change of the lake and of FlexDeploy be one at which an attempt can end."""
    real = [(owner, name, getattr(owner, name)) for owner, name in CHANGING]

    def mortal_one(change: Callable[..., Any]) -> Callable[..., Any]:
        async def changed(*args: Any, **kwargs: Any) -> Any:
            made = LIFE.due()
            if made is False:
                raise Lost
            answer = await change(*args, **kwargs)
            if made:
                raise Lost
            return answer

        return changed

    for owner, name, change in real:
        setattr(owner, name, mortal_one(change))
    try:
        yield
    finally:
        for owner, name, change in real:
            setattr(owner, name, change)


class Store(dict[str, Any]):
    """A task state store; what is in it is JSON."""

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        made = LIFE.due()
        if made is False:
            raise Lost
        self[key] = json.loads(json.dumps(value))
        if made:
            raise Lost

    def delete(self, key: str) -> None:
        self.pop(key, None)


@dataclass
class Run:
    """A run: how far it is, and what Airflow knows of it."""

    name: str
    night: str | None
    at: int = 0
    alive: bool = True
    states: dict[str, str] = field(default_factory=dict)
    tries: dict[str, int] = field(default_factory=dict)
    max_tries: dict[str, int] = field(default_factory=dict)
    stores: dict[str, Store] = field(default_factory=dict)
    asked: bool = False
    """A person is asked; the answer resumes the task."""
    run_type: str = "manual"

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
    def done(self) -> bool:
        return self.at >= len(TASKS)

    def clear(self, at: int) -> None:
        """Clear a task with all that follows."""
        for name in TASKS[at:]:
            self.states.pop(name, None)
            self.max_tries[name] = self.tries.get(name, 0) + MAX_TRIES
        self.at, self.alive, self.asked = at, True, False


class Instance:
    """A task instance, as far as the operators ask for it."""

    map_index = -1

    def __init__(self, runs: dict[str, Run], run: Run, name: str) -> None:
        self.id, self.runs, self.task_id = uuid.uuid4(), runs, name
        self.dag_id, self.run_id = f"promote_{NAME}", run.name
        self.try_number, self.max_tries = run.tries[name], run.max_tries.get(name, MAX_TRIES)

    def get_dr_count(self, *, dag_id: str, run_ids: list[str], states: list[str]) -> int:
        return sum(self.runs[one].alive for one in run_ids)

    def get_task_states(self, *, dag_id: str, run_ids: list[str]) -> dict[str, dict[str, str]]:
        return {one: dict(self.runs[one].states) for one in run_ids}

    def xcom_push(self, *args: Any, **kwargs: Any) -> None:
        return None


def attempt(
    runs: dict[str, Run], run: Run, name: str, doom: tuple[int, bool] | None, answer: str
) -> tuple[str, BaseException | None]:
    """Run one attempt of a task; return its state and error."""
    import copy

    resumed = run.asked and name.endswith("approve")
    if not resumed:
        run.tries[name] = run.tries.get(name, 0) + 1
    task = copy.copy(dag_of().get_task(name))
    if hasattr(task, "poll_first"):
        task.poll_first, task.poll_cap = 0.002, 0.02
    instance = Instance(runs, run, name)
    context: Any = {
        "ti": instance, "task_instance": instance, "dag_run": run, "task": task, "params": PARAMS, "inlet_events": {},
        "task_state_store": run.stores.setdefault(name, Store()),
    }  # fmt: skip
    LIFE.begin(doom)
    try:
        if resumed:
            given = {
                "chosen_options": [answer],
                "params_input": {},
                "responded_at": datetime.now(UTC),
                "responded_by_user": {"id": "ann", "name": "ann"},
            }
            task.execute_complete(context, given)
        else:
            task.execute(context)
    except Lost:
        return "lost", None
    except TaskAwaitingInput:
        run.asked = True
        return "asked", None
    except TaskDeferred:
        return "deferred", None
    except DownstreamTasksSkipped:
        return "success", None
    except AirflowSkipException:
        return "skipped", None
    except Exception as error:
        # What is raised because nothing can be changed any more is no word of the attempt.
        return ("lost", None) if LIFE.dead else ("failed", error)
    finally:
        run.asked = run.asked and not resumed
        LIFE.begin(None)
    return ("lost", None) if LIFE.dead else ("success", None)


def comms_of(airflow: Airflow) -> Any:
    """Return what lets operators reach the Execution API, as :meth:`FakeExecutionApi.comms` does."""
    airflow.start("any")
    api: OneTask = airflow.task("any", "begin")
    return api.comms()
