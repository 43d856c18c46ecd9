"""A small Token Flex over real HTTP, in a thread of its own: the API on one port, the download host on another."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

TOKEN = "the-access-token-4711"
CSV = b"usageDate,productName,userName,tokensConsumed\n"


@dataclass
class MadeExport:
    key: str
    body: dict[str, Any]
    file_name: str
    states: deque[str]
    """States that its next looks see; the last one stays."""
    listed: bool = True
    links: int = 0
    retries: int = 0


@dataclass
class Seen:
    method: str
    path: str
    raw_path: str
    query: dict[str, str]
    headers: dict[str, str]
    status: int = 0


@dataclass
class UsageServer:
    """Faults are taken in order: ``fault("create", 429)`` spoils the next create, and so on.

    A fault is a status, ``(status, headers, body)``, ``"drop"`` (nothing is done) or ``"drop_after"`` (done, but the
    answer is lost).
    """

    exports: dict[str, MadeExport] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    downloads: list[Seen] = field(default_factory=list)
    faults: dict[str, deque[Any]] = field(default_factory=dict)
    script: tuple[str, ...] = ("Requested", "Download")
    file: bytes = CSV + b"2026-11-21,AutoCAD,ann,1.5\n2026-11-21,Revit,bob,2\n"
    etag: str = '"v1"'
    ranges: bool = True
    break_at: deque[int] = field(default_factory=deque)
    """Each download breaks off after so many bytes, in order."""
    good_links: int | None = None
    """Only a link of at least this number is good."""
    link_seconds: float = 300
    query_states: deque[str] = field(default_factory=lambda: deque(["QUEUED", "PROCESSING", "DONE"]))
    query_rows: list[list[Any]] = field(default_factory=list)
    list_late: bool = False
    made: int = 0
    hold_create: str = ""
    """"before" or "after" the export is made, the next create is left without an answer until its client is gone."""
    hold_at: int | None = None
    """The next download stops after so many bytes until its client is gone."""
    held: threading.Event = field(default_factory=threading.Event)
    url: str = ""
    download_url: str = ""

    def fault(self, where: str, *what: Any) -> None:
        self.faults.setdefault(where, deque()).extend(what)

    def count(self, method: str, ending: str = "") -> int:
        return sum(1 for one in self.seen if one.method == method and one.path.endswith(ending))

    def add(self, *states: str, name: str = "made elsewhere", at: datetime | None = None) -> MadeExport:
        moment = at or datetime.now(UTC)
        self.made += 1
        key = f"{moment:%Y-%m-%dT%H:%M:%S}#0b6f0c1e-0000-4000-8000-{self.made:012d}"
        made = MadeExport(key, {}, f"{name}.csv", deque(states or self.script))
        self.exports[key] = made
        return made

    # -- running --------------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()

        async def serve() -> None:
            self._runners = []
            for app in (self._api(), self._host()):
                runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
                await runner.setup()
                await web.TCPSite(runner, "127.0.0.1", 0).start()
                self._runners.append(runner)
            api, host = (f"http://127.0.0.1:{runner.addresses[0][1]}" for runner in self._runners)
            self.url, self.download_url = api, host
            ready.set()

        def main() -> None:
            asyncio.set_event_loop(self._loop)
            self._serving = self._loop.create_task(serve())
            self._loop.run_forever()

        self._thread = threading.Thread(target=main, daemon=True)
        self._thread.start()
        assert ready.wait(5)

    def stop(self) -> None:
        for runner in self._runners:
            asyncio.run_coroutine_threadsafe(runner.cleanup(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _api(self) -> web.Application:
        root = "/tokenflex/v1"
        app = web.Application(middlewares=[self._watched])
        app.add_routes(
            [
                web.post(root + "/export/{c}/requests", self._create),
                web.get(root + "/export/{c}/requests", self._list),
                web.post(root + "/export/{c}/requests/markRead", self._mark_read),
                web.get(root + "/export/{c}/requests/{k}", self._get),
                web.delete(root + "/export/{c}/requests/{k}", self._delete),
                web.post(root + "/export/{c}/requests/{k}/retry", self._retry),
                web.post(root + "/export/{c}/requests/{k}/refreshUrl", self._refresh),
                web.post(root + "/usage/{c}/query", self._query),
                web.get(root + "/usage/{c}/query/{q}", self._query_page),
                web.route("*", root + "/{any:.*}", self._echo),
            ]
        )
        return app

    def _host(self) -> web.Application:
        app = web.Application()
        app.add_routes([web.get("/{name}", self._download)])
        return app

    @web.middleware
    async def _watched(self, request: web.Request, handler: Any) -> web.StreamResponse:
        one = Seen(request.method, request.path, request.raw_path, dict(request.query), dict(request.headers))
        self.seen.append(one)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            one.status = 401
            return web.json_response(
                {"developerMessage": "bad token", "errorCode": "AUTH-006", "more info": "x"}, status=401
            )
        answer = await handler(request)
        one.status = answer.status
        return answer

    def _spoil(self, where: str, request: web.Request) -> web.Response | None:
        queue = self.faults.get(where)
        fault = queue.popleft() if queue else None
        if fault is None or fault == "drop_after":
            if fault:
                queue.appendleft(fault)  # type: ignore[union-attr]
            return None
        if fault == "drop":
            request.transport.close()  # type: ignore[union-attr]
            return web.Response(status=500)
        if isinstance(fault, tuple):
            status, headers, body = fault
            if isinstance(body, str):
                return web.Response(status=status, headers=headers, text=body)
            return web.json_response(body, status=status, headers=headers)
        return web.Response(status=fault)

    def _lost(self, where: str, request: web.Request) -> bool:
        queue = self.faults.get(where)
        if queue and queue[0] == "drop_after":
            queue.popleft()
            request.transport.close()  # type: ignore[union-attr]
            return True
        return False

    # -- the API --------------------------------------------------------------------------------------------------

    async def _create(self, request: web.Request) -> web.Response:
        if (spoiled := self._spoil("create", request)) is not None:
            return spoiled
        body = await request.json()
        if self.hold_create == "before":
            return await self._hold(request)
        made = self.add(name=body.get("downloadFileName", "API_Custom_Export"))
        made.body, made.listed = body, not self.list_late
        if self.hold_create == "after":
            return await self._hold(request)
        if self._lost("create", request):
            return web.Response(status=500)
        return web.json_response(self._shown(made, look=False))

    async def _hold(self, request: web.Request) -> web.Response:
        self.hold_create, self.hold_at = "", None
        self.held.set()
        while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110 - no event tells it
            await asyncio.sleep(0.01)
        return web.Response(status=500)

    async def _list(self, request: web.Request) -> web.Response:
        if (spoiled := self._spoil("list", request)) is not None:
            return spoiled
        first, end = request.query["fromDate"], request.query["toDate"]
        return web.json_response(
            [self._shown(one) for one in self.exports.values() if one.listed and first <= one.key[:10] < end]
        )

    async def _get(self, request: web.Request) -> web.Response:
        if (spoiled := self._spoil("get", request)) is not None:
            return spoiled
        made = self.exports.get(request.match_info["k"])
        return self._unknown() if made is None else web.json_response(self._shown(made))

    async def _delete(self, request: web.Request) -> web.Response:
        if self.exports.pop(request.match_info["k"], None) is None:
            return self._unknown()
        self.deleted.append(request.match_info["k"])
        if self._lost("delete", request):
            return web.Response(status=500)
        return web.Response(status=204)

    async def _retry(self, request: web.Request) -> web.Response:
        made = self.exports[request.match_info["k"]]
        made.retries += 1
        if made.states[0] == "Error" and len(made.states) > 1:
            made.states.popleft()
        return web.json_response(self._shown(made, look=False))

    async def _refresh(self, request: web.Request) -> web.Response:
        made = self.exports[request.match_info["k"]]
        made.links += 1
        return web.json_response(self._shown(made))

    async def _mark_read(self, request: web.Request) -> web.Response:
        return web.json_response(await request.json())

    async def _query(self, request: web.Request) -> web.Response:
        return web.json_response({"id": "q 1", "detail_uri": "/wrong", "status": self.query_states[0]})

    async def _query_page(self, request: web.Request) -> web.Response:
        state = self.query_states[0]
        if len(self.query_states) > 1:
            self.query_states.popleft()
        if state != "DONE":
            return web.json_response({"id": "q 1", "status": state})
        offset, limit = int(request.query["offset"]), int(request.query["limit"])
        rows = self.query_rows[offset : offset + limit]
        result = {
            "columns": ["userName", "tokensConsumed"],
            "rows": rows,
            "offset": offset,
            "limit": limit,
            "total": len(self.query_rows),
        }
        return web.json_response({"id": "q 1", "status": state, "result": result})

    async def _echo(self, request: web.Request) -> web.Response:
        if (spoiled := self._spoil("echo", request)) is not None:
            return spoiled
        if request.method == "DELETE":
            return web.Response(status=204)
        acme = {"contractNumber": "110", "contractName": "Acme"}
        return web.json_response(acme if request.path.endswith("/contract/110") else [acme])

    def _unknown(self) -> web.Response:
        return web.json_response({"Code": "BadRequestError", "Message": "BadRequestError: no such request"}, status=400)

    def _shown(self, made: MadeExport, *, look: bool = True) -> dict[str, Any]:
        state = made.states[0]
        if look and len(made.states) > 1 and state != "Error":
            made.states.popleft()
        shown = {"requestKey": made.key, "requestStatus": state, "downloadFileName": made.file_name}
        if state == "Download":
            ends = datetime.now(UTC) + timedelta(seconds=self.link_seconds)
            shown["downloadUrl"] = (
                f"{self.download_url}/file.csv?X-Amz-Signature=signed{made.links:04d}secret&key={made.links}"
            )
            shown["downloadUrlExpireDate"] = ends.isoformat().replace("+00:00", "Z")
        return shown

    # -- the download host ----------------------------------------------------------------------------------------

    async def _download(self, request: web.Request) -> web.StreamResponse:
        one = Seen("GET", request.path, request.raw_path, dict(request.query), dict(request.headers))
        self.downloads.append(one)
        if "Authorization" in request.headers:
            return web.Response(status=400)
        if self.good_links is not None and int(request.query["key"]) < self.good_links:
            one.status = 403
            return web.Response(status=403, text="<Error><Code>AccessDenied</Code></Error>")
        start = 0
        given = request.headers.get("Range", "")
        if given and self.ranges and request.headers.get("If-Range") in (None, self.etag):
            start = int(given.removeprefix("bytes=").partition("-")[0])
        one.status = 206 if start else 200
        headers = {"ETag": self.etag} if self.etag else {}
        body = self.file[start:]
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(self.file) - 1}/{len(self.file)}"
        answer = web.StreamResponse(status=one.status, headers={**headers, "Content-Length": str(len(body))})
        await answer.prepare(request)
        if self.hold_at is not None:
            await answer.write(body[: self.hold_at])
            await self._hold(request)
            return answer
        if self.break_at:
            await answer.write(body[: self.break_at.popleft()])
            request.transport.close()  # type: ignore[union-attr]
            return answer
        await answer.write(body)
        await answer.write_eof()
        return answer
