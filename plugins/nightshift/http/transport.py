"""The TCP side of a client: one pool of connections, time-outs on everything, bodies of a bounded size."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from yarl import URL

from nightshift import __version__
from nightshift.errors import Rejected, TooLarge, Unreachable
from nightshift.http import faults
from nightshift.http.client_settings import ClientSettings
from nightshift.http.encodings import ACCEPTED, decoder_of
from nightshift.http.request import Request, RequestContext
from nightshift.http.timing import SendWindow, window_now

READ_BUFFER = 1 << 20


class HeldBack(Exception):
    """The body was not sent: the window had closed."""


class TimelyBody(aiohttp.BytesPayload):
    """A body that is sent within a window, or not at all."""

    def __init__(self, body: bytes, window: SendWindow) -> None:
        super().__init__(body)
        self.held_back = False
        self.window = window

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Send the body.

        :raises HeldBack: the window has closed
        """
        if self.window.is_over:
            self.held_back = True
            raise HeldBack
        await super().write_with_length(writer, content_length)


def timely(body: bytes | None, *, safe: bool) -> Any:
    """Return the body of a request, bound to the window that it has to keep to."""
    window = None if safe else window_now()
    return body if window is None else TimelyBody(body or b"", window)


class Transport:
    """Connections to one vendor, for one event loop.

    A request that changes something never goes out on a kept connection: the vendor may have closed it a moment before,
    and then nobody could tell whether the request was taken.
    """

    def __init__(self, settings: ClientSettings) -> None:
        self._settings = settings
        self._timeouts = {
            whole: aiohttp.ClientTimeout(
                total=settings.timeout if whole else None,
                sock_connect=settings.connect_timeout,
                sock_read=settings.read_timeout,
            )
            for whole in (True, False)
        }
        self._pooled: aiohttp.ClientSession | None = None
        self._fresh: aiohttp.ClientSession | None = None
        self._tls: ssl.SSLContext | bool = True

    async def open(self, vendor: str) -> None:
        """Make the pool; nothing is connected yet.

        :raises Rejected: the CA file of the extra ``verify`` cannot be read
        """
        verify = self._settings.verify
        self._tls = verify if isinstance(verify, bool) else await asyncio.to_thread(_trusting, verify, vendor)
        self._pooled = self._session(kept=True)

    async def close(self) -> None:
        """Close all connections."""
        sessions, self._pooled, self._fresh = (self._pooled, self._fresh), None, None
        for session in sessions:
            if session is not None:
                await session.close()

    async def send(self, request: Request, context: RequestContext) -> aiohttp.ClientResponse:
        """Send and return the answer with its body still to be read; redirects are not followed.

        :raises VendorError: the transport failed; :class:`Unreachable` where a request that has to leave within a
            window (:mod:`nightshift.http.timing`) was held up for longer, and did not leave
        """
        session = self._session_for(request)
        body = timely(request.body, safe=request.safe)
        with self.translated(context), self.in_time(body, context):
            return await session.request(
                request.method,
                URL(request.url, encoded=True),
                headers=request.headers,
                data=body,
                timeout=self._timeouts[request.whole],
                proxy=self._settings.proxy_for(request.url),
                allow_redirects=False,
            )

    async def read(self, raw: aiohttp.ClientResponse, context: RequestContext, max_bytes: int) -> bytes:
        """Read a whole body.

        :raises TooLarge: it is larger than ``max_bytes``
        :raises VendorError: as :meth:`chunks`
        """
        announced, decoder = raw.content_length or 0, decoder_of(raw.headers)
        parts, size = [], 0
        if announced <= max_bytes or context.method == "HEAD":
            with self.translated(context):
                while size <= max_bytes and (chunk := await raw.content.readany()):
                    for piece in decoder.pieces(chunk):
                        size += len(piece)
                        if size > max_bytes:
                            break
                        parts.append(piece)
                if size <= max_bytes:
                    decoder.end()
                    return parts[0] if len(parts) == 1 else b"".join(parts)
        raw.close()
        raise context.unclear(TooLarge, f"the answer is larger than {max_bytes} bytes", status=raw.status)

    async def chunks(self, raw: aiohttp.ClientResponse, context: RequestContext) -> AsyncIterator[bytes]:
        """Read a body as it comes, its encoding undone.

        :raises Unreachable: it ends before the announced length, or before its encoding does
        :raises BadResponse: it is not in the encoding that it names, or in one that was not asked for
        """
        decoder, received = decoder_of(raw.headers), 0
        with self.translated(context):
            while chunk := await raw.content.readany():
                received += len(chunk)
                for piece in decoder.pieces(chunk):
                    yield piece
            decoder.end()
        announced = raw.content_length
        if announced is not None and received < announced and context.method != "HEAD":
            raise context.unclear(Unreachable, f"the answer broke off after {received} of {announced} bytes")

    @contextmanager
    def translated(self, context: RequestContext) -> Iterator[None]:
        """Turn what the HTTP library raises into a typed error."""
        settings = self._settings
        try:
            yield
        except (aiohttp.ClientError, OSError, ValueError, TypeError) as error:
            limits = f"connect {settings.connect_timeout:g} s, silence {settings.read_timeout:g} s, "
            limits += f"whole request {settings.timeout:g} s"
            raise faults.of_transport(error, context, limits) from None

    @contextmanager
    def in_time(self, body: object, context: RequestContext) -> Iterator[None]:
        """Tell a request that was held back from one whose answer was lost."""
        if not isinstance(body, TimelyBody):
            yield
            return
        late = context.error(
            Unreachable,
            f"the request was held up for more than the {body.window.seconds:g} s in which it may leave",
            advice="It was not sent: whoever has taken over meanwhile can rely on that. Another attempt, or clearing "
            "the task, looks anew.",
        )
        if body.window.is_over:
            raise late
        try:
            yield
        except aiohttp.ClientError:
            if body.held_back:
                raise late from None
            raise

    def _session_for(self, request: Request) -> aiohttp.ClientSession:
        if self._pooled is None:
            raise RuntimeError("the client is closed: use the hook inside 'async with hook:'")
        if request.safe:
            return self._pooled
        if self._fresh is None:
            self._fresh = self._session(kept=False)
        return self._fresh

    def _session(self, *, kept: bool) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=self._settings.max_connections, ssl=self._tls, force_close=not kept)
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"nightshift/{__version__}", "Accept-Encoding": ACCEPTED},
            auto_decompress=False,
            read_bufsize=READ_BUFFER,
            max_headers=faults.MOST_HEADERS,
            max_field_size=faults.LONGEST_HEADER,
        )
        # The library repeats by itself what it holds for idempotent, DELETE among it, past our pacing and our count.
        session._retry_connection = False
        return session


def _trusting(path: str, vendor: str) -> ssl.SSLContext:
    from pathlib import Path

    try:
        folder = Path(path).is_dir()
        return ssl.create_default_context(capath=path) if folder else ssl.create_default_context(cafile=path)
    except (OSError, ValueError) as error:
        raise Rejected(
            f"the CA file {path!r} of the extra 'verify' cannot be read ({type(error).__name__})",
            vendor=vendor,
            advice="Put a path into the extra verify that exists on every worker and triggerer, or leave it out; "
            "nothing was sent.",
        ) from None
