"""Request an export once, delete it at the vendor when its file is home; keep the access to the vendor alive."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
from airflow.sdk import BaseAsyncOperator, BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from nightshift.errors import NotFound, RateLimited, Unreachable
from nightshift.jobs.adapter import AdapterSpec, JobAdapter
from nightshift.jobs.cancel import cancel_job
from nightshift.jobs.instance import run_identity, seconds
from nightshift.jobs.once import Attempt, SubmitOnce
from nightshift.jobs.record import Ending, JobRecord, JobStore
from nightshift.jobs.state import ACTIVE, TaskState, to_json
from nightshift.retries import VendorRetryPolicy
from nightshift.tokenflex.request import DATE_FIELD, QUEUE_HOURS, ExportRequest, UsageRequest, payload_of
from nightshift.tokenflex.vocabulary import DEFAULT_CONN, EXPORT_ADAPTER, VENDOR
from nightshift.tokenflex.where import Condition, parts_of

if TYPE_CHECKING:
    from airflow.sdk import Context

QUEUE_KEY = "tokenflex_queue"
GIVEN_UP = "given_up"
"""XCom with the requests that never became an export as far as could be seen; what turns up of them is deleted."""
LONGEST_WAIT = 600.0
AGAIN_AFTER = 5.0
AGAIN_AT_MOST = 12


class QueueWait(msgspec.Struct, frozen=True):
    """The wait for the vendor's queue of pending exports, as the task keeps it.

    :param since: when it began, seconds since the epoch
    :param refusals: how often the queue was full
    """

    since: float
    refusals: int = 0


class TokenFlexRequestExportOperator(BaseOperator):
    """Request an export, once: a retry goes on with the export that an attempt before it made, whatever killed that.

    The export is found again by the marker at the end of its ``downloadFileName``. Where the vendor's queue of 50
    pending exports is full, or the rate is used up, the task waits without a worker and asks again. Clearing the task
    after its success makes a new export; the one it replaces is deleted while it is still pending.

    Returns ``request_key``, ``file_name`` and ``where``, each an XCom of its own too; never a link.

    :param contract: contract number (templated)
    :param night: the night, ``YYYY-MM-DD`` (templated); with ``date_field`` it bounds the usage that is asked for
    :param look_back: nights before it that are asked for as well, because usage arrives late; default: none
    :param date_field: field that the nights are compared with, ``None`` for no bounds; ``usageMonth`` needs a
        ``look_back`` of 30 or more
    :param fields: names to group by
    :param metrics: numbers over that grouping
    :param categories: usage categories
    :param where: further criteria, a text of your own; it is not templated, so that no value can become a part of it
    :param conditions: further criteria as ``{field, operator, value}``, without ``operator`` it is ``=``; values are
        templated and quoted here
    :param file_name: beginning of the file's name at the vendor, without extension (templated); the night and the
        marker are added
    :param other_names: fields and metrics that exist though they are not known here
    :param skip_rules: local rules that are not checked
    :param queue_timeout: how long a full queue is waited for
    :param delete_replaced: delete the export that a clear replaces also when its file is ready
    :param tokenflex_conn_id: id of the Airflow connection (templated)
    :raises Rejected: a rule is broken; it names the rule and the field. Raised when the DAG is parsed, where possible
    :raises Ambiguous: only a person can tell whether an export was made; the message says how
    """

    template_fields = ("tokenflex_conn_id", "contract", "night", "conditions", "file_name")
    template_fields_renderers: ClassVar[dict[str, str]] = {"conditions": "json"}
    ui_color = "#e8ecf8"
    adapter_type: ClassVar[type[JobAdapter] | str] = EXPORT_ADAPTER

    def __init__(
        self,
        *,
        contract: str,
        night: Any = None,
        look_back: int | None = None,
        date_field: str | None = DATE_FIELD,
        fields: Sequence[str] = (),
        metrics: Sequence[str] = (),
        categories: Sequence[str] = (),
        where: str | None = None,
        conditions: Sequence[Mapping[str, Any]] = (),
        file_name: str = "usage",
        other_names: Sequence[str] = (),
        skip_rules: Sequence[str] = (),
        queue_timeout: timedelta | float | None = None,
        delete_replaced: bool = False,
        tokenflex_conn_id: str = DEFAULT_CONN,
        retries: int = 2,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("retry_policy", VendorRetryPolicy())
        super().__init__(**{"multiple_outputs": True, "retries": retries, **kwargs})
        self.contract = contract
        self.night = night
        self.conditions = [parts_of(one) for one in conditions]
        self.file_name = file_name
        self.queue_timeout = seconds(timedelta(hours=QUEUE_HOURS) if queue_timeout is None else queue_timeout)
        self.delete_replaced = delete_replaced
        self.tokenflex_conn_id = tokenflex_conn_id
        self.request = ExportRequest(
            category=tuple(categories),
            fields=tuple(fields),
            metrics=tuple(metrics),
            where=where,
            date_field=date_field,
            **({} if look_back is None else {"look_back": look_back}),
            other_names=tuple(other_names),
            skip_rules=tuple(skip_rules),
        )
        self._check_early()

    def _check_early(self) -> None:
        """Refuse what needs no template right away, so that a mistake shows when the DAG is parsed."""
        self.request.usage()
        for one in self.conditions:
            if "{{" not in str(one["value"]):
                Condition(**one)

    def usage_request(self) -> UsageRequest:
        """Return what is asked for; called after templates are rendered.

        :raises Rejected: a rule is broken
        """
        conditions = [Condition(**one) for one in self.conditions]
        return self.request.usage(self.night, conditions, file_name=f"{self.file_name} {self.night or ''}".strip())

    def execute(self, context: Context) -> Any:
        """Request the export, or take up the one that is there."""
        return asyncio.run(self._go(context))

    def resume(self, context: Context, event: Any = None) -> Any:
        """Ask again after a wait for the vendor's queue."""
        return asyncio.run(self._go(context))

    async def _go(self, context: Context) -> dict[str, Any]:
        request = self.usage_request()
        store = JobStore(context["task_state_store"])
        before = store.load()
        spec = AdapterSpec.of(self.adapter_type, self.tokenflex_conn_id, contract=self.contract)
        async with spec.build() as adapter:
            try:
                record = await self._secure(context, adapter, store, request)
            except RateLimited as refusal:
                self._queue(context, refusal)
                raise
            await self._drop_replaced(adapter, before, record)
        context["ti"].xcom_push(key=GIVEN_UP, value=[to_json(intent) for intent in record.given_up])
        store.save(record.changed(done=True))
        _queue_wait(context).forget()
        name = record.status.attributes.get("file_name") if record.status is not None else None
        return {"request_key": record.id, "file_name": name, "where": request.where}

    async def _secure(self, context: Context, adapter: JobAdapter, store: JobStore, request: UsageRequest) -> JobRecord:
        ti = context["ti"]
        attempt = Attempt(
            run=run_identity(context), number=ti.try_number, max_tries=ti.max_tries, payload=payload_of(request)
        )
        for _ in range(AGAIN_AT_MOST):
            record = await SubmitOnce(adapter, store, attempt, self.log).secure()
            if isinstance(record, JobRecord) and record.ending is not Ending.AGAIN:
                return record
            # An export for another request is in the way and was deleted; it is gone as soon as the vendor says so.
            await asyncio.sleep(AGAIN_AFTER)
        raise Unreachable(
            "an export of this task, made for another request, was deleted but is still there", vendor=VENDOR
        )

    def _queue(self, context: Context, refusal: RateLimited) -> None:
        """Wait for the vendor's queue without a worker; return where it was waited for long enough."""
        from airflow.providers.standard.triggers.temporal import DateTimeTrigger

        state, now = _queue_wait(context), time.time()
        known = state.load() or QueueWait(now)
        waited = now - known.since
        if waited >= self.queue_timeout:
            state.forget()
            self.log.error("The vendor's queue was full for %.0f s; giving up.", waited)
            return
        state.save(QueueWait(known.since, known.refusals + 1))
        longest = min(LONGEST_WAIT, 30.0 * 2.0 ** min(known.refusals, 8))
        spread = random.uniform(1.0, 1.2)  # noqa: S311 - spreads
        # The last look falls on the end of the wait, however long the vendor wants to rest.
        wait = min(max(refusal.retry_after or 0.0, longest) * spread, max(self.queue_timeout - waited, 1.0))
        self.log.info("%s Asking again in %.0f s, without a worker.", refusal.replaced(advice=""), wait)
        moment = datetime.now(UTC) + timedelta(seconds=wait)
        self.defer(trigger=DateTimeTrigger(moment=moment), method_name="resume", timeout=timedelta(seconds=wait + 3600))

    async def _drop_replaced(self, adapter: JobAdapter, before: JobRecord | None, record: JobRecord) -> None:
        if before is None or before.id is None or before.id == record.id:
            return
        old = (await adapter.status([before.id])).get(before.id)
        if self.delete_replaced or getattr(old, "state", None) in ACTIVE:
            await cancel_job(adapter, before.id, f"It was replaced by {record.id}", self.log)


def _queue_wait(context: Context) -> TaskState[QueueWait]:
    advice = "Nothing was asked of the vendor. Delete that key, then clear the task: the wait is counted anew."
    return TaskState(context["task_state_store"], QUEUE_KEY, QueueWait, advice=advice)


class TokenFlexDeleteExportOperator(BaseAsyncOperator):
    """Delete an export and its file at the vendor; one that is gone already is fine.

    :param contract: contract number (templated)
    :param request_key: the vendor's id of the export (templated)
    :param tokenflex_conn_id: id of the Airflow connection (templated)
    """

    template_fields = ("tokenflex_conn_id", "contract", "request_key")
    ui_color = "#f1e3e3"

    def __init__(
        self,
        *,
        contract: str,
        request_key: Any,
        tokenflex_conn_id: str = DEFAULT_CONN,
        retries: int = 2,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("retry_policy", VendorRetryPolicy())
        super().__init__(retries=retries, **kwargs)
        self.contract = contract
        self.request_key = request_key
        self.tokenflex_conn_id = tokenflex_conn_id

    async def aexecute(self, context: Context) -> None:
        """Delete it."""
        from nightshift.tokenflex.hook import TokenFlexHook

        async with TokenFlexHook(self.tokenflex_conn_id) as hook:
            try:
                await hook.delete_export(self.contract, self.request_key)
            except NotFound:
                self.log.info("Export %s is gone already.", self.request_key)
                return
        self.log.info("Export %s was deleted at the vendor, with its file.", self.request_key)


class RenewTokensOperator(BaseAsyncOperator):
    """Renew the tokens of every connection that a person has granted access for, where that is due.

    Nothing due, or nobody has granted access: the task is skipped. A run that a person triggered renews at once, and
    asks once more where Autodesk has refused the refresh token before. One that a task started renews at once, too, of
    the connection whose access token Autodesk refused before its end. There must be one such task at a time in an
    Airflow: see :mod:`nightshift.tokenflex.renewal`. The result, and the extra of the outlet assets' events, name
    connections and times, never a token.

    :raises VendorError: a connection could not be renewed; the message says until when everything goes on working and
        what to do
    """

    template_fields: ClassVar[Sequence[str]] = ()
    ui_color = "#f3efe6"

    async def aexecute(self, context: Any) -> list[dict[str, str | int]]:
        """Renew, and return one row for each connection that was renewed."""
        from nightshift.tokenflex.renewal import renew_all
        from nightshift.tokenflex.tokens import REFUSED_CONF

        run, attempt = context["dag_run"], context["ti"].try_number
        refused = (run.conf or {}).get(REFUSED_CONF)
        done = await renew_all(
            by=f"{run.run_id}, try {attempt}",
            force=run.run_type == "manual",
            refused=refused if isinstance(refused, dict) else None,
        )
        if not done:
            raise AirflowSkipException("Nothing is due. To grant access to Token Flex, open Admin, Token Flex sign-in.")
        for asset in self.outlets:
            context["outlet_events"][asset].extra = {"renewed": done}
        return done
