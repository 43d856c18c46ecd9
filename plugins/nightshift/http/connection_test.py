"""The test button of a connection: one plain sentence that tells wrong password, wrong host, missing permission and
TLS apart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from nightshift.errors import (
    AuthFailed,
    BadResponse,
    Forbidden,
    NotFound,
    RateLimited,
    Rejected,
    Unreachable,
    VendorError,
)
from nightshift.redaction import redact

UNCHECKED = "its certificate is not checked, so whoever is between here and there can take its place"
"""What is said of a connection whose extra ``verify`` is false."""
_VERDICTS: dict[type[VendorError], str] = {
    AuthFailed: "Login refused",
    Forbidden: "Logged in, but a permission is missing",
    NotFound: "Reached, but not the right host or path",
    BadResponse: "Reached, but not the right host or path",
    Unreachable: "Not reached",
    RateLimited: "Reached, but asked too often",
    Rejected: "The connection or the request is wrong",
}


def verdict_on(error: Exception) -> str:
    """Return what a person at the connection form is told."""
    if isinstance(error, VendorError):
        return f"{_VERDICTS.get(type(error), 'Failed')}. {error}"
    return f"Failed. {redact(f'{type(error).__name__}: {error}')}"


def run_check(check: Coroutine[Any, Any, str]) -> tuple[bool, str]:
    """Run a check to its end, with or without an event loop running in this thread, and return the verdict."""
    try:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return True, asyncio.run(check)
        with ThreadPoolExecutor(1, thread_name_prefix="connection-test") as thread:
            return True, thread.submit(asyncio.run, check).result()
    except Exception as error:
        return False, verdict_on(error)
