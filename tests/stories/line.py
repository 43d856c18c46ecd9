"""One application in a story: its runs, its records, and what is true of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from nightshift.lake.store import Lake
from nightshift.promotion.record import PromotionRecord, PromotionStep, Version
from nightshift.promotion.store import Records, object_name
from nightshift.promotion.vocabulary import PromotionOutcome, StepKind, StepState
from tests.stories.airflow import MiniAirflow, Run
from tests.stories.clock import StoryClock
from tests.stories.shapes import FREEZE, Shape, dag_of
from tests.stories.world import Cleared, Closed, Given, Ledger, World

FROZEN_FROM, FROZEN_UNTIL = (datetime(2026, 11, 23, hour, tzinfo=UTC).timestamp() for hour in (9, 15))


@dataclass
class Line:
    """An application.

    :param shape: what is configured; a story may change it
    :param folder: where the lake is
    :param asked_with: run and task → the tickets that were configured when the question was asked
    :param known: workflow requests that a record or a state store names
    :param bad: versions that are bad by now
    """

    shape: Shape
    folder: Path
    airflow: MiniAirflow
    world: World
    asked_with: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    known: set[int] = field(default_factory=set)
    bad: set[int] = field(default_factory=set)

    @classmethod
    def laid(cls, shape: Shape, folder: Path, ledger: Ledger, clock: StoryClock) -> Line:
        """Begin with the record of an earlier promotion, so that there is something to roll back to."""
        world = World(ledger, 20000 + shape.project, shape.rules)
        if shape.full:
            world.closed.append(Closed(f"frozen ({FREEZE.name})", FREEZE.stages, 0, FROZEN_FROM, FROZEN_UNTIL))
        line = cls(shape, folder, MiniAirflow(dag_of(shape), clock), world)
        asyncio.run(line.records.write(_before(shape, Version(id=world.old, name="1.0.1"))))
        return line

    @property
    def records(self) -> Records:
        return Records(Lake.from_url(str(self.folder)), self.shape.name)

    def record(self, run: str) -> PromotionRecord | None:
        """Return the record of a run: of the file itself, which is quicker."""
        path = self.folder / "promotions" / self.shape.name / object_name(run)
        return PromotionRecord.from_json(path.read_bytes(), str(path)) if path.exists() else None

    def start(self, name: str, night: str | None, by: str | None, given: Given | None = None) -> None:
        """Start a run."""
        params = {"version_id": None, "force_build": False}
        if given is not None:
            params |= {
                "version_id": given.version,
                "from_stage": given.from_stage,
                "emergency": given.emergency or None,
            }
            self.world.given[name] = given
        self.airflow.runs[name] = Run(name, datetime.now(UTC), night, by, params)
        self.world.started_by[name] = by

    def configure(self, shape: Shape) -> None:
        """Configure it otherwise."""
        self.shape, self.airflow.dag = shape, dag_of(shape)

    @staticmethod
    def job_of(run: Run, task: str) -> set[int]:
        """Return the workflow requests that the state of a task has."""
        job = (run.stores[task].get("nightshift_job") or {}).get("id")
        return {int(number) for number in job.split(",")} if job else set()

    def clear(self, run: Run, task: str, *, turn: int, with_state: bool = False, anew: bool = True) -> None:
        """Let a person clear a task with all that follows.

        :param turn: of the story
        :param anew: the task itself is to be done again, too, and not just to go on
        """
        held = {name: self.job_of(run, name) for name in run.stores}
        cleared = self.airflow.clear(run, task, with_state=with_state)
        if with_state and (record := self.record(run.name)) is not None:
            # What only the state had is nobody's any more: a person who looks at FlexDeploy finds it.
            told = {number for step in record.steps for number in step.requests}
            self.known -= set().union(*(held.get(name, set()) for name in cleared)) - told
        told = [Cleared(run.name, name, self.world.seen, turn) for name in cleared if anew or name != task]
        self.world.cleared += told

    def is_underway(self, run: Run) -> bool:
        return run.alive and self.airflow.next_task(run) is not None


def _before(shape: Shape, version: Version) -> PromotionRecord:
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    deployed = {"kind": StepKind.DEPLOY, "state": StepState.DONE, "started": at, "ended": at, "version": version}
    steps = tuple(PromotionStep(task=f"{stage}.deploy", stage=stage, **deployed) for stage in shape.stages)
    opened = PromotionRecord(
        application=shape.name,
        dag_id=f"promote_{shape.name}",
        run_id="the night before",
        opened=at,
        version=version,
        stages=shape.stages,
        steps=steps,
    )
    return opened.changed(closed=at, outcome=PromotionOutcome.PROMOTED)
