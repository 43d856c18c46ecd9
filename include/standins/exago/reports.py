"""The listing and the execution of reports (sections 2 and 3.5): rows are a pure function of seed, path and place."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from include.standins.draw import Draw
from include.standins.exago.access import Session
from include.standins.exago.failing import Failing
from include.standins.exago.live_tree import LiveTree
from include.standins.exago.paths import NotAPath, body_levels
from include.standins.exago.switches import JsonResult, NoRows, Version
from include.standins.routing import Refused, Request, Response

DEFAULT_ROWS = 200
COLUMNS = ("OrderId", "Region", "Customer", "Amount", "Day", "Remark")
_REGIONS = ("EU", "US", "APAC", "LATAM")
_CUSTOMERS = ("Acme", "Bär & Söhne", "株式会社さくら", 'O\'Neil "Quoted"', "Comma, Ltd", "شركة النيل", "Rocket 🚀")


class Format(StrEnum):
    """Formats of a report, as far as they are text; the path names them in any letter case."""

    CSV = "csv"
    JSON = "json"


class Sort(msgspec.Struct, frozen=True, rename="pascal"):
    """One column to sort by."""

    column_name: str
    entity_name: str = ""
    ascending_flag: bool = True


class Filter(msgspec.Struct, frozen=True, rename="pascal"):
    """One filter; ``operator`` is a number (3.5)."""

    filter_text: str
    operator: int
    values: list[Any] = []
    data_type: str = "string"


class Execution(msgspec.Struct, frozen=True, rename="pascal"):
    """Body of an execution (3.5)."""

    id: str | None = None
    report_path: str | None = None
    data_type: str | None = None
    sorts: list[Sort] = []
    filters: list[Filter] = []


class CannotRun(Exception):
    """The report fails; the text stands in ``ErrorList``."""


_FITS: Mapping[int, Callable[[str, Sequence[str]], bool]] = {
    0: lambda value, given: value == given[0],
    12: lambda value, given: _comparable(given[0]) <= _comparable(value) <= _comparable(given[1]),
    14: lambda value, given: value in given,
    15: lambda value, given: value not in given,
}
"""The operators whose numbers the reference gives: EqualTo, Between, OneOf, NotOneOf."""


def rows(seed: int, path: str, count: int) -> list[dict[str, Any]]:
    found = []
    for place in range(count):
        draw = Draw(seed, "exago", path, place)
        values = (
            place + 1,
            draw.choice(_REGIONS),
            draw.choice(_CUSTOMERS),
            draw.integer(0, 9_999_999) / 100,
            f"2026-{draw.integer(1, 12):02d}-{draw.integer(1, 28):02d}",
            draw.choice((None, "", "two\nlines", "50 % off")),
        )
        found.append(dict(zip(COLUMNS, values, strict=True)))
    return found


def asked_for(found: list[dict[str, Any]], wanted: Execution) -> list[dict[str, Any]]:
    """Return the rows that the filters keep, sorted.

    :raises CannotRun: a column that is not there, an operator without a known meaning, or values that do not fit it
    """
    for one in wanted.filters:
        column, fits = _column(one.filter_text), _FITS.get(one.operator)
        given = [str(value) for value in one.values]
        if fits is None or len(given) < (2 if one.operator == 12 else 1):
            raise CannotRun(
                f"The filter on {one.filter_text} is not valid: operator {one.operator}, {len(given)} values."
            )
        found = [row for row in found if fits(str(row[column]), given)]
    for sort in reversed(wanted.sorts):
        column = _column(sort.column_name)
        found = sorted(found, key=lambda row: _comparable(str(row[column] or "")), reverse=not sort.ascending_flag)
    return found


def written(found: list[dict[str, Any]], kind: Format) -> str:
    if kind is Format.JSON:
        return msgspec.json.encode(found).decode()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows([row.values() for row in found])
    return text.getvalue()


def _column(name: str) -> str:
    column = name.rpartition(".")[2]
    if column == "Id":
        return COLUMNS[0]
    if column not in COLUMNS:
        raise CannotRun(f"There is no column {name}.")
    return column


def _comparable(text: str) -> tuple[int, float, str]:
    try:
        return 0, float(text), ""
    except ValueError:
        return 1, 0.0, text


class Reports:
    """The reports of a stand-in.

    :param vendor: the stand-in
    :param live: its tree
    """

    def __init__(self, vendor: Failing, live: LiveTree) -> None:
        self._vendor = vendor
        self._live = live

    async def tree(self, request: Request, session: Session) -> Response:
        """Answer ``GET /rest/reports/list``."""
        return Response.json(200, self._live.listing(session.identity))

    async def execute(self, request: Request, session: Session) -> Response:
        """Answer ``POST /rest/Reports/Execute/{type}``: 200, also when the report failed."""
        switches = self._vendor.switches
        try:
            kind = Format(request.parts["type"].lower())
        except ValueError:
            raise Refused(self._vendor.error(404, "There is no such export type.")) from None
        wanted = self._vendor.parsed(request, Execution)
        path, type_ = self._found(wanted)
        answer: dict[str, Any] = {
            "ReportPath": path,
            "ExportType": kind.value,
            "DataType": wanted.data_type,
            "ExecuteData": None,
            "IsError": False,
            "ErrorList": [],
        }
        try:
            self._runnable(request, path, type_)
            found = asked_for(rows(self._vendor.seed, path, switches.report_rows.get(path, DEFAULT_ROWS)), wanted)
            if not found and switches.no_rows is NoRows.ERROR:
                raise CannotRun(switches.no_rows_words)
        except CannotRun as failed:
            request.effect("report_executed", path, type=kind.value, error=True)
            return Response.json(200, answer | {"IsError": True, "ErrorList": failed.args})
        as_value = kind is Format.JSON and switches.json_result is JsonResult.VALUE
        answer["ExecuteData"] = found if as_value else written(found, kind)
        if not found and switches.no_rows is NoRows.TEXT:
            answer["ExecuteData"] = switches.no_rows_words
        request.effect("report_executed", path, type=kind.value, error=False, rows=len(found))
        return Response.json(200, answer)

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

    def _runnable(self, request: Request, path: str, type_: str | None) -> None:
        switches = self._vendor.switches
        fails = request.fault("report_fails")
        if fails:
            raise CannotRun(*fails.detail.get("errors", ["The data source is not available."]))
        if path in switches.failing_reports:
            raise CannotRun(switches.failing_reports[path])
        if type_ is None:
            raise CannotRun(f"The report {path} does not exist.")
        if type_ in ("dashboard", "chained"):
            raise CannotRun(f"A report of the type {type_} cannot be executed.")
