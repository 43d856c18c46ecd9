"""The listing and the execution of reports (sections 2 and 3.5)."""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from include.standins.calls import Call, Refused, Reply
from include.standins.draw import Draw
from include.standins.exago import faulty
from include.standins.exago.execution import TEXT, CannotRun, Execution, Format, asked_for, rows, written
from include.standins.exago.failing import Failing
from include.standins.exago.live_tree import LiveTree
from include.standins.exago.paths import NotAPath, body_levels
from include.standins.exago.sessions import Session
from include.standins.exago.switches import HTTP_STATUS, Answer, BinaryResult, JsonResult, Version

DEFAULT_ROWS = 200


class Reports:
    """The reports of a stand-in.

    :param vendor: the stand-in
    :param live: its tree
    """

    def __init__(self, vendor: Failing, live: LiveTree) -> None:
        self._vendor = vendor
        self._live = live
        self._exports: dict[str, bytes] = {}
        self._exported = 0

    async def tree(self, call: Call, session: Session) -> Reply:
        """Answer ``GET /rest/reports/list``."""
        return Reply.json(200, self._live.listing(session.identity))

    async def execute(self, call: Call, session: Session) -> Reply:
        """Answer ``POST /rest/Reports/Execute/{type}``: 200, also when the report failed."""
        switches = self._vendor.switches
        try:
            kind = Format(call.parts["type"].lower())
        except ValueError:
            raise Refused(self._vendor.error(404, "There is no such export type.")) from None
        wanted = self._vendor.parsed(call, Execution)
        path, type_ = self._found(wanted)
        answer: dict[str, Any] = {
            "ReportPath": path, "ExportType": kind.value, "DataType": wanted.data_type, "ExecuteData": None,
            "IsError": False, "ErrorList": [],
        }  # fmt: skip
        try:
            self._runnable(call, path, type_, kind)
            found = asked_for(rows(self._vendor.seed, path, switches.report_rows.get(path, DEFAULT_ROWS)), wanted)
        except CannotRun as failed:
            call.effect("report_executed", path, type=kind.value, error=True)
            return Reply.json(200, answer | {"IsError": True, "ErrorList": failed.args})
        answer["ExecuteData"] = self._result(written(found, kind), kind, wanted)
        call.effect("report_executed", path, type=kind.value, error=False, rows=len(found))
        return Reply.json(200, answer)

    async def export(self, call: Call) -> Reply:
        """Answer ``ExecuteExport.aspx`` of the web application: each URL works once."""
        body = self._exports.pop(call.query.get("d", ""), None)
        if body is None:
            return self._vendor.page(404, "This export is no longer there.")
        return Reply(200, body=body, content_type="application/octet-stream")

    def _found(self, wanted: Execution) -> tuple[str, str | None]:
        """Return path and type of the report that is asked for; no type: it is not there.

        :raises Refused: not exactly one of ``Id`` and ``ReportPath``, or a path that no report can have
        """
        newer = self._vendor.switches.version is Version.V2021
        if (wanted.id is None) == (wanted.report_path is None) or (wanted.id is not None and not newer):
            one = "Exactly one of Id and ReportPath" if newer else "ReportPath"
            raise Refused(self._vendor.failure(400, f"{one} is required."))
        if wanted.report_path is None:
            by_id = self._live.report_of(wanted.id or "")
            return (by_id[0], by_id[1].type) if by_id else (wanted.id or "", None)
        try:
            levels = body_levels(wanted.report_path, self._vendor.switches)
        except NotAPath as wrong:
            raise Refused(self._vendor.failure(400, str(wrong))) from None
        node = self._live.report(levels)
        return "/".join(levels), node.type if node else None

    def _runnable(self, call: Call, path: str, type_: str | None, kind: Format) -> None:
        switches = self._vendor.switches
        fails = call.fault(faulty.REPORT_FAILS)
        if fails:
            raise CannotRun(*fails.detail.get("errors", ["The data source is not available."]))
        if path in switches.failing_reports:
            raise CannotRun(switches.failing_reports[path])
        if type_ is None:
            text = f"The report {path} does not exist."
            if switches.missing_report is not Answer.STATUS:
                raise Refused(self._vendor.failure(HTTP_STATUS[switches.missing_report], text))
            raise CannotRun(text)
        snapshot = type_ == "dashboard" and kind is Format.PDF_SNAPSHOT
        barred = {"dashboard", "chained"} | (set() if switches.expressview_executable else {"expressview"})
        if type_ in barred and not snapshot:
            raise CannotRun(f"A report of the type {type_} cannot be executed.")

    def _result(self, text: str, kind: Format, wanted: Execution) -> Any:
        switches = self._vendor.switches
        if kind is Format.JSON and switches.json_result is JsonResult.VALUE:
            return msgspec.json.decode(text)
        if kind in TEXT:
            return text
        asked = (wanted.data_type or "").lower() if switches.version is Version.V2021 else ""
        by_default = BinaryResult.BASE64 if asked == "data" else switches.binary_result
        if (BinaryResult.URL if asked == "url" else by_default) is BinaryResult.BASE64:
            return base64.b64encode(text.encode()).decode()
        self._exported += 1
        token = Draw(self._vendor.seed, "exago", "export", self._exported).hexadecimal(16)
        self._exports[token] = text.encode()
        return f"ExecuteExport.aspx?d={token}"
