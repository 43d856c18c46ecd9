"""The stand-in of the FlexNet Operations Data Access API (DAPI)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import msgspec

from include.standins.flexnet import faulty, metadata, pages
from include.standins.flexnet.asking import Asked, Format, Wrong, asked, filter_keys, parsed
from include.standins.flexnet.fields import Group
from include.standins.flexnet.groups import GROUPS
from include.standins.flexnet.rows import Days, Reversed, Rows, Tied, Window, drifted
from include.standins.flexnet.switches import LOGIN, PASSWORD, BeyondLast, ErrorBody, FlexNetSwitches, LinkForm, Order
from include.standins.kept import Kept
from include.standins.routing import Refused, Request, Response, Route
from include.standins.server import StandIn
from include.standins.sockets import worded

BASE = "/data/api/{version}/report"
FILTERED_KEPT = 16
BEYOND = {BeyondLast.NOT_FOUND: 404, BeyondLast.REJECTED: 400, BeyondLast.FAILED: 500}


class FlexNetStandIn(StandIn[FlexNetSwitches]):
    """A FlexNet Operations site with all fourteen reports; see :class:`FlexNetSwitches` and :data:`faulty.KINDS`."""

    name = "flexnet"
    signs_in: ClassVar[Mapping[str, Any]] = {"login": LOGIN, "password": PASSWORD}
    switches_type = FlexNetSwitches
    fault_kinds = faulty.KINDS
    side_origins = ("elsewhere",)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._days = Days(self.seed)
        self.kept_pages = Kept()
        self._filtered: OrderedDict[tuple[Any, ...], list[bytes]] = OrderedDict()
        self._made_for = self.switches
        self._turn = 0

    def routes(self) -> Sequence[Route]:
        return [
            Route("GET", f"{BASE}/report-types", self.report_types),
            Route("GET", f"{BASE}/report-types/{{group}}", self.report_type),
            Route("GET", f"{BASE}/report-names", self.report_names),
            Route("GET", f"{BASE}/report-filters/{{group}}", self.report_filters),
            Route("GET", f"{BASE}/global-filters", self.global_filters),
            Route("GET", f"{BASE}/{{group}}", self.report),
            Route("GET", f"{BASE}/{{group}}", self.report, origin="elsewhere"),
        ]

    def page_of(self, request: Request) -> int | None:
        """Return ``pageNumber``, 1 where it is not given."""
        text = request.query.get("pageNumber") or "1"
        return int(text) if text.isascii() and text.isdigit() else None

    def error(self, status: int, text: str) -> Response:
        phrase = HTTPStatus(status).phrase
        if self.switches.error_body is ErrorBody.JSON:
            return Response.json(status, {"status": status, "error": phrase, "message": text})
        return worded(self.switches.error_body, status, text, title=f"{status} {phrase}")

    # Who calls.

    def authenticate(self, request: Request) -> str:
        """Return the producer user of a Basic or a Bearer header.

        :raises Refused: 401: nobody known; 403: a user without the permission "Data Api"
        """
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        switches = self.switches
        if switches.basic_enabled and (known := request.basic()):
            login, password = known
            if login in switches.logins and switches.logins[login] == password:
                return login
            if login in switches.logins_without_permission and switches.logins_without_permission[login] == password:
                request.user = login
                raise Refused(
                    self.error(403, "Access to this report is forbidden: the permission Data Api is missing.")
                )
        if scheme.lower() == "bearer":
            end = switches.tokens.get(secret.strip())
            if end is not None and (not end or self.clock.now() < datetime.fromisoformat(end)):
                return f"token {sorted(switches.tokens).index(secret.strip()) + 1}"
        refusal = self.error(401, "You are not authorized to view this report.")
        challenge = {"WWW-Authenticate": 'Basic realm="FlexNet Operations"'} if switches.basic_enabled else {}
        raise Refused(replace(refusal, headers=challenge))

    # What is asked for.

    def _version(self, request: Request) -> None:
        if request.parts["version"] not in self.switches.versions:
            raise Refused(self.error(404, "There is nothing at this path."))

    def _group(self, request: Request) -> Group:
        self._version(request)
        name = request.parts["group"]
        if name not in self._visible():
            raise Refused(self.error(404, f"Report {name} was not found."))
        return GROUPS[name]

    def _visible(self) -> list[str]:
        seen = self.switches.groups
        return [name for name in GROUPS if seen is None or name in seen]

    def _now(self) -> datetime:
        return self.clock.now().astimezone(ZoneInfo(self.switches.server_timezone))

    def _fields(self, group: Group) -> metadata.Fields:
        """Return the fields of the data model, by its names for them."""
        fields, names = drifted(group, self._now().date(), self.switches.drift), self.switches.model_names
        return tuple(replace(field, name=name) for field in fields if (name := names.get(field.name, field.name)))

    def _data(self, data: Any) -> Response:
        return Response.json(200, {"data": data})

    async def report_types(self, request: Request) -> Response:
        """Answer ``report-types``."""
        self._version(request)
        return self._data(metadata.report_types(self._reports(), self.switches.metadata))

    async def report_type(self, request: Request) -> Response:
        """Answer ``report-types/{group}``."""
        group = self._group(request)
        return self._data(metadata.report_type(group, self._fields(group), self.switches.metadata))

    async def report_names(self, request: Request) -> Response:
        """Answer ``report-names``."""
        self._version(request)
        return self._data(metadata.report_names(self._reports(), self.switches.metadata))

    async def report_filters(self, request: Request) -> Response:
        """Answer ``report-filters/{group}``."""
        group = self._group(request)
        return self._data(metadata.report_filters(group, self._fields(group), self.switches.metadata))

    async def global_filters(self, request: Request) -> Response:
        """Answer ``global-filters``."""
        self._version(request)
        return self._data(metadata.global_filters(self.switches.metadata))

    def _reports(self) -> dict[str, tuple[Group, metadata.Fields]]:
        return {name: (GROUPS[name], self._fields(GROUPS[name])) for name in self._visible()}

    # Rows.

    async def report(self, request: Request) -> Response:
        """Answer ``{group}``: one page of rows."""
        group = self._group(request)
        if self._made_for is not self.switches:
            self._forget()
        try:
            wanted = asked(request.query, self.switches, self._now())
            window, rows = self._rows(group, wanted)
            return self._page(request, group, wanted, rows, faulty.view(request, rows, window))
        except Wrong as wrong:
            raise Refused(self.error(400, str(wrong))) from None

    def _rows(self, group: Group, wanted: Asked) -> tuple[Window, Rows]:
        switches, now = self.switches, self._now()
        size = switches.rows_a_day.get(group.name, group.rows_a_day)
        days = [wanted.first + timedelta(days=n) for n in range((wanted.last - wanted.first).days + 1)]
        counted = [(self._days.get(group, day, switches.drift, size), day) for day in days if day <= now.date()]
        part = {} if switches.midnight_rows is None else {wanted.last: min(size, switches.midnight_rows)}
        window = Window(
            [(held, part.get(day, size if day < now.date() else self._so_far(size, now))) for held, day in counted]
        )
        keys = filter_keys(group, self._fields(group))
        fits = parsed(wanted.query, keys)
        rows: Rows = window
        if fits:
            key = (group.name, wanted.first, wanted.last, window.count, wanted.query)
            if key not in self._filtered:
                self._filtered[key] = [r for r in window.part(0, window.count) if fits(msgspec.json.decode(r))]
                while len(self._filtered) > FILTERED_KEPT:
                    self._filtered.popitem(last=False)
            rows = faulty.filtered(window, self._filtered[key])
        if switches.order is Order.NEWEST_FIRST:
            rows = Reversed(rows)
        if switches.ties > 1:
            self._turn += 1
            rows = Tied(rows, switches.ties, self._turn)
        return window, rows

    def _so_far(self, size: int, now: datetime) -> int:
        every = max(1, self.switches.refresh_hours)
        return size * (now.hour // every * every) // 24

    def _page(self, request: Request, group: Group, wanted: Asked, true: Rows, rows: Rows) -> Response:
        switches = self.switches
        limit = min(wanted.limit, switches.page_cap or wanted.limit)
        last = max(1, -(-rows.count // limit))
        page = 1 if request.fault(faulty.PAGE_IGNORED) else wanted.page
        if switches.row_cap and page * limit > switches.row_cap:
            raise Refused(self.error(400, f"The result window is too large, rows go up to {switches.row_cap}."))
        if page > last and switches.beyond_last is not BeyondLast.EMPTY:
            if switches.beyond_last is BeyondLast.LAST_AGAIN:
                page = last
            else:
                raise Refused(self.error(BEYOND[switches.beyond_last], f"There is no page {page}."))
        start = (page - 1) * limit
        if wanted.format is Format.CSV:
            return self._csv(request, group, wanted, page, limit, rows)
        records = faulty.record_count(request, true, rows)
        counts = pages.Counts(page, -(-records // limit), records, max(0, min(limit, rows.count - start)))
        previous, following = self._neighbours(request, page, last)
        head = pages.header(wanted.mode, previous, following, counts, switches)

        def made() -> bytes:
            return faulty.ended(
                request, pages.json_body(head, faulty.kept(request, rows.part(start, start + limit)), switches)
            )

        charset = f"; charset={switches.json_charset}" if switches.json_charset else ""
        return Response(200, body=self._kept(request, page, rows, made), content_type=f"application/json{charset}")

    def _csv(self, request: Request, group: Group, wanted: Asked, page: int, limit: int, rows: Rows) -> Response:
        switches, start = self.switches, (page - 1) * limit
        if not _takes(request.headers.get("Accept", "*/*"), switches.csv_type):
            raise Refused(self.error(406, f"The report comes as {switches.csv_type}."))
        charset = f"; charset={switches.csv_charset}" if switches.csv_charset else ""
        # A page of a window has the columns that its last day has: a column that came or went later does not show.
        fields = drifted(group, min(wanted.last, self._now().date()), switches.drift)

        def made() -> bytes:
            found = faulty.kept(request, rows.part(start, start + limit))
            return faulty.ended(request, pages.csv_body(found, fields, page, switches))

        body = self._kept(request, page, rows, made)
        return Response(200, body=body, content_type=switches.csv_type + charset)

    def _kept(self, request: Request, page: int, rows: Rows, make: Callable[[], bytes]) -> bytes:
        if self.switches.ties > 1 or any(fault.kind in faulty.KINDS for fault in request.faults):
            return make()
        asked_for = sorted((name, value) for name, value in request.query.items() if name != "pageNumber")
        key = (request.origin, request.raw_path, *asked_for, page, rows.count, self._now().date())
        return self.kept_pages.get(key, make)

    def _neighbours(self, request: Request, page: int, last: int) -> tuple[str | None, str | None]:
        links = pages.Links(self.public_url, self.origin("elsewhere"), request.raw_path, tuple(request.query.items()))
        previous = links.to(min(page - 1, last), self.switches) if page > 1 else None
        following = links.to(page + 1, self.switches) if page < last else None
        if loops := request.fault(faulty.NEXT_LOOPS):
            following = links.to(int(loops.detail.get("to", page)), self.switches)
        if request.fault(faulty.NEXT_ELSEWHERE):
            following = links.to(page + 1, self.switches, form=LinkForm.OTHER_HOST)
        if request.fault(faulty.LINK_LOST):
            following = None
        return previous, following

    def _forget(self) -> None:
        self._days.clear()
        self.kept_pages.clear()
        self._filtered.clear()
        self._made_for = self.switches


def _takes(accept: str, kind: str) -> bool:
    wanted = {one.partition(";")[0].strip() for one in accept.split(",")}
    return not wanted.isdisjoint({"*/*", f"{kind.partition('/')[0]}/*", kind})
