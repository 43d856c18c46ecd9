"""The listeners of a stand-in, and how a response goes over the wire, whole or broken."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import ssl
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from aiohttp import hdrs, web
from aiohttp.web_protocol import RequestHandler

from include.standins.faults import Fault, FaultKind
from include.standins.routing import Response

IDLE_SECONDS = 75.0
_numbers = itertools.count(1)


class _Numbering(web.Server):
    """aiohttp's low-level server, with a number for each TCP connection, and an event for each that is held."""

    def __init__(self, handler: Any, gone: Callable[[int], None], **options: Any) -> None:
        super().__init__(handler, **options)
        self._gone = gone
        self.numbers: dict[int, int] = {}
        self.held: dict[int, asyncio.Event] = {}

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        self.numbers[id(handler)] = next(_numbers)
        super().connection_made(handler, transport)

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        if held := self.held.get(id(handler)):
            held.set()
        number = self.numbers.pop(id(handler), None)
        if number is not None:
            self._gone(number)


class Listener:
    """A port of a stand-in.

    :param host: address to listen on
    :param port: 0: a free one
    :param tls: a server context, for https
    """

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._runner: web.ServerRunner | None = None
        self._server: _Numbering | None = None

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"{'https' if self._tls else 'http'}://{self._host}:{self._port}"

    def connection(self, request: web.BaseRequest) -> int:
        """Return the number of a request's TCP connection; 0 where it is already gone."""
        return self._server.numbers.get(id(request.protocol), 0) if self._server else 0

    async def hold(self, request: web.BaseRequest) -> None:
        """Wait until the client of a request leaves, or :meth:`release`."""
        if self._server and id(request.protocol) in self._server.numbers:
            held = self._server.held[id(request.protocol)] = asyncio.Event()
            await held.wait()
            self._server.held.pop(id(request.protocol), None)

    def release(self) -> None:
        for held in self._server.held.values() if self._server else ():
            held.set()

    async def start(self, handler: Any, gone: Callable[[int], None]) -> None:
        """Listen.

        :raises OSError: the port is taken
        """
        self._server = _Numbering(handler, gone, access_log=None, keepalive_timeout=IDLE_SECONDS)
        self._runner = web.ServerRunner(self._server, shutdown_timeout=0.5)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port, ssl_context=self._tls, backlog=1024).start()
        except OSError:
            await self.stop()
            raise
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        self.release()
        if self._runner:
            await self._runner.cleanup()
            self._runner = None


HTML = "<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
_REASONS = {502: "502 Bad Gateway", 200: "Please sign in"}
_PAD = b" " * 65536
_IN_ORDER = frozenset({FaultKind.DROP_BEFORE, FaultKind.HOLD})
_CUT = frozenset({FaultKind.RESET_BODY, FaultKind.SHORT_BODY, FaultKind.SHORT_CHUNKED, FaultKind.HOLD_BODY})
LOST = frozenset({FaultKind.RESET, FaultKind.DROP_BEFORE, FaultKind.ACCEPT_THEN_DROP, FaultKind.HOLD})
"""Kinds with which nothing is answered."""


def worded(style: str, status: int, text: str, *, title: str = "") -> Response:
    """Return an error as ``text``, as ``html`` under a title (default: the text), or ``empty``."""
    if style == "text":
        return Response.text(status, text)
    if style == "html":
        return Response.text(status, HTML.format(title=title or text), "text/html; charset=utf-8")
    return Response(status, content_type="")


def instead(fault: Fault) -> Response:
    """Return the answer that a fault puts in the place of the vendor's own."""
    headers = dict(fault.headers)
    if fault.kind == FaultKind.EMPTY_200:
        return Response(status=200, headers=headers)
    status = 200 if fault.kind == FaultKind.HTML_200 else fault.status
    if fault.retry_after is not None:
        headers["Retry-After"] = fault.retry_after
    if fault.body is not None:
        return Response(status=status, body=fault.body.encode(), content_type=fault.content_type, headers=headers)
    if status in _REASONS:
        body = HTML.format(title=_REASONS[status]).encode()
        return Response(status=status, body=body, content_type="text/html", headers=headers)
    return Response(
        status=status, body=f"status {status}, as ordered".encode(), content_type="text/plain", headers=headers
    )


def broken(response: Response, fault: Fault) -> Response:
    """Return an answer changed as far as a fault changes what is said, not how it is sent."""
    if fault.kind == FaultKind.WRONG_CONTENT_TYPE:
        return _with(response, content_type=fault.content_type)
    if fault.kind == FaultKind.TRUNCATED:
        return _with(response, body=b"".join(_first(_parts(response), fault.at_bytes)))
    if fault.kind == FaultKind.BAD_GZIP:
        return _with(response, headers={**response.headers, "Content-Encoding": "gzip"})
    if fault.kind == FaultKind.CUT_GZIP:
        packer = zlib.compressobj(1, zlib.DEFLATED, 31)
        cut = packer.compress(b"".join(_first(_parts(response), fault.at_bytes))) + packer.flush(zlib.Z_SYNC_FLUSH)
        return _with(response, body=cut, headers={**response.headers, "Content-Encoding": "gzip"})
    if fault.kind == FaultKind.OVERSIZE:
        body = b"".join(_parts(response))
        pad = max(0, fault.size_bytes - len(body))
        padding = itertools.chain(itertools.repeat(_PAD, pad // len(_PAD)), [_PAD[: pad % len(_PAD)], body])
        return _with(response, body=padding, length=pad + len(body))
    return response


def compressed(response: Response) -> Response:
    if not isinstance(response.body, bytes) or "Content-Encoding" in response.headers:
        return response
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    body = packer.compress(response.body) + packer.flush()
    return _with(response, body=body, headers={**response.headers, "Content-Encoding": "gzip"})


class Sender:
    """Sends one answer; ``sent`` counts the bytes of the body that were written.

    :param listener: it came from, which holds it where a fault says so
    :param leaving: called just before the client can know that the answer is over
    """

    def __init__(
        self, request: web.BaseRequest, listener: Listener, leaving: Callable[[], None] = lambda: None
    ) -> None:
        self._request = request
        self._listener = listener
        self._leaving = leaving
        self.sent = 0

    async def send(self, response: Response, fault: Fault | None) -> web.StreamResponse:
        """Send an answer.

        :param response: the answer, already changed by :func:`broken`
        :param fault: how to break the sending
        :raises ConnectionError: the client left
        """
        if fault and fault.kind in (FaultKind.HOLD, FaultKind.HOLD_ANSWER):
            await self._listener.hold(self._request)
        if fault and fault.kind in LOST:
            return self.hang_up(abruptly=fault.kind not in _IN_ORDER)
        if fault and fault.kind in _CUT:
            return await self._cut(response, fault)
        if isinstance(response.body, bytes) and not (fault and fault.kind == FaultKind.DRIP):
            whole = web.Response(status=response.status, body=response.body, headers=_headers(response))
            if not response.content_type:
                whole.headers.popall(hdrs.CONTENT_TYPE, None)
            self._leaving()
            await whole.prepare(self._request)
            await whole.write_eof()
            self.sent = len(response.body)
            return whole
        stream = await self._start(response, _length(response))
        pause = fault.seconds if fault and fault.kind == FaultKind.DRIP else 0.0
        size = fault.chunk_bytes if fault and fault.kind == FaultKind.DRIP else None
        held = b""
        for piece in itertools.chain.from_iterable(_pieces(part, size) for part in _parts(response)):
            if held:
                await self._write(stream, held)
                await asyncio.sleep(pause)
            held = piece
        self._leaving()
        await self._write(stream, held)
        await stream.write_eof()
        return stream

    async def _cut(self, response: Response, fault: Fault) -> web.StreamResponse:
        """Send the first bytes, then end the connection."""
        length = None if fault.kind == FaultKind.SHORT_CHUNKED else _length(response)
        stream = await self._start(response, length)
        for part in _first(_parts(response), fault.at_bytes):
            await self._write(stream, part)
        transport = self._request.transport
        while transport is not None and transport.get_write_buffer_size():  # noqa: ASYNC110 -- no event tells it
            await asyncio.sleep(0.001)
        if fault.kind == FaultKind.HOLD_BODY:
            await self._listener.hold(self._request)
        return self.hang_up(abruptly=fault.kind == FaultKind.RESET_BODY)

    async def _start(self, response: Response, length: int | None) -> web.StreamResponse:
        stream = web.StreamResponse(status=response.status, headers=_headers(response))
        if length is None:
            stream.enable_chunked_encoding()
        else:
            stream.content_length = length
        await stream.prepare(self._request)
        return stream

    async def _write(self, stream: web.StreamResponse, part: bytes) -> None:
        if part:
            await stream.write(part)
            self.sent += len(part)

    def hang_up(self, *, abruptly: bool) -> web.StreamResponse:
        """End the connection: with a TCP reset, or in order."""
        self._leaving()
        transport = self._request.transport
        if transport is not None:
            if abruptly:
                with contextlib.suppress(OSError):
                    linger = struct.pack("ii", 1, 0)
                    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                transport.abort()
            else:
                transport.close()
        return _Gone()


class _Gone(web.StreamResponse):
    """No answer at all: nothing is written when the server would finish it."""

    async def prepare(self, request: web.BaseRequest) -> None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None


def _with(response: Response, **changes: object) -> Response:
    fields: dict[str, object] = {**vars(response), **changes}
    if "body" in changes and "length" not in changes:
        fields["length"] = None
    return Response(**fields)  # type: ignore[arg-type]  # fields of a Response, by their names


def _headers(response: Response) -> Mapping[str, str]:
    typed = {"Content-Type": response.content_type} if response.content_type else {}
    return {**typed, **response.headers}


def _length(response: Response) -> int | None:
    return len(response.body) if isinstance(response.body, bytes) else response.length


def _parts(response: Response) -> Iterable[bytes]:
    return (response.body,) if isinstance(response.body, bytes) else response.body


def _first(parts: Iterable[bytes], size: int) -> Iterator[bytes]:
    for part in parts:
        yield part[:size]
        size -= len(part)
        if size <= 0:
            return


def _pieces(part: bytes, size: int | None) -> Iterator[bytes]:
    return (part[at : at + size] for at in range(0, len(part), size)) if size else iter((part,))
