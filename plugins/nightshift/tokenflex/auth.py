"""The three ways to sign in to Token Flex: who asks gets the header, and nothing here ever renews a person's grant.

The extra ``auth`` says where the access token comes from (Token Flex reference, sections 1.2 to 1.5):

* ``three_legged``: a person grants access once (Admin, Token Flex sign-in); the DAG ``tokenflex_token`` renews it; here
  it is only read.
* ``two_legged``: client id and secret, where Autodesk has tied them to an admin user; each process asks for its own.
* ``bearer``: the extra ``token``, as it is.

Access tokens are held in memory only, until they end. That of a grant is held for as long as this is the stored one:
whether it is, is looked at once a minute, and after a 403.
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

from nightshift.errors import AuthFailed, Rejected, Unreachable, VendorError
from nightshift.http.hook import VendorHook
from nightshift.tokenflex import tokens
from nightshift.tokenflex.oauth import TokenPair, fingerprint, sign_in_as_client
from nightshift.tokenflex.renewal import SCHEDULE_MINUTES, WARN_DAYS, lost, when
from nightshift.tokenflex.vocabulary import PAGE

log = logging.getLogger(__name__)

MARGIN_SECONDS = 60.0
"""An access token with less left is looked up anew: clocks differ, and a request takes time."""
LOOK_AGAIN_SECONDS = 60.0
"""After so long a held token's grant is compared with the stored one: a person may have granted access anew, or deleted
the grant. It costs a process one read of a Variable, however many waits it has.
"""
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
    :param grant: id of the person's grant that it follows from; empty where there is none
    :param looked: when that was last seen to be the stored one, by the monotonic clock of this process
    """

    token: str
    ends: float
    grant: str = ""
    looked: float = 0.0

    @property
    def ends_soon(self) -> bool:
        """Whether it has too little left to be sent."""
        return self.ends - time.time() < MARGIN_SECONDS

    @property
    def is_to_compare(self) -> bool:
        """Whether nobody has looked for a while whether its grant is still the stored one."""
        return bool(self.grant) and time.monotonic() - self.looked >= LOOK_AGAIN_SECONDS

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
    """Return the header that signs a request in. Call it inside ``async with hook``, before each attempt; while a token
    is held it costs nothing, or once a minute a read of a Variable.

    :raises AuthFailed: nobody has granted access, or the grant is lost, or the client credentials are wrong
    :raises Unreachable: the grant is alive, but its access token has ended and is not renewed yet; worth another
        attempt
    :raises Rejected: the connection lacks something
    """
    method = sign_in_method_of(hook)
    if method is SignInMethod.BEARER:
        held = Held(_static(hook), float("inf"))
    elif (held := _held.get(_key(hook), _NONE)).ends_soon or held.is_to_compare:
        async with _gate(hook):
            held = _held.get(_key(hook), _NONE)
            if held.ends_soon:
                held = await _fetch(hook, method, refused="")
            elif held.is_to_compare:
                held = await _compared(hook, held)
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


async def granted_anew(hook: VendorHook) -> bool:
    """Return whether there is another token to try after a 403: what the person of an earlier grant may not do, that of
    a newer one may. Never an error: where the store cannot be asked, the refusal stands.

    :param hook: the hook whose request was refused, in the coroutine that sent it
    """
    if sign_in_method_of(hook) is not SignInMethod.THREE_LEGGED:
        return False
    refused = _sent.get()
    async with _gate(hook):
        held = _held.get(_key(hook))
        if held is not None and fingerprint(held.token) != refused:
            return True
        try:
            chain = await tokens.read_chain(_kept_as(hook))
        except VendorError as error:
            log.info("%s: whether access was granted anew could not be seen (%s)", hook.conn_id, error.problem)
            return False
        if chain is None or fingerprint(chain.pair.access_token) == refused:
            return False
        _held.pop(_key(hook), None)
    log.info("%s: the request was forbidden, and another access token is stored; it is tried once", hook.conn_id)
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


async def _compared(hook: VendorHook, held: Held) -> Held:
    """Return a held token where its grant is still the stored one, else what is stored now. Where the store cannot be
    asked, the token is as good as before.
    """
    kept, grant = _kept_as(hook), None
    try:
        grant = await tokens.read(kept, tokens.Part.GRANT, tokens.Grant)
        if grant is None and (chain := await tokens.read_chain(kept)) is not None:
            grant = chain.grant
    except Unreachable as error:
        log.warning("%s: whether the grant is still there could not be seen (%s)", hook.conn_id, error.problem)
    else:
        if grant is None or grant.grant_id != held.grant:
            log.info("%s: the grant of the access token is not the stored one any more", hook.conn_id)
            _held.pop(_key(hook), None)
            return await _fetch(hook, SignInMethod.THREE_LEGGED, refused="")
    held = _held[_key(hook)] = msgspec.structs.replace(held, looked=time.monotonic())
    return held


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
            return await _hold(hook, chain.pair, grant=chain.grant.grant_id)
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


async def _hold(hook: VendorHook, pair: TokenPair, *, grant: str = "") -> Held:
    await hook.keep_secret(pair.access_token)
    held = _held[_key(hook)] = Held(pair.access_token, pair.ends, grant, time.monotonic())
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
