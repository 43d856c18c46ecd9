"""The three ways to sign in to Token Flex: who asks gets the header, and nothing here ever renews a person's grant.

The extra ``auth`` says where the access token comes from (Token Flex reference, sections 1.2 to 1.5):

* ``three_legged``: a person grants access once (Admin, Token Flex sign-in); the DAG ``tokenflex_token`` renews it; here
  it is only read.
* ``two_legged``: client id and secret, where Autodesk has tied them to an admin user; each process asks for its own.
* ``bearer``: the extra ``token``, as it is.

Access tokens are held in memory only, until they end.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from contextvars import ContextVar
from enum import StrEnum
from weakref import WeakKeyDictionary

import msgspec

from nightshift.errors import AuthFailed, Rejected, Unreachable
from nightshift.http.hook import VendorHook
from nightshift.tokenflex import tokens
from nightshift.tokenflex.oauth import TokenPair, fingerprint, sign_in_as_client
from nightshift.tokenflex.renewal import SCHEDULE_MINUTES, WARN_DAYS, lost, when
from nightshift.tokenflex.vocabulary import PAGE

log = logging.getLogger(__name__)

MARGIN_SECONDS = 60.0
"""An access token with less left is looked up anew: clocks differ, and a request takes time."""
WAIT_SECONDS = 90.0
LOOK_SECONDS = 2.0


class SignInMethod(StrEnum):
    """How a connection signs in; the values of its extra ``auth``."""

    THREE_LEGGED = "three_legged"
    TWO_LEGGED = "two_legged"
    BEARER = "bearer"


class Held(msgspec.Struct, frozen=True):
    """An access token in memory.

    :param ends: epoch seconds; infinite for a token whose end is not known
    """

    token: str
    ends: float

    def __repr__(self) -> str:
        return f"Held(ends={self.ends:.0f})"


_NONE = Held("", 0.0)
_held: dict[tuple[str, ...], Held] = {}
_gates: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, ...], asyncio.Lock]] = WeakKeyDictionary()
_sent: ContextVar[str] = ContextVar("tokenflex_sent", default="")
"""Fingerprint of the token that this coroutine sent last: a late refusal must not throw away a renewed token."""


def sign_in_method(auth: object, token: object) -> SignInMethod:
    """Return how a connection signs in, from its extras ``auth`` and ``token``; without ``auth`` as bearer where there
    is a token, else three-legged.

    :raises ValueError: ``auth`` has another value
    """
    return SignInMethod(str(auth)) if auth else SignInMethod.BEARER if token else SignInMethod.THREE_LEGGED


def sign_in_method_of(hook: VendorHook) -> SignInMethod:
    """Return how a connection signs in; see :func:`sign_in_method`.

    :raises Rejected: the extra ``auth`` has another value
    """
    try:
        return sign_in_method(hook.extra("auth"), hook.extra("token"))
    except ValueError:
        raise Rejected(
            f"the extra 'auth' of the Airflow connection {hook.conn_id!r} must be one of {', '.join(SignInMethod)}",
            vendor=hook.vendor,
            advice="Correct the extra in the Airflow connection; nothing was sent.",
        ) from None


async def authorization(hook: VendorHook) -> Mapping[str, str]:
    """Return the header that signs a request in. Call it inside ``async with hook``, before each attempt; it costs
    nothing while a token is held.

    :raises AuthFailed: nobody has granted access, or the grant is lost, or the client credentials are wrong
    :raises Unreachable: the grant is alive, but its access token has ended and is not renewed yet; worth another
        attempt
    :raises Rejected: the connection lacks something
    """
    method = sign_in_method_of(hook)
    if method is SignInMethod.BEARER:
        held = Held(_static(hook), float("inf"))
    elif (held := _held.get(_key(hook), _NONE)).ends - time.time() < MARGIN_SECONDS:
        async with _gate(hook):
            held = _held.get(_key(hook), _NONE)
            if held.ends - time.time() < MARGIN_SECONDS:
                held = await _fetch(hook, method, refused="")
    _sent.set(fingerprint(held.token))
    return hook.bearer(held.token)


async def renewed(hook: VendorHook, error: AuthFailed) -> bool:
    """Return whether there is another token to try after a 401; for a person's grant it waits a while for the DAG
    ``tokenflex_token``.

    :param hook: the hook whose request was refused, in the coroutine that sent it
    :param error: the refusal
    :raises AuthFailed: the grant is lost: only a person can help
    :raises Unreachable: the grant is alive, but there is no newer token yet; worth another attempt later
    """
    method = sign_in_method_of(hook)
    if method is SignInMethod.BEARER:
        return False
    refused = _sent.get()
    async with _gate(hook):
        held = _held.get(_key(hook))
        if held is not None and refused and fingerprint(held.token) != refused:
            return True
        _held.pop(_key(hook), None)
        log.info(
            "%s: the access token was refused (%s); looking for a newer one", hook.conn_id, error.detail or error.status
        )
        await _fetch(hook, method, refused=refused)
    return True


def forget() -> None:
    """Forget all access tokens that this process holds."""
    _held.clear()


def _gate(hook: VendorHook) -> asyncio.Lock:
    """Return the lock under which one coroutine looks for a token and the others of the connection wait."""
    return _gates.setdefault(asyncio.get_running_loop(), {}).setdefault(_key(hook), asyncio.Lock())


async def _fetch(hook: VendorHook, method: SignInMethod, *, refused: str) -> Held:
    if method is SignInMethod.TWO_LEGGED:
        pair = await sign_in_as_client(hook)
        return await _hold(hook, pair)
    return await _granted(hook, refused=refused)


async def _granted(hook: VendorHook, *, refused: str) -> Held:
    """Read the granted access token; where it has ended or was refused, wait for the writer to renew it."""
    # In the API server a person waits for the Test button; everywhere else a wait is cheaper than another attempt.
    deadline = time.monotonic() + (float(hook.extra("token_wait", WAIT_SECONDS)) if tokens.in_task() else 0.0)
    told = False
    while True:
        chain = await tokens.read_chain(_kept_as(hook))
        if chain is None:
            raise AuthFailed(
                f"nobody has granted access for the Airflow connection {hook.conn_id!r} yet",
                vendor=hook.vendor,
                advice=f"A person must do it once: {PAGE}. Then clear the task.",
            )
        now = time.time()
        if chain.pair.ends > now and fingerprint(chain.pair.access_token) != refused:
            _warn(hook, chain, now)
            return await _hold(hook, chain.pair)
        if chain.lost:
            raise lost(hook.conn_id, chain)
        if not told and chain.pair.ends > now:
            await tokens.ask_for_renewal(hook.conn_id, refused)
            told = True
        if time.monotonic() >= deadline:
            raise _late(hook, chain)
        await asyncio.sleep(min(LOOK_SECONDS, max(0.05, deadline - time.monotonic())))


def _late(hook: VendorHook, chain: tokens.Chain) -> Unreachable:
    ended = chain.pair.ends <= time.time()
    what = f"ended at {when(chain.pair.ends)}" if ended else "is refused, although it should be good"
    return Unreachable(
        f"the access token of {hook.conn_id!r} {what}, and the DAG tokenflex_token has not renewed it yet",
        vendor=hook.vendor,
        retry_after=SCHEDULE_MINUTES * 30.0,
        advice=f"Nothing was lost. The tokens were last renewed at {when(chain.pair.issued)}. Check that the DAG "
        "tokenflex_token is not paused and does not fail; triggering it by hand renews at once.",
    )


def _warn(hook: VendorHook, chain: tokens.Chain, now: float) -> None:
    if (left := chain.pair.days_left(now)) < WARN_DAYS:
        log.warning(
            "%s: the grant of %s lapses on %s, in %.1f days, and was last renewed at %s: is the DAG tokenflex_token "
            "paused or failing?",
            hook.conn_id,
            chain.grant.granted_by,
            when(chain.pair.lapses),
            max(left, 0.0),
            when(chain.pair.issued),
        )


async def _hold(hook: VendorHook, pair: TokenPair) -> Held:
    await hook.keep_secret(pair.access_token)
    held = _held[_key(hook)] = Held(pair.access_token, pair.ends)
    return held


def _static(hook: VendorHook) -> str:
    if not (token := hook.extra("token")):
        raise Rejected(
            f"the Airflow connection {hook.conn_id!r} has no token",
            vendor=hook.vendor,
            advice="Put the access token into the extra token, or choose another way in the extra auth.",
        )
    return str(token)


def _key(hook: VendorHook) -> tuple[str, ...]:
    """Return what a token was given for: it must not outlive a change of the connection."""
    return _kept_as(hook), hook.base_url, hook.login or "", fingerprint(hook.password or ""), sign_in_method_of(hook)


def _kept_as(hook: VendorHook) -> str:
    """Return the id of the connection that a person has granted access for."""
    return getattr(hook, "grant_of", "") or hook.conn_id
