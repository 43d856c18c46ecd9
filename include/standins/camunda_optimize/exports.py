"""The export of report results: the documented operation, its walks and their search contexts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from include.standins.calls import Call, Refused, Reply
from include.standins.camunda_optimize import faulty
from include.standins.camunda_optimize.catalog import INVOICES, Catalog, Kind, Report, grouped
from include.standins.camunda_optimize.contexts import Context, Contexts
from include.standins.camunda_optimize.instances import Records, documented_records, edited
from include.standins.camunda_optimize.result import Asked, KeptPages, Wrong, aggregated, asked, page
from include.standins.camunda_optimize.switches import CamundaOptimizeSwitches, LimitZero
from include.standins.server import StandIn

DOCUMENTED_TOTAL = 11
GROWS_FROM = datetime(2026, 1, 1, tzinfo=UTC)


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
        self._pages = KeptPages()
        self._made_for: CamundaOptimizeSwitches | None = None

    async def result(self, call: Call) -> Reply:
        """Answer ``GET /api/public/export/report/{report}/result/json``."""
        switches = self._vendor.switches
        report = self._report(call.parts["report"])
        try:
            wanted = asked(call.query, switches)
        except Wrong as wrong:
            raise Refused(self._vendor.error(400, str(wrong))) from None
        if report.kind is Kind.COMBINED:
            raise Refused(self._vendor.error(400, f"The combined report {report.id} cannot be exported as Json."))
        if report.kind is not Kind.RAW:
            found = grouped(self._catalog.seed, report)
            call.effect("report_exported", report.id, page=1)
            return Reply.json(200, aggregated(report.id, found, wanted.limit, switches))
        with self._vendor.locked():
            return Reply(200, body=self._page(call, report, wanted))

    def page_of(self, search_request_id: str) -> int:
        """Return the page of its walk that a call with this id would read, 1 where there is no such walk."""
        context = self._contexts.find(search_request_id) if search_request_id else None
        return context.page + 1 if context else 1

    def open_contexts(self) -> int:
        """Return how many search contexts are open."""
        with self._vendor.locked():
            self._contexts.expire(self._vendor.clock.elapsed())
            return len(self._contexts)

    def prerender(self) -> None:
        """Render the pages that the switch ``prerender`` names."""
        for spec in self._vendor.switches.prerender:
            name, _, query = spec.partition("?")
            size = int(dict(parse_qsl(query)).get("limit", 1_000))
            report = self._report(name)
            total = self._total(report)
            for start in range(0, total, size):
                if self._pages.size + 1_000 * size > self._vendor.switches.page_cache_bytes:
                    return
                self._joined(report, total, start, min(start + size, total))

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
        days = max(0, (self._vendor.clock.now() - GROWS_FROM).days)
        return report.rows + switches.daily_growth * days

    def _page(self, call: Call, report: Report, wanted: Asked) -> bytes:
        switches, now = self._vendor.switches, self._vendor.clock.elapsed()
        for over in self._contexts.expire(now):
            call.effect("context_expired", over.report, context=over.number, position=over.position)
        take = self._found if wanted.search_request_id else self._opened
        context = take(call, report, wanted)
        context.expires = now + wanted.seconds
        context.page += 1
        every = switches.id_changes_every
        if call.fault(faulty.ID_CHANGES) or (every and context.page > 1 and (context.page - 1) % every == 0):
            self._contexts.rename(context, old_works=switches.old_id_valid)
        early = call.fault(faulty.ENDS_EARLY)
        if early:
            context.ends = int(early.detail.get("at", context.position))
        start = context.position
        stop = max(start, min(start + context.size, context.ends))
        empty = call.fault(faulty.PAGE_EMPTY)
        if not call.fault(faulty.PAGE_AGAIN) and (not empty or empty.detail.get("moves")):
            context.position = stop
        if empty:
            stop = start
        call.effect(
            "page_read", report.id, context=context.number, page=context.page, first=start, records=stop - start
        )
        return self._body(call, report, context, start, stop)

    def _found(self, call: Call, report: Report, wanted: Asked) -> Context:
        context = self._contexts.find(wanted.search_request_id)
        if context and call.fault(faulty.CONTEXT_LOST):
            self._contexts.drop(context)
            call.effect("context_lost", report.id, context=context.number, position=context.position)
            context = None
        if context is None or context.report != report.id:
            status = self._vendor.switches.lost_context_status
            raise Refused(
                self._vendor.error(status, "No search context found for this id [search_context_missing_exception]")
            )
        return context

    def _opened(self, call: Call, report: Report, wanted: Asked) -> Context:
        switches, total = self._vendor.switches, self._total(report)
        if wanted.limit == 0 and switches.limit_zero is not LimitZero.EMPTY:
            status = 400 if switches.limit_zero is LimitZero.REJECTED else 500
            raise Refused(self._vendor.error(status, "[size] cannot be [0] in a scroll context"))
        if len(self._contexts) >= switches.open_contexts:
            text = (
                f"Trying to create too many scroll contexts. Must be less than or equal to: [{switches.open_contexts}]."
            )
            raise Refused(self._vendor.error(switches.too_many_contexts_status, text))
        documented = switches.documented_sample and report.id == INVOICES
        context = self._contexts.open(report.id, total, wanted.limit, documented=documented)
        call.effect("context_opened", report.id, context=context.number, total=total, seconds=wanted.seconds)
        return context

    def _body(self, call: Call, report: Report, context: Context, start: int, stop: int) -> bytes:
        switches, counts = self._vendor.switches, dict[str, Any]()
        if not call.fault(faulty.ID_MISSING):
            counts["searchRequestId"] = context.id
        count, total = call.fault(faulty.COUNT_OFF), call.fault(faulty.TOTAL_CHANGES)
        counts["numberOfRecordsInResponse"] = stop - start + (int(count.detail.get("add", 1)) if count else 0)
        counted = context.total if switches.most_total is None else min(context.total, switches.most_total)
        counts["totalNumberOfRecords"] = counted + (int(total.detail.get("add", 1)) if total else 0)
        if switches.report_id_told:
            counts["reportId"] = report.id
        joined = self._joined(report, context.total, start, stop)
        bad = call.fault(faulty.BAD_VALUE)
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
        most = switches.page_cache_bytes
        return self._pages.get(key, lambda: self._rendered(report, total, start, stop), most)

    def _rendered(self, report: Report, total: int, start: int, stop: int) -> bytes:
        """Return the records from one place of the report to another: the newest first, after those of the vendor's page."""
        switches = self._vendor.switches
        if report.id not in self._records:
            self._records[report.id] = Records(self._catalog.seed, report, switches)
        first: list[bytes] = []
        if switches.documented_sample and report.id == INVOICES:
            first = list(documented_records()[start:stop])
            start += len(first)
        rest = [self._records[report.id].joined(total - 1 - start, total - stop)] if start < stop else []
        return b",".join(first + rest)
