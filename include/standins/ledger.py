"""The ledger: every request that came and everything that was done because of it."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, TypeVar

import msgspec

KEPT = 50_000
T = TypeVar("T")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One request. Times: ``started`` and ``finished`` in seconds of the monotonic clock, ``at`` in seconds since 1970.

    ``status`` is what the client was (to be) sent, ``None`` where it got no answer; ``sent`` the bytes of the body that
    were written; ``finished`` is ``None`` until the answer is out. ``credential`` is a fingerprint of what the client
    sent to identify itself, ``None`` where it sent nothing; ``user`` is whom the vendor recognised. ``faults`` are the
    kinds that were due.
    """

    number: int
    origin: str
    method: str
    path: str
    route: str
    query: tuple[tuple[str, str], ...]
    headers: dict[str, str]
    body_bytes: int
    connection: int
    at: float
    started: float
    credential: str | None = None
    user: str | None = None
    page: int | None = None
    status: int | None = None
    faults: tuple[str, ...] = ()
    sent: int = 0
    finished: float | None = None
    aborted: bool = False


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was done at the vendor, by request ``request``."""

    number: int
    kind: str
    key: str
    detail: dict[str, Any]
    request: int
    at: float


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """Counts since the start or the last clear, of everything, kept or not.

    ``connections`` are TCP connections that carried at least one request; ``by_status`` has keys such as ``"200"`` and
    ``"none"`` (no answer); ``by_route`` keys such as ``"GET /data/api/{version}/report/{group}"``.
    """

    requests: int
    effects: int
    connections: int
    in_flight: int
    max_in_flight: int
    body_bytes_sent: int
    by_status: dict[str, int]
    by_route: dict[str, int]
    by_effect: dict[str, int]


class Ledger:
    """Requests and effects, the last ones kept, all counted; safe to read from any thread.

    :param file: a file to which each entry is appended as a JSON line, flushed at once
    :param kept: how many requests, and how many effects, are kept in memory
    """

    def __init__(self, file: Path | str | None = None, *, kept: int = KEPT) -> None:
        self._lock = threading.RLock()
        self._news = threading.Condition(self._lock)
        self._kept = kept
        self._file: IO[bytes] | None = None
        if file:
            self._file = Path(file).open("ab", buffering=0)  # noqa: SIM115 -- held open until close()
        self._number = 0
        self._effect_number = 0
        self._in_flight = 0
        self.clear()

    def clear(self) -> None:
        """Forget all entries and counts; numbers go on, and a file keeps its lines."""
        with self._lock:
            self._requests: OrderedDict[int, Entry] = OrderedDict()
            self._effects: deque[Effect] = deque(maxlen=self._kept)
            self._counted: dict[str, Counter[str]] = {"status": Counter(), "route": Counter(), "effect": Counter()}
            self._connections: set[int] = set()
            self._lost_connections = 0
            self._seen = 0
            self._sent = 0
            self._max_in_flight = self._in_flight

    def close(self) -> None:
        with self._lock:
            if self._file:
                self._file.close()
                self._file = None

    def requests(
        self,
        *,
        method: str | None = None,
        path: str | None = None,
        status: int | None = None,
        user: str | None = None,
        fault: str | None = None,
        origin: str | None = None,
        since: int = 0,
    ) -> list[Entry]:
        """Return the requests that are kept, oldest first.

        :param path: regular expression, searched in the decoded path
        :param fault: a kind of fault that was due in the request
        :param since: only requests with a number above this one
        """
        with self._lock:
            found = list(self._requests.values())
        return [
            entry
            for entry in found
            if entry.number > since
            and (method is None or entry.method == method)
            and (path is None or re.search(path, entry.path))
            and (status is None or entry.status == status)
            and (user is None or entry.user == user)
            and (fault is None or fault in entry.faults)
            and (origin is None or entry.origin == origin)
        ]

    def effects(self, *, kind: str | None = None, key: str | None = None, since: int = 0) -> list[Effect]:
        """Return the effects that are kept, oldest first.

        :param since: only effects with a number above this one
        """
        with self._lock:
            found = list(self._effects)
        return [
            entry
            for entry in found
            if entry.number > since and (kind is None or entry.kind == kind) and (key is None or entry.key == key)
        ]

    def wait_for_request(self, *, within: float = 10.0, **filters: Any) -> Entry:
        """Return the first request that fits, as soon as it is here; also one that a fault holds. Not from the server's
        own thread.

        :param within: seconds
        :param filters: of :meth:`requests`
        :raises TimeoutError: none came
        """
        return self._first(lambda: self.requests(**filters), within, filters)

    def wait_for_effect(self, *, within: float = 10.0, **filters: Any) -> Effect:
        """Return the first effect that fits, as :meth:`wait_for_request` does.

        :raises TimeoutError: none came
        """
        return self._first(lambda: self.effects(**filters), within, filters)

    def _first(self, find: Callable[[], list[T]], within: float, filters: Mapping[str, Any]) -> T:
        with self._news:
            if not self._news.wait_for(find, within):
                raise TimeoutError(f"within {within:g} s the ledger has nothing that fits {dict(filters)}")
            return find()[0]

    def stats(self) -> Stats:
        with self._lock:
            return Stats(
                requests=self._seen,
                effects=self._counted["effect"].total(),
                connections=len(self._connections) + self._lost_connections,
                in_flight=self._in_flight,
                max_in_flight=self._max_in_flight,
                body_bytes_sent=self._sent,
                by_status=dict(self._counted["status"]),
                by_route=dict(self._counted["route"]),
                by_effect=dict(self._counted["effect"]),
            )

    def next_number(self) -> int:
        """Return the number of the request that comes in now, and count it as in flight until :meth:`leaving`."""
        with self._lock:
            self._number += 1
            self._in_flight += 1
            self._max_in_flight = max(self._max_in_flight, self._in_flight)
            return self._number

    def answered(self, entry: Entry) -> None:
        with self._lock:
            self._seen += 1
            self._connections.add(entry.connection)
            self._counted["status"][str(entry.status or "none")] += 1
            self._counted["route"][entry.route] += 1
            self._requests[entry.number] = entry
            while len(self._requests) > self._kept:
                self._requests.popitem(last=False)
            self._append({"request": entry})
            self._news.notify_all()

    def leaving(self) -> None:
        """Note that one request less is in flight; called before the client can know that its answer is over."""
        with self._lock:
            self._in_flight -= 1

    def finish(self, number: int, *, sent: int, aborted: bool) -> None:
        """Note that the answer is out, or that the client left before its end."""
        with self._lock:
            self._sent += sent
            entry = self._requests.get(number)
            if entry is not None:
                self._requests[number] = msgspec.structs.replace(
                    entry, sent=sent, aborted=aborted, finished=time.monotonic()
                )

    def closed(self, connection: int) -> None:
        """Note that a TCP connection is gone, so that its number need not be kept."""
        with self._lock:
            if connection in self._connections:
                self._connections.discard(connection)
                self._lost_connections += 1

    def effect(self, kind: str, key: str, detail: Mapping[str, Any], request: int = 0) -> None:
        """Write a side effect, at once.

        :param request: number of the request that did it; 0: the vendor by itself
        """
        with self._lock:
            self._effect_number += 1
            entry = Effect(
                number=self._effect_number, kind=kind, key=key, detail=dict(detail), request=request, at=time.time()
            )
            self._effects.append(entry)
            self._counted["effect"][kind] += 1
            self._append({"effect": entry})
            self._news.notify_all()

    def _append(self, line: Mapping[str, Entry | Effect]) -> None:
        if self._file:
            self._file.write(msgspec.json.encode(line) + b"\n")
