"""How a wait that came to no good is told to a person: what failed, what was not lost, what to do next."""

from __future__ import annotations

from nightshift.errors import AuthFailed, JobFailed, JobTimedOut, VendorError
from nightshift.jobs.adapter import JobAdapter
from nightshift.jobs.events import JobEvent
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
        advice="It was cancelled; a retry makes a new one."
        if cancelled
        else "It was not cancelled and may go on at the vendor; another attempt looks at it again.",
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
