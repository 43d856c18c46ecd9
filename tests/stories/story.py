"""A story: promotions of one application, told by a seed, with everything that happens to them."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from include.standins import Fault, FaultKind
from include.standins.flexdeploy import LOGIN, PASSWORD, FlexDeployStandIn
from include.standins.flexdeploy.faulty import vendor_fault
from include.standins.flexdeploy.planted import PORTAL, RESTART
from nightshift.config.freezes import NO_FREEZES, Freeze, FreezeRules
from nightshift.config.promotions import Application
from nightshift.errors import Ambiguous
from nightshift.jobs.record import RESOLUTION_KEY
from nightshift.lake.errors import Contended
from nightshift.lake.store import Lake
from nightshift.promotion.doubts import doubts_in
from nightshift.promotion.flow import promotion_dag
from nightshift.promotion.holds import hold, lift
from nightshift.promotion.record import PromotionRecord
from nightshift.promotion.revoked import report
from nightshift.promotion.store import Records
from tests.crash.promotion.night import Airflow
from tests.stories.airflow import MiniAirflow, Parked, Run
from tests.stories.clock import StoryClock
from tests.stories.fates import Fate
from tests.stories.promises import broken
from tests.stories.world import STAGES, Answer, Closed, Rules, World

NAME = "portal"
MOST_STEPS = 1000
CALM = 140
"""Steps after which nothing bad happens any more: from then on everything has to come to its end."""
STARTS = r"/(build|deploy|execute)$"
FATES = (Fate.KILLED_BEFORE, Fate.KILLED_AFTER, Fate.FROZEN_BEFORE, Fate.FROZEN_AFTER)
PEOPLE = ("ann", "ben", "cid", "dan")
SOAK = 7200.0
FREEZE = Freeze.model_validate(
    {
        "name": "audit",
        "reason": "the auditors are here",
        "timezone": "UTC",
        "from": "2026-11-23 09:00",
        "to": "2026-11-23 15:00",
        "stages": ["TEST"],
        "override": ["dan"],
    }
)


class Shape(NamedTuple):
    """What is configured in a story.

    :param tickets: change tickets of the stage TEST
    :param force: deploy even what is there
    :param full: with verification, soak, several approvers and freezes, not just the ten lines
    """

    tickets: tuple[str, ...]
    force: bool
    full: bool

    @property
    def rules(self) -> Rules:
        if not self.full:
            return Rules()
        return Rules(at_least=2, not_requester=True, verified=True, soak=SOAK, rolled_back_by_rule=("DEV",))


@cache
def dag_of(shape: Shape) -> Any:
    """The DAG of the application."""
    at: dict[str, dict[str, Any]] = {
        "DEV": {"environment_id": 11001, "name": "DEV", "force": shape.force},
        "TEST": {
            "environment_id": 11002,
            "name": "TEST",
            "approval": {"users": list(PEOPLE)},
            "before": [{"name": "stop", "project_id": RESTART, "inputs": {"SERVICE": "portal"}}],
            "change_tickets": list(shape.tickets),
            "force": shape.force,
        },
    }
    more: dict[str, Any] = {}
    if shape.full:
        at["DEV"] |= {"verify": {"probes": [_probe("DEV")]}, "soak": "2h", "on_failure": "roll_back"}
        at["TEST"] |= {"verify": {"probes": [_probe("TEST")]}}
        at["TEST"]["approval"] |= {"at_least": 2, "not_requester": True}
    config = Application.model_validate(
        {
            "project_id": PORTAL,
            "stream_id": PORTAL + 400,
            "build": {"environment_id": 11001, "force": True},
            "stages": [at["DEV"], at["TEST"]],
            "roll_back": {"approval": {"users": list(PEOPLE)}},
            **more,
        }
    )
    return promotion_dag(NAME, config, FreezeRules((FREEZE,)) if shape.full else NO_FREEZES, doc_md=None)


def _probe(stage: str) -> dict[str, Any]:
    path = f"/apps/{stage}/{PORTAL}/health"
    return {
        "connection": "portal",
        "path": path,
        "expect": {"$.versionId": "${version_id}"},
        "tries": 3,
        "every": "30s",
    }


class BrokenPromise(AssertionError):
    """A story broke a promise.

    :param promises: names of those that were broken
    """

    def __init__(self, promises: dict[str, list[str]]) -> None:
        super().__init__("; ".join(f"{name}: {', '.join(how)}" for name, how in promises.items()))
        self.promises = promises


class Stuck(AssertionError):
    """A story does not end although nothing holds it."""


class Story:
    """Promotions, told by a seed.

    :param vendor: the stand-in
    :param folder: an empty folder for the lake
    """

    def __init__(self, vendor: FlexDeployStandIn, folder: Path, seed: int, clock: StoryClock) -> None:
        self.random = Random(seed)
        self.vendor, self.clock = vendor, clock
        os.environ["NIGHTSHIFT_LAKE"] = str(folder / "lake")
        lake = Airflow(vendor.url, folder)
        lake.ran_before()
        self.lake = Lake.from_url(str(folder / "lake"))
        self.records = Records(self.lake, NAME)
        self.bad: set[int] = set()
        self.rough = self.random.choice([0.25, 0.5, 1.0])
        """How much happens: some stories have to come as far as the last stage."""
        self.shape = Shape(("CHG-1",), self.random.random() < 0.5, self.random.random() < 0.7)
        self.airflow = MiniAirflow(dag_of(self.shape), clock)
        self.world = World(vendor, self.shape.rules)
        self.told: list[str] = []
        self.calm = False
        self.asked_with: dict[tuple[str, str], tuple[str, ...]] = {}
        self.known: set[int] = set()
        for name, night, by in (("a", "2026-11-21", None), ("b", "2026-11-22", None), ("c", None, "ann")):
            if name == "c" and self.random.random() < 0.6:
                continue
            self.airflow.runs[name] = Run(name, night, by, {"version_id": None, "force_build": False})
            self.world.started_by[name] = by
        if self.shape.full:
            since, until = (datetime(2026, 11, 23, hour, tzinfo=UTC).timestamp() for hour in (9, 15))
            self.world.closed.append(Closed("frozen (audit)", ("TEST",), 0, since, until))
        long = self.random.random() < 0.6
        vendor.turn(build_seconds=0.0, deploy_seconds=3600.0 if long else 0.0, utility_seconds=600.0 if long else 0.0)

    def tell(self) -> None:
        """Tell it to its end.

        :raises BrokenPromise: a promise did not hold
        :raises Stuck: it has no end
        """
        for number in range(MOST_STEPS):
            self.calm = self.calm or number >= CALM
            if self.calm:
                self._thaw_all()
                self._let_go()
                self._settle()
            runs = [one for one in self.airflow.runs.values() if one.alive and self.airflow.next_task(one)]
            if not runs:
                self._thaw_all()
                if not any(one.alive and self.airflow.next_task(one) for one in self.airflow.runs.values()):
                    break
                continue
            self._step(self.random.choice(runs))
            if not self.calm:
                self._happen()
        self._judge()
        if any(one.alive and self.airflow.next_task(one) for one in self.airflow.runs.values()):
            raise Stuck("\n".join(self.told[-12:]))

    def connections(self) -> dict[str, Any]:
        """The connections of this Airflow."""
        flexdeploy = {"conn_type": "flexdeploy", "host": self.vendor.url, "login": LOGIN, "password": PASSWORD}
        return {
            "flexdeploy_default": {**flexdeploy, "extra": '{"paths": {}}'},
            "portal": {"conn_type": "http", "host": self.vendor.url},
        }

    # What the runs do.

    def _step(self, run: Run) -> None:
        task = self.airflow.next_task(run)
        assert task is not None
        parked = run.parked.get(task)
        if parked is None:
            self._fault(task)
            state, error = self.airflow.attempt(run, task, self._fate())
        else:
            event = self._event(run, task, parked)
            if event is None:
                return
            state, error = self.airflow.resume(run, task, event, self._fate())
        self._tell(f"{run.name} {task}: {state} {error or ''}")
        self._note(run)
        if state == "parked" and run.parked[task].question:
            self.asked_with[run.name, task] = self.shape.tickets
        if state == "failed" and error is not None:
            self._failed(run, task, error)
        if self.airflow.next_task(run) is None:
            run.alive = False

    def _note(self, run: Run, *, given_up: bool = False) -> None:
        self.vendor.faults.clear()
        new = self.world.look(run.name, given_up=given_up)
        if new:
            self._tell(
                f"    FlexDeploy: {', '.join(f'{one.kind} {one.request} {one.stage} {one.version}' for one in new)}"
            )
        if (record := self.record(run.name)) is not None:
            self.known |= {number for step in record.steps for number in step.requests}
        for store in run.stores.values():
            job = (store.get("nightshift_job") or {}).get("id")
            self.known |= {int(number) for number in job.split(",")} if job else set()

    def _failed(self, run: Run, task: str, error: BaseException) -> None:
        """Do what Airflow does, and what a person does who reads the message."""
        if isinstance(error, Ambiguous) and (self.calm or self.random.random() < 0.7):
            unknown = [one for one in self.world.made.values() if one.request not in self.known and one.run == run.name]
            word = {"adopt": str(unknown[-1].request)} if unknown else {"resubmit": True}
            self._move(60)
            run.stores[task][RESOLUTION_KEY] = {**word, "by": "ann", "why": "I looked"}
            self.airflow.clear(run, task)
            self._tell(f"{run.name} {task}: ann says {word}")
        elif self.airflow.may_try_again(run, task, error) and self.random.random() < 0.8:
            del run.states[task]
            self._move(60)

    def _settle(self) -> None:
        """Say how it ended where a run that is over has left it in doubt, as a person does who reads why others wait."""
        for run in self.airflow.runs.values():
            record = None if run.alive else self.record(run.name)
            for step in [] if record is None else doubts_in(record):
                unknown = [
                    one for one in self.world.made.values() if one.request not in self.known and one.run == run.name
                ]
                word = {"adopt": str(unknown[-1].request)} if unknown else {"over": True}
                run.stores[step.task][RESOLUTION_KEY] = {**word, "by": "ann", "why": "I looked"}
                self.airflow.clear(run, step.task)
                self._tell(f"{run.name} {step.task}: ann says {word}")

    def _event(self, run: Run, task: str, parked: Parked) -> Any:
        """Return what a task that waits is woken by; ``None``: nothing yet."""
        if parked.question and parked.until is not None and self.clock.now.timestamp() >= parked.until:
            self._tell(f"{run.name} {task}: nobody answers in time")
            return {**self._said("Reject", None), "timedout": True}
        if parked.question:
            return self._answer(run, task)
        self._move(self.random.choice([5.0, 60.0, 600.0, 1800.0]))
        if parked.trigger.serialize()[1].get("asked") and (self.calm or self.random.random() < 0.2):
            # Only Airflow's answer says who it is; here it is somebody who is named.
            self.world.overridden.append((run.name, task.partition(".")[0], self.world.seen))
            self._tell(f"{run.name} {task}: dan overrides the freeze")
            return self._said("Override the freeze", "dan", reason="it burns")
        return self.airflow.fired(parked)

    def _answer(self, run: Run, task: str) -> Any:
        """Let somebody answer, at some time."""
        if not self.calm and self.random.random() < 0.4:
            self._move(600)
            return None
        option = "Reject" if self.random.random() < 0.08 else "Approve"
        by = self.random.choice(PEOPLE)
        version = self.world.newest_build(run.name)
        self.world.answers.append(
            Answer(
                run=run.name,
                task=task,
                by=by,
                option=option,
                at=self.clock.now.timestamp(),
                after=self.world.seen,
                version=version,
                tickets=self.asked_with.get((run.name, task), ()),
            )
        )
        self._tell(f"{run.name} {task}: {by} says {option} of {version}")
        return self._said(option, by, reason=self.random.choice(["", "I looked"]))

    def _said(self, option: str, by: str | None, **fields: str) -> dict[str, Any]:
        """Return an answer as Airflow hands it to the task."""
        return {
            "chosen_options": [option],
            "params_input": fields,
            "responded_at": self.clock.now,
            "responded_by_user": None if by is None else {"id": by, "name": by},
            "timedout": by is None,
        }

    def record(self, run: str) -> PromotionRecord | None:
        return asyncio.run(self.records.read(run))

    # What happens to them.

    def _fate(self) -> tuple[Fate, int | str] | None:
        if self.calm or self.random.random() > 0.35 * self.rough:
            return None
        if self.random.random() < 0.15:
            return Fate.LAKE_AWAY, self.random.randint(1, 12)
        return self.random.choice(FATES), "submit" if self.random.random() < 0.4 else self.random.randint(1, 9)

    def _fault(self, task: str) -> None:
        """Let FlexDeploy lose an answer, or fail at what it is asked for."""
        if self.calm:
            return
        chance = self.random.random()
        if chance < 0.06:
            self.vendor.faults.add(Fault(kind=FaultKind.ACCEPT_THEN_DROP, method="POST", path=STARTS))
        elif chance < 0.09:
            self.vendor.faults.add(Fault(kind=FaultKind.STATUS, method="POST", path=STARTS, status=503))
        elif chance < 0.15 and task.endswith(("deploy", "stop")):
            self.vendor.faults.add(vendor_fault("run_fails"))

    def _happen(self) -> None:
        chance = self.random.random() / self.rough
        runs = list(self.airflow.runs.values())
        one = self.random.choice(runs)
        if chance < 0.12 and self.airflow.frozen:
            self._thaw(self.random.choice(self.airflow.frozen))
        elif chance < 0.14:
            one.alive = False
            self._tell(f"{one.name} is marked failed")
        elif chance < 0.18:
            begun = [task for task in self.airflow.order() if one.states.get(task) and task != "close"]
            if begun:
                task = self.random.choice(begun)
                cleared = self.airflow.clear(one, task)
                self.world.cleared += [(one.name, name, self.world.seen) for name in cleared]
                self._tell(f"{one.name} is cleared from {task}")
        elif chance < 0.24:
            self._mark(one)
        elif chance < 0.28:
            self.shape = self.shape._replace(tickets=("CHG-2",) if self.shape.tickets == ("CHG-1",) else ("CHG-1",))
            self.airflow.dag = dag_of(self.shape)
            self._tell(f"configured: {self.shape.tickets}")
        elif chance < 0.32:
            self._health()
        elif chance < 0.35:
            self._hold()
        elif chance < 0.39:
            seconds = self.random.choice([-90.0, 3600.0, 86400.0])
            self._move(seconds)
            self._tell(f"the clock moves by {seconds}")
        else:
            self._move(self.random.choice([0.0, 1.0, 20.0]))

    def _health(self) -> None:
        """Let a version turn bad, or be well again; or let a person say that one is bad."""
        there = [one for one in self.world.deploys() if one.stage == "DEV"]
        if not there or not self.shape.full:
            return
        one = self.random.choice(there[-2:])
        if self.random.random() < 0.3:
            try:
                asyncio.run(report(self.records, one.run, "DEV", by="dan", why="it is slow"))
            except (ValueError, Contended):
                return
            version = self.world.newest_build(one.run)
            if version is not None:
                self.world.reported.append((version, "DEV", self.world.seen, self.clock.now.timestamp()))
            self._tell(f"dan reports {version} in DEV")
            return
        self.bad ^= {one.version}
        self.vendor.turn(bad_versions=sorted(self.bad))
        self._tell(f"bad by now: {sorted(self.bad)}")

    def _hold(self) -> None:
        """Stop the line, or lift what stops it."""
        now = self.clock.now
        standing = [one for one in self.world.closed if one.hold_id and one.lifted is None]
        if standing:
            self._lift(standing[0])
            return
        found = asyncio.run(hold(self.lake, application=NAME, by="ann", reason="a fire", until=None))
        self.world.closed.append(
            Closed(f"held ({found.id})", STAGES, self.world.seen, now.timestamp(), hold_id=found.id)
        )
        self._tell("ann stops the line")

    def _lift(self, one: Closed) -> None:
        asyncio.run(lift(self.lake, one.hold_id, by="ben", reason="it is out"))
        one.lifted, one.until = self.world.seen, None
        self._tell("ben lets the line go on")

    def _mark(self, run: Run) -> None:
        """Mark a task as a success, as anybody can at any time: the next one, or one that failed."""
        failed = [task for task, state in run.states.items() if state == "failed" and task != "close"]
        task = self.random.choice(failed) if failed else self.airflow.next_task(run)
        if task in (None, "begin", "close"):
            return
        run.parked.pop(task, None)
        if failed:
            self.airflow.clear(run, task)
        run.states[task] = "success"
        self._tell(f"{run.name} {task} is marked success")

    def _thaw(self, one: Any) -> None:
        self._tell(f"{one.words} goes on")
        self.airflow.thaw(one)
        self._note(one.run, given_up=True)

    def _thaw_all(self) -> None:
        for one in list(self.airflow.frozen):
            self._thaw(one)

    def _move(self, seconds: float) -> None:
        self.clock.move(seconds)
        self.vendor.settle()

    def _let_go(self) -> None:
        """End all that a person has put in the way."""
        for one in self.world.closed:
            if one.hold_id and one.lifted is None:
                self._lift(one)

    def _tell(self, line: str) -> None:
        self.told.append(f"{self.clock.now:%d %H:%M:%S} {line}"[:240])

    def _judge(self) -> None:
        if found := broken(self.world):
            raise BrokenPromise(found)
