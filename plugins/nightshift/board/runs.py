"""What Airflow knows of the runs of nights: read from its own tables, from within the API server, and never changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from sqlalchemy import and_, or_, select

from nightshift.jobs.record import TASKS_AT_WORK
from nightshift.nights.night import asked_nights

GOING_ON = frozenset({"queued", "running"})
"""States of a run."""
ACTIVE = TASKS_AT_WORK
FAILED = frozenset({"failed", "upstream_failed"})
MOST = 20_000
"""Task instances that are looked at for a page, those of the newest runs."""


@dataclass(frozen=True)
class RunSeen:
    """A run of a night.

    :param tasks: task id → state; of a run that is over only those that did not end well
    """

    dag_id: str
    run_id: str
    run_type: str
    state: str
    night: str
    began: datetime | None
    ended: datetime | None
    by: str = ""
    tasks: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_going_on(self) -> bool:
        """Whether it is not over."""
        return self.state in GOING_ON

    def of_group(self, group: str) -> dict[str, str]:
        """Return the states of the tasks of one task group."""
        return {task: state for task, state in self.tasks.items() if task.rpartition(".")[0] == group}


def runs_of_nights(
    dag_ids: Collection[str], nights: Sequence[str], zones: Mapping[str, ZoneInfo], *, whole: bool = False
) -> dict[tuple[str, str], list[RunSeen]]:
    """Return ``(DAG, night)`` → its runs, the newest first. Blocks: two queries.

    :param nights: in order
    :param zones: DAG → zone of its nights, for runs that a person started without a partition key
    :param whole: the tasks that ended well, too
    """
    if not dag_ids or not nights:
        return {}
    wanted = set(nights)
    found: dict[tuple[str, str], list[RunSeen]] = {}
    with create_session() as session:
        runs = session.execute(
            select(
                DagRun.id,
                DagRun.dag_id,
                DagRun.run_id,
                DagRun.run_type,
                DagRun._state,
                DagRun.partition_key,
                DagRun.conf,
                DagRun.run_after,
                DagRun.logical_date,
                DagRun.start_date,
                DagRun.end_date,
                DagRun.triggering_user_name,
            )
            .where(_may_be_of(dag_ids, nights))
            .order_by(DagRun.run_after.desc(), DagRun.id.desc())
        ).all()
        nights_of = {run.id: _night_of(run, zones[run.dag_id]) for run in runs}
        kept = [run for run in runs if nights_of[run.id] in wanted]
        tasks = _tasks(session, dag_ids, kept, whole=whole)
    for run in kept:
        night = nights_of[run.id] or ""
        seen = RunSeen(
            dag_id=run.dag_id,
            run_id=run.run_id,
            run_type=str(run.run_type),
            state=str(run._state or ""),
            night=night,
            began=run.start_date,
            ended=run.end_date,
            by=run.triggering_user_name or "",
            tasks=tasks.get((run.dag_id, run.run_id), {}),
        )
        found.setdefault((run.dag_id, night), []).append(seen)
    return found


def _may_be_of(dag_ids: Collection[str], nights: Sequence[str]) -> Any:
    """Select runs whose key is one of the nights, and those without a key that may be of one."""
    begin = datetime.combine(date.fromisoformat(nights[0]), time.min, UTC) - timedelta(days=1)
    return and_(
        DagRun.dag_id.in_(sorted(dag_ids)),
        or_(
            DagRun.partition_key.between(nights[0], nights[-1]),
            and_(DagRun.partition_key.is_(None), DagRun.run_after >= begin),
        ),
    )


def _night_of(run: Any, zone: ZoneInfo) -> str | None:
    """Return the night of a run; ``None`` where it is none, or a range, which has a run of its own for each night."""
    if run.partition_key is not None:
        return str(run.partition_key)
    form = run.conf if isinstance(run.conf, dict) else {}
    try:
        asked = run.logical_date or run.run_after
        nights = asked_nights(None, {**form, "force": True}, zone=zone, now=datetime.now(UTC), asked=asked)
    except (ValueError, TypeError):
        return None
    return nights[0] if len(nights) == 1 else None


def _tasks(
    session: Any, dag_ids: Collection[str], runs: Sequence[Any], *, whole: bool
) -> dict[tuple[str, str], dict[str, str]]:
    telling = [run for run in runs if whole or run._state in GOING_ON or run._state == "failed"]
    found: dict[tuple[str, str], dict[str, str]] = {}
    for first in range(0, len(telling), 500):
        lot = telling[first : first + 500]
        query = (
            select(TaskInstance.dag_id, TaskInstance.run_id, TaskInstance.task_id, TaskInstance.state)
            .where(TaskInstance.dag_id.in_(sorted(dag_ids)), TaskInstance.run_id.in_([run.run_id for run in lot]))
            .limit(MOST)
        )
        if not whole:
            ended_well = ("success", "skipped", "removed")
            over = [run.run_id for run in lot if run._state not in GOING_ON]
            query = query.where(
                or_(
                    TaskInstance.state.is_(None),
                    TaskInstance.state.not_in(ended_well),
                    TaskInstance.run_id.not_in(over),
                )
            )
        for task in session.execute(query):
            found.setdefault((task.dag_id, task.run_id), {})[task.task_id] = str(task.state or "")
    return found
