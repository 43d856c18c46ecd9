"""How the board answers: JSON with an ETag, errors as JSON that say what to do, the files of the front end, and headers
that keep others out.
"""

from __future__ import annotations

import hashlib
import inspect
import logging
from collections.abc import Awaitable, Callable
from functools import wraps
from importlib.resources import files
from typing import Any

from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles

from nightshift.board.models import Answer, BoardPart, Problem, Trouble
from nightshift.errors import VendorError
from nightshift.lake.errors import LakeError
from nightshift.redaction import redact
from nightshift.settings import ConfigError

log = logging.getLogger(__name__)

STATIC = files(__package__).joinpath("static")

PRESS_HEADER = "x-nightshift-board"
"""Header of every ``POST``: a form of another site cannot send it, and a script of one is refused by the browser."""
_OURS = (ConfigError, LakeError, VendorError, ValueError)
_ADVICE = {
    401: ("Not signed in", "Sign in to Airflow, then open this page anew."),
    403: ("Forbidden", "Ask an administrator of Airflow for the permission."),
    404: ("Not found", "Look at the configuration: it may have been renamed or taken out."),
    422: ("Not understood", "Correct what was sent."),
}


def answer(request: Request, found: Answer) -> Response:
    """Return an answer as JSON; 304 where the front end has it already. That time goes on makes it no other answer."""
    body = found.model_dump_json(exclude={"now"}).encode()
    etag = f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"etag": etag, "cache-control": "private, no-cache"}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    now = getattr(found, "now", None)
    if now is not None:
        body = b'{"now":"%s",%s' % (now.isoformat().encode(), body[1:])
    return Response(body, media_type="application/json", headers=headers)


def answered(route: Callable[..., Awaitable[Answer]]) -> Callable[..., Awaitable[Response]]:
    """Return a route that answers by :func:`answer`, with the parameters of one that returns what is to be answered;
    what nobody expected is answered with 503.
    """

    @wraps(route)
    async def handle(request: Request, **given: Any) -> Response:
        try:
            return answer(request, await route(**given))
        except HTTPException:
            raise
        except Exception as error:
            return _broken(error)

    own = inspect.signature(route, eval_str=True)
    asks = inspect.Parameter("request", inspect.Parameter.KEYWORD_ONLY, annotation=Request)
    given = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own.parameters.values()]
    vars(handle)["__signature__"] = own.replace(parameters=[asks, *given], return_annotation=Response)
    return handle


def trouble(part: BoardPart, error: Exception, of: str = "") -> Trouble:
    """Return an error for a person; what others' errors say goes to the log alone, it may name a key."""
    if isinstance(error, TimeoutError):
        text = "It took too long. Nothing is lost; look again, and look at the network and at NIGHTSHIFT_LAKE."
    elif isinstance(error, _OURS):
        text = redact(str(error))
    else:
        log.error("The part %s of the board is broken", part, exc_info=error)
        text = (
            f"It cannot be shown ({type(error).__name__}); the log of the API server says why. Nothing is lost: nights "
            "and promotions go on without this page. Look at NIGHTSHIFT_LAKE and at the connection that it names."
        )
    return Trouble(part=part, of=of, text=text)


def pressed(request: Request) -> None:
    """Refuse a ``POST`` that the board's own script has not sent.

    :raises HTTPException: 403
    """
    site = request.headers.get("sec-fetch-site", "same-origin")
    if request.headers.get(PRESS_HEADER) != "1" or site not in ("same-origin", "none"):
        raise HTTPException(403, "This request was not made by the board. Nothing was changed.")


async def problem(request: Request, error: Any) -> Response:
    """Answer an error."""
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"] if part != "body")
        return _problem(422, f"{field}: {first['msg']}", {})
    return _problem(error.status_code, str(error.detail or ""), error.headers or {})


class Fresh(StaticFiles):
    """Files that a browser asks about each time: modules of two versions must not meet in one page."""

    def file_response(self, *arguments: Any, **options: Any) -> Response:
        """Answer with a file."""
        found = super().file_response(*arguments, **options)
        found.headers["cache-control"] = "no-cache"
        found.headers["x-content-type-options"] = "nosniff"
        return found


def static_files() -> Fresh:
    """Return the files of the front end. They hold no data, and are for everybody, as those of Airflow's own UI."""
    return Fresh(directory=str(STATIC))


def page() -> Response:
    """Show the page for hosts without Airflow's UI: where the board is."""
    text = STATIC.joinpath("index.html").read_bytes()
    policy = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    return Response(text, media_type="text/html", headers={"content-security-policy": policy})


def _broken(error: Exception) -> Response:
    told = trouble(BoardPart.AIRFLOW, error)
    body = Problem(status=503, title="Broken", detail=told.text, advice="Look again in a minute.")
    return Response(body.model_dump_json(), status_code=503, media_type="application/json")


def _problem(status: int, detail: str, headers: Any) -> Response:
    title, advice = _ADVICE.get(status, ("Not possible", "Look again; if it lasts, look at the log of the API server."))
    body = Problem(status=status, title=title, detail="" if detail == title else detail, advice=advice)
    return Response(body.model_dump_json(), status_code=status, media_type="application/json", headers=dict(headers))
