"""Two promotions of one application, their steps interleaved at random, with kills, clears and given-up runs: the promises hold in each story."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from include.standins.flexdeploy import FlexDeployStandIn, Kind
from include.standins.flexdeploy.planted import TEST
from nightshift.errors import Ambiguous
from nightshift.flexdeploy.adapter import FlexDeployAdapter
from nightshift.jobs.record import RESOLUTION_KEY
from nightshift.promotion.record import PromotionOutcome, StepState
from tests.crash.promotion.judge import Judge
from tests.crash.promotion.light import Run, attempt, comms_of, mortal
from tests.crash.promotion.night import TASKS, Airflow

STORIES = int(os.environ.get("STORIES", "16"))
MOST_STEPS = 150


class Story:
    """Two runs, told by a seed."""

    def __init__(self, vendor: FlexDeployStandIn, folder: Path, seed: int) -> None:
        self.random = Random(seed)
        self.vendor = vendor
        self.airflow = Airflow(vendor.url, folder)
        self.airflow.ran_before()
        self.judge = Judge(vendor, self.airflow)
        self.runs = {name: Run(name, night) for name, night in (("a", "2026-11-20"), ("b", "2026-11-21"))}
        self.owner: dict[int, str] = {}
        self.built: dict[int, str] = {}
        self.known: set[int] = set()
        self.kills = 0
        self.told: list[str] = []

    def tell(self) -> None:
        for _ in range(MOST_STEPS):
            open_runs = [run for run in self.runs.values() if run.alive and not run.done]
            if not open_runs:
                break
            run = self.random.choice(open_runs)
            self.step(run)
            self.look()
            self.one_at_a_time(run)
            self.people(run)
        else:
            raise AssertionError(f"the runs wait for each other: {self.told[-8:]}")
        self.judge.promises(
            *(name for name in self.runs if self.airflow.has_record(name)), unknown=self.unnamed(), built=self.built
        )

    def step(self, run: Run) -> None:
        name = TASKS[run.at]
        if run.states and "failed" in run.states.values():
            name, run.at = "close", len(TASKS) - 1
        doom = (self.random.randint(1, 9), self.random.random() < 0.5) if self.random.random() < 0.3 else None
        answer = "Reject" if self.random.random() < 0.1 else "Approve"
        state, error = attempt(self.runs, run, name, doom, answer)
        self.told.append(f"{run.name} {name} {doom or ''} {state} {error or ''}"[:160])
        self.kills += state == "lost"
        if state in ("success", "skipped"):
            run.states[name] = state
            run.at += 1
        elif state == "failed":
            assert error is not None
            self.failed(run, name, error)
        if run.done:
            run.alive = False

    def failed(self, run: Run, name: str, error: BaseException) -> None:
        run.states[name] = "failed"
        if name == "close":
            run.at = len(TASKS)
        elif isinstance(error, Ambiguous) and self.random.random() < 0.7:
            self.look()
            for one in self.unknown():
                self.owner.setdefault(one, run.name)
            mine = [one for one in self.unknown() if self.owner[one] == run.name]
            assert len(mine) <= 1, mine
            run.stores[name][RESOLUTION_KEY] = {"adopt": str(mine[0])} if mine else {"resubmit": True}
            run.clear(run.at)

    def people(self, run: Run) -> None:
        """Now and then a person gives a run up, or clears one."""
        chance = self.random.random()
        if chance < 0.03:
            run.alive = False
            self.told.append(f"{run.name} is marked failed")
        elif chance < 0.06:
            other = self.random.choice(list(self.runs.values()))
            if other.at > 0:
                other.clear(self.random.randrange(min(other.at, len(TASKS) - 1)))
                self.told.append(f"{other.name} is cleared from {TASKS[other.at]}")

    def unknown(self) -> list[int]:
        """Ids of the requests that neither a record nor a state store has ever named."""
        return [one for one in self.judge.made() if one not in self.known]

    def look(self) -> None:
        """Take note of all requests that are named by now."""
        for name, run in self.runs.items():
            steps = self.airflow.record(name).steps if self.airflow.has_record(name) else ()
            self.known |= {number for step in steps for number in step.requests}
            self.known |= {int(number) for store in run.stores.values() for number in _ids(store)}

    def unnamed(self) -> list[int]:
        """Ids of the requests that the records do not name: replaced after a clear, or lost with a run that was given up.

        What is lost is told: by whoever closes the record, or the record is still open.
        """
        names = {name: self.airflow.record(name) for name in self.runs if self.airflow.has_record(name)}
        named = {number for record in names.values() for step in record.steps for number in step.requests}
        for request in set(self.judge.made()) - named:
            record = names[self.owner[request]]
            started = [step.task for step in record.steps if step.state is StepState.STARTED and not step.requests]
            if record.outcome is PromotionOutcome.ABANDONED and started:
                assert all(task in record.reason for task in started), record.reason
        return sorted(set(self.judge.made()) - named)

    def one_at_a_time(self, run: Run) -> None:
        """Hold what was asked for in this step against what others have underway, and against the approvals."""
        new = [one for one in self.judge.made() if one not in self.owner]
        assert len(new) <= 1
        lost = set(self.unknown())
        for request in new:
            self.owner[request] = run.name
            others = [one for one, whose in self.owner.items() if whose != run.name and one not in lost]
            assert all(self.vendor.engine.requests[one].final for one in others), "two at work at once"
            wanted = self.vendor.engine.requests[request].wanted
            if wanted.kind is Kind.BUILD:
                self.built[wanted.version.id] = run.name
            if wanted.kind is Kind.DEPLOY:
                pinned = self.airflow.record(run.name).version
                assert pinned is not None
                assert (wanted.version.id, self.built[wanted.version.id]) == (pinned.id, run.name), "not what was built"
            if wanted.environment.id == TEST and wanted.kind is Kind.DEPLOY:
                approval = self.airflow.record(run.name).step("TEST.approve")
                assert approval is not None
                assert (approval.state, approval.version.id) == (StepState.DONE, wanted.version.id)
        latest = asyncio.run(self.airflow.turns.latest())
        if new:
            assert latest is not None
            assert latest.run_id == run.name, "asked for out of turn"


def _ids(store: Any) -> list[str]:
    job = (store.get("nightshift_job") or {}).get("id")
    return job.split(",") if job else []


@pytest.fixture(scope="module")
def alive(site: FlexDeployStandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch, mortal(), comms_of(Airflow(site.url, tmp_path_factory.mktemp("any"))):
        # A successor waits so long until a request that nobody saw leave cannot leave any more.
        patch.setattr(FlexDeployAdapter, "send_within", 3.0)
        yield


@pytest.mark.usefixtures("alive")
@pytest.mark.parametrize("seed", range(STORIES))
def test_a_story(vendor: FlexDeployStandIn, tmp_path: Path, seed: int) -> None:
    vendor.turn(build_seconds=0.0, deploy_seconds=[0.0, 0.05][seed % 2], utility_seconds=0.0)
    story = Story(vendor, tmp_path, seed)
    try:
        story.tell()
    except BaseException:
        print("\n".join(story.told))
        raise
