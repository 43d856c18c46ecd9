"""Wait for a workflow request that something else has started, without a worker."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from nightshift.flexdeploy.fields import job_id_of
from nightshift.flexdeploy.job import WorkflowRequestLink
from nightshift.flexdeploy.vocabulary import ADAPTER, DEFAULT_CONN
from nightshift.jobs.adapter import AdapterSpec
from nightshift.jobs.instance import seconds
from nightshift.jobs.record import JobRecord
from nightshift.jobs.sensors import VendorJobSensor
from nightshift.jobs.state import TaskState

if TYPE_CHECKING:
    from airflow.sdk import Context

CLOCK_KEY = "flexdeploy_waited"
"""Key of the task state store that holds the :class:`WaitClock`."""


class WaitClock(msgspec.Struct, frozen=True, kw_only=True):
    """How long a job has waited for people and times so far.

    :param job: the job
    :param anchor: when its wait began, seconds since the epoch
    :param since: when the present wait for a person or a time began
    :param waited: seconds of those before it
    """

    job: str | None
    anchor: float
    since: float | None = None
    waited: float = 0.0


class FlexDeployWorkflowRequestSensor(VendorJobSensor):
    """Wait until a workflow request, or all of several, has ended as COMPLETED; fail when one has ended otherwise.

    It starts nothing and stops nothing. PENDING_APPROVAL and SCHEDULED do not count against ``timeout``.

    :param workflow_request_id: id, or several as a list, as a task returned them in ``workflow_request_ids``
        (templated)
    :param timeout: working time in all, counted from the first attempt
    :param waiting_timeout: how long it may wait for a person or a time, each time anew
    :param flexdeploy_conn_id: id of the Airflow connection (templated)
    :raises JobFailed: one ended as FAILED, ABORTED or REJECTED
    """

    template_fields = ("conn_id", "workflow_request_id")
    operator_extra_links = (WorkflowRequestLink(),)
    job_link: ClassVar[WorkflowRequestLink] = WorkflowRequestLink()
    ui_color = "#eaf4f0"

    def __init__(
        self,
        *,
        workflow_request_id: Any,
        timeout: timedelta | float = timedelta(hours=6),
        waiting_timeout: timedelta | float = timedelta(days=7),
        flexdeploy_conn_id: str = DEFAULT_CONN,
        poll_first: float = 3.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            conn_id=flexdeploy_conn_id, job_id="", poll_first=poll_first, timeout=seconds(timeout), **kwargs
        )
        self.workflow_request_id = workflow_request_id
        self.waiting_timeout = seconds(waiting_timeout)

    def adapter(self) -> AdapterSpec:
        """Name the adapter."""
        return AdapterSpec.of(ADAPTER, self.conn_id)

    def awaited_job(self) -> str:
        """Return the job that the workflow requests make up."""
        return job_id_of(self.workflow_request_id)

    def deadline(self, context: Context, record: JobRecord) -> float:
        """Return when the wait is over: of the working time, or of the present wait for a person or a time."""
        waited = self._waited(context, record)
        if record.waiting_since is not None:
            return record.waiting_since + self.waiting_timeout
        return record.anchor + float(self.timeout) + waited

    def _waited(self, context: Context, record: JobRecord) -> float:
        """Return the seconds that were spent waiting for a person or a time before now."""
        state = TaskState(context["task_state_store"], CLOCK_KEY, WaitClock)
        clock = state.load_if_sound()
        if clock is None or (clock.job, clock.anchor) != (record.id, record.anchor):
            clock = WaitClock(job=record.id, anchor=record.anchor)
        waited = clock.waited
        if clock.since is not None and clock.since != record.waiting_since:
            waited += max(0.0, (record.waiting_since or time.time()) - clock.since)
        state.save(msgspec.structs.replace(clock, since=record.waiting_since, waited=waited))
        return waited
