"""Promotions of one application, task by task, as Airflow would run them; all that outlives a killed worker is in a
folder.
"""

from __future__ import annotations

import asyncio
import json
import os
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

from include.standins.flexdeploy import LOGIN, PASSWORD
from include.standins.flexdeploy.planted import PORTAL, RESTART
from nightshift.config.promotions import Application
from nightshift.jobs.record import RECORD_KEY, RESOLUTION_KEY
from nightshift.lake.store import Lake
from nightshift.promotion.flow import promotion_dag
from nightshift.promotion.record import PromotionRecord, PromotionStep, Version
from nightshift.promotion.store import Records
from nightshift.promotion.turns import Turns
from nightshift.promotion.vocabulary import PromotionOutcome, StepKind, StepState
from tests.execution_api import FakeExecutionApi, FileStore, TaskRun, httpx

NAME = "portal"
MARK = "NIGHTSHIFT"
OLD = Version(id=20000 + PORTAL, name="1.0.1")
"""What the stand-in runs everywhere at the start."""
BEFORE = "the night before"
MAX_TRIES = 3
RECENT = "GET /rest/v1/workflowexecution"
TASKS = ("begin", "build", "DEV.deploy", "TEST.approve", "TEST.stop", "TEST.deploy", "close")
ENDED = frozenset({"success", "skipped", "failed", "upstream_failed"})


def config(**more: Any) -> Application:
    utility = {"name": "stop", "project_id": RESTART, "inputs": {"SERVICE": "portal"}}
    test = {"environment": "TEST", "environment_id": None, "approval": {}, "before": [utility]}
    return Application.model_validate(
        {
            "project_id": PORTAL,
            "stream_id": PORTAL + 400,
            "build": {"environment_id": 11001, "force": True},
            "stages": [
                {"environment_id": 11001, "name": "DEV"},
                {**test, "environment": None, "environment_id": 11002, "name": "TEST"},
            ],
            **more,
        }
    )


@cache
def dag_of(more: str = "{}") -> Any:
    """The DAG, with waits that suit a test."""
    dag = promotion_dag(NAME, config(**json.loads(more)), doc_md=None)
    for task in dag.tasks:
        if hasattr(task, "poll_first"):
            task.poll_first, task.poll_cap, task.look = 0.02, 0.05, 20.0
    return dag


class OneTask(FakeExecutionApi):
    """Airflow as one task of one run sees it."""

    night: Airflow
    task_id: str

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.lstrip("/")
        if path.startswith("store/ti") and self.night.tries(self.run_id, self.task_id) != self._try_number:
            return httpx.Response(404, json={"detail": {"reason": "not_found", "message": "a newer attempt is there"}})
        if path == "dag-runs/count":
            return httpx.Response(
                200, json=sum(self.night.alive(run) for run in request.url.params.get_list("run_ids"))
            )
        if path.startswith("hitlDetails"):
            return httpx.Response(201, json={**json.loads(request.content), "ti_id": str(uuid.uuid4())})
        if path.startswith("task-instances/states"):
            runs = request.url.params.get_list("run_ids")
            return httpx.Response(200, json={"task_states": {run: self.night.states(run) for run in runs}})
        return super().__call__(request)


@dataclass
class Airflow:
    """Runs of the application's DAG.

    :param url: of FlexDeploy
    :param folder: what outlives a process: the lake, the state stores, what became of each task
    :param extra: of the connection
    :param more: other settings of the application, as JSON
    """

    url: str
    folder: Path
    extra: dict[str, Any] = field(default_factory=dict)
    more: str = "{}"
    nights: dict[str, str | None] = field(default_factory=dict)
    tasks: dict[tuple[str, str], OneTask] = field(default_factory=dict)

    def __post_init__(self) -> None:
        os.environ["NIGHTSHIFT_LAKE"] = str(self.folder / "lake")
        # Marks are made of it: no test finds what another one left at FlexDeploy.
        self.dag_id = f"promote_{NAME}.{crc32(str(self.folder).encode()):x}"
        self.store = FileStore(self.folder / "airflow")
        self.lake = Lake.from_url(str(self.folder / "lake"))
        self.records, self.turns = Records(self.lake, NAME), Turns(self.lake, NAME)

    # -- runs -----------------------------------------------------------------------------------------------------

    def start(self, run: str, night: str | None = None, **conf: Any) -> None:
        self.nights[run] = night
        self.store[f"run {run}"] = {"alive": True, "night": night, "conf": conf}

    def end(self, run: str) -> None:
        """Let Airflow take a run for ended, whatever its tasks do."""
        self.store[f"run {run}"] = {**self.store[f"run {run}"], "alive": False}

    def revive(self, run: str) -> None:
        self.store[f"run {run}"] = {**self.store[f"run {run}"], "alive": True}

    def alive(self, run: str) -> bool:
        return bool(self.store.get(f"run {run}", {}).get("alive"))

    def states(self, run: str) -> dict[str, str]:
        return {task: state for task in TASKS if (state := self.store.get(f"state {run} {task}"))}

    # -- tasks ----------------------------------------------------------------------------------------------------

    def tries(self, run: str, name: str) -> int:
        """The number of the latest attempt of a task."""
        return int(self.store.get(f"tries {run} {name}", 0))

    def task(self, run: str, name: str) -> OneTask:
        if (run, name) not in self.tasks:
            about = self.store[f"run {run}"]
            extra = {"paths": {}, **self.extra}
            api = OneTask(
                connections={
                    "flexdeploy_default": {
                        "conn_type": "flexdeploy",
                        "host": self.url,
                        "login": LOGIN,
                        "password": PASSWORD,
                        "extra": json.dumps(extra),
                    }
                },
                conf=about["conf"],
                dag_id=self.dag_id,
                run_id=run,
                logical_date=None,
                partition_key=about["night"],
                max_tries=MAX_TRIES,
                task_store=FileStore(self.folder / "store" / f"{run} {name}"),
            )
            api.night, api.task_id = self, name
            self.tasks[run, name] = api
        api = self.tasks[run, name]
        api._try_number = self.tries(run, name)
        api.max_tries = self.store.get(f"max_tries {run} {name}", MAX_TRIES)
        return api

    def attempt(self, run: str, name: str, *, follow: bool = True, resume: Any = None, **changes: Any) -> TaskRun:
        """Run the next attempt of a task in this process."""
        api = self.task(run, name)
        if resume is None:
            self.store[f"tries {run} {name}"] = api._try_number + 1
        elif api._attempt is None:
            api._attempt = uuid.uuid4()
        task = dag_of(self.more).get_task(name)
        for key, value in changes.items():
            task = _changed(task, key, value)
        waits = name.endswith("approve")
        done = api.run(task, follow=follow and not waits, resume=resume)
        self.store[f"state {run} {name}"] = done.state
        return done

    def answer(self, run: str, name: str, option: str = "Approve") -> TaskRun:
        """Answer the question of an approval, as a person in the UI does."""
        answer = {
            "chosen_options": [option],
            "params_input": {},
            "responded_at": datetime.now(UTC),
            "responded_by_user": {"id": "ann", "name": "ann"},
        }
        return self.attempt(run, name, resume=("execute_complete", answer))

    def through(self, run: str, *names: str) -> TaskRun:
        """Run tasks one after the other; each has to end well."""
        done = None
        for name in names:
            done = self.attempt(run, name)
            if name.endswith("approve"):
                done = self.answer(run, name)
            assert done.state in ("success", "skipped"), (name, done.state, done.error)
        assert done is not None
        return done

    def clear(self, run: str, *names: str) -> None:
        """Clear tasks, as a person does; their run goes on."""
        for name in names:
            self.store[f"max_tries {run} {name}"] = self.store.get(f"tries {run} {name}", 0) + MAX_TRIES
            self.store.pop(f"state {run} {name}", None)
        self.revive(run)

    def resolve(self, run: str, name: str, word: dict[str, Any]) -> None:
        """Say what to do about a job that only a person can tell, some time later, then clear the task."""
        self.age(run, name)
        self.task(run, name).task_store[RESOLUTION_KEY] = word
        self.clear(run, name)

    def age(self, run: str, name: str, seconds: float = 60.0) -> None:
        """Let time pass between two attempts, as Airflow's delay does."""
        store = self.task(run, name).task_store
        if (record := store.get(RECORD_KEY)) is not None:
            intent = {**record["intent"], "at": record["intent"]["at"] - seconds}
            store[RECORD_KEY] = {**record, "intent": intent}

    # -- the lake -------------------------------------------------------------------------------------------------

    def record(self, run: str) -> PromotionRecord:
        found = asyncio.run(self.records.read(run))
        assert found is not None
        return found

    def has_record(self, run: str) -> bool:
        return asyncio.run(self.records.read(run)) is not None

    def write(self, record: PromotionRecord) -> None:
        asyncio.run(self.records.write(record))

    def holder(self) -> str | None:
        turn = asyncio.run(self.turns.latest())
        return None if turn is None else turn.run_id

    def ran_before(self, version: Version = OLD) -> None:
        """Leave the record of an earlier promotion, so that there is something to roll back to."""
        at = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
        steps = tuple(
            PromotionStep(
                task=f"{stage}.deploy",
                kind=StepKind.DEPLOY,
                stage=stage,
                state=StepState.DONE,
                started=at,
                ended=at,
                version=version,
            )
            for stage in ("DEV", "TEST")
        )
        record = PromotionRecord(
            application=NAME,
            dag_id=f"promote_{NAME}",
            run_id=BEFORE,
            opened=at,
            version=version,
            stages=("DEV", "TEST"),
            steps=steps,
        )
        self.write(record.changed(closed=at, outcome=PromotionOutcome.PROMOTED))


def _changed(task: Any, key: str, value: Any) -> Any:
    import copy

    task = copy.copy(task)
    setattr(task, key, value)
    return task
