"""What a connection keeps secret: where it is, how it is sent, how the logs are kept clean of it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from nightshift.errors import Rejected

_SECRET_EXTRA = re.compile(
    r"(?i)token|secret|password|passphrase|credential|authorization|cookie|(?:^|[_-])key$|apikey"
)


def basic(login: str | None, password: str | None) -> dict[str, str]:
    """Return the header of HTTP Basic authentication, in UTF-8."""
    pair = f"{login or ''}:{password or ''}".encode()
    return {"Authorization": f"Basic {base64.b64encode(pair).decode('ascii')}"}


def bearer(token: str) -> dict[str, str]:
    """Return the header of a bearer token.

    :raises Rejected: the token is empty, or has a character that a header cannot hold
    """
    token = token.strip()
    if not token or not token.isascii() or not token.isprintable():
        raise Rejected(
            "the access token is empty or has characters that no token has",
            advice="Nothing was sent. Copy the token anew into the Airflow connection.",
        )
    return {"Authorization": f"Bearer {token}"}


def extras_of(connection: Any, *, vendor: str = "") -> dict[str, Any]:
    """Return the extras of an Airflow connection.

    :raises Rejected: the extra field is not a JSON object
    """
    if not connection.extra:
        return {}
    try:
        extras = msgspec.json.decode(connection.extra)
    except (msgspec.DecodeError, RecursionError):
        extras = None
    if not isinstance(extras, dict):
        raise Rejected(
            "the extra field of the Airflow connection is not a JSON object",
            vendor=vendor,
            advice="Correct the extra field; nothing was sent.",
        )
    return extras


def secrets_of(connection: Any, extras: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the texts of a connection that must never be read anywhere: its password, and the extras whose name says
    so.
    """
    found = {connection.password or "", *_secret_texts(extras, hidden=False)}
    if connection.password:
        found.add(basic(connection.login, connection.password)["Authorization"].removeprefix("Basic "))
    return tuple(sorted((text for text in found if len(text) >= 4), key=len, reverse=True))


async def mask(secrets: tuple[str, ...]) -> None:
    """Have Airflow mask the secrets in the logs of this process and of its supervisor."""
    from airflow.sdk.log import amask_secret

    for secret in secrets:
        await amask_secret(secret)


def _secret_texts(value: Any, *, hidden: bool) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _secret_texts(inner, hidden=hidden or bool(_SECRET_EXTRA.search(str(name))))
    elif isinstance(value, list):
        for inner in value:
            yield from _secret_texts(inner, hidden=hidden)
    elif hidden and isinstance(value, str):
        yield value
