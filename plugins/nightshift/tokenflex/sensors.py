"""Wait for an export, without a worker."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from nightshift.errors import JobFailed
from nightshift.jobs.adapter import AdapterSpec
from nightshift.jobs.cancel import Twins
from nightshift.jobs.sensors import VendorJobSensor
from nightshift.jobs.state import Intent, TaskState, from_json
from nightshift.tokenflex.operators import GIVEN_UP
from nightshift.tokenflex.request import VENDOR_RETRIES
from nightshift.tokenflex.responses import ExportState, state_of
from nightshift.tokenflex.vocabulary import DEFAULT_CONN, EXPORT_ADAPTER

if TYPE_CHECKING:
    from airflow.sdk import Context

RETRIES_KEY = "tokenflex_export_retries"
"""Key of the task state store that holds the :class:`VendorRetries`."""
ADVICE = (
    "The vendor gives no reason: look at fields, metrics, category and where of this export. Then clear the task that "
    "requests it, with all that follow: a new export is made. Nothing that was published is touched."
)


class VendorRetries(msgspec.Struct, frozen=True):
    """How often the vendor was asked to try an export again, as the task keeps it.

    :param export: the vendor's id of the export
    :param count: times
    :param asked: whether the vendor is known to have been asked the last time
    """

    export: str
    count: int
    asked: bool = True


class TokenFlexExportSensor(VendorJobSensor):
    """Wait until an export is ready to be downloaded.

    All waits of one contract in a triggerer share one call of the list, at most 5 a minute. So nothing is asked on the
    worker: two hundred sensors would be two hundred calls. An export that the vendor ends in ``Error`` is retried there
    a bounded number of times; then the sensor fails.

    Where the requesting task had to ask twice because the vendor's list did not show its first request, this is looked
    for once more when the export is ready, and deleted if it is listed by now.

    :param contract: contract number (templated)
    :param request_key: the vendor's id of the export (templated), as the requesting task returned it
    :param requested_by: id of the task that requested the export
    :param vendor_retries: how often the vendor is asked to try a failed export again
    :param timeout: seconds (or a span) in all, counted from the first attempt
    :param tokenflex_conn_id: id of the Airflow connection (templated)
    :raises JobFailed: the export ended in ``Error`` for good, or is gone
    """

    template_fields = (*VendorJobSensor.template_fields, "contract")

    def __init__(
        self,
        *,
        contract: str,
        request_key: str,
        requested_by: str | None = None,
        vendor_retries: int | None = None,
        tokenflex_conn_id: str = DEFAULT_CONN,
        look: timedelta | float = 0.0,
        poll_first: float = 12.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=tokenflex_conn_id, job_id=request_key, look=look, poll_first=poll_first, **kwargs)
        self.contract = contract
        self.requested_by = requested_by
        self.vendor_retries = VENDOR_RETRIES if vendor_retries is None else vendor_retries

    def adapter(self) -> AdapterSpec:
        """Name the adapter."""
        return AdapterSpec.of(EXPORT_ADAPTER, self.conn_id, contract=self.contract)

    async def try_again(self, context: Context, error: JobFailed) -> bool:
        """Have the vendor try the export again, where it still may. The count is kept before it is asked; an attempt
        that ended in between is not counted as one more.
        """
        from nightshift.tokenflex.hook import TokenFlexHook

        if state_of(error.state, ExportState) is not ExportState.ERROR:
            raise error.replaced(advice=ADVICE) from None
        advice = "Nothing was asked of the vendor. Delete that key, then clear the task: the tries are counted anew."
        state = TaskState(context["task_state_store"], RETRIES_KEY, VendorRetries, advice=advice)
        done, most = state.load(), self.vendor_retries
        if done is None or done.export != self.job_id:
            done = VendorRetries(self.job_id, 0)
        if done.asked and done.count >= most:
            self.log.error("The vendor tried export %s %d times again: Error each time.", self.job_id, done.count)
            raise error.replaced(advice=ADVICE) from None
        count = done.count + done.asked
        state.save(VendorRetries(self.job_id, count, asked=False))
        again = f"the vendor is asked to try it again ({count} of {most})"
        self.log.warning("Export %s ended in Error; %s.", self.job_id, again)
        async with TokenFlexHook(self.conn_id) as hook:
            await hook.retry_export(self.contract, self.job_id)
        state.save(VendorRetries(self.job_id, count))
        return True

    async def after_job(self, context: Context, job_id: str) -> None:
        """Delete what has turned up of requests that the requesting task had given up; never an error of this wait."""
        if self.requested_by is None:
            return
        ti = context["ti"]
        index = -1 if ti.map_index is None else ti.map_index
        try:
            given_up = ti.xcom_pull(task_ids=self.requested_by, key=GIVEN_UP, map_indexes=index) or []
            if given_up:
                async with self.adapter().build() as adapter:
                    intents = [from_json(Intent, one) for one in given_up]
                    await Twins(adapter, self.log, asyncio.sleep).cancel_late(intents, self.job_id)
        except Exception as error:
            self.log.warning("Whether an earlier request has become an export late was not seen (%s)", error)
