"""Follow the promotions of a night: what they do, which approval they wait for, and what runs where in the end."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from include.local.airflow import LocalAirflow
from include.local.mission import BAD, DONE
from include.local.rest import Api, ApiError
from nightshift.config.promotions import Application
from nightshift.lake.store import Lake
from nightshift.promotion.store import FOLDER, object_name

BEGIN_SECONDS = 120
RUN_SECONDS = 3600
"""For a promotion whose approvals the program gives; people take the time that they take."""
ANSWER_AFTER = 4.0
"""Seconds that a task has to wait for its answer before one is given by a program: Airflow 3.3.2 loses earlier ones."""


@dataclass
class Promotion:
    """A promotion of the mission.

    :param application: its name
    :param config: its part of ``promotions.yaml``
    :param answers: approvals are given by the program, not by a person
    """

    application: str
    config: Application
    answers: bool = False
    run_id: str = ""
    state: str = ""
    outcome: str = ""
    standing: list[str] = field(default_factory=list)

    @property
    def dag_id(self) -> str:
        """Id of its DAG."""
        return f"promote_{self.application}"

    def needs(self, reports: Sequence[str]) -> list[str]:
        """Return the reports that it waits for and that are not among these."""
        return [name for name in self.config.after if name not in reports]


def await_run(api: Api, promotion: Promotion, night: str, known: frozenset[str]) -> bool:
    """Wait for the run that Airflow starts when the night is complete; return whether it came.

    :param known: runs that were there before
    """
    until = time.monotonic() + BEGIN_SECONDS
    while time.monotonic() < until:
        for run in api.runs(promotion.dag_id):
            if run.get("partition_key") == night and run["dag_run_id"] not in known:
                promotion.run_id = str(run["dag_run_id"])
                return True
        time.sleep(0.5)
    return False


def forget_left(airflow: LocalAirflow, promotion: Promotion, lake: Lake, say: Callable[[str], None]) -> None:
    """Forget the promotions that an interrupted `make run` has left, where FlexDeploy is a stand-in: the next one knows
    nothing of what the last one built, and what is in doubt for ever holds the application.
    """
    left = airflow.unfinished(promotion.dag_id)
    if not left:
        return
    say(
        f"{promotion.dag_id}: {len(left)} left underway are forgotten, as the stand-in of FlexDeploy has forgotten them"
    )
    airflow.cli("dags", "delete", promotion.dag_id, "--yes")
    if not lake.is_local:
        return
    records = lake.objects(FOLDER, promotion.application)
    for run_id in left:
        with contextlib.suppress(FileNotFoundError):
            records.delete(object_name(run_id))


def follow_promotion(api: Api, promotion: Promotion, say: Callable[[str], None]) -> None:
    """Follow a run to its end; every task that ends, and every approval that is waited for, is told once.

    An earlier run that an interrupted `make run` has left goes first, so that its approvals are heeded as well.
    """
    told: set[str] = set()
    asked: dict[tuple[str, str], float] = {}
    timeout = RUN_SECONDS if promotion.answers else math.inf
    for run, tasks in api.follow(promotion.dag_id, promotion.run_id, timeout=timeout):
        promotion.state = run["state"]
        for task in tasks:
            if task["state"] in DONE and task["task_id"] not in told:
                told.add(task["task_id"])
                say(f"{promotion.dag_id} {len(told)}/{len(tasks)}  {task['task_id']}: {task['state']}")
        for active in api.runs(promotion.dag_id, state="running"):
            run_id = str(active["dag_run_id"])
            if run_id != promotion.run_id and run_id not in told:
                told.add(run_id)
                say(f"{promotion.dag_id}: the run {run_id} is not over yet; promotions of an application go one by one")
            for question in api.questions(promotion.dag_id, run_id):
                _heed(api, promotion, run_id, question, asked, say)


def _heed(
    api: Api,
    promotion: Promotion,
    run_id: str,
    question: Mapping[str, Any],
    asked: dict[tuple[str, str], float],
    say: Callable[[str], None],
) -> None:
    task = question["task_instance"]["task_id"]
    key = (run_id, task)
    if key not in asked:
        asked[key] = time.monotonic()
        if not promotion.answers:
            page = f"{api.url}/dags/{promotion.dag_id}/runs/{run_id}/tasks/{task}/required_actions"
            say(f"{promotion.dag_id}  {question['subject']}  Your answer is waited for: {page}")
    elif promotion.answers and time.monotonic() - asked[key] > ANSWER_AFTER:
        try:
            api.answer(promotion.dag_id, run_id, task, "Approve")
        except ApiError as error:
            if error.status != 409:
                raise
        else:
            say(f"{promotion.dag_id}  {question['subject']}  Approved (by this program: the vendor is a stand-in)")
        asked[key] = time.monotonic()


def collect_promotion(api: Api, promotion: Promotion) -> None:
    """Collect how it ended, and what runs where."""
    closed = api.returned(promotion.dag_id, promotion.run_id, "close")
    if closed is not None:
        promotion.outcome, promotion.standing = f"{closed['outcome']}: {closed['reason']}", list(closed["standing"])
        return
    bad = [task["task_id"] for task in api.tasks(promotion.dag_id, promotion.run_id) if task["state"] in BAD]
    promotion.outcome = f"FAILED: {', '.join(bad) or promotion.state}"


def promotion_summary(promotions: Sequence[Promotion]) -> str:
    """Return the promotions as text: how each ended, and a line for each stage."""
    return "\n".join(
        line
        for one in promotions
        for line in (f"{one.application}  {one.outcome}", *(f"  {stage}" for stage in one.standing))
    )
