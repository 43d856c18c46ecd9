"""The operations under ``/export`` that are about export requests (reference section 2)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from include.standins.calls import Call, Refused, Reply, Route
from include.standins.tokenflex import stamps
from include.standins.tokenflex.answers import service_error
from include.standins.tokenflex.asked import Asked, Wrong, asked
from include.standins.tokenflex.contracts import Contract, own_names
from include.standins.tokenflex.exports import NEVER, NO_CONTRACT, Export, Status
from include.standins.tokenflex.grants import READ, WRITE

if TYPE_CHECKING:
    from include.standins.tokenflex.server import TokenFlexStandIn

BASE = "/tokenflex/v1/export/{contract}/requests"


class ExportApi:
    """Handlers of ``/export/{contract}/requests…``.

    :param vendor: the stand-in
    """

    def __init__(self, vendor: TokenFlexStandIn) -> None:
        self._vendor = vendor

    def routes(self) -> Sequence[Route]:
        """Return the seven operations."""
        needs = self._vendor.needs
        return [
            Route("POST", BASE, needs(WRITE, self.create)),
            Route("GET", BASE, needs(READ, self.listed)),
            Route("GET", f"{BASE}/{{key}}", needs(READ, self.one)),
            Route("DELETE", f"{BASE}/{{key}}", needs(WRITE, self.delete)),
            Route("POST", f"{BASE}/{{key}}/retry", needs(WRITE, self.retry)),
            Route("POST", f"{BASE}/{{key}}/refreshUrl", needs(WRITE, self.refresh_url)),
            Route("POST", f"{BASE}/markRead", needs(WRITE, self.mark_read)),
        ]

    async def create(self, call: Call) -> Reply:
        """Accept an export: 200, at once."""
        vendor = self._vendor
        contract = vendor.contract_of(call)
        body = vendor.json_body(call)
        wanted = self._asked(body)
        now = vendor.now()
        self._queue(call, contract, now)
        with vendor.locked():
            export = vendor.exports.add(
                wanted, user=call.user or "", contract=contract, now=now, switches=vendor.switches
            )
            _ordered(call, export, now)
        call.effect(
            "export_created", export.key, contract=contract.number, payload=body, downloadFileName=wanted.file_name, user=call.user,
            made=now.isoformat(),
        )  # fmt: skip
        return Reply.json(200, self._shown(export, now))

    def _asked(self, body: Any) -> Asked:
        try:
            return asked(body, self._vendor.switches, own_names(), export=True)
        except Wrong as error:
            raise Refused(service_error(400, str(error))) from None

    def _queue(self, call: Call, contract: Contract, now: datetime) -> None:
        vendor = self._vendor
        with vendor.locked():
            pending = vendor.exports.pending(call.user or "", contract, now, vendor.switches.queue_scope)
        if pending >= vendor.switches.queue_limit or call.fault("queue_full"):
            call.effect("export_refused", contract.number, pending=pending)
            text = "too many pending export requests, try later when running ones are done"
            raise Refused(service_error(429, text, vendor.switches.queue_retry_after))

    async def listed(self, call: Call) -> Reply:
        """List the exports made in a window of time: ``fromDate`` inclusive, ``toDate`` exclusive, both required."""
        vendor = self._vendor
        shelf = self._shelf(call)
        try:
            begins, ends = stamps.read(call.query["fromDate"]), stamps.read(call.query["toDate"])
        except (KeyError, ValueError):
            raise Refused(service_error(400, "fromDate and toDate are required, as dates")) from None
        now = vendor.now()
        with vendor.locked():
            found = list(vendor.exports.listed(shelf, begins, ends, now, vendor.switches))
        return Reply.json(200, [self._shown(export, now) for export in found])

    async def one(self, call: Call) -> Reply:
        """Show one export."""
        export, now = self._export(call), self._vendor.now()
        fault = call.fault("export_status")
        shown = self._shown(export, now)
        if fault:
            ready = ("downloadUrl", "downloadUrlExpireDate")
            shown = {name: value for name, value in shown.items() if name not in ready}
            shown["requestStatus"] = fault.detail.get("status", "Processing")
        return Reply.json(200, shown)

    async def delete(self, call: Call) -> Reply:
        """Remove an export and its file: 204."""
        export = self._export(call)
        with self._vendor.locked():
            self._vendor.exports.remove(export)
        call.effect("export_deleted", export.key, user=call.user)
        return Reply(204, content_type="")

    async def retry(self, call: Call) -> Reply:
        """Run an export in ``Error`` again; no effect in any other state."""
        export, now = self._export(call), self._vendor.now()
        if export.status(now) is Status.ERROR:
            self._queue(call, export.contract, now)
            with self._vendor.locked():
                self._vendor.exports.retry(export, now, self._vendor.switches)
                _ordered(call, export, now)
            call.effect("export_retried", export.key, user=call.user)
        return Reply.json(200, self._shown(export, now))

    async def refresh_url(self, call: Call) -> Reply:
        """Show the export with a new download URL."""
        vendor = self._vendor
        export, now = self._export(call), vendor.now()
        if export.status(now) is not Status.DOWNLOAD:
            raise Refused(service_error(400, "the export has no file"))
        with vendor.locked():
            vendor.exports.new_url(export, vendor.download_host(), now, vendor.switches)
            if vendor.switches.refresh_regenerates or call.fault("file_replaced"):
                vendor.downloads.replace(export)
        call.effect("url_refreshed", export.key, user=call.user)
        return Reply.json(200, self._shown(export, now))

    async def mark_read(self, call: Call) -> Reply:
        """Set the read mark; returns the keys on which it was not set before."""
        vendor, shelf = self._vendor, self._shelf(call)
        keys = vendor.json_body(call)
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
            raise Refused(service_error(400, "the body has to be an array of request keys"))
        newly = []
        for key in dict.fromkeys(keys):
            export = vendor.exports.get(shelf, key, vendor.now(), vendor.switches)
            if export and not export.read:
                export.read = True
                newly.append(key)
        call.effect("export_read", shelf, keys=newly)
        return Reply.json(200, newly)

    def _shelf(self, call: Call) -> str:
        if call.parts["contract"] != NO_CONTRACT:
            return self._vendor.contract_of(call).number
        self._vendor.admin_of(call)
        return NO_CONTRACT

    def _export(self, call: Call) -> Export:
        vendor = self._vendor
        with vendor.locked():
            export = vendor.exports.get(self._shelf(call), call.parts["key"], vendor.now(), vendor.switches)
        if export is None:
            raise Refused(service_error(vendor.switches.unknown_key_status, "the export request does not exist"))
        return export

    def _shown(self, export: Export, now: datetime) -> dict[str, Any]:
        with self._vendor.locked():
            return self._vendor.exports.shown(export, self._vendor.download_host(), now, self._vendor.switches)


def _ordered(call: Call, export: Export, now: datetime) -> None:
    """Do what faults order for a run of an export."""
    for fault in call.faults:
        match fault.kind:
            case "export_error":
                export.fails = max(export.fails, int(fault.detail.get("runs", 1)))
            case "export_takes":
                export.ready = now + timedelta(seconds=min(fault.seconds, NEVER))
            case "list_late":
                export.listed = now + timedelta(seconds=fault.seconds)
            case "export_word":
                export.status_word = str(fault.detail.get("status", "Processing"))
