"""Jobs: what waits at the vendors now, from Airflow's own tables: task instances, what they keep of their jobs, and the
triggers that wait for them. Nothing is asked of a vendor for it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.models.dagrun import DagRun
from airflow.models.task_state_store import TaskStateStoreModel
from airflow.models.taskinstance import TaskInstance
from airflow.models.trigger import Trigger
from airflow.utils.session import create_session
from sqlalchemy import and_, or_, select

from nightshift.board.answering import trouble
from nightshift.board.lanes import web_link
from nightshift.board.models import ApiCall, Ask, BoardPart, JobLine, JobState, Link, Press, PressKind, Trouble
from nightshift.board.people import Person
from nightshift.board.presses import TASKS, clear_call, dag_path, run_path
from nightshift.board.runs import ACTIVE
from nightshift.config.promotions import PROMOTE
from nightshift.jobs.record import RECORD_KEY, RESOLUTION_KEY, JobRecord
from nightshift.jobs.state import ACTIVE as ACTIVE_JOBS
from nightshift.jobs.state import from_json
from nightshift.jobs.triggers import VendorJobTrigger
from nightshift.jobs.waiting import WaitPlan
from nightshift.redaction import redact_quote
from nightshift.sources import SOURCES, VENDORS

DOUBTS = timedelta(days=30)
"""How long a task that ended in doubt is shown; its record is kept for 90 days."""
MOST = 1_000
_WHY = Ask(name="why", label="What you saw")


@dataclass(frozen=True)
class JobSeen:
    """A task that has a job, as Airflow's tables tell.

    :param record: what it keeps of its job
    :param written: when that was written
    :param trigger: arguments of the trigger that waits for it
    :param unread: what of it cannot be read, and why; empty: all can
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    state: str
    attempt: int
    night: str | None
    record: JobRecord
    written: datetime
    trigger: dict[str, Any] | None
    unread: str = ""

    @property
    def plan(self) -> WaitPlan | None:
        """The wait, where a trigger waits."""
        return None if self.trigger is None else from_json(WaitPlan, self.trigger["plan"])

    @property
    def is_in_doubt(self) -> bool:
        """Whether only a person can tell whether there is a job: it was asked for, and the answer was lost, or what is
        kept of it cannot be read.
        """
        return bool(self.unread) or (self.state not in ACTIVE and self.record.is_unanswered)

    @property
    def is_left(self) -> bool:
        """Whether the task has failed while its job, which is known, may go on: nobody looks at it any more."""
        return not self.unread and self.state not in ACTIVE and self.record.is_open


async def jobs(who: Person, dag_ids: Collection[str]) -> tuple[tuple[JobLine, ...], tuple[Trouble, ...]]:
    """Return the jobs of the tasks of these DAGs, those in doubt first, then the oldest; and what is not shown.

    Jobs of a DAG whose task instances the person may not read are not there.
    """
    every, is_cut = await asyncio.to_thread(jobs_seen, dag_ids)
    named = sorted(await who.sees_runs({one.dag_id for one in every}))
    seen = [one for one in every if one.dag_id in named]
    may = await who.may_each(named, "PUT", DagAccessEntity.TASK_INSTANCE)
    now = datetime.now(UTC)
    lines, troubles = list[JobLine](), [_cut()] * is_cut
    for one in seen:
        try:
            lines.append(_line(one, who.name, may[one.dag_id], now))
        except Exception as error:
            troubles.append(trouble(BoardPart.JOBS, error, f"{one.dag_id} {one.run_id} {one.task_id}"))
    lines.sort(key=lambda one: (not one.doubt, one.asked or now, one.run_id, one.task_id))
    return tuple(lines), tuple(troubles)


def jobs_seen(dag_ids: Collection[str]) -> tuple[list[JobSeen], bool]:
    """Return the tasks that have a job at a vendor, or may have one that nobody knows of; and whether there are tasks,
    the ones that failed first, that were not looked at. Blocks: one query.
    """
    if not dag_ids:
        return [], False
    kept, ti = TaskStateStoreModel, TaskInstance
    # From 3.4 on, a task instance is told by the region that it is in as well.
    index = ("region_id", "region_index") if hasattr(kept, "region_index") else ("map_index",)
    same = and_(*(getattr(kept, name) == getattr(ti, name) for name in ("dag_id", "run_id", "task_id", *index)))
    ended = and_(ti.state == "failed", kept.updated_at >= datetime.now(UTC) - DOUBTS)
    query = (
        select(
            ti.dag_id,
            ti.run_id,
            ti.task_id,
            ti.map_index,
            ti.state,
            ti.try_number,
            kept.value,
            kept.updated_at,
            Trigger,
            DagRun.partition_key,
        )
        .join(kept, same)
        .join(DagRun, and_(DagRun.dag_id == ti.dag_id, DagRun.run_id == ti.run_id))
        .outerjoin(Trigger, Trigger.id == ti.trigger_id)
        .where(kept.key == RECORD_KEY, ti.dag_id.in_(sorted(dag_ids)), or_(ti.state.in_(sorted(ACTIVE)), ended))
        .order_by(ti.state == "failed", kept.updated_at.desc())
        .limit(MOST + 1)
    )
    with create_session() as session:
        found = [_seen(row) for row in session.execute(query)]
    is_cut = len(found) > MOST
    known = [one for one in found[:MOST] if one is not None]
    return [one for one in known if one.state in ACTIVE or one.is_in_doubt or one.is_left], is_cut


def _cut() -> Trouble:
    text = (
        f"More than {MOST} tasks have failed in the last {DOUBTS.days} days while they had a job, and those that "
        "failed first are not looked at: a job of theirs that is in doubt is not here. nightshift jobs looks at them "
        "all."
    )
    return Trouble(part=BoardPart.JOBS, text=text)


def _seen(row: Any) -> JobSeen | None:
    record, trigger, unread = JobRecord(), None, ""
    try:
        record = from_json(JobRecord, json.loads(row.value))
    except (ValueError, TypeError) as error:
        unread = f"its record cannot be read: {redact_quote(str(error))}"
    try:
        trigger = _waits(row.Trigger)
    except Exception as error:
        unread = unread or f"the trigger that waits for it cannot be read ({type(error).__name__})"
    if not unread:
        if record.done or (record.intent is None and record.id is None):
            return None
        if record.status is not None and record.status.state not in ACTIVE_JOBS and trigger is None:
            return None
    return JobSeen(
        dag_id=row.dag_id,
        run_id=row.run_id,
        task_id=row.task_id,
        map_index=row.map_index,
        state=str(row.state or ""),
        attempt=row.try_number,
        night=row.partition_key,
        record=record,
        written=row.updated_at,
        trigger=trigger,
        unread=unread,
    )


def _waits(trigger: Trigger | None) -> dict[str, Any] | None:
    """Return the arguments of a trigger of ours; ``None``: it is none."""
    if trigger is None or trigger.classpath.rpartition(".")[2] != VendorJobTrigger.__name__:
        return None
    waits = dict(trigger.kwargs)
    from_json(WaitPlan, waits["plan"])
    return waits if str(waits["adapter"]).startswith("nightshift.") else None


def _line(one: JobSeen, by: str, may: bool, now: datetime) -> JobLine:
    record, plan = one.record, one.plan
    status = record.status
    room = _room_of(one)
    interval = plan.interval(now.timestamp()) if plan is not None else None
    asked = record.intent.at if record.intent is not None else record.anchor
    return JobLine(
        vendor=_vendor(room),
        connection=str(one.trigger["conn_id"]) if one.trigger else "",
        dag_id=one.dag_id,
        run_id=one.run_id,
        task_id=one.task_id,
        map_index=one.map_index,
        subject=_subject(one),
        job_id=record.id or "",
        state=status.state if status is not None else JobState.UNKNOWN,
        vendor_state=status.vendor_state if status is not None else "",
        text=redact_quote(status.detail) if status is not None else "",
        asked=_moment(asked),
        waiting_seconds=now.timestamp() - asked if asked else None,
        seen=one.written,
        interval=interval,
        next_look=now + timedelta(seconds=interval) if interval is not None else None,
        deadline=_moment(plan.deadline) if plan is not None else None,
        attempt=one.attempt,
        doubt=_doubt(one, room),
        links=_links(one),
        presses=_presses(one, by, may, room),
    )


def _room_of(one: JobSeen) -> str:
    """Return the room of the vendor: that of the adapter that waits, else that of the DAG."""
    if one.trigger is not None:
        return str(one.trigger["adapter"]).split(".")[1]
    return _source_of(one.dag_id) or "flexdeploy"


def _source_of(dag_id: str) -> str | None:
    return next((name for name, source in SOURCES.items() if source.dag_id == dag_id), None)


def _vendor(room: str) -> str:
    """Return the vendor of a room for people; of one that is no vendor's any more, the room."""
    return VENDORS[room].name if room in VENDORS else room


def _subject(one: JobSeen) -> str:
    group, _, task = one.task_id.rpartition(".")
    night = f", night {one.night}" if one.night else ""
    if one.dag_id.startswith(PROMOTE):
        return f"{one.dag_id.removeprefix(PROMOTE)} {group or task}{night}"
    return f"{_source_of(one.dag_id) or one.dag_id}/{group or task}{night}"


def _doubt(one: JobSeen, room: str) -> str:
    vendor = _vendor(room)
    if one.is_left:
        status = one.record.status
        last = f"last seen {status.label()}" if status is not None else "never seen"
        return (
            f"The task has failed, and nobody has seen job {one.record.id} end ({last}): it may go on at {vendor}, "
            "unless the task's log says that it was cancelled. Look there; then press what is so."
        )
    if one.unread:
        return (
            f"The task may have a job at {vendor}: {one.unread}. Make sure that none of its jobs is at work there, "
            f"delete the key {RECORD_KEY} in its Task State Store, then clear the task."
        )
    if not one.is_in_doubt or one.record.intent is None:
        return ""
    asked = datetime.fromtimestamp(one.record.intent.at, UTC)
    return (
        f"{vendor} was asked for a job at {asked:%Y-%m-%d %H:%M} UTC, and the answer was lost. Nothing is asked for "
        f"again on a guess. Look there for a job with the marker {one.record.intent.marker}, or one made at that time."
    )


def _links(one: JobSeen) -> tuple[Link, ...]:
    page = run_path(one.dag_id, one.run_id, one.task_id)
    page = f"{page}/mapped/{one.map_index}" if one.map_index >= 0 else page
    url = one.record.status.url if one.record.status is not None else None
    return (
        *web_link("At the vendor", url),
        Link(label="Task and log", href=page),
        Link(label="State", href=f"{page}/task-state-store"),
    )


def _presses(one: JobSeen, by: str, may: bool, room: str) -> tuple[Press, ...]:
    if one.unread:
        return ()
    no_job = (_word(one, by, may, kind) for kind in (PressKind.RESUBMIT, PressKind.OVER))
    if one.is_in_doubt:
        return (_word(one, by, may, PressKind.ADOPT), *no_job)
    if one.is_left:
        return (_look_again(one, may), *no_job)
    if one.state not in ACTIVE or one.record.id is None:
        return ()
    return (_cancel(one, may, room),)


_SAYS = {
    PressKind.ADOPT: (
        "Adopt a job",
        "The task goes on with the job that you name, if the vendor's answer bears out that it is this task's; else it "
        "fails again and nothing is adopted.",
    ),
    PressKind.RESUBMIT: (
        "Ask again",
        "No job is at work there and one is wanted: the task asks the vendor for a new one.",
    ),
    PressKind.OVER: (
        "It is over",
        "Whatever there was is over and none is wanted: the task fails, and what it held goes on.",
    ),
}


def _word(one: JobSeen, by: str, may: bool, kind: PressKind) -> Press:
    """Return the press by which a person says how it stands: through the task's state store, as its message says."""
    label, says = _SAYS[kind]
    said = {"adopt": "${job}"} if kind is PressKind.ADOPT else {str(kind): True}
    key = dag_path(one.dag_id, "dagRuns", one.run_id, "taskInstances", one.task_id, "state-store", RESOLUTION_KEY)
    query = f"?map_index={one.map_index}" if one.map_index >= 0 else ""
    put = ApiCall(method="PUT", path=f"{key}{query}", body={"value": {**said, "by": by, "why": "${why}"}})
    asks = (Ask(name="job", label="Id of the job at the vendor"), _WHY) if kind is PressKind.ADOPT else (_WHY,)
    return Press(
        kind=kind,
        label=label,
        says=f"{says} Your name and what you saw are kept with the task, then it is cleared.",
        calls=(put, _clear(one)),
        asks=asks,
        allowed=may,
        needs=TASKS,
        danger=kind is not PressKind.ADOPT,
    )


def _look_again(one: JobSeen, may: bool) -> Press:
    return Press(
        kind=PressKind.LOOK,
        label="Look again",
        says=f"Clears the task: it asks after job {one.record.id} and goes on with it, or takes its result. Only if it "
        "has ended without one, the task asks for a new job.",
        calls=(_clear(one),),
        asks=(_WHY,),
        allowed=may,
        needs=TASKS,
    )


def _clear(one: JobSeen) -> ApiCall:
    task: Any = one.task_id if one.map_index < 0 else [one.task_id, one.map_index]
    return clear_call(one.dag_id, one.run_id, task, note="${why}")


def _cancel(one: JobSeen, may: bool, room: str) -> Press:
    path = dag_path(one.dag_id, "dagRuns", one.run_id, "taskInstances", one.task_id)
    path = f"{path}/{one.map_index}" if one.map_index >= 0 else path
    return Press(
        kind=PressKind.CANCEL,
        label="Cancel",
        says=f"Marks the task failed. {_what_cancels(one, room)} What depends on this task does not run.",
        calls=(ApiCall(method="PATCH", path=path, body={"new_state": "failed", "note": "${why}"}),),
        asks=(Ask(name="why", label="Why"),),
        allowed=may,
        needs=TASKS,
        danger=True,
    )


def _what_cancels(one: JobSeen, room: str) -> str:
    vendor = _vendor(room)
    job = f"job {one.record.id}"
    if one.trigger is None:
        return f"{vendor} is asked to end {job} where it can; the task's log says what came of it."
    if not one.trigger.get("cancel_on_kill", True):
        return f"The {job} at {vendor} is left alone and may go on: end it there if it must stop."
    module, _, name = str(one.trigger["adapter"]).rpartition(".")
    if not getattr(import_module(module), name).can_cancel:
        return f"{vendor} offers no way to cancel: {job} may go on there; end it by hand if it must stop."
    return f"{vendor} is asked to cancel {job}; the triggerer's log of the task says what came of it."


def _moment(seconds: float | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
