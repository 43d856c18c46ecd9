"""Short texts that leave the server and must come back as they were: the token of a form, the notice after a redirect."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from airflow.models.crypto import get_fernet
from cryptography.fernet import InvalidToken

S = TypeVar("S", bound=msgspec.Struct)


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
    except (InvalidToken, msgspec.DecodeError, UnicodeError):
        return None
