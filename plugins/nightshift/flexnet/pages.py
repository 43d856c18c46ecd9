"""All pages of one report, in order, to its end: what the vendor has promised has to come, and an end is confirmed."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urljoin, urlsplit

import msgspec

from nightshift.errors import BadResponse, NotFound, Rejected, Unreachable
from nightshift.fields import whole_number
from nightshift.flexnet.ending import BEYOND, Beyond, NextPage, across, has_more, is_cut_between, is_same, next_page
from nightshift.flexnet.not_the_report import NAMES
from nightshift.flexnet.page import Astray, Missing, ReportPage, Unsteady, bad_page
from nightshift.flexnet.request import MAX_PAGES, ReportRequest
from nightshift.http.address import foreign_host

if TYPE_CHECKING:
    from nightshift.flexnet.hook import FlexNetHook

Landed = Callable[[int], Awaitable[bytes | None]]

IN_FLIGHT = 8
EMPTY_ASKS = 3
"""How often a page that was promised is asked for while it comes without rows."""

_NOT_ALL = (
    "Nothing was published. The vendor may give no more rows of one report: narrow it with query, or with fewer days "
    "(window_overlap_days), in reports.yaml. If these are all, another page_size, with which the last page is not "
    "full, shows it. Then clear the task."
)

COUNTS = (
    "If the vendor's count is always too high, give row_count_keys and page_count_keys of the connection's extras "
    'names that no header has, such as ["none"]: it is not believed then.'
)
_NOT_THERE = (
    "Nothing was published. Ask for this page by hand and compare, then clear the task: the pages landed before it are "
    f"kept. {COUNTS}"
)


class ReportPages:
    """The pages of one report; see :meth:`nightshift.flexnet.hook.FlexNetHook.report_pages`."""

    def __init__(self, hook: FlexNetHook, request: ReportRequest, landed: Landed, in_flight: int) -> None:
        self._hook = hook
        self._request = request
        self._landed = landed
        self._in_flight = in_flight
        self._path = hook.report_path(request.group)
        self._first: ReportPage | None = None
        self._last: ReportPage | None = None
        self._rows = 0
        self._beyond = Beyond(told="")

    async def walk(self) -> AsyncGenerator[ReportPage, None]:
        """Yield every page; one without rows only where it is the first.

        :raises Unsteady: the pages that came do not belong together; start over
        :raises Missing: a page that was promised does not come
        :raises BadResponse: a page repeats the one before it, a link leads back, or there is no end
        """
        first = await self._begin()
        yield self._take(first)
        count = first.page_count
        if count is not None and not self._request.is_csv and self._in_flight > 1:
            async with aclosing(self._side_by_side(count)) as pages:
                async for page in pages:
                    yield self._take(await self._adding_up(page))
        while (following := await self._following()) is not None:
            yield self._take(following)

    def _take(self, page: ReportPage) -> ReportPage:
        if self._last is not None and is_same(self._last, page):
            raise self._bad(
                page.number, f"repeats page {self._last.number}: the server seems to ignore the page number"
            )
        if self._last is not None and page.rows and not self._last.rows:
            raise self._unsteady(page.number, f"has {page.rows} rows, and page {self._last.number} before it had none")
        self._first = self._first or page
        self._last = page
        self._rows += page.rows
        return page

    async def _begin(self) -> ReportPage:
        """Return the first page: one without rows only when it was asked for twice, or the vendor counts none."""
        page = await self._page(1)
        if page.rows == 0 and page.whole_rows != 0:
            page = await self._fetch(1)
        if page.open_end and await self._landed(1) is None:
            again = await self._fetch(1)
            if not again.open_end or again.rows != page.rows:
                raise self._unsteady(1, "had no line end at its end, and one when it was asked for again: it was cut")
        if self._request.is_csv:
            await self._borne_out(page)
        return page

    async def _borne_out(self, page: ReportPage) -> None:
        """Ask for the first row in JSON where the first page of CSV has no rows, or but one column, and nothing that is
        known of the report says that its first line is a header: a text that is none looks the same.
        """
        if page.header and (self._request.key or self._request.columns or (page.rows and len(page.header) > 1)):
            return
        due, detail = 1 if page.rows else 0, ""
        try:
            asked = await self._hook.report_page(replace(self._request, format="json", page_size=1, key=()))
            members = len(msgspec.json.decode(asked.content[0])) if asked.rows else 0
            told = f"has a row of {members} members" if members else "has no rows"
        except (BadResponse, NotFound, Rejected) as error:
            members, told, detail = -1, f"comes not at all ({error.problem})", error.detail
        if members != due:
            what = f"{page.rows} rows of {len(page.header)} columns" if page.header else "not even a header line"
            problem = f"has {what}, and the JSON that is to bear it out {told}; it begins {page.body[:80]!r}"
            raise bad_page(1, self._path, problem, advice=NAMES if page.header else "", detail=detail)

    async def _following(self) -> ReportPage | None:
        """Return the page after the last one, or ``None`` at the end."""
        first, last = self._state()
        number = last.number + 1
        match next_page(first, last, self._rows, self._request.page_size):
            case NextPage.LAST:
                return None
            case NextPage.LINKED:
                self._check_link(last)
                return await self._linked(number, f"page {last.number} links to it")
            case NextPage.COUNTED:
                return await self._adding_up(await self._counted(number))
            case NextPage.UNLINKED:
                return await self._fitting(await self._look(number) or await self._unlinked(number))
            case NextPage.REACHED:
                return await self._fitting(await self._look(number))
            case NextPage.SILENT:
                return await self._fitting(await self._look(number) or await self._confirm(number))

    async def _side_by_side(self, count: int) -> AsyncGenerator[ReportPage, None]:
        """Yield pages 2 to ``count`` in order, several asked for at a time; stop where the vendor says the end."""
        waiting: deque[asyncio.Task[ReportPage]] = deque()
        numbers = iter(range(2, min(count, MAX_PAGES) + 1))
        try:
            while True:
                for number in itertools.islice(numbers, self._in_flight - len(waiting)):
                    waiting.append(asyncio.create_task(self._counted(number)))
                if not waiting or self._is_over():
                    return
                yield await waiting.popleft()
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    def _is_over(self) -> bool:
        first, last = self._state()
        return last is not first and (last.is_last_by_link or has_more(first, last, self._rows) is False)

    async def _linked(self, number: int, why: str) -> ReportPage | None:
        page = await self._due(number, why)
        if page.rows:
            return page
        if page.is_last_by_link or await self._look(number + 1) is None:
            return None
        raise self._unsteady(number, f"came {EMPTY_ASKS} times without rows, and page {number + 1} has rows")

    async def _counted(self, number: int) -> ReportPage:
        first, _ = self._state()
        rows = f" and {first.whole_rows} rows" if first.whole_rows else ""
        page = await self._due(number, f"the vendor counts {first.page_count} pages{rows}", advice=_NOT_THERE)
        if page.rows == 0:
            raise self._unsteady(number, f"came {EMPTY_ASKS} times without rows, though the vendor counts more{rows}")
        return page

    async def _due(self, number: int, why: str, *, advice: str = "") -> ReportPage:
        """Return a page that has to be there; asked for again while it is refused, or comes without rows."""
        for attempt in itertools.count(1):
            try:
                page = await self._page(number)
            except (NotFound, Rejected) as refusal:
                if attempt >= self._hook.backoff.attempts:
                    raise self._refused(number, why, refusal, advice) from None
            else:
                if page.rows or attempt >= min(EMPTY_ASKS, self._hook.backoff.attempts):
                    return page
            await self._pause(number, why, attempt)
        raise AssertionError("unreachable")

    async def _pause(self, number: int, why: str, attempt: int) -> None:
        self._hook.log.warning("Page %d is refused or empty, though %s; asking again", number, why)
        await asyncio.sleep(self._hook.backoff.pause(attempt))

    async def _look(self, number: int) -> ReportPage | None:
        """Return a page that nothing promised, or ``None`` where the answer may mean that it is beyond the last; how it
        was answered is kept.
        """
        _, last = self._state()
        why = f"page {last.number} of the same report came"
        for attempt in itertools.count(1):
            try:
                page = await self._page(number)
                break
            except (NotFound, Rejected, Unreachable) as refusal:
                if refusal.status in BEYOND:
                    self._beyond = Beyond(told=f"is refused with {refusal.status}", refusal=refusal)
                    return None
                if isinstance(refusal, Unreachable):
                    raise
                if attempt >= self._hook.backoff.attempts:
                    raise self._refused(number, why, refusal) from None
            await self._pause(number, why, attempt)
        if page.rows and not is_same(last, page):
            return page
        told = f"repeats page {last.number}" if page.rows else "has no rows"
        self._beyond = Beyond(told=told, is_again=page.rows > 0)
        return None

    async def _unlinked(self, number: int) -> ReportPage | None:
        """Return ``None`` where two pages in a row come without rows behind a short one whose header has no link; any
        other answer has the end confirmed.
        """
        if self._beyond.is_empty and await self._look(number + 1) is None and self._beyond.is_empty:
            return None
        return await self._confirm(number)

    async def _confirm(self, number: int) -> ReportPage | None:
        """Return ``None`` where the page before this one is really the last: it is still served and still as long, this
        one has no rows again, and the one after it is answered alike. Else return this page.

        A server that restarts, or refreshes, refuses or empties every page for a while; one that gives no more rows of
        a report refuses them for good, behind a page that is full; one that ignores the page number repeats a page that
        is as long as the first. A page at which the server has failed is not asked for again.
        """
        first, last = self._state()
        answer = self._beyond
        if last.rows or answer.has_failed:
            try:
                again = await self._fetch(last.number)
            except (NotFound, Rejected) as refusal:
                raise self._refused(last.number, "it came a moment ago", refusal) from None
            if again.rows != last.rows:
                raise self._unsteady(last.number, f"had {last.rows} rows, and {again.rows} when it was asked for again")
        if answer.has_failed:
            await self._ended(number, answer)
            return None
        if (page := await self._look(number)) is not None:
            return page
        answer = self._beyond
        if (after := await self._look(number + 1)) is not None:
            raise self._unsteady(number, f"{answer.told}, and page {after.number} has {after.rows} rows")
        # A server that gives no more rows of a report may refuse the second page beyond its end alone.
        if answer.told != self._beyond.told and self._beyond.refusal is None:
            told = f"{answer.told}, and page {number + 1}, which is beyond it, {self._beyond.told}"
            raise self._unsteady(number, told)
        if not self._beyond.is_empty and first.rows <= last.rows:
            await self._ended(number + answer.is_empty, self._beyond)
        return None

    async def _ended(self, number: int, answer: Beyond) -> None:
        """Raise unless a page of another size, which reaches over the end, has the last rows and none behind them; no
        rows, and rows that are counted, need no such proof.

        :param number: the page that is refused, or comes again, behind a full one or one without rows
        :param answer: how it was answered
        :raises Missing: in the vendor's words for that page
        :raises Astray: it is the page before it
        """
        first, last = self._state()
        if not last.rows or has_more(first, last, self._rows) is False:
            return
        size, at = across(self._rows, first.rows)
        due = self._rows - (at - 1) * size
        told = f"Page {at} of {size} rows a page, which tells the end, has to have {due}"
        why = f"page {last.number} before it is {'full' if last.rows >= first.rows else 'short'}. {told}"
        for attempt in range(1, EMPTY_ASKS + 1):
            try:
                page = await self._hook.report_page(replace(self._request, page_size=size), at, first=first)
            except (NotFound, Rejected, Unreachable) as refused:
                if isinstance(refused, Unreachable) and refused.status not in BEYOND:
                    raise
                said = f"is refused with {refused.status}"
            else:
                if page.rows == due:
                    return
                said = f"has {page.rows}"
            if attempt < EMPTY_ASKS:
                await self._pause(at, why, attempt)
        if answer.refusal is None:
            raise self._bad(number, f"{answer.told}: the server seems to ignore the page number. {told} and {said}")
        raise self._refused(
            number, f"{why} and {said}: the {self._rows} rows that came may not be all", answer.refusal, _NOT_ALL
        )

    async def _adding_up(self, page: ReportPage) -> ReportPage:
        """Return a page that was counted; where no rows are counted, sizes alone say whether those before it were
        whole.
        """
        first, _ = self._state()
        if first.whole_rows is None:
            await self._fitting(page)
        return page

    async def _fitting(self, page: ReportPage | None) -> ReportPage | None:
        """Return a page that nothing promised, where the sizes of the pages before it say that they were whole."""
        first, last = self._state()
        # A server may cap its pages; else the first one was cut.
        is_short = page is not None and last is first and first.rows < self._request.page_size
        if is_short and (again := await self._fetch(1)).rows != first.rows:
            raise self._unsteady(1, f"had {first.rows} rows, and {again.rows} when it was asked for again")
        if page is not None and is_cut_between(first, last, page):
            before = f"{last.rows} on page {last.number} and {first.rows} on page 1"
            problem = f"has {page.rows} rows, after {before}: a page before the last was not whole"
            raise self._unsteady(page.number, problem)
        return page

    async def _page(self, number: int) -> ReportPage:
        """Return a page from the landing, where it is there and can be read, else from the vendor."""
        if number > MAX_PAGES:
            raise self._bad(
                number - 1, f"is not the last; more than {MAX_PAGES} pages are taken for a report without end"
            )
        if (body := await self._landed(number)) is not None:
            try:
                return self._hook.read_page(self._request, number, body, first=self._first)
            except BadResponse as bad:
                self._hook.log.warning("The landed page is fetched again: %s", bad.problem)
        return await self._fetch(number)

    async def _fetch(self, number: int) -> ReportPage:
        return await self._hook.report_page(self._request, number, first=self._first)

    def _check_link(self, page: ReportPage) -> None:
        """Refuse a link that leads to another page than the next.

        The link is trusted for nothing but that there is a next page: our own parameters stay, and no request ever goes
        to another host.
        """
        own = f"{self._hook.base_url}{self._path}"
        try:
            link = urljoin(own, page.next_url or "")
            self._hook.same_origin(link)
        except (ValueError, BadResponse) as error:
            where = "no URL" if isinstance(error, ValueError) else foreign_host(link)
            self._hook.log.warning(
                "Page %d of %s links to another host (%s); the link is not followed, pages are asked for by number",
                page.number,
                self._request.group,
                where,
            )
            return
        given = whole_number(dict(parse_qsl(urlsplit(link).query)).get("pageNumber"))
        if given is not None and given != page.number + 1:
            what = "a loop" if given <= page.number else "pages between them would be left out"
            raise self._bad(page.number, f"links to page {given} as the next one: {what}")

    def _state(self) -> tuple[ReportPage, ReportPage]:
        assert self._first is not None  # noqa: S101 - the first page is taken before any other is asked for
        assert self._last is not None  # noqa: S101
        return self._first, self._last

    def _bad(self, number: int, problem: str) -> BadResponse:
        return bad_page(number, self._path, problem, Astray)

    def _unsteady(self, number: int, problem: str) -> BadResponse:
        return bad_page(number, self._path, problem, Unsteady)

    def _refused(
        self, number: int, why: str, refusal: NotFound | Rejected | Unreachable, advice: str = ""
    ) -> BadResponse:
        more = {"status": refusal.status, "detail": refusal.detail, "attempt": refusal.attempt, "advice": advice}
        return bad_page(number, self._path, f"is refused ({refusal.problem}), though {why}", Missing, **more)
