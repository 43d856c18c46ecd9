"""Workflow requests as jobs: started once, waited for together, stopped as far as the API goes.

FlexDeploy reference, sections 4.1 to 4.4 and 7.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nightshift.errors import BadResponse, Forbidden, NotFound, Rejected
from nightshift.flexdeploy.evidence import differences, explain, requests_with
from nightshift.flexdeploy.fields import ids_of, job_id_of
from nightshift.flexdeploy.hook import FlexDeployHook
from nightshift.flexdeploy.model import Execution, Started, WorkflowRequest
from nightshift.flexdeploy.request import WORK_OF, JobRequest, marked, request_of, requests_due
from nightshift.flexdeploy.routes import Call
from nightshift.flexdeploy.vocabulary import ENDED, FAILED, JOB_STATES, NOTHING_STARTED, VENDOR, WAITING, RequestState
from nightshift.jobs.adapter import Cancelled, HookAdapter, Immediate, NotPossible
from nightshift.jobs.state import ACTIVE, Intent, JobState, JobStatus, Scalar
from nightshift.redaction import redact_quote

REMEMBERED = 1000
"""Explanations that are kept at most."""


class FlexDeployAdapter(HookAdapter):
    """Builds, deployments and utility runs; one job is all workflow requests of one answer.

    The API cannot be asked for a request of ours, and nothing proves that there is none: so the core never looks one up
    and never asks twice. Where a FlexField holds the marker, :meth:`proven` may find the request all the same.

    :param marker_flex_field: code of the FlexField that holds the marker; default: the connection's extra of that name
    """

    vendor = VENDOR
    hook: FlexDeployHook
    can_find = False
    send_within = 30.0
    can_cancel = True
    gone_ends = False

    def __init__(self, conn_id: str, *, marker_flex_field: str | None = None, **options: Scalar) -> None:
        super().__init__(conn_id, marker_flex_field=marker_flex_field, **options)
        self.marker_flex_field = marker_flex_field
        self.hook = FlexDeployHook(conn_id)
        self._explained: dict[tuple[str, RequestState], str] = {}

    @property
    def may_have_cancelled(self) -> bool:
        """Whether what is ABORTED may have been ended by us: only with a route ``abort``; without one a person has."""
        return self.hook.routes.get(Call.ABORT) is not None

    @property
    def marker_code(self) -> str | None:
        """Code of the FlexField that holds the marker; ``None``: nothing does."""
        code = self.marker_flex_field or self.hook.extra("marker_flex_field")
        return str(code) if code else None

    async def submit(self, intent: Intent, payload: Any) -> JobStatus | Immediate:
        """Start what is asked for, with the marker in its FlexField where there is one."""
        request = request_of(payload)
        if self.marker_code:
            request = marked(request, self.marker_code, intent.marker)
        started = await self.hook.start(payload["project_id"], request)
        if not started.started:
            return self._nothing(request, started)
        parts: dict[str, WorkflowRequest | None] = {one.id: one for one in started.requests}
        return status_of(job_id_of(list(parts)), parts, url=self.hook.page_of(started.requests[0].id))

    async def poll(self, job_id: str) -> JobStatus:
        """Ask for each workflow request of a job.

        :raises NotFound: one is not known and all others have ended
        """
        parts: dict[str, WorkflowRequest | None] = {}
        for number in ids_of(job_id):
            try:
                parts[number] = await self.hook.workflow_request(number)
            except NotFound:
                parts[number] = None
        details = [await self._explain(part) for part in parts.values() if part is not None]
        return status_of(job_id, parts, url=self._page(parts), detail="; ".join(line for line in details if line))

    def own_word(self, error: NotFound) -> bool:
        """Say yes: the hook raises nothing but that word as ``NotFound``."""
        return True

    async def unlike(self, job_id: str, intent: Intent, payload: Any) -> str:
        """Compare workflow requests with what this task asks for; one that carries its mark is its own."""
        request, numbers = request_of(payload), ids_of(job_id)
        if len(numbers) > requests_due(request):
            return f"it names {len(numbers)} workflow requests, and this task makes {requests_due(request)}"
        details: list[str] = []
        for number in numbers:
            found = await self.hook.workflow_request(number)
            mark = dict(found.flex_fields).get(self.marker_code) if self.marker_code else None
            if mark == intent.marker:
                continue
            if mark:
                details.append(f"{number} carries the mark of another task, {mark}")
            details += differences(found, await self._ran(number), request, payload["project_id"], intent.at)
        return "; ".join(details)

    async def cancel(self, job_id: str) -> Cancelled | NotPossible:
        """Stop each workflow request as far as the API goes: reject its approvals, cancel its schedule, or use the
        route ``abort`` where the connection names one.
        """
        left = [reason for number in ids_of(job_id) if (reason := await self._stop(number))]
        return NotPossible(" ".join(left)) if left else Cancelled()

    async def result(self, status: JobStatus) -> dict[str, Any]:
        """Return the ids, the version that was built or deployed, where it is one, and that of each request as it
        is told.
        """
        ids = ids_of(status.id)
        told = status.attributes.get("project_version_id")
        versions = {number: status.attributes.get(_version_key(number), told) for number in ids}
        if told is None:
            versions = {number: one or await self._version_run(number) for number, one in versions.items()}
            told = _same(one for one in versions.values() if one is not None)
        return {
            "project_version_id": told,
            "project_version_name": status.attributes.get("project_version_name"),
            "workflow_request_ids": [int(number) for number in ids],
            "versions": {number: one for number, one in versions.items() if one is not None},
        }

    async def proven(self, intent: Intent, payload: Any) -> tuple[list[str], bool]:
        """Look for the workflow requests that carry the intent's marker.

        :returns: their ids, and whether they are all that are due; without a marker, none
        """
        code = self.marker_code
        if code is None:
            return [], False
        found = await requests_with(self.hook, code, intent.marker, payload["project_id"])
        return found, len(found) == requests_due(request_of(payload))

    async def _ran(self, number: str) -> list[Execution]:
        try:
            return await self.hook.workflow_executions(number)
        except (NotFound, Forbidden, Rejected, BadResponse) as error:
            self.hook.log.info("The executions of %s are not listed: %s.", number, error.problem)
            return []

    async def _version_run(self, number: str) -> int | None:
        """Return the version that the executions of a request name; a server that has none to show spoils no success."""
        versions = {one.project_version_id for one in await self._ran(number) if one.project_version_id is not None}
        return versions.pop() if len(versions) == 1 else None

    def _nothing(self, request: JobRequest, started: Started) -> Immediate:
        outcome = NOTHING_STARTED.get(WORK_OF[type(request)])
        if outcome is None:
            raise BadResponse(f"the answer says that no {WORK_OF[type(request)]} was started", vendor=VENDOR)
        result = {
            "warning_code": started.warning_code,
            "warning_message": redact_quote(started.warning_message or "") or None,
            "workflow_request_ids": [int(one.id) for one in started.requests],
        }
        return Immediate(outcome=str(outcome), result=result)

    async def _explain(self, part: WorkflowRequest) -> str:
        if part.state not in WAITING | FAILED:
            return ""
        # Asked once for each state: the next poll of a request that waits for days must not cost twice.
        key = (part.id, part.state)
        if key not in self._explained:
            if len(self._explained) >= REMEMBERED:
                self._explained.clear()
            self._explained[key] = redact_quote(await explain(self.hook, part))
        reason = self._explained[key]
        return f"{part.id} {reason}" if reason else ""

    def _page(self, parts: dict[str, WorkflowRequest | None]) -> str:
        """Return the page of the request that a person has to look at: one that failed, else the first one still
        active.
        """
        known = [part for part in parts.values() if part is not None]
        bad = [part for part in known if part.state in FAILED] or [part for part in known if part.state not in ENDED]
        return self.hook.page_of(bad[0].id if bad else next(iter(parts)))

    async def _stop(self, number: str) -> str:
        """Stop one workflow request; return why it could not be, empty where it was or has ended."""
        request = await self.hook.workflow_request(number)
        if request.state in ENDED:
            return ""
        if request.state is RequestState.PENDING_APPROVAL:
            tasks = await self.hook.open_approvals(number)
            for task in tasks:
                await self.hook.reject(task.id)
            if tasks:
                return ""
        if request.state is RequestState.SCHEDULED:
            tasks = await self.hook.open_schedules(number)
            for task in tasks:
                await self.hook.cancel_scheduled(task.id)
            if tasks:
                return ""
        if (route := self.hook.routes.get(Call.ABORT)) is not None:
            await self.hook.change(route.method, route.path(id=number))
            return ""
        return (
            f"workflow request {number} is {request.status}, and FlexDeploy's API cannot end it from there; it goes "
            f"on. Abort it in FlexDeploy if it must stop: {self.hook.page_of(number)}"
        )


_ORDER = (JobState.RUNNING, JobState.QUEUED, JobState.UNKNOWN, JobState.WAITING)
"""Which of several active states stands for all: work goes on as long as one of them works."""
_ENDS = (JobState.FAILED, JobState.CANCELLED, JobState.SUCCEEDED)


def state_of(parts: Iterable[WorkflowRequest | None]) -> JobState:
    """Return the state of all together; a part that is not known (``None``) may still appear."""
    states = {JobState.UNKNOWN if part is None else JOB_STATES[part.state] for part in parts}
    if states & ACTIVE:
        return next(state for state in _ORDER if state in states)
    return next(state for state in _ENDS if state in states)


def status_of(job_id: str, parts: Mapping[str, WorkflowRequest | None], *, url: str, detail: str = "") -> JobStatus:
    """Return one observation of a job.

    :param parts: its workflow requests by id; ``None``: the vendor does not know that one (yet)
    :raises NotFound: one is missing and all others have ended
    """
    missing = [number for number, part in parts.items() if part is None]
    if missing and all(part.state in ENDED for part in parts.values() if part is not None):
        raise NotFound(f"workflow request {', '.join(missing)} is not there", detail="It is not known to the server.")
    details = {number: "not found" if part is None else part.status for number, part in parts.items()}
    words = (
        "".join(details.values()) if len(details) == 1 else ", ".join(f"{one} {word}" for one, word in details.items())
    )
    return JobStatus(
        id=job_id,
        state=state_of(parts.values()),
        vendor_state=words,
        detail=detail,
        url=url,
        attributes={
            "project_version_id": _same(part.project_version_id for part in parts.values() if part),
            "project_version_name": _same(part.project_version_name for part in parts.values() if part),
            # Of several packages one alone may come in another version.
            **{_version_key(number): part.project_version_id for number, part in parts.items() if part},
        },
    )


def _version_key(number: str) -> str:
    return f"project_version_id of {number}"


def _same(values: Iterable[Any]) -> Any:
    found = set(values)
    return found.pop() if len(found) == 1 else None
