"""The operations under ``/export`` that are about export requests (reference section 2)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from include.standins.routing import Refused, Request, Response, Route
from include.standins.tokenflex.asked import Asked, Wrong, asked
from include.standins.tokenflex.contracts import Contract, own_names
from include.standins.tokenflex.exports import NEVER, Export, Status, moment
from include.standins.tokenflex.gateway import service_error
from include.standins.tokenflex.grants import READ, WRITE
from include.standins.tokenflex.service import Service
from include.standins.tokenflex.switches import ListDates

BASE = "/tokenflex/v1/export/{contract}/requests"
_DATE_FORMS = {
    ListDates.ANY: (re.compile(".*"), "a date"),
    ListDates.TIMES: (re.compile(r"[\d-]{10}T[\d:]{8}(\.\d+)?Z"), "a time"),
    ListDates.DAYS: (re.compile(r"[\d-]{10}"), "a day"),
}


class ExportApi:
    """Handlers of ``/export/{contract}/requests…``."""

    def __init__(self, vendor: Service) -> None:
        self._vendor = vendor

    def routes(self) -> Sequence[Route]:
        needs = self._vendor.needs
        return [
            Route("POST", BASE, needs(WRITE, self.create)),
            Route("GET", BASE, needs(READ, self.listed)),
            Route("GET", f"{BASE}/{{key}}", needs(READ, self.one)),
            Route("DELETE", f"{BASE}/{{key}}", needs(WRITE, self.delete)),
            Route("POST", f"{BASE}/{{key}}/retry", needs(WRITE, self.retry)),
            Route("POST", f"{BASE}/{{key}}/refreshUrl", needs(WRITE, self.refresh_url)),
        ]

    async def create(self, request: Request) -> Response:
        """Accept an export: 200, at once."""
        vendor = self._vendor
        contract = vendor.contract_of(request)
        body = vendor.json_body(request)
        wanted = self._asked(body)
        now = vendor.now()
        self._queue(request, contract, now)
        with vendor.locked():
            export = vendor.exports.add(
                wanted, user=request.user or "", contract=contract, now=now, switches=vendor.switches
            )
            _ordered(request, export, now)
        request.effect(
            "export_created",
            export.key,
            contract=contract.number,
            payload=body,
            downloadFileName=wanted.file_name,
            user=request.user,
            made=now.isoformat(),
        )
        return Response.json(200, self._shown(export, now))

    def _asked(self, body: Any) -> Asked:
        try:
            return asked(body, own_names(), export=True)
        except Wrong as error:
            raise Refused(service_error(400, str(error))) from None

    def _queue(self, request: Request, contract: Contract, now: datetime) -> None:
        vendor = self._vendor
        with vendor.locked():
            pending = vendor.exports.pending(request.user or "", contract, now, vendor.switches.queue_scope)
        if pending >= vendor.switches.queue_limit or request.fault("queue_full"):
            request.effect("export_refused", contract.number, pending=pending)
            text = "too many pending export requests, try later when running ones are done"
            raise Refused(service_error(429, text, vendor.switches.queue_retry_after))

    async def listed(self, request: Request) -> Response:
        """List the exports made in a window of time: ``fromDate`` inclusive, ``toDate`` exclusive, both required."""
        vendor = self._vendor
        contract = vendor.contract_of(request)
        form, word = _DATE_FORMS[vendor.switches.list_dates]
        try:
            given = [request.query["fromDate"], request.query["toDate"]]
            begins, ends = map(moment, given)
        except (KeyError, ValueError):
            raise Refused(service_error(400, "fromDate and toDate are required, as dates")) from None
        if not all(map(form.fullmatch, given)):
            raise Refused(service_error(400, f"fromDate and toDate are invalid, {word} is expected"))
        now = vendor.now()
        with vendor.locked():
            found = list(vendor.exports.listed(contract, begins, ends, now))
        return vendor.listed([self._shown(export, now) for export in found])

    async def one(self, request: Request) -> Response:
        export, now = self._export(request), self._vendor.now()
        fault = request.fault("export_status")
        shown = self._shown(export, now)
        if fault:
            ready = ("downloadUrl", "downloadUrlExpireDate")
            shown = {name: value for name, value in shown.items() if name not in ready}
            shown["requestStatus"] = fault.detail.get("status", "Processing")
        return Response.json(200, shown)

    async def delete(self, request: Request) -> Response:
        """Remove an export and its file: 204."""
        export = self._export(request)
        with self._vendor.locked():
            self._vendor.exports.remove(export)
        request.effect("export_deleted", export.key, user=request.user)
        return Response(204, content_type="")

    async def retry(self, request: Request) -> Response:
        """Run an export in ``Error`` again; no effect in any other state."""
        export, now = self._export(request), self._vendor.now()
        if export.status(now) is Status.ERROR:
            self._queue(request, export.contract, now)
            with self._vendor.locked():
                self._vendor.exports.retry(export, now, self._vendor.switches)
                _ordered(request, export, now)
            request.effect("export_retried", export.key, user=request.user)
        return Response.json(200, self._shown(export, now))

    async def refresh_url(self, request: Request) -> Response:
        vendor = self._vendor
        export, now = self._export(request), vendor.now()
        if export.status(now) is not Status.DOWNLOAD:
            raise Refused(service_error(400, "the export has no file"))
        with vendor.locked():
            vendor.exports.new_url(export, vendor.download_host(), now, vendor.switches)
            if request.fault("file_replaced"):
                export.replace()
        request.effect("url_refreshed", export.key, user=request.user)
        return Response.json(200, self._shown(export, now))

    def _export(self, request: Request) -> Export:
        vendor, contract = self._vendor, self._vendor.contract_of(request)
        with vendor.locked():
            export = vendor.exports.get(contract, request.parts["key"])
        if export is None:
            raise Refused(service_error(vendor.switches.unknown_key_status, "the export request does not exist"))
        return export

    def _shown(self, export: Export, now: datetime) -> dict[str, Any]:
        with self._vendor.locked():
            return self._vendor.exports.shown(export, self._vendor.download_host(), now, self._vendor.switches)


def _ordered(request: Request, export: Export, now: datetime) -> None:
    for fault in request.faults:
        match fault.kind:
            case "export_error":
                export.fails = max(export.fails, int(fault.detail.get("runs", 1)))
            case "export_takes":
                export.ready = now + timedelta(seconds=min(fault.seconds, NEVER))
            case "list_late":
                export.listed = now + timedelta(seconds=fault.seconds)
            case "export_word":
                export.status_word = str(fault.detail.get("status", "Processing"))
