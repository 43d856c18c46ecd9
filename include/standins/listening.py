"""One listener of a stand-in: a TCP server that numbers its connections."""

from __future__ import annotations

import asyncio
import itertools
import ssl
from collections.abc import Callable
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

IDLE_SECONDS = 75.0
_numbers = itertools.count(1)


class _Numbering(web.Server):
    """aiohttp's low-level server, with a number for each TCP connection."""

    def __init__(self, handler: Any, gone: Callable[[int], None], **options: Any) -> None:
        super().__init__(handler, **options)
        self._gone = gone
        self.numbers: dict[int, int] = {}

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        self.numbers[id(handler)] = next(_numbers)
        super().connection_made(handler, transport)

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
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
        """Close the port and all connections."""
        if self._runner:
            await self._runner.cleanup()
            self._runner = None
