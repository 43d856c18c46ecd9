"""Autodesk's sign-in: what is asked at its OAuth endpoints, and the answers (Token Flex reference, 1.3 to 1.5)."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import time
from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import quote

import msgspec

from nightshift.errors import AuthFailed, Rejected, VendorError
from nightshift.http.bodies import json_object
from nightshift.http.credentials import basic
from nightshift.http.hook import VendorHook
from nightshift.http.response import Response
from nightshift.tokenflex.source import TOKENFLEX
from nightshift.tokenflex.vocabulary import DEFAULT_CONN, PAGE, SIGN_IN

HOST = "https://developer.api.autodesk.com"
AUTH_PATH = "/authentication/v2"
SCOPES = "data:read data:write"
ACCESS_SECONDS = 1800
"""Assumed life of an access token whose answer does not name one: the shortest that is documented."""
REFRESH_DAYS = 15.0
"""Life of a refresh token at Autodesk's OAuth v2; no answer names it."""

_DAY = 86400.0
_INVALID_GRANT = re.compile(r"(?i)\s*invalid[_ ]grant\s*")
_SPENT = re.compile(r"(?i)invalid[_ ]grant|refresh[_ ]?token[^.]*\b(?:invalid|expired|revoked|used)\b")
_CODE_SPENT = re.compile(r"(?i)\bcode\b[^.]*\b(?:invalid|expired|revoked|used)\b")


_SPENT_PROBLEM = "Autodesk does not accept the grant any more"


class GrantSpent(AuthFailed):
    """Autodesk does not accept the refresh token or the code any more: ended, used before, or revoked."""

    default_advice = f"A person must grant access anew: {PAGE}."


class TokenPair(msgspec.Struct, frozen=True, kw_only=True):
    """What Autodesk answers to a sign-in or a refresh.

    :param access_token: sent with each request
    :param refresh_token: good for one refresh; empty for a two-legged sign-in
    :param issued: epoch seconds when the pair was asked for, on our clock, so that it never seems younger than it is
    :param ends: epoch seconds when the access token ends
    :param lapses: epoch seconds when the refresh token ends
    """

    access_token: str
    refresh_token: str
    issued: float
    ends: float
    lapses: float

    def days_left(self, now: float) -> float:
        """Return how many days after ``now`` the refresh token ends; negative where it has ended."""
        return (self.lapses - now) / _DAY

    def __repr__(self) -> str:
        return f"TokenPair(issued={self.issued:.0f}, ends={self.ends:.0f}, lapses={self.lapses:.0f})"


class Pkce(msgspec.Struct, frozen=True):
    """A proof key for one sign-in: the challenge goes to the vendor through the browser, the verifier only with the
    code (RFC 7636).

    :param verifier: 86 random characters
    """

    verifier: str

    @classmethod
    def new(cls) -> Pkce:
        """Return a new random key."""
        return cls(secrets.token_urlsafe(64))

    @property
    def challenge(self) -> str:
        """The SHA-256 of the verifier, in base64url without padding."""
        digest = hashlib.sha256(self.verifier.encode("ascii")).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")

    def __repr__(self) -> str:
        return "Pkce(***)"


class SignInHook(VendorHook):
    """Client of the OAuth endpoints of a ``tokenflex`` connection; it never sends a bearer token.

    Extras: ``scope`` (default ``data:read data:write``), ``auth_path`` (default ``/authentication/v2``),
    ``refresh_token_days`` (15).

    :param conn_id: id of the Airflow connection
    """

    conn_name_attr = "tokenflex_conn_id"
    default_conn_name = DEFAULT_CONN
    conn_type = TOKENFLEX.type
    hook_name = TOKENFLEX.name
    vendor: ClassVar[str] = SIGN_IN

    def base_host(self, host: str) -> str:
        """Return Autodesk's own host where the connection names none."""
        return host or HOST

    async def authorize(self) -> Mapping[str, str]:
        """Nothing: the client authenticates in the token request itself."""
        return {}

    def diagnose(self, response: Response) -> VendorError | None:
        """Tell a grant that is not accepted any more from whatever else is refused. Where the answer names its error
        (RFC 6749, section 5.2) that alone counts, whatever its words are; else the words do.
        """
        if response.status not in (400, 401):
            return None
        found = json_object(response.body)
        said = (found or {}).get("error")
        words = response.words(self.detail_keys)
        is_named = isinstance(said, str) and bool(said)
        is_spent = _INVALID_GRANT.fullmatch(str(said)) if is_named else response.status == 400 and _SPENT.search(words)
        return GrantSpent(_SPENT_PROBLEM, status=response.status, detail=words) if is_spent else None


def fingerprint(secret: str) -> str:
    """Return what tells two secrets apart without telling them."""
    return hashlib.sha256(secret.encode()).hexdigest()[:16]


def scope_of(hook: VendorHook) -> str:
    """Return the scopes to ask for, joined with blanks."""
    return str(hook.extra("scope", SCOPES))


def authorize_url(hook: VendorHook, *, state: str, pkce: Pkce, redirect_uri: str) -> str:
    """Return where a person's browser goes to grant access.

    :param state: random text that comes back with the code
    :param redirect_uri: one of the callback URLs that are registered with the app at Autodesk, to the letter
    :raises Rejected: the connection has no client id
    """
    params = {
        "response_type": "code",
        "client_id": _client_id(hook),
        "redirect_uri": redirect_uri,
        "scope": scope_of(hook),
        "state": state,
        "code_challenge": pkce.challenge,
        "code_challenge_method": "S256",
    }
    return hook.address.url(_path(hook, "authorize"), params)


async def exchange_code(hook: VendorHook, *, code: str, pkce: Pkce, redirect_uri: str) -> TokenPair:
    """Exchange the code of a callback for the first pair.

    :raises GrantSpent: the code has ended (5 minutes), or was used before
    """
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": pkce.verifier,
    }
    await hook.keep_secret(code)
    try:
        return await _ask(hook, form)
    except Rejected as error:
        if error.status == 400 and _CODE_SPENT.search(error.detail):
            raise error.as_type(GrantSpent, problem=_SPENT_PROBLEM) from None
        raise


async def refresh(hook: VendorHook, pair: TokenPair) -> TokenPair:
    """Use up the refresh token of a pair and return the next pair. It is never repeated on a guess.

    An answer whose refresh token is null, not there or the same leaves the old one in force, to its old end.

    :raises GrantSpent: Autodesk does not accept the refresh token any more
    :raises Ambiguous: the answer was lost; the token may be used up
    """
    await hook.keep_secret(pair.refresh_token)
    following = await _ask(hook, {"grant_type": "refresh_token", "refresh_token": pair.refresh_token})
    if following.refresh_token not in ("", pair.refresh_token):
        return following
    return msgspec.structs.replace(following, refresh_token=pair.refresh_token, lapses=pair.lapses)


async def sign_in_as_client(hook: VendorHook) -> TokenPair:
    """Return an access token of the app itself (two-legged), without a refresh token, any number of times."""
    return await _ask(hook, {"grant_type": "client_credentials", "scope": scope_of(hook)}, safe=True)


class _TokenResponse(msgspec.Struct):
    access_token: msgspec.Raw = msgspec.Raw(b"null")
    expires_in: msgspec.Raw = msgspec.Raw(b"null")
    refresh_token: msgspec.Raw = msgspec.Raw(b"null")


def pair_of(response: Response, *, issued: float, lapses: float) -> TokenPair:
    """Read an answer of the token endpoint, whatever the spelling of what is not needed: a refresh token is good for
    one use, so that an answer that is thrown away costs the grant.

    An answer that has a new refresh token and no access token is kept as well: its access token counts as ended, and
    the next renewal brings another.

    :param issued: epoch seconds when it was asked for
    :param lapses: epoch seconds when a refresh token of now ends
    :raises BadResponse: it has neither token; :class:`Ambiguous` where that may have used one up
    """
    given = response.json(_TokenResponse)
    access, following = text_of(given.access_token), text_of(given.refresh_token)
    if not access and not following:
        raise response.refused("has neither an access token nor a refresh token")
    ends = issued + seconds_of(given.expires_in) if access else issued
    return TokenPair(access_token=access, refresh_token=following, issued=issued, ends=ends, lapses=lapses)


def text_of(raw: msgspec.Raw | bytes) -> str:
    """Return a JSON value that should be a text; empty where it is none.

    >>> text_of(b'"abc"'), text_of(b"null"), text_of(b"4711")
    ('abc', '', '4711')
    """
    plain = bytes(raw).strip()
    if plain.startswith(b'"'):
        try:
            return msgspec.json.decode(plain, type=str).strip()
        except UnicodeDecodeError:
            return ""
    return plain.decode("ascii") if plain.isdigit() else ""


def seconds_of(raw: msgspec.Raw | bytes) -> float:
    """Return the life that an answer names, a number or the text of one, in seconds; the shortest that is documented
    where it names none that can be true: not a number, nothing or less, or more than a day.

    >>> seconds_of(b"3599"), seconds_of(b'"3599"'), seconds_of(b"null"), seconds_of(b"1e400"), seconds_of(b"-1")
    (3599.0, 3599.0, 1800, 1800, 1800)
    """
    plain = bytes(raw).strip()
    try:
        found = float(msgspec.json.decode(plain, type=str) if plain.startswith(b'"') else plain)
    except ValueError:
        return ACCESS_SECONDS
    return found if 0 < found <= _DAY else ACCESS_SECONDS


async def _ask(hook: VendorHook, form: Mapping[str, str], *, safe: bool = False) -> TokenPair:
    """Send one token request; the client credentials go into the header, never into the body as well (section 1.3)."""
    client = _client_id(hook)
    headers = basic(quote(client, safe=""), quote(hook.password, safe="")) if hook.password else {}
    body = dict(form) if hook.password else {**form, "client_id": client}
    life = _refresh_days(hook) * _DAY  # Read before asking: a wrong extra must not cost a refresh token.
    asked = time.time()
    try:
        response = await hook.request(
            "POST", _path(hook, "token"), data=body, headers=headers, credentials=False, safe=safe
        )
    except GrantSpent:
        raise
    except AuthFailed as error:
        raise error.replaced(
            advice="Correct the client id (login) and the client secret (password) of the Airflow connection."
        ) from None
    pair = pair_of(response, issued=asked, lapses=asked + life)
    await hook.keep_secret(pair.access_token)
    await hook.keep_secret(pair.refresh_token)
    return pair


def _refresh_days(hook: VendorHook) -> float:
    given = hook.extra("refresh_token_days", REFRESH_DAYS)
    if isinstance(given, bool) or not isinstance(given, int | float) or given <= 0:
        raise Rejected(
            "the extra 'refresh_token_days' of the Airflow connection must be a number above 0", vendor=hook.vendor
        )
    return float(given)


def _path(hook: VendorHook, operation: str) -> str:
    return f"{str(hook.extra('auth_path', AUTH_PATH)).rstrip('/')}/{operation}"


def _client_id(hook: VendorHook) -> str:
    if not hook.login:
        raise Rejected(
            "the Airflow connection has no client id",
            vendor=hook.vendor,
            advice="Put the client id of the Autodesk app into the login, and its secret into the password.",
        )
    return hook.login
