"""The stand-in of Camunda Optimize: who calls, how errors look, and what there is at which path."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar

from include.standins.camunda_optimize import faulty
from include.standins.camunda_optimize.catalog import Catalog
from include.standins.camunda_optimize.exports import Exports
from include.standins.camunda_optimize.switches import (
    FORMS,
    TOKEN,
    AuthForm,
    CamundaOptimizeSwitches,
    ErrorBody,
    Version,
)
from include.standins.routing import Refused, Request, Response, Route
from include.standins.server import StandIn
from include.standins.sockets import worded

EXPORT = "/api/public/export/report/{report}/result/json"
ERROR_CODES = {400: "badRequestError", 401: "notAuthorizedError", 404: "notFoundError"}


class CamundaOptimizeStandIn(StandIn[CamundaOptimizeSwitches]):
    """An Optimize with nine reports of every kind; see :class:`CamundaOptimizeSwitches` and :data:`faulty.KINDS`.

    ``catalog`` is what there is, ``exports.open_contexts()`` how many search contexts are open. An Optimize under a
    context path is a subclass with another ``root``. Effects in the ledger: ``context_opened`` ``page_read``
    ``context_expired`` ``context_lost`` ``report_exported``.
    """

    name = "camunda_optimize"
    signs_in: ClassVar[Mapping[str, Any]] = {"password": TOKEN}
    switches_type = CamundaOptimizeSwitches
    fault_kinds = faulty.KINDS
    secret_query = frozenset({"access_token"})

    def __init__(self, *, seed: int = 7, **options: Any) -> None:
        self.catalog = Catalog(seed)
        self.exports = Exports(self, self.catalog)
        super().__init__(seed=seed, **options)

    def routes(self) -> Sequence[Route]:
        """Return the export of results (2.1), the ids of a collection's reports, and the readiness."""
        return [
            Route("GET", EXPORT, self.exports.result),
            Route("GET", "/api/public/report", self._report_ids),
            Route("GET", "/api/readyz", self._ready, public=True),
        ]

    def page_of(self, request: Request) -> int | None:
        """Return the page of the walk that an export asks for, from 1 on."""
        return self.exports.page_of(request.query.get("searchRequestId", "")) if "report" in request.parts else None

    def error(self, status: int, text: str) -> Response:
        """Return an error in the shape of the switch ``error_body``; the object is that of 3.4."""
        if self.switches.error_body is not ErrorBody.OBJECT:
            title = f"{status} {HTTPStatus(status).phrase}"
            return worded(self.switches.error_body, status, text, title=title)
        message = "Die Anfrage ist nicht möglich." if status < 500 else "Es ist ein Fehler aufgetreten."
        code = ERROR_CODES.get(status, "serverError")
        named = {"errorCode": code, "errorMessage": message, "detailedMessage": text, "reportDefinition": None}
        return Response.json(status, named)

    def authenticate(self, request: Request) -> str:
        """Return ``token``, the only user there is, or ``jwt``; header before parameter (1.2).

        :raises Refused: 401: no secret is configured, or none or another one came
        """
        switches = self.switches
        forms = FORMS[switches.version]
        header, parameter = request.headers.get("Authorization", ""), request.query.get("access_token", "")
        scheme, _, rest = header.partition(" ")
        bearer = rest.strip() if scheme.lower() == "bearer" else ""
        sent = {
            AuthForm.BEARER: bearer,
            AuthForm.RAW: "" if bearer else header,
            AuthForm.QUERY: "" if header else parameter,
        }
        secret = switches.secret
        if secret and any(hmac.compare_digest(sent[form].encode(), secret.encode()) for form in forms):
            return "token"
        if switches.version is Version.V3_10 and bearer and bearer in switches.jwts:
            return "jwt"
        raise Refused(self.error(401, "Invalid or no secret provided."))

    async def _report_ids(self, request: Request) -> Response:
        wanted = request.query.get("collectionId")
        if not wanted:
            raise Refused(self.error(400, "The parameter collectionId is missing."))
        found = [{"id": one.id} for one in self.catalog.reports.values() if one.collection == wanted]
        return Response.json(200, found)

    async def _ready(self, request: Request) -> Response:
        """Answer without a body, and no call that identifies itself."""
        if "Authorization" in request.headers:
            raise Refused(self.error(401, "This path takes no Authorization header."))
        return Response(200 if self.switches.ready else 503, content_type="")
