"""Contracts, their custom categories and field values, and the last days of usage (reference section 2, 3.6)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta

from include.standins.routing import Refused, Request, Response, Route
from include.standins.tokenflex.asked import Asked, Wrong, asked
from include.standins.tokenflex.catalogue import CUSTOM, VALUE_FIELDS, Category
from include.standins.tokenflex.contracts import CATEGORY_NAMES, CONTRACTS, Contract, own_names, unique_custom_values
from include.standins.tokenflex.gateway import service_error
from include.standins.tokenflex.grants import READ
from include.standins.tokenflex.service import Service
from include.standins.tokenflex.table import Source, grouped

BASE = "/tokenflex/v1"
VALUE_DAYS = 10
LAST_DAYS = 35


class ContractApi:
    """Handlers of ``/contract…`` and ``/usage/{contract}/last``, all of scope ``data:read``."""

    def __init__(self, vendor: Service) -> None:
        self._vendor = vendor

    def routes(self) -> Sequence[Route]:
        paths = {
            "/contract": self.contracts,
            "/contract/{contract}": self.contract,
            "/contract/{contract}/enrichment": self.categories,
            "/contract/{contract}/enrichment/{category}": self.category_values,
            "/contract/{contract}/{field}": self.field_values,
            "/usage/{contract}/last": self.last,
        }
        return [Route("GET", BASE + path, self._vendor.needs(READ, handler)) for path, handler in paths.items()]

    async def contracts(self, request: Request) -> Response:
        """List the contracts; none for who is no admin."""
        today = self._vendor.now().date()
        seen = CONTRACTS if self._vendor.is_admin(request) else ()
        return self._vendor.listed([contract.listed(today) for contract in seen])

    async def contract(self, request: Request) -> Response:
        return Response.json(200, self._vendor.contract_of(request).detailed(self._vendor.now().date()))

    async def categories(self, request: Request) -> Response:
        self._vendor.contract_of(request)
        return Response.json(200, CATEGORY_NAMES)

    async def category_values(self, request: Request) -> Response:
        """List the values of one custom category, by its name or as ``customFieldN``."""
        self._vendor.contract_of(request)
        category = request.parts["category"]
        field = category if category in CUSTOM else dict(own_names()).get(category)
        if field is None:
            raise Refused(service_error(400, "there is no such category"))
        return Response.json(200, unique_custom_values(int(field.removeprefix("customField"))))

    async def field_values(self, request: Request) -> Response:
        """List the values of one of four fields, of the last :data:`VALUE_DAYS` days, optionally of one category."""
        contract, field = self._vendor.contract_of(request), request.parts["field"]
        if field not in VALUE_FIELDS:
            raise Refused(service_error(400, "there is no such field"))
        wanted = self._wanted([field], [], request.query.get("usageCategory"), self._since(contract, VALUE_DAYS))
        rows = await asyncio.to_thread(grouped, self._source(contract), wanted)
        return Response.json(200, [row[0] for row in rows if row[0]])

    async def last(self, request: Request) -> Response:
        """Give the last day of usage, and of processing, by category and charge category; only where there is usage."""
        contract = self._vendor.contract_of(request)
        source = self._source(contract)
        wanted = self._wanted(
            ["usageCategory", "chargeCategory", "usageDate"], [], None, self._since(contract, LAST_DAYS)
        )
        newest: dict[tuple[str, str], str] = {}
        for category, charge, day in await asyncio.to_thread(grouped, source, wanted):
            newest[category, charge] = max(day, newest.get((category, charge), ""))
        return self._vendor.listed(
            [
                {
                    "usageCategory": category,
                    "chargeCategory": charge,
                    "lastUsageDate": day,
                    "lastProcessDate": min(source.as_of, contract.ends + timedelta(days=1)).isoformat(),
                }
                for (category, charge), day in newest.items()
            ],
        )

    def _source(self, contract: Contract) -> Source:
        return Source(self._vendor.usage, contract, self._vendor.switches, self._vendor.now().date())

    def _since(self, contract: Contract, days: int) -> str:
        end = min(self._vendor.now().date(), contract.ends)
        return f"usageDate >= '{date.fromordinal(end.toordinal() - days).isoformat()}'"

    def _wanted(self, fields: list[str], metrics: list[str], category: str | None, where: str) -> Asked:
        """Make a request of the vendor's own, to which the session-level rules do not apply."""
        body = {"fields": [], "metrics": metrics or ["useCount"], "where": where}
        if category is not None:
            body["usageCategory"] = [category]
        try:
            plain = asked(body, (), export=False)
        except Wrong as error:
            raise Refused(service_error(400, str(error))) from None
        names = tuple(fields)
        categories = plain.categories or tuple(Category)
        return Asked(names, names, tuple(metrics), categories, where, plain.test, session_level=False)
