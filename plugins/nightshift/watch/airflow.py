"""Why a night that is due is not there, as far as Airflow tells. It is asked for the likely cause only: that the
night is not there is the lake's word, and stands also where Airflow does not answer.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from zoneinfo import ZoneInfo

import pendulum

from nightshift.fields import night_of
from nightshift.local_time import end_of
from nightshift.watch.decide import Key, Reason
from nightshift.watch.incident import IncidentKind

if TYPE_CHECKING:
    from nightshift.watch.expected import ExpectedNight, WatchedReport

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NightRun:
    """What Airflow tells of a night.

    :param paused: whether the DAG is paused; ``None``: nobody knows
    :param state: of the run for the night; ``None``: there is none
    :param tasks: task → its state, of that run
    """

    paused: bool | None = None
    state: str | None = None
    tasks: Mapping[str, str | None] = field(default_factory=dict)


class AirflowView(Protocol):
    """Somebody who can ask Airflow."""

    def run_of(self, dag_id: str, night: str, timezone: str) -> NightRun | None:
        """Return what Airflow tells of a night; ``None``: it does not answer. Blocks."""


def reasons(view: AirflowView, nights: Iterable[ExpectedNight]) -> dict[Key, Reason]:
    """Return why nights are not there; those of which Airflow tells nothing are left out. Blocks: one to three requests
    for a DAG and night.
    """
    seen: dict[tuple[str, str], NightRun | None] = {}
    found: dict[Key, Reason] = {}
    for one in nights:
        key = (one.of.dag_id, one.night)
        if key not in seen:
            try:
                seen[key] = view.run_of(one.of.dag_id, one.night, one.of.timezone)
            except Exception as error:
                log.warning("Airflow does not tell of %s, night %s: %s", *key, type(error).__name__)
                seen[key] = None
        run = seen[key]
        if run is not None and (reason := reason_of(run, one.of)) is not None:
            found[one.key] = reason
    return found


def reason_of(run: NightRun, report: WatchedReport) -> Reason | None:
    """Return why a report of a run is not there; ``None``: that is not to be told from this.

    :param run: what Airflow tells of the night
    """
    dag = report.dag_id
    if run.paused and run.state != "success":
        return Reason(IncidentKind.PAUSED, f"the DAG {dag} is paused")
    if run.state is None:
        return None if run.paused is None else Reason(IncidentKind.MISSING, f"{dag} has no scheduled run of the night")
    if run.state == "queued":
        return Reason(IncidentKind.STUCK, f"the run of {dag} is queued")
    own = {name: state for name, state in run.tasks.items() if name.startswith(f"{report.group}.")}
    before = {name: state for name, state in run.tasks.items() if "." not in name}
    tasks = {**before, **own}
    if task := _first(tasks, "failed", "upstream_failed"):
        return Reason(IncidentKind.FAILED, f"the task {task} has failed")
    if task := _first(tasks, "up_for_retry"):
        return Reason(IncidentKind.LATE, f"the task {task} has failed and is tried again")
    if task := _first(tasks, "queued", "scheduled"):
        return Reason(IncidentKind.STUCK, f"the task {task} is queued, in the pool {_pool(task, report)}")
    if task := _first(tasks, "deferred"):
        return Reason(IncidentKind.LATE, f"the task {task} waits for its vendor" if task in own else f"{task} waits")
    if task := _first(tasks, "running", "restarting"):
        return Reason(IncidentKind.LATE, f"the task {task} is running")
    if run.state == "failed":
        return Reason(IncidentKind.FAILED, f"the run of {dag} has failed")
    if run.state == "success":
        return Reason(IncidentKind.MISSING, f"the run of {dag} has ended, and did not bring it home")
    return None


class TaskView:
    """Airflow as a running task sees it, through its own supervisor: no credentials, no REST API."""

    def run_of(self, dag_id: str, night: str, timezone: str) -> NightRun | None:
        """Return what Airflow tells of the scheduled run of a night."""
        from airflow.sdk.execution_time.comms import GetDag, GetDagRun, GetTaskStates

        dag = _asked(GetDag(dag_id=dag_id))
        run_id = scheduled_run_id(night, timezone)
        run = _asked(GetDagRun(dag_id=dag_id, run_id=run_id))
        if dag is None and run is None:
            return None
        states = _asked(GetTaskStates(dag_id=dag_id, run_ids=[run_id])) if run is not None else None
        tasks: Mapping[str, Any] = (states.task_states if states is not None else {}).get(run_id, {})
        return NightRun(
            paused=None if dag is None else bool(dag.is_paused),
            state=None if run is None else _word(run.state),
            tasks={name: _word(state) for name, state in tasks.items()},
        )


def scheduled_run_id(night: str, timezone: str) -> str:
    """Return the id of the run that the schedule makes for a night."""
    from airflow.utils.types import DagRunType

    from nightshift.nights.timetable import NightTimetable

    ended = pendulum.instance(end_of(night_of(night), ZoneInfo(timezone)))
    return NightTimetable(timezone).generate_run_id(
        run_type=DagRunType.SCHEDULED, run_after=ended, data_interval=None, partition_key=night
    )


def _asked(question: Any) -> Any:
    """Return the answer to a question; ``None`` where there is no such thing."""
    from airflow.sdk.exceptions import AirflowRuntimeError
    from airflow.sdk.execution_time.comms import ErrorResponse
    from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

    try:
        answer = SUPERVISOR_COMMS.send(question)
    except AirflowRuntimeError:
        return None
    return None if isinstance(answer, ErrorResponse) else answer


def _first(tasks: Mapping[str, str | None], *states: str) -> str | None:
    """Return the first task in one of these states, in the order of the states."""
    found = ((state, name) for state in states for name, there in sorted(tasks.items()) if there == state)
    return next((name for _, name in found), None)


def _pool(task: str, report: WatchedReport) -> str:
    return report.pool if "." in task else "default_pool"


def _word(state: Any) -> str | None:
    return None if state is None else str(getattr(state, "value", state))
