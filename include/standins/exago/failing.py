"""How the stand-in says no: JSON with a reason, plain text or HTML; and the reading of bodies that may not fit."""

from __future__ import annotations

from http import HTTPStatus
from typing import TypeVar

import msgspec

from include.standins.exago.switches import ErrorBody, ExagoSwitches
from include.standins.routing import Refused, Request, Response
from include.standins.server import StandIn
from include.standins.sockets import HTML

T = TypeVar("T")
LOST_SESSION = "setupD is null"


class Failing(StandIn[ExagoSwitches]):
    """A stand-in that fails as section 5 says."""

    def error(self, status: int, text: str) -> Response:
        """Return the answer for a path, or a method, that is not there: nothing else comes this way."""
        if status == 405:
            return self.failure(400, text)
        return self.page(500)

    def failure(self, status: int, reason: str) -> Response:
        """Return an error in the shape of the switch ``error_body``."""
        match self.switches.error_body:
            case ErrorBody.JSON:
                return Response.json(status, {"reason": reason})
            case ErrorBody.TEXT:
                return Response.text(status, reason)
            case ErrorBody.HTML:
                return self.page(status, reason)

    def page(self, status: int, title: str = "Server Error in '/ExagoWebApi' Application.") -> Response:
        text = HTML.format(title=title or HTTPStatus(status).phrase)
        return Response.text(status, text, "text/html; charset=utf-8")

    def parsed(self, request: Request, shape: type[T]) -> T:
        """Return a JSON body.

        :raises Refused: 500, it is malformed or does not fit
        """
        try:
            return msgspec.json.decode(request.body, type=shape)
        except msgspec.MsgspecError as error:
            raise Refused(self.failure(500, f"The request body is malformed: {error}")) from None
