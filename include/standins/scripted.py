"""A server that plays a list of raw answers on a socket: for what no vendor's own stand-in would ever send."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Script = Callable[["Seen", asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Seen:
    """One request as it came over the socket; names of headers in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


def answer(status: int = 200, body: bytes = b"{}", **headers: str) -> Script:
    """Make a whole answer; header names have ``_`` for ``-``."""
    named = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in named.items())

    async def script(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + (b"" if seen.method == "HEAD" else body))
        await writer.drain()

    return script


def raw(data: bytes, then: str = "close") -> Script:
    """Send bytes as they are; ``then`` the connection is closed, reset, or left open in silence."""

    async def script(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        if then == "reset":
            writer.transport.abort()
        elif then == "close":
            writer.close()
        else:
            await asyncio.Event().wait()

    return script


@dataclass
class Scripted:
    """Plays its scripts in order, the last one for ever, and keeps what it saw."""

    scripts: list[Script] = field(default_factory=lambda: [answer()])
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0
    url: str = ""
    _serving: set[asyncio.Task[None]] = field(default_factory=set)

    def plays(self, *scripts: Script) -> None:
        self.scripts = list(scripts)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if task := asyncio.current_task():
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, target, _ = head[0].split(" ")
                headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                self.seen.append(Seen(method, target, headers, body))
                script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
                await script(self.seen[-1], writer)
        writer.close()


@asynccontextmanager
async def scripted(tls: ssl.SSLContext | None = None) -> AsyncIterator[Scripted]:
    """Listen on a free port of loopback, in the running event loop.

    :param tls: server context, to listen with https
    """
    vendor = Scripted()
    server = await asyncio.start_server(vendor._serve, "127.0.0.1", 0, limit=1 << 20, ssl=tls)
    vendor.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield vendor
    finally:
        server.close()
        for task in list(vendor._serving):
            task.cancel()
        await asyncio.gather(*vendor._serving, return_exceptions=True)
