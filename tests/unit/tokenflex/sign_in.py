"""The stand-in of Token Flex as the tests of the sign-in use it: what was sent and given out is kept, in clear."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from http.client import HTTPConnection
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from include.standins import Fault, FaultKind, Request, Response, Route
from include.standins.routing import Handler
from include.standins.tokenflex import RateLimit, TokenFlexStandIn, TokenFlexSwitches
from include.standins.tokenflex.grants import CLIENTS, READ, WRITE

SERVICE, PUBLIC, APP = (
    next(one for one in CLIENTS if one.id == f"nightshift-{kind}") for kind in ("service", "public", "encoded")
)
CLIENT, SECRET = APP.id, APP.secret
TOKEN_PATH = "/authentication/v2/token$"


class SignInVendor(TokenFlexStandIn):
    """A Token Flex without limits, where whoever is asked agrees at once.

    ``pairs`` are the tokens that were given out, ``forms`` the token requests that arrived, ``seen`` the number of the
    pair with which each call of the API came. ``body``, where it is set, is written instead of the usual answer: ACCESS
    and REFRESH stand for the tokens that are given out.
    """

    def __init__(self) -> None:
        self.pairs: list[tuple[str, str]] = []
        self.forms: list[dict[str, str]] = []
        self.seen: list[str] = []
        self.body = ""
        super().__init__(switches=TokenFlexSwitches(rate_limit=RateLimit.OFF, auto_allow=True))

    def routes(self) -> Sequence[Route]:
        return [
            replace(one, handler=self._kept(one.handler)) if one.path.endswith("/token") else one
            for one in super().routes()
        ]

    def _kept(self, handler: Handler) -> Handler:
        async def kept(request: Request) -> Response:
            self.forms.append(dict(request.form()))
            response = await handler(request)
            given = json.loads(bytes(response.body))  # type: ignore[arg-type]
            access, refresh = given["access_token"], given.get("refresh_token", "")
            self.pairs.append((access, refresh))
            spelled = self.body.replace("ACCESS", access).replace("REFRESH", refresh)
            return replace(response, body=spelled.encode()) if spelled else response

        return kept

    def authenticate(self, request: Request) -> str:
        user = super().authenticate(request)
        token = request.headers["Authorization"].removeprefix("Bearer ")
        self.seen.append(str([access for access, _ in self.pairs].index(token) + 1))
        return user

    @property
    def asked(self) -> list[str]:
        """The grant types of the token requests that were decided."""
        effects = self.ledger.effects()
        return [one.detail["grant"] for one in effects if one.kind in ("token_issued", "token_refused")]

    def new_pair(self) -> tuple[str, str]:
        """Give out a pair, as if a person had agreed."""
        scopes, now = frozenset({READ, WRITE}), self.now().timestamp()
        with self.locked():
            code = self.grants.code(APP, self.switches.signed_in, scopes, redirect_uri="", challenge="", ends=now + 60)
            pair = self.grants.redeem(code, APP, redirect_uri="", verifier="", now=now, switches=self.switches)
        self.pairs.append((pair.access, pair.refresh))
        return self.pairs[-1]

    def end_refresh(self) -> None:
        """Take no refresh token any more that was given out; access tokens live on."""
        with self.locked():
            self.grants.end_refresh()

    def spoil(self, kind: FaultKind, **more: Any) -> None:
        """Spoil the next token request."""
        self.faults.add(Fault(kind=kind, path=TOKEN_PATH, **more))

    def says(self, status: int, text: str, **more: Any) -> None:
        """Answer the next token request with an error of the vendor's form."""
        body = json.dumps({"developerMessage": text, "errorCode": "AUTH-003"})
        self.spoil(FaultKind.STATUS, status=status, body=body, content_type="application/json", **more)


def allow(server: SignInVendor, asked: dict[str, str]) -> dict[str, str]:
    """Send a person's browser to Autodesk, who agrees; return the parameters of the callback."""
    browser = HTTPConnection(urlsplit(server.url).netloc)
    with closing(browser):
        browser.request("GET", f"/authentication/v2/authorize?{urlencode(asked)}")
        answer = browser.getresponse()
        assert answer.status == 302, answer.read()
        return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))
