"""The Data Access API of FlexNet Operations: all six documented operations (FlexNet reference, section 2)."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urljoin, urlsplit

from nightshift.errors import BadResponse, NotFound, Rejected
from nightshift.flexnet import model
from nightshift.flexnet.page import PageNames, ReportPage, bad_page, read_csv_page, read_json_page
from nightshift.flexnet.request import DEFAULT_CONN, MAX_PAGES, VENDOR, ReportRequest, check_group
from nightshift.http.address import segment
from nightshift.http.hook import VendorHook
from nightshift.lake.spec import Column

Landed = Callable[[int], Awaitable[bytes | None]]


class FlexNetHook(VendorHook):
    """Asynchronous client of the Data Access API; use as ``async with FlexNetHook() as hook``.

    The connection: host ``https://acme.flexnetoperations.com`` or the bare site id ``acme``; login and password of a
    producer user whose role has the permission "Data Api", or an access token in the extra ``token``. Further extras:
    ``api_version`` (default ``v1``), ``mode`` and ``page_size`` (defaults of :meth:`request`), ``charset`` of CSV,
    ``data_key``, ``row_count_keys``, ``page_count_keys``,
    ``link_keys`` (names that the vendor does not publish), and those of :class:`nightshift.http.hook.VendorHook`.

    :param flexnet_conn_id: id of the Airflow connection
    """

    conn_name_attr = "flexnet_conn_id"
    default_conn_name = DEFAULT_CONN
    conn_type = "flexnet"
    hook_name = "FlexNet Operations"
    vendor = VENDOR
    advice: ClassVar[dict[int, str]] = {
        400: "The vendor calls a parameter wrong: check the dates, the filter and the page size of this report.",
        401: "The login or password is wrong, or the access token has ended: correct the connection (a token lives until the date chosen when it was made).",
        403: 'The user may not read reports: give its role the permission "Data Api" in FlexNet Operations.',
        404: "There is no such report, or the host is not the root of a FlexNet Operations site: report-names lists the reports this user sees.",
    }

    def __init__(self, flexnet_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(flexnet_conn_id, **kwargs)
        self.flexnet_conn_id = flexnet_conn_id

    def base_host(self, host: str) -> str:
        """Return the root URL for what the connection has as host: a bare site id becomes the site's own host."""
        if re.fullmatch(r"[A-Za-z0-9-]+", host) and host != "localhost":
            return f"https://{host}.flexnetoperations.com"
        return re.sub(r"/data/?$", "", host)

    async def authorize(self) -> dict[str, str]:
        """Bearer where the connection has a token, else Basic."""
        token = self.extra("token", None)
        return {"Authorization": f"Bearer {token}"} if token else dict(await super().authorize())

    def request_of(self, group: str, **given: Any) -> ReportRequest:
        """Return a report request with the connection's own defaults for mode and page size.

        :raises Rejected: a parameter is outside what the vendor documents
        """
        defaults = {"mode": self.extra("mode", None), "page_size": self.extra("page_size", None)}
        return ReportRequest(group=group, **{**{k: v for k, v in defaults.items() if v is not None}, **given})

    async def report_page(
        self, request: ReportRequest, number: int = 1, *, csv_header: list[str] | None = None
    ) -> tuple[ReportPage, list[str] | None]:
        """Fetch one page of a report.

        :param request: the report and its parameters
        :param number: page number, from 1
        :param csv_header: for CSV, the header line of the first page
        :return: the page, and for CSV its header line
        :raises VendorError: typed by what went wrong; see :mod:`nightshift.errors`
        """
        path = self._path(request.group)
        accept = "text/csv" if request.is_csv else "application/json"
        answer = await self.request(
            "GET", path, params=request.params(number), accept=accept, expect_json=not request.is_csv
        )
        return self.read_page(request, number, answer.body, csv_header=csv_header)

    def read_page(
        self, request: ReportRequest, number: int, body: bytes, *, csv_header: list[str] | None = None
    ) -> tuple[ReportPage, list[str] | None]:
        """Read a page that was fetched before, as :meth:`report_page` would."""
        path = self._path(request.group)
        if request.is_csv:
            return read_csv_page(number, body, csv_header, charset=str(self.extra("charset", "utf-8")), path=path)
        return read_json_page(number, body, self.page_names(), path=path, key=request.key), None

    async def report_pages(
        self, request: ReportRequest, *, landed: Landed | None = None, in_flight: int = 8
    ) -> AsyncIterator[ReportPage]:
        """Walk all pages of a report, in order.

        Where the first page says how many pages there are (interactive mode), up to ``in_flight`` pages are asked for
        at a time; else one after the other, until a page is empty, or says that there is no next one, or, where the
        vendor says nothing at all, is shorter than the first page. A first page that is merely short ends nothing: the
        server may cap pages below what was asked.

        :param request: the report and its parameters; they stay the same for all pages
        :param landed: gives the body of a page that is there already, which is then not fetched again; ``None`` for one
            that is not
        :param in_flight: pages asked for at a time, 1 or more; that many pages are held in memory at most
        :raises BadResponse: a page repeats the one before it, a link leads back, or there is no end
        """
        landed = landed or _nothing_landed
        first, header = await self._page(request, 1, landed, None)
        yield first
        last, count = first, first.page_count
        if count is not None and not request.is_csv and in_flight > 1:
            async for page in self._side_by_side(request, range(2, count + 1), landed, in_flight):
                self._guard(request, last, page)
                yield page
                last = page
        while (number := self._next_number(request, first, last)) is not None:
            try:
                page, header = await self._page(request, number, landed, header)
            except (NotFound, Rejected):
                # The page before it was answered with the same parameters: this one is beyond the last.
                return
            if page.rows == 0:
                return
            self._guard(request, last, page)
            yield page
            last = page

    async def report_types(self, group: str | None = None) -> Any:
        """Return the data model of all reports, or of one, as the vendor gives it (an object or a list)."""
        return await self._metadata("report-types", group)

    async def report_columns(self, group: str) -> list[Column] | None:
        """Return the columns of one report, or ``None`` where the vendor's answer names none."""
        return model.columns(await self.report_types(group), group)

    async def report_names(self) -> list[str]:
        """Return the names of the reports that this user sees."""
        return model.names(await self._metadata("report-names"))

    async def report_filters(self, group: str) -> Any:
        """Return the filters of one report, as the vendor gives them."""
        return await self._metadata("report-filters", group)

    async def global_filters(self) -> Any:
        """Return the filters common to all reports, as the vendor gives them."""
        return await self._metadata("global-filters")

    async def check(self) -> str:
        """Ask for the report names: the cheapest call that needs the credentials and the permission."""
        found = await self.report_names()
        return f"Signed in to FlexNet Operations; this user sees {len(found)} reports" + (
            f": {', '.join(found[:20])}" if found else ""
        )

    async def _metadata(self, operation: str, group: str | None = None) -> Any:
        if group is not None:
            check_group(group)
        return (await self.request("GET", self._path(operation, *([group] if group else [])))).json()

    def _path(self, *segments: str) -> str:
        version = str(self.extra("api_version", "v1"))
        return "/".join(["/data/api", segment(version), "report", *map(segment, segments)])

    def page_names(self) -> PageNames:
        """Return the names of what the vendor does not publish, as the connection has them."""
        default = PageNames()
        lists = {"row_count": "row_count_keys", "page_count": "page_count_keys", "link": "link_keys"}
        chosen = {name: tuple(given) for name, extra in lists.items() if (given := self.extra(extra, None))}
        return PageNames(data=str(self.extra("data_key", default.data)), **chosen)

    async def _page(
        self, request: ReportRequest, number: int, landed: Landed, header: list[str] | None
    ) -> tuple[ReportPage, list[str] | None]:
        if (body := await landed(number)) is not None:
            return self.read_page(request, number, body, csv_header=header)
        return await self.report_page(request, number, csv_header=header)

    async def _side_by_side(
        self, request: ReportRequest, numbers: Collection[int], landed: Landed, in_flight: int
    ) -> AsyncIterator[ReportPage]:
        waiting: deque[asyncio.Task[tuple[ReportPage, list[str] | None]]] = deque()
        todo = iter(numbers)
        try:
            for number in todo:
                waiting.append(asyncio.create_task(self._page(request, number, landed, None)))
                if len(waiting) >= in_flight:
                    yield (await waiting.popleft())[0]
            while waiting:
                yield (await waiting.popleft())[0]
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    def _next_number(self, request: ReportRequest, first: ReportPage, page: ReportPage) -> int | None:
        """Return the number of the page after this one, or ``None`` at the end (FlexNet reference, section 4.2)."""
        if page.number >= MAX_PAGES:
            problem = f"is not the last; more than {MAX_PAGES} pages are taken for a report without end"
            raise bad_page(page.number, self._path(request.group), problem)
        if page.rows == 0:
            return None
        if page.next_url is not None:
            return self._linked_number(request, page)
        if page.has_link or (first.page_count is not None and page.number >= first.page_count):
            return None
        if page is not first and page.rows < first.rows:
            return None
        return page.number + 1

    def _linked_number(self, request: ReportRequest, page: ReportPage) -> int:
        """Return the page number in the next-page link.

        The link is trusted for nothing else: our own parameters stay, and no request ever goes to another host.
        """
        own = f"{self.base_url}{self._path(request.group)}"
        link = urljoin(own, page.next_url or "")
        try:
            self.same_origin(link)
        except BadResponse:
            self.log.warning(
                "Page %d of %s links to another host (%s); the link is not followed, pages are asked for by number",
                page.number,
                request.group,
                urlsplit(link).hostname,
            )
            return page.number + 1
        given = dict(parse_qsl(urlsplit(link).query)).get("pageNumber", "")
        number = int(given) if given.isdigit() else page.number + 1
        if number <= page.number:
            raise bad_page(page.number, self._path(request.group), f"links to page {number} as the next one: a loop")
        return number

    def _guard(self, request: ReportRequest, last: ReportPage, page: ReportPage) -> None:
        if (
            page.rows
            and page.rows == last.rows
            and page.content[0] == last.content[0]
            and list(page.content) == list(last.content)
        ):
            raise bad_page(
                page.number,
                self._path(request.group),
                f"repeats page {last.number}: the server seems to ignore the page number",
            )


async def _nothing_landed(number: int) -> bytes | None:
    return None
