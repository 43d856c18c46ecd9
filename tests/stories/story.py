"""A story: promotions of one application or of two, told by a seed, with everything that happens to them."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from random import Random
from typing import Any

from include.standins import Fault, FaultKind
from include.standins.flexdeploy import LOGIN, PASSWORD, FlexDeployStandIn
from include.standins.flexdeploy.faulty import vendor_fault
from include.standins.flexdeploy.planted import DASHBOARD
from nightshift.errors import Ambiguous
from nightshift.jobs.record import RESOLUTION_KEY
from nightshift.lake.store import Lake
from nightshift.promotion.doubts import doubts_in, may_settle, settle
from nightshift.promotion.gate import OVERRIDE
from nightshift.promotion.recorder import StepUnfinished
from nightshift.promotion.vocabulary import PromotionOutcome
from tests.stories.airflow import Parked, Run
from tests.stories.clock import StoryClock
from tests.stories.fates import Fate
from tests.stories.happenings import Happenings
from tests.stories.line import Line
from tests.stories.promises import broken
from tests.stories.shapes import PEOPLE, Shape
from tests.stories.world import Answer, Claimed, Ledger

MOST_STEPS = 1000
CALM = 140
"""Steps after which nothing bad happens any more: from then on everything has to come to its end."""
LONGER = 4000.0
"""Seconds after which FlexDeploy is through with whatever it was at work on."""
STARTS = r"/(build|deploy|execute)$"
FATES = (Fate.KILLED_BEFORE, Fate.KILLED_AFTER, Fate.FROZEN_BEFORE, Fate.FROZEN_AFTER)
SLOW = (Fate.SLOW_BEFORE, Fate.SLOW_AFTER)


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
        self.seed, self.random = seed, Random(seed)
        self.vendor, self.clock = vendor, clock
        os.environ["NIGHTSHIFT_LAKE"] = str(folder / "lake")
        self.folder, self.ledger = folder / "lake", Ledger(vendor)
        self.lake = Lake.from_url(str(self.folder))
        self.rough = self.random.choice([0.25, 0.5, 1.0])
        """How much happens: some stories have to come as far as the last stage."""
        self.told: list[str] = []
        self.ends: set[tuple[str, str]] = set()
        """Tasks, and how an attempt of them ended: what this story is about."""
        self.calm = False
        self.lines = [self._line(Shape.drawn(self.random), "ab", by_hand=self.random.random() < 0.4)]
        if self.random.random() < 0.2:
            other = Shape.drawn(self.random, name="dashboard", project=DASHBOARD)
            self.lines.append(self._line(other, "x", by_hand=False))
        self.happenings = Happenings(self)
        long = self.random.random() < 0.6
        vendor.turn(build_seconds=0.0, deploy_seconds=3600.0 if long else 0.0, utility_seconds=600.0 if long else 0.0)

    def _line(self, shape: Shape, nights: str, *, by_hand: bool) -> Line:
        line = Line.laid(shape, self.folder, self.ledger, self.clock)
        line.airflow.meanwhile = self._meanwhile
        for number, name in enumerate(nights):
            line.start(name, f"2026-11-{21 + number}", None)
        if by_hand:
            line.start("c", None, "ann")
        return line

    def tell(self) -> None:
        """Tell it to its end.

        :raises BrokenPromise: a promise did not hold
        :raises Stuck: it has no end
        """
        for number in range(MOST_STEPS):
            self.calm = self.calm or number >= CALM
            if self.calm:
                self.thaw_all()
                self.happenings.let_go()
                self._settle()
            runs = self.underway()
            if not runs:
                self.thaw_all()
                if not self.underway():
                    break
                continue
            self._step(*self._next(runs))
            if not self.calm:
                self.happenings.happen()
        self._judge()
        if self.underway():
            raise Stuck("\n".join(self.told[-12:]))

    def _next(self, runs: list[tuple[Line, Run]]) -> tuple[Line, Run]:
        """Choose the run that goes on: seldom one that waits for its turn, which is many looks at the same."""
        waiting = [one for one in runs if "begin" in one[1].parked]
        others = [one for one in runs if one not in waiting]
        return self.random.choice(waiting if waiting and (not others or self.random.random() < 0.15) else others)

    def underway(self) -> list[tuple[Line, Run]]:
        """Return the runs that have something to do."""
        return [(line, run) for line in self.lines for run in line.airflow.runs.values() if line.is_underway(run)]

    def connections(self) -> dict[str, Any]:
        """The connections of this Airflow."""
        flexdeploy = {"conn_type": "flexdeploy", "host": self.vendor.url, "login": LOGIN, "password": PASSWORD}
        return {
            "flexdeploy_default": {**flexdeploy, "extra": '{"paths": {}}'},
            "portal": {"conn_type": "http", "host": self.vendor.url},
        }

    # What the runs do.

    def _step(self, line: Line, run: Run) -> None:
        task = line.airflow.next_task(run)
        assert task is not None
        parked = run.parked.get(task)
        if parked is None:
            self._fault(task)
            state, error = line.airflow.attempt(run, task, self._fate(task))
        else:
            event = self._event(line, run, task, parked)
            if event is None:
                return
            state, error = line.airflow.resume(run, task, event, self._fate(task))
        self.tell_of(f"{run.name} {task}: {state} {error or ''}")
        self.ends.add((task, state))
        self.note(line, run)
        if state == "parked" and _asks(run.parked[task]):
            line.asked_with.setdefault((run.name, task), line.airflow.shown(run, task))
        if state == "failed" and error is not None:
            self._failed(line, run, task, error)
        record = line.record(run.name) if (task, state) == ("close", "success") else None
        if record is not None and record.outcome is PromotionOutcome.PROMOTED:
            version = line.world.version_of(run.name)
            line.world.claimed.append(Claimed(run.name, version, record.stages, self.ledger.seen))
        if line.airflow.next_task(run) is None:
            run.alive = False

    def note(self, line: Line, run: Run, *, given_up: bool = False) -> None:
        """Take note of what an attempt of a run has done at FlexDeploy."""
        self.vendor.faults.clear()
        new = self.ledger.look(line.world, run.name, given_up=given_up)
        if new:
            self.tell_of(
                f"    FlexDeploy: {', '.join(f'{one.kind} {one.request} {one.stage} {one.version}' for one in new)}"
            )
        if (record := line.record(run.name)) is not None:
            line.known |= {number for step in record.steps for number in step.requests}
        for task in run.stores:
            line.known |= line.job_of(run, task)

    def _failed(self, line: Line, run: Run, task: str, error: BaseException) -> None:
        """Do what Airflow does, and what a person does who reads the message."""
        if isinstance(error, Ambiguous) and (self.calm or self.random.random() < 0.7):
            self.move(60)
            self._resolve(line, run, task, {"resubmit": True})
        elif isinstance(error, StepUnfinished) and self.calm:
            # As it says: else a doubt behind what was marked could never be ended.
            named = str(error.advice).partition("Clear ")[2].partition(" ")[0]
            line.clear(run, named, turn=len(self.told), anew=False)
        elif line.airflow.may_try_again(run, task, error) and self.random.random() < 0.8:
            del run.states[task]
            self.move(60)

    def _settle(self) -> None:
        """Say how it ended where a run that is over has left it in doubt, as a person does who reads why others wait."""
        for line in self.lines:
            for run in line.airflow.runs.values():
                record = None if run.alive else line.record(run.name)
                for step in [] if record is None else doubts_in(record):
                    # A task behind one that failed does not take the word up: Airflow does not run it.
                    if RESOLUTION_KEY in run.stores[step.task] and may_settle(record, step):
                        self.move(LONGER)
                        asyncio.run(settle(line.records, run.name, step.task, by="ann", why="I looked"))
                        self.tell_of(f"{run.name} {step.task}: ann says that it is over")
                    else:
                        self._resolve(line, run, step.task, {"over": True})

    def _resolve(self, line: Line, run: Run, task: str, otherwise: dict[str, Any]) -> None:
        """Say what became of work: which request it is, where FlexDeploy has one that nobody knows."""
        # What a person takes for the work of a step is of its kind; a version from before a clear is none of it.
        name = task.rpartition(".")[2]
        kind = {"build": "build_made", "deploy": "deploy_made"}.get(name, "utility_run")
        version = line.world.version_of(run.name) if name == "deploy" and "roll_back" not in task else None
        unknown = [
            one
            for one in line.world.made.values()
            if one.request not in line.known
            and (one.run, one.kind) == (run.name, kind)
            and version in (None, one.version)
        ]
        word = {"adopt": str(unknown[-1].request)} if unknown else otherwise
        run.stores[task][RESOLUTION_KEY] = {**word, "by": "ann", "why": "I looked"}
        line.clear(run, task, turn=len(self.told), anew=False)
        self.tell_of(f"{run.name} {task}: ann says {word}")

    def _event(self, line: Line, run: Run, task: str, parked: Parked) -> Any:
        """Return what a task that waits is woken by; ``None``: nothing yet."""
        looks = parked.trigger is not None and parked.trigger.serialize()[1].get("asked")
        if looks and (run.name, task) in line.airflow.kept:
            # Airflow takes no second answer; who looks for the first one finds it.
            return line.airflow.fired(parked)
        late = parked.until is not None and self.clock.now.timestamp() >= parked.until
        if _asks(parked) and late:
            self.tell_of(f"{run.name} {task}: nobody answers in time")
            return {**self._said("Reject", None), "timedout": True}
        if _asks(parked) and (self.calm or self.random.random() < 0.6):
            return self._answer(line, run, task)
        if parked.question:
            self.move(600)
            return None
        self.move(self.random.choice([5.0, 60.0, 600.0, 1800.0]))
        if looks and not _asks(parked) and (self.calm or self.random.random() < 0.2):
            return self._override(line, run, task)
        return line.airflow.fired(parked)

    def _answer(self, line: Line, run: Run, task: str) -> Any:
        """Let somebody answer."""
        option = "Reject" if self.random.random() < 0.08 else "Approve"
        by = self.random.choice(PEOPLE)
        version = line.world.version_of(run.name)
        line.world.answers.append(
            Answer(
                run=run.name,
                task=task,
                by=by,
                option=option,
                at=self.clock.now.timestamp(),
                after=self.ledger.seen,
                version=version,
                tickets=line.asked_with.get((run.name, task), ()),
                turn=len(self.told),
            )
        )
        self.tell_of(f"{run.name} {task}: {by} says {option} of {version}")
        said = self._said(option, by, reason=self.random.choice(["", "I looked"]))
        return line.airflow.keep(run, task, said)

    def _override(self, line: Line, run: Run, task: str) -> Any:
        """Let somebody override a freeze; who gives no reason overrides nothing."""
        reason = "it burns" if self.calm or self.random.random() < 0.8 else " "
        if reason.strip():
            # Only Airflow's answer says who it is; here it is somebody who is named.
            line.world.overridden.append((run.name, task, self.ledger.seen))
        self.tell_of(f"{run.name} {task}: dan overrides the freeze because {reason!r}")
        return line.airflow.keep(run, task, self._said(OVERRIDE, "dan", reason=reason))

    def _said(self, option: str, by: str | None, **fields: str) -> dict[str, Any]:
        """Return an answer as Airflow hands it to the task."""
        return {
            "chosen_options": [option],
            "params_input": fields,
            "responded_at": self.clock.now,
            "responded_by_user": None if by is None else {"id": by, "name": by},
            "timedout": by is None,
        }

    # What becomes of their attempts.

    def _fate(self, task: str) -> tuple[Fate, int | str] | None:
        if self.calm or self.random.random() > 0.45 * self.rough:
            return None
        chance = self.random.random()
        if chance < 0.12:
            return Fate.LAKE_AWAY, self.random.randint(1, 12)
        if chance < 0.35:
            return self.random.choice(SLOW), self.random.choice([2, 2, 2, 3, "submit", self.random.randint(1, 6)])
        return self.random.choice(FATES), "submit" if self.random.random() < 0.4 else self.random.randint(1, 9)

    def _meanwhile(self, run: Run, task: str) -> None:
        """Let things happen while an attempt is slow, and another scheduler be at work."""
        line = next(one for one in self.lines if one.airflow.runs.get(run.name) is run)
        self.tell_of(f"{run.name} {task} is slow")
        self.note(line, run)
        if self.random.random() < 0.3:
            others = self.underway()
            if others:
                self._step(*self.random.choice(others))
        self.happenings.meanwhile(line, run)

    def _fault(self, task: str) -> None:
        """Let FlexDeploy lose an answer, or fail at what it is asked for."""
        if self.calm:
            return
        chance = self.random.random()
        if chance < 0.06:
            self.vendor.faults.add(Fault(kind=FaultKind.ACCEPT_THEN_DROP, method="POST", path=STARTS))
        elif chance < 0.09:
            self.vendor.faults.add(Fault(kind=FaultKind.STATUS, method="POST", path=STARTS, status=503))
        elif chance < (0.22 if task == "TEST.deploy" else 0.15) and task.endswith(("deploy", "stop")):
            self.vendor.faults.add(vendor_fault("run_fails"))

    def thaw(self, line: Line, one: Any) -> None:
        """Let an attempt that stands still go on, to its end."""
        self.tell_of(f"{one.words} goes on")
        line.airflow.thaw(one)
        self.note(line, one.run, given_up=True)

    def thaw_all(self) -> None:
        for line in self.lines:
            for one in list(line.airflow.frozen):
                self.thaw(line, one)

    def move(self, seconds: float) -> None:
        """Let time pass, here and at FlexDeploy."""
        self.clock.move(seconds)
        self.vendor.settle()

    def tell_of(self, line: str) -> None:
        self.told.append(f"{self.clock.now:%d %H:%M:%S} {line}"[:240])

    def _judge(self) -> None:
        found: dict[str, list[str]] = {}
        for line in self.lines:
            for name, how in broken(line.world).items():
                found.setdefault(name, []).extend(how)
        if found:
            raise BrokenPromise(found)


def _asks(parked: Parked) -> bool:
    """Whether a task waits for the answer to a question whether something may go on."""
    return parked.question or (parked.method == "execute_complete" and parked.trigger is not None)
