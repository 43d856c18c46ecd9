"""Bring a night of a Camunda Optimize report to the landing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from nightshift.camunda_optimize.source import CAMUNDA_OPTIMIZE
from nightshift.camunda_optimize.walk import whole_walk
from nightshift.lake.extract import Progress
from nightshift.lake.landing import Manifest, VendorTotals
from nightshift.nights.extract import ExtractOperator

if TYPE_CHECKING:
    from nightshift.lake.landing import ExtractFolder


class CamundaOptimizeExtractOperator(ExtractOperator):
    """Bring the result of one report home: all its pages, as received.

    The pages are asked for one after the other, the next one while the last one is written, until one has no records. A
    page that was lost, a search that the server has forgotten, or fewer records than the vendor has promised start the
    export over, three times at most: a page that may have been consumed is never asked for again.

    A report is a snapshot of the present. Without ``dated`` only the night that has just ended can be taken; an older
    one comes from the landing when it is there.

    :param report_id: id of the report at Optimize
    :param limit: records a page, 1 to 10000; default: the extra ``limit`` of the connection, else as many as the vendor
        gives
    :param strict: whether every total that the pages name counts as promised; else that of the first page alone
    :param dated: whether the rows of a night can be told by a date column, so that past nights can be asked for
    :param camunda_optimize_conn_id: id of the Airflow connection
    """

    source = CAMUNDA_OPTIMIZE.type
    template_fields = (*ExtractOperator.template_fields, "report_id")

    def __init__(
        self,
        *,
        report_id: str,
        limit: int | None = None,
        strict: bool = True,
        dated: bool = False,
        camunda_optimize_conn_id: str = CAMUNDA_OPTIMIZE.default_connection,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.report_id = report_id
        self.limit = limit
        self.strict = strict
        self.dated = dated
        self.camunda_optimize_conn_id = camunda_optimize_conn_id
        if not dated:
            self.horizon_days = 1

    def beyond_horizon(self) -> tuple[str, str]:
        """Say why an older night cannot be asked for, and what to do."""
        if self.dated:
            return super().beyond_horizon()
        return (
            f"the report {self.report} is a snapshot of the present, the night {self.night} is past, and the landing "
            "has no complete extract for it",
            "Give the report a night_column in reports.yaml when its rows say to which night they belong; only then "
            "can past nights be asked for.",
        )

    def asked_for(self) -> dict[str, Any]:
        """Return what of the configuration decides which rows come."""
        return {**super().asked_for(), "report_id": self.report_id}

    async def extract(self, folder: ExtractFolder, progress: Progress, context: Context) -> Manifest:
        """Land every page of the result."""
        from nightshift.camunda_optimize.hook import CamundaOptimizeHook

        async with CamundaOptimizeHook(self.camunda_optimize_conn_id) as hook:
            request = hook.request_of(self.report_id, limit=self.limit)
            asked = {**hook.asked_of, "report_id": request.report_id, "limit": request.limit}
            progress = await self.going_on(folder, progress, context, asked)
            walk = await whole_walk(hook, folder, request, strict=self.strict)
        return self.manifest_of(
            walk.entries,
            progress,
            context,
            format="json",
            window={"taken": datetime.now(UTC).isoformat()},
            request={"report_id": request.report_id, "limit": str(request.limit)},
            vendor_totals=VendorTotals(rows=walk.total),
            model=None,
            notes=walk.notes(),
        )
