"""Submit once: at most one job for one logical task, whatever dies between the question and its answer.

The intent is stored before the vendor is asked, the id after. What lies between is looked up by the intent's marker, or
a person is asked; the vendor never is asked a second time on a guess.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec

from nightshift.errors import (
    Ambiguous,
    AuthFailed,
    Forbidden,
    NotFound,
    RateLimited,
    Rejected,
    Unreachable,
    VendorError,
)
from nightshift.jobs.adapter import Immediate, JobAdapter
from nightshift.jobs.cancel import cancel_job
from nightshift.jobs.decision import Adopt, Ask, AwaitCancel, Decision, Finished, Look, Situation, Submit, decide
from nightshift.jobs.poller import Log
from nightshift.jobs.record import RESOLUTION_KEY, Ending, JobRecord, JobStore
from nightshift.jobs.state import Intent, JobState, JobStatus, RunIdentity, payload_hash
from nightshift.jobs.verdicts import stopped
from nightshift.redaction import redact

_REFUSED = (Unreachable, RateLimited, AuthFailed, Forbidden, NotFound, Rejected)
"""These prove that a request made no job (:meth:`JobAdapter.submit`)."""
_LOOK_EVERY = 5.0


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """The attempt that wants a job.

    :param run: the logical task.
    :param number: Airflow's try number.
    :param max_tries: Airflow's ``max_tries``.
    :param payload: what to ask the vendor for, as JSON; equal payloads mean the same job.
    """

    run: RunIdentity
    number: int
    max_tries: int
    payload: Any


class SubmitOnce:
    """Bring one attempt to its job.

    :param adapter: open.
    :param store: the task's state store.
    :param attempt: who asks.
    :param log: the task's log.
    :param clock: seconds since the epoch.
    :param sleep: waits while a vendor's list may be late.
    :param stopped: the task was told to stop: nothing new is asked for any more.
    """

    def __init__(
        self,
        adapter: JobAdapter,
        store: JobStore,
        attempt: Attempt,
        log: Log,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._adapter = adapter
        self._store = store
        self._attempt = attempt
        self._log = log
        self._clock = clock
        self._sleep = sleep
        self._stopped = stopped
        self._hash = payload_hash(attempt.payload)
        self._lost: VendorError | Exception | None = None

    async def secure(self) -> JobRecord | Immediate:
        """Make the job, or find the one that an earlier attempt made.

        :returns: the record of the job, stored, with its id; or the vendor's answer that there is nothing to do.
        :raises Ambiguous: only a person can tell; the message says how.
        :raises VendorError: the vendor refused, or could not be asked; nothing was made.
        """
        seen = await self._situation()
        while True:
            decision = decide(seen)
            self._note(decision)
            if isinstance(decision, Look):
                seen = await self._look(seen, decision)
            elif isinstance(decision, Ask):
                raise self._ambiguous(seen, decision)
            elif isinstance(decision, Submit):
                if self._lost is not None:
                    raise self._never_taken(seen)
                if self._stopped():
                    raise stopped(self._adapter, None)
                answer = await self._submit(seen)
                if not isinstance(answer, Situation):
                    return answer
                seen = answer
            else:
                return await self._take(seen, decision)

    async def _situation(self) -> Situation:
        record = self._store.load()
        resolution = self._store.resolution(first=record is None)
        attempt = self._attempt
        return Situation(
            record=record,
            payload_hash=self._hash,
            attempt=attempt.number,
            cleared=record is not None and attempt.max_tries > record.max_tries,
            remote=await self._remote(record) if resolution is None else None,
            age=self._age(record),
            settle=self._adapter.settle,
            can_find=self._adapter.can_find,
            can_cancel=self._adapter.can_cancel,
            resolution=resolution,
        )

    async def _remote(self, record: JobRecord | None) -> JobStatus | None:
        if record is None or record.id is None or record.done:
            return None
        try:
            answer = (await self._adapter.status([record.id])).get(record.id)
        except VendorError as error:
            answer = error
        if isinstance(answer, JobStatus) and (answer.state is not JobState.GONE or self._adapter.gone_ends):
            return answer
        self._log.log(logging.WARNING, f"Job {record.id} could not be asked for ({redact(str(answer))}).")
        return None

    async def _look(self, seen: Situation, decision: Look) -> Situation:
        if decision.after > 0:
            await self._sleep(min(decision.after, _LOOK_EVERY))
        intent = seen.record.intent if seen.record is not None else None
        found = await self._adapter.find(intent or self._intent(1))
        return msgspec.structs.replace(seen, found=tuple(found), age=self._age(seen.record))

    async def _submit(self, seen: Situation) -> JobRecord | Immediate | Situation:
        now = self._clock()
        intent = self._intent(_generation(seen))
        record = JobRecord(
            intent=intent,
            max_tries=self._attempt.max_tries,
            attempt=self._attempt.number,
            attempt_at=now,
            anchor=now,
            urls=seen.record.urls if seen.record is not None else {},
        )
        self._store.save(record)
        if seen.resolution is not None:
            self._store.resolved()
        try:
            answer = await self._adapter.submit(intent, self._attempt.payload)
        except _REFUSED:
            self._store.save(record.changed(refused=True))
            raise
        except Exception as error:
            self._lost = error
            self._log.log(
                logging.WARNING,
                f"The answer to the request for job {intent.marker} was lost "
                f"({redact(f'{type(error).__name__}: {error}')[:500]}). It is not sent again on a guess.",
            )
            return msgspec.structs.replace(
                seen, record=record, found=None, remote=None, resolution=None, age=0.0, cleared=False
            )
        if isinstance(answer, Immediate):
            self._store.save(record.changed(refused=True))
            return answer
        return self._made(record, answer, intent.marker)

    def _made(self, record: JobRecord, status: JobStatus, marker: str) -> JobRecord:
        text = f"Job {status.id} was made at {self._adapter.vendor} (marker {marker})."
        self._log.log(logging.INFO, text)
        try:
            return self._store.save(record.changed(id=status.id, status=status))
        except Exception:
            # Airflow no longer lets this attempt write: a newer one has taken over, or Airflow cannot be reached.
            self._log.log(
                logging.ERROR,
                f"Job {status.id} was made at {self._adapter.vendor}, but Airflow did not take a note of it. The next "
                f"attempt looks for it; if it asks what to do, answer with "
                f'{{"adopt": "{status.id}"}}.',
            )
            raise

    async def _take(self, seen: Situation, decision: Adopt | Finished | AwaitCancel) -> JobRecord:
        now = self._clock()
        old = seen.record if seen.record is not None and seen.record.intent is not None else None
        same = old is not None and old.id in (None, decision.id) and seen.resolution is None
        if old is None or not same:
            old = JobRecord(intent=self._intent(_generation(seen)), anchor=now, urls=old.urls if old else {})
        ending = decision.ending if isinstance(decision, Adopt) else Ending.VERDICT
        if isinstance(decision, AwaitCancel):
            ending = Ending.AGAIN
        elif old.ending is Ending.AGAIN_IF_CANCELLED and old.id == decision.id:
            ending = old.ending
        known = {job.id: job for job in (*(seen.found or ()), *([seen.remote] if seen.remote else []))}
        record = self._store.save(
            old.changed(
                id=decision.id,
                max_tries=self._attempt.max_tries,
                attempt=self._attempt.number,
                attempt_at=now if self._attempt.number != old.attempt else old.attempt_at or now,
                ending=ending,
                status=known.get(decision.id, old.status if old.id == decision.id else None),
            )
        )
        if seen.resolution is not None:
            self._store.resolved()
        if isinstance(decision, AwaitCancel) and decision.cancel:
            await cancel_job(self._adapter, decision.id, "The job is not wanted any more", self._log)
        return record

    def _intent(self, generation: int) -> Intent:
        return Intent(
            marker=self._attempt.run.marker(generation),
            generation=generation,
            payload_hash=self._hash,
            at=self._clock(),
            attempt=self._attempt.number,
            run=self._attempt.run,
        )

    def _age(self, record: JobRecord | None) -> float:
        return self._clock() - record.intent.at if record is not None and record.intent is not None else 0.0

    def _note(self, decision: Decision) -> None:
        name = type(decision).__name__
        job = getattr(decision, "id", "")
        self._log.log(logging.INFO, f"{name}{f' {job}' if job else ''}: {decision.reason}.")

    def _never_taken(self, seen: Situation) -> VendorError:
        if seen.record is not None:
            self._store.save(seen.record.changed(refused=True))
        error = Unreachable(
            f"a request for a job got no answer, and no job of it is listed after {self._adapter.settle:.0f} s",
            vendor=self._adapter.vendor,
            advice="The request was not taken, nothing was lost: the next attempt asks again.",
        )
        error.__cause__ = self._lost
        return error

    def _ambiguous(self, seen: Situation, decision: Ask) -> Ambiguous:
        run, intent = self._attempt.run, seen.record.intent if seen.record is not None else None
        made = datetime.fromtimestamp(intent.at if intent else self._clock(), UTC).isoformat(timespec="seconds")
        marker = intent.marker if intent else run.marker(1)
        path = [run.dag_id, run.run_id, run.task_id]
        dag, dag_run, task = (quote(part, safe="") for part in path)
        where = f"/api/v2/dags/{dag}/dagRuns/{dag_run}/taskInstances/{task}/state-store/{RESOLUTION_KEY}"
        if run.map_index >= 0:
            where += f"?map_index={run.map_index}"
        error = Ambiguous(
            decision.reason + (f" ({', '.join(decision.candidates)})" if decision.candidates else ""),
            vendor=self._adapter.vendor,
            advice=(
                f"Nothing was asked for again and nothing is lost. 1. Look at the vendor for a job with the marker "
                f"{marker}, or one made about {made}. 2. Open this task instance in Airflow, tab Task State Store, and "
                f"add the key {RESOLUTION_KEY!r} with the value "
                f'{{"adopt": "<id of the job>"}} if there is one, {{"resubmit": true}} if there is none (or PUT '
                f'{{"value": …}} to {where}). 3. Clear the task.'
            ),
        )
        error.__cause__ = self._lost
        return error


def _generation(seen: Situation) -> int:
    if seen.record is None or seen.record.intent is None:
        return 1 + len(seen.found or ())
    intent = seen.record.intent
    # A request that made no job leaves its marker free; one that was taken never shares it.
    unused = seen.record.refused or (seen.record.id is None and seen.found is not None and seen.resolution is None)
    return intent.generation if unused and not seen.found else intent.generation + 1
