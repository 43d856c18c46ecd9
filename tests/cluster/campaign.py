"""The campaign: runs are started, stand at their points, are struck, and go on until every one of them has ended."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from include.local.promotions import ANSWER_AFTER
from include.local.rest import FINAL, Api, ApiError
from nightshift.jobs.record import RESOLUTION_KEY
from nightshift.lake.store import Lake
from nightshift.promotion.store import Records
from tests.cluster.carriers import Carrier
from tests.cluster.cases import Case, Victim
from tests.cluster.oracles import made_for
from tests.cluster.points import place
from tests.cluster.strikes import FROZEN_AT_MOST, Strikes
from tests.cluster.world import World

AT_ONCE = 12
"""Runs underway together."""
TOGETHER = 5
PATIENCE = 15.0
"""Seconds that one waits at its point for others that the same strike hits."""
TICK = 0.4
DOUBTS = 4
"""Times that a person looks at FlexDeploy for one run."""
QUESTIONS = 2.0
"""Seconds between looks for what people are asked."""


class Campaign:
    """One campaign.

    :param world: started
    :param carriers: the runs, in the order in which they are begun
    :param chance: decides what the seed leaves open
    :param say: told what is going on
    :param seconds: after which what has not ended is given up
    """

    def __init__(
        self,
        world: World,
        carriers: Sequence[Carrier],
        chance: random.Random,
        say: Callable[[str], None],
        *,
        seconds: float,
        at_once: int = AT_ONCE,
    ) -> None:
        self.world = world
        self.carriers = list(carriers)
        self.say = say
        self.until = time.monotonic() + seconds
        self.at_once = at_once
        self.strikes = Strikes(world.airflow, chance)
        self.api: Api = world.airflow.api
        self.struck: dict[Case, Victim] = {}
        self.restarts: list[str] = []
        self._cases: dict[str, Case] = {}
        self._since: dict[str, float] = {}
        self._asked_at = 0.0
        self._asked: dict[tuple[str, str, str], float] = {}

    def run(self) -> None:
        """Run it to its end."""
        for dag_id in sorted({one.dag_id for one in self.carriers}):
            self._surely(partial(self.api.unpause, dag_id))
        while time.monotonic() < self.until and not all(one.state in FINAL for one in self.carriers):
            self._look()
            self._begin()
            self._answer()
            self._strike()
            self._thaw()
            self.restarts += self.strikes.restart_what_ended()
            time.sleep(TICK)
        self._thaw(everything=True)
        self.strikes.wait()
        for one in self.carriers:
            if one.state not in FINAL:
                one.broken.append(f"it has not ended: {one.state or 'never begun'}")

    # Runs.

    def _look(self) -> None:
        rows = self._rows("SELECT dag_id, run_id, state FROM dag_run WHERE run_id LIKE 'case-%%'")
        states = {(dag_id, run_id): str(state) for dag_id, run_id, state in rows}
        for one in self.carriers:
            state = states.get((one.dag_id, one.run_id), "")
            if not state or state == one.state or one.state in FINAL:
                continue
            if state == "failed" and self._goes_on(one):
                state = "running"
            one.state = state
            if state in FINAL:
                self.say(f"{one}: {state}")
                for name in one.places():
                    self.world.board.disarm(name)

    def _begin(self) -> None:
        active = [one for one in self.carriers if one.begun and one.state not in FINAL]
        busy = {one.application for one in active if one.application}
        tree = any(one.flow == "exago" for one in active)
        for one in self.carriers:
            if one.begun or one.application in busy - {""} or (tree and one.flow == "exago"):
                continue
            if len(active) >= self.at_once:
                return
            for name, case in one.places().items():
                self._cases[name] = case
                self.world.board.arm(name)
            one.effects_before = max((effect.number for effect in self.world.flexdeploy.ledger.effects()), default=0)
            begin = partial(self.api.trigger, one.dag_id, partition_key=one.night, conf=one.conf(), run_id=one.run_id)
            begun = self._done(begin)
            if not begun:
                return
            one.begun = True
            active.append(one)
            busy.add(one.application)
            tree = tree or one.flow == "exago"

    def _answer(self) -> None:
        """Say yes to what is asked, as a person; to a roll-back no: what is in doubt is looked at first."""
        if time.monotonic() < self._asked_at + QUESTIONS:
            return
        self._asked_at = time.monotonic()
        for one in self.carriers:
            if not one.application or not one.begun or one.state in FINAL:
                continue
            for question in self._patiently(partial(self.api.questions, one.dag_id, one.run_id)) or []:
                task = question["task_instance"]["task_id"]
                first = self._asked.setdefault((one.dag_id, one.run_id, task), time.monotonic())
                if time.monotonic() - first > ANSWER_AFTER:
                    option = "Reject" if task.startswith("roll_back.") else "Approve"
                    self._done(partial(self.api.answer, one.dag_id, one.run_id, task, option))

    # Strikes.

    def _strike(self) -> None:
        held = {name: pid for name, pid in self.world.board.held().items() if name in self._cases}
        now = time.monotonic()
        for name in list(self._since):
            if name not in held:
                del self._since[name]
        frozen = {one.place for one in self.strikes.frozen}
        by: dict[Victim, dict[str, int]] = {}
        for name, pid in held.items():
            if name in frozen:
                continue
            if not Path(f"/proc/{pid}").exists():
                self._gone(name)
                continue
            self._since.setdefault(name, now)
            by.setdefault(self._cases[name].victim, {})[name] = pid
        for name, pid in by.pop(Victim.FREEZE, {}).items():
            self._freeze(name, pid)
        for name, pid in by.pop(Victim.TASK, {}).items():
            self.strikes.kill(pid)
            self.struck[self._cases[name]] = Victim.TASK
            self._go_on([name])
        due = {
            victim: those
            for victim, those in by.items()
            if len(those) >= TOGETHER or min(self._since[name] for name in those) < now - PATIENCE
        }
        if not due:
            return
        victim = max(due, key=lambda one: len(due[one]))
        self.say(f"strikes: {victim}, with {len(due[victim])} at their points")
        for name in due[victim]:
            self.struck[self._cases[name]] = victim
        self.strikes.strike(victim, due[victim], self._go_on)

    def _freeze(self, name: str, pid: int) -> None:
        tries = self._tries(name)
        if tries is None:
            return
        self.strikes.freeze(name, pid, tries)
        self.struck[self._cases[name]] = Victim.FREEZE
        self._go_on([name])

    def _go_on(self, names: Iterable[str]) -> None:
        for name in names:
            self.world.board.free(name)

    def _gone(self, name: str) -> None:
        """One that stood at its point died with its worker, though another strike was meant for it."""
        case = self._cases[name]
        self.struck.setdefault(case, Victim.WORKER if case.point not in ("waiting", "fired") else Victim.TRIGGERER)
        self._go_on([name])

    def _thaw(self, *, everything: bool = False) -> None:
        for one in list(self.strikes.frozen):
            tries = self._tries(one.place)
            taken_over = tries is not None and tries > one.tries
            if everything or taken_over or time.monotonic() - one.since > FROZEN_AT_MOST:
                one.thaw()
                self.strikes.frozen.remove(one)
                if not taken_over:
                    self.say(f"thawed before a retry had begun: {one.place}")

    def _tries(self, name: str) -> int | None:
        for one in self.carriers:
            for task, case in one.cases.items():
                if place(one.dag_id, one.run_id, one.task_id(task), case.point) == name:
                    rows = self._rows(
                        "SELECT try_number, state FROM task_instance WHERE dag_id = %s AND run_id = %s AND task_id = "
                        "%s",
                        one.dag_id,
                        one.run_id,
                        one.task_id(task),
                    )
                    for number, state in rows:
                        # A retry that is only scheduled has the number already, and has not begun.
                        return int(str(number)) - (state in ("up_for_retry", "scheduled", "queued", None))
        return None

    # A person, where our code says that only a person can tell.

    def _goes_on(self, one: Carrier) -> bool:
        """Say whether a run that failed goes on: a person may have to look first, or Airflow does not answer now."""
        tasks = self._patiently(partial(self.api.tasks, one.dag_id, one.run_id))
        if tasks is None:
            return True
        failures = {}
        for task in (task for task in tasks if task["state"] == "failed"):
            ask = partial(self.api.failure, one.dag_id, one.run_id, task["task_id"], task["try_number"])
            if (failure := self._patiently(ask)) is None:
                return time.monotonic() < self.until
            failures[task["task_id"]] = failure
        doubtful = [task for task, (kind, _) in failures.items() if kind == "Ambiguous"]
        if doubtful and one.doubts < DOUBTS:
            return self._resolve(one, doubtful[0])
        one.broken += [f"{task} failed: {kind}: {text}" for task, (kind, text) in failures.items()]
        return False

    def _resolve(self, one: Carrier, task: str) -> bool:
        """Look at FlexDeploy for a task that stopped in doubt, say what is there, and clear the task.

        :return: whether it could be told
        """
        one.doubts += 1
        unknown = self.unknown_requests(one)
        if len(unknown) > 1:
            one.broken.append(f"requests that no record knows: {unknown}")
            return False
        said = {"adopt": str(unknown[0])} if unknown else {"resubmit": True}
        self.say(f"{one}: {task} is in doubt; a person looks and says {said}")
        path = (
            f"/api/v2/dags/{one.dag_id}/dagRuns/{quote(one.run_id)}/taskInstances/{task}/state-store/{RESOLUTION_KEY}"
        )
        value = {**said, "by": "the harness", "why": "seen at FlexDeploy"}
        self._surely(partial(self.api.call, "PUT", path, {"value": value, "expires_at": None}))
        clear = {
            "dry_run": False,
            "dag_run_id": one.run_id,
            "task_ids": [task],
            "include_downstream": True,
            "only_failed": False,
            "reset_dag_runs": True,
        }
        self._surely(partial(self.api.call, "POST", f"/api/v2/dags/{one.dag_id}/clearTaskInstances", clear))
        return True

    def unknown_requests(self, one: Carrier) -> list[int]:
        """Return the requests that FlexDeploy made for this run's application since it began and no record names."""
        lake = Lake.from_url(self.world.airflow.lake["NIGHTSHIFT_LAKE"])
        record = asyncio.run(Records(lake, one.application).read(one.run_id))
        known = {number for step in record.steps for number in step.requests} if record is not None else set()
        return [int(effect.key) for effect in made_for(self.world, one) if int(effect.key) not in known]

    # Airflow, which may be down just now.

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        import psycopg2

        try:
            return self.world.airflow.postgresql.rows(query, *values)
        except psycopg2.Error:
            return []

    def _patiently(self, call: Callable[[], Any]) -> Any:
        """Call, and return ``None`` where Airflow does not answer now."""
        try:
            return call()
        except (ApiError, OSError, ValueError):
            return None

    def _done(self, call: Callable[[], Any]) -> bool:
        """Call, and return whether it is done, now or before (409)."""
        try:
            call()
        except ApiError as error:
            return error.status == 409
        except (OSError, ValueError):
            return False
        return True

    def _surely(self, call: Callable[[], Any]) -> None:
        while not self._done(call) and time.monotonic() < self.until:
            time.sleep(TICK)
