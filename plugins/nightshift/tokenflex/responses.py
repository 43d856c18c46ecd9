"""What an error answer of Token Flex or of the gateway before it means.

Token Flex reference, section 5: two families of bodies, one with a key that has a blank in it, or no body at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from nightshift.errors import AuthFailed, Forbidden, RateLimited, Unreachable, VendorError
from nightshift.http.response import Response
from nightshift.retry_after import retry_after

DETAIL_KEYS = (
    "Code", "Message", "errorCode", "developerMessage", "userMessage", "error", "error_description", "message",
)  # fmt: skip
QUEUE_WAIT = 60.0
"""Seconds to wait where a 429 does not say: 50 exports may be pending, and one has to end first."""

_GRANT = "in Airflow open Admin, Token Flex sign-in"
_GATEWAY: Mapping[str, tuple[type[VendorError], str, str]] = {
    "AUTH-001": (
        Forbidden, "the client id is not entitled to this API",
        "Have Autodesk entitle the client id of the Airflow connection to the Token Flex API, then clear the task.",
    ),
    "AUTH-002": (
        Forbidden, "the client id may not call this endpoint",
        "Have Autodesk entitle the client id of the Airflow connection to the Token Flex API, then clear the task.",
    ),
    "AUTH-003": (
        AuthFailed, "the client secret is wrong",
        "Correct the password (the client secret) of the Airflow connection, then clear the task.",
    ),
    "AUTH-004": (
        AuthFailed, "the scope is not one that this client id may have",
        f"Grant access anew with data:read and data:write: {_GRANT}.",
    ),
    "AUTH-010": (
        Forbidden, "the access token lacks a scope",
        f"An export needs data:read and data:write. Grant access anew with both: {_GRANT}; then clear the task.",
    ),
}  # fmt: skip


def meaning_of(response: Response) -> VendorError | None:
    """Return the error that an answer means where its status says too little; ``None``: what the status says.

    A 429 that names no time gets one: it is then waited for without a worker instead of asked again at once.
    """
    if response.status < 400:
        return None
    code, words = _read(response)
    if response.status == 429 or code == "ERR-001":
        asked = retry_after(response.headers)
        return RateLimited(
            "too many requests, or too many pending exports", status=response.status, detail=words,
            retry_after=QUEUE_WAIT if asked is None else asked,
            advice="Nothing was lost. Token Flex counts 5 requests a minute and 50 pending exports for all programs of one user "
            "together: look for others, then clear the task.",
        )  # fmt: skip
    if response.is_page and response.status in (400, 404):
        return Unreachable(
            "a page of a web server or proxy came where Token Flex answers in JSON", status=response.status,
            advice="Nothing is concluded from it. If it lasts, check the host of the Airflow connection and the proxy, then "
            "clear the task.",
        )  # fmt: skip
    if code in _GATEWAY:
        kind, problem, advice = _GATEWAY[code]
        return kind(problem, status=response.status, detail=words, advice=advice)
    return None


def _read(response: Response) -> tuple[str, str]:
    try:
        found: Any = msgspec.json.decode(response.body) if len(response.body) <= 65536 else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = None
    if not isinstance(found, dict):
        return "", ""
    words = " · ".join(dict.fromkeys(str(found[key]) for key in DETAIL_KEYS if found.get(key)))
    return str(found.get("errorCode") or ""), words
