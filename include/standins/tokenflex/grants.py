"""The OAuth server's memory: codes, access tokens and chains of refresh tokens (reference 1.3, 1.4). It keeps no value,
only hashes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import re
import secrets
from dataclasses import dataclass
from typing import Final

from include.standins.tokenflex.gateway import GatewayCode
from include.standins.tokenflex.switches import Reuse, TokenFlexSwitches

READ: Final = "data:read"
WRITE: Final = "data:write"
SCOPES: Final = frozenset(
    {READ, WRITE, "data:create", "data:search", "account:read", "account:write", "user:read", "user-profile:read"}
    | {"viewables:read", "openid", "offline_access", "bucket:read", "code:all"}
)
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")


@dataclass(frozen=True)
class Client:
    """An app.

    :param secret: empty: a public client, which needs PKCE
    :param entitled: may use Token Flex
    :param person: the admin user to whom Autodesk tied the client id: two-legged only (1.5)
    """

    id: str
    secret: str
    entitled: bool = True
    person: str = ""


CLIENTS: Final = (
    Client("nightshift", "standin-tokenflex"),
    Client("nightshift-service", "standin-tokenflex-service", person="admin@standin.example"),
    Client("nightshift-public", ""),
    Client("nightshift-encoded", "standin/Zz9+0815"),
    Client("nightshift-stranger", "standin-tokenflex-stranger", entitled=False),
)
"""The secret of ``nightshift-encoded`` has characters that stand encoded in a form and in the header (RFC 6749,
2.3.1).
"""
BEARER: Final = "standin-tokenflex-bearer"
"""An access token of :attr:`TokenFlexSwitches.signed_in` that does not end, for connections with a static token."""


class GrantRefused(Exception):
    """The token endpoint says no.

    :param name: the error's name of RFC 6749
    """

    def __init__(self, status: int, name: str, text: str, code: GatewayCode) -> None:
        super().__init__(text)
        self.status = status
        self.name = name
        self.text = text
        self.code = code


@dataclass(frozen=True)
class Access:
    """What an access token stands for; ``chain`` numbers the consent from which it comes."""

    client: Client
    person: str
    scopes: frozenset[str]
    chain: int
    ends: float


@dataclass(frozen=True)
class Code:
    """What an authorisation code stands for."""

    access: Access
    redirect_uri: str
    challenge: str
    ends: float


@dataclass(frozen=True)
class Pair:
    """New tokens. ``refresh`` is empty for a two-legged one. The values leave with the answer and stay nowhere."""

    access: str
    refresh: str
    of: Access


def fingerprint(value: str) -> str:
    return _hash(value)[:12]


def _hash(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def _invalid(text: str) -> GrantRefused:
    return GrantRefused(400, "invalid_grant", text, GatewayCode.BAD_TOKEN)


class Grants:
    """Gives and takes codes and tokens; times are seconds since 1970."""

    def __init__(self) -> None:
        self._codes: dict[str, Code] = {}
        self._access: dict[str, Access] = {}
        self._refresh: dict[str, Access] = {}
        self._used: dict[str, Access] = {}
        self._dead_chains: set[int] = set()
        self._chains = itertools.count(1)

    def code(
        self, client: Client, person: str, scopes: frozenset[str], *, redirect_uri: str, challenge: str, ends: float
    ) -> str:
        """Give a code for a consent.

        :param challenge: PKCE S256 challenge; empty: none
        """
        value = secrets.token_urlsafe(24)
        access = Access(client, person, scopes, next(self._chains), 0.0)
        self._codes[_hash(value)] = Code(access, redirect_uri, challenge, ends)
        return value

    def redeem(
        self, value: str, client: Client, *, redirect_uri: str, verifier: str, now: float, switches: TokenFlexSwitches
    ) -> Pair:
        """Take a code, once.

        :raises GrantRefused: unknown, used, expired, another client's, another redirect URI, or the verifier does not
            fit
        """
        code = self._codes.pop(_hash(value), None)
        if code is None:
            raise _invalid("the authorization code is not valid or was used")
        if code.ends <= now:
            raise _invalid("the authorization code has expired")
        if code.access.client != client or code.redirect_uri != redirect_uri:
            raise _invalid("the authorization code was given to another client or redirect_uri")
        if code.challenge or verifier:
            _check_pkce(code.challenge, verifier)
        return self._pair(code.access, now, switches)

    def refresh(
        self, value: str, client: Client, scopes: frozenset[str], *, now: float, switches: TokenFlexSwitches
    ) -> Pair:
        """Take a refresh token, once, for a new pair.

        :param scopes: the same or narrower; empty: the same
        :raises GrantRefused: unknown, used, expired, another client's, or wider scopes
        """
        key = _hash(value)
        access = self._refresh.get(key)
        if access is None:
            access = self._again(key, switches)
        if access.client != client or access.chain in self._dead_chains:
            raise _invalid("the refresh token is not valid")
        if access.ends <= now:
            raise _invalid("the refresh token has expired")
        if not scopes <= access.scopes:
            raise GrantRefused(400, "invalid_scope", "the scope is wider than it was granted", GatewayCode.BAD_SCOPE)
        new = Access(client, access.person, scopes or access.scopes, access.chain, 0.0)
        if not switches.refresh_rotates:
            return Pair(self._new_access(new, now, switches), value, new)
        self._used[key] = access
        self._refresh.pop(key, None)
        return self._pair(new, now, switches)

    def _again(self, key: str, switches: TokenFlexSwitches) -> Access:
        used = self._used.get(key)
        if used is None:
            raise _invalid("the refresh token is not valid")
        if switches.refresh_reuse is Reuse.ALLOWED:
            return used
        if switches.refresh_reuse is Reuse.REVOKES:
            self.end_chain(used.chain)
        raise _invalid("the refresh token was used before")

    def two_legged(self, client: Client, scopes: frozenset[str], *, now: float, switches: TokenFlexSwitches) -> Pair:
        access = Access(client, client.person, scopes, next(self._chains), 0.0)
        return Pair(self._new_access(access, now, switches), "", access)

    def access(self, value: str, now: float) -> Access | None:
        """Return what an access token stands for; ``None``: nothing, or not any more."""
        access = self._access.get(_hash(value))
        return access if access and access.ends > now and access.chain not in self._dead_chains else None

    def end_access(self) -> None:
        """End all access tokens; refresh tokens live on."""
        self._access.clear()

    def end_refresh(self) -> None:
        """End all refresh tokens; access tokens live on."""
        self._refresh.clear()

    def end_chain(self, chain: int) -> None:
        self._dead_chains.add(chain)

    def _pair(self, access: Access, now: float, switches: TokenFlexSwitches) -> Pair:
        value = secrets.token_urlsafe(32)
        ends = now + switches.refresh_seconds
        self._refresh[_hash(value)] = Access(access.client, access.person, access.scopes, access.chain, ends)
        return Pair(self._new_access(access, now, switches), value, access)

    def _new_access(self, access: Access, now: float, switches: TokenFlexSwitches) -> str:
        value = secrets.token_urlsafe(48)
        ends = now + switches.access_seconds
        self._access = {key: one for key, one in self._access.items() if one.ends > now}
        self._access[_hash(value)] = Access(access.client, access.person, access.scopes, access.chain, ends)
        return value


def _check_pkce(challenge: str, verifier: str) -> None:
    made = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    if not _VERIFIER.fullmatch(verifier) or not hmac.compare_digest(made, challenge):
        raise _invalid("the code_verifier does not fit the code_challenge")
