"""A small FlexDeploy, over real HTTP in a thread of its own, that keeps what it saw and does what a test tells it."""

from __future__ import annotations

import asyncio
import base64
import re
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

LOGIN, SECRET = "fdadmin", "api-token-815"
ENDED = {"COMPLETED", "FAILED", "ABORTED", "REJECTED"}
CONTEXT = "/flexdeploy"
START_PATHS = ("/build", "/deploy", "/execute")


@dataclass
class Made:
    """One workflow request; the states that its next polls see, the last one stays."""

    id: int
    work: str
    body: dict[str, Any]
    states: deque[str]
    project: int = 10501
    listed: bool = True

    @property
    def state(self) -> str:
        return self.states[0]


@dataclass(frozen=True)
class Seen:
    method: str
    path: str
    query: str
    body: Any


@dataclass
class DeployServer:
    """Faults are taken in order: ``fault("start", 500)`` spoils the next start, ``"start_answer"`` its answer only."""

    script: tuple[str, ...] = ("READY", "SUBMITTED", "COMPLETED")
    requests: dict[int, Made] = field(default_factory=dict)
    faults: dict[str, deque[Any]] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    canned: dict[tuple[str, str], Any] = field(default_factory=dict)
    """Method and path (with its query, or without) to the JSON that is answered, or to a (status, text)."""
    nothing: bool = False
    several: int = 1
    key: str = "workflowRequests"
    """The list's name in answers; "bare" and "bare_text": ids alone; "list": no object around it."""
    status_key: str = "workflowRequestStatus"
    executions: list[dict[str, Any]] = field(default_factory=list)
    lists_executions: bool = False
    """Each request has an execution that tells what it is."""
    tasks_late: bool = False
    with_flex_fields: bool = True
    aborts: bool = False
    started: threading.Event = field(default_factory=threading.Event)
    polled: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    # -- running --------------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()

        async def serve() -> None:
            app = web.Application()
            app.router.add_route("*", "/{path:.*}", self._any)
            self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            await self._runner.setup()
            await web.TCPSite(self._runner, "127.0.0.1", 0).start()
            self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}{CONTEXT}"
            ready.set()

        def main() -> None:
            asyncio.set_event_loop(self._loop)
            self._serving = self._loop.create_task(serve())
            self._loop.run_forever()

        self._thread = threading.Thread(target=main, daemon=True)
        self._thread.start()
        assert ready.wait(5)

    def stop(self) -> None:
        self.release.set()
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    # -- what a test says and asks --------------------------------------------------------------------------------

    def fault(self, where: str, *what: Any) -> None:
        self.faults.setdefault(where, deque()).extend(what)

    def add(self, *states: str, work: str = "deploy", **body: Any) -> Made:
        made = Made(12001 + len(self.requests), work, body, deque(states or self.script))
        self.requests[made.id] = made
        return made

    def count(self, method: str, part: str = "") -> int:
        return sum(1 for one in self.seen if one.method == method and part in one.path)

    def starts(self) -> int:
        return sum(self.count("POST", one) for one in START_PATHS)

    # -- answering ------------------------------------------------------------------------------------------------

    async def _any(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix(CONTEXT)
        body = await request.json() if request.can_read_body else None
        self.seen.append(Seen(request.method, path, request.query_string, body))
        if not request.path.startswith(f"{CONTEXT}/rest/"):
            return web.Response(status=404, text="<html>Not here</html>", content_type="text/html")
        expected = base64.b64encode(f"{LOGIN}:{SECRET}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {expected}":
            return web.json_response({"message": "Login failure"}, status=401)
        where = "start" if path.endswith(START_PATHS) else "poll" if "/workflowrequest/" in path else "other"
        if (spoiled := self._spoil(where, request)) is not None:
            return spoiled
        for key in ((request.method, f"{path}?{request.query_string}"), (request.method, path)):
            if key in self.canned:
                return _given(self.canned[key])
        if request.method == "POST" and where == "start":
            return await self._start(request, path, body or {})
        if where == "poll" and path.endswith("/abort"):
            return self._end(int(path.split("/")[-2]), "ABORTED") if self.aborts else web.Response(status=404)
        if where == "poll":
            return self._poll(path)
        if path.startswith("/rest/v1/tasks/"):
            return self._tasks(request.method, path)
        if path.startswith("/rest/v1/workflowexecution"):
            return web.json_response(
                [*self.executions, *(self._ran(one) for one in self.requests.values() if self.lists_executions)]
            )
        return web.json_response({"message": "no such path"}, status=404)

    def _spoil(self, where: str, request: web.Request) -> web.Response | None:
        queue = self.faults.get(where)
        fault = queue.popleft() if queue else None
        if fault == "drop":
            request.transport.close()  # type: ignore[union-attr]
            return web.Response(status=500)
        return None if fault is None else _given(fault if isinstance(fault, tuple) else (fault, ""))

    async def _start(self, request: web.Request, path: str, body: dict[str, Any]) -> web.Response:
        if self.nothing:
            said = {"warningCode": "FD-1", "warningMessage": "No changes found in source control"}
            return web.json_response({**said, "workflowRequests": None})
        work = path.rsplit("/", 1)[1]
        made = [self.add(work=work, **body) for _ in range(self.several)]
        for one in made:
            one.project = int(body.get("projectId") or re.search(r"\d+", path.removeprefix("/rest/v1"))[0])  # type: ignore[index]
        self.started.set()
        queue = self.faults.get("start_answer")
        fault = queue.popleft() if queue else None
        if fault == "hold":
            await asyncio.to_thread(self.release.wait, 20)
        if fault in ("drop", "hold"):
            request.transport.close()  # type: ignore[union-attr]
            return web.Response(status=500)
        if fault is not None:
            return _given(fault)
        return web.json_response(self._answer(made), status=201)

    def _answer(self, made: list[Made]) -> Any:
        if self.key == "bare":
            return made[0].id
        if self.key == "bare_text":
            return {"workflowRequestId": str(made[0].id)}
        rows = [self._shown(one) for one in made]
        if self.key == "list":
            return rows
        return {"warningMessage": None, "warningCode": None, self.key: rows}

    def _shown(self, made: Made) -> dict[str, Any]:
        return {
            "workflowRequestId": made.id, self.status_key: made.state, "projectId": made.project,
            "projectVersionId": made.body.get("projectVersionId") or 30001, "projectVersionName": "1.0.9", "requestedBy": LOGIN,
            "requestedStartTime": None, "environmentId": made.body.get("environmentId"), "projectStreamId": made.body.get("streamId"),
            "flexFields": made.body.get("flexFields") or [],
        }  # fmt: skip

    def _ran(self, made: Made) -> dict[str, Any]:
        kind = {"build": "BUILD", "deploy": "DEPLOY", "execute": "UTILITY"}[made.work]
        return {
            "workflowExecutionId": made.id + 50000,
            "workflowRequestId": made.id,
            "workflowType": kind,
            "executionStatus": "Success",
        }

    def _poll(self, path: str) -> web.Response:
        self.polled.set()
        made = self.requests.get(int(path.rsplit("/", 1)[1]))
        if made is None or not made.listed:
            return web.json_response({"message": "WorkflowRequest not found"}, status=404)
        shown = self._shown(made)
        if len(made.states) > 1:
            made.states.popleft()
        return web.json_response(shown)

    def _tasks(self, method: str, path: str) -> web.Response:
        kind, *rest = path.removeprefix("/rest/v1/tasks/").split("/")
        state = "PENDING_APPROVAL" if kind == "approval" else "SCHEDULED"
        if method == "PUT":
            return self._end(int(rest[1]) - 500, "REJECTED")
        rows = [self._task(one) for one in self.requests.values() if one.state == state and not self.tasks_late]
        return web.json_response(rows)

    def _task(self, made: Made) -> dict[str, Any]:
        task = {"taskId": made.id + 500, "status": "PENDING", "workflowRequestId": made.id, "requestorPath": "FD/ann"}
        if made.state == "SCHEDULED":
            return {**task, "scheduledDate": "2099-03-16 22:17:52.0"}
        return {
            **task,
            "externalSystemType": "ServiceNow",
            "externalId": "CHG7",
            "flexFields": made.body.get("flexFields"),
        }

    def _end(self, number: int, state: str) -> web.Response:
        made = self.requests[number]
        if made.state not in ENDED:
            made.states = deque([state])
        return web.Response(status=204)


def _given(answer: Any) -> web.Response:
    if isinstance(answer, tuple):
        status, text = answer
        kind = "text/html" if str(text).startswith("<") else "application/json"
        return web.Response(status=status, text=str(text), content_type=kind)
    return web.json_response(answer)
