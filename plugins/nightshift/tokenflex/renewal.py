"""The one writer: renews the tokens of a connection in time, and recognises a kill in the middle of it.

Autodesk's refresh tokens are good for one use, so the order is everything (Token Flex reference, sections 1.4 and 4.4):
a note that names the refresh token goes into the journal, then the question to Autodesk, then the new pair into the
store, and only then is it there for anybody to use.

A kill between Autodesk's answer and the save loses the answer, and with it perhaps the one valid refresh token; no
protocol of two parties can close that window, which is a few milliseconds. What can be done is done: the save is
repeated as long as the attempt lives, the next attempt recognises the note and asks once more with the stored token (it
is still good if the question had not arrived, or where Autodesk does not retire it), the old access token serves to its
end, and where the grant is lost the error says so, since when, and what to do.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from enum import StrEnum

import msgspec
from airflow.sdk.exceptions import AirflowNotFoundException

from nightshift.errors import Ambiguous, Rejected, Unreachable, VendorError
from nightshift.http.timely import Window, sent_within
from nightshift.tokenflex import tokens
from nightshift.tokenflex.oauth import GrantSpent, SignInHook, fingerprint, refresh
from nightshift.tokenflex.tokens import Chain, Journal, Part, RefreshOutcome, Renewed

log = logging.getLogger(__name__)

VENDOR = "Token Flex sign-in"
SCHEDULE_MINUTES = 10
DUE_SECONDS = 1500.0
"""Renew when an access token has less than this left: 25 of 60 minutes, so that two runs of the schedule may fail
before it ends.
"""
WARN_DAYS = 5.0
SEND_SECONDS = 20.0
"""A refresh token is used within so many seconds of the look at what is stored, or not at all: afterwards another
attempt may have used it.
"""
COMPARE_SECONDS = 5.0
"""A comparison with what is stored counts for so many seconds."""
FRESH_SECONDS = 30.0
"""An access token that is refused at this age is not made good by another one."""
SAVE_PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 30.0, 30.0)
"""Seconds between the attempts to save an answer, two minutes in all."""

_DAY = 86400.0


class RenewalStep(StrEnum):
    """What to do with a chain now."""

    KEEP = "keep"
    RENEW = "renew"
    RECOVER = "recover"
    """An earlier attempt asked with this refresh token, and its answer was not saved: ask once more."""
    GIVE_UP = "give_up"
    """Autodesk has refused this refresh token; asking again is of no use."""


def decide(chain: Chain, now: float, *, force: bool = False, refused: str = "") -> RenewalStep:
    """Return what to do with a chain.

    :param now: epoch seconds
    :param force: renew also what is not due, as a person asked for it
    :param refused: fingerprint of an access token that Autodesk refuses before its end
    """
    if chain.lost:
        return RenewalStep.GIVE_UP
    if chain.journal is not None and chain.journal.outcome is RefreshOutcome.ASKED:
        return RenewalStep.RECOVER
    is_refused = fingerprint(chain.pair.access_token) in (refused, chain.refused)
    if is_refused and now - chain.pair.issued >= FRESH_SECONDS:
        return RenewalStep.RENEW
    if force or chain.pair.ends - now < DUE_SECONDS:
        return RenewalStep.RENEW
    return RenewalStep.KEEP


async def renew(conn_id: str, *, by: str, force: bool = False, refused: str = "") -> Chain | None:
    """Renew the tokens of a connection where that is due, and return the new chain; ``None`` where nothing is due or
    nobody has granted access.

    To be called by one task at a time, the DAG ``tokenflex_token``.

    :param conn_id: id of a three-legged ``tokenflex`` connection
    :param by: the attempt, for the journal
    :param force: renew also what is not due
    :param refused: fingerprint of an access token that Autodesk refuses before its end: renewed at once if it is still
        the stored one
    :raises AuthFailed: the grant is lost, or the client id or secret is wrong; a person must act
    :raises Unreachable: Autodesk did not answer, or the answer was lost; worth another attempt
    :raises VendorError: typed by what went wrong
    """
    window = Window(SEND_SECONDS)
    chain = await tokens.read_chain(conn_id)
    if chain is None:
        log.info(
            "Nobody has granted access for the connection %s yet: in Airflow open Admin, Token Flex sign-in", conn_id
        )
        return None
    step = decide(chain, time.time(), force=force, refused=refused)
    if step is RenewalStep.KEEP:
        log.info(
            "%s: the access token is good until %s, the grant until %s; nothing is due",
            conn_id,
            when(chain.pair.ends),
            when(chain.pair.lapses),
        )
        return None
    if step is RenewalStep.GIVE_UP:
        raise _lost(conn_id, chain, chain.journal.words if chain.journal else "")
    if step is RenewalStep.RECOVER and chain.journal is not None:
        log.warning(
            "%s: the attempt %s asked Autodesk for new tokens at %s and ended before they were saved; asking once more "
            "with the stored refresh token",
            conn_id,
            chain.journal.by,
            when(chain.journal.asked_at),
        )
    under_way = asyncio.ensure_future(_ask_and_save(conn_id, chain, by, window, recovering=step is RenewalStep.RECOVER))
    try:
        return await asyncio.shield(under_way)
    except asyncio.CancelledError:
        # A time-out of the task must not fall between the answer and the save; what is left takes a few minutes at
        # most.
        await asyncio.wait({under_way})
        if not under_way.cancelled() and (error := under_way.exception()) is not None:
            log.error("%s: not renewed: %s", conn_id, error)
        raise


async def _ask_and_save(conn_id: str, chain: Chain, by: str, window: Window, *, recovering: bool) -> Chain:
    async with AsyncExitStack() as stack:
        try:
            hook = await stack.enter_async_context(SignInHook(conn_id))
        except AirflowNotFoundException:
            raise Rejected(
                f"there is access granted for the Airflow connection {conn_id!r}, but no such connection",
                vendor=VENDOR,
                advice=f"Make the connection again, or delete the Variable {tokens.key_of(conn_id, Part.GRANT)!r} to "
                f"forget the grant.",
            ) from None
        note = Journal(
            grant_id=chain.grant.grant_id, spent=fingerprint(chain.pair.refresh_token), asked_at=time.time(), by=by
        )
        if (newer := await _announced(conn_id, chain, note, window, recovering=recovering)) is not None:
            return newer
        try:
            with sent_within(window):
                pair = await refresh(hook, chain.pair)
        except GrantSpent as error:
            return await _refused(conn_id, chain, note, error, recovering=recovering)
        except Ambiguous as error:
            if not recovering:
                await _noted(conn_id, note, words=error.problem)
            raise _with_end(_as_passing(error), conn_id, chain) from None
        except VendorError as error:
            if not recovering:
                # An earlier note must stay as it is: what this attempt knows says nothing about that one's question.
                await _noted(conn_id, note, outcome=RefreshOutcome.SETTLED, words=error.problem)
            raise _with_end(error, conn_id, chain) from None
        renewed = Renewed(grant_id=chain.grant.grant_id, number=chain.number + 1, pair=pair)
        if (newer := await _save(conn_id, chain, renewed)) is not None:
            return newer
        if pair.refresh_token == chain.pair.refresh_token:
            await _noted(conn_id, note, outcome=RefreshOutcome.SETTLED)
    if not pair.access_token:
        log.warning(
            "%s: Autodesk gave a new refresh token, which is kept, but no access token; the next run asks for one",
            conn_id,
        )
    log.info(
        "%s: renewed for the %d. time; access until %s, the grant until %s",
        conn_id,
        renewed.number,
        when(pair.ends),
        when(pair.lapses),
    )
    return tokens.chain_of(chain.grant, renewed, None)


async def _announced(conn_id: str, chain: Chain, note: Journal, window: Window, *, recovering: bool) -> Chain | None:
    """Write the note that the refresh token is about to be used, and look once more whether it still is the newest;
    return the newer chain where it is not.

    :raises Unreachable: this attempt was held up, or another one is at work; nothing was asked
    """
    if window.is_over:
        raise _not_asked(f"the renewal was held up for more than {window.seconds:.0f} s", conn_id)
    if not recovering:
        await tokens.write_from_task(conn_id, Part.JOURNAL, note)
    stored = await tokens.read_chain(conn_id)
    if stored is None or not stored.follows(chain):
        log.info("%s: the tokens were renewed, granted anew or forgotten meanwhile; nothing is asked", conn_id)
        return stored or chain
    if stored.journal != (chain.journal if recovering else note):
        raise _not_asked("another attempt is renewing the same tokens", conn_id)
    return None


async def _save(conn_id: str, chain: Chain, renewed: Renewed) -> Chain | None:
    """Store a new pair where what is stored is still the pair that it follows from; return what is stored where it is
    not.

    While Airflow's API server is away this attempt holds the only copy, so it does not give up at the first error.
    """
    pauses = iter(SAVE_PAUSES)
    while True:
        compared = Window(COMPARE_SECONDS)
        try:
            stored = await tokens.read_chain(conn_id)
            if stored is None or not stored.follows(chain):
                log.warning(
                    "%s: meanwhile the tokens were renewed by another attempt, granted anew or forgotten; what this "
                    "attempt was given is not kept",
                    conn_id,
                )
                return stored or chain
            if compared.is_over:
                continue
            await tokens.write_from_task(conn_id, Part.RENEWED, renewed)
            return None
        except Exception as error:
            pause = next(pauses, None)
            if pause is None:
                raise
            log.warning(
                "%s: Autodesk has answered, but the new tokens could not be saved (%s); trying again in %.1f s",
                conn_id,
                type(error).__name__,
                pause,
            )
            await asyncio.sleep(pause)


async def _noted(conn_id: str, note: Journal, **changes: str) -> None:
    """Bring the note of this attempt up to date, unless another attempt has written its own meanwhile; never an error,
    what it tells of counts more.
    """
    try:
        if await tokens.read(conn_id, Part.JOURNAL, Journal) == note:
            await tokens.write_from_task(conn_id, Part.JOURNAL, msgspec.structs.replace(note, **changes))
    except Exception as error:
        log.warning("%s: the note of the renewal could not be brought up to date (%s)", conn_id, type(error).__name__)


async def _refused(conn_id: str, chain: Chain, note: Journal, error: GrantSpent, *, recovering: bool) -> Chain:
    """Find out whether somebody else has renewed or granted meanwhile; else record that the grant is lost."""
    stored = await tokens.read_chain(conn_id)
    if stored is not None and stored.pair != chain.pair:
        log.info(
            "%s: Autodesk refused a refresh token that has been replaced meanwhile; the newer one is kept", conn_id
        )
        return stored
    before = chain.journal if recovering else None
    if stored is not None and stored.journal not in (note, before):
        raise _not_asked("Autodesk refused the refresh token while another attempt is renewing it", conn_id)
    words = _how_it_was_lost(before) if before is not None else "Autodesk refused the stored refresh token"
    await tokens.write_from_task(
        conn_id, Part.JOURNAL, msgspec.structs.replace(note, outcome=RefreshOutcome.LOST, words=words)
    )
    raise _lost(conn_id, chain, words, error)


def _how_it_was_lost(before: Journal) -> str:
    """Say what became of the question of an earlier attempt whose answer was not saved."""
    if before.words:
        return (
            f"the answer to the renewal of {when(before.asked_at)} ({before.by}) did not arrive whole "
            f"({before.words}); Autodesk had given a new refresh token in it, "
            "for it does not accept the one before it any more"
        )
    return (
        f"an earlier attempt ({before.by}) was ended at about {when(before.asked_at)}, after Autodesk had answered and "
        f"before "
        "the new refresh token was saved, and Autodesk does not accept the one before it any more"
    )


def _not_asked(problem: str, conn_id: str) -> Unreachable:
    return Unreachable(
        f"{problem} (connection {conn_id!r})",
        vendor=VENDOR,
        advice=f"Nothing was asked and no token was used up: the next run of the DAG tokenflex_token, within "
        f"{SCHEDULE_MINUTES} minutes, looks anew.",
    )


def _lost(conn_id: str, chain: Chain, words: str, error: VendorError | None = None) -> GrantSpent:
    left = f"The access token is still good until {when(chain.pair.ends)}. " if chain.pair.ends > time.time() else ""
    given = {name: getattr(error, name) for name in ("method", "path", "status", "attempt", "detail")} if error else {}
    return GrantSpent(
        f"the access of connection {conn_id!r}, granted by {chain.grant.granted_by}, cannot be renewed: {words}",
        vendor=VENDOR,
        advice=f"{left}A person must grant access anew: in Airflow open Admin, Token Flex sign-in. No report is lost: "
        f"nights that fail until then run again by a clear.",
        **given,
    )


def _as_passing(error: Ambiguous) -> Unreachable:
    given = {name: getattr(error, name) for name in ("vendor", "method", "path", "status", "attempt", "detail")}
    return Unreachable(
        f"the answer to a renewal did not arrive whole: {error.problem}. Autodesk may have given a new refresh token "
        f"in it, which is lost then",
        advice=f"The next run of the DAG tokenflex_token, within {SCHEDULE_MINUTES} minutes, or clearing the task asks "
        f"once more with the stored refresh token, which is good "
        "if the question had not arrived. If Autodesk refuses it, a person must grant access anew: in Airflow open "
        "Admin, Token Flex sign-in.",
        **given,
    )


def _with_end(error: VendorError, conn_id: str, chain: Chain) -> VendorError:
    """Return the error with how much time there is left to put it right."""
    now = time.time()
    access = (
        f"Consumers can work until {when(chain.pair.ends)}"
        if chain.pair.ends > now
        else f"Consumers wait since {when(chain.pair.ends)}"
    )
    days = (chain.pair.lapses - now) / _DAY
    end = (
        f"{access}; the grant lapses on {when(chain.pair.lapses)}, in {max(days, 0):.1f} days, if no attempt succeeds."
    )
    if days < WARN_DAYS:
        log.error(
            "%s: the grant lapses in %.1f days; put this right before then, or a person must sign in again: %s",
            conn_id,
            max(days, 0),
            error.problem,
        )
    return error.replaced(advice=f"{end} {error.advice}")


def when(epoch: float) -> str:
    """Return a time for people, in UTC to the minute."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(epoch))


async def renew_all(
    *, by: str, force: bool = False, refused: Mapping[str, str] | None = None
) -> list[dict[str, str | int]]:
    """Renew what is due of all connections that somebody has granted access for, one after the other.

    A connection that fails does not keep the others from being renewed; its error is raised in the end.

    :param by: the attempt, for the journal
    :param force: renew also what is not due
    :param refused: connection → fingerprint of an access token that Autodesk refuses before its end
    :return: one row for each connection that was renewed: connection, who granted it, how often it was renewed, and
        until when it is good
    :raises VendorError: the first error, as of :func:`renew`
    """
    done: list[dict[str, str | int]] = []
    first: VendorError | None = None
    for conn_id in await tokens.granted_connections():
        try:
            chain = await renew(conn_id, by=by, force=force, refused=(refused or {}).get(conn_id, ""))
        except VendorError as error:
            log.error("%s: %s", conn_id, error)
            first = first or error
            continue
        if chain is not None:
            done.append(
                {
                    "connection": conn_id,
                    "granted_by": chain.grant.granted_by,
                    "number": chain.number,
                    "access_until": when(chain.pair.ends),
                    "grant_until": when(chain.pair.lapses),
                }
            )
    if first is not None:
        raise first
    return done
