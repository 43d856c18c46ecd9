"""The operator that has a vendor do a job: made once, waited for, cancelled when it is not wanted any more."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
from airflow.sdk import BaseOperator, RetryPolicy
from airflow.sdk.exceptions import AirflowSkipException, TaskDeferred

from nightshift.errors import Ambiguous, AuthFailed, Forbidden, JobFailed, JobTimedOut, Rejected
from nightshift.jobs.adapter import AdapterSpec, Immediate, JobAdapter
from nightshift.jobs.cancel import cancel_by_spec, cancel_in_thread, cancel_job
from nightshift.jobs.instance import JobLink, last_attempt, run_identity, seconds, spared
from nightshift.jobs.once import Attempt, SubmitOnce
from nightshift.jobs.record import Ending, JobRecord, JobStore
from nightshift.jobs.state import FAILED, TERMINAL, JobState, JobStatus
from nightshift.jobs.verdicts import failed, not_shown, refused, stopped, timed_out, unlike
from nightshift.jobs.waiting import EventKind, JobEvent, Phase, WaitPlan
from nightshift.metrics import Metric, count, took
from nightshift.retries import VendorRetryPolicy

if TYPE_CHECKING:
    from airflow.sdk import Context

_ANEW = "The job was not touched. Clear the task: it looks at its job anew."


class Ended(msgspec.Struct, frozen=True):
    """Whether somebody ended an attempt from outside.

    :param stopped: its worker was told to stop
    :param left_alone: and the job is none of its business any more: marked success, or a newer attempt has it
    :param job_id: the job that it waited for
    """

    stopped: bool
    left_alone: bool
    job_id: str | None


class VendorJobOperator(BaseOperator):
    """Have a vendor do one job and wait for it.

    A vendor's room gives :meth:`adapter` and :meth:`payload`, and may override the other public methods. One task makes
    at most one job, whatever crashes: a retry goes on with the job of the attempt before. A clear of a task that has
    succeeded makes the job again; a clear of one that waits cancels the job, where the vendor can, and makes a new one.
    Where only a person can tell whether a job was made, the task fails with ``Ambiguous`` and its message says how to
    go on.

    The job is cancelled, where the vendor can, when the task is killed, marked failed or cleared, when it times out,
    and when its last attempt fails while the job still runs. It is not cancelled when a person marks the task success,
    when the vendor refuses our credentials, or when a triggerer moves.

    :param conn_id: Airflow connection (templated).
    :param job_timeout: working time of the job, from when it was made. The task's ``execution_timeout`` counts as well,
        from the start of each attempt. Time that the job spends waiting for a person or a time counts for neither.
    :param waiting_timeout: how long it may wait for a person or a time, each time anew.
    :param look: seconds to wait on the worker before the task defers.
    :param poll_first: seconds between the first polls.
    :param poll_cap: seconds between polls at most.
    :param auth_grace: seconds for which refused credentials are tolerated while waiting.
    :param deferrable: wait in the triggerer; otherwise on the worker.
    :param cancel_on_failure: cancel the job in the cases above.
    :param retries: as of Airflow, 2 by default: an attempt that Airflow lost must be able to go on with its job.
    :param retry_policy: as of Airflow; fails at once what no retry can cure.
    :raises JobFailed: the job ended, and not well.
    :raises JobTimedOut: it did not end in time.
    :raises Ambiguous: nobody but a person can tell whether a job was made.
    """

    template_fields: Sequence[str] = ("conn_id",)
    operator_extra_links = (JobLink(),)
    ui_color = "#e8ecf8"
    job_link: ClassVar[JobLink] = JobLink()
    failure_stands: ClassVar[bool] = False
    """A retry that finds that the job has ended without success fails with that; only a clear makes it again."""

    def __init__(
        self,
        *,
        conn_id: str,
        job_timeout: timedelta | float = timedelta(hours=6),
        waiting_timeout: timedelta | float = timedelta(days=7),
        look: timedelta | float = 10.0,
        poll_first: float = 2.0,
        poll_cap: float = 60.0,
        auth_grace: timedelta | float = timedelta(minutes=10),
        deferrable: bool = True,
        cancel_on_failure: bool = True,
        retries: int = 2,
        retry_policy: RetryPolicy | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(retries=retries, retry_policy=retry_policy or VendorRetryPolicy(), **kwargs)
        self.conn_id = conn_id
        self.job_timeout = seconds(job_timeout)
        self.waiting_timeout = seconds(waiting_timeout)
        self.look = seconds(look)
        self.poll_first = poll_first
        self.poll_cap = poll_cap
        self.auth_grace = seconds(auth_grace)
        self.deferrable = deferrable
        self.cancel_on_failure = cancel_on_failure
        self.job_url: str | None = None
        self._job_id: str | None = None
        self._killed = False
        self._cancelled = False
        self._left_alone = ""
        self._context: Context | None = None

    def adapter(self) -> AdapterSpec:
        """Name the adapter; called after templates are rendered."""
        raise NotImplementedError(f"{type(self).__name__} names no adapter")

    def payload(self, context: Context) -> Any:
        """Say what to ask the vendor for, as JSON.

        The same on each attempt: another payload is another job. So nothing of the clock or the try number in it.
        """
        raise NotImplementedError(f"{type(self).__name__} has no payload")

    def conclude(self, context: Context, status: JobStatus, result: Any) -> Any:
        """Make the task's return value of a succeeded job; small, it goes into the metadata database."""
        return {"job_id": status.id, "state": str(status.state), "url": status.url, "result": result}

    def conclude_immediate(self, context: Context, answer: Immediate) -> Any:
        """Make the task's return value where the vendor had nothing to do."""
        return {"job_id": None, "state": answer.outcome, "url": None, "result": answer.result}

    def skip_reason(self, answer: Immediate) -> str:
        """Return why the task is skipped where the vendor had nothing to do; empty: it succeeds. Its answer is returned
        in either case.
        """
        return ""

    async def before_job(self, context: Context, *, resumed: bool) -> None:
        """Prepare an attempt, before its adapter is opened; may defer, skip or refuse. Nothing was asked for by it yet.

        :param resumed: it goes on after a deferral of its own
        """

    async def secure_job(self, context: Context, adapter: JobAdapter, store: JobStore) -> JobRecord | Immediate:
        """Bring the attempt to its job: ask for it, or take up the one that an earlier attempt made.

        Whoever wraps it may look before and after; it is the only place from which a vendor is asked for anything.
        """
        ti = context["ti"]
        attempt = Attempt(
            run=run_identity(context),
            number=ti.try_number,
            max_tries=ti.max_tries,
            payload=self.payload(context),
            cancels=self.cancel_on_failure,
            failure_stands=self.failure_stands,
        )
        before = store.load()
        made = await SubmitOnce(
            adapter,
            store,
            attempt,
            self.log,
            stopped=lambda: self._killed,
            last_look=lambda: self.before_request(context),
        ).secure()
        cleared = before is not None and ti.max_tries > before.max_tries
        if before is None or not cleared or not isinstance(made, JobRecord) or made.id != before.id:
            return made
        # A person who clears a task whose time is over gives it new time; a retry, which nobody asked for, does not.
        at = time.time()
        return store.save(
            made.changed(anchor=at, attempt_at=at, waiting_since=None if made.waiting_since is None else at)
        )

    async def before_request(self, context: Context) -> None:
        """Look once more, right before the vendor is asked for a job; what is raised keeps the request from leaving."""

    async def before_wait(self, context: Context, record: JobRecord) -> None:
        """Take note of the job as it stands, before each wait for it."""

    async def after_job(self, context: Context, returned: Any) -> None:
        """Take note of a good end, before Airflow hears of it.

        :param returned: the task's return value
        """

    async def after_failure(self, context: Context, error: BaseException, ended: Ended) -> None:
        """Take note of an attempt that fails with this error, whatever becomes of the job.

        :param ended: whether somebody ended the attempt
        """

    def is_of_job(self, event: Mapping[str, Any]) -> bool:
        """Whether what has ended a deferral tells of the job; what does not says nothing, and the same job is waited
        for on.
        """
        return True

    def execute(self, context: Context) -> Any:
        """Make the job or take up the one there is, then wait for it."""
        return asyncio.run(self._run(context, None))

    def resume(self, context: Context, event: dict[str, Any]) -> Any:
        """Go on after a deferral."""
        return asyncio.run(self._run(context, event or {}))

    async def _run(self, context: Context, payload: dict[str, Any] | None) -> Any:
        self._context = context
        try:
            await self.before_job(context, resumed=payload is not None)
            async with self.adapter().build() as adapter:
                returned, skipped = await self._go(context, adapter, payload)
        except (TaskDeferred, AirflowSkipException):
            raise
        except BaseException as error:
            self._note_cancelled(context)
            if isinstance(error, Exception):
                await self._abandon(context, error)
            ended = Ended(stopped=self._killed, left_alone=bool(self._left_alone), job_id=self._job_id)
            await self.after_failure(context, error, ended)
            raise
        if skipped and self.do_xcom_push:
            for key, value in {"return_value": returned, **(returned if self.multiple_outputs else {})}.items():
                context["ti"].xcom_push(key=key, value=value)
        await self.after_job(context, returned)
        if skipped:
            raise AirflowSkipException(skipped)
        return returned

    async def _go(self, context: Context, adapter: JobAdapter, payload: dict[str, Any] | None) -> tuple[Any, str]:
        """Return the task's return value, and why it is skipped."""
        store = self._store(context)
        record, event = self._taken_up(store, payload) if payload is not None else (None, None)
        while True:
            if record is None:
                made = await self.secure_job(context, adapter, store)
                if isinstance(made, Immediate):
                    return self.conclude_immediate(context, made), self.skip_reason(made)
                record = made
            record = self._show(context, store, record)
            if event is None:
                await self.before_wait(context, record)
                event = await self._wait(record, adapter)
            record = self._take_note(store, record, event)
            self._measure(adapter, record, event)
            if event.kind is EventKind.ENDED:
                if not self._redo(adapter, record, event):
                    return await self._finish(context, adapter, store, record, event), ""
                record = None
            elif event.kind in (EventKind.TIMED_OUT, EventKind.NOT_SHOWN, EventKind.REFUSED):
                await self._give_up(adapter, event)
            event = None

    async def _wait(self, record: JobRecord, adapter: JobAdapter) -> JobEvent:
        if record.status is not None and record.status.state in TERMINAL:
            return JobEvent(kind=EventKind.ENDED, job_id=record.status.id, at=time.time(), status=record.status)
        plan = self._plan(record, adapter)
        if self._killed:
            if self.cancel_on_failure and not self._left_alone:
                self._cancelled |= await cancel_job(adapter, plan.job_id, "The task was killed", self.log)
            raise stopped(adapter, plan.job_id)
        from nightshift.jobs.triggers import wait_or_defer

        return await wait_or_defer(self, adapter, plan, cancel_on_kill=self.cancel_on_failure)

    def _plan(self, record: JobRecord, adapter: JobAdapter) -> WaitPlan:
        intent, job_id = record.made()
        phase = Phase.WORKING if record.waiting_since is None else Phase.PARKED
        deadline = record.anchor + self.job_timeout
        if self.execution_timeout is not None:
            deadline = min(deadline, record.attempt_at + self.execution_timeout.total_seconds())
        if record.waiting_since is not None:
            deadline = record.waiting_since + self.waiting_timeout
        return WaitPlan(
            job_id=job_id,
            started=intent.at,
            deadline=deadline,
            phase=phase,
            first=self.poll_first,
            cap=self.poll_cap,
            auth_grace=self.auth_grace,
            gone_ends=adapter.gone_ends,
            seed=intent.run.seed(),
            last=record.status.label() if record.status is not None else "",
        )

    def _take_note(self, store: JobStore, record: JobRecord, event: JobEvent) -> JobRecord:
        record = record.changed(status=event.status or record.status)
        if event.kind is EventKind.PARKED:
            record = record.changed(waiting_since=max(event.seen.since or event.at, record.anchor))
        elif record.waiting_since is not None and event.kind in (EventKind.MOVED, EventKind.ENDED):
            waited = max(0.0, event.at - record.waiting_since)
            record = record.changed(
                anchor=record.anchor + waited, attempt_at=record.attempt_at + waited, waiting_since=None
            )
        return store.save(record)

    def _measure(self, adapter: JobAdapter, record: JobRecord, event: JobEvent) -> None:
        state = "unknown" if record.status is None else str(record.status.state)
        count(Metric.JOBS, vendor=adapter.vendor, event=str(event.kind), state=state)
        if event.kind is EventKind.ENDED and record.intent is not None:
            took(Metric.JOBS_DURATION, max(event.at - record.intent.at, 0.0), vendor=adapter.vendor, state=state)

    def _redo(self, adapter: JobAdapter, record: JobRecord, event: JobEvent) -> bool:
        if record.ending is not Ending.AGAIN_IF_CANCELLED:
            return record.ending is Ending.AGAIN
        if record.cancelled:
            return event.seen.state in FAILED
        may_be_ours = self.cancel_on_failure and adapter.may_have_cancelled
        return may_be_ours and event.seen.state is JobState.CANCELLED

    async def _finish(
        self, context: Context, adapter: JobAdapter, store: JobStore, record: JobRecord, event: JobEvent
    ) -> Any:
        status = event.seen
        if record.named:
            await self._still_like(context, adapter, store, record)
        if status.state in FAILED:
            if self._killed:
                raise stopped(adapter, status.id)
            raise failed(adapter, status)
        answer = self.conclude(context, status, await adapter.result(status))
        # From here on only a clear makes the job again. A worker that dies before Airflow has heard of the success
        # comes back as a retry, which a clear can be told from: it finds this mark and gives the same answer.
        store.save(record.changed(done=True))
        return answer

    async def _still_like(self, context: Context, adapter: JobAdapter, store: JobStore, record: JobRecord) -> None:
        """Look once more at a job that a person named: only now the vendor tells all of it.

        :raises Rejected: it is not this task's; nobody knows of one that is
        """
        intent, job_id = record.made()
        if why := await adapter.unlike(job_id, intent, self.payload(context)):
            store.save(record.changed(id=None, status=None, named=False))
            raise unlike(adapter, job_id, why)

    async def _give_up(self, adapter: JobAdapter, event: JobEvent) -> None:
        if event.kind is EventKind.REFUSED:
            raise refused(adapter, event, self.conn_id)
        if event.kind is EventKind.NOT_SHOWN:
            raise not_shown(adapter, event)
        taken = self.cancel_on_failure and await cancel_job(
            adapter, event.job_id, "The time allowed for it is over", self.log
        )
        self._cancelled = taken
        raise timed_out(adapter, event, cancelled=taken)

    def on_kill(self) -> None:
        """Cancel the job when the worker is told to stop (a clear, mark failed, time-out, or the worker's end).

        Not where a person marked the task success, and not where a newer attempt has the job
        (:mod:`nightshift.jobs.instance`).
        """
        self._killed = True
        if self._job_id is not None and self.cancel_on_failure:
            why = "The task was killed"
            self._cancelled = cancel_in_thread(self.adapter(), self._job_id, why, self.log, spared=self._spared)

    def _spared(self) -> str:
        if self._context is None:
            return ""
        self._left_alone = spared(self._context["ti"], self._context["task_state_store"], self.log)
        return self._left_alone

    def _note_cancelled(self, context: Context) -> None:
        """Keep that the vendor took our cancellation: its word that the job has ended is no answer then."""
        if not self._cancelled:
            return
        with contextlib.suppress(Exception):  # A newer attempt has the record, or Airflow is gone: it asks the vendor.
            record = (store := self._store(context)).load()
            if record is not None and record.id == self._job_id:
                store.save(record.changed(cancelled=True))

    async def _abandon(self, context: Context, error: Exception) -> None:
        """Cancel a job that nobody will wait for any more: this was the last attempt, and it failed."""
        never = AuthFailed | Forbidden | Ambiguous | JobFailed | JobTimedOut
        if self._job_id is None or not self.cancel_on_failure or self._left_alone or isinstance(error, never):
            return
        record = self._store(context).load()
        ended = record is None or record.done or (record.status is not None and record.status.state in TERMINAL)
        if not ended and last_attempt(self, context, error):
            await cancel_by_spec(self.adapter(), self._job_id, "The last attempt failed", self.log)

    def _store(self, context: Context) -> JobStore:
        return JobStore(context["task_state_store"])

    def _taken_up(self, store: JobStore, payload: dict[str, Any]) -> tuple[JobRecord | None, JobEvent | None]:
        """Return the job that was waited for, and what the event tells of it."""
        if not self.is_of_job(payload):
            record = store.load()
            return (record if record is not None and record.id is not None else None), None
        try:
            event = JobEvent.from_event(payload)
        except ValueError as error:
            raise Rejected(f"the event that resumed this task cannot be read: {error}", advice=_ANEW) from None
        record = store.load()
        if record is None or record.id != event.job_id:
            known = record.id if record is not None else None
            raise Rejected(f"the event is of job {event.job_id}, but this task's job is {known}", advice=_ANEW)
        return record, event

    def _show(self, context: Context, store: JobStore, record: JobRecord) -> JobRecord:
        """Remember the job for a kill, and show its page in the UI as soon as there is one."""
        self._job_id = record.id
        url = record.status.url if record.status is not None else None
        number = str(context["ti"].try_number)
        self.job_url = url or record.urls.get(number)
        if not url or record.urls.get(number) == url:
            return record
        self.job_link.push(context["ti"], url)
        return store.save(record.changed(urls={**record.urls, number: url}))
