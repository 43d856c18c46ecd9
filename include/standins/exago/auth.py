"""Who calls: ``Authorization: Basic …`` and ``Authorization: ExagoKey …``, really checked (1.2)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import itertools
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import unquote

from include.standins.exago.switches import AuthType, ExagoSwitches
from include.standins.routing import Request

OLDEST = timedelta(minutes=15)
UNAUTHORIZED = "Unauthorized"
NOT_BASE64 = "Invalid length for a Base-64 char array or string."


class NotKnown(Exception):
    """Nobody that may call; the text is the vendor's reason."""


def signature(
    rest_key: str,
    method: str,
    path: str,
    *,
    length: str = "",
    content_type: str = "",
    md5: str = "",
    sid: str = "",
    date: str = "",
) -> str:
    """Return the HMAC-SHA256 of a request, in base 64, as ``ExagoKey`` wants it.

    :param path: absolute, without query
    :param length: ``Content-Length`` as text
    :param date: ``X-Exago-Date`` or ``Date`` as sent; empty: none is sent
    """
    signed = "".join(f"{part}\n" for part in (method, path, length, content_type, md5, sid, date))
    return base64.b64encode(hmac.digest(rest_key.encode(), signed.encode(), hashlib.sha256)).decode()


def caller(request: Request, switches: ExagoSwitches, now: datetime) -> str:
    """Return who calls.

    :param now: for the age of a signed date
    :raises NotKnown: nobody that may
    """
    kind, _, sent = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() not in [one.value for one in switches.auth_types]:
        raise NotKnown(UNAUTHORIZED)
    if kind.lower() == AuthType.BASIC:
        return _basic(sent.strip(), switches)
    user, _, given = sent.strip().rpartition(":")
    if not hmac.compare_digest(user.encode(), switches.user_id.encode()):
        raise NotKnown(UNAUTHORIZED)
    _fresh(request, now)
    if not any(hmac.compare_digest(given.encode(), right.encode()) for right in _right(request, switches)):
        raise NotKnown(UNAUTHORIZED)
    return user or "(blank)"


def _basic(sent: str, switches: ExagoSwitches) -> str:
    try:
        text = base64.b64decode(sent, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise NotKnown(NOT_BASE64) from None
    if not switches.secured and text == ":":
        return "(unsecured)"
    if not hmac.compare_digest(text.encode(), f"{switches.user_id}:{switches.rest_key}".encode()):
        raise NotKnown(UNAUTHORIZED)
    return switches.user_id or "(blank)"


def _right(request: Request, switches: ExagoSwitches) -> list[str]:
    """Return the signatures that are right for a request: of the path encoded or not, and of no length or 0."""
    headers, sid = request.headers, request.query.get("sid", "")
    lengths = [str(len(request.body))] if request.body else ["0", ""]
    return [
        signature(
            switches.rest_key,
            request.method,
            path,
            length=length,
            content_type=headers.get("Content-Type", ""),
            md5=headers.get("Content-MD5", ""),
            sid=sid,
            date=_date(request),
        )
        for path, length in itertools.product([request.raw_path, unquote(request.raw_path)], lengths)
    ]


def _date(request: Request) -> str:
    return request.headers.get("X-Exago-Date", "") or request.headers.get("Date", "")


def _fresh(request: Request, now: datetime) -> None:
    text = _date(request)
    if not text:
        return
    try:
        at = parsedate_to_datetime(text) if "," in text else datetime.fromisoformat(text)
    except ValueError:
        raise NotKnown(UNAUTHORIZED) from None
    if now - (at if at.tzinfo else at.replace(tzinfo=UTC)) > OLDEST:
        raise NotKnown(UNAUTHORIZED)
