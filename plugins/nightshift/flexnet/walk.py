"""One walk over the pages of a report to the landing: from the landing as far as it goes, from the vendor after
that.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from nightshift.errors import BadResponse, NotFound, Rejected
from nightshift.flexnet.page import Astray, Missing, ReportPage, Unsteady, bad_page
from nightshift.flexnet.pages import COUNTS
from nightshift.lake.errors import Damaged
from nightshift.lake.extract import VendorTotals

if TYPE_CHECKING:
    from nightshift.flexnet.hook import FlexNetHook
    from nightshift.flexnet.request import ReportRequest
    from nightshift.lake.keys import KeyIndex
    from nightshift.lake.landing import ExtractFolder, PageEntry

ROUNDS = 3
"""Walks over a report that changes under them, before it is given up."""


class Walk:
    """One walk; it notices a report that changes while its pages are read, so that they do not belong together.

    :param hook: the client, inside its ``async with``
    :param request: the report and its parameters; with a key in it, rows that come on any two pages are noticed,
        without one those where two pages meet
    :param folder: where the pages go; pages that are there are not fetched again, where the first and the last of them
        are still what they were
    :param in_flight: pages asked for at a time; ``None``: as the hook has it
    """

    def __init__(self, hook: FlexNetHook, request: ReportRequest, folder: ExtractFolder, in_flight: int | None) -> None:
        self.entries: list[PageEntry] = []
        self.totals: tuple[int | None, int | None] = (None, None)
        self.rows = 0
        self.charset = ""
        self.unsteady = ""
        self.found = ""
        self.on_two_pages = 0
        self.is_whole = False
        self._hook = hook
        self._request = request
        self._folder = folder
        self._in_flight = in_flight
        self._keys: KeyIndex | None = None
        self._last: ReportPage | None = None
        self._meeting = 0
        self._texts = hashlib.sha256()
        self._landed: set[int] = set()

    async def run(self) -> Walk:
        """Walk to the end, or to the page that shows a change; :attr:`unsteady` then says which.

        Only a walk that :attr:`is_whole` has all pages. Where it is not steady, :attr:`found` is a digest of the rows
        that came, of this process: of their keys, in whatever order, and of rows without a key of their text in its
        order.
        """
        self._landed = set(await self._folder.landed())
        if self._request.key:
            from nightshift.lake.keys import KeyIndex

            self._keys = KeyIndex()
        resumed = bool(self._landed)
        headers = set()
        try:
            if resumed:
                await self._as_landed()
            async for page in self._hook.report_pages(
                self._request, landed=self._landed_page, in_flight=self._in_flight
            ):
                if page.number == 1:
                    first = page
                    headers.add(page.header)
                    self.totals = page.totals
                    self.charset = page.charset if self._request.is_csv else ""
                elif first.total_rows == first.rows:
                    # The vendor counts the rows of each page, not of the report.
                    self.totals = (None, first.total_pages)
                elif page.totals not in (self.totals, (None, None)):
                    self.unsteady = (
                        f"page 1 speaks of {_in_words(self.totals)}, page {page.number} of {_in_words(page.totals)}"
                    )
                    return self
                if page.header not in headers:
                    await self._own_columns(first, page)
                    headers.add(page.header)
                await self._land(page)
            self.is_whole = True
            self._judge()
        except Unsteady as error:
            self.unsteady = error.problem
        except (Missing, Astray) as error:
            # Pages of an earlier attempt may promise what the vendor has no more, or be others than they should:
            # without them it may come out even.
            if not resumed:
                raise
            self.unsteady = error.problem
        finally:
            if self._keys is not None:
                self._keys.close()
        return self

    @property
    def vendor_totals(self) -> VendorTotals:
        """What the vendor says of the whole report; no pages at all are said of an empty one, which is landed as
        one.
        """
        return VendorTotals(rows=self.totals[0], pages=self.totals[1] or None)

    async def _as_landed(self) -> None:
        """Ask for the first and the last landed page once more: where they are what they were, so are those between.

        :raises Unsteady: one has other rows, columns or counts by now, or cannot be read
        """
        bare = self._request if self._request.is_csv else replace(self._request, key=())
        first = None
        for number in sorted({1, max(self._landed)}):
            body = await self._landed_page(number)
            try:
                page = await self._hook.report_page(bare, number, first=first)
            except (NotFound, Rejected) as refusal:
                raise self._changed(number, f"is refused by now ({refusal.problem}), and was landed") from None
            if body is None or not self._is_same(bare, page, body):
                raise self._changed(number, "is another than the one that was landed: the report has changed since")
            first = first or page

    def _is_same(self, bare: ReportRequest, page: ReportPage, landed: bytes) -> bool:
        """Say whether a page is the one that was landed; links and whatever else is around the rows of JSON may differ."""
        if bare.is_csv:
            return page.body == landed
        try:
            before = self._hook.read_page(bare, page.number, landed)
        except BadResponse:
            return False
        return (list(before.content), before.totals) == (list(page.content), page.totals)

    async def _own_columns(self, first: ReportPage, page: ReportPage) -> None:
        """Ask for page 1 of CSV once more where another page has other columns: where it still has its own, columns are
        those of a page at this vendor.

        :raises Unsteady: it has other columns, too, by now
        """
        if (await self._hook.report_page(self._request)).header != first.header:
            raise self._changed(page.number, "has other columns than page 1 had, which has others by now, too")

    def _changed(self, number: int, problem: str) -> BadResponse:
        return bad_page(number, self._hook.report_path(self._request.group), problem, Unsteady)

    async def _landed_page(self, number: int) -> bytes | None:
        if number not in self._landed:
            return None
        try:
            return await self._folder.read(number)
        except Damaged:
            self._landed.discard(number)
            return None

    async def _land(self, page: ReportPage) -> None:
        landed = page.number in self._landed
        self.entries.append(await self._folder.write(page.number, page.body, page.rows, landed=landed))
        self.rows += page.rows
        if self._keys is not None and page.has_keys:
            # Rows that a page itself has twice count once, they are the vendor's own.
            self._keys.add_page(page.content)
        else:
            if self._last is not None and page.rows and page.content[0] in self._last.content:
                # Without a key, a row that moved shows where two pages meet.
                self._meeting += 1
            await asyncio.to_thread(self._note_texts, page)
        self._last = page

    def _note_texts(self, page: ReportPage) -> None:
        self._texts.update(msgspec.json.encode(list(page.content)))

    def _judge(self) -> None:
        self.on_two_pages = self._meeting + (self._keys.duplicates() if self._keys is not None else 0)
        said = []
        if self.totals[0] is not None and self.totals[0] != self.rows:
            said.append(f"the vendor speaks of {self.totals[0]} rows, {self.rows} came")
        if self.on_two_pages:
            said.append(f"{self.on_two_pages} rows came on two pages, so others may be missing")
        self.unsteady = "; ".join(said)
        if self.unsteady:
            # Two walks may each have lost as many rows, and others.
            self.found = (self._keys.digest() if self._keys is not None else "") + self._texts.hexdigest()


async def steady_walk(
    hook: FlexNetHook, request: ReportRequest, folder: ExtractFolder, in_flight: int | None = None
) -> Walk:
    """Walk until nothing changes under the walk; what two walks, one after the other, say of the same rows is the
    report's own.

    :raises BadResponse: the pages of three walks did not belong together, or a page does not come
    """
    before, found = "", ""
    for number in range(1, ROUNDS + 1):
        walk = await Walk(hook, request, folder, in_flight).run()
        if not walk.unsteady or (walk.is_whole and (walk.unsteady, walk.found) == (before, found)):
            return walk
        before, found = walk.unsteady, walk.found
        hook.log.warning("%s; starting over", before)
        await folder.begin_again()
        await asyncio.sleep(hook.backoff.pause(number))
    raise BadResponse(
        f"the report kept changing while its pages were read, {ROUNDS} times: {before}",
        vendor=hook.vendor,
        method="GET",
        path=hook.report_path(request.group),
        advice="Nothing was published. The warehouse may be being refreshed: clear the task when that is over; if it "
        f"lasts, ask for these pages by hand and compare.{'' if walk.totals == (None, None) else f' {COUNTS}'}",
    )


def _in_words(totals: tuple[int | None, int | None]) -> str:
    said = [f"{count} {what}" for count, what in zip(totals, ("rows", "pages"), strict=True) if count is not None]
    return " in ".join(said) or "no count"
