"""How a wait that came to no good is told to a person: what failed, what was not lost, what to do next."""

from __future__ import annotations

from nightshift.errors import Ambiguous, AuthFailed, JobFailed, JobTimedOut, VendorError
from nightshift.jobs.adapter import JobAdapter
from nightshift.jobs.events import JobEvent
from nightshift.jobs.record import RESOLUTION_KEY
from nightshift.jobs.state import JobStatus
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
        advice="If this was a worker's end and no person's wish, the next attempt goes on.",
    )


def timed_out(adapter: JobAdapter, event: JobEvent, *, cancelled: bool) -> JobTimedOut:
    """Tell that the job has not ended in the time allowed."""
    return JobTimedOut(
        f"job {event.job_id} ({_state(event)}) did not end in time",
        vendor=adapter.vendor,
        detail=event.error,
        goes_on=not cancelled,
        advice="It was cancelled; another attempt makes a new one."
        if cancelled
        else "It was not cancelled and may go on at the vendor. Look there; clear this task: it goes on with that job, and "
        "has new time for it.",
    )


def not_shown(adapter: JobAdapter, event: JobEvent) -> Ambiguous:
    """Tell that the vendor does not show a job that it made for this task."""
    return Ambiguous(
        f"job {event.job_id} ({_state(event)}), which was made for this task, was not shown any more when its time was over",
        vendor=adapter.vendor,
        detail=event.error,
        advice="Nothing was asked for again: the job may have been done. Look at the vendor. If it is there, clear this task: "
        f"it looks at it anew. If not, open the tab Task State Store, add the key {RESOLUTION_KEY!r} with the value "
        '{"resubmit": true, "by": "<your name>", "why": "<what you saw>"} to have it made again, or {"over": true, …} where '
        "it is not wanted any more; then clear this task.",
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
