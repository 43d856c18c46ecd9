"""The sensor that waits for a job which something else has made."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow.sdk import BaseSensorOperator, RetryPolicy
from airflow.sdk.exceptions import AirflowSensorTimeout, AirflowSkipException, TaskDeferred

from nightshift.errors import JobFailed, Rejected
from nightshift.jobs.adapter import AdapterSpec, JobAdapter
from nightshift.jobs.instance import JobLink, run_identity, seconds
from nightshift.jobs.record import JobRecord, JobStore
from nightshift.jobs.state import FAILED
from nightshift.jobs.verdicts import failed, refused, timed_out
from nightshift.jobs.waiting import EventKind, JobEvent, Phase, WaitPlan
from nightshift.retries import VendorRetryPolicy

if TYPE_CHECKING:
    from airflow.sdk import Context


class VendorJobSensor(BaseSensorOperator):
    """Wait until a job has succeeded; fail when it has ended otherwise.

    It makes nothing and cancels nothing. The deadline counts from the first attempt, over all retries; a clear gives it
    new time.

    :param conn_id: Airflow connection (templated).
    :param job_id: the vendor's id of the job (templated).
    :param timeout: seconds (or a span) in all, waits for a person or a time included; 7 days by default, as Airflow has
        it. Passing it fails the task without a retry.
    :param look: seconds to wait on the worker before the sensor defers.
    :param poll_first: seconds between the first polls.
    :param poll_cap: seconds between polls at most.
    :param auth_grace: seconds for which refused credentials are tolerated.
    :param deferrable: wait in the triggerer; otherwise on the worker.
    :raises JobFailed: the job ended, and not well.
    """

    template_fields: Sequence[str] = ("conn_id", "job_id")
    operator_extra_links = (JobLink(),)
    ui_color = "#eef4e8"
    job_link: ClassVar[JobLink] = JobLink()

    def __init__(
        self,
        *,
        conn_id: str,
        job_id: str,
        look: timedelta | float = 10.0,
        poll_first: float = 2.0,
        poll_cap: float = 60.0,
        auth_grace: timedelta | float = timedelta(minutes=10),
        deferrable: bool = True,
        retries: int = 2,
        retry_policy: RetryPolicy | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(retries=retries, retry_policy=retry_policy or VendorRetryPolicy(), **kwargs)
        self.conn_id = conn_id
        self.job_id = job_id
        self.look = seconds(look)
        self.poll_first = poll_first
        self.poll_cap = poll_cap
        self.auth_grace = seconds(auth_grace)
        self.deferrable = deferrable
        self.job_url: str | None = None

    def adapter(self) -> AdapterSpec:
        """Name the adapter; called after templates are rendered."""
        raise NotImplementedError(f"{type(self).__name__} names no adapter")

    def execute(self, context: Context) -> Any:
        """Wait for the job."""
        try:
            return asyncio.run(self._run(context, None))
        except (TaskDeferred, AirflowSkipException):
            raise
        except Exception as error:
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(str(error)) from error
            raise

    def resume(self, context: Context, event: dict[str, Any]) -> Any:
        """Go on after a deferral; Airflow's base class heeds ``soft_fail`` and ``never_fail`` here."""
        return asyncio.run(self._run(context, event or {}))

    def awaited_job(self) -> str:
        """Return the id of the job to wait for; called after templates are rendered."""
        return self.job_id

    def deadline(self, context: Context, record: JobRecord) -> float:
        """Return when the wait is over, seconds since the epoch.

        :param record: of the wait; ``waiting_since`` is set while the job waits for a person or a time
        """
        return record.anchor + float(self.timeout)

    async def try_again(self, context: Context, error: JobFailed) -> bool:
        """Return whether the failed job was set going once more and is to be waited for again; may raise a clearer
        error.
        """
        return False

    async def after_job(self, context: Context, job_id: str) -> None:
        """Do what remains to be done once the job has succeeded."""

    async def _run(self, context: Context, payload: dict[str, Any] | None) -> Any:
        while True:
            job_id = self.awaited_job()
            if not job_id:
                raise Rejected(f"{self.task_id} was given no job to wait for")
            try:
                result = await self._wait_for(job_id, context, payload)
            except JobFailed as error:
                if not await self.try_again(context, error):
                    raise
                payload = None
            else:
                await self.after_job(context, job_id)
                return result

    async def _wait_for(self, job_id: str, context: Context, payload: dict[str, Any] | None) -> Any:
        store = JobStore(context["task_state_store"])
        record = self._record(job_id, store, context["ti"].max_tries)
        async with self.adapter().build() as adapter:
            event = self._event(job_id, payload) if payload is not None else None
            while True:
                event = event or await self._wait(job_id, context, record, adapter)
                self._show(context, event)
                if event.kind is EventKind.ENDED:
                    return await self._finish(adapter, event)
                if event.kind not in (EventKind.PARKED, EventKind.MOVED):
                    self._give_up(adapter, event)
                parked = event.at if event.kind is EventKind.PARKED else None
                record = store.save(record.changed(status=event.status, waiting_since=parked))
                event = None

    def _record(self, job_id: str, store: JobStore, max_tries: int) -> JobRecord:
        record = store.load()
        if record is None or record.id != job_id or max_tries > record.max_tries:
            record = store.save(JobRecord(id=job_id, anchor=time.time(), max_tries=max_tries))
        return record

    def _event(self, job_id: str, payload: dict[str, Any]) -> JobEvent:
        try:
            event = JobEvent.from_event(payload)
        except ValueError as error:
            raise Rejected(f"the event that resumed this sensor cannot be read: {error}") from None
        if event.job_id != job_id:
            raise Rejected(f"the event is of job {event.job_id}, this sensor waits for {job_id}")
        return event

    async def _wait(self, job_id: str, context: Context, record: JobRecord, adapter: JobAdapter) -> JobEvent:
        plan = WaitPlan(
            job_id=job_id,
            started=record.anchor,
            deadline=self.deadline(context, record),
            phase=Phase.WORKING if record.waiting_since is None else Phase.PARKED,
            first=self.poll_first,
            cap=self.poll_cap,
            auth_grace=self.auth_grace,
            seed=run_identity(context).seed(),
            last=record.status.label() if record.status is not None else "",
        )
        from nightshift.jobs.triggers import wait_or_defer

        return await wait_or_defer(self, adapter, plan, cancel_on_kill=False)

    async def _finish(self, adapter: JobAdapter, event: JobEvent) -> Any:
        status = event.seen
        if status.state in FAILED:
            raise failed(adapter, status)
        result = await adapter.result(status)
        return {"job_id": status.id, "state": str(status.state), "url": status.url, "result": result}

    def _give_up(self, adapter: JobAdapter, event: JobEvent) -> NoReturn:
        if event.kind is EventKind.REFUSED:
            raise refused(adapter, event, self.conn_id)
        # Airflow's own word for it: no retry, and soft_fail is heeded.
        raise AirflowSensorTimeout(str(timed_out(adapter, event, cancelled=False)))

    def _show(self, context: Context, event: JobEvent) -> None:
        url = event.status.url if event.status is not None else None
        if url and url != self.job_url:
            self.job_url = url
            self.job_link.push(context["ti"], url)
