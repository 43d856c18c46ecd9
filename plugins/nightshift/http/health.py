"""How it stands with a connection, from what the tasks saw: its last good call and its last error, two small objects in
the lake, ``health/<connection>/good.json`` and ``health/<connection>/error.json``.

A task writes at its end, once, whatever it sent; it is never an error of the task. Nothing is decided by it:
it is shown.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from nightshift.errors import NotFound, Redirected, Rejected, TooLarge, VendorError
from nightshift.lake import objects
from nightshift.nesting import UNREADABLE
from nightshift.nights.place import lake_of_this_deployment
from nightshift.redaction import redact

if TYPE_CHECKING:
    from nightshift.lake.store import Lake

log = logging.getLogger(__name__)

FOLDER = "health"
LONGEST = 2_000
"""Characters of an error that are kept."""
ANSWERED = (NotFound, Rejected, TooLarge)
"""Errors of one request, which say that the connection itself is well, where the vendor has answered with them."""
PATIENCE = 5.0
"""Seconds that the end of a task waits for it."""


class CallSeen(msgspec.Struct, frozen=True):
    """What a task saw of a connection.

    :param at: when, ISO 8601, UTC
    :param kind: of an error: its class
    :param text: of an error: what it was and what to do, without secrets
    """

    connection: str
    at: str
    dag_id: str = ""
    run_id: str = ""
    task_id: str = ""
    kind: str = ""
    text: str = ""


@dataclass(frozen=True)
class ConnectionHealth:
    """The last good call of a connection, and its last error; ``None``: there was none."""

    good: CallSeen | None = None
    error: CallSeen | None = None


class CallLog:
    """What one client saw: the last of each, kept until its end."""

    def __init__(self, connection: str) -> None:
        self._connection = connection
        self._good: str | None = None
        self._error: tuple[str, VendorError] | None = None

    def good(self) -> None:
        """Note that the vendor answered."""
        self._good = datetime.now(UTC).isoformat()

    def broken(self, error: VendorError) -> None:
        """Note what is wrong with the connection, whatever it is called: it could not be opened, or signed in with, or
        something else answered in the vendor's place.
        """
        self._error = (datetime.now(UTC).isoformat(), error)

    def failed(self, error: VendorError, *, at_vendor: bool = True) -> None:
        """Note that a request came to nothing. Where the vendor only did not like it, the connection is well; where
        nothing was sent, it is not.

        :param at_vendor: whether it was sent to the vendor's own host
        """
        if self._error is not None and self._error[1] is error:
            return
        if not isinstance(error, ANSWERED) or isinstance(error, Redirected) or error.status is None:
            self.broken(error)
        elif at_vendor:
            self.good()

    async def keep(self) -> None:
        """Write what was seen, where this is a task. Never raises, and waits :data:`PATIENCE` at most."""
        seen = self._seen()
        self._good = self._error = None
        if not seen:
            return
        try:
            async with asyncio.timeout(PATIENCE):
                lake = await asyncio.to_thread(lake_of_this_deployment)
                store = await asyncio.to_thread(lake.objects, FOLDER)
                for name, one in seen.items():
                    await objects.awrite(store, f"{_folder_of(self._connection)}/{name}.json", msgspec.json.encode(one))
        except Exception as error:
            log.debug(
                "How it stands with the connection %s could not be kept (%s)", self._connection, type(error).__name__
            )

    def _seen(self) -> dict[str, CallSeen]:
        where = _task()
        if where is None:
            return {}
        found = {}
        if self._good is not None:
            found["good"] = CallSeen(self._connection, self._good, **where)
        if self._error is not None:
            at, error = self._error
            text = redact(str(error))[:LONGEST]
            found["error"] = CallSeen(self._connection, at, **where, kind=type(error).__name__, text=text)
        return found


async def read_health(lake: Lake, connections: Iterable[str]) -> dict[str, ConnectionHealth]:
    """Return connection → how it stands with it. Two small objects a connection."""
    store = await asyncio.to_thread(lake.objects, FOLDER)

    async def one(connection: str, name: str) -> CallSeen | None:
        text = await objects.aread(store, f"{_folder_of(connection)}/{name}.json")
        try:
            found = None if text is None else msgspec.json.decode(text, type=CallSeen)
        except UNREADABLE:
            return None
        return found if found is not None and found.connection == connection else None

    names = list(dict.fromkeys(connections))
    read = await asyncio.gather(*(one(name, what) for name in names for what in ("good", "error")))
    return {name: ConnectionHealth(read[2 * at], read[2 * at + 1]) for at, name in enumerate(names)}


def _folder_of(connection: str) -> str:
    """Return the folder of a connection: its id may have characters that no path has."""
    return hashlib.sha256(connection.encode()).hexdigest()[:24]


def _task() -> dict[str, Any] | None:
    """Return where a task runs; ``None``: this is none."""
    from airflow.sdk import get_current_context

    try:
        ti = get_current_context()["ti"]
    except RuntimeError:
        return None
    return {"dag_id": ti.dag_id, "run_id": ti.run_id, "task_id": ti.task_id}
