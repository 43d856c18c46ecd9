"""Submit once: at most one job for one logical task, whatever dies between the question and its answer.

The intent is stored before the vendor is asked, the id after. What lies between is looked up by the intent's name, or
a person is asked; the vendor never is asked a second time on a guess.

An attempt can also be frozen, given up, and thaw beside its successor. Three rules keep the two from making a job each:
a request leaves within :attr:`JobAdapter.send_within` of its intent or not at all; a successor believes that there is
no job only when that time and the time for which the vendor's list may be late are over; and whoever learns that there
are two after all, the thawed attempt by Airflow's refusal of its save, the successor by a later look, cancels the one
that is not waited for.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from nightshift.errors import (
    AuthFailed,
    Forbidden,
    NotFound,
    RateLimited,
    Rejected,
    Unreachable,
    VendorError,
)
from nightshift.http.timing import SendWindow, sent_within
from nightshift.jobs.adapter import Immediate, JobAdapter
from nightshift.jobs.cancel import Twins, cancel_job
from nightshift.jobs.decision import (
    Adopt,
    AskPerson,
    AwaitCancel,
    Decision,
    Finished,
    Look,
    Over,
    Situation,
    Submit,
    Unwanted,
    decide,
)
from nightshift.jobs.poller import Log
from nightshift.jobs.record import Ending, JobRecord, JobStore, is_refused_to_this_attempt
from nightshift.jobs.state import Intent, JobState, JobStatus, RunIdentity, payload_hash
from nightshift.jobs.verdicts import ambiguous, apply_resolution, held_up, not_seen, stopped, unwanted
from nightshift.redaction import redact

_REFUSED = (Unreachable, RateLimited, AuthFailed, Forbidden, NotFound, Rejected)
"""These prove that a request made no job (:meth:`JobAdapter.submit`)."""
_FIRST_LOOK, _LONGEST_LOOK = 5.0, 60.0
"""Seconds between looks for a job; each pause is twice the one before."""
_LOOK_AT_MOST = 30.0
"""Seconds for which an attempt looks for the job of a request of its own; longer is a matter of the next one."""
_KEPT = 50
"""Intents that are remembered as given up: more than a task has attempts, whoever clears it."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """The attempt that wants a job.

    :param max_tries: Airflow's ``max_tries``.
    :param payload: what to ask the vendor for, as JSON; equal payloads mean the same job.
    :param cancels: the task cancels its job when it is killed, cleared, or out of time.
    :param failure_stands: a job that ended without success is made again only by a clear.
    """

    run: RunIdentity
    number: int
    max_tries: int
    payload: Any
    cancels: bool = True
    failure_stands: bool = False


class SubmitOnce:
    """Bring one attempt to its job.

    :param adapter: open.
    :param clock: seconds since the epoch.
    :param sleep: waits while a vendor's list may be late.
    :param stopped: the task was told to stop: nothing new is asked for any more.
    :param last_look: made right before the vendor is asked; what it raises keeps the request from leaving.
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
        last_look: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._adapter = adapter
        self._store = store
        self._attempt = attempt
        self._log = log
        self._clock = clock
        self._sleep = sleep
        self._stopped = stopped
        self._last_look = last_look
        self._hash = payload_hash(attempt.payload)
        self._lost: VendorError | Exception | None = None
        self._pause = _FIRST_LOOK
        self._twins = Twins(adapter, log, sleep)

    async def secure(self) -> JobRecord | Immediate:
        """Make the job, or find the one that an earlier attempt made.

        :returns: the record of the job, stored, with its id; or the vendor's answer that there is nothing to do.
        :raises Ambiguous: only a person can tell; the message says how.
        :raises JobFailed: a person has said that none is wanted, and nobody has cleared the task since.
        :raises VendorError: the vendor refused, or could not be asked; nothing was made.
        """
        seen = await self._situation()
        while True:
            decision = decide(seen)
            self._note(decision)
            if isinstance(decision, Look):
                seen = await self._look(seen, decision)
            elif isinstance(decision, AskPerson):
                intent = seen.record.intent if seen.record is not None else None
                raise ambiguous(self._adapter, intent or self._intent(1), decision) from self._lost
            elif isinstance(decision, Unwanted):
                raise unwanted(self._adapter, "a person has said")
            elif isinstance(decision, Submit):
                if self._lost is not None:
                    raise not_seen(self._adapter, seen.settle) from self._lost
                answer = await self._submit(seen)
                if not isinstance(answer, Situation):
                    return await self._alone(answer)
                seen = answer
            else:
                return await self._alone(await self._take(seen, decision))

    async def _alone(self, made: JobRecord | Immediate) -> JobRecord | Immediate:
        if isinstance(made, JobRecord) and made.id is not None:
            await self._twins.cancel_late([self._named(intent) for intent in made.given_up], made.id)
        return made

    async def _situation(self) -> Situation:
        record, attempt = self._store.load(), self._attempt
        resolution = self._store.resolution()
        if resolution is not None:
            await apply_resolution(
                resolution, record, self._adapter, self._store, attempt.payload, self._log, max_tries=attempt.max_tries
            )
        return Situation(
            record=record,
            payload_hash=self._hash,
            attempt=attempt.number,
            cleared=record is not None and attempt.max_tries > record.max_tries,
            remote=await self._remote(record) if resolution is None else None,
            age=self._age(record),
            settle=self._adapter.send_within + self._adapter.settle,
            can_find=self._adapter.can_find,
            can_cancel=self._adapter.can_cancel,
            may_have_cancelled=attempt.cancels and self._adapter.may_have_cancelled,
            failure_stands=attempt.failure_stands,
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
            await self._sleep(min(decision.after, self._pause))
            self._pause = min(2 * self._pause, _LONGEST_LOOK)
        intent = seen.record.intent if seen.record is not None else None
        found = await self._adapter.find(self._named(intent) if intent is not None else self._intent(1))
        return msgspec.structs.replace(seen, found=tuple(found), age=self._age(seen.record))

    async def _submit(self, seen: Situation) -> JobRecord | Immediate | Situation:
        await self._let_pass(seen)
        await self._adapter.ready()
        if self._stopped():
            raise stopped(self._adapter, None)
        now, window = self._clock(), SendWindow(self._adapter.send_within)
        # Inside of the window: what is held up after this look does not leave either.
        if self._last_look is not None:
            await self._last_look()
        intent = self._intent(_generation(seen), at=now)
        record = self._store.save(
            JobRecord(
                intent=intent,
                max_tries=self._attempt.max_tries,
                attempt=self._attempt.number,
                attempt_at=now,
                anchor=now,
                urls=seen.record.urls if seen.record is not None else {},
                given_up=_given_up(seen),
            )
        )
        if seen.resolution is not None:
            self._store.resolved()
        try:
            answer = await self._submit_in_time(intent, window)
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
            record = self._store.save(record.changed(lost=True))
            return msgspec.structs.replace(
                seen,
                record=record,
                found=None,
                remote=None,
                resolution=None,
                age=0.0,
                cleared=False,
                settle=min(self._adapter.settle, _LOOK_AT_MOST),
            )
        if isinstance(answer, Immediate):
            self._store.save(record.changed(refused=True))
            return answer
        return await self._made(record, intent, answer)

    async def _let_pass(self, seen: Situation) -> None:
        """Wait until a request of an attempt before this one cannot leave any more, as a person may be quicker."""
        record = seen.record
        if record is None or record.intent is None or record.id is not None or record.lost:
            return
        if record.unwanted or not record.refused:
            await self._sleep(max(0.0, self._adapter.send_within - self._age(record)))

    async def _submit_in_time(self, intent: Intent, window: SendWindow) -> JobStatus | Immediate:
        if window.is_over:
            raise held_up(self._adapter, window.seconds)
        with sent_within(window):
            return await self._adapter.submit(intent, self._attempt.payload)

    async def _made(self, record: JobRecord, intent: Intent, status: JobStatus) -> JobRecord:
        self._log.log(logging.INFO, f"Job {status.id} was made at {self._adapter.vendor} (marker {intent.marker}).")
        try:
            return self._store.save(record.changed(id=status.id, status=status))
        except Exception as error:
            following = self._intent(intent.generation + 1)
            if not is_refused_to_this_attempt(error) or not await self._twins.yield_to(following, status):
                self._log.log(
                    logging.ERROR,
                    f"Job {status.id} was made at {self._adapter.vendor}, but Airflow did not take a note of it. The "
                    "next attempt looks for it; if it asks what to do, answer with "
                    f'{{"adopt": "{status.id}", "by": "<your name>", "why": "its log says so"}}.',
                )
            raise

    async def _take(self, seen: Situation, decision: Adopt | Finished | Over | AwaitCancel) -> JobRecord:
        now = self._clock()
        old = seen.record if seen.record is not None and seen.record.intent is not None else None
        same = old is not None and old.id in (None, decision.id) and seen.resolution is None
        if old is None or not same:
            named = seen.resolution is not None
            old = JobRecord(intent=self._adopting(seen), anchor=now, urls=old.urls if old else {}, named=named)
        ending = decision.ending if isinstance(decision, Adopt) else Ending.VERDICT
        if isinstance(decision, AwaitCancel):
            ending = Ending.AGAIN
        elif (
            isinstance(decision, Adopt)
            and old.ending is Ending.AGAIN_IF_CANCELLED
            and old.id == decision.id
            and (seen.may_have_cancelled or old.cancelled)
        ):
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

    def _adopting(self, seen: Situation) -> Intent:
        """Return the intent that a job which was made without our knowledge belongs to."""
        intent = seen.record.intent if seen.record is not None else None
        return intent if intent is not None and seen.resolution is not None else self._intent(_generation(seen))

    def _intent(self, generation: int, at: float | None = None) -> Intent:
        marker = self._attempt.run.marker(generation)
        return Intent(
            marker=marker,
            generation=generation,
            payload_hash=self._hash,
            at=self._clock() if at is None else at,
            attempt=self._attempt.number,
            run=self._attempt.run,
            name=self._adapter.name_of(self._attempt.payload, marker),
        )

    def _named(self, intent: Intent) -> Intent:
        """Return an intent with the name that it was asked for by; one of an earlier version has kept none."""
        name = intent.name or self._adapter.name_of(self._attempt.payload, intent.marker)
        return msgspec.structs.replace(intent, name=name)

    def _age(self, record: JobRecord | None) -> float:
        return self._clock() - record.intent.at if record is not None and record.intent is not None else 0.0

    def _note(self, decision: Decision) -> None:
        name = type(decision).__name__
        job = getattr(decision, "id", "")
        self._log.log(logging.INFO, f"{name}{f' {job}' if job else ''}: {decision.reason}.")


def _generation(seen: Situation) -> int:
    if seen.record is None or seen.record.intent is None:
        return 1 + len(seen.found or ())
    # A request that certainly made no job leaves its marker free; one that may have been taken never shares it.
    intent = seen.record.intent
    is_free = seen.record.refused and not seen.record.unwanted
    return intent.generation if is_free else intent.generation + 1


def _given_up(seen: Situation) -> list[Intent]:
    if seen.record is None or seen.record.intent is None:
        return []
    doubtful = seen.record.id is None and not seen.record.refused
    return [*seen.record.given_up, *([seen.record.intent] if doubtful else [])][-_KEPT:]
