"""Ad-hoc queries: asked for, polled, read page by page (reference 3.5, 4.3)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from include.standins.draw import Draw
from include.standins.routing import Refused, Request, Response, Route
from include.standins.tokenflex.asked import Asked, Wrong, asked
from include.standins.tokenflex.catalogue import called
from include.standins.tokenflex.contracts import Contract, own_names
from include.standins.tokenflex.gateway import service_error
from include.standins.tokenflex.grants import READ
from include.standins.tokenflex.service import Service
from include.standins.tokenflex.switches import TokenFlexSwitches
from include.standins.tokenflex.table import Source, grouped, selected, session_metrics, values_of
from include.standins.tokenflex.usage import MARK

BASE = "/tokenflex/v1/usage/{contract}/query"
DEFAULT_LIMIT = 100
KEPT_QUERIES = 200
DONE = "DONE"
_DECIMAL = frozenset({"tokensConsumed", "usageHours"})


@dataclass
class Query:
    """One query; its rows are made when it is first read."""

    id: str
    contract: Contract
    asked: Asked
    made: datetime
    rows: list[list[Any]] | None = None

    def status(self, now: datetime, switches: TokenFlexSwitches) -> str:
        """Return the status at a time: one of the documented ones."""
        age = (now - self.made).total_seconds()
        if age >= switches.query_seconds:
            return DONE
        return "QUEUED" if age < switches.query_queued_seconds else "PROCESSING"


class QueryApi:
    """Handlers of ``/usage/{contract}/query…``."""

    def __init__(self, vendor: Service) -> None:
        self._vendor = vendor
        self._queries: dict[str, Query] = {}
        self._draw = Draw("tokenflex", "queries")

    def routes(self) -> Sequence[Route]:
        """Return the two operations; both need ``data:read`` alone."""
        needs = self._vendor.needs
        return [
            Route("POST", BASE, needs(READ, self.create)),
            Route("GET", f"{BASE}/{{query}}", needs(READ, self.read)),
        ]

    async def create(self, request: Request) -> Response:
        vendor = self._vendor
        contract, body = vendor.contract_of(request), vendor.json_body(request)
        try:
            wanted = asked(body, own_names(), export=False)
        except Wrong as error:
            raise Refused(service_error(400, str(error))) from None
        now = vendor.now()
        query = Query(self._draw.uuid(), contract, wanted, now)
        self._queries[query.id] = query
        while len(self._queries) > KEPT_QUERIES:
            self._queries.pop(next(iter(self._queries)))
        request.effect("query_created", query.id, contract=contract.number, payload=body, user=request.user)
        return Response.json(200, await self._shown(query, now, 0, DEFAULT_LIMIT))

    async def read(self, request: Request) -> Response:
        """Show the state of a query, and a page of its rows when it is done."""
        vendor = self._vendor
        contract = vendor.contract_of(request)
        query = self._queries.get(request.parts["query"])
        if query is None or query.contract != contract:
            raise Refused(service_error(vendor.switches.unknown_key_status, "the query does not exist"))
        offset = _number(request, "offset", 0)
        limit = _number(request, "limit", DEFAULT_LIMIT)
        if limit == 0:
            raise Refused(service_error(400, "limit is out of range"))
        shown = await self._shown(query, vendor.now(), offset, limit)
        if odd := request.fault("query_status"):
            shown = {**{name: shown[name] for name in ("id", "detail_uri")}, "status": odd.detail["status"]}
        return Response.json(200, shown)

    async def _shown(self, query: Query, now: datetime, offset: int, limit: int) -> dict[str, Any]:
        switches = self._vendor.switches
        status = query.status(now, switches)
        value: dict[str, Any] = {
            "id": query.id,
            "detail_uri": f"/tokenflex/v1/usage/{query.contract.number}/query/{query.id}",
            "status": status,
        }
        if status == DONE:
            if query.rows is None:
                source = Source(self._vendor.usage, query.contract, switches, query.made.date())
                query.rows = await asyncio.to_thread(_rows, source, query.asked)
            value["result"] = {
                "columns": [*query.asked.fields, *query.asked.metrics],
                "rows": query.rows[offset : offset + limit],
                "limit": limit,
                "offset": offset,
                "total": len(query.rows),
            }
        return value


def _rows(source: Source, wanted: Asked) -> list[list[Any]]:
    if wanted.session_level:
        plain = [
            [value.replace(MARK, "0" * len(MARK)) for value in values_of(row, wanted.columns)]
            + session_metrics(row, wanted.metrics)
            for day in selected(source, wanted)
            for row in day.rows
        ]
    else:
        plain = grouped(source, wanted)
    names = [*wanted.columns, *wanted.metrics]
    metrics = len(wanted.columns)
    return [
        [_typed(name, value, at >= metrics) for at, (name, value) in enumerate(zip(names, row, strict=True))]
        for row in plain
    ]


def _typed(name: str, value: str, metric: bool) -> Any:
    if name == "usageCategory":
        return called(value)
    if not value or not (metric or name == "contractYear"):
        return value
    return float(value) if name in _DECIMAL else int(value)


def _number(request: Request, name: str, default: int) -> int:
    text = request.query.get(name, str(default))
    if not (text.isascii() and text.isdecimal()):
        raise Refused(service_error(400, f"{name} has to be a number from 0 on"))
    return int(text)
