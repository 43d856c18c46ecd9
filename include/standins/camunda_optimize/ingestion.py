"""What is brought into Optimize from outside: batches of events, and variables."""

from __future__ import annotations

from typing import Any

from include.standins.camunda_optimize.payloads import parsed
from include.standins.camunda_optimize.switches import CamundaOptimizeSwitches
from include.standins.routing import Refused, Request, Response
from include.standins.server import StandIn

SPEC_VERSION = "1.0"
_EVENT_FIELDS = ("specversion", "id", "source", "type", "traceid")
_VARIABLE_FIELDS = ("id", "name", "type", "processInstanceId", "processDefinitionKey")
_MINUTE = 60.0


class Ingestion:
    """Events by their id, and variables; what comes again under the same id replaces what was there.

    :param vendor: the stand-in
    """

    def __init__(self, vendor: StandIn[CamundaOptimizeSwitches]) -> None:
        self._vendor = vendor
        self._taken: list[float] = []
        self.events: dict[str, dict[str, Any]] = {}
        self.variables: dict[tuple[str, str], dict[str, Any]] = {}

    async def ingest_events(self, request: Request) -> Response:
        """Answer ``POST /api/ingestion/event/batch``: all events of a batch are taken or none."""
        if not self._vendor.switches.ingestion_enabled:
            raise Refused(self._vendor.error(403, "The ingestion of events is not enabled."))
        self._pace()
        batch = parsed(self._vendor, request, list[dict[str, Any]])
        for event in batch:
            self._complete(event, _EVENT_FIELDS)
            if event["specversion"] != SPEC_VERSION:
                raise Refused(self._vendor.error(400, f"specversion has to be {SPEC_VERSION}."))
        with self._vendor.locked():
            self.events.update({str(event["id"]): event for event in batch})
        request.effect("events_ingested", events=len(batch))
        return Response(204, content_type="")

    async def ingest_variables(self, request: Request) -> Response:
        """Answer ``POST /api/ingestion/variable``."""
        batch = parsed(self._vendor, request, list[dict[str, Any]])
        for variable in batch:
            self._complete(variable, _VARIABLE_FIELDS)
            if "value" not in variable:
                raise Refused(self._vendor.error(400, "value is missing."))
        with self._vendor.locked():
            self.variables.update({(str(one["processInstanceId"]), str(one["id"])): one for one in batch})
        request.effect("variables_ingested", variables=len(batch))
        return Response(204, content_type="")

    def _pace(self) -> None:
        most, now = self._vendor.switches.ingestion_a_minute, self._vendor.clock.elapsed()
        self._taken = [at for at in self._taken if now - at < _MINUTE]
        if most is not None and len(self._taken) >= most:
            wait = _MINUTE - (now - self._taken[0]) if self._taken else _MINUTE
            refusal = self._vendor.error(429, "The maximum number of ingestion requests is reached.")
            raise Refused(
                Response(
                    429,
                    body=refusal.body,
                    content_type=refusal.content_type,
                    headers={"Retry-After": f"{-(-wait // 1):.0f}"},
                )
            )
        self._taken.append(now)

    def _complete(self, item: dict[str, Any], fields: tuple[str, ...]) -> None:
        lacking = [name for name in fields if not item.get(name)]
        if lacking:
            raise Refused(self._vendor.error(400, f"{', '.join(lacking)} is missing."))
