"""Several calls in one (3.6). The shape of the answers is assumed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import msgspec

from include.standins.exago.access import Session
from include.standins.exago.failing import Failing
from include.standins.routing import Refused, Request, Response, Router

RESOURCES = frozenset({"Sessions", "Folders", "Reports", "StorageMgmt", "SchedulesV2", "Schedules"})
_BARRED = frozenset({"GET", "PATCH", "DELETE"})


class Item(msgspec.Struct, frozen=True, rename="pascal"):
    """One call of a batch."""

    url: str
    method: str
    payload: Any = None


class Batch:
    """Runs the calls of a batch in order, in its session.

    :param vendor: the stand-in
    :param router: finds their routes
    """

    def __init__(self, vendor: Failing, router: Router) -> None:
        self._vendor = vendor
        self._router = router

    async def run(self, request: Request, session: Session) -> Response:
        """Answer ``POST /rest/batch``."""
        items = self._vendor.parsed(request, list[Item])
        answers = []
        for item in items:
            try:
                response = await self._one(request, item)
            except Refused as refused:
                response = refused.response
            body = response.body if isinstance(response.body, bytes) else b""
            json = response.content_type == "application/json" and body
            answers.append(
                {"Status": response.status, "Payload": msgspec.json.decode(body) if json else body.decode() or None}
            )
        return Response.json(200, answers)

    async def _one(self, request: Request, item: Item) -> Response:
        resource, _, rest = item.url.partition("/")
        if resource not in RESOURCES:
            raise Refused(self._vendor.error(404, "There is nothing at this path."))
        if resource == "Sessions" and rest and item.method in _BARRED:
            raise Refused(self._vendor.failure(400, f"{item.method} of a session is not allowed in a batch."))
        raw_path = f"{self._vendor.root}/rest/{item.url}"
        found = self._router.find("", item.method, raw_path)
        if found.route is None:
            status = 405 if found.allowed else 404
            raise Refused(self._vendor.error(status, f"{item.method} {resource} is not possible."))
        body = b"" if item.payload is None else msgspec.json.encode(item.payload)
        inner = replace(
            request,
            method=item.method,
            raw_path=raw_path,
            path=unquote(raw_path),
            body=body,
            parts=found.parts,
            faults=(),
        )
        return await found.route.handler(inner)
