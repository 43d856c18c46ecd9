"""The one writer: renews the tokens of a connection in time, and recognises a kill in the middle of it.

Autodesk's refresh tokens are good for one use, so the order is everything (Token Flex reference, sections 1.4 and 4.4): a note that names the refresh token goes into the journal, then the question to
Autodesk, then the new pair into the store, and only then is it there for anybody to use.

A kill between Autodesk's answer and the save loses the answer, and with it perhaps the one valid refresh token; no protocol of two parties can close that window, which is a few milliseconds. What can
be done is done: the save is repeated as long as the attempt lives, the next attempt recognises the note and asks once more with the stored token (it is still good if the question had not arrived, or
where Autodesk does not retire it), the old access token serves to its end, and where the grant is lost the error says so, since when, and what to do.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import AsyncExitStack
from enum import StrEnum

import msgspec
from airflow.sdk.exceptions import AirflowNotFoundException

from nightshift.errors import Ambiguous, Rejected, Unreachable, VendorError
from nightshift.tokenflex import tokens
from nightshift.tokenflex.oauth import GrantSpent, SignInHook, fingerprint, refresh
from nightshift.tokenflex.tokens import Chain, Journal, Outcome, Part, Renewed

log = logging.getLogger(__name__)

VENDOR = "Token Flex sign-in"
SCHEDULE_MINUTES = 10
DUE_SECONDS = 1500.0
"""Renew when an access token has less than this left: 25 of 60 minutes, so that two runs of the schedule may fail before it ends."""
WARN_DAYS = 5.0
SAVE_PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 30.0, 30.0)
"""Seconds between the attempts to save an answer, two minutes in all."""

_DAY = 86400.0


class Step(StrEnum):
    """What to do with a chain now."""

    KEEP = "keep"
    RENEW = "renew"
    RECOVER = "recover"
    """An earlier attempt asked with this refresh token, and its answer was not saved: ask once more."""
    GIVE_UP = "give_up"
    """Autodesk has refused this refresh token; asking again is of no use."""


def decide(chain: Chain, now: float, *, force: bool = False) -> Step:
    """Return what to do with a chain.

    :param now: epoch seconds
    :param force: renew also what is not due, as a person asked for it
    """
    if chain.lost:
        return Step.GIVE_UP
    if chain.journal is not None and chain.journal.outcome is Outcome.ASKED:
        return Step.RECOVER
    if force or chain.pair.ends - now < DUE_SECONDS:
        return Step.RENEW
    return Step.KEEP


async def renew(conn_id: str, *, by: str, force: bool = False) -> Chain | None:
    """Renew the tokens of a connection where that is due, and return the new chain; ``None`` where nothing is due or nobody has granted access.

    To be called by one task at a time, the DAG ``tokenflex_token``.

    :param conn_id: id of a three-legged ``tokenflex`` connection
    :param by: the attempt, for the journal
    :param force: renew also what is not due
    :raises AuthFailed: the grant is lost, or the client id or secret is wrong; a person must act
    :raises Unreachable: Autodesk did not answer, or the answer was lost; worth another attempt
    :raises VendorError: typed by what went wrong
    """
    chain = await tokens.read_chain(conn_id)
    if chain is None:
        log.info(
            "Nobody has granted access for the connection %s yet: in Airflow open Admin, Token Flex sign-in", conn_id
        )
        return None
    step = decide(chain, time.time(), force=force)
    if step is Step.KEEP:
        log.info(
            "%s: the access token is good until %s, the grant until %s; nothing is due",
            conn_id,
            when(chain.pair.ends),
            when(chain.pair.lapses),
        )
        return None
    if step is Step.GIVE_UP:
        raise _lost(conn_id, chain, chain.journal.words if chain.journal else "")
    if step is Step.RECOVER and chain.journal is not None:
        log.warning(
            "%s: the attempt %s asked Autodesk for new tokens at %s and ended before they were saved; asking once more with the stored refresh token",
            conn_id, chain.journal.by, when(chain.journal.asked_at),
        )  # fmt: skip
    under_way = asyncio.ensure_future(_ask_and_save(conn_id, chain, by, recovering=step is Step.RECOVER))
    try:
        return await asyncio.shield(under_way)
    except asyncio.CancelledError:
        # A time-out of the task must not fall between the answer and the save; what is left takes a few minutes at most.
        await asyncio.wait({under_way})
        if not under_way.cancelled() and (error := under_way.exception()) is not None:
            log.error("%s: not renewed: %s", conn_id, error)
        raise


async def _ask_and_save(conn_id: str, chain: Chain, by: str, *, recovering: bool) -> Chain:
    async with AsyncExitStack() as stack:
        try:
            hook = await stack.enter_async_context(SignInHook(conn_id))
        except AirflowNotFoundException:
            raise Rejected(
                f"there is access granted for the Airflow connection {conn_id!r}, but no such connection", vendor=VENDOR,
                advice=f"Make the connection again, or delete the Variable {tokens.key_of(conn_id, Part.GRANT)!r} to forget the grant.",
            ) from None  # fmt: skip
        note = Journal(
            grant_id=chain.grant.grant_id, spent=fingerprint(chain.pair.refresh_token), asked_at=time.time(), by=by
        )
        if not recovering:
            await tokens.write_from_task(conn_id, Part.JOURNAL, note)
        try:
            pair = await refresh(hook, chain.pair)
        except GrantSpent as error:
            return await _refused(conn_id, chain, note, error, recovering=recovering)
        except Ambiguous as error:
            raise _with_end(_as_passing(error), conn_id, chain) from None
        except VendorError as error:
            if not recovering:
                # An earlier note must stay as it is: what this attempt knows says nothing about that one's question.
                await tokens.write_from_task(
                    conn_id, Part.JOURNAL, msgspec.structs.replace(note, outcome=Outcome.SETTLED, words=error.problem)
                )
            raise _with_end(error, conn_id, chain) from None
        renewed = Renewed(grant_id=chain.grant.grant_id, number=chain.number + 1, pair=pair)
        await _save(conn_id, renewed)
        if pair.refresh_token == chain.pair.refresh_token:
            await tokens.write_from_task(conn_id, Part.JOURNAL, msgspec.structs.replace(note, outcome=Outcome.SETTLED))
    log.info(
        "%s: renewed for the %d. time; access until %s, the grant until %s",
        conn_id,
        renewed.number,
        when(pair.ends),
        when(pair.lapses),
    )
    return tokens.chain_of(chain.grant, renewed, None)


async def _save(conn_id: str, renewed: Renewed) -> None:
    """Store a new pair; while Airflow's API server is away this holds the only copy, so it does not give up at the first error."""
    for pause in SAVE_PAUSES:
        try:
            await tokens.write_from_task(conn_id, Part.RENEWED, renewed)
            return
        except Exception as error:
            log.warning(
                "%s: Autodesk has answered, but the new tokens could not be saved (%s); trying again in %.1f s",
                conn_id,
                type(error).__name__,
                pause,
            )
            await asyncio.sleep(pause)
    await tokens.write_from_task(conn_id, Part.RENEWED, renewed)


async def _refused(conn_id: str, chain: Chain, note: Journal, error: GrantSpent, *, recovering: bool) -> Chain:
    """Find out whether somebody else has renewed or granted meanwhile; else record that the grant is lost."""
    stored = await tokens.read_chain(conn_id)
    if stored is not None and stored.pair != chain.pair:
        log.info(
            "%s: Autodesk refused a refresh token that has been replaced meanwhile; the newer one is kept", conn_id
        )
        return stored
    words = "Autodesk refused the stored refresh token"
    if recovering and chain.journal is not None:
        words = (
            f"an earlier attempt ({chain.journal.by}) was ended at about {when(chain.journal.asked_at)}, after Autodesk had answered and before "
            "the new refresh token was saved, and Autodesk does not accept the one before it any more"
        )
    await tokens.write_from_task(
        conn_id, Part.JOURNAL, msgspec.structs.replace(note, outcome=Outcome.LOST, words=words)
    )
    raise _lost(conn_id, chain, words, error)


def _lost(conn_id: str, chain: Chain, words: str, error: VendorError | None = None) -> GrantSpent:
    left = f"The access token is still good until {when(chain.pair.ends)}. " if chain.pair.ends > time.time() else ""
    told = {name: getattr(error, name) for name in ("method", "path", "status", "attempt", "detail")} if error else {}
    return GrantSpent(
        f"the access of connection {conn_id!r}, granted by {chain.grant.granted_by}, cannot be renewed: {words}", vendor=VENDOR,
        advice=f"{left}A person must grant access anew: in Airflow open Admin, Token Flex sign-in. No report is lost: nights that fail until then run again by a clear.", **told,
    )  # fmt: skip


def _as_passing(error: Ambiguous) -> Unreachable:
    given = {name: getattr(error, name) for name in ("vendor", "method", "path", "status", "attempt", "detail")}
    return Unreachable(
        "Autodesk may have answered, but the answer did not arrive, so the new refresh token may be lost",
        advice="Clearing the task asks once more with the stored refresh token and finds out.", **given,
    )  # fmt: skip


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


async def renew_all(*, by: str, force: bool = False) -> list[dict[str, str | int]]:
    """Renew what is due of all connections that somebody has granted access for, one after the other.

    A connection that fails does not keep the others from being renewed; its error is raised in the end.

    :param by: the attempt, for the journal
    :param force: renew also what is not due
    :return: one row for each connection that was renewed: connection, who granted it, how often it was renewed, and until when it is good
    :raises VendorError: the first error, as of :func:`renew`
    """
    done: list[dict[str, str | int]] = []
    first: VendorError | None = None
    for conn_id in await tokens.granted_connections():
        try:
            chain = await renew(conn_id, by=by, force=force)
        except VendorError as error:
            log.error("%s: %s", conn_id, error)
            first = first or error
            continue
        if chain is not None:
            done.append(
                {
                    "connection": conn_id, "granted_by": chain.grant.granted_by, "number": chain.number,
                    "access_until": when(chain.pair.ends), "grant_until": when(chain.pair.lapses),
                }
            )  # fmt: skip
    if first is not None:
        raise first
    return done
