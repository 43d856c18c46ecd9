"""What happens to promotions from outside: by people, by FlexDeploy's own users, by the clock, by Airflow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

import httpx

from include.standins.flexdeploy import LOGIN, PASSWORD
from include.standins.flexdeploy.planted import DEV
from nightshift.lake.errors import Contended
from nightshift.promotion.holds import hold, lift
from nightshift.promotion.record import Version
from nightshift.promotion.revoked import report
from tests.stories.airflow import Run
from tests.stories.line import FROZEN_FROM, Line
from tests.stories.world import SOMEBODY, Closed, Given, Made, Reported

if TYPE_CHECKING:
    from tests.stories.story import Story

UNMARKED = ("begin", "close")
"""Tasks that nobody marks: without the first there is no record, and the last one only says how it ended."""


class Happenings:
    """Draws what happens next.

    :param story: what it happens in
    """

    def __init__(self, story: Story) -> None:
        self.story, self.random = story, story.random
        # Of their own, so that the seeds of before tell the same.
        self._whims = Random(f"whims of {story.seed}")
        self._anew: set[str] = set()
        self._drawn: list[tuple[float, Callable[[Line, Run], None]]] = [
            (0.02, self._fail),
            (0.04, self._clear),
            (0.05, self._mark),
            (0.06, self._mark_ahead),
            (0.04, self._configure),
            (0.03, self._turn_bad),
            (0.03, self._report),
            (0.03, self._hold_or_lift),
            (0.04, self._clock),
            (0.03, self._build_elsewhere),
            (0.03, self._start_by_hand),
        ]

    def happen(self) -> None:
        """Let one thing happen, or nothing but a little time."""
        chance = self.random.random() / self.story.rough
        frozen = [(line, one) for line in self.story.lines for one in line.airflow.frozen]
        if chance < 0.12 and frozen:
            self.story.thaw(*self.random.choice(frozen))
            return
        line = self.random.choice(self.story.lines)
        whim = self._whims.random()
        if (whim < 0.15 and self._marked_back(line)) or (whim > 0.9 and self._done_anew(line)):
            return
        run = self.random.choice(list(line.airflow.runs.values()))
        chance -= 0.12
        for share, what in self._drawn:
            if 0 <= chance < share:
                what(line, run)
                return
            chance -= share
        self.story.move(self.random.choice([0.0, 1.0, 20.0]))

    def meanwhile(self, line: Line, run: Run) -> None:
        """Let something happen that the attempt of a run may have to see, and time pass."""
        what = self.random.choice(
            [self._hold, self._hold, self._into_the_freeze, self._report, self._configure, self._build_elsewhere, None]
        )
        if what is not None:
            what(line, run)
        self.story.move(self.random.choice([1.0, 45.0, 90.0]))

    def let_go(self) -> None:
        """End all that a person has put in the way."""
        while self._lift():
            pass

    # Airflow, and whoever presses there.

    def _fail(self, line: Line, run: Run) -> None:
        run.alive = False
        self.story.tell_of(f"{run.name} is marked failed")

    def _clear(self, line: Line, run: Run) -> None:
        begun = [task for task in line.airflow.order() if run.states.get(task) and task != "close"]
        if begun:
            chosen = self.random.choice(begun)
            # What waits is cleared as well, by whoever has lost patience.
            waiting = [task for task in run.parked if task != "begin"]
            if waiting and self._whims.random() < 0.6:
                chosen = self._whims.choice(waiting)
            self._cleared(line, run, chosen)

    def _cleared(self, line: Line, run: Run, task: str) -> None:
        with_state = self._whims.random() < 0.4
        line.clear(run, task, turn=len(self.story.told), with_state=with_state)
        self.story.tell_of(f"{run.name} is cleared from {task}{', with its state' if with_state else ''}")

    def _mark(self, line: Line, run: Run) -> None:
        """Mark a task as a success, as anybody can at any time: one that failed with what follows cleared, or the next
        one.
        """
        asked = [one for one in line.airflow.runs.values() if any(parked.question for parked in one.parked.values())]
        if asked and self.random.random() < 0.5:
            run = self.random.choice(asked)
        failed = [task for task, state in run.states.items() if state == "failed" and task not in UNMARKED]
        if failed:
            task: str | None = self.random.choice(failed)
            line.clear(run, str(task), turn=len(self.story.told))
        else:
            task = line.airflow.next_task(run)
        if task is not None and task not in UNMARKED:
            self._marked(run, [task])

    def _marked_back(self, line: Line) -> bool:
        """Mark the question whether a version is brought back, which comes seldom; whether there was one."""
        asked = [run for run in line.airflow.runs.values() if "roll_back.approve" in run.parked]
        for run in asked:
            self._marked(run, ["roll_back.approve"])
        return bool(asked)

    def _done_anew(self, line: Line) -> bool:
        """Have what was approved built or deployed anew, once, by somebody who takes what was said or seen of it before
        for true of what comes; whether there was something.
        """
        for run in line.airflow.runs.values():
            if run.name in self._anew or run.states.get("TEST.approve") != "success" or run.states.get("TEST.deploy"):
                continue
            self._anew.add(run.name)
            task = self._whims.choice(["build", "DEV.deploy"])
            told = ["TEST.approve"] if task == "build" else [one for one in run.states if one.startswith("DEV.")]
            line.clear(run, task, turn=len(self.story.told))
            self.story.tell_of(f"{run.name} is cleared from {task}")
            self._marked(run, [one for one in told if one != task])
            return True
        return False

    def _mark_ahead(self, line: Line, run: Run) -> None:
        """Mark what has not begun: a task, or all that is left of a stage but its question."""
        ahead = [task for task in line.airflow.order() if not run.states.get(task) and task not in UNMARKED]
        ahead = [task for task in ahead if task.partition(".")[0] in line.world.rules]
        if not ahead or run.states.get("begin") != "success":
            return
        stage, _, _ = ahead[0].partition(".")
        left = [task for task in ahead if task.startswith(f"{stage}.") and not task.endswith(".approve")]
        self._marked(run, left if self.random.random() < 0.6 else [self.random.choice(ahead)])

    def _marked(self, run: Run, tasks: list[str]) -> None:
        for task in tasks:
            run.parked.pop(task, None)
            run.states[task] = "success"
        self.story.tell_of(f"{run.name}: marked success: {', '.join(tasks)}")

    def _configure(self, line: Line, run: Run) -> None:
        tickets = ("CHG-2",) if line.shape.tickets == ("CHG-1",) else ("CHG-1",)
        line.configure(line.shape._replace(tickets=tickets))
        self.story.tell_of(f"configured: {tickets}")

    def _start_by_hand(self, line: Line, run: Run) -> None:
        """Start a run for a version that there is, from TEST on; in an emergency it need not have been in DEV."""
        there = [one.version for one in line.world.builds()]
        if not there or "d" in line.airflow.runs or line is not self.story.lines[0]:
            return
        emergency = "it burns" if self.random.random() < 0.4 else ""
        first = "TEST" if emergency or self.random.random() < 0.8 else "DEV"
        given = Given(self.random.choice(there), first, self.story.clock.now.timestamp(), emergency)
        line.start("d", None, self.random.choice(["ann", "ben"]), given)
        self.story.tell_of(f"d is started with {given.version} from {first} on {emergency}")

    # FlexDeploy, and what runs there.

    def _turn_bad(self, line: Line, run: Run) -> None:
        """Let a version turn bad, or be well again."""
        there = [one for one in line.world.deploys() if line.world.rules[one.stage].verified]
        if not there:
            return
        line.bad ^= {self.random.choice(there[-2:]).version}
        bad = sorted({version for one in self.story.lines for version in one.bad})
        self.story.vendor.turn(bad_versions=bad)
        self.story.tell_of(f"bad by now: {bad}")

    def _build_elsewhere(self, line: Line, run: Run) -> None:
        """Let somebody build in FlexDeploy itself: a version that no promotion has built."""
        body = {"environmentId": DEV, "streamId": line.shape.project + 400, "forceBuild": True}
        url = f"{self.story.vendor.url}/rest/v1/project/{line.shape.project}/build"
        # No TLS is spoken on loopback, and to load the roots of it is slow.
        with httpx.Client(verify=False) as somebody:
            somebody.post(url, json=body, auth=(LOGIN, PASSWORD)).raise_for_status()
        new = line.world.ledger.look(line.world, SOMEBODY)
        self.story.tell_of(f"somebody builds in FlexDeploy: {[one.version for one in new]}")

    # People.

    def _report(self, line: Line, run: Run) -> None:
        """Let a person say that what a promotion brought to a stage is bad, mostly the one that goes on."""
        there = line.world.deploys()
        if not there:
            return
        one: Made = self.random.choice([there[-1], there[-1], *there[-3:]])
        try:
            said = asyncio.run(
                report(line.records, one.run, one.stage, Version(id=one.version), by="dan", why="it is slow")
            )
        except (ValueError, Contended):
            return
        at = self.story.clock.now.timestamp()
        line.world.reported.append(Reported(said.version.id, one.stage, line.world.seen, at))
        self.story.tell_of(f"dan reports {said.version.id} in {one.stage}")

    def _hold_or_lift(self, line: Line, run: Run) -> None:
        if not self._lift():
            self._hold(line, run)

    def _hold(self, line: Line, run: Run) -> None:
        """Stop an application, or all; one hold of all and one of it may stand at once."""
        of_all = self.random.random() < 0.3
        name = None if of_all else line.shape.name
        found = asyncio.run(hold(self.story.lake, application=name, by="ann", reason="a fire", until=None))
        at = self.story.clock.now.timestamp()
        for one in self.story.lines if of_all else [line]:
            held = Closed(f"held ({found.id})", tuple(one.world.rules), one.world.seen, at, hold_id=found.id)
            one.world.closed.append(held)
        self.story.tell_of(f"ann stops {name or 'all'} ({found.id})")

    def _lift(self) -> bool:
        """Lift a hold that stands; whether there was one."""
        every = [one for line in self.story.lines for one in line.world.closed if one.hold_id and one.lifted is None]
        if not every:
            return False
        chosen = self.random.choice(every).hold_id
        asyncio.run(lift(self.story.lake, chosen, by="ben", reason="it is out"))
        for one in every:
            if one.hold_id == chosen:
                one.lifted = self.story.ledger.seen
        self.story.tell_of(f"ben lifts {chosen}")
        return True

    # The clock.

    def _clock(self, line: Line, run: Run) -> None:
        seconds = self.random.choice([-90.0, 3600.0, 86400.0])
        self.story.move(seconds)
        self.story.tell_of(f"the clock moves by {seconds}")

    def _into_the_freeze(self, line: Line, run: Run) -> None:
        """Let so much time pass that the freeze has just begun."""
        left = FROZEN_FROM + 5 - self.story.clock.now.timestamp()
        if left > 0:
            self.story.move(left)
            self.story.tell_of("the freeze begins")
