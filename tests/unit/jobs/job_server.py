"""A small vendor of asynchronous jobs, over real HTTP in a thread of its own, and the adapters that speak to it."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import aiohttp
from aiohttp import web
from airflow.sdk import BaseHook

from nightshift.errors import (
    Ambiguous,
    AuthFailed,
    NotFound,
    RateLimited,
    Rejected,
    Unreachable,
    VendorError,
)
from nightshift.jobs.adapter import Cancelled, Immediate, JobAdapter, NotPossible
from nightshift.jobs.state import Intent, JobState, JobStatus

STATES = {
    "queued": JobState.QUEUED,
    "running": JobState.RUNNING,
    "approval": JobState.WAITING,
    "stopping": JobState.CANCELLING,
    "done": JobState.SUCCEEDED,
    "broken": JobState.FAILED,
    "stopped": JobState.CANCELLED,
}


@dataclass
class Job:
    id: str
    marker: str
    payload: Any
    states: deque[str] = field(default_factory=deque)
    """The states that its next polls see; the last one stays."""
    listed: bool = True
    cancels: int = 0

    @property
    def state(self) -> str:
        return self.states[0]


@dataclass
class JobServer:
    """Faults are taken in order: ``faults["submit"].append("drop_after")`` spoils the next submit, and so on."""

    jobs: dict[str, Job] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)
    faults: dict[str, deque[Any]] = field(default_factory=dict)
    script: tuple[str, ...] = ("queued", "running", "done")
    cancel_to: str = "stopped"
    list_late: bool = False
    """New jobs are not listed until ``list_all`` is called."""
    sessions: int = 0
    submitted: threading.Event = field(default_factory=threading.Event)
    polled: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)
    """Lets a held answer go (faults "hold" and "hold_then_answer")."""
    url: str = ""

    def start(self) -> None:
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()

        async def serve() -> None:
            app = web.Application()
            app.add_routes(
                [
                    web.post("/jobs", self._submit),
                    web.get("/jobs", self._list),
                    web.get("/jobs/{id}", self._get),
                    web.delete("/jobs/{id}", self._cancel),
                    web.get("/jobs/{id}/result", self._result),
                ]
            )
            self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            await self._runner.setup()
            site = web.TCPSite(self._runner, "127.0.0.1", 0)
            await site.start()
            self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
            ready.set()

        def main() -> None:
            asyncio.set_event_loop(self._loop)
            self._loop.create_task(serve())
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

    def fault(self, where: str, *what: Any) -> None:
        self.faults.setdefault(where, deque()).extend(what)

    def add(self, *states: str, marker: str = "", job_id: str | None = None) -> Job:
        job = Job(job_id or f"job-{len(self.jobs) + 1}", marker, None, deque(states or self.script))
        self.jobs[job.id] = job
        return job

    def list_all(self) -> None:
        self.list_late = False
        for job in self.jobs.values():
            job.listed = True

    async def _spoil(self, where: str, request: web.Request) -> web.Response | None:
        queue = self.faults.get(where)
        fault = queue.popleft() if queue else None
        if fault == "drop":
            request.transport.close()  # type: ignore[union-attr]
            return web.Response(status=500)
        if isinstance(fault, tuple):
            return web.Response(status=fault[0], headers=fault[1])
        if isinstance(fault, int):
            return web.Response(status=fault)
        return None

    async def _submit(self, request: web.Request) -> web.Response:
        self.requests["submit"] += 1
        if (spoiled := await self._spoil("submit", request)) is not None:
            return spoiled
        body = await request.json()
        if body["payload"] == "nothing":
            return web.json_response({"outcome": "nothing_to_do"})
        job = self.add(marker=body["marker"])
        job.payload, job.listed = body["payload"], not self.list_late
        self.submitted.set()
        after = self.faults.get("submit_answer")
        fault = after.popleft() if after else None
        if fault in ("hold", "hold_then_answer"):
            await asyncio.to_thread(self.release.wait, 20)
        if fault in ("drop", "hold"):
            request.transport.close()  # type: ignore[union-attr]
            return web.Response(status=500)
        if fault == "html":
            return web.Response(text="<html>Welcome</html>", content_type="text/html")
        return web.json_response(_shown(job), status=201)

    async def _list(self, request: web.Request) -> web.Response:
        if "ids" in request.query:
            self.requests["bulk"] += 1
            if (spoiled := await self._spoil("poll", request)) is not None:
                return spoiled
            ids = request.query["ids"].split(",")
            self.polled.set()
            return web.json_response([_shown(_advance(self.jobs[i])) for i in ids if i in self.jobs])
        self.requests["find"] += 1
        if (spoiled := await self._spoil("find", request)) is not None:
            return spoiled
        marker = request.query["marker"]
        return web.json_response([_shown(j) for j in self.jobs.values() if j.marker == marker and j.listed])

    async def _get(self, request: web.Request) -> web.Response:
        self.requests["poll"] += 1
        self.polled.set()
        if (spoiled := await self._spoil("poll", request)) is not None:
            return spoiled
        job = self.jobs.get(request.match_info["id"])
        return web.Response(status=404) if job is None else web.json_response(_shown(_advance(job)))

    async def _cancel(self, request: web.Request) -> web.Response:
        self.requests["cancel"] += 1
        if (spoiled := await self._spoil("cancel", request)) is not None:
            return spoiled
        job = self.jobs[request.match_info["id"]]
        job.cancels += 1
        if STATES.get(job.state) not in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED):
            job.states = deque(self.cancel_to.split())
        return web.Response(status=202)

    async def _result(self, request: web.Request) -> web.Response:
        self.requests["result"] += 1
        if (spoiled := await self._spoil("result", request)) is not None:
            return spoiled
        return web.json_response({"rows": 7, "of": request.match_info["id"]})


def _advance(job: Job) -> Job:
    seen = Job(job.id, job.marker, job.payload, deque([job.states[0]]))
    if len(job.states) > 1:
        job.states.popleft()
    return seen


def _shown(job: Job) -> dict[str, Any]:
    return {"payload": job.payload, "id": job.id, "state": job.state, "url": f"https://acme.example/jobs/{job.id}"}


class AcmeAdapter(JobAdapter):
    """Single polls; finds and cancels."""

    vendor = "Acme"
    can_find = True
    can_cancel = True
    settle = 0.4
    send_within = 0.6
    opened: ClassVar[int] = 0

    async def __aenter__(self) -> Self:
        connection = await BaseHook.aget_connection(self.conn_id)
        self._session = aiohttp.ClientSession(connection.host, timeout=aiohttp.ClientTimeout(5))
        AcmeAdapter.opened += 1
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._session.close()

    async def _ask(self, method: str, path: str, **kwargs: Any) -> Any:
        try:
            async with self._session.request(method, path, **kwargs) as answer:
                await self._check(answer)
                return await answer.json() if answer.content_length else None
        except aiohttp.ClientConnectorError as error:
            raise Unreachable("no connection", vendor="Acme") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            kind = Ambiguous if method == "POST" else Unreachable
            raise kind(type(error).__name__, vendor="Acme") from error

    async def _check(self, answer: aiohttp.ClientResponse) -> None:
        known = {401: AuthFailed, 404: NotFound, 400: Rejected, 503: Unreachable}
        if answer.status == 429:
            wait = float(answer.headers.get("Retry-After", 1))
            raise RateLimited("too many requests", vendor="Acme", status=429, retry_after=wait)
        if answer.status >= 400:
            raise known.get(answer.status, Unreachable)("refused", vendor="Acme", status=answer.status)

    def own_word(self, error: NotFound) -> bool:
        return True

    async def unlike(self, job_id: str, intent: Intent, payload: Any) -> str:
        theirs = (await self._ask("GET", f"/jobs/{job_id}")).get("payload")
        return "" if theirs == payload else f"it is for {theirs}, not for {payload}"

    def _status(self, body: Mapping[str, str]) -> JobStatus:
        state = STATES.get(body["state"], JobState.UNKNOWN)
        return JobStatus(id=body["id"], state=state, vendor_state=body["state"], url=body["url"])

    async def submit(self, intent: Intent, payload: Any) -> JobStatus | Immediate:
        body = await self._ask("POST", "/jobs", json={"marker": intent.marker, "payload": payload})
        if "outcome" in body:
            return Immediate(outcome=body["outcome"])
        return self._status(body)

    async def find(self, intent: Intent) -> Sequence[JobStatus]:
        return [self._status(body) for body in await self._ask("GET", "/jobs", params={"marker": intent.marker})]

    async def poll(self, job_id: str) -> JobStatus:
        return self._status(await self._ask("GET", f"/jobs/{job_id}"))

    async def cancel(self, job_id: str) -> Cancelled | NotPossible:
        await self._ask("DELETE", f"/jobs/{job_id}")
        return Cancelled()

    async def result(self, status: JobStatus) -> Any:
        return await self._ask("GET", f"/jobs/{status.id}/result")


class BulkAdapter(AcmeAdapter):
    """Asks for many jobs in one request."""

    bulk = 1000

    @property
    def requests_per_minute(self) -> float | None:
        allowed = self.options.get("per_minute")
        return float(allowed) if allowed else None

    async def status(self, ids: Sequence[str]) -> Mapping[str, JobStatus | VendorError]:
        listed = await self._ask("GET", "/jobs", params={"ids": ",".join(ids)})
        return {body["id"]: self._status(body) for body in listed}


class BlindAdapter(AcmeAdapter):
    """Cannot look a job up."""

    can_find = False


class StubbornAdapter(AcmeAdapter):
    """Cannot cancel."""

    can_cancel = False
