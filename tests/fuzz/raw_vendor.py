"""A vendor that sends any bytes, and another host that must hear nothing of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

SILENT = 0.05
"""Seconds after which a connection that was answered is closed."""


@dataclass
class RawVendor:
    """Answers every request with the same bytes, then closes.

    :param first: beginning of a request, and the answer that it gets instead
    :param answer: the whole answer, status line and headers with it; ``ELSEWHERE`` and ``HOME`` in it are addresses
    """

    answer: bytes = b""
    first: tuple[bytes, bytes] = (b"", b"")
    heard: list[bytes] = field(default_factory=list)
    heard_elsewhere: list[bytes] = field(default_factory=list)
    port: int = 0
    elsewhere: int = 0
    _servers: list[asyncio.Server] = field(default_factory=list)

    async def start(self) -> None:
        for home in (True, False):
            server = await asyncio.start_server(self._serving(home), "127.0.0.1", 0)
            self._servers.append(server)
            port = server.sockets[0].getsockname()[1]
            self.port, self.elsewhere = (port, self.elsewhere) if home else (self.port, port)

    async def stop(self) -> None:
        for server in self._servers:
            server.close()

    def _serving(self, home: bool):
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                request = await reader.readuntil(b"\r\n\r\n")
                (self.heard if home else self.heard_elsewhere).append(request)
                begins, instead = self.first
                answer = instead if begins and request.startswith(begins) else self.answer
                there = answer.replace(b"ELSEWHERE", b"127.0.0.1:%d" % self.elsewhere)
                there = there.replace(b"HOME", b"127.0.0.1:%d" % self.port)
                writer.write(there if home else b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
                await writer.drain()
                # A client that has its answer goes first; one that waits for more has it cut.
                await asyncio.wait_for(reader.read(1 << 16), SILENT)
            except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                pass
            finally:
                writer.close()

        return serve
