"""An S3 server for the cluster: moto's, with its conditions made whole and a door that can be shut.

moto looks and writes in two steps, S3 in one: here one request goes at a time, so that ``If-None-Match`` decides
between two writers. What it keeps is in memory and outlives a restart of its door (SIGUSR1: shut for
:data:`SHUT_SECONDS`, every open connection is cut), as an S3 whose front ends are restarted.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

from moto.moto_server.werkzeug_app import create_backend_app
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

SHUT_SECONDS = 4.0


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    open_connections: set[socket.socket] = set()  # noqa: RUF012 - of the process

    def setup(self) -> None:
        self.open_connections.add(self.request)
        super().setup()

    def finish(self) -> None:
        self.open_connections.discard(self.request)
        with contextlib.suppress(OSError):
            super().finish()


class _OneAtATime:
    """Lets one request after the other into the application, and reads its answer whole."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self._application = application
        self._turn = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with self._turn:
            return [b"".join(self._application(environ, start_response))]


def main() -> None:
    """Serve until told to end: ``python -m include.local.cluster.s3 <port> <bucket>``."""
    port, bucket = int(sys.argv[1]), sys.argv[2]
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    application = _OneAtATime(create_backend_app("s3"))
    made = _in_process(application, "PUT", f"/{bucket}")
    assert made.startswith("200"), made  # noqa: S101 - nothing works without
    shut = threading.Event()
    signal.signal(signal.SIGUSR1, lambda *_: shut.set())
    while True:
        server = _open(port, application)
        door = threading.Thread(target=server.serve_forever, daemon=True)
        door.start()
        while not shut.wait(0.2):
            pass
        server.shutdown()
        server.server_close()
        for one in list(_Handler.open_connections):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        threading.Event().wait(SHUT_SECONDS)
        shut.clear()


def _open(port: int, application: Callable[..., Iterable[bytes]]) -> BaseWSGIServer:
    server = make_server("127.0.0.1", port, application, threaded=True, request_handler=_Handler)
    server.daemon_threads = True  # type: ignore[attr-defined]  # of ThreadingMixIn, which its stub leaves out
    return server


def _in_process(application: Callable[..., Iterable[bytes]], method: str, path: str) -> str:
    from werkzeug.test import Client

    return Client(application).open(path, method=method, base_url="http://127.0.0.1").status


if __name__ == "__main__":
    main()
