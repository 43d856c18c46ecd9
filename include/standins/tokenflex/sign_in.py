"""The OAuth server: consent page and token endpoint (reference 1.3, 1.4)."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final
from urllib.parse import unquote_plus, urlencode, urlsplit

from include.standins.routing import Refused, Request, Response, Route
from include.standins.tokenflex.contracts import PEOPLE
from include.standins.tokenflex.gateway import GatewayCode, Quota, gateway_error, token_error
from include.standins.tokenflex.grants import CLIENTS, SCOPES, Client, GrantRefused, Pair, fingerprint
from include.standins.tokenflex.service import Service
from include.standins.tokenflex.switches import RateLimit

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Authorize application - stand-in of Autodesk</title></head>
<body><h1>Authorize application</h1>
<p>The application <strong id="client">{client}</strong> asks for: <span id="scopes">{scopes}</span></p>
<form method="post" action="{action}">
<input type="hidden" name="ticket" value="{ticket}">
<label>Signed in as <select name="person">{people}</select></label>
<button type="submit" name="answer" value="allow">Allow</button>
<button type="submit" name="answer" value="deny">Deny</button>
</form></body></html>
"""
_WRONG = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Error</title></head><body><h1>Error</h1><p>{text}</p></body></html>
"""
_HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"}


def consent_page(*, client: str, scopes: str, ticket: str, action: str, signed_in: str) -> Response:
    """Return the page with its buttons Allow and Deny.

    :param ticket: number under which the server keeps what is asked
    """
    options = (
        f"<option{' selected' if person.name == signed_in else ''}>{escape(person.name)}</option>" for person in PEOPLE
    )
    page = _PAGE.format(
        client=escape(client),
        scopes=escape(scopes),
        ticket=escape(ticket),
        action=escape(action),
        people="".join(options),
    )
    return Response(200, body=page.encode(), content_type="text/html; charset=utf-8", headers=_HEADERS)


def wrong_page(text: str) -> Response:
    """Return the page for a request from which nobody may be sent back: 400."""
    body = _WRONG.format(text=escape(text)).encode()
    return Response(400, body=body, content_type="text/html; charset=utf-8", headers=_HEADERS)


FORM: Final = "application/x-www-form-urlencoded"
KEPT_TICKETS: Final = 1000


@dataclass(frozen=True)
class _Consent:
    """What a consent page is about."""

    client: Client
    scopes: frozenset[str]
    redirect_uri: str
    state: str | None
    challenge: str


class SignIn:
    """Handlers of ``/authentication/…``."""

    def __init__(self, vendor: Service) -> None:
        self._vendor = vendor
        self._quota = Quota()
        self._tickets: OrderedDict[str, _Consent] = OrderedDict()

    def routes(self) -> Sequence[Route]:
        return [
            Route("GET", "/authentication/v2/authorize", self.authorize, public=True),
            Route("POST", "/authentication/v2/authorize", self.answered, public=True),
            Route("POST", "/authentication/v2/token", self.token, public=True),
        ]

    # A person agrees.

    async def authorize(self, request: Request) -> Response:
        """Show the consent page, or agree at once where the switch ``auto_allow`` says so."""
        self._limit("authorize", request.query.get("client_id", ""), 100)
        consent = self._asked(request.query)
        if isinstance(consent, Response):
            return consent
        if self._vendor.switches.auto_allow:
            return self._agreed(request, consent, self._vendor.switches.signed_in)
        ticket = secrets.token_urlsafe(16)
        self._tickets[ticket] = consent
        while len(self._tickets) > KEPT_TICKETS:
            self._tickets.popitem(last=False)
        scopes, signed_in = " ".join(sorted(consent.scopes)), self._vendor.switches.signed_in
        return consent_page(
            client=consent.client.id, scopes=scopes, ticket=ticket, action=request.path, signed_in=signed_in
        )

    async def answered(self, request: Request) -> Response:
        form = request.form()
        consent = self._tickets.pop(form.get("ticket", ""), None)
        if consent is None:
            return wrong_page("This page was answered before, or is too old. Start again.")
        if form.get("answer") != "allow":
            request.effect("consent_denied", consent.client.id)
            return _back(consent.redirect_uri, consent.state, error="access_denied")
        person = form.get("person", self._vendor.switches.signed_in)
        if person not in {one.name for one in PEOPLE}:
            return wrong_page("There is no such person.")
        return self._agreed(request, consent, person)

    def _asked(self, query: Mapping[str, str]) -> _Consent | Response:
        client = next((one for one in CLIENTS if one.id == query.get("client_id")), None)
        uri = query.get("redirect_uri", "")
        if client is None or client.person:
            return wrong_page("The client_id is not valid for a three-legged sign-in.")
        if urlsplit(uri).scheme not in {"http", "https"} or not urlsplit(uri).netloc or urlsplit(uri).fragment:
            return wrong_page("The redirect_uri is not valid.")
        state = query.get("state")
        if query.get("response_type") != "code":
            return _back(uri, state, error="unsupported_response_type")
        scopes = frozenset(query.get("scope", "").split())
        if not scopes or not scopes <= SCOPES:
            return _back(uri, state, error="invalid_scope")
        challenge = query.get("code_challenge", "")
        if challenge and query.get("code_challenge_method", "S256") != "S256":
            return _back(uri, state, error="invalid_request")
        if not client.secret and not challenge:
            return _back(uri, state, error="invalid_request")
        return _Consent(client, scopes, uri, state, challenge)

    def _agreed(self, request: Request, consent: _Consent, person: str) -> Response:
        vendor = self._vendor
        ends = vendor.now().timestamp() + vendor.switches.code_seconds
        code = vendor.grants.code(
            consent.client,
            person,
            consent.scopes,
            redirect_uri=consent.redirect_uri,
            challenge=consent.challenge,
            ends=ends,
        )
        request.effect(
            "code_issued",
            fingerprint(code),
            client=consent.client.id,
            person=person,
            scopes=sorted(consent.scopes),
            pkce=bool(consent.challenge),
        )
        return _back(consent.redirect_uri, consent.state, code=code)

    # A client asks for tokens.

    async def token(self, request: Request) -> Response:
        """Answer ``POST /authentication/v2/token``."""
        form = self._form(request)
        return await self._granted(request, self._client(request, form), form, form.get("grant_type", ""))

    async def _granted(self, request: Request, client: Client, form: Mapping[str, str], grant: str) -> Response:
        vendor = self._vendor
        self._limit(grant, client.id, 500)
        now, switches = vendor.now().timestamp(), vendor.switches
        scopes = frozenset(form.get("scope", "").split())
        try:
            match grant:
                case "authorization_code":
                    pair = vendor.grants.redeem(
                        form.get("code", ""),
                        client,
                        redirect_uri=form.get("redirect_uri", ""),
                        verifier=form.get("code_verifier", ""),
                        now=now,
                        switches=switches,
                    )
                case "refresh_token":
                    sent = form.get("refresh_token", "")
                    pair = vendor.grants.refresh(sent, client, scopes, now=now, switches=switches)
                case "client_credentials" if client.secret and scopes and scopes <= SCOPES:
                    pair = vendor.grants.two_legged(client, scopes, now=now, switches=switches)
                case "client_credentials" if client.secret:
                    raise GrantRefused(400, "invalid_scope", "the scope is missing or unknown", GatewayCode.BAD_SCOPE)
                case _:
                    raise GrantRefused(400, "unsupported_grant_type", "not possible", GatewayCode.NOT_ALLOWED)
        except GrantRefused as refused:
            request.effect("token_refused", client.id, grant=grant, error=refused.name, reason=refused.text)
            raise self._refused(refused.status, refused.name, refused.text, refused.code) from None
        return self._given(request, pair, grant, form)

    def _given(self, request: Request, pair: Pair, grant: str, form: Mapping[str, str]) -> Response:
        switches = self._vendor.switches
        used = form.get("refresh_token") or form.get("code") or ""
        request.effect(
            "token_issued",
            fingerprint(pair.access),
            grant=grant,
            client=pair.of.client.id,
            person=pair.of.person,
            scopes=sorted(pair.of.scopes),
            chain=pair.of.chain,
            refresh=fingerprint(pair.refresh) if pair.refresh else None,
            used=fingerprint(used) if used else None,
        )
        shown = switches.expires_in if switches.expires_in is not None else max(0, int(switches.access_seconds) - 1)
        value: dict[str, object] = {"token_type": "Bearer", "expires_in": shown, "access_token": pair.access}
        if pair.refresh:
            value["refresh_token"] = pair.refresh
        return Response.json(200, value, Cache_Control="no-store")

    # What is checked first.

    def _form(self, request: Request) -> Mapping[str, str]:
        if request.headers.get("Content-Type", "").partition(";")[0].strip().lower() != FORM:
            raise self._refused(400, "invalid_request", f"the body has to be {FORM}", GatewayCode.NOT_ALLOWED)
        return request.form()

    def _client(self, request: Request, form: Mapping[str, str]) -> Client:
        sent = request.headers.get("Authorization")
        if sent:
            if "client_id" in form or "client_secret" in form:
                text = "client credentials in the header and in the body"
                raise self._refused(400, "invalid_request", text, GatewayCode.WRONG_SECRET)
            name, secret = map(unquote_plus, request.basic() or ("", ""))
        else:
            name, secret = form.get("client_id", ""), form.get("client_secret", "")
        client = next((one for one in CLIENTS if one.id == name), None)
        if client is None or not secrets.compare_digest(client.secret.encode(), secret.encode()):
            request.effect("token_refused", "", grant=form.get("grant_type"), error="invalid_client")
            raise self._refused(
                401, "invalid_client", "the client id or secret is not correct", GatewayCode.WRONG_SECRET
            )
        request.user = f"client:{client.id}"
        return client

    def _limit(self, what: str, client: str, per_minute: int) -> None:
        wait = self._quota.wait(f"{what} {client}", self._vendor.now().timestamp(), RateLimit.PLAIN, per_minute, 0)
        if wait:
            body = self._vendor.switches.gateway_body
            raise Refused(gateway_error(429, GatewayCode.RATE, "Quota limit exceeded.", body, wait))

    def _refused(self, status: int, name: str, text: str, code: GatewayCode) -> Refused:
        return Refused(token_error(status, name, text, self._vendor.switches.token_error, code))


def _back(uri: str, state: str | None, **answer: str) -> Response:
    if state is not None:
        answer["state"] = state
    joint = "&" if urlsplit(uri).query else "?"
    headers = {
        "Location": f"{uri}{joint}{urlencode(answer)}",
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
    }
    return Response(302, content_type="", headers=headers)
