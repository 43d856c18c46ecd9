"""A small OAuth server with rotating refresh tokens, and one protected path; it runs in a thread of its own."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import unquote

from aiohttp import web

CLIENT, SECRET = "client-id-4711", "client-secret/Zz9+0815"


@dataclass
class OAuthServer:
    """Its switches may be set at any time; ``asked`` lists the grant types that arrived, ``answers`` the pairs that
    were given out.
    """

    url: str = ""
    life: int = 3599
    grace: bool = False
    rotate: bool = True
    asked: list[str] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    pairs: list[tuple[str, str]] = field(default_factory=list)
    access: set[str] = field(default_factory=set)
    refresh: set[str] = field(default_factory=set)
    codes: dict[str, tuple[str, str]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    """Taken one a token request: "503", "429", "drop" (answered to nobody), "hang" (never taken)."""
    hanging: threading.Event = field(default_factory=threading.Event)
    answered: threading.Event = field(default_factory=threading.Event)
    body: str = ""
    """Written instead of the usual answer: ACCESS and REFRESH stand for the tokens that are given out."""
    gate: threading.Event | None = None
    """The next answer to a refresh waits for it, when the tokens are given out."""
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def new_pair(self, *, refresh: bool = True) -> tuple[str, str]:
        """Give out a pair, as a token request does."""
        number = next(self.numbers)
        pair = f"access-{number}-AAAAAAAA", f"refresh-{number}-RRRRRRRR" if refresh else ""
        self.access.add(pair[0])
        self.refresh.add(pair[1])
        self.pairs.append(pair)
        if len(self.pairs) > 1:
            self.answered.set()
        return pair

    async def token(self, request: web.Request) -> web.StreamResponse:
        form = {name: str(value) for name, value in (await request.post()).items()}
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "hang":
            self.hanging.set()
            await asyncio.sleep(60)
        self.asked.append(form.get("grant_type", ""))
        self.forms.append(form)
        if fault in ("503", "429"):
            return web.json_response({"developerMessage": "later"}, status=int(fault), headers={"Retry-After": "60"})
        if (refused := self._client(request, form)) is not None:
            return refused
        answer = getattr(self, f"_{form['grant_type']}")(form)
        if self.gate is not None:
            gate, self.gate = self.gate, None
            await asyncio.to_thread(gate.wait, 30)
        if fault == "drop":
            assert request.transport is not None
            request.transport.close()
        return answer

    def _client(self, request: web.Request, form: dict[str, str]) -> web.Response | None:
        header = request.headers.get("Authorization", "")
        if header and "client_id" in form:
            return web.json_response({"developerMessage": "credentials twice"}, status=400)
        given = base64.b64decode(header.removeprefix("Basic ")).decode() if header else f"{form.get('client_id')}:"
        if [unquote(part) for part in given.split(":", 1)] not in ([CLIENT, SECRET], ["public-app", ""]):
            return web.json_response({"developerMessage": f"wrong secret {given}", "errorCode": "AUTH-003"}, status=401)
        return None

    def _authorization_code(self, form: dict[str, str]) -> web.Response:
        challenge, redirect = self.codes.pop(form["code"], ("", ""))
        proof = (
            base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
            .rstrip(b"=")
            .decode()
        )
        if not challenge or challenge != proof or redirect != form.get("redirect_uri"):
            return web.json_response({"error": "invalid_grant", "error_description": "The code is invalid"}, status=400)
        return self._pair()

    def _refresh_token(self, form: dict[str, str]) -> web.Response:
        if form["refresh_token"] not in self.refresh:
            return web.json_response(
                {"error": "invalid_grant", "error_description": f"{form['refresh_token']} was used"}, status=400
            )
        if not self.rotate:
            return self._pair(refresh=False)
        if not self.grace:
            self.refresh.discard(form["refresh_token"])
        return self._pair()

    def _client_credentials(self, form: dict[str, str]) -> web.Response:
        return self._pair(refresh=False)

    def _pair(self, *, refresh: bool = True) -> web.Response:
        access, renewed = self.new_pair(refresh=refresh)
        if self.body:
            text = self.body.replace("ACCESS", access).replace("REFRESH", renewed)
            return web.Response(text=text, content_type="application/json")
        more = {"refresh_token": renewed} if renewed else {}
        return web.json_response({"token_type": "Bearer", "expires_in": self.life, "access_token": access, **more})

    async def thing(self, request: web.Request) -> web.Response:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if given not in self.access:
            return web.json_response({"developerMessage": "Token is not active", "errorCode": "AUTH-006"}, status=401)
        if request.path.endswith("/contract"):
            return web.json_response([{"contractNumber": "110", "contractName": "Acme"}])
        return web.json_response({"token": given.split("-")[1]})


@contextmanager
def serving() -> Iterator[OAuthServer]:
    """Serve on a free port of the loopback until the context ends."""
    server, ready, loop = OAuthServer(), threading.Event(), asyncio.new_event_loop()

    async def up() -> web.AppRunner:
        app = web.Application()
        app.router.add_post("/authentication/v2/token", server.token)
        app.router.add_get("/thing", server.thing)
        app.router.add_get("/tokenflex/v1/contract", server.thing)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    def run() -> None:
        asyncio.set_event_loop(loop)
        runner = loop.run_until_complete(up())
        ready.set()
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
