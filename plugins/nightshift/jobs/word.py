"""A person's word on a job that could not be told apart: heeded only where the vendor's own answer bears it out."""

from __future__ import annotations

import logging
from typing import Any

from nightshift.errors import JobFailed, NotFound, NotShown, Rejected
from nightshift.jobs.adapter import JobAdapter
from nightshift.jobs.poller import Log
from nightshift.jobs.record import RESOLUTION_KEY, JobRecord, JobStore, Resolution

GIVEN_UP = "given_up"
"""State of a job that a person has said to be over."""


async def heed(
    word: Resolution, record: JobRecord | None, adapter: JobAdapter, store: JobStore, payload: Any, log: Log
) -> None:
    """Check a person's word before it is acted on.

    :param record: what earlier attempts left
    :param adapter: open
    :param payload: what this task asks for
    :raises Rejected: the job that was named is not this task's; nothing was adopted
    :raises JobFailed: the person has said that the job is over; it is not made again before the task is cleared once more
    """
    said = f"{word.by or 'A person who gave no name'} says ({word.why or 'and not why'})"
    if word.over:
        if record is not None:
            store.save(record.changed(id=None, refused=True, status=None))
        store.resolved()
        raise JobFailed(
            f"{said} that the job of this task is over and that none is wanted",
            state=GIVEN_UP,
            vendor=adapter.vendor,
            advice="Clear the task to ask for a new one.",
        )
    if word.adopt is None:
        return
    log.log(logging.INFO, f"{said} that job {word.adopt} is this task's.")
    why = await _unlike(word.adopt, record, adapter, payload)
    if why:
        raise unlike(adapter, word.adopt, why)


def unlike(adapter: JobAdapter, job_id: str, why: str) -> Rejected:
    """Tell that a job which a person named is not the one that this task asked for."""
    return Rejected(
        f"job {job_id} is not this task's: {why}",
        vendor=adapter.vendor,
        advice=f"Nothing was adopted, and nothing asked for again. Correct the key {RESOLUTION_KEY!r} in the tab Task State "
        'Store, or put {"resubmit": true, "by": …, "why": …} there if there is no such job; then clear the task.',
    )


async def _unlike(job_id: str, record: JobRecord | None, adapter: JobAdapter, payload: Any) -> str:
    if record is None or record.intent is None:
        return "this task has not asked for any yet"
    try:
        return await adapter.unlike(job_id, record.intent, payload)
    except (NotFound, NotShown):
        return f"{adapter.vendor} does not show it"
