"""The test button of a connection: one plain sentence that tells wrong password, wrong host, missing permission and
TLS apart.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from nightshift.http.hook import VendorHook

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


def _verdict_on(error: Exception) -> str:
    """Return what a person at the connection form is told."""
    if isinstance(error, VendorError):
        return f"{_VERDICTS.get(type(error), 'Failed')}. {error}"
    return f"Failed. {redact(f'{type(error).__name__}: {error}')}"


def tested(hook: VendorHook) -> tuple[bool, str]:
    """Run a hook's check once, with or without an event loop running in this thread, and return the verdict."""
    try:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return True, asyncio.run(_checked(hook))
        with ThreadPoolExecutor(1, thread_name_prefix="connection-test") as thread:
            return True, thread.submit(asyncio.run, _checked(hook)).result()
    except Exception as error:
        return False, _verdict_on(error)


async def _checked(hook: VendorHook) -> str:
    attempts, hook.backoff.attempts = hook.backoff.attempts, 1
    try:
        async with hook:
            _refuse_open_proxy(hook)
            told = await hook.check()
            is_unchecked = hook.settings.verify is False and hook.address.scheme == "https"
            return f"{told}. But {UNCHECKED}" if is_unchecked else told
    finally:
        hook.backoff.attempts = attempts


def _refuse_open_proxy(hook: VendorHook) -> None:
    """Refuse to test a connection that a person just changed to go through a proxy in the clear, with the password that
    is stored and that this person may not know.
    """
    if hook.settings.proxy.get("http") and hook.address.scheme == "http":
        raise Rejected(
            "a test through a proxy without TLS would show the stored credentials to whoever runs the proxy",
            vendor=hook.vendor,
            advice="Nothing was sent. Use https for the host, or test without the extra 'proxy'.",
        )
