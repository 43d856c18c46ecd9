"""The one writer: renews the tokens of a connection in time, and recognises a kill in the middle of it.

Autodesk's refresh tokens are good for one use, so the order is everything (Token Flex reference, sections 1.4 and 4.4):
a note that names the refresh token goes into the journal, then the question to Autodesk, then the new pair into the
store, and only then is it there for anybody to use.

The note is also the lock. Airflow runs one attempt at a time, but one that was frozen may thaw beside its successor,
and a Variable cannot be written on a condition. So a note is written soon after a look, stands for longer than that
before it is looked at again, and whoever finds another's there asks nothing: of any two attempts one at most goes on,
unless the write of a note is itself held up on its way, which nobody can see.

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
from nightshift.http.timing import SendWindow, sent_within
from nightshift.tokenflex import tokens
from nightshift.tokenflex.oauth import GrantSpent, SignInHook, fingerprint, refresh
from nightshift.tokenflex.tokens import Chain, Journal, Part, RefreshOutcome, Renewed
from nightshift.tokenflex.vocabulary import PAGE, SIGN_IN

log = logging.getLogger(__name__)

SCHEDULE_MINUTES = 10
DUE_SECONDS = 1500.0
"""Renew when an access token has less than this left: 25 of 60 minutes, so that two runs may fail before it ends."""
WARN_DAYS = 5.0
SEND_SECONDS = 20.0
"""A refresh token is used within so many seconds of the look at the store, or not at all: another may have used it."""
COMPARE_SECONDS = 5.0
"""A comparison with what is stored counts for so many seconds."""
SETTLE_SECONDS = 7.0
"""For so long a note stands before it is looked at: longer than a comparison counts, so that who compared before it was
there has written its own by then, or never will."""
AT_WORK_SECONDS = 120.0
"""An attempt whose note is no older may still be at work: nobody goes on from it."""
FRESH_SECONDS = 30.0
"""An access token that is refused at this age is not made good by another one."""
AHEAD_SECONDS = 300.0
"""A pair that was asked for in so far a future was asked for by a clock that was wrong."""
SAVE_PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 30.0, 30.0)
"""Seconds between the attempts to save an answer, two minutes in all."""


class RenewalStep(StrEnum):
    """What to do with a chain now."""

    KEEP = "keep"
    RENEW = "renew"
    RECOVER = "recover"
    """An earlier attempt asked with this refresh token, and its answer was not saved: ask once more."""
    STAND_BACK = "stand_back"
    """Another attempt is asking with this refresh token, or was killed just now."""
    GIVE_UP = "give_up"
    """Autodesk has refused this refresh token; asking again is of no use, unless a person says so."""


def decide(chain: Chain, now: float, *, force: bool = False, refused: str = "") -> RenewalStep:
    """Return what to do with a chain.

    :param now: epoch seconds
    :param force: renew also what is not due, or has been refused, as a person asked for it
    :param refused: fingerprint of an access token that Autodesk refuses before its end
    """
    if chain.lost:
        return RenewalStep.RENEW if force else RenewalStep.GIVE_UP
    if chain.journal is not None and chain.journal.outcome is RefreshOutcome.ASKED:
        at_work = chain.journal.may_be_at_work(now, AT_WORK_SECONDS)
        return RenewalStep.STAND_BACK if at_work else RenewalStep.RECOVER
    is_refused = fingerprint(chain.pair.access_token) in (refused, chain.refused)
    age = now - chain.pair.issued
    if is_refused and not 0 <= age < FRESH_SECONDS:
        return RenewalStep.RENEW
    if age < -AHEAD_SECONDS:
        # The clock of the worker that asked was ahead, so the pair ends sooner than it says.
        return RenewalStep.RENEW
    if force or chain.pair.ends - now < DUE_SECONDS:
        return RenewalStep.RENEW
    return RenewalStep.KEEP


async def renew(conn_id: str, *, by: str, force: bool = False, refused: str = "") -> Chain | None:
    """Renew the tokens of a connection where that is due, and return the new chain; ``None`` where it is not.

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
    chain = await tokens.read_chain(conn_id)
    if chain is None:
        log.info("Nobody has granted access for the connection %s yet: %s", conn_id, PAGE)
        return None
    step = decide(chain, time.time(), force=force, refused=refused)
    if step is RenewalStep.KEEP:
        good = f"the access token is good until {when(chain.pair.ends)}, the grant until {when(chain.pair.lapses)}"
        log.info("%s: %s; nothing is due", conn_id, good)
        return None
    if step is RenewalStep.GIVE_UP:
        raise lost(conn_id, chain)
    if step is RenewalStep.STAND_BACK:
        raise _not_asked(
            conn_id, f"another attempt is renewing the same tokens, or was ended less than {AT_WORK_SECONDS:.0f} s ago"
        )
    recovering = step is RenewalStep.RECOVER
    if recovering and (before := chain.journal) is not None:
        asked = f"the attempt {before.by} asked Autodesk for new tokens at {when(before.asked_at)}"
        log.warning("%s: %s and ended before they were saved; asking once more with the same token", conn_id, asked)
    renewal = _Renewal(conn_id, chain, by, recovering=recovering)
    under_way = asyncio.ensure_future(renewal.ask_and_save())
    try:
        return await asyncio.shield(under_way)
    except asyncio.CancelledError:
        # A time-out of the task must not fall between the answer and the save; what is left takes some minutes at most.
        await asyncio.wait({under_way})
        if not under_way.cancelled() and (error := under_way.exception()) is not None:
            log.error("%s: not renewed: %s", conn_id, error)
        raise


class _Renewal:
    """One use of one refresh token.

    :param conn_id: id of the connection
    :param chain: as it was looked at
    :param by: the attempt, for the journal
    :param recovering: whether an earlier attempt asked with this refresh token, and its answer was not saved
    """

    def __init__(self, conn_id: str, chain: Chain, by: str, *, recovering: bool) -> None:
        self.conn_id = conn_id
        self.chain = chain
        self.window = SendWindow(SEND_SECONDS)
        """In which the question has to leave, from the last look on."""
        self.before = chain.journal if recovering or chain.lost else None
        """The note of the earlier attempt, which is there again when this one has ended: it knows nothing of that one's
        question, or of why Autodesk has refused it."""
        now = time.time()
        spent = fingerprint(chain.pair.refresh_token)
        self.note = (
            Journal(grant_id=chain.grant.grant_id, spent=spent, asked_at=now, by=by)
            if self.before is None or chain.lost
            else msgspec.structs.replace(self.before, taken_up_by=by, taken_up_at=now)
        )

    async def ask_and_save(self) -> Chain:
        """Announce it, ask Autodesk, store what it answers; return what is stored then."""
        async with AsyncExitStack() as stack:
            try:
                hook = await stack.enter_async_context(SignInHook(self.conn_id))
            except AirflowNotFoundException:
                raise Rejected(
                    f"there is access granted for the Airflow connection {self.conn_id!r}, but no such connection",
                    vendor=SIGN_IN,
                    advice="Make the connection again, or delete the Variable "
                    f"{tokens.key_of(self.conn_id, Part.GRANT)!r} to forget the grant.",
                ) from None
            if (newer := await self._announced()) is not None:
                return newer
            try:
                with sent_within(self.window):
                    pair = await refresh(hook, self.chain.pair)
            except GrantSpent as error:
                return await self._refused(error)
            except Ambiguous as error:
                await self._noted(words=error.problem)
                raise _with_end(_as_passing(error), self.conn_id, self.chain) from None
            except VendorError as error:
                await self._noted(outcome=RefreshOutcome.SETTLED, words=error.problem)
                raise _with_end(error, self.conn_id, self.chain) from None
            renewed = Renewed.of(self.chain.grant, self.chain.number + 1, pair)
            if (newer := await self._save(renewed)) is not None:
                return newer
            if pair.refresh_token == self.chain.pair.refresh_token:
                self.before = None
                await self._noted(outcome=RefreshOutcome.SETTLED)
        if not pair.access_token:
            log.warning("%s: Autodesk gave a new refresh token, but no access token; the next run asks", self.conn_id)
        good = f"access until {when(pair.ends)}, the grant until {when(pair.lapses)}"
        log.info("%s: renewed for the %d. time; %s", self.conn_id, renewed.number, good)
        return tokens.chain_of(self.chain.grant, renewed, None)

    async def _announced(self) -> Chain | None:
        """Write the note that the refresh token is about to be used, let it stand for a while, and look whether it
        still does, and whether the token still is the newest.

        :return: the newer chain where it is not
        :raises Unreachable: this attempt was held up, or another one is at work; nothing was asked
        """
        compared = SendWindow(COMPARE_SECONDS)
        if (newer := await self._newer(self.chain.journal)) is not None:
            return newer
        if compared.is_over:
            raise _not_asked(self.conn_id, f"the renewal was held up for more than {compared.seconds:.0f} s")
        await tokens.write_from_task(self.conn_id, Part.JOURNAL, self.note)
        await asyncio.sleep(SETTLE_SECONDS)
        self.window = SendWindow(SEND_SECONDS)
        return await self._newer(self.note)

    async def _newer(self, journal: Journal | None) -> Chain | None:
        """Look at what is stored; return it where the token of this attempt is not the newest any more.

        :param journal: the note that has to be there
        :raises Unreachable: there is another one
        """
        stored = await tokens.read_chain(self.conn_id)
        if stored is None or not stored.follows(self.chain):
            log.info("%s: the tokens were renewed, granted anew or forgotten; nothing is asked", self.conn_id)
            return stored or self.chain
        if stored.journal != journal:
            raise _not_asked(self.conn_id, "another attempt is renewing the same tokens")
        return None

    async def _save(self, renewed: Renewed) -> Chain | None:
        """Store a new pair where what is stored is still the pair that it follows from; return what is stored
        otherwise.

        While Airflow's API server is away this attempt holds the only copy, so it does not give up at the first error.
        """
        pauses = iter(SAVE_PAUSES)
        while True:
            compared = SendWindow(COMPARE_SECONDS)
            try:
                stored = await tokens.read_chain(self.conn_id)
                if stored is None or not stored.follows(self.chain):
                    what = (
                        "renewed by another attempt, granted anew or forgotten; what this attempt was given is not kept"
                    )
                    log.warning("%s: meanwhile the tokens were %s", self.conn_id, what)
                    return stored or self.chain
                if compared.is_over:
                    continue
                await tokens.write_from_task(self.conn_id, Part.RENEWED, renewed)
                return None
            except Exception as error:
                pause = next(pauses, None)
                if pause is None:
                    raise
                what = f"the new tokens could not be saved ({type(error).__name__}); trying again in {pause:.1f} s"
                log.warning("%s: Autodesk has answered, but %s", self.conn_id, what)
                await asyncio.sleep(pause)

    async def _noted(self, **changes: str) -> None:
        """Bring the note of this attempt up to date, unless another attempt has written its own; never an error.

        Where an earlier attempt's is recovered from, its note is put back: what this one has seen says nothing of it.
        """
        try:
            if await tokens.read(self.conn_id, Part.JOURNAL, Journal) == self.note:
                changed = self.before or msgspec.structs.replace(self.note, **changes)
                await tokens.write_from_task(self.conn_id, Part.JOURNAL, changed)
        except Exception as error:
            kind = type(error).__name__
            log.warning("%s: the note of the renewal could not be brought up to date (%s)", self.conn_id, kind)

    async def _refused(self, error: GrantSpent) -> Chain:
        """Find out whether somebody else has renewed or granted meanwhile; else record that the grant is lost."""
        stored = await tokens.read_chain(self.conn_id)
        if stored is not None and stored.pair != self.chain.pair:
            log.info("%s: Autodesk refused a token that was replaced meanwhile; the newer one is kept", self.conn_id)
            return stored
        if stored is not None and stored.journal not in (self.note, self.before):
            raise _not_asked(self.conn_id, "Autodesk refused the refresh token while another attempt is renewing it")
        words = "Autodesk refused the stored refresh token"
        if self.before is not None:
            words = self.before.words if self.chain.lost else _how_it_was_lost(self.before)
        note = msgspec.structs.replace(self.note, outcome=RefreshOutcome.LOST, words=words)
        await tokens.write_from_task(self.conn_id, Part.JOURNAL, note)
        raise lost(self.conn_id, msgspec.structs.replace(self.chain, journal=note), error)


def _not_asked(conn_id: str, problem: str) -> Unreachable:
    return Unreachable(
        f"{problem} (connection {conn_id!r})",
        vendor=SIGN_IN,
        advice="Nothing was asked and no token was used up: the next run of the DAG tokenflex_token, within "
        f"{SCHEDULE_MINUTES} minutes, looks anew.",
    )


def _how_it_was_lost(before: Journal) -> str:
    """Say what became of the question of an earlier attempt whose answer was not saved."""
    at = when(before.asked_at)
    if before.words:
        return (
            f"the answer to the renewal of {at} ({before.by}) did not arrive whole ({before.words}); Autodesk had "
            "given a new refresh token in it, for it does not accept the one before it any more"
        )
    return (
        f"an earlier attempt ({before.by}) was ended at about {at}, after Autodesk had answered and before the new "
        "refresh token was saved, and Autodesk does not accept the one before it any more"
    )


def lost(conn_id: str, chain: Chain, error: GrantSpent | None = None) -> GrantSpent:
    """Return the error of a chain that Autodesk has ended.

    :param error: its refusal, where it was heard just now
    """
    words = chain.journal.words if chain.journal else ""
    left = f"The access token is still good until {when(chain.pair.ends)}. " if chain.pair.ends > time.time() else ""
    return (error or GrantSpent()).replaced(
        problem=f"the access of connection {conn_id!r}, granted by {chain.grant.granted_by}, cannot be renewed: "
        f"{words}",
        vendor=SIGN_IN,
        advice=f"{left}A person must grant access anew: {PAGE}. Where the refusal was wrong, a run of the DAG "
        "tokenflex_token that is triggered by hand asks once more. No report is lost: nights that fail until then run "
        "again by a clear.",
    )


def _as_passing(error: Ambiguous) -> Unreachable:
    return error.as_type(
        Unreachable,
        problem=f"the answer to a renewal did not arrive whole: {error.problem}. Autodesk may have given a new refresh "
        "token in it, which is lost then",
        advice=f"The next run of the DAG tokenflex_token, within {SCHEDULE_MINUTES} minutes, or clearing the task asks "
        "once more with the stored refresh token, which is good if the question had not arrived. If Autodesk refuses "
        f"it, a person must grant access anew: {PAGE}.",
    )


def _with_end(error: VendorError, conn_id: str, chain: Chain) -> VendorError:
    """Return the error with how much time there is left to put it right."""
    now, ends, lapses = time.time(), when(chain.pair.ends), when(chain.pair.lapses)
    access = f"Consumers can work until {ends}" if chain.pair.ends > now else f"Consumers wait since {ends}"
    days = max(chain.pair.days_left(now), 0.0)
    if days < WARN_DAYS:
        what = "put this right before then, or a person must sign in again"
        log.error("%s: the grant lapses in %.1f days; %s: %s", conn_id, days, what, error.problem)
    end = f"{access}; the grant lapses on {lapses}, in {days:.1f} days, if no attempt succeeds."
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
