"""What a task tells a person of a job that came to no good, and how a person's decision on one is checked.

Each message says what failed, what was not lost, and last what to do.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from nightshift.errors import (
    Ambiguous,
    AuthFailed,
    JobFailed,
    JobTimedOut,
    NotFound,
    NotShown,
    Rejected,
    Unreachable,
    VendorError,
)
from nightshift.jobs.adapter import JobAdapter
from nightshift.jobs.decision import AskPerson
from nightshift.jobs.poller import Log
from nightshift.jobs.record import RESOLUTION_KEY, JobRecord, JobStore, Resolution
from nightshift.jobs.state import Intent, JobStatus
from nightshift.jobs.waiting import JobEvent
from nightshift.redaction import safe_url


def failed(adapter: JobAdapter, status: JobStatus) -> JobFailed:
    """Tell that the job ended, and not well."""
    page = f" at {safe_url(status.url)}" if status.url else " at the vendor"
    return JobFailed(
        f"job {status.id} ended as {status.label()}",
        state=status.vendor_state or str(status.state),
        vendor=adapter.vendor,
        detail=status.detail,
        advice=f"Read what it says{page}; clearing the task makes a new job.",
    )


def stopped(adapter: JobAdapter, job_id: str | None) -> VendorError:
    """Tell that the task was told to stop; where Airflow wanted that itself, it does not read this, else it retries."""
    job = f"while job {job_id} was waited for" if job_id else "before it had asked for a job"
    return VendorError(
        f"the task was told to stop {job}",
        vendor=adapter.vendor,
        advice="If this was a worker's end and no person's wish, clear the task where Airflow does not run it again: "
        "it goes on.",
    )


def held_up(adapter: JobAdapter, seconds: float) -> Unreachable:
    """Tell that nothing was asked for, because too much time had passed since the intent: a successor may be at
    work.
    """
    return Unreachable(
        f"the attempt was held up for more than the {seconds:g} s in which a request may leave",
        vendor=adapter.vendor,
        advice="Nothing was asked for and nothing is lost: the next attempt, or clearing the task, looks anew. If it "
        "lasts, look at the worker: it was frozen, or its connection to Airflow is slow.",
    )


def not_seen(adapter: JobAdapter, looked: float) -> Unreachable:
    """Tell that a request got no answer and that no job of it is to be seen yet.

    :param looked: seconds for which it was looked for
    """
    return Unreachable(
        f"a request for a job got no answer, and no job of it is listed after {looked:g} s",
        vendor=adapter.vendor,
        advice="It is not sent again on a guess and nothing is lost: the next attempt, or clearing the task, looks "
        "for the job again and asks for it only if there is none.",
    )


def ambiguous(adapter: JobAdapter, intent: Intent, decision: AskPerson) -> Ambiguous:
    """Tell that nobody but a person can tell whether a job was made, and how to say it."""
    run = intent.run
    made = datetime.fromtimestamp(intent.at, UTC).isoformat(timespec="seconds")
    dag, dag_run, task = (quote(part, safe="") for part in (run.dag_id, run.run_id, run.task_id))
    where = f"/api/v2/dags/{dag}/dagRuns/{dag_run}/taskInstances/{task}/state-store/{RESOLUTION_KEY}"
    if run.map_index >= 0:
        where += f"?map_index={run.map_index}"
    return Ambiguous(
        decision.reason + (f" ({', '.join(decision.candidates)})" if decision.candidates else ""),
        vendor=adapter.vendor,
        advice=(
            "Nothing was asked for again and nothing is lost. 1. Look at the vendor for a job with the marker "
            f"{intent.marker}, or one made about {made}. 2. Open this task instance in Airflow, tab Task State Store, "
            f"and add the key {RESOLUTION_KEY!r} with the value "
            '{"adopt": "<id of the job>", "by": "<your name>", "why": "<what you saw>"} if there is one, '
            '{"resubmit": true, "by": …, "why": …} if there is none and one is wanted, {"over": true, "by": …, '
            f'"why": …}} if none is wanted any more (or PUT {{"value": …}} to {where}). 3. Clear the task; from Airflow 3.4 on, keep its task state.'
        ),
    )


def timed_out(adapter: JobAdapter, event: JobEvent, *, cancelled: bool) -> JobTimedOut:
    """Tell that the job has not ended in the time allowed."""
    return JobTimedOut(
        f"job {event.job_id} ({_state(event)}) did not end in time",
        vendor=adapter.vendor,
        detail=event.error,
        goes_on=not cancelled,
        advice="It was cancelled. Look at the vendor why it took so long, then clear the task: it makes a new one."
        if cancelled
        else "It was not cancelled and may go on at the vendor. Look there; clear this task: it goes on with that "
        "job, and has new time for it.",
    )


def not_shown(adapter: JobAdapter, event: JobEvent) -> Ambiguous:
    """Tell that the vendor does not show a job that it made for this task."""
    return Ambiguous(
        f"job {event.job_id} ({_state(event)}), which was made for this task, was not shown any more when its time was "
        "over",
        vendor=adapter.vendor,
        detail=event.error,
        advice="Nothing was asked for again: the job may have been done. Look at the vendor. If it is there, clear "
        f"this task: it looks at it anew. If not, open the tab Task State Store, add the key {RESOLUTION_KEY!r} with "
        'the value {"resubmit": true, "by": "<your name>", "why": "<what you saw>"} to have it made again, or '
        '{"over": true, …} where it is not wanted any more; then clear this task; from Airflow 3.4 on, keep its task state.',
    )


def refused(adapter: JobAdapter, event: JobEvent, conn_id: str) -> AuthFailed:
    """Tell that the vendor did not let us look at the job for too long."""
    return AuthFailed(
        f"the connection {conn_id} was refused for too long while job {event.job_id} ({_state(event)}) was waited for",
        vendor=adapter.vendor,
        detail=event.error,
        advice="The job was left alone and may well be healthy: put the connection right and clear this task, it goes "
        "on with that job.",
    )


def _state(event: JobEvent) -> str:
    return f"last seen {event.status.label()}" if event.status is not None else "never seen"


GIVEN_UP = "given_up"
"""State of a job that a person has said to be over."""


def unwanted(adapter: JobAdapter, who: str) -> JobFailed:
    """Tell that a person has said that no job is wanted."""
    return JobFailed(
        f"{who} that the job of this task is over and that none is wanted",
        state=GIVEN_UP,
        vendor=adapter.vendor,
        advice="Clear the task to ask for a new one.",
    )


async def apply_resolution(
    resolution: Resolution,
    record: JobRecord | None,
    adapter: JobAdapter,
    store: JobStore,
    payload: Any,
    log: Log,
    *,
    max_tries: int,
) -> None:
    """Check a person's word before it is acted on.

    :param adapter: open
    :param max_tries: Airflow's, of this attempt
    :raises Rejected: the job that was named is not this task's; nothing was adopted
    :raises JobFailed: the person has said that the job is over; it is not made again before the task is cleared once
        more
    """
    who = f"{resolution.by or 'A person who gave no name'} says ({resolution.why or 'and not why'})"
    if resolution.over:
        record = record or JobRecord()
        # Whether its request was taken is not known by now: its mark is not used again, and what turns up is cancelled.
        lost = [record.intent] if record.is_unanswered and record.intent is not None else []
        store.save(
            record.changed(
                id=None,
                refused=True,
                unwanted=True,
                status=None,
                max_tries=max_tries,
                given_up=[*record.given_up, *lost],
            )
        )
        store.resolved()
        raise unwanted(adapter, who)
    if resolution.adopt is None:
        return
    log.log(logging.INFO, f"{who} that job {resolution.adopt} is this task's.")
    why = await _unlike(resolution.adopt, record, adapter, payload)
    if why:
        raise unlike(adapter, resolution.adopt, why)


def unlike(adapter: JobAdapter, job_id: str, why: str) -> Rejected:
    """Tell that a job which a person named is not the one that this task asked for."""
    return Rejected(
        f"job {job_id} is not this task's: {why}",
        vendor=adapter.vendor,
        advice=f"Nothing was adopted, and nothing asked for again. Correct the key {RESOLUTION_KEY!r} in the tab Task "
        'State Store, or put {"resubmit": true, "by": …, "why": …} there if there is no such job; then clear the task.',
    )


async def _unlike(job_id: str, record: JobRecord | None, adapter: JobAdapter, payload: Any) -> str:
    if record is None or record.intent is None:
        return "this task has not asked for any yet"
    try:
        return await adapter.unlike(job_id, record.intent, payload)
    except (NotFound, NotShown):
        return f"{adapter.vendor} does not show it"
