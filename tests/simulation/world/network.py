"""A network in memory, between unmodified aiohttp clients and servers, that delays, cuts, loses, stalls and repeats.

What a connection has to suffer is drawn when it is made. Bytes of one direction arrive in order; those of different
connections overtake each other.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any

from tests.simulation.world.loop import PROCESS, Process, SimLoop

FIRST_PORT = 20000


class Ill(StrEnum):
    """What befalls a connection."""

    NOTHING = "nothing"
    REFUSED = "refused"
    REQUEST_LOST = "request_lost"
    """It breaks before the request has arrived."""
    ANSWER_LOST = "answer_lost"
    """It breaks when the request has arrived, before or inside of the answer."""
    REQUEST_LATE = "request_late"
    ANSWER_LATE = "answer_late"
    REPEATED = "repeated"
    """Something in between sends a request that changes nothing once more, and keeps the second answer."""


@dataclass(frozen=True)
class Weather:
    """How bad the network is.

    :param ills: share of connections that suffer at all
    :param latency: seconds one way, at most
    :param late: seconds by which what is late is late, at most
    """

    ills: float = 0.0
    latency: float = 0.1
    late: float = 45.0


CALM = Weather(latency=0.02)


class FakeSocket:
    """What aiohttp and a stand-in ask of a socket."""

    family = socket.AF_INET
    type = socket.SOCK_STREAM
    proto = 0

    def __init__(self, port: int) -> None:
        self.port = port

    def setsockopt(self, *_: Any) -> None:
        return None

    def getsockname(self) -> tuple[str, int]:
        return ("127.0.0.1", self.port)

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        return None


class Line(asyncio.Transport):
    """One end of a connection.

    :param process: whose end it is, ``None``: the world's
    :param context: in which its protocol is told what happens
    """

    def __init__(self, network: Network, protocol: Any, port: int, context: Context) -> None:
        super().__init__()
        self._network = network
        self._loop = network.loop
        self._protocol = protocol
        self._context = context
        self._process: Process | None = context.get(PROCESS)
        self._socket = FakeSocket(port)
        self._closing = self._lost = False
        self._reading = True
        self._waiting: deque[bytes] = deque()
        self._last = 0.0
        self.peer: Line | None = None
        self.ill = Ill.NOTHING
        self.budget = 0
        """Bytes that still pass before an ill strikes."""
        self.pause = 0.0
        self.sent = bytearray()
        if self._process is not None:
            self._process.lines.add(self)

    # As asyncio has it.

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"socket": self._socket, "peername": ("127.0.0.1", 9), "sockname": self._socket.getsockname()}.get(
            name, default
        )

    def set_protocol(self, protocol: Any) -> None:
        self._protocol = protocol

    def get_protocol(self) -> Any:
        return self._protocol

    def is_closing(self) -> bool:
        return self._closing

    def is_reading(self) -> bool:
        return self._reading

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        if not self._reading:
            self._reading = True
            self._tell(self._deliver)

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        return None

    def can_write_eof(self) -> bool:
        return False

    def write(self, data: Any) -> None:
        if self._closing or self.peer is None or (self._process is not None and self._process.dead) or not data:
            return
        piece = bytes(data)
        self.sent += piece
        self._network.sends(self, piece)

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        self._arrives(None)
        self._tell(self._gone, None)

    def abort(self) -> None:
        if self._lost:
            return
        self._closing = True
        self._arrives(ConnectionResetError(errno.ECONNRESET, "reset"))
        self._tell(self._gone, None)

    # What the network does.

    def send(self, piece: bytes) -> None:
        """Let bytes arrive at the other end, after all that was sent before."""
        self._arrives(piece)

    def _arrives(self, what: Any) -> None:
        peer = self.peer
        if peer is None:
            return
        late, self.pause = self.pause, 0.0
        # Strictly later: what falls on one moment may come in any order.
        self._last = max(self._last + 1e-6, self._loop.time() + self._network.latency() + late)
        self._loop.call_at(self._last, peer._comes, what, context=peer._context.copy())

    def _tell(self, function: Callable[..., object], *args: Any) -> None:
        self._loop.call_soon(function, *args, context=self._context.copy())

    def _comes(self, what: Any) -> None:
        if self._lost:
            return
        if isinstance(what, bytes):
            self._waiting.append(what)
            self._deliver()
        elif isinstance(what, Exception):
            self._waiting.clear()
            self._gone(what)
        else:
            self._waiting.append(b"")
            self._deliver()

    def _deliver(self) -> None:
        while self._reading and self._waiting and not self._lost:
            piece = self._waiting.popleft()
            if piece:
                if not self._closing:
                    self._protocol.data_received(piece)
            elif not self._protocol.eof_received():
                self.close()

    def _gone(self, error: Exception | None) -> None:
        if not self._lost:
            self._lost = self._closing = True
            if self._process is not None:
                self._process.lines.discard(self)
            self._protocol.connection_lost(error)

    def break_off(self) -> None:
        """Break, as a connection does whose process ends, or that something in between has dropped."""
        self._lost = self._closing = True
        if self._process is not None:
            self._process.lines.discard(self)
        self._arrives(ConnectionResetError(errno.ECONNRESET, "reset"))

    def drop(self) -> None:
        """Break for both ends."""
        self._closing = True
        self._tell(self._gone, ConnectionResetError(errno.ECONNRESET, "reset"))
        self._arrives(ConnectionResetError(errno.ECONNRESET, "reset"))


class _Server(asyncio.AbstractServer):
    def __init__(self, network: Network, port: int) -> None:
        self._network, self._port = network, port
        self.sockets = [FakeSocket(port)]

    def close(self) -> None:
        self._network.servers.pop(self._port, None)

    async def wait_closed(self) -> None:
        return None


class _Nobody(asyncio.Protocol):
    """Takes an answer that nobody reads."""


class Network:
    """All that listens, and the way to it.

    :param random: draws latencies and ills
    :param harm: told of each ill that strikes, for the trace
    """

    def __init__(self, loop: SimLoop, random: Random, harm: Callable[[str], None]) -> None:
        self.loop = loop
        self.random = random
        self.weather = CALM
        self.servers: dict[int, tuple[Callable[[], Any], Context]] = {}
        self.never_again: tuple[bytes, ...] = ()
        """Beginnings of requests that nothing in between repeats besides those that change something."""
        self.on_answer: Callable[[Line, Process | None], None] = lambda line, process: None
        """Told before an answer to a request that changes something is delivered."""
        self._harm = harm
        loop.create_server = self._serve  # type: ignore[method-assign, assignment]
        loop.create_connection = self._connect  # type: ignore[method-assign, assignment]

    def latency(self) -> float:
        return 0.0005 + self.weather.latency * self.random.random() ** 3

    async def _serve(self, factory: Any, host: Any = None, port: Any = None, **_: Any) -> _Server:
        port = port or FIRST_PORT + len(self.servers)
        self.servers[port] = (factory, copy_context())
        return _Server(self, port)

    async def start_connection(self, addr_infos: Any, **_: Any) -> FakeSocket:
        """Be :func:`aiohappyeyeballs.start_connection`."""
        port = addr_infos[0][4][1]
        await asyncio.sleep(2 * self.latency())
        if port not in self.servers or (self.weather.ills and self.random.random() < self.weather.ills / 6):
            self._harm("refused")
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed")
        return FakeSocket(port)

    async def _connect(self, factory: Any, host: Any = None, port: Any = None, *, sock: Any = None, **_: Any) -> Any:
        port = sock.port if sock is not None else port
        if port not in self.servers:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed")
        client = self._joined(factory(), copy_context(), port)
        self._draw(client)
        return client, client.get_protocol()

    def _joined(self, protocol: Any, context: Context, port: int) -> Line:
        make, theirs = self.servers[port]
        server = Line(self, theirs.run(make), port, theirs)
        client = Line(self, protocol, port, context)
        client.peer, server.peer = server, client
        self.loop.call_soon(server.get_protocol().connection_made, server, context=theirs.copy())
        protocol.connection_made(client)
        return client

    def _draw(self, client: Line) -> None:
        """Draw what befalls a connection."""
        random, weather = self.random, self.weather
        if not weather.ills or random.random() >= weather.ills or client._process is None:
            return
        client.ill = random.choice(
            (Ill.REQUEST_LOST, Ill.ANSWER_LOST, Ill.ANSWER_LOST, Ill.REQUEST_LATE, Ill.ANSWER_LATE, Ill.REPEATED)
        )
        client.budget = random.choice((0, 0, 200, 900, 3000))
        server = client.peer
        if server is not None and client.ill in (Ill.ANSWER_LOST, Ill.ANSWER_LATE):
            server.ill, client.ill = client.ill, Ill.NOTHING
            server.budget = random.choice((0, 0, 60, 400, 2000))

    def sends(self, line: Line, piece: bytes) -> None:
        """Let a piece go, or let happen what befalls its connection."""
        ill = line.ill
        if ill is Ill.NOTHING:
            self._goes(line, piece)
            return
        if len(piece) <= line.budget:
            line.budget -= len(piece)
            self._goes(line, piece)
            return
        line.ill = Ill.NOTHING
        self._harm(ill)
        if ill in (Ill.REQUEST_LOST, Ill.ANSWER_LOST):
            if line.budget:
                line.send(piece[: line.budget])
            line.drop()
            return
        if ill in (Ill.REQUEST_LATE, Ill.ANSWER_LATE):
            line.pause = self.weather.late * self.random.random()
        elif bytes(line.sent).startswith((b"GET ", b"DELETE ")):
            self.loop.call_later(self.random.random() * 2, self._again, line, bytes(line.sent), context=Context())
        self._goes(line, piece)

    def _goes(self, line: Line, piece: bytes) -> None:
        peer = line.peer
        if peer is not None and peer._process is not None and peer.sent.startswith(b"POST "):
            self.on_answer(peer, peer._process)
        line.send(piece)

    def _again(self, line: Line, request: bytes) -> None:
        port = line._socket.port
        if port in self.servers:
            other = self._joined(_Nobody(), copy_context(), port)
            other.write(request)
            self.loop.call_later(30.0, other.close)
