"""What the sign-in page stores in the metadata database from within the API server, and the short texts that it seals.

Synchronous, so to be called in a thread.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import secrets
import time
from typing import Any, TypeVar

import msgspec
from airflow.configuration import conf
from airflow.models.connection import Connection
from airflow.models.crypto import get_fernet
from airflow.models.variable import Variable
from airflow.utils.session import create_session
from cryptography.fernet import InvalidToken
from sqlalchemy import select

from nightshift.errors import Rejected, VendorError
from nightshift.http.address import Address
from nightshift.http.hook import VendorHook
from nightshift.nesting import UNREADABLE
from nightshift.tokenflex import tokens
from nightshift.tokenflex.auth import SignInMethod, forget, sign_in_method, sign_in_method_of
from nightshift.tokenflex.oauth import Pkce
from nightshift.tokenflex.tokens import DESCRIPTIONS, PREFIX, Grant, Part, decode, encode, key_of
from nightshift.tokenflex.vocabulary import PAGE, SIGN_IN

log = logging.getLogger(__name__)

CONSENT_SECONDS = 600.0
"""Life of a sign-in under way; Autodesk's code ends after five minutes."""

S = TypeVar("S", bound=msgspec.Struct)


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in under way, bound to the user who started it; good for one callback.

    :param connection: id of the Airflow connection
    :param user: id of the Airflow user
    :param redirect_uri: callback URL, to the letter as it was sent
    :param ends: epoch seconds
    """

    connection: str
    user: str
    pkce: Pkce
    redirect_uri: str
    ends: float


class Ticket(msgspec.Struct, frozen=True, tag=True):
    """Proof that a form was made by this page for this user and connection; keeps a foreign page from sending it."""

    user: str
    connection: str


class Notice(msgspec.Struct, frozen=True, tag=True):
    """One message for a person.

    :param good: whether it tells of success
    """

    user: str
    text: str
    good: bool


def seal(record: Ticket | Notice) -> str:
    """Return a record encrypted and signed with Airflow's Fernet key."""
    return bytes(get_fernet().encrypt(msgspec.json.encode(record))).decode()


def unseal(text: str, kind: type[S], *, seconds: int) -> S | None:
    """Return a sealed record, ``None`` where it is not one, or is older than ``seconds``."""
    try:
        return msgspec.json.decode(get_fernet().decrypt(text.encode(), ttl=seconds), type=kind)
    except (InvalidToken, *UNREADABLE):
        return None


def encrypted() -> bool:
    """Return whether Airflow encrypts what it stores: whether it has a Fernet key."""
    return bool(get_fernet().is_encrypted)


def start(consent: Consent) -> str:
    """Store a sign-in under way and return its state; its hash is the key, so that a reader of the store cannot finish
    it.

    :raises Rejected: Airflow has no Fernet key
    """
    if not encrypted():
        raise Rejected(
            "Airflow has no Fernet key, so the tokens would be stored in clear text",
            vendor=SIGN_IN,
            advice="Set AIRFLOW__CORE__FERNET_KEY in all parts of Airflow, restart it, and try again.",
        )
    _sweep()
    state = secrets.token_urlsafe(32)
    _put(_consent_key(state), Part.CONSENT, consent)
    return state


def finish(state: str) -> Consent | None:
    """Take a sign-in under way out of the store; ``None`` where it is unknown, was taken before, or has ended."""
    key = _consent_key(state)
    text = _text(key)
    # The database says who has deleted the row, so of two callbacks with the same state only one goes on.
    if text is None or Variable.delete(key) != 1:
        return None
    consent = decode(text, Consent, key)
    return consent if consent.ends > time.time() else None


def save_grant(conn_id: str, grant: Grant) -> None:
    """Store a person's grant, in the place of an earlier one, of which this process holds no token any more."""
    _put(key_of(conn_id, Part.GRANT), Part.GRANT, grant)
    forget()


def by_team() -> bool:
    """Return whether connections belong to teams, which a process that is not told of one must keep apart."""
    return bool(conf.getboolean("core", "multi_team"))


def connections() -> list[Any]:
    """Return the Airflow connections of the type ``tokenflex``, from the database and the environment, by id."""
    with create_session() as session:
        found = {
            one.conn_id: one for one in session.scalars(select(Connection).where(Connection.conn_type == "tokenflex"))
        }
        session.expunge_all()
    for name in os.environ:
        if name.startswith("AIRFLOW_CONN_"):
            conn_id = name.removeprefix("AIRFLOW_CONN_").lower()
            try:
                one = Connection.get_connection_from_secrets(conn_id)
            except Exception as error:
                log.warning(
                    "The connection in the environment variable %s cannot be read (%s)", name, type(error).__name__
                )
                continue
            if one.conn_type == "tokenflex":
                found[conn_id] = one
    return [found[conn_id] for conn_id in sorted(found)]


async def saved_twin(hook: VendorHook) -> str:
    """Return the id of the saved connection whose grant the Test button may use, empty where the hook needs none.

    Airflow tests a copy of a connection under a name that it makes up, but a grant is kept by the name. The twin has
    the same address, so that its token goes nowhere else, and the same client id.

    :raises VendorError: nobody has granted access for such a connection; nothing was sent
    """
    if (
        tokens.in_task()
        or sign_in_method_of(hook) is not SignInMethod.THREE_LEGGED
        or await tokens.read_chain(hook.conn_id) is not None
    ):
        return ""
    saved = [] if by_team() else await asyncio.to_thread(connections)
    # The copy itself is among them, as a variable of the environment.
    alike = [one.conn_id for one in saved if one.conn_id != hook.conn_id.lower() and _is_twin(hook, one)]
    for conn_id in alike:
        if await tokens.read_chain(conn_id) is not None:
            return str(conn_id)
    raise VendorError(
        f"nobody has granted access for {' or '.join(map(repr, alike))} yet"
        if alike
        else "a three-legged sign-in is kept by the name of a saved connection, and none is saved with this URL and "
        "client id",
        vendor=hook.vendor,
        connection=next(iter(alike), ""),
        advice=f"Nothing was sent. Save the connection; then a person grants access once: {PAGE}.",
    )


def _is_twin(hook: VendorHook, saved: Any) -> bool:
    extras = saved.extra_dejson
    try:
        method = sign_in_method(extras.get("auth"), extras.get("token"))
        root = Address.of(saved.host, saved.port, saved.schema).root
    except (ValueError, Rejected):
        return False
    return (method, root, saved.login) == (SignInMethod.THREE_LEGGED, hook.address.root, hook.login)


def _sweep() -> None:
    with create_session() as session:
        pattern = Variable.key.startswith(PREFIX, autoescape=True) & Variable.key.endswith(
            f".{Part.CONSENT}", autoescape=True
        )
        rows = [(row.key, row.val) for row in session.scalars(select(Variable).where(pattern))]
    for key, text in rows:
        if not text or decode(text, Consent, key).ends <= time.time():
            Variable.delete(key)


def _consent_key(state: str) -> str:
    return key_of(hashlib.sha256(state.encode()).hexdigest(), Part.CONSENT)


def _put(key: str, part: Part, record: msgspec.Struct) -> None:
    Variable.set(key, encode(record), description=DESCRIPTIONS[part])


def _text(key: str) -> str | None:
    with create_session() as session:
        row = session.scalar(select(Variable).where(Variable.key == key))
        return None if row is None else row.val
