"""Ask a vendor to end a job, and say in the log what came of it. Never raises: something else is ending already."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable

from nightshift.jobs.adapter import AdapterSpec, Cancelled, JobAdapter
from nightshift.jobs.poller import Log
from nightshift.redaction import redact

CANCEL_TIMEOUT = 20.0
"""Seconds; the triggerer allows a trigger's ``on_kill`` 30."""


async def cancel_job(adapter: JobAdapter, job_id: str, why: str, log: Log) -> bool:
    """Ask the vendor to end a job, within :data:`CANCEL_TIMEOUT`.

    :param adapter: open.
    :param why: for the log: "the task was killed".
    :returns: whether the vendor took it.
    """
    if not adapter.can_cancel:
        log.log(
            logging.WARNING,
            f"{why}, but {adapter.vendor} offers no way to cancel: job {job_id} may go on there. End it by hand if it "
            f"must stop; a retry goes on with it.",
        )
        return False
    try:
        async with asyncio.timeout(CANCEL_TIMEOUT):
            answer = await adapter.cancel(job_id)
    except Exception as error:
        log.log(
            logging.ERROR,
            f"{why}, but job {job_id} could not be cancelled at {adapter.vendor} "
            f"({redact(f'{type(error).__name__}: {error}')[:500]}). It may go on: end it by hand if it must stop.",
        )
        return False
    if isinstance(answer, Cancelled):
        log.log(logging.INFO, f"{why}: {adapter.vendor} was asked to cancel job {job_id} and took it.")
        return True
    log.log(logging.WARNING, f"{why}, but job {job_id} was not cancelled: {redact(answer.message)[:500]}")
    return False


async def cancel_by_spec(spec: AdapterSpec, job_id: str, why: str, log: Log) -> bool:
    """Do the same with an adapter of its own."""
    try:
        async with spec.build() as adapter:
            return await cancel_job(adapter, job_id, why, log)
    except Exception as error:
        text = redact(f"{type(error).__name__}: {error}")[:500]
        log.log(logging.ERROR, f"{why}, but {spec.conn_id} could not be reached ({text}): job {job_id} may go on.")
        return False


def cancel_in_thread(
    spec: AdapterSpec,
    job_id: str,
    why: str,
    log: Log,
    *,
    spared: Callable[[], str] = str,
    timeout: float = CANCEL_TIMEOUT,
) -> None:
    """Do the same from a signal handler, which may have interrupted an event loop of this very thread.

    :param spared: says why the job is left alone; empty where it is not
    :param timeout: seconds to wait for it; the supervisor kills a task some 5 s after the signal anyway.
    """

    def run() -> None:
        if reason := spared():
            log.log(logging.INFO, f"{reason}: job {job_id} is left alone.")
        else:
            asyncio.run(cancel_by_spec(spec, job_id, why, log))

    thread = threading.Thread(target=run, name="cancel job", daemon=True)
    thread.start()
    thread.join(timeout)
