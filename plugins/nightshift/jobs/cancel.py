"""Ending a job that is not wanted any more, and of two jobs of one task the one that nobody waits for.

Nothing here raises: something else is ending already, and the log says what came of it. A task has a second job only
where a request was on its way for longer, or the vendor's list was later, than anybody waits.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Sequence

from nightshift.errors import VendorError
from nightshift.jobs.adapter import AdapterSpec, Cancelled, JobAdapter
from nightshift.jobs.poller import Log
from nightshift.jobs.state import FAILED, Intent, JobStatus
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
            "must stop; a retry goes on with it.",
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
) -> bool:
    """Do the same from a signal handler, which may have interrupted an event loop of this very thread.

    :param spared: says why the job is left alone; empty where it is not
    :param timeout: seconds to wait for it; the supervisor kills a task some 5 s after the signal anyway.
    """
    taken = False

    def run() -> None:
        nonlocal taken
        if reason := spared():
            log.log(logging.INFO, f"{reason}: job {job_id} is left alone.")
        else:
            taken = asyncio.run(cancel_by_spec(spec, job_id, why, log))

    thread = threading.Thread(target=run, name="cancel job", daemon=True)
    thread.start()
    thread.join(timeout)
    return taken


PAUSES = (0.0, 5.0, 20.0)
"""Seconds before each look of a thawed attempt for a job of its successor."""


def superfluous(jobs: Sequence[JobStatus], kept: str) -> list[JobStatus]:
    """Return the jobs that have to go: all but the one that is waited for, and those that have ended without a
    result.
    """
    return [job for job in jobs if job.id != kept and job.state not in FAILED]


class Twins:
    """What is done about a second job of a task; never an error of the attempt that does it.

    :param adapter: open.
    :param sleep: waits while the vendor's list may be late.
    """

    def __init__(self, adapter: JobAdapter, log: Log, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._adapter = adapter
        self._log = log
        self._sleep = sleep

    async def yield_to(self, following: Intent, made: JobStatus) -> bool:
        """Cancel a job whose save Airflow refused, where the newer attempt has made one of its own.

        The newer one has found this job by its name, or will, and waits for it; only where it had given up looking has
        it asked for another, whose name is that of the next generation. Where a vendor cannot be asked for a name, the
        newer attempt asks a person, who is told of this job and may have taken it: it is left alone.

        :param following: the intent that the newer attempt has then made
        :returns: whether it was cancelled
        """
        self._log.log(logging.WARNING, f"A newer attempt of this task has taken over, after job {made.id} was made.")
        for pause in PAUSES if self._adapter.can_find else ():
            await self._sleep(min(pause, self._adapter.settle))
            others = superfluous(await self._found(following), made.id)
            if others:
                why = f"The newer attempt has made job {others[0].id}"
                return await cancel_job(self._adapter, made.id, why, self._log)
        return False

    async def cancel_late(self, given_up: Sequence[Intent], kept: str) -> None:
        """Cancel what has turned up of earlier requests that were given up."""
        for intent in given_up:
            for job in superfluous(await self._found(intent), kept):
                why = f"An earlier request of this task became a job late, and job {kept} is waited for"
                await cancel_job(self._adapter, job.id, why, self._log)

    async def _found(self, intent: Intent) -> Sequence[JobStatus]:
        if not self._adapter.can_find:
            return ()
        try:
            return await self._adapter.find(intent)
        except VendorError as error:
            self._log.log(
                logging.WARNING,
                f"Whether {self._adapter.vendor} has a job with the marker {intent.marker} could not be seen "
                f"({redact(str(error))}). If it is listed there later, nobody waits for it: end it by hand.",
            )
            return ()
