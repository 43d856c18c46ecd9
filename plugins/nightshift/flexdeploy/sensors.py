"""Wait for a workflow request that something else has started, without a worker."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from nightshift.flexdeploy.links import WorkflowRequestLink
from nightshift.flexdeploy.requests import job_id_of
from nightshift.flexdeploy.vocabulary import ADAPTER, DEFAULT_CONN
from nightshift.jobs.adapter import AdapterSpec, JobAdapter
from nightshift.jobs.events import JobEvent
from nightshift.jobs.record import JobRecord
from nightshift.jobs.run import seconds
from nightshift.jobs.sensors import VendorJobSensor

if TYPE_CHECKING:
    from airflow.sdk import Context

CLOCK_KEY = "flexdeploy_waited"
"""Key of the task state store: when the present wait for a person or a time began, and how long those before it took."""


class FlexDeployWorkflowRequestSensor(VendorJobSensor):
    """Wait until a workflow request, or all of several, has ended as COMPLETED; fail when one has ended otherwise.

    It starts nothing and stops nothing. PENDING_APPROVAL and SCHEDULED do not count against ``timeout``.

    :param workflow_request_id: id, or several as a list, as a task returned them in ``workflow_request_ids`` (templated)
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
        self.working_timeout = seconds(timeout)
        self.waiting_timeout = seconds(waiting_timeout)

    def adapter(self) -> AdapterSpec:
        """Name the adapter."""
        return AdapterSpec.of(ADAPTER, self.conn_id)

    async def _go(self, context: Context, payload: dict[str, Any] | None) -> Any:
        self.job_id = job_id_of(self.workflow_request_id)
        return await super()._go(context, payload)

    async def _wait(self, context: Context, record: JobRecord, adapter: JobAdapter) -> JobEvent:
        # The base class has one deadline, ``timeout`` after the anchor: it is moved to where this wait has its own.
        waited = self._waited(context, record)
        if record.waiting_since is None:
            self.timeout = self.working_timeout + waited
        else:
            self.timeout = record.waiting_since - record.anchor + self.waiting_timeout
        return await super()._wait(context, record, adapter)

    def _waited(self, context: Context, record: JobRecord) -> float:
        """Return the seconds that were spent waiting for a person or a time before now."""
        store = context["task_state_store"]
        held = store.get(CLOCK_KEY, None)
        mine = isinstance(held, dict) and (held.get("job"), held.get("anchor", record.anchor)) == (
            record.id,
            record.anchor,
        )
        clock = held if mine and isinstance(held, dict) else {}
        since, waited = clock.get("since"), float(clock.get("waited") or 0.0)
        if since is not None and since != record.waiting_since:
            waited += max(0.0, (record.waiting_since or time.time()) - since)
        store.set(
            CLOCK_KEY, {"job": record.id, "anchor": record.anchor, "since": record.waiting_since, "waited": waited}
        )
        return waited
