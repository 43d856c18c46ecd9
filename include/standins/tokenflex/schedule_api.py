"""Recurring exports: kept and shown; the stand-in does not run them by itself (reference 3.6)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from include.standins.draw import Draw
from include.standins.routing import Refused, Request, Response, Route
from include.standins.tokenflex.exports import stamped
from include.standins.tokenflex.gateway import service_error
from include.standins.tokenflex.grants import READ, WRITE

if TYPE_CHECKING:
    from include.standins.tokenflex.server import TokenFlexStandIn

BASE = "/tokenflex/v1/export/{contract}/schedules"
DATE_RANGES: Final = frozenset({"Previous-1-Month"})
CATEGORIES: Final = frozenset({"DESKTOP_PRODUCT", "CLOUD"})
LEVELS: Final = frozenset({"Transactional", "Daily", "Monthly"})
CRON_PARTS: Final = 6


class ScheduleApi:
    """Handlers of ``/export/{contract}/schedules…``; the contract of the path has no effect on a schedule.

    :param vendor: the stand-in
    """

    def __init__(self, vendor: TokenFlexStandIn) -> None:
        self._vendor = vendor
        self._schedules: dict[str, dict[str, Any]] = {}
        self._draw = Draw("tokenflex", "schedules")

    def routes(self) -> Sequence[Route]:
        """Return the five operations."""
        needs = self._vendor.needs
        return [
            Route("GET", BASE, needs(READ, self.listed)),
            Route("POST", BASE, needs(WRITE, self.create)),
            Route("GET", f"{BASE}/{{id}}", needs(READ, self.one)),
            Route("PUT", f"{BASE}/{{id}}", needs(WRITE, self.change)),
            Route("DELETE", f"{BASE}/{{id}}", needs(WRITE, self.delete)),
        ]

    async def listed(self, request: Request) -> Response:
        """List the schedules."""
        self._vendor.contract_of(request)
        return Response.json(200, list(self._schedules.values()))

    async def create(self, request: Request) -> Response:
        """Keep a new schedule."""
        self._vendor.contract_of(request)
        schedule = {"scheduleID": self._draw.uuid(), **self._checked(request)}
        self._schedules[schedule["scheduleID"]] = schedule
        request.effect("schedule_created", schedule["scheduleID"], payload=schedule, user=request.user)
        return Response.json(200, schedule)

    async def one(self, request: Request) -> Response:
        """Show one schedule."""
        return Response.json(200, self._found(request))

    async def change(self, request: Request) -> Response:
        """Replace a schedule."""
        schedule = {"scheduleID": self._found(request)["scheduleID"], **self._checked(request)}
        self._schedules[schedule["scheduleID"]] = schedule
        request.effect("schedule_changed", schedule["scheduleID"], payload=schedule, user=request.user)
        return Response.json(200, schedule)

    async def delete(self, request: Request) -> Response:
        """Forget a schedule: 204."""
        schedule = self._found(request)
        del self._schedules[schedule["scheduleID"]]
        request.effect("schedule_deleted", schedule["scheduleID"], user=request.user)
        return Response(204, content_type="")

    def _found(self, request: Request) -> dict[str, Any]:
        self._vendor.contract_of(request)
        schedule = self._schedules.get(request.parts["id"])
        if schedule is None:
            raise Refused(service_error(self._vendor.switches.unknown_key_status, "the schedule does not exist"))
        return schedule

    def _checked(self, request: Request) -> dict[str, Any]:
        body = self._vendor.json_body(request)
        wrong = _mistake(body) if isinstance(body, dict) else "the body has to be a JSON object"
        if wrong:
            raise Refused(service_error(400, wrong))
        return {
            "dateRangeExpression": body["dateRangeExpression"],
            "enableFlag": body.get("enableFlag", "Y"),
            "frequencyExpression": body["frequencyExpression"],
            "nextRunDate": stamped(_next_month(self._vendor.now()), self._vendor.switches.stamps),
            "scheduleObjects": body["scheduleObjects"],
        }


def _mistake(body: dict[str, Any]) -> str:
    if body.get("dateRangeExpression") not in DATE_RANGES:
        return "dateRangeExpression has to be Previous-1-Month"
    if body.get("enableFlag", "Y") not in {"Y", "N"}:
        return "enableFlag has to be Y or N"
    frequency = body.get("frequencyExpression")
    if not isinstance(frequency, str) or len(frequency.split()) != CRON_PARTS:
        return "frequencyExpression has six parts: second minute hour day month weekday"
    wanted = body.get("scheduleObjects")
    if not isinstance(wanted, list) or not wanted or not all(isinstance(one, dict) for one in wanted):
        return "scheduleObjects has to be an array of objects"
    for one in wanted:
        levels = one.get("aggregationLevel")
        if one.get("usageCategory") not in CATEGORIES:
            return "usageCategory of a schedule is DESKTOP_PRODUCT or CLOUD"
        if not isinstance(levels, list) or not levels or not LEVELS.issuperset(levels):
            return "aggregationLevel lists Transactional, Daily, Monthly"
    return ""


def _next_month(now: datetime) -> datetime:
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0) + timedelta(days=32)
    return first.replace(day=1)
