"""How an answer goes over the wire, whole or broken."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping

from aiohttp import hdrs, web

from include.standins.calls import Reply
from include.standins.faults import Fault, FaultKind

HTML = "<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
_REASONS = {502: "502 Bad Gateway", 200: "Please sign in"}
_PAD = b" " * 65536
_CUT = frozenset({FaultKind.RESET_BODY, FaultKind.SHORT_BODY, FaultKind.SHORT_CHUNKED})
_LOST = frozenset({FaultKind.RESET, FaultKind.DROP_BEFORE, FaultKind.ACCEPT_THEN_DROP})


def instead(fault: Fault) -> Reply:
    """Return the answer that a fault puts in the place of the vendor's own."""
    headers = dict(fault.headers)
    if fault.kind == FaultKind.EMPTY_200:
        return Reply(status=200, headers=headers)
    status = 200 if fault.kind == FaultKind.HTML_200 else fault.status
    if fault.retry_after is not None:
        headers["Retry-After"] = fault.retry_after
    if fault.body is not None:
        return Reply(status=status, body=fault.body.encode(), content_type=fault.content_type, headers=headers)
    if status in _REASONS:
        body = HTML.format(title=_REASONS[status]).encode()
        return Reply(status=status, body=body, content_type="text/html", headers=headers)
    return Reply(
        status=status, body=f"status {status}, as ordered".encode(), content_type="text/plain", headers=headers
    )


def broken(reply: Reply, fault: Fault) -> Reply:
    """Return an answer changed as far as a fault changes what is said, not how it is sent."""
    if fault.kind == FaultKind.WRONG_CONTENT_TYPE:
        return _with(reply, content_type=fault.content_type)
    if fault.kind == FaultKind.TRUNCATED:
        return _with(reply, body=b"".join(_first(_parts(reply), fault.at_bytes)))
    if fault.kind == FaultKind.BAD_GZIP:
        return _with(reply, headers={**reply.headers, "Content-Encoding": "gzip"})
    if fault.kind == FaultKind.OVERSIZE:
        body = b"".join(_parts(reply))
        pad = max(0, fault.size_bytes - len(body))
        padding = itertools.chain(itertools.repeat(_PAD, pad // len(_PAD)), [_PAD[: pad % len(_PAD)], body])
        return _with(reply, body=padding, length=pad + len(body))
    return reply


def compressed(reply: Reply) -> Reply:
    """Return an answer with a gzip body."""
    if not isinstance(reply.body, bytes) or "Content-Encoding" in reply.headers:
        return reply
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    body = packer.compress(reply.body) + packer.flush()
    return _with(reply, body=body, headers={**reply.headers, "Content-Encoding": "gzip"})


class Sender:
    """Sends one answer; ``sent`` counts the bytes of the body that were written.

    :param leaving: called just before the client can know that the answer is over
    """

    def __init__(self, request: web.BaseRequest, leaving: Callable[[], None] = lambda: None) -> None:
        self._request = request
        self._leaving = leaving
        self.sent = 0

    async def send(self, reply: Reply, fault: Fault | None) -> web.StreamResponse:
        """Send an answer.

        :param reply: the answer, already changed by :func:`broken`
        :param fault: how to break the sending
        :raises ConnectionError: the client left
        """
        if fault and fault.kind in _LOST:
            return self.hang_up(abruptly=fault.kind != FaultKind.DROP_BEFORE)
        if fault and fault.kind in _CUT:
            return await self._cut(reply, fault)
        if isinstance(reply.body, bytes) and not (fault and fault.kind == FaultKind.DRIP):
            response = web.Response(status=reply.status, body=reply.body, headers=_headers(reply))
            if not reply.content_type:
                response.headers.popall(hdrs.CONTENT_TYPE, None)
            self._leaving()
            await response.prepare(self._request)
            await response.write_eof()
            self.sent = len(reply.body)
            return response
        stream = await self._start(reply, _length(reply))
        pause = fault.seconds if fault and fault.kind == FaultKind.DRIP else 0.0
        size = fault.chunk_bytes if fault and fault.kind == FaultKind.DRIP else None
        held = b""
        for piece in itertools.chain.from_iterable(_pieces(part, size) for part in _parts(reply)):
            if held:
                await self._write(stream, held)
                await asyncio.sleep(pause)
            held = piece
        self._leaving()
        await self._write(stream, held)
        await stream.write_eof()
        return stream

    async def _cut(self, reply: Reply, fault: Fault) -> web.StreamResponse:
        """Send the first bytes, then end the connection."""
        length = None if fault.kind == FaultKind.SHORT_CHUNKED else _length(reply)
        stream = await self._start(reply, length)
        for part in _first(_parts(reply), fault.at_bytes):
            await self._write(stream, part)
        transport = self._request.transport
        while transport is not None and transport.get_write_buffer_size():  # noqa: ASYNC110 -- there is no event for an empty buffer
            await asyncio.sleep(0.001)
        return self.hang_up(abruptly=fault.kind == FaultKind.RESET_BODY)

    async def _start(self, reply: Reply, length: int | None) -> web.StreamResponse:
        stream = web.StreamResponse(status=reply.status, headers=_headers(reply))
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


def _with(reply: Reply, **changes: object) -> Reply:
    fields: dict[str, object] = {**vars(reply), **changes}
    if "body" in changes and "length" not in changes:
        fields["length"] = None
    return Reply(**fields)  # type: ignore[arg-type]


def _headers(reply: Reply) -> Mapping[str, str]:
    typed = {"Content-Type": reply.content_type} if reply.content_type else {}
    return {**typed, **reply.headers}


def _length(reply: Reply) -> int | None:
    return len(reply.body) if isinstance(reply.body, bytes) else reply.length


def _parts(reply: Reply) -> Iterable[bytes]:
    return (reply.body,) if isinstance(reply.body, bytes) else reply.body


def _first(parts: Iterable[bytes], size: int) -> Iterator[bytes]:
    for part in parts:
        yield part[:size]
        size -= len(part)
        if size <= 0:
            return


def _pieces(part: bytes, size: int | None) -> Iterator[bytes]:
    return (part[at : at + size] for at in range(0, len(part), size)) if size else iter((part,))
