"""Airflow's own UI and API in this process, with the plugin; the board's data are the real routes' or answers that a
test lays down.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import airflow
import uvicorn
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

import nightshift.board
from nightshift.board import MOUNT

STATIC = Path(nightshift.board.__file__).parent / "static"
UI = Path(airflow.__file__).parent / "ui" / "dist"


@dataclass
class Laid:
    """What the board's routes answer, and what they and Airflow's were asked to do.

    :param answers: path below ``api/``, without its query → model, or status and body
    :param sent: method, path, body of every request that changes something
    :param refusals: path of such a request → status and body instead of 200
    :param asked: path → how often it was read, and how often with 304
    """

    answers: dict[str, BaseModel | tuple[int, dict[str, Any]]] = field(default_factory=dict)
    sent: list[tuple[str, str, Any]] = field(default_factory=list)
    refusals: dict[str, tuple[int, dict[str, Any]]] = field(default_factory=dict)
    asked: dict[str, list[int]] = field(default_factory=dict)
    headers: list[dict[str, str]] = field(default_factory=list)

    def clear(self) -> None:
        """Lay down nothing, and forget what was asked."""
        for one in (self.answers, self.sent, self.refusals, self.asked, self.headers):
            one.clear()

    async def read(self, request: Request) -> Response:
        """Answer a GET, with its ETag."""
        path = request.path_params["path"]
        status, body = 404, b'{"status": 404, "title": "Not found", "detail": "", "advice": ""}'
        if (laid := self.answers.get(path)) is not None:
            status, body = (
                (200, laid.model_dump_json().encode())
                if isinstance(laid, BaseModel)
                else (laid[0], json.dumps(laid[1]).encode())
            )
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if status == 200 and request.headers.get("if-none-match") == etag:
            status, body = 304, b""
        self.asked.setdefault(path, []).append(status)
        return Response(body, status, {"ETag": etag}, media_type="application/json")

    async def take(self, request: Request) -> Response:
        """Write down a request that changes something."""
        body = await request.body()
        path = request.url.path.removeprefix("/")
        self.sent.append((request.method, path, json.loads(body) if body else None))
        self.headers.append(dict(request.headers))
        status, said = self.refusals.get(path, (200, {}))
        return JSONResponse(said, status)


@dataclass
class Host:
    """An address of it, and what it was laid."""

    url: str
    laid: Laid


class NoCopy(StaticFiles):
    """Files that a browser asks for each time."""

    def file_response(self, *arguments: Any, **options: Any) -> Response:
        answer = super().file_response(*arguments, **options)
        answer.headers["cache-control"] = "no-cache"
        return answer


def in_front_of(api_server: Any, laid: Laid) -> Starlette:
    """Return an application that answers for the board's data itself and passes on everything else."""
    changes = ["POST", "PUT", "PATCH", "DELETE"]
    return Starlette(
        routes=[
            Route(f"{MOUNT}/api/{{path:path}}", laid.read, methods=["GET"]),
            Route(f"{MOUNT}/api/{{path:path}}", laid.take, methods=changes),
            Mount(f"{MOUNT}/static", NoCopy(directory=STATIC)),
            Route("/api/v2/{path:path}", laid.take, methods=changes),
            Mount("/", with_ui_files(api_server)),
        ]
    )


def with_ui_files(api_server: Any) -> Starlette:
    """Return the API server with the files of its UI as they are: it packs seven megabytes anew for each browser."""
    return Starlette(routes=[Mount("/static", StaticFiles(directory=UI)), Mount("/", api_server)])


class Serving:
    """An ASGI application on a loopback port, in a thread of its own."""

    def __init__(self, app: Any, port: int = 0) -> None:
        self.server = uvicorn.Server(
            uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", lifespan="off")
        )
        self.thread = threading.Thread(target=self.server.run, daemon=True)

    def __enter__(self) -> str:
        self.thread.start()
        deadline = time.monotonic() + 60
        while not self.server.started:
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.02)
        port = self.server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = True
        self.thread.join(10)
