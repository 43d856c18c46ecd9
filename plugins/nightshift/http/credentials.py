"""What a connection keeps secret: where it is, how it is sent, how the logs are kept clean of it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from nightshift.errors import Rejected
from nightshift.http.bodies import json_object
from nightshift.known_secrets import remember

_SECRET_EXTRA = re.compile(
    r"(?i)token|secret|password|passwd|passphrase|credential|auth|cookie|session|signature"
    r"|(?:^|[_-])(?:key|sid|pwd)$|apikey"
)
# Extras whose name sounds like a secret and whose value is none.
_OPEN_EXTRAS = frozenset({"auth", "auth_form", "refresh_token_days", "session"})


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
    if (extras := json_object(connection.extra.encode(errors="surrogatepass"))) is None:
        raise Rejected(
            "the extra field of the Airflow connection is not a JSON object",
            vendor=vendor,
            advice="Correct the extra field; nothing was sent.",
        )
    return extras


def secrets_of(connection: Any, extras: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the texts of a connection that must never be read anywhere: its password, the extras and headers whose
    name says so, and the passwords within URLs, such as a proxy's.
    """
    closed = {name: value for name, value in extras.items() if name not in _OPEN_EXTRAS}
    found = {connection.password or "", *_secret_texts(closed, hidden=False)}
    if connection.password:
        found.add(basic(connection.login, connection.password)["Authorization"].removeprefix("Basic "))
    return tuple(sorted((text for text in found if text), key=len, reverse=True))


async def mask(secrets: tuple[str, ...]) -> None:
    """Keep the secrets out of every error of this process, and out of its logs and those of its supervisor."""
    from airflow.sdk.log import amask_secret

    for secret in secrets:
        remember(secret)
        await amask_secret(secret)


def _secret_texts(value: Any, *, hidden: bool) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _secret_texts(inner, hidden=hidden or bool(_SECRET_EXTRA.search(str(name))))
    elif isinstance(value, list):
        for inner in value:
            yield from _secret_texts(inner, hidden=hidden)
    elif isinstance(value, str):
        if hidden:
            yield value
            # The token alone, too, of a header such as "Bearer …".
            yield value.rpartition(" ")[2]
        yield from _password_of(value)


def _password_of(text: str) -> Iterator[str]:
    """Return the password of a URL, as it is written there and as it is sent."""
    try:
        parts = urlsplit(text) if "://" in text else None
        password = parts.password if parts else None
    except ValueError:
        return
    if parts is not None and password:
        yield password
        yield unquote(password)
        yield basic(unquote(parts.username or ""), unquote(password))["Authorization"].removeprefix("Basic ")
