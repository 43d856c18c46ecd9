"""Promotions of one application, task by task in this process, as Airflow would run them."""

from __future__ import annotations

import asyncio
import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow.sdk.definitions.param import ParamsDict

from include.standins.flexdeploy import LOGIN, PASSWORD, FlexDeployStandIn
from include.standins.flexdeploy.planted import DEV, PORTAL, PROD, RESTART, TEST
from nightshift.config.freezes import NO_FREEZES, Freeze, FreezeRules
from nightshift.config.promotions import Application
from nightshift.lake.store import Lake
from nightshift.promotion.flow import promotion_dag
from nightshift.promotion.record import PromotionRecord, PromotionStep, Version
from nightshift.promotion.store import Records
from nightshift.promotion.turns import Turns
from tests.execution_api import FakeExecutionApi, TaskRun
from tests.published import publish_night
from tests.unit.promotion.records import put

NAME = "portal"
N1, N2, N3 = "2026-11-19", "2026-11-20", "2026-11-21"
OLD_VERSION = 20000 + PORTAL
"""What the stand-in runs everywhere at the start."""
MAX_TRIES = 2
ENDED = frozenset({"success", "skipped", "failed", "upstream_failed"})
PLACES = {"DEV": DEV, "TEST": TEST, "PROD": PROD}
RESTART_IT = {"name": "restart", "project_id": RESTART, "inputs": {"SERVICE": "portal"}}
REPORTS = ("flexnet/entitlement", "tokenflex/usage")


def stage(name: str, **more: Any) -> dict[str, Any]:
    return {"environment_id": PLACES[name], "name": name, **more}


def config(*stages: dict[str, Any], **more: Any) -> Application:
    """Return an application; two plain stages where none is named."""
    build = {"environment_id": DEV, **more.pop("build", {})}
    given = {"project_id": PORTAL, "stream_id": PORTAL + 400, "build": build, **more}
    return Application.model_validate({"stages": list(stages) or [stage("DEV"), stage("TEST")], **given})


@dataclass
class Run:
    """One run of the application's DAG."""

    play: Play
    run_id: str
    night: str | None
    conf: dict[str, Any]
    run_type: str
    by: str | None
    started: datetime
    apis: dict[str, FakeExecutionApi] = field(default_factory=dict)
    xcoms: dict[tuple[str, str], Any] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    parked: dict[str, TaskRun] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.begin = self.play.new_dag().get_task("begin")

    def api(self, name: str) -> FakeExecutionApi:
        """Return Airflow as a task of this run sees it now."""
        if name not in self.apis:
            self.apis[name] = FakeExecutionApi(
                connections=self.play.connections,
                conf=self.conf,
                dag_id=f"promote_{NAME}",
                run_id=self.run_id,
                logical_date=None,
                partition_key=self.night,
                max_tries=MAX_TRIES,
                run_after=self.started.isoformat(),
                run_type=self.run_type,
                triggering_user=self.by,
                other_runs=self.play.airflow,
            )
        api = self.apis[name]
        api.xcoms = self.xcoms
        api.task_states = {self.run_id: self.states}
        return api

    def task(self, name: str) -> Any:
        return self.begin if name == "begin" else self.play.dag.get_task(name)

    def do(self, name: str, *, follow: bool = False, **changes: Any) -> TaskRun:
        """Run the next attempt of a task, to its end or to where it waits without a worker."""
        return self._seen(name, self.api(name).run(self.changed(name, **changes), follow=follow))

    def changed(self, name: str, **changes: Any) -> Any:
        """Return a task with other settings than those of the DAG."""
        task = self.task(name)
        if changes:
            task = copy.copy(task)
            for key, value in changes.items():
                if hasattr(task, key):
                    setattr(task, key, value)
                else:
                    task.parameters = {**task.parameters, key: value}
        return task

    def answer(
        self, name: str, option: str, *, by: str | None = "ann", timed_out: bool = False, reason: str | None = None
    ) -> TaskRun:
        """Let a person answer the question that a task has asked; or nobody."""
        api = self.api(name)
        return self._seen(name, api.answer(self.task(name), option, by=by, timed_out=timed_out, reason=reason))

    def resume(self, name: str, event: Any, **changes: Any) -> TaskRun:
        """Go on after a deferral, with the event of its trigger."""
        method = self.parked[name].message.next_method
        return self._seen(name, self.api(name).run(self.changed(name, **changes), resume=(method, event)))

    def clear(self, *names: str) -> None:
        """Do what a person's clear does; the run is underway again."""
        for name in names:
            if name in self.apis:
                self.apis[name].clear()
            self.states.pop(name, None)
            self.xcoms = {key: value for key, value in self.xcoms.items() if key[0] != name}
        self.play.airflow[self.run_id] = "running"

    def end(self, state: str = "failed") -> None:
        """Let Airflow take the run for ended, whatever its tasks do."""
        self.play.airflow[self.run_id] = state

    @property
    def record(self) -> PromotionRecord:
        found = asyncio.run(self.play.records.read(self.run_id))
        assert found is not None
        return found

    @property
    def version(self) -> Version:
        """The version that it has pinned."""
        found = self.record.version
        assert found is not None
        return found

    def step(self, name: str) -> PromotionStep:
        found = self.record.step(name)
        assert found is not None, f"{name} is not in the record"
        return found

    def _seen(self, name: str, done: TaskRun) -> TaskRun:
        self.xcoms = self.apis[name].xcoms
        self.states[name] = str(getattr(done.state, "value", done.state))
        self.parked[name] = done
        return done


class Play:
    """One application, its lake, its FlexDeploy, and the runs of its DAG.

    :param path: folder of the lake
    :param vendor: FlexDeploy
    :param application: what is configured
    """

    def __init__(self, path: Path, vendor: FlexDeployStandIn, application: Application) -> None:
        self.vendor = vendor
        self.config = application
        self.lake = Lake.from_url(str(path))
        self.records, self.turns = Records(self.lake, NAME), Turns(self.lake, NAME)
        self.freezes = NO_FREEZES
        self.airflow: dict[str, str] = {}
        """Run id → state."""
        self.connections: dict[str, Any] = {
            "flexdeploy_default": {"conn_type": "flexdeploy", "host": vendor.url, "login": LOGIN, "password": PASSWORD}
        }
        self.dag = self.new_dag()
        # Only ``begin`` reads the form; Airflow's check of it is a third of what a task costs here.
        self.dag.params = ParamsDict()

    def new_dag(self) -> Any:
        """Return the DAG anew: Airflow writes a run's conf into the form of the DAG object that its worker has."""
        dag = promotion_dag(NAME, self.config, self.freezes, doc_md=None)
        for task in dag.tasks:
            if hasattr(task, "poll_first"):
                # A look that outlasts the stand-in's work: such a task is done in one go.
                task.poll_first, task.poll_cap, task.look = 0.02, 0.05, 30.0
        return dag

    def freeze(self, *freezes: dict[str, Any], unknown: str = "") -> None:
        """Let somebody edit the freezes of promotions.yaml."""
        self.freezes = FreezeRules(tuple(Freeze.model_validate(one) for one in freezes), unknown)
        self.edit(self.config)

    def edit(self, application: Application) -> None:
        """Let somebody edit the application in promotions.yaml."""
        self.config = application
        self.dag = self.new_dag()
        self.dag.params = ParamsDict()

    def start(
        self,
        run_id: str = "r1",
        night: str | None = None,
        /,
        *,
        run_type: str | None = None,
        by: str | None = None,
        **conf: Any,
    ) -> Run:
        """Start a run: of a night, as the nights themselves do, or a person's."""
        kind = run_type or ("asset_triggered" if night else "manual")
        self.airflow[run_id] = "running"
        return Run(self, run_id, night, conf, kind, by, datetime.now(UTC))

    def publish(self, *nights: str) -> None:
        """Publish nights of all reports that the application depends on."""
        for report in self.config.after:
            for night in nights:
                publish_night(self.lake, report, night)

    def put(self, record: PromotionRecord) -> None:
        asyncio.run(put(self.records, record))

    def made(self, kind: str) -> list[dict[str, Any]]:
        """Return what FlexDeploy was asked for and did, from its ledger."""
        return [dict(one.detail) for one in self.vendor.ledger.effects(kind=kind)]

    def deployments(self) -> list[tuple[str, int]]:
        """Return environment and version of each deployment, in order."""
        return [(one["environmentCode"], one["version"]) for one in self.made("deploy_made")]

    def latest_turn(self) -> tuple[int, str] | None:
        latest = asyncio.run(self.turns.latest())
        return None if latest is None else (latest.number, latest.run_id)

    def waiting(self) -> list[str]:
        return [one.run_id for one in asyncio.run(self.turns.waiting())]

    def asked(self) -> int:
        """Return how many requests FlexDeploy got that could change something."""
        return sum(one.method != "GET" for one in self.vendor.ledger.requests())
