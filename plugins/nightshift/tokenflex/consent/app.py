"""The sign-in page: shows who granted what, sends a person to Autodesk, and receives the callback.

Airflow's own authentication and permission guard every route: who may edit a connection may grant access for it. The
page opens in a tab of its own, never in a frame: Autodesk's sign-in refuses frames, and a page with a button that
grants something must not be framed.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Annotated, Any
from urllib.parse import parse_qs, urlencode

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import ConnectionDetails
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.configuration import conf
from airflow.models.connection import Connection
from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from nightshift.errors import BadResponse, Rejected, VendorError
from nightshift.tokenflex import tokens
from nightshift.tokenflex.auth import SignInMethod, sign_in_method, sign_in_method_of
from nightshift.tokenflex.consent import MOUNT, page, store
from nightshift.tokenflex.consent.store import CONSENT_SECONDS, Consent, Notice, Ticket, seal, unseal
from nightshift.tokenflex.oauth import Pkce, SignInHook, authorize_url, exchange_code, scope_of
from nightshift.tokenflex.tokens import Grant, new_seal
from nightshift.tokenflex.vocabulary import SIGN_IN

log = logging.getLogger(__name__)

TICKET_SECONDS = 3600
NOTICE_SECONDS = 300
_ERROR = re.compile(r"[a-z_]{1,40}\Z")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class CallbackShield:
    """ASGI layer around the page: keeps the secrets of a callback out of logs, caches, frames and other sites.

    The query of a request holds the code and the state of a callback. The page gets it; the scope that was handed in,
    which the access log reads when the request is done, does not keep it. What a reverse proxy in front of Airflow logs
    is out of reach; the code it would see is spent by then, and worth nothing without the PKCE verifier and the client
    secret.

    :param app: the page
    :param style: source expression that allows its style
    """

    def __init__(self, app: App, *, style: str) -> None:
        self.app = app
        policy = f"default-src 'none'; style-src {style}; base-uri 'none'; frame-ancestors 'none'"
        # No form-action: browsers apply it to the redirects that follow, and Autodesk's sign-in has many hosts.
        self.headers = [
            (b"cache-control", b"no-store"),
            (b"referrer-policy", b"no-referrer"),
            (b"content-security-policy", policy.encode()),
            (b"x-frame-options", b"DENY"),
            (b"x-content-type-options", b"nosniff"),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        inner = dict(scope)
        if scope.get("query_string"):
            scope["query_string"] = b""

        async def send_shielded(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                names = {name for name, _ in self.headers}
                kept = [(name, value) for name, value in message.get("headers", []) if name.lower() not in names]
                message = {**message, "headers": [*kept, *self.headers]}
            await send(message)

        await self.app(inner, receive, send_shielded)
        return None


async def may_grant(request: Request, user: GetUserDep) -> None:
    """Refuse who may not edit the connection of the path, or connections at all where the path has none."""
    await _check(user, request.path_params.get("connection_id"))


def create_app() -> CallbackShield:
    """Return the page as an ASGI application, to be mounted at :data:`~nightshift.tokenflex.consent.MOUNT`."""
    app = FastAPI(title=SIGN_IN, docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(may_grant)])
    app.add_api_route("/", show, methods=["GET"], response_class=HTMLResponse)
    app.add_api_route("/connections/{connection_id}/grant", start, methods=["POST"], response_class=RedirectResponse)
    app.add_api_route("/callback", finish, methods=["GET"], response_class=RedirectResponse)
    return CallbackShield(app, style=page.style_hash())


async def show(request: Request, user: GetUserDep, notice: Annotated[str, Query(max_length=4000)] = "") -> HTMLResponse:
    """Show all connections that the person may edit, and how it stands with each."""
    told = unseal(notice, Notice, seconds=NOTICE_SECONDS) if notice else None
    rows = [
        await _row(one, user) for one in await asyncio.to_thread(store.connections) if await _allowed(user, one.conn_id)
    ]
    shown = told if told and told.user == user.get_id() else None
    return HTMLResponse(page.render(rows, notice=shown, callback=_callback(request), encrypted=store.encrypted()))


async def start(request: Request, connection_id: str, user: GetUserDep) -> RedirectResponse:
    """Begin a sign-in and send the person to Autodesk."""
    form = parse_qs((await request.body()).decode("utf-8", "replace"))
    ticket = unseal(form.get("ticket", [""])[0], Ticket, seconds=TICKET_SECONDS)
    if ticket != Ticket(user.get_id(), connection_id):
        raise HTTPException(
            403, "This form was not made for you by the sign-in page, or is older than an hour. Open the page anew."
        )
    try:
        async with SignInHook(connection_id) as hook:
            if sign_in_method_of(hook) is not SignInMethod.THREE_LEGGED:
                raise Rejected(
                    f"the connection {connection_id!r} signs in by itself, as {sign_in_method_of(hook)}",
                    advice="Nothing is to be granted.",
                )
            pkce, redirect_uri = Pkce.new(), str(hook.extra("callback_url", _callback(request)))
            consent = Consent(
                connection=connection_id,
                user=user.get_id(),
                pkce=pkce,
                redirect_uri=redirect_uri,
                ends=time.time() + CONSENT_SECONDS,
            )
            state = await asyncio.to_thread(store.start, consent)
            target = authorize_url(hook, state=state, pkce=pkce, redirect_uri=redirect_uri)
    except VendorError as error:
        return _back("../../", user, str(error))
    log.info("%s began to grant access to Token Flex for the connection %s", user.get_name(), connection_id)
    return RedirectResponse(target, status_code=303)


async def finish(request: Request, user: GetUserDep) -> RedirectResponse:
    """Receive the callback, exchange its code, store the grant; then away from the URL that holds the code."""
    given = request.query_params
    consent = await asyncio.to_thread(store.finish, given.get("state", ""))
    if consent is None:
        return _back(
            "./",
            user,
            "This sign-in is unknown, was finished before, or is older than ten minutes. Nothing was changed; start "
            "again here.",
        )
    if consent.user != user.get_id():
        return _back(
            "./", user, "This sign-in was begun by another Airflow user. Nothing was changed; start again here."
        )
    await _check(user, consent.connection)
    if not (code := given.get("code", "")):
        reason = given.get("error", "")
        told = f" ({reason})" if _ERROR.match(reason) else ""
        return _back("./", user, f"Autodesk did not grant access{told}. Nothing was changed.")
    try:
        grant = await _grant(consent, code, user.get_name())
        await asyncio.to_thread(store.save_grant, consent.connection, grant)
    except VendorError as error:
        log.warning("Access for the connection %s could not be granted: %s", consent.connection, error)
        return _back("./", user, str(error))
    log.info("%s granted access to Token Flex for the connection %s", user.get_name(), consent.connection)
    return _back("./", user, f"Access for {consent.connection} is granted. The exports can run.", good=True)


async def _grant(consent: Consent, code: str, name: str) -> Grant:
    async with SignInHook(consent.connection) as hook:
        pair = await exchange_code(hook, code=code, pkce=consent.pkce, redirect_uri=consent.redirect_uri)
        scope = scope_of(hook)
    if not pair.refresh_token:
        raise BadResponse(
            "Autodesk gave no refresh token, so the access would end within the hour",
            vendor=SIGN_IN,
            advice="Check that the app at Autodesk is of a type for three-legged sign-in. Nothing was stored.",
        )
    return Grant(
        grant_id=secrets.token_hex(8),
        granted_by=name,
        granted_at=time.time(),
        scope=scope,
        pair=pair,
        seal=new_seal(),
    )


async def _row(connection: Any, user: Any) -> page.ConnectionRow:
    extras = connection.extra_dejson
    try:
        method = sign_in_method(extras.get("auth"), extras.get("token"))
    except ValueError:
        method = SignInMethod.THREE_LEGGED
    chain, unreadable = None, False
    if method is SignInMethod.THREE_LEGGED:
        try:
            chain = await tokens.read_chain(connection.conn_id)
        except VendorError:
            unreadable = True
    return page.row_of(
        connection.conn_id, method, chain, ticket=seal(Ticket(user.get_id(), connection.conn_id)), unreadable=unreadable
    )


async def _allowed(user: Any, conn_id: str | None) -> bool:
    team = None
    if conn_id is not None and store.by_team():
        team = await asyncio.to_thread(Connection.get_team_name, conn_id)
    details = ConnectionDetails(conn_id=conn_id, team_name=team)
    return bool(
        await asyncio.to_thread(get_auth_manager().is_authorized_connection, method="PUT", details=details, user=user)
    )


async def _check(user: Any, conn_id: str | None) -> None:
    if not await _allowed(user, conn_id):
        raise HTTPException(403, "Forbidden: you need the permission to edit connections.")


def _callback(request: Request) -> str:
    """Return our callback URL as browsers see it: under the base URL of the API server where that is set."""
    if base := conf.get("api", "base_url", fallback=""):
        return f"{base.rstrip('/')}{MOUNT}/callback"
    return str(request.url.replace(path=f"{request.scope.get('root_path', '')}/callback", query="", fragment=""))


def _back(to: str, user: Any, text: str, *, good: bool = False) -> RedirectResponse:
    """Return to the page with a message that nobody else can make or read."""
    query = urlencode({"notice": seal(Notice(user.get_id(), text, good))})
    return RedirectResponse(f"{to}?{query}", status_code=303)
