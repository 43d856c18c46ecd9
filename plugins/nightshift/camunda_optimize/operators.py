"""Bring a night of a Camunda Optimize report to the landing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from nightshift.camunda_optimize.page import DEFAULT_CONN, MAX_LIMIT, ContextLost, ResultPage, bad_page
from nightshift.lake.extract import Progress
from nightshift.lake.landing import Manifest, VendorTotals
from nightshift.nights.extract import ExtractOperator

if TYPE_CHECKING:
    from nightshift.camunda_optimize.hook import CamundaOptimizeHook
    from nightshift.lake.landing import ExtractFolder, PageEntry

WALKS = 4


class CamundaOptimizeExtractOperator(ExtractOperator):
    """Bring the result of one report home: all its pages, as received.

    The pages are asked for one after the other, the next one while the last one is written. A page that was lost, a
    search that the server has forgotten, or a sum that does not agree with the vendor's total starts the export over,
    three times at most: a page that may have been consumed is never asked for again.

    A report is a snapshot of the present. Without ``dated`` only the night that has just ended can be taken; an older
    one comes from the landing when it is there.

    :param report_id: id of the report at Optimize
    :param limit: records a page, 1 to 10000
    :param strict: whether a total that changes under the walk is a reason to start over
    :param dated: whether the rows of a night can be told by a date column, so that past nights can be asked for
    :param camunda_optimize_conn_id: id of the Airflow connection
    """

    source = "camunda_optimize"
    template_fields = (*ExtractOperator.template_fields, "report_id")

    def __init__(
        self,
        *,
        report_id: str,
        limit: int = MAX_LIMIT,
        strict: bool = True,
        dated: bool = False,
        camunda_optimize_conn_id: str = DEFAULT_CONN,
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

    async def extract(self, folder: ExtractFolder, progress: Progress, context: Context) -> Manifest:
        """Land every page of the result."""
        from nightshift.camunda_optimize.hook import CamundaOptimizeHook

        async with CamundaOptimizeHook(self.camunda_optimize_conn_id) as hook:
            for left in reversed(range(WALKS)):
                await folder.discard()
                try:
                    entries, first = await self._walk(hook, folder)
                    break
                except ContextLost as lost:
                    if not left:
                        raise
                    self.log.warning("%s; starting over", lost.problem)
        notes = {"message": first.message} if first.message else {}
        if not first.is_list and first.rows:
            notes["shape"] = "a single value, taken as one row"
        return Manifest.of(
            entries,
            source=self.source,
            report=self.report,
            night=self.night,
            extract=progress.extract,
            connection=self.camunda_optimize_conn_id,
            attempt=context["ti"].try_number,
            started=progress.started,
            finished=datetime.now(UTC).isoformat(),
            format="json",
            window={"taken": datetime.now(UTC).isoformat()},
            request={"report_id": self.report_id, "limit": str(self.limit)},
            vendor_totals=VendorTotals(rows=first.total, pages=None),
            model=None,
            notes=notes,
        )

    async def _walk(self, hook: CamundaOptimizeHook, folder: ExtractFolder) -> tuple[list[PageEntry], ResultPage]:
        page = first = await hook.result_page(self.report_id, limit=self.limit)
        entries: list[PageEntry] = []
        rows = 0
        while True:
            rows += page.rows
            coming = self._next(hook, page, first, rows)
            try:
                if page.rows or page is first:
                    entries.append(await folder.write(page.number, page.body, page.rows))
                if coming is None:
                    break
                last, page = page, await coming
            except BaseException:
                if coming is not None:
                    coming.cancel()
                raise
            if page.rows and page.fingerprint == last.fingerprint:
                raise self._lost(page.number, f"repeats page {last.number}: the search did not move on")
            self._watch_total(page, first)
        if first.total is not None and first.is_list and rows != first.total:
            raise self._lost(page.number, f"is the last one, and {rows} of {first.total} records came")
        return entries, first

    def _next(
        self, hook: CamundaOptimizeHook, page: ResultPage, first: ResultPage, rows: int
    ) -> asyncio.Task[ResultPage] | None:
        """Ask for the page after this one already, or return ``None`` at the end."""
        is_raw = first.search_request_id is not None
        done = first.total is not None and rows >= first.total
        if not is_raw or page.rows == 0 or done:
            return None
        if page.search_request_id is None:
            raise self._lost(page.number, f"names no search to go on with, after {rows} of {first.total} records")
        return asyncio.create_task(
            hook.result_page(
                self.report_id, number=page.number + 1, search_request_id=page.search_request_id, limit=self.limit
            )
        )

    def _watch_total(self, page: ResultPage, first: ResultPage) -> None:
        if page.total in (None, first.total):
            return
        if self.strict:
            raise self._lost(page.number, f"speaks of {page.total} records, page 1 of {first.total}")
        self.log.warning("Page %d speaks of %s records, page 1 of %s", page.number, page.total, first.total)

    def _lost(self, number: int, problem: str) -> ContextLost:
        error = bad_page(number, f"/api/public/export/report/{self.report_id}/result/json", problem)
        return ContextLost(error.problem, vendor=error.vendor, method="GET", path=error.path, advice=error.advice)


def variables_to_promote(variables: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return process variables that become columns, as the lake wants them told.

    :param variables: name of the variable → type of its column
    """
    return {"variables": dict(variables)} if variables else {}
