"""Schedules and the status of their jobs (section 4)."""

from __future__ import annotations

from typing import Any

from include.standins.exago.access import Session
from include.standins.exago.failing import Failing
from include.standins.routing import Refused, Request, Response

JOB_STATUSES = (
    "Ready", "Running", "Completed", "Suspended", "Deleted", "Abended", "UserAbort", "Transmitting", "Removed", "Immediate", "Timedout",
)  # fmt: skip
FLUSHED = frozenset({"Completed", "Deleted", "Removed"})


class Schedules:
    """The schedules of the switch ``schedules``: each look at one moves its job on.

    :param vendor: the stand-in
    """

    def __init__(self, vendor: Failing) -> None:
        self._vendor = vendor
        self._looks: dict[str, int] = {}
        self._flushed: set[str] = set()

    async def every(self, request: Request, session: Session) -> Response:
        """Answer the list; no job moves on."""
        self._available(request)
        return Response.json(
            200, [self._told(name) for name in self._vendor.switches.schedules if name not in self._flushed]
        )

    async def one(self, request: Request, session: Session) -> Response:
        """Answer one schedule."""
        name = self._known(request)
        told = self._told(name)
        self._looks[name] = self._looks.get(name, 0) + 1
        return Response.json(200, told)

    async def part(self, request: Request, session: Session) -> Response:
        """Answer the filters or the parameters of a schedule: there are none."""
        self._known(request)
        return Response.json(200, [])

    async def flush(self, request: Request, session: Session) -> Response:
        """Forget the schedules whose job is over."""
        self._available(request)
        over = {name for name in self._vendor.switches.schedules if self._status(name) in FLUSHED} - self._flushed
        self._flushed |= over
        request.effect("schedules_flushed", schedules=sorted(over))
        return Response(204, content_type="")

    def _available(self, request: Request) -> None:
        if "v2/" in f"{request.path.lower()}/" and not self._vendor.switches.schedules_v2:
            raise Refused(self._vendor.error(404, "There is nothing at this path."))

    def _known(self, request: Request) -> str:
        self._available(request)
        name = request.parts["id"]
        if name not in self._vendor.switches.schedules or name in self._flushed:
            raise Refused(self._vendor.failure(404, f"The schedule {name} does not exist."))
        return name

    def _status(self, name: str) -> str:
        statuses = self._vendor.switches.schedules[name]
        return statuses[min(self._looks.get(name, 0), len(statuses) - 1)]

    def _told(self, name: str) -> dict[str, Any]:
        return {
            "Id": name,
            "Name": name.replace("-", " ").title(),
            "ReportPath": "Sales/Live/Daily",
            "JobStatus": self._status(name),
        }
