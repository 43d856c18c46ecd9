from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from nightshift.http.hook import VendorHook

Script = Callable[["Seen", asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Seen:
    """One request as it came over the socket."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


def answer(status: int = 200, body: bytes = b"{}", **headers: str) -> Script:
    """A complete answer; header names have ``_`` for ``-``."""
    named = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in named.items())

    async def script(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + (b"" if seen.method == "HEAD" else body))
        await writer.drain()

    return script


def raw(data: bytes, then: str = "close") -> Script:
    """Bytes as they are, then the connection is closed, reset, or left open in silence."""

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
class Vendor:
    """A server whose answers are scripted, the last one for ever, and which keeps what it saw."""

    scripts: list[Script] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def says(self, *scripts: Script) -> None:
        self.scripts = list(scripts)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, target, _ = head[0].split(" ")
                headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                seen = Seen(method, target, headers, body)
                self.seen.append(seen)
                script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
                await script(seen, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            self.tasks.discard(task)


@asynccontextmanager
async def running(tls: ssl.SSLContext | None = None) -> AsyncIterator[Vendor]:
    vendor = Vendor([answer()])
    server = await asyncio.start_server(vendor.serve, "127.0.0.1", 0, limit=1 << 20, ssl=tls)
    vendor.port = server.sockets[0].getsockname()[1]
    yield vendor
    server.close()
    for task in list(vendor.tasks):
        task.cancel()
    await asyncio.gather(*vendor.tasks, return_exceptions=True)


class AcmeHook(VendorHook):
    vendor = "Acme"
    conn_name_attr = "acme_conn_id"
    default_conn_name = "acme_default"
    conn_type = "acme"
    hook_name = "Acme"


MakeHook = Callable[..., AcmeHook]
