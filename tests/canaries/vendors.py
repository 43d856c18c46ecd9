"""The stand-in vendors, as seen by somebody who looks for what leaks: credentials are canaries, all that is secret of
what goes to and fro is written down, and a vendor may quote in an error what it was sent.

A canary that is sent is exchanged for the stand-in's own credential before the stand-in looks at it, so that each
checks it in its own way.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from multidict import CIMultiDict, CIMultiDictProxy

from include.standins.camunda_optimize import CamundaOptimizeStandIn
from include.standins.exago import ExagoStandIn
from include.standins.flexdeploy import FlexDeployStandIn
from include.standins.flexnet import FlexNetStandIn
from include.standins.routing import Request, Response
from include.standins.tokenflex import TokenFlexStandIn
from include.standins.webhooks import WebHooksStandIn

SECRET_NAMES = frozenset(
    {"access_token", "refresh_token", "code", "code_verifier", "client_secret", "sid", "sig", "key", "token"}
    | {"x-amz-signature", "x-amz-security-token", "routing_key", "state"}
)
"""Names of parameters and of fields of answers whose values nobody else may read."""
_SESSION = re.compile(r"/sessions/([^/?]+)")
_SHORTEST = 12


class Ear:
    """What was heard: name of a value → the values."""

    def __init__(self) -> None:
        self.heard: dict[str, str] = {}

    def add(self, what: str, value: Any) -> None:
        """Keep a value that is long enough to be a secret."""
        if isinstance(value, str) and len(value) >= _SHORTEST:
            self.heard.setdefault(value, what)

    def request(self, vendor: str, request: Request) -> None:
        """Keep what is secret of a request."""
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        self.add(f"{vendor}: an Authorization header", value or scheme)
        for name, value in (*request.query.items(), *_form(request)):
            if name.lower() in SECRET_NAMES:
                self.add(f"{vendor}: {name}", value)
        if session := _SESSION.search(request.raw_path):
            self.add(f"{vendor}: a session in a path", session[1])

    def response(self, vendor: str, response: Response) -> None:
        """Keep what is secret of an answer: tokens, session ids, the signatures of links, the code of a redirect."""
        self._values(vendor, dict(parse_qsl(urlsplit(response.headers.get("Location", "")).query)))
        if isinstance(response.body, bytes) and len(response.body) < 1 << 16:
            try:
                self._values(vendor, json.loads(response.body))
            except ValueError:
                return

    def _values(self, vendor: str, value: Any) -> None:
        if isinstance(value, list):
            for inner in value:
                self._values(vendor, inner)
        if not isinstance(value, dict):
            return
        for name, inner in value.items():
            if name.lower() in SECRET_NAMES or (vendor == "exago" and name == "Id" and "AppUrl" in value):
                self.add(f"{vendor}: {name}", inner)
            elif isinstance(inner, str) and "X-Amz-Signature=" in inner:
                self._values(vendor, dict(parse_qsl(urlsplit(inner).query)))
            else:
                self._values(vendor, inner)


def _form(request: Request) -> Iterable[tuple[str, str]]:
    if "x-www-form-urlencoded" in request.headers.get("Content-Type", ""):
        return tuple(request.form().items())
    return ()


def quoted(request: Request) -> dict[str, str]:
    """Return all that a request held."""
    return {
        "url": f"{request.raw_path}?{'&'.join(f'{name}={value}' for name, value in request.query.items())}",
        **{f"header {name}": value for name, value in request.headers.items()},
        "body": request.body.decode(errors="replace"),
    }


def _plain(status: int, parts: dict[str, str]) -> Response:
    text = "Your request was: " + " ".join(f"{name} {value}" for name, value in parts.items())
    return Response.text(status, f"{text} / again: {' '.join(parts.values())}")


def _json(status: int, parts: dict[str, str]) -> Response:
    return Response.json(status, {"message": "Not possible.", "error": json.dumps(parts), "request": parts})


def _html(status: int, parts: dict[str, str]) -> Response:
    rows = "".join(f"<p>{html.escape(name)} <b>{html.escape(value)}</b></p>" for name, value in parts.items())
    return Response.text(status, f"<html><title>Error</title><body>{rows}</body></html>", "text/html; charset=utf-8")


def _escaped(status: int, parts: dict[str, str]) -> Response:
    text = "".join(one if one.isalnum() else f"\\u{ord(one):04X}" for one in " ".join(parts.values()))
    page = "".join(one if one.isalnum() else f"&#x{ord(one):x};" for one in " ".join(parts.values()))
    return Response.text(status, f'[{{"message": "Not possible: {text}"}}, "{page}"]', "application/json")


def _packed(status: int, parts: dict[str, str]) -> Response:
    text = json.dumps(parts).encode()
    return Response.text(status, f"dump {base64.b64encode(text).decode()} cut {base64.b64encode(text[7:]).decode()}")


def _cut(status: int, parts: dict[str, str]) -> Response:
    return Response.text(status, " ".join(f"…{value[at : at + 11]}…" for value in parts.values() for at in (3, 9, 21)))


WAYS: tuple[Callable[[int, dict[str, str]], Response], ...] = (_plain, _json, _html, _escaped, _packed, _cut)
"""How a vendor quotes a request in an error."""


class Listening:
    """A stand-in that keeps what is secret, exchanges canaries, and quotes requests when it is told to.

    :ivar statuses: of the next answers that quote their requests; taken from the front
    :ivar quotes: which requests are answered so
    """

    name: str

    def __init__(self, ear: Ear, **options: Any) -> None:
        super().__init__(**options)
        self.ear = ear
        self.exchanged: dict[str, str] = {}
        self.statuses: list[int] = []
        self.quotes: Callable[[Request], bool] = lambda _request: True
        self.quoted = 0

    def knows(self, canary: str, own: str) -> None:
        """Let an Authorization header with a canary count as one with the stand-in's own credential."""
        self.exchanged[canary] = own

    async def _decide(self, request: Request, *more: Any) -> Response:
        self.ear.request(self.name, request)
        if self.statuses and self.quotes(request):
            way = WAYS[self.quoted % len(WAYS)]
            self.quoted += 1
            return way(self.statuses.pop(0), quoted(request))
        if (own := self.exchanged.get(request.headers.get("Authorization", ""))) is not None:
            headers = CIMultiDict(request.headers)
            headers["Authorization"] = own
            request.headers = CIMultiDictProxy(headers)
        response: Response = await super()._decide(request, *more)  # type: ignore[misc]
        self.ear.response(self.name, response)
        return response


class FlexNet(Listening, FlexNetStandIn):
    """See :class:`Listening`."""


class TokenFlex(Listening, TokenFlexStandIn):
    """See :class:`Listening`."""


class Camunda(Listening, CamundaOptimizeStandIn):
    """See :class:`Listening`."""


class Exago(Listening, ExagoStandIn):
    """See :class:`Listening`."""


class FlexDeploy(Listening, FlexDeployStandIn):
    """See :class:`Listening`."""


class WebHooks(Listening, WebHooksStandIn):
    """See :class:`Listening`."""


def basic(login: str, password: str) -> str:
    """Return the value of an Authorization header."""
    return "Basic " + base64.b64encode(f"{login}:{password}".encode()).decode()
