"""The base of every stand-in vendor: its life, and the way of a request through it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import ssl
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Generic, Self, TypeVar, cast
from urllib.parse import unquote

import msgspec
from aiohttp import web

from include.standins.clock import Clock
from include.standins.control import Control
from include.standins.faults import SLOW, UNDONE, Fault, FaultKind, Faults
from include.standins.ledger import Entry, Ledger
from include.standins.routing import Refused, Request, Response, Route, Router
from include.standins.sockets import LOST, Listener, Sender, broken, compressed, instead
from include.standins.switches import Switches, turned

S = TypeVar("S", bound=Switches)
CONTROL = "/_standin"
KEPT_HEADERS = frozenset({"accept", "accept-encoding", "content-type", "content-length", "range", "user-agent"})
START_SECONDS = 10
KEPT_BUGS = 100


class StandInBroke(Exception):
    """A handler of the stand-in itself failed: a bug here, not a fault of the vendor that was asked for."""


class StandIn(Generic[S]):
    """One vendor's server; see the package's docstring for how to run and how to write one.

    :param port: port of the main listener; 0: a free one
    :param host: address to listen on; loopback unless there is a reason
    :param seed: of all generated data
    :param latency: seconds before each answer
    :param switches: the vendor's switches; default: their defaults. Checked here, so ``date_to="inclusive"`` will do
        for an enum
    :param clock: the time as the vendor sees it
    :param ledger_file: appended to, a JSON line an entry
    :param public_url: scheme, host and port that the vendor believes to have, for links in its answers; default: the
        real one
    :param tls: server context, to listen with https
    :param compress: gzip for clients that accept it
    :raises ValueError: a switch has a value that does not fit
    """

    name: ClassVar[str]
    root: ClassVar[str] = ""
    signs_in: ClassVar[Mapping[str, Any]] = {}
    """What a connection has besides its host: ``login``, ``password``, ``extra``; they open this stand-in only."""
    switches_type: ClassVar[type[Switches]] = Switches
    fault_kinds: ClassVar[frozenset[str]] = frozenset()
    secret_query: ClassVar[frozenset[str]] = frozenset()
    secret_headers: ClassVar[frozenset[str]] = frozenset({"authorization"})
    side_origins: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        seed: int = 7,
        latency: float = 0.0,
        switches: S | None = None,
        clock: Clock | None = None,
        ledger_file: Path | str | None = None,
        public_url: str | None = None,
        tls: ssl.SSLContext | None = None,
        compress: bool = False,
    ) -> None:
        self.seed = seed
        self.latency = latency
        self.switches: S = turned(switches if switches is not None else cast("S", self.switches_type()), {})
        self.clock = clock or Clock()
        self.ledger = Ledger(ledger_file)
        self.faults = Faults(self.fault_kinds)
        self._public_url = public_url
        self._compress = compress
        self._lock = threading.RLock()
        self._listeners = {origin: Listener(host, 0 if origin else port, tls) for origin in ("", *self.side_origins)}
        self._router = Router(self.root, self.routes())
        self._control = Control(self)
        self._bugs: list[str] = []
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Event | None = None

    # What a vendor overrides.

    def routes(self) -> Sequence[Route]:
        raise NotImplementedError  # there is no vendor without its own

    def authenticate(self, request: Request) -> str:
        """Return who calls.

        :raises Refused: nobody that may
        """
        return ""

    def page_of(self, request: Request) -> int | None:
        """Return the page that a call asks for, as faults count pages."""
        return None

    def error(self, status: int, text: str) -> Response:
        return Response.json(status, {"message": text})

    async def started(self) -> None:
        """Begin background work; the ports are open."""

    async def stopped(self) -> None:
        """End background work; the ports are closed."""

    # What others use.

    @property
    def url(self) -> str:
        """What a person pastes into a connection: scheme, host, port and context path."""
        return self._listeners[""].url + self.root

    @property
    def public_url(self) -> str:
        return (self._public_url or self._listeners[""].url) + self.root

    def origin(self, name: str) -> str:
        """Return scheme, host and port of a listener of :attr:`side_origins`, or of the main one (empty name)."""
        return self._listeners[name].url

    def turn(self, **changes: Any) -> None:
        """Turn switches while the server runs.

        :raises ValueError: no such switch, or a value that does not fit
        """
        with self._lock:
            self.switches = turned(self.switches, changes)

    def release(self) -> None:
        """Let all answers go that a fault holds; may be called from any thread."""
        if self._loop:
            for listener in self._listeners.values():
                self._loop.call_soon_threadsafe(listener.release)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of the vendor's state; never across an ``await``."""
        with self._lock:
            yield

    # Life.

    async def start(self) -> None:
        """Listen, in the running event loop.

        :raises OSError: the port is taken
        """
        self._loop = asyncio.get_running_loop()
        try:
            for origin, listener in self._listeners.items():

                async def handle(incoming: web.BaseRequest, origin: str = origin) -> web.StreamResponse:
                    return await self._handle(incoming, origin)

                await listener.start(handle, self.ledger.closed)
            await self.started()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        for listener in self._listeners.values():
            await listener.stop()
        await self.stopped()
        self.ledger.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.stop()
        self._own_up(kind)

    def __enter__(self) -> Self:
        ready: list[BaseException | None] = []
        listening = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._live(ready, listening)), name=f"standin-{self.name}", daemon=True
        )
        self._thread.start()
        if not listening.wait(START_SECONDS):
            raise TimeoutError(f"the stand-in {self.name} did not listen within {START_SECONDS} s")
        if ready[0] is not None:
            raise ready[0]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._loop and self._ended and self._thread:
            self._loop.call_soon_threadsafe(self._ended.set)
            self._thread.join(START_SECONDS)
        self._own_up(kind)

    async def _live(self, ready: list[BaseException | None], listening: threading.Event) -> None:
        self._ended = asyncio.Event()
        try:
            await self.start()
        except BaseException as error:  # noqa: BLE001, RUF100 -- handed to the thread that waits
            ready.append(error)
            listening.set()
            return
        ready.append(None)
        listening.set()
        await self._ended.wait()
        await self.stop()

    def _own_up(self, kind: type[BaseException] | None) -> None:
        if self._bugs and kind is None:
            raise StandInBroke(f"the stand-in {self.name} failed {len(self._bugs)} times; the first:\n{self._bugs[0]}")

    # The way of a request.

    async def _handle(self, incoming: web.BaseRequest, origin: str) -> web.StreamResponse:
        raw_path = incoming.raw_path.partition("?")[0]
        if raw_path == CONTROL or raw_path.startswith(CONTROL + "/"):
            body = await incoming.content.read()
            response = await self._control.answer(incoming.method, raw_path[len(CONTROL) :], incoming.query, body)
            return await Sender(incoming, self._listeners[origin]).send(response, None)
        number = self.ledger.next_number()
        leaving = _Once(self.ledger.leaving)
        sender = Sender(incoming, self._listeners[origin], leaving)
        whole = False
        try:
            sent = await self._answer(incoming, origin, raw_path, number, sender)
            whole = True
        except ConnectionError:
            sent = sender.hang_up(abruptly=True)
        finally:
            leaving()
            self.ledger.finish(number, sent=sender.sent, aborted=not whole)
        return sent

    async def _answer(
        self, incoming: web.BaseRequest, origin: str, raw_path: str, number: int, sender: Sender
    ) -> web.StreamResponse:
        at, began = time.time(), time.monotonic()
        request = Request(
            number=number,
            origin=origin,
            method=incoming.method,
            path=unquote(raw_path),
            raw_path=raw_path,
            query=incoming.query,
            headers=incoming.headers,
            body=await incoming.content.read(),
            connection=self._listeners[origin].connection(incoming),
            sink=self.ledger.effect,
        )
        found = self._router.find(origin, incoming.method, raw_path)
        request.parts = found.parts
        request.page = self.page_of(request)
        request.faults = self.faults.due(request)
        delays = {fault.kind: fault.seconds for fault in request.faults if fault.kind in SLOW}
        breaking = next((f for f in request.faults if f.kind in _GENERIC and f.kind not in SLOW), None)
        await asyncio.sleep(self.latency + delays.get(FaultKind.DELAY, 0.0))
        response = await self._decide(request, found.route, found.allowed, breaking)
        if FaultKind.DELAY_ANSWER in delays:
            await asyncio.sleep(delays[FaultKind.DELAY_ANSWER])
        if self._compress and "gzip" in incoming.headers.get("Accept-Encoding", ""):
            response = compressed(response)
        if breaking:
            response = broken(response, breaking)
        route = f"{incoming.method} {found.route.path}" if found.route else f"{incoming.method} (no route)"
        self.ledger.answered(self._entry(request, route, response, breaking, at, began))
        return await sender.send(response, breaking)

    async def _decide(
        self, request: Request, route: Route | None, allowed: frozenset[str], breaking: Fault | None
    ) -> Response:
        if breaking and breaking.kind in UNDONE:
            return instead(breaking)
        try:
            if route is None:
                if allowed:
                    response = self.error(405, f"{request.method} is not possible here")
                    return Response(
                        **{**vars(response), "headers": {**response.headers, "Allow": ", ".join(sorted(allowed))}}
                    )
                return self.error(404, "There is nothing at this path.")
            if not route.public:
                request.user = self.authenticate(request)
            return await route.handler(request)
        except Refused as refused:
            return refused.response
        except Exception:  # noqa: BLE001, RUF100 -- a bug of the stand-in must not look like the vendor's doing
            bug = f"{request.method} {request.path}\n{traceback.format_exc()}"
            print(bug, file=sys.stderr)
            if len(self._bugs) < KEPT_BUGS:
                self._bugs.append(bug)
            return Response.text(500, "The stand-in itself failed; its log says why.")

    def _entry(
        self, request: Request, route: str, response: Response, breaking: Fault | None, at: float, began: float
    ) -> Entry:
        shown = {name: request.headers[name] for name in KEPT_HEADERS if name in request.headers}
        query = tuple((n, "***" if n in self.secret_query else v) for n, v in request.query.items())
        lost = breaking is not None and breaking.kind in LOST
        return Entry(
            number=request.number,
            origin=request.origin,
            method=request.method,
            path=self.shown_path(request),
            route=route,
            query=query,
            headers=shown,
            body_bytes=len(request.body),
            connection=request.connection,
            at=at,
            started=began,
            credential=self._fingerprint(request),
            user=request.user,
            page=request.page,
            status=None if lost else response.status,
            faults=tuple(fault.kind for fault in request.faults),
        )

    def shown_path(self, request: Request) -> str:
        """Return the path as the ledger keeps it; overridden where a part of it is a secret."""
        return request.path

    def _fingerprint(self, request: Request) -> str | None:
        secrets = [request.headers[name] for name in sorted(self.secret_headers) if name in request.headers]
        secrets += [request.query[name] for name in sorted(self.secret_query) if name in request.query]
        return hashlib.sha256("\n".join(secrets).encode()).hexdigest()[:12] if secrets else None

    def described(self) -> dict[str, Any]:
        origins = {name: listener.url for name, listener in self._listeners.items() if name}
        return {
            "vendor": self.name,
            "url": self.url,
            "origins": origins,
            "seed": self.seed,
            "latency": self.latency,
            "now": self.clock.now().isoformat(),
            "switches": msgspec.to_builtins(self.switches),
            "fault_kinds": sorted({*map(str, FaultKind), *self.fault_kinds}),
            "bugs": len(self._bugs),
        }


class _Once:
    """Calls a function the first time it is called."""

    def __init__(self, function: Callable[[], None]) -> None:
        self._function: Callable[[], None] | None = function

    def __call__(self) -> None:
        function, self._function = self._function, None
        if function:
            function()


_GENERIC = frozenset(FaultKind)
