"""A small Exago in memory: sessions, one shared tree, reports; faults and other users on demand."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import threading
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote

from aiohttp import web

USER, KEY = "nightshift", "rest-key-4711"
Levels = tuple[str, ...]


class ExagoServer:
    """
    What is where: ``tree`` maps the levels of a path to None for a folder, to a type for a report.

    :ivar at_request: number of a request, from 1 → what happens before it is carried out; ``after_request``: after it
    :ivar script: verb → actions, one for each call, the rest being ordinary: ``"drop"`` carries it out and closes the
        connection, ``"lost"`` closes it at once, ``"hold"`` carries it out and never answers, a tuple ``(status, body)``
        answers that without doing anything; a callable runs first, as another user.
    """

    def __init__(self, tree: Iterable[str] = ()) -> None:
        self.tree: dict[Levels, str | None] = {}
        self.read_only: set[Levels] = set()
        self.sessions: set[str] = set()
        self.made = 0
        self.calls: list[tuple[str, str]] = []
        self.counts: Counter[str] = Counter()
        self.bodies: list[Any] = []
        self.script: dict[str, list[Any]] = defaultdict(list)
        self.child_key = "entity"
        self.with_ids = False
        self.ids: dict[Levels, str] = {}
        self.stale = 0
        self.report: Any = {"ExecuteData": "a,b\r\n1,2\r\n", "IsError": False, "DataType": "Data"}
        self.changes: list[str] = []
        self.at_request: dict[int, Callable[[], None]] = {}
        self.after_request: dict[int, Callable[[], None]] = {}
        self._old = b""
        for path in tree:
            self.put(path)
        self._thread: threading.Thread | None = None

    def put(self, path: str, kind: str = "advanced") -> None:
        """Make a report, or a folder where the path ends with a slash, with all folders above."""
        levels = tuple(path.rstrip("/").split("/"))
        for depth in range(1, len(levels)):
            self._add(levels[:depth], None)
        self._add(levels, None if path.endswith("/") else kind)

    def _add(self, levels: Levels, kind: str | None) -> None:
        if levels not in self.tree:
            self.tree[levels] = kind
            self.ids[levels] = uuid.uuid4().hex

    def move(self, old: str, new: str) -> None:
        """Move a folder, as another user or as the server itself."""
        a, b = tuple(old.split("/")), tuple(new.split("/"))
        found = [levels for levels in self.tree if levels[: len(a)] == a]
        for levels in found:
            there = (*b, *levels[len(a) :])
            self.tree[there] = self.tree.pop(levels)
            self.ids[there] = self.ids.pop(levels)

    def paths(self) -> set[str]:
        return {"/".join(levels) + ("/" if kind is None else "") for levels, kind in self.tree.items()}

    def listing(self) -> bytes:
        root: dict[str, Any] = {}
        at: dict[Levels, dict[str, Any]] = {(): root}
        root[self.child_key] = []
        for levels in sorted(self.tree):
            kind = self.tree[levels]
            node = {
                "name": levels[-1],
                "leaf_flag": kind is not None,
                "readonly_flag": levels in self.read_only,
                "type": kind,
                "user": "Admin",
                self.child_key: None if kind is not None else [],
            }
            if self.with_ids:
                node["content_id"] = self.ids[levels]
            at[levels] = node
            at[levels[:-1]][self.child_key].append(node)
        return json.dumps(root).encode()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/ExagoWebApi"

    def start(self) -> None:
        ready = threading.Event()

        def serve() -> None:
            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
            self._loop.run_until_complete(self._listen())
            ready.set()
            self._loop.run_forever()
            self._loop.run_until_complete(self._runner.cleanup())
            self._loop.close()

        self._thread = threading.Thread(target=serve, daemon=True)
        self._thread.start()
        assert ready.wait(10)

    def stop(self) -> None:
        assert self._thread is not None
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    async def _listen(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        raw = request.raw_path.partition("?")[0]
        body = await request.read()
        self.calls.append((request.method, request.raw_path))
        number = len(self.calls)
        self.at_request.pop(number, lambda: None)()
        if not self._authorized(request, raw, body):
            return web.json_response({"reason": "Unauthorized"}, status=500)
        levels = tuple(unquote(part) for part in raw.removeprefix("/ExagoWebApi/rest/").split("/"))
        verb, act = self._verb(request.method, levels, body)
        self.counts[verb] += 1
        action = self.script[verb].pop(0) if self.script[verb] else None
        if callable(action):
            action()
        if verb not in ("open", "end") and request.query.get("sid") not in self.sessions:
            return web.json_response({"reason": "setupD is null"}, status=500)
        if action == "lost":
            request.transport.abort()
            return web.Response()
        if isinstance(action, tuple):
            status, text = action
            return web.Response(status=status, body=text, content_type="text/html" if text[:1] == b"<" else "application/json")  # fmt: skip
        answer = act()
        self.after_request.pop(number, lambda: None)()
        if action == "drop":
            request.transport.abort()
        if action == "hold":
            await asyncio.Event().wait()
        return answer

    def _authorized(self, request: web.Request, path: str, body: bytes) -> bool:
        given = request.headers.get("Authorization", "")
        if given.startswith("Basic "):
            return given == "Basic " + base64.b64encode(f"{USER}:{KEY}".encode()).decode()
        names = ("Content-Length", "Content-Type", "Content-MD5")
        parts = [request.method, path, *(request.headers.get(name, "") for name in names)]
        text = "".join(
            f"{part}\n" for part in (*parts, request.query.get("sid", ""), request.headers.get("X-Exago-Date", ""))
        )
        digest = base64.b64encode(hmac.new(KEY.encode(), text.encode(), hashlib.sha256).digest()).decode()
        return given == f"ExagoKey {USER}:{digest}"

    def _verb(self, method: str, levels: Levels, body: bytes) -> tuple[str, Callable[[], web.StreamResponse]]:
        given = json.loads(body) if body else {}
        match (method, *levels):
            case ("POST", "sessions"):
                return "open", lambda: self._open(given)
            case ("DELETE", "sessions", sid):
                return "end", lambda: self._end(sid)
            case ("PATCH", "StorageMgmt"):
                return "identity", lambda: self._noted(given)
            case ("GET", "reports", "list"):
                return "list", self._list
            case ("POST", "folders", "rename"):
                self.bodies.append(given)
                return "rename", lambda: self._rename(given["OldName"], given["NewName"])
            case ("POST", "folders", *name):
                return "create", lambda: self._create(tuple(name))
            case ("DELETE", "folders", *name):
                return "delete", lambda: self._delete(tuple(name))
            case ("POST", "Reports", "Execute", _):
                self.bodies.append(given)
                return "execute", lambda: web.json_response(self.report)
            case ("GET", "SchedulesV2", number):
                return "schedule", lambda: web.json_response({"Id": number, "JobStatus": "Running"})
        return "unknown", lambda: web.Response(status=404)

    def _open(self, given: Any) -> web.StreamResponse:
        sid = f"{uuid.uuid4()}"
        self.sessions.add(sid)
        self.made += 1
        return web.json_response({"Id": sid, "AppUrl": f"ExagoHome.aspx?d={sid}"}, status=201)

    def _end(self, sid: str) -> web.StreamResponse:
        if sid not in self.sessions:
            return web.json_response({"reason": "setupD is null"}, status=500)
        self.sessions.discard(sid)
        return web.Response(status=204)

    def _noted(self, given: Any) -> web.StreamResponse:
        self.bodies.append(given)
        return web.Response(status=204)

    def _list(self) -> web.StreamResponse:
        now = self.listing()
        if self.stale and self._old:
            self.stale -= 1
            return web.Response(body=self._old, content_type="application/json")
        self._old = now
        return web.Response(body=now, content_type="application/json")

    def _create(self, levels: Levels) -> web.StreamResponse:
        status = "Exists" if levels in self.tree else "Created"
        self.put("/".join(levels) + "/")
        self.changes.append(f"create {'/'.join(levels)}")
        return _folder(levels, status)

    def _rename(self, old: str, new: str) -> web.StreamResponse:
        a, b = (tuple(text.replace("\\", "/").split("/")) for text in (old, new))
        if self.tree.get(a, "") is not None:
            return _folder(a, "DoesNotExist")
        if b in self.tree:
            return web.json_response({"reason": "the target exists"}, status=409)
        if len(b) > 1 and b[:-1] not in self.tree:
            return web.Response(status=500, text="Could not find a part of the path")
        self.move("/".join(a), "/".join(b))
        self.changes.append(f"move {'/'.join(a)} to {'/'.join(b)}")
        return _folder(b, "Renamed")

    def _delete(self, levels: Levels) -> web.StreamResponse:
        if levels not in self.tree:
            return _folder(levels, "DoesNotExist")
        if any(one[: len(levels)] == levels and one != levels for one in self.tree):
            return web.Response(status=500, text="Folder is not empty")
        del self.tree[levels]
        self.changes.append(f"delete {'/'.join(levels)}")
        return _folder(levels, "Deleted")


def _folder(levels: Levels, status: str) -> web.StreamResponse:
    return web.json_response({"Id": None, "Name": "/".join(levels), "Status": status})
