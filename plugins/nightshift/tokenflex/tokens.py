"""Where a person's grant and the tokens that follow from it are kept.

They are Airflow Variables: durable, shared by every executor, encrypted with the Fernet key, writable from a task (an
Airflow connection is not), and masked in the UI, the REST API and the logs because their name holds ``token``.

Each ``nightshift_tokenflex_token.<connection>.<part>`` has exactly one writer, so that no two ever overwrite each
other's tokens, and a new grant wins over whatever is still under way for an old one; a process that holds an access
token of an old one sees so within a minute, or when that is refused:

* ``grant``, by the sign-in page: who granted what and when, the first pair, and the key that later pairs are sealed
  with. The page runs in the API server; what a task stores passes through its supervisor, which writes it into its own
  log where Airflow logs at DEBUG
* ``renewed``, by the DAG ``tokenflex_token``: the newest pair of that grant
* ``journal``, by the DAG ``tokenflex_token``: what it is about to do, and how that went; no token
* ``consent``, by the sign-in page: a sign-in under way, for ten minutes
* ``refused``, by triggers: which access token Autodesk refuses before its end; no token
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

import msgspec

from nightshift.errors import Rejected, Unreachable
from nightshift.nesting import UNREADABLE
from nightshift.tokenflex.oauth import TokenPair, fingerprint
from nightshift.tokenflex.vocabulary import PAGE, SIGN_IN

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

log = logging.getLogger(__name__)

PREFIX = "nightshift_tokenflex_token."
RENEWING_DAG = "tokenflex_token"
_TASK_COMMS = ("CommsDecoder", "InProcessSupervisorComms")
REFUSED_CONF = "refused"
"""Key of a run's conf: connection → fingerprint of an access token that is refused before its end."""

S = TypeVar("S", bound=msgspec.Struct)


class Part(StrEnum):
    """What a Variable of a connection holds."""

    GRANT = "grant"
    RENEWED = "renewed"
    JOURNAL = "journal"
    CONSENT = "consent"
    REFUSED = "refused"


DESCRIPTIONS = {
    Part.GRANT: "Access to Token Flex as a person granted it, by the sign-in page. Delete it to forget the grant.",
    Part.RENEWED: "Newest Token Flex tokens. Written by the DAG tokenflex_token only.",
    Part.JOURNAL: "What the DAG tokenflex_token is about to do; holds no token.",
    Part.CONSENT: "A Token Flex sign-in under way; it ends after ten minutes.",
    Part.REFUSED: "Which Token Flex access token Autodesk refuses before its end, as a fingerprint; holds no token.",
}


class RefreshOutcome(StrEnum):
    """How a refresh went."""

    ASKED = "asked"
    """The question may have reached Autodesk, and its answer was not saved. Kept like this by a kill."""
    SETTLED = "settled"
    """The refresh token is as good as before: Autodesk surely did not take the question, or gave no new one."""
    LOST = "lost"
    """Autodesk does not accept the refresh token: only a person can start a new chain."""


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """A person's consent, and the first pair that came of it.

    :param grant_id: random; tells this consent from one before or after it
    :param granted_by: name of the Airflow user
    :param granted_at: epoch seconds
    :param scope: what was granted, joined with blanks
    :param seal: Fernet key of the pairs that follow; empty in a grant of an earlier version, whose pairs are not sealed
    """

    grant_id: str
    granted_by: str
    granted_at: float
    scope: str
    pair: TokenPair
    seal: str = ""

    def __post_init__(self) -> None:
        if self.seal:
            # Before anything is asked: an answer that cannot be stored would be the only copy of a pair.
            _sealing(self.seal)

    def __repr__(self) -> str:
        return f"Grant({self.grant_id!r} of {self.granted_by!r}, {self.pair!r})"


class Renewed(msgspec.Struct, frozen=True, kw_only=True):
    """The newest pair of a grant.

    :param grant_id: the grant that it follows from
    :param number: refreshes since the grant, from 1
    :param pair: as it is, of a grant without a seal
    :param sealed: the pair as JSON, encrypted with the seal of the grant
    """

    grant_id: str
    number: int
    pair: TokenPair | None = None
    sealed: str = ""

    @classmethod
    def of(cls, grant: Grant, number: int, pair: TokenPair) -> Renewed:
        """Return a pair of a grant as it is stored."""
        if not grant.seal:
            return cls(grant_id=grant.grant_id, number=number, pair=pair)
        sealed = _sealing(grant.seal).encrypt(msgspec.json.encode(pair)).decode()
        return cls(grant_id=grant.grant_id, number=number, sealed=sealed)

    def opened(self, grant: Grant) -> TokenPair:
        """Return the pair.

        :raises ValueError: it was not sealed for this grant, or is damaged
        """
        if self.pair is not None:
            return self.pair
        from cryptography.fernet import InvalidToken

        try:
            return msgspec.json.decode(_sealing(grant.seal).decrypt(self.sealed), type=TokenPair)
        except (InvalidToken, ValueError, *UNREADABLE):
            raise ValueError("it does not open with the seal of its grant") from None


def new_seal() -> str:
    """Return a random key for the pairs of a grant."""
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()


def _sealing(seal: str) -> Fernet:
    """Return what seals and opens with a key.

    :raises ValueError: it is no such key
    """
    from cryptography.fernet import Fernet

    return Fernet(seal)


class Journal(msgspec.Struct, frozen=True, kw_only=True):
    """A note written before a refresh token is used, so that a kill before its answer is saved is recognised.

    :param grant_id: the grant
    :param spent: fingerprint of the refresh token
    :param asked_at: epoch seconds
    :param by: the attempt, as run id and try number
    :param words: what went wrong, for people
    :param taken_up_by: the attempt that asks once more, for as long as it is at work
    :param taken_up_at: epoch seconds when it began
    """

    grant_id: str
    spent: str
    asked_at: float
    by: str
    outcome: RefreshOutcome = RefreshOutcome.ASKED
    words: str = ""
    taken_up_by: str = ""
    taken_up_at: float = 0.0

    def may_be_at_work(self, now: float, seconds: float) -> bool:
        """Say whether the attempt that wrote this may not have ended yet: it is no older than that, and says nothing
        of an end.
        """
        if self.outcome is not RefreshOutcome.ASKED or (self.words and not self.taken_up_by):
            return False
        return abs(now - (self.taken_up_at if self.taken_up_by else self.asked_at)) < seconds


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A note of a process that cannot start the DAG itself: an access token is refused before its end.

    :param access: fingerprint of the access token
    :param at: epoch seconds
    """

    access: str
    at: float


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """A grant with all that followed, as it is stored now.

    :param refused: fingerprint of an access token that was noted as refused
    """

    grant: Grant
    pair: TokenPair
    number: int = 0
    journal: Journal | None = None
    refused: str = ""

    def follows(self, other: Chain) -> bool:
        """Tell whether the newest pair is still the one of another look: not granted anew, not renewed since."""
        return (self.grant.grant_id, self.number, self.pair) == (other.grant.grant_id, other.number, other.pair)

    @property
    def lost(self) -> bool:
        """Whether Autodesk has refused the refresh token that is stored."""
        return self.journal is not None and self.journal.outcome is RefreshOutcome.LOST


def kept_as(conn_id: str) -> str:
    """Return the id by which the records of a connection are kept: its own, in small letters where it is one of the
    environment. Airflow finds that by any spelling, and the sign-in page can list it by one only.
    """
    return conn_id.lower() if f"AIRFLOW_CONN_{conn_id.upper()}" in os.environ else conn_id


def key_of(conn_id: str, part: Part) -> str:
    """Return the key of a Variable."""
    return f"{PREFIX}{kept_as(conn_id)}.{part}"


def encode(record: msgspec.Struct) -> str:
    """Return a record as the text of a Variable."""
    return msgspec.json.encode(record).decode()


def decode(text: str, kind: type[S], key: str) -> S:
    """Return the record that a Variable holds.

    :raises Rejected: somebody else has written it, or it is damaged; its text is in no message
    """
    try:
        return msgspec.json.decode(text, type=kind)
    except UNREADABLE:
        raise _not_ours(key) from None


async def read(conn_id: str, part: Part, kind: type[S]) -> S | None:
    """Return a stored record, ``None`` where there is none; works on a worker, in the triggerer and in the API server.

    :raises Rejected: the Variable does not hold such a record
    """
    from airflow.sdk import Variable

    key = key_of(conn_id, part)
    # In a thread: the synchronous call is the one public way to a Variable that works in all three processes, and on
    # the loop of the triggerer it would stop every other wait.
    text = await asyncio.to_thread(Variable.get, key, default=None)
    return decode(text, kind, key) if text else None


async def read_chain(conn_id: str) -> Chain | None:
    """Return what is stored of a connection's grant, ``None`` where nobody has granted access.

    Airflow answers a failed read like a Variable that does not exist. Taking one for the other could use up an old
    refresh token a second time, so what is in the list of keys must also be readable.

    :raises Unreachable: Airflow's API server gave no sure answer
    :raises Rejected: a Variable does not hold what belongs there
    """
    present = await _keys(f"{PREFIX}{kept_as(conn_id)}.")

    async def sure(part: Part, kind: type[S]) -> S | None:
        record = await read(conn_id, part, kind)
        if record is None and present is not None and key_of(conn_id, part) in present:
            raise _unsure(f"Airflow did not give the Variable {key_of(conn_id, part)!r}, which exists")
        return record

    grant = await sure(Part.GRANT, Grant)
    if grant is None:
        return None
    renewed, journal = await sure(Part.RENEWED, Renewed), await sure(Part.JOURNAL, Journal)
    try:
        chain = chain_of(grant, renewed, journal)
    except ValueError:
        raise _not_ours(key_of(conn_id, Part.RENEWED)) from None
    noted = await read(conn_id, Part.REFUSED, Refusal) if key_of(conn_id, Part.REFUSED) in (present or ()) else None
    return chain if noted is None else msgspec.structs.replace(chain, refused=noted.access)


def chain_of(grant: Grant, renewed: Renewed | None, journal: Journal | None) -> Chain:
    """Put the records of a connection together; what belongs to another grant or refresh token does not count.

    :raises ValueError: the newest pair cannot be opened with the seal of its grant
    """
    current = renewed if renewed is not None and renewed.grant_id == grant.grant_id else None
    pair = current.opened(grant) if current else grant.pair
    if journal is not None and (journal.grant_id, journal.spent) != (grant.grant_id, fingerprint(pair.refresh_token)):
        journal = None
    return Chain(grant=grant, pair=pair, number=current.number if current else 0, journal=journal)


async def write_from_task(conn_id: str, part: Part, record: msgspec.Struct) -> None:
    """Store a record from a task, durably: it has arrived in the metadata database when this returns.

    :raises Exception: whatever Airflow raises where its API server cannot be reached
    """
    from airflow.sdk import Variable

    await asyncio.to_thread(Variable.set, key_of(conn_id, part), encode(record), description=DESCRIPTIONS[part])


async def ask_for_renewal(conn_id: str, refused: str) -> None:
    """Have the DAG ``tokenflex_token`` run now because an access token is refused before its end; the same question of
    many tasks starts one run.

    Only a task can start a run; a trigger leaves a note instead, which the next run of the schedule finds. Never an
    error: the caller waits for a newer token anyhow.

    :param refused: fingerprint of the access token
    """
    if not in_task():
        return
    try:
        await asyncio.to_thread(_start_renewal, kept_as(conn_id), refused)
        log.info("%s: the DAG %s was asked to renew the access token now", conn_id, RENEWING_DAG)
    except Exception as error:
        log.info(
            "%s: the DAG %s cannot be started from here (%s); its next run is told",
            conn_id,
            RENEWING_DAG,
            type(error).__name__,
        )
        with suppress(Exception):
            await write_from_task(conn_id, Part.REFUSED, Refusal(access=refused, at=time.time()))


def _start_renewal(conn_id: str, refused: str) -> None:
    from airflow.sdk.execution_time import comms, task_runner

    # A triggerer answers a message that it does not know never, so it must not be sent there.
    if type(task_runner.SUPERVISOR_COMMS).__name__ not in _TASK_COMMS:
        raise RuntimeError("this is no task")
    # One run for each refused token and five minutes: one that came to nothing must not stand in the way of the next.
    run_id = f"refused__{refused}__{int(time.time() // 300)}"
    task_runner.SUPERVISOR_COMMS.send(
        comms.TriggerDagRun(dag_id=RENEWING_DAG, run_id=run_id, conf={REFUSED_CONF: {conn_id: refused}})
    )


async def granted_connections() -> list[str]:
    """Return the ids of the connections that somebody has granted access for, from within a task.

    :raises Unreachable: Airflow's API server gave no answer
    """
    suffix = f".{Part.GRANT}"
    return sorted(
        key.removeprefix(PREFIX).removesuffix(suffix) for key in await _keys(PREFIX) or () if key.endswith(suffix)
    )


def in_task() -> bool:
    """Return whether this process reaches Airflow as a task or a trigger does, not as the API server."""
    return getattr(sys.modules.get("airflow.sdk.execution_time.task_runner"), "SUPERVISOR_COMMS", None) is not None


async def _keys(prefix: str) -> list[str] | None:
    """Return the keys of the Variables that begin with a prefix; ``None`` in the API server, which needs none."""
    from airflow.sdk import Variable

    if not in_task():
        return None
    try:
        return await asyncio.to_thread(lambda: list(Variable.keys(prefix=prefix)))
    except Exception as error:
        raise _unsure(f"Airflow did not list its Variables ({type(error).__name__})") from None


def _not_ours(key: str) -> Rejected:
    return Rejected(
        f"the Airflow Variable {key!r} does not hold what Nightshift wrote there",
        vendor=SIGN_IN,
        advice=f"If somebody edited it, delete it; then grant access anew: {PAGE}.",
    )


def _unsure(problem: str) -> Unreachable:
    return Unreachable(
        problem,
        vendor=SIGN_IN,
        advice="Nothing was asked at Autodesk and nothing was lost. Look at Airflow's API server, then clear the task.",
    )
