"""A promotion in the middle: all before one of its steps is done, so that a test begins where its crash does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from include.standins import Fault, FaultKind
from include.standins.flexdeploy import FlexDeployStandIn
from nightshift.promotion.record import Offer, PromotionRecord, PromotionStep, Running, Version
from nightshift.promotion.turns import Waiter
from nightshift.promotion.vocabulary import StepKind, StepState
from tests.crash.promotion.doomed import attempt, wait_in_a_triggerer
from tests.crash.promotion.judge import Judge
from tests.crash.promotion.night import BEFORE, NAME, OLD, Airflow, dag_of
from tests.crash.workers import killed, leave_trigger, start, until

RUN = "r"
STEPS = {"build": "build", "deploy": "DEV.deploy", "utility": "TEST.stop", "roll_back": "roll_back.deploy"}
"""What FlexDeploy is asked for → the task that asks."""
WHOLE = "whole"
"""A scene in which all is done but the end; its step is the one before the last deployment."""
STARTS = r"/(build|deploy|execute)$"


@dataclass
class Scene:
    """One promotion, up to one of its steps."""

    airflow: Airflow
    vendor: FlexDeployStandIn
    version: Version
    step: str
    judge: Judge

    # -- workers --------------------------------------------------------------------------------------------------

    def worker(
        self, point: str | None = None, step: str | None = None, run: str = RUN, *, fresh: bool = False, **changes: Any
    ) -> Any:
        """Start the next attempt in a process of its own.

        :param fresh: that shares nothing with the server that others are forked from
        """
        one, context = self.airflow, "spawn" if fresh else "forkserver"
        args = (one.url, one.folder, one.extra, one.more, run, step or self.step, point, changes)
        return start(attempt, *args, context=context)

    def killed(self, point: str, **more: Any) -> None:
        """Run the next attempt and have it killed at a point."""
        killed(self.worker(point, **more))

    @contextmanager
    def held(self, path: str = STARTS) -> Iterator[None]:
        """Hold back FlexDeploy's answer to the request that comes next; what was asked for is done."""
        before = self.judge.made()
        self.vendor.faults.add(Fault(kind=FaultKind.DELAY_ANSWER, method="POST", path=path, seconds=2.0))
        yield
        until(lambda: self.judge.made() != before)

    def triggerer(self, message: Any) -> Any:
        """Start a triggerer that waits for a deferred task."""
        one = self.airflow
        leave_trigger(one.task(RUN, self.step), message, one.folder)
        return start(wait_in_a_triggerer, one.url, one.folder, one.extra, one.more, RUN, self.step)

    # -- attempts in this process ---------------------------------------------------------------------------------

    def retry(self, **changes: Any) -> Any:
        return self.airflow.attempt(RUN, self.step, **changes)

    def asked(self) -> bool:
        """Whether the record names a workflow request of the step."""
        step = self.airflow.record(RUN).step(self.step)
        return step is not None and bool(step.requests)

    def state(self) -> Any:
        step = self.airflow.record(RUN).step(self.step)
        assert step is not None
        return step


def scene(
    vendor: FlexDeployStandIn,
    folder: Path,
    kind: str,
    version: Version,
    *,
    more: str = "{}",
    night: str | None = None,
    **extra: Any,
) -> Scene:
    """Set the scene for one step.

    :param version: built, and deployed nowhere
    """
    airflow = Airflow(vendor.url, folder, extra, more)
    airflow.ran_before()
    airflow.start(RUN, night)
    at = datetime.now(UTC).replace(microsecond=0)
    asyncio.run(airflow.turns.take(Waiter(run_id=RUN, night=night, opened=at), None))
    before = {stage: Running(version=OLD, since=at, run_id=BEFORE) for stage in ("DEV", "TEST")}
    record = PromotionRecord(
        application=NAME,
        dag_id=f"promote_{NAME}",
        run_id=RUN,
        night=night,
        opened=at,
        turn=1,
        stages=("DEV", "TEST"),
        before=before,
    )
    if kind != "build":
        record = record.changed(version=version, steps=tuple(_steps(kind, version, at)))
    if kind == "roll_back":
        record = record.changed(offer=Offer(stage="DEV", version=OLD, why="it broke"))
    airflow.write(record.changed(steps=tuple(_with_terms(step, record, dag_of(more)) for step in record.steps)))
    return Scene(airflow, vendor, version, STEPS.get(kind, "TEST.stop"), Judge(vendor, airflow))


def _with_terms(step: PromotionStep, record: PromotionRecord, dag: Any) -> PromotionStep:
    """Let an approval be of what its stage would be asked for now."""
    if step.kind not in (StepKind.APPROVAL, StepKind.ROLL_BACK_APPROVAL):
        return step
    asked = dag.get_task(step.task)
    terms = asked.terms if step.kind is StepKind.APPROVAL else asked.ways[step.stage]
    return step.changed(terms=terms.digest(record, step.version))


def _steps(kind: str, version: Version, at: datetime) -> Iterator[PromotionStep]:
    def done(
        task: str, what: StepKind, stage: str | None, state: StepState = StepState.DONE, **more: Any
    ) -> PromotionStep:
        return PromotionStep(task=task, kind=what, stage=stage, state=state, started=at, ended=at, **more)

    yield done("build", StepKind.BUILD, None, version=version, outcome="built")
    if kind == "roll_back":
        yield done(
            "DEV.deploy", StepKind.DEPLOY, "DEV", StepState.FAILED, version=version, outcome="failed", requests=(1,)
        )
        yield done("roll_back.approve", StepKind.ROLL_BACK_APPROVAL, "DEV", version=OLD, outcome="Approve", by="ann")
    elif kind in ("utility", WHOLE):
        yield done("DEV.deploy", StepKind.DEPLOY, "DEV", version=version, outcome="deployed")
        yield done("TEST.approve", StepKind.APPROVAL, "TEST", version=version, outcome="Approve", by="ann")
    if kind == WHOLE:
        yield done("TEST.stop", StepKind.UTILITY, "TEST", outcome="executed")
        yield done("TEST.deploy", StepKind.DEPLOY, "TEST", version=version, outcome="deployed")
