"""One walk over the result of a report to the landing, to the end that the vendor documents: a page without records
(Camunda Optimize reference, section 4).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from nightshift.camunda_optimize.page import ContextLost, ResultPage, bad_page
from nightshift.lake.extract import TOLD_ROWS

if TYPE_CHECKING:
    from nightshift.camunda_optimize.hook import CamundaOptimizeHook
    from nightshift.lake.landing import ExtractFolder, PageEntry


class ResultWalk:
    """One walk; what came is compared with the vendor's count at the end, and ends nothing before.

    :param hook: the client, inside its ``async with``
    :param folder: where the pages go; empty
    :param report_id: id of the report
    :param limit: records a page
    :param strict: whether every total that the pages name counts as promised; else that of the first page alone
    """

    def __init__(
        self, hook: CamundaOptimizeHook, folder: ExtractFolder, report_id: str, limit: int, *, strict: bool
    ) -> None:
        self.entries: list[PageEntry] = []
        self._hook = hook
        self._folder = folder
        self._report_id = report_id
        self._limit = limit
        self._strict = strict
        self._first: ResultPage | None = None
        self._totals: list[int] = []
        self._rows = 0

    async def run(self) -> None:
        """Walk to the end.

        :raises ContextLost: a page was lost or came twice, or fewer records came than were promised: start over
        :raises VendorError: the first page does not come
        """
        page: ResultPage | None = await self._hook.result_page(self._report_id, limit=self._limit)
        while page is not None:
            self._take(page)
            coming = self._ask_after(page)
            try:
                if page.rows or page is self._first:
                    self.entries.append(await self._folder.write(page.number, page.body, page.rows))
                last, page = page, await coming if coming is not None else None
            except BaseException:
                if coming is not None:
                    coming.cancel()
                raise
            if page is not None and page.rows and page.fingerprint == last.fingerprint:
                raise self._lost(page.number, f"repeats page {last.number}: the search did not move on")
            if page is not None and not page.rows:
                await self._end(page)
                return
        self._compare()

    @property
    def total(self) -> int | None:
        """Records of the whole result as the vendor counts them; ``None`` where it counts fewer than came, or none."""
        promised = self._promised()
        return promised if promised == self._rows else None

    def notes(self) -> dict[str, str | int]:
        """Return what else is to be known of the result."""
        notes: dict[str, str | int] = {}
        first = self._begun()
        if first.message:
            notes["message"] = first.message
        if first.is_value:
            notes["shape"] = "a single value, taken as one row" if first.rows else "a value that is null: no row"
        if (promised := self._promised()) is not None and promised < self._rows:
            notes[TOLD_ROWS] = promised
        return notes

    def _take(self, page: ResultPage) -> None:
        self._first = self._first or page
        self._rows += page.rows
        if page.total is None:
            return
        if self._totals and page.total != self._totals[0]:
            self._hook.log.warning(
                "Page %d speaks of %d records, page 1 of %d", page.number, page.total, self._totals[0]
            )
        self._totals.append(page.total)

    def _ask_after(self, page: ResultPage) -> asyncio.Task[ResultPage] | None:
        """Ask for the page after this one already, or return ``None`` where there can be none."""
        if self._begun().search_request_id is None or not page.rows:
            return None
        if page.search_request_id is None:
            if self._totals and self._rows == max(self._totals):
                return None
            raise self._lost(
                page.number, f"names no search to go on with, after {self._rows} of {self._told()} records"
            )
        return asyncio.create_task(self._after(page.number, page.search_request_id))

    async def _after(self, number: int, search_request_id: str) -> ResultPage:
        return await self._hook.result_page(
            self._report_id, number=number + 1, search_request_id=search_request_id, limit=self._limit
        )

    async def _end(self, page: ResultPage) -> None:
        """Believe the end where the count agrees with it; else ask once more, for what came is the only proof."""
        self._take(page)
        self._compare()
        if self._totals and self._rows == max(self._totals):
            return
        again = await self._after(page.number, page.search_request_id or self._begun().search_request_id or "")
        if again.rows:
            raise self._lost(again.number, f"has {again.rows} records, after page {page.number} had none")

    def _compare(self) -> None:
        promised = self._promised()
        if promised is not None and self._rows < promised:
            raise self._lost(len(self.entries) or 1, f"is the last one, and {self._rows} of {promised} records came")

    def _promised(self) -> int | None:
        """Return how many records have to come; a single value is what it is, whatever its count says."""
        if not self._totals or self._begun().is_value:
            return None
        return max(self._totals) if self._strict else self._totals[0]

    def _told(self) -> str:
        return str(self._totals[0]) if self._totals else "an unknown number of"

    def _begun(self) -> ResultPage:
        assert self._first is not None  # noqa: S101 - nothing is asked before the first page is taken
        return self._first

    def _lost(self, number: int, problem: str) -> ContextLost:
        error = bad_page(number, f"/api/public/export/report/{self._report_id}/result/json", problem)
        return ContextLost(error.problem, vendor=error.vendor, method="GET", path=error.path, advice=error.advice)
