"""The Data Access API of FlexNet Operations: all six documented operations (FlexNet reference, section 2)."""

from __future__ import annotations

import codecs
import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, ClassVar

from pydantic import ValidationError

from nightshift.errors import VendorError
from nightshift.fields import whole_number
from nightshift.flexnet import model
from nightshift.flexnet.page import PageNames, ReportPage, read_csv_page, read_json_page
from nightshift.flexnet.pages import IN_FLIGHT, Landed, ReportPages
from nightshift.flexnet.request import USUAL, ReportRequest, check_group, refuse
from nightshift.flexnet.source import FLEXNET
from nightshift.http.address import segment
from nightshift.http.hook import VendorHook
from nightshift.http.response import Response
from nightshift.lake.spec import Column, CsvSpec


class FlexNetHook(VendorHook):
    """Asynchronous client of the Data Access API; use as ``async with FlexNetHook() as hook``.

    The connection: host ``https://acme.flexnetoperations.com`` or the bare site id ``acme``; login and password of a
    producer user whose role has the permission "Data Api", or an access token in the extra ``token``. Further extras:
    ``api_version``, ``mode`` and ``page_size`` (see :meth:`request_of`), ``charset``,
    ``delimiter`` and ``quote`` of CSV, ``data_key``, ``row_count_keys``, ``page_count_keys``,
    ``link_keys`` (names that the vendor does not publish), and those of :class:`nightshift.http.hook.VendorHook`.

    :param flexnet_conn_id: id of the Airflow connection
    """

    conn_name_attr = "flexnet_conn_id"
    default_conn_name = FLEXNET.default_connection
    conn_type = FLEXNET.type
    hook_name = vendor = FLEXNET.name
    own_extras = FLEXNET.extras
    advice: ClassVar[dict[int, str]] = {
        400: "The vendor calls a parameter wrong: check the dates, the filter and the page size of this report.",
        401: "The login or password is wrong, or the access token has ended: correct the connection (a token lives "
        "until the date chosen when it was made).",
        403: 'The user may not read reports: give its role the permission "Data Api" in FlexNet Operations.',
        404: "There is no such report, or the host is not the root of a FlexNet Operations site: report-names lists "
        "the reports this user sees.",
    }

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
        """Return a report request; mode and page size are the connection's where they are not given, else as usual.

        :raises Rejected: a parameter is outside what the vendor documents
        """
        chosen = self.chosen("mode", "page_size", **given)
        if (size := whole_number(chosen.get("page_size"))) is not None:
            chosen["page_size"] = size
        return ReportRequest(group=group, **{**USUAL, **chosen})

    async def report_page(
        self, request: ReportRequest, number: int = 1, *, first: ReportPage | None = None
    ) -> ReportPage:
        """Fetch one page of a report; one that is no page (HTML, cut, of another shape) is asked for again.

        :param request: the report and its parameters
        :param number: page number, from 1
        :param first: the first page of the same walk, which says the header line and the character set of CSV
        :raises VendorError: typed by what went wrong; see :mod:`nightshift.errors`
        """
        found: list[ReportPage] = []

        def read(response: Response) -> None:
            told = {"charset": response.charset, "content_type": response.content_type}
            found.append(self.read_page(request, number, response.body, first=first, **told))

        asked: dict[str, Any] = {"params": request.params(number), "check": read, "ok": {200}, "pages": False}
        try:
            # What the vendor calls its CSV is not known.
            accept = "text/csv, */*;q=0.5" if request.is_csv else "application/json"
            await self.request("GET", self.report_path(request.group), accept=accept, **asked)
        except VendorError as error:
            error.complete(page=number)
            raise
        return found[-1]

    def read_page(
        self,
        request: ReportRequest,
        number: int,
        body: bytes,
        *,
        first: ReportPage | None = None,
        charset: str = "",
        content_type: str = "",
    ) -> ReportPage:
        """Read a page that was fetched before, as :meth:`report_page` would.

        :param charset: that the answer names; of CSV, the setting ``charset`` counts more
        :param content_type: media type that the answer names
        """
        path = self.report_path(request.group)
        if not request.is_csv:
            return read_json_page(number, body, self.page_names(), path=path, key=request.key, charset=charset)
        spec = self.csv_spec(first.charset if first is not None else charset)
        header = list(first.header) if first is not None else None
        return read_csv_page(
            number,
            body,
            header,
            path=path,
            key=request.key,
            columns=request.columns,
            open_end=first is None or first.open_end,
            content_type=content_type,
            charset=spec.charset,
            delimiter=spec.delimiter,
            quote=spec.quote,
        )

    def csv_spec(self, charset: str = "") -> CsvSpec:
        """Return how CSV is written: the settings ``charset``, ``delimiter`` and ``quote``, else what the answer names.

        :raises Rejected: a setting is no such thing
        """
        given = self.chosen("charset", "delimiter", "quote")
        try:
            return CsvSpec(**{**({"charset": charset} if _is_known(charset) else {}), **given})
        except ValidationError as error:
            wrong = error.errors(include_url=False)[0]
            name = ".".join(map(str, wrong["loc"]))
            raise refuse(f"csv.{name}", f"is {given.get(name)!r}: {wrong['msg']}") from None

    async def report_pages(
        self, request: ReportRequest, *, landed: Landed | None = None, in_flight: int | None = None
    ) -> AsyncIterator[ReportPage]:
        """Walk all pages of a report, in order, to an end that the vendor has said or that was confirmed.

        Where the first page says how many pages there are (interactive mode), up to ``in_flight`` pages are asked for
        at a time; else one after the other. A page that a link or a count promises has to come. Where nobody says what
        comes next (CSV, a header without links and counts), a page is the last only when it is still served, the page
        after it has no rows twice, and neither has the one after that: up to four requests more than there are pages.
        Behind a full page a refusal tells no end: a page of another size, which reaches over it, has to have the last
        rows and none behind them. CSV without rows, and without a header line that is known, is borne out in JSON.

        :param request: the report and its parameters; they stay the same for all pages
        :param landed: gives the body of a page that is there already, which is then not fetched again; ``None`` for one
            that is not
        :param in_flight: pages asked for at a time, 1 or more; that many pages are held in memory at most. Default: 8
        :raises Unsteady: the pages do not belong together: start over
        :raises BadResponse: a promised page does not come, a page repeats the one before it, a link leads back, or
            there is no end
        """
        async with aclosing(
            ReportPages(self, request, landed or _nothing_landed, in_flight or IN_FLIGHT).walk()
        ) as pages:
            async for page in pages:
                yield page

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
        path = self.report_path(operation, *([group] if group else []))
        return (await self.request("GET", path, check=lambda response: response.json())).json()

    def report_path(self, *segments: str) -> str:
        """Return the path of a report, or of an operation of the report controller."""
        version = str(self.extra("api_version", FLEXNET.default("api_version")))
        return "/".join(["/data/api", segment(version), "report", *map(segment, segments)])

    def page_names(self) -> PageNames:
        """Return the names of what the vendor does not publish, as the connection has them."""
        default = PageNames()
        lists = {"row_count": "row_count_keys", "page_count": "page_count_keys", "link": "link_keys"}
        chosen = {name: tuple(given) for name, extra in lists.items() if (given := self.extra(extra, None))}
        return PageNames(data=str(self.extra("data_key", default.data)), **chosen)


async def _nothing_landed(number: int) -> bytes | None:
    return None


def _is_known(charset: str) -> bool:
    try:
        return bool(charset and codecs.lookup(charset))
    except (LookupError, ValueError):
        return False
