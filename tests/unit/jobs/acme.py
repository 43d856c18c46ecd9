"""Acme, a made-up vendor of asynchronous jobs on the base of the stand-ins, and the adapters that speak to it."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import aiohttp
from airflow.sdk import BaseHook

from include.standins import Fault, FaultKind, Refused, Request, Response, Route, StandIn, Switches
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
ENDED = frozenset({"done", "broken", "stopped"})
CALLS = {
    "submit": ("POST", "^/jobs$"),
    "find": ("GET", "^/jobs$"),
    "bulk": ("GET", "^/bulk$"),
    "poll": ("GET", "^/(jobs/[^/]+|bulk)$"),
    "cancel": ("DELETE", "^/jobs/"),
    "result": ("GET", "/result$"),
}
"""What a test calls them: method and path."""


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

    def shown(self) -> dict[str, Any]:
        return {
            "payload": self.payload,
            "id": self.id,
            "state": self.state,
            "url": f"https://acme.example/jobs/{self.id}",
        }

    def polled(self) -> dict[str, Any]:
        """Show it, and go on to its next state."""
        shown = self.shown()
        if len(self.states) > 1:
            self.states.popleft()
        return shown


class Acme(StandIn[Switches]):
    """Makes a job of each submit, which goes through the states of ``script``, one a poll."""

    name = "acme"

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.script: tuple[str, ...] = ("queued", "running", "done")
        self.cancel_to = "stopped"
        self.list_late = False
        """New jobs are not listed until ``list_all`` is called."""
        super().__init__()

    def routes(self) -> Sequence[Route]:
        return [
            Route("POST", "/jobs", self._submit),
            Route("GET", "/jobs", self._find),
            Route("GET", "/bulk", self._bulk),
            Route("GET", "/jobs/{id}", self._poll),
            Route("DELETE", "/jobs/{id}", self._cancel),
            Route("GET", "/jobs/{id}/result", self._result),
        ]

    def fault(self, call: str, *what: FaultKind | int | tuple[int, str]) -> None:
        """Spoil the next calls of a kind, in order.

        :param what: how: a kind of fault, a status, or a status with its ``Retry-After``
        """
        method, path = CALLS[call]
        for one in what:
            status, retry_after = one if isinstance(one, tuple) else (one, None)
            how: dict[str, Any] = {"kind": one}
            if not isinstance(one, FaultKind):
                how = {"kind": FaultKind.STATUS, "status": status, "retry_after": retry_after}
            self.faults.add(Fault(method=method, path=path, content_type="text/html", **how))

    @property
    def requests(self) -> Counter[str]:
        """How often each kind of call came; ``poll`` counts single ones."""
        counted = {call: len(self.ledger.requests(method=method, path=path)) for call, (method, path) in CALLS.items()}
        return Counter({**counted, "poll": counted["poll"] - counted["bulk"]})

    def submitted(self, within: float = 10.0) -> None:
        """Wait until a job was asked for."""
        self.ledger.wait_for_effect(kind="job_made", within=within)

    def polled(self, within: float = 10.0) -> None:
        """Wait until a job was polled."""
        self.ledger.wait_for_request(method="GET", path=CALLS["poll"][1], within=within)

    def add(self, *states: str, marker: str = "", job_id: str | None = None) -> Job:
        job = Job(job_id or f"job-{len(self.jobs) + 1}", marker, None, deque(states or self.script))
        self.jobs[job.id] = job
        return job

    def list_all(self) -> None:
        self.list_late = False
        for job in self.jobs.values():
            job.listed = True

    async def _submit(self, request: Request) -> Response:
        body = request.json()
        if body["payload"] == "nothing":
            return Response.json(200, {"outcome": "nothing_to_do"})
        job = self.add(marker=body["marker"])
        job.payload, job.listed = body["payload"], not self.list_late
        request.effect("job_made", job.id)
        return Response.json(201, job.shown())

    async def _find(self, request: Request) -> Response:
        marker = request.query["marker"]
        return Response.json(200, [one.shown() for one in self.jobs.values() if one.marker == marker and one.listed])

    async def _bulk(self, request: Request) -> Response:
        ids = request.query["ids"].split(",")
        return Response.json(200, [self.jobs[one].polled() for one in ids if one in self.jobs])

    async def _poll(self, request: Request) -> Response:
        return Response.json(200, self._job(request).polled())

    async def _cancel(self, request: Request) -> Response:
        job = self._job(request)
        job.cancels += 1
        if job.state not in ENDED:
            job.states = deque(self.cancel_to.split())
        return Response(202)

    async def _result(self, request: Request) -> Response:
        return Response.json(200, {"rows": 7, "of": self._job(request).id})

    def _job(self, request: Request) -> Job:
        if (job := self.jobs.get(request.parts["id"])) is None:
            raise Refused(self.error(404, "no such job"))
        return job


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
        listed = await self._ask("GET", "/bulk", params={"ids": ",".join(ids)})
        return {body["id"]: self._status(body) for body in listed}


class BlindAdapter(AcmeAdapter):
    """Cannot look a job up."""

    can_find = False


class StubbornAdapter(AcmeAdapter):
    """Cannot cancel."""

    can_cancel = False
