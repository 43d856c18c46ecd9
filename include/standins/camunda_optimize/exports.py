"""The export of report results: what is asked for, the walks with their search contexts, one page or one aggregated
result.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from include.standins.camunda_optimize import faulty
from include.standins.camunda_optimize.catalog import INVOICES, Catalog, Kind, Report, grouped
from include.standins.camunda_optimize.instances import Records, documented_records, edited
from include.standins.camunda_optimize.switches import CamundaOptimizeSwitches, Missing, Parameters
from include.standins.draw import Draw
from include.standins.kept import Kept
from include.standins.routing import Refused, Request, Response
from include.standins.server import StandIn

MOST_RECORDS = 10_000
LEAST_SECONDS = 60
DEFAULT_LIMIT, DEFAULT_SECONDS = 1_000, 120


class Wrong(Exception):
    """A property of the request is missing or invalid; the text says which."""


@dataclass(frozen=True)
class Asked:
    """What an export asks for (3.1).

    :param limit: records a page, 0 to 10,000
    :param seconds: how long the search context is to be kept, at least 60
    :param search_request_id: empty: the first page
    """

    limit: int
    seconds: int
    search_request_id: str


def asked(query: Mapping[str, str], switches: CamundaOptimizeSwitches) -> Asked:
    """Read the parameters of an export.

    :raises Wrong: one is missing or out of its range
    """
    limit = _number(query, "limit", DEFAULT_LIMIT, switches)
    seconds = _number(query, "paginationTimeout", DEFAULT_SECONDS, switches)
    if not 0 <= limit <= MOST_RECORDS:
        raise Wrong(f"limit has to be between 0 and {MOST_RECORDS}, it is {limit}.")
    if seconds < LEAST_SECONDS:
        raise Wrong(f"paginationTimeout has to be at least {LEAST_SECONDS} seconds, it is {seconds}.")
    return Asked(limit, seconds, query.get("searchRequestId", ""))


def _number(query: Mapping[str, str], name: str, default: int, switches: CamundaOptimizeSwitches) -> int:
    text = query.get(name)
    if text is None and switches.parameters is Parameters.DEFAULTED:
        return default
    if text is None:
        raise Wrong(f"The parameter {name} is missing.")
    try:
        return int(text)
    except ValueError:
        raise Wrong(f"The parameter {name} has to be an integer.") from None


def page(counts: Mapping[str, Any], joined: bytes) -> bytes:
    """Return the body of a page.

    :param counts: everything but the records, in order
    :param joined: the records, with commas between them
    """
    return b'%b,"data":[%b]}' % (msgspec.json.encode(counts)[:-1], joined)


def aggregated(report_id: str, found: Any, limit: int, switches: CamundaOptimizeSwitches) -> dict[str, Any]:
    """Return the answer for a report that is not raw data: everything at once, whatever the limit (4.1).

    A single value counts 1 and null counts 0; the total is the length of a list, else 1 (3.2).
    """
    count = len(found) if isinstance(found, list) else int(found is not None)
    total = count if isinstance(found, list) else 1
    body: dict[str, Any] = {"numberOfRecordsInResponse": count, "totalNumberOfRecords": total}
    if switches.report_id_told:
        body["reportId"] = report_id
    if count > limit and switches.message_told:
        body["message"] = (
            f"All {count} records are delivered in this response regardless of the limit, "
            "because only raw data reports can be paginated."
        )
    if found is not None or switches.null_data is Missing.NULL:
        body["data"] = found
    return body


DOCUMENTED_ID = "FGluY2x1ZGVfY29udGV4dF91dWlkDXF1ZXJ"
"""The one of the vendor's page; the others begin with it."""


@dataclass
class Context:
    """One walk through a report.

    :param number: counts the contexts of the stand-in
    :param total: records there are
    :param size: records a page
    :param ends: the place where the records end, ``total`` unless a fault says otherwise
    :param expires: seconds of the stand-in's clock
    :param position: records that were read
    :param page: number of the page that was read last
    """

    number: int
    report: str
    total: int
    size: int
    ends: int
    expires: float = math.inf
    id: str = ""
    position: int = 0
    page: int = 0
    changes: int = 0


class Contexts:
    """The contexts that are open.

    :param seed: of the ids
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._made = 0
        self._open: dict[str, Context] = {}
        self._old: dict[str, str] = {}

    def __len__(self) -> int:
        return len({context.number for context in self._open.values()})

    def expire(self, now: float) -> list[Context]:
        """Drop the contexts whose time is over, and return them."""
        over = [context for context in self._open.values() if now >= context.expires]
        for context in over:
            self.drop(context)
        return over

    def open(self, report: str, total: int, size: int, *, documented: bool = False) -> Context:
        """Open a context.

        :param documented: give it the id of the vendor's page, if no open context has it
        """
        self._made += 1
        context = Context(self._made, report, total, size, ends=total)
        context.id = DOCUMENTED_ID if documented and DOCUMENTED_ID not in self._open else self._new_id(context)
        self._open[context.id] = context
        return context

    def find(self, name: str) -> Context | None:
        """Return the open context of an id, which may be an older one of it that still works."""
        return self._open.get(self._old.get(name, name))

    def rename(self, context: Context, *, old_works: bool) -> None:
        del self._open[context.id]
        old, context.changes = context.id, context.changes + 1
        context.id = self._new_id(context)
        self._open[context.id] = context
        if old_works:
            self._old = {name: context.id if now == old else now for name, now in self._old.items()}
            self._old[old] = context.id

    def drop(self, context: Context) -> None:
        self._open.pop(context.id, None)
        self._old = {name: now for name, now in self._old.items() if now != context.id}

    def _new_id(self, context: Context) -> str:
        draw = Draw(self._seed, "camunda_optimize", "context", context.number, context.changes)
        tail = base64.b64encode(b"".join(draw.bits().to_bytes(8, "big") for _ in range(5))).decode()
        # Base64 that holds what has to be percent-encoded in a query: a client which does not encode is found out.
        return f"{DOCUMENTED_ID}5QW5kRmV0Y2gB+{tail[:-2]}/+=="


DOCUMENTED_TOTAL = 11


class Exports:
    """The exports of a stand-in.

    :param vendor: the stand-in, for its switches, its clock and the shape of its errors
    :param catalog: what reports there are
    """

    def __init__(self, vendor: StandIn[CamundaOptimizeSwitches], catalog: Catalog) -> None:
        self._vendor = vendor
        self._catalog = catalog
        self._contexts = Contexts(catalog.seed)
        self._records: dict[str, Records] = {}
        self._pages = Kept()
        self._grown = 0
        self._made_for: CamundaOptimizeSwitches | None = None

    async def result(self, request: Request) -> Response:
        """Answer ``GET /api/public/export/report/{report}/result/json``."""
        switches = self._vendor.switches
        report = self._report(request.parts["report"])
        try:
            wanted = asked(request.query, switches)
        except Wrong as wrong:
            raise Refused(self._vendor.error(400, str(wrong))) from None
        if report.kind is Kind.COMBINED:
            raise Refused(self._vendor.error(400, f"The combined report {report.id} cannot be exported as Json."))
        if report.kind is not Kind.RAW:
            found = grouped(self._catalog.seed, report)
            request.effect("report_exported", report.id, page=1)
            return Response.json(200, aggregated(report.id, found, wanted.limit, switches))
        with self._vendor.locked():
            return Response(200, body=self._page(request, report, wanted))

    def page_of(self, search_request_id: str) -> int:
        """Return the page of its walk that a call with this id would read, 1 where there is no such walk."""
        context = self._contexts.find(search_request_id) if search_request_id else None
        return context.page + 1 if context else 1

    def open_contexts(self) -> int:
        with self._vendor.locked():
            self._contexts.expire(self._vendor.clock.elapsed())
            return len(self._contexts)

    def _report(self, name: str) -> Report:
        rows = self._vendor.switches.rows
        report = self._catalog.reports.get(name)
        if report is None and name in rows:
            return Report(name, f"Instances {name}", Kind.RAW, rows[name])
        if report is None:
            raise Refused(self._vendor.error(404, f"The report {name} does not exist."))
        return report if name not in rows else Report(**{**vars(report), "rows": rows[name]})

    def _total(self, report: Report) -> int:
        switches = self._vendor.switches
        if switches.documented_sample and report.id == INVOICES:
            return DOCUMENTED_TOTAL
        return report.rows + self._grown

    def _page(self, request: Request, report: Report, wanted: Asked) -> bytes:
        switches, now = self._vendor.switches, self._vendor.clock.elapsed()
        for over in self._contexts.expire(now):
            request.effect("context_expired", over.report, context=over.number, position=over.position)
        dropped = request.fault(faulty.SEARCH_DROPPED) if wanted.search_request_id else None
        if dropped:
            self._grown += int(dropped.detail.get("grows", 0))
        take = self._found if wanted.search_request_id and not dropped else self._opened
        context = take(request, report, wanted)
        context.expires = now + wanted.seconds
        context.page += 1
        every = switches.id_changes_every
        if request.fault(faulty.ID_CHANGES) or (every and context.page > 1 and (context.page - 1) % every == 0):
            self._contexts.rename(context, old_works=switches.old_id_valid)
        early = request.fault(faulty.ENDS_EARLY)
        if early:
            context.ends = int(early.detail.get("at", context.position))
        start = context.position
        stop = max(start, min(start + context.size, context.ends))
        empty = request.fault(faulty.PAGE_EMPTY)
        if not request.fault(faulty.PAGE_AGAIN) and (not empty or empty.detail.get("moves")):
            context.position = stop
        if empty:
            stop = start
        request.effect(
            "page_read", report.id, context=context.number, page=context.page, first=start, records=stop - start
        )
        return self._body(request, report, context, start, stop)

    def _found(self, request: Request, report: Report, wanted: Asked) -> Context:
        context = self._contexts.find(wanted.search_request_id)
        if context and request.fault(faulty.CONTEXT_LOST):
            self._contexts.drop(context)
            request.effect("context_lost", report.id, context=context.number, position=context.position)
            context = None
        if context is None or context.report != report.id:
            status = self._vendor.switches.lost_context_status
            raise Refused(
                self._vendor.error(status, "No search context found for this id [search_context_missing_exception]")
            )
        return context

    def _opened(self, request: Request, report: Report, wanted: Asked) -> Context:
        switches, total = self._vendor.switches, self._total(report)
        if wanted.limit == 0:
            raise Refused(self._vendor.error(500, "[size] cannot be [0] in a scroll context"))
        if len(self._contexts) >= switches.open_contexts:
            text = (
                f"Trying to create too many scroll contexts. Must be less than or equal to: [{switches.open_contexts}]."
            )
            raise Refused(self._vendor.error(switches.too_many_contexts_status, text))
        documented = switches.documented_sample and report.id == INVOICES
        context = self._contexts.open(report.id, total, wanted.limit, documented=documented)
        request.effect("context_opened", report.id, context=context.number, total=total, seconds=wanted.seconds)
        return context

    def _body(self, request: Request, report: Report, context: Context, start: int, stop: int) -> bytes:
        switches, counts = self._vendor.switches, dict[str, Any]()
        if not request.fault(faulty.ID_MISSING):
            counts["searchRequestId"] = context.id
        count, total = request.fault(faulty.COUNT_OFF), request.fault(faulty.TOTAL_CHANGES)
        counts["numberOfRecordsInResponse"] = stop - start + (int(count.detail.get("add", 1)) if count else 0)
        counted = context.total if switches.most_total is None else min(context.total, switches.most_total)
        counts["totalNumberOfRecords"] = counted + (int(total.detail.get("add", 1)) if total else 0)
        if switches.report_id_told:
            counts["reportId"] = report.id
        joined = self._joined(report, context.total, start, stop)
        bad = request.fault(faulty.BAD_VALUE)
        if bad and joined:
            changes = {str(bad.detail["field"]): bad.detail.get("value")}
            joined = edited(joined, int(bad.detail.get("row", 0)), changes)
        return page(counts, joined)

    def _joined(self, report: Report, total: int, start: int, stop: int) -> bytes:
        switches = self._vendor.switches
        if self._made_for is not switches:
            self._records.clear()
            self._pages.clear()
            self._made_for = switches
        key = (report.id, total, start, stop)
        return self._pages.get(key, lambda: self._rendered(report, total, start, stop))

    def _rendered(self, report: Report, total: int, start: int, stop: int) -> bytes:
        """Return the records from one place of the report to another: the newest first, after those of the vendor's
        page.
        """
        switches = self._vendor.switches
        if report.id not in self._records:
            self._records[report.id] = Records(self._catalog.seed, report, switches)
        first: list[bytes] = []
        if switches.documented_sample and report.id == INVOICES:
            first = list(documented_records()[start:stop])
            start += len(first)
        rest = [self._records[report.id].joined(total - 1 - start, total - stop)] if start < stop else []
        return b",".join(first + rest)
