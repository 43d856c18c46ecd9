"""An Acme Orders whose days have as many orders as it is told; built from its reference, not from our client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from include.standins import Refused, Request, Response, Route, StandIn, Switches


class AcmeSwitches(Switches, frozen=True, kw_only=True):
    """``rows``: orders of each day."""

    rows: int = 250


class AcmeStandIn(StandIn[AcmeSwitches]):
    """The vendor."""

    name = "acme"
    signs_in: ClassVar[Mapping[str, Any]] = {"login": "nightshift", "password": "standin-acme"}
    switches_type = AcmeSwitches

    def routes(self) -> Sequence[Route]:
        """Return the list of reports, and the pages of one."""
        return [Route("GET", "/reports", self.reports), Route("GET", "/reports/{report}", self.page)]

    def authenticate(self, request: Request) -> str:
        """Take any credentials, but not none."""
        if not request.headers.get("Authorization"):
            raise Refused(self.error(401, "who are you?"))
        return "nightshift"

    async def reports(self, request: Request) -> Response:
        """List the reports."""
        return Response.json(200, ["orders"])

    async def page(self, request: Request) -> Response:
        """Give one page of a day."""
        size, number = int(request.query["size"]), int(request.query["page"])
        first, last = (number - 1) * size, min(number * size, self.switches.rows)
        data = [{"id": f"{request.query['day']}-{n}", "amount": n / 4} for n in range(first, last)]
        return Response.json(200, {"data": data, "more": last < self.switches.rows})
