"""One walk over the result of a report to the landing, to the end that the vendor documents: a page without records
(Camunda Optimize reference, section 4).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from nightshift.camunda_optimize.page import ContextLost, ResultPage, bad_page
from nightshift.lake.extract import CLAIMED_ROWS

if TYPE_CHECKING:
    from nightshift.camunda_optimize.hook import CamundaOptimizeHook
    from nightshift.camunda_optimize.page import ResultRequest
    from nightshift.lake.landing import ExtractFolder, PageEntry


WALKS = 4
"""Walks over a report of which pages are lost, before it is given up."""


class ResultWalk:
    """One walk; what came is compared with the vendor's count at the end, and ends nothing before.

    :param hook: the client, inside its ``async with``
    :param folder: where the pages go; empty
    :param request: the report and its parameters
    :param strict: whether every total that the pages name counts as promised; else that of the first page alone
    """

    def __init__(
        self, hook: CamundaOptimizeHook, folder: ExtractFolder, request: ResultRequest, *, strict: bool
    ) -> None:
        self.entries: list[PageEntry] = []
        self._hook = hook
        self._folder = folder
        self._request = request
        self._strict = strict
        self._first: ResultPage | None = None
        self._search: str | None = None
        self._totals: list[int] = []
        self._rows = 0
        self._believed = 0
        self._came: dict[int, int] = {}

    async def run(self) -> None:
        """Walk to the end.

        :raises ContextLost: a page was lost or came twice, or fewer records came than were promised: start over
        :raises BadResponse: the search is not heeded, so that the walk would have no end
        :raises VendorError: the first page does not come
        """
        page: ResultPage | None = await self._begin()
        while page is not None:
            self._take(page)
            await self._look_at_search(page)
            coming = self._ask_after(page)
            try:
                if page.rows or page is self._first:
                    self.entries.append(await self._folder.write(page.number, page.body, page.rows))
                last, page = page, await coming if coming is not None else None
            except BaseException:
                if coming is not None:
                    coming.cancel()
                raise
            if page is not None and page.rows and page.fingerprint in self._came:
                repeated = self._came[page.fingerprint]
                raise self._lost(page.number, f"repeats page {repeated}: the search did not move on")
            if page is not None and not page.rows:
                await self._end(last, page)
                return
        self._compare()

    async def _begin(self) -> ResultPage:
        """Return the first page.

        Without a search it is all there is of a report that is not raw data, or a page of one whose search was left
        out, and the vendor's count may be capped: with another limit, only the former stays as long as it is.
        """
        page = await self._hook.result_page(self._request.report_id, limit=self._request.limit)
        self._search = page.search_request_id
        if self._search is None and page.is_list and page.rows == self._request.limit:
            limit = self._request.limit - 1 or 2
            other = await self._hook.result_page(self._request.report_id, limit=limit)
            if other.search_request_id is not None or other.rows != page.rows:
                raise self._lost(
                    1, f"names no search to go on with, and has {other.rows} records with the limit {limit}"
                )
        return page

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
            notes[CLAIMED_ROWS] = promised
        return notes

    def _take(self, page: ResultPage) -> None:
        self._first = self._first or page
        self._rows += page.rows
        self._came[page.fingerprint] = page.number
        if page.total is None:
            return
        if self._totals and page.total != self._totals[0]:
            self._hook.log.warning(
                "Page %d speaks of %d records, page 1 of %d", page.number, page.total, self._totals[0]
            )
        self._totals.append(page.total)

    async def _look_at_search(self, page: ResultPage) -> None:
        """Ask whether the search is heeded, where more records came than the vendor counts, and when twice as many
        came.

        A count may be capped, or left out, so it proves nothing. But where the search gets lost on the way, each page
        is the first one of another search, and of a report that changes all the time none comes twice.
        """
        counted = max(self._totals, default=self._begun().rows)
        if self._search is None or self._rows <= max(counted, self._believed):
            return
        if not await self._hook.heeds_search(self._request.report_id):
            raise bad_page(
                page.number,
                self._request.path,
                f"makes it {self._rows} of {counted} records, and a search that nobody has begun has records as well: "
                "searchRequestId is not heeded",
                advice="Ask whoever runs the proxy before Optimize to pass on the parameter searchRequestId, then clear "
                "the task.",
            )
        self._believed = 2 * self._rows

    def _ask_after(self, page: ResultPage) -> asyncio.Task[ResultPage] | None:
        """Ask for the page after this one already, or return ``None`` where there can be none."""
        if self._search is None or not page.rows:
            return None
        if page.search_request_id is None and not self._is_told():
            total = self._totals[0] if self._totals else "an unknown number of"
            raise self._lost(page.number, f"names no search to go on with, after {self._rows} of {total} records")
        return asyncio.create_task(self._after(page))

    async def _after(self, page: ResultPage) -> ResultPage:
        """Ask for the page after one; where that names no search, the last one that was named counts."""
        self._search = page.search_request_id or self._search
        return await self._hook.result_page(
            self._request.report_id,
            number=page.number + 1,
            search_request_id=self._search,
            limit=self._request.limit,
        )

    async def _end(self, last: ResultPage, page: ResultPage) -> None:
        """Believe the end where the count agrees with it after a page that was not full; else ask once more.

        A count may be capped, and what is asked may be answered without records once. Where the count agrees, only
        records that come then speak against the end.

        :param last: the last page with records
        :param page: the page without
        """
        self._take(page)
        self._compare()
        if self._is_told() and last.rows < self._begun().rows:
            return
        try:
            again = await self._after(page)
        except ContextLost:
            if self._is_told():
                return
            raise
        if again.rows:
            raise self._lost(again.number, f"has {again.rows} records, after page {page.number} had none")

    def _is_told(self) -> bool:
        """Return whether as many records came as the vendor counts."""
        return bool(self._totals) and self._rows == max(self._totals)

    def _compare(self) -> None:
        promised = self._promised()
        if promised is not None and self._rows < promised:
            raise self._lost(len(self.entries) or 1, f"is the last one, and {self._rows} of {promised} records came")

    def _promised(self) -> int | None:
        """Return how many records have to come; a single value is what it is, whatever its count says."""
        if not self._totals or self._begun().is_value:
            return None
        return max(self._totals) if self._strict else self._totals[0]

    def _begun(self) -> ResultPage:
        assert self._first is not None  # noqa: S101 - nothing is asked before the first page is taken
        return self._first

    def _lost(self, number: int, problem: str) -> ContextLost:
        error = bad_page(number, self._request.path, problem)
        return ContextLost(error.problem, vendor=error.vendor, method="GET", path=error.path, advice=error.advice)


async def whole_walk(
    hook: CamundaOptimizeHook, folder: ExtractFolder, request: ResultRequest, *, strict: bool
) -> ResultWalk:
    """Walk until all pages came: a page that may have been consumed is never asked for again, so the export starts
    over.

    :raises ContextLost: four walks lost a page
    """
    for number in range(1, WALKS + 1):
        await folder.begin_again()
        walk = ResultWalk(hook, folder, request, strict=strict)
        try:
            await walk.run()
            break
        except ContextLost as lost:
            if number == WALKS:
                raise
            hook.log.warning("%s; starting over", lost.problem)
            await asyncio.sleep(hook.backoff.pause(number))
    return walk
