"""What FlexDeploy shows of a request beyond its state: why it waits or failed, whose it is, and what is like what was
asked.

Never raises: a state is true without its explanation. FlexDeploy reference, sections 3.8, 4.3 and 4.4.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from nightshift.errors import VendorError
from nightshift.flexdeploy.hook import FlexDeployHook
from nightshift.flexdeploy.model import Execution, Task, WorkflowRequest
from nightshift.flexdeploy.request import WORK_OF, BuildRequest, DeployRequest, ExecuteRequest, JobRequest
from nightshift.flexdeploy.vocabulary import ENDED, FAILED, WAITING, RequestState, Work


async def explain(hook: FlexDeployHook, request: WorkflowRequest) -> str:
    """Return one line about a request that waits or has failed, empty where there is nothing to say."""
    try:
        if request.state is RequestState.PENDING_APPROVAL:
            return _approvals(await hook.open_approvals(request.id))
        if request.state is RequestState.SCHEDULED:
            return await _schedule(hook, request)
        if request.state in FAILED:
            return await _failure(hook, request)
    except VendorError as error:
        hook.log.info("Workflow request %s: no more can be said about it (%s).", request.id, error.problem)
    return "waits for an approval" if request.state is RequestState.PENDING_APPROVAL else ""


def _approvals(tasks: list[Task]) -> str:
    if not tasks:
        return "waits for an approval"
    return "waits for " + " and ".join(_approval(task) for task in tasks[:5])


def _approval(task: Task) -> str:
    parts = [f"approval task {task.id}"]
    if task.external:
        parts.append(f"which is decided in {task.external}")
    if task.requestor:
        parts.append(f"asked for by {task.requestor}")
    if task.notes:
        parts.append(f"notes: {task.notes[:100]}")
    return ", ".join(parts)


async def _schedule(hook: FlexDeployHook, request: WorkflowRequest) -> str:
    times = [task.scheduled for task in await hook.open_schedules(request.id) if task.scheduled]
    if when := (times[0] if times else request.requested_start_time):
        return f"is scheduled for {when}"
    return "is scheduled; its deployment window may be closed"


async def _failure(hook: FlexDeployHook, request: WorkflowRequest) -> str:
    reasons = [one.words for one in await hook.workflow_executions(request.id) if not one.succeeded]
    if not reasons and request.state is RequestState.REJECTED:
        return "an approval was rejected, or the schedule was cancelled; it never ran"
    return "; ".join(reasons[:3])


MOST_CANDIDATES = 50
"""Requests that are asked for one by one, the newest of all."""


async def requests_with(hook: FlexDeployHook, code: str, marker: str, project_id: int) -> list[str]:
    """Return the ids of the workflow requests whose FlexField holds the marker, in ascending order."""
    held = (code, marker)
    found: set[str] = set()
    candidates: dict[str, None] = {}
    for listed in (hook.approval_tasks, hook.scheduled_tasks):
        for task in await _tasks(hook, listed):
            if task.request_id and held in task.flex_fields:
                found.add(task.request_id)
            elif task.request_id and not task.flex_fields:
                candidates[task.request_id] = None
    try:
        candidates |= {one.request_id: None for one in await hook.recent_executions(project_id) if one.request_id}
    except VendorError as error:
        hook.log.warning("The latest executions could not be looked through: %s", error.problem)
    newest_first = sorted(candidates.keys() - found, key=int, reverse=True)
    for number in newest_first[:MOST_CANDIDATES]:
        if await _holds(hook, number, held):
            found.add(number)
    return sorted(found, key=int)


async def _tasks(hook: FlexDeployHook, listed: Callable[[], Coroutine[Any, Any, list[dict[str, Any]]]]) -> list[Task]:
    try:
        rows = await listed()
    except VendorError as error:
        hook.log.warning("A list could not be looked through: %s", error.problem)
        return []
    return [task for row in rows if (task := Task.of(row)) is not None]


async def _holds(hook: FlexDeployHook, number: str, held: tuple[str, str]) -> bool:
    try:
        return held in (await hook.workflow_request(number)).flex_fields
    except VendorError:
        return False


CLOCK_SKEW = 300.0
"""Seconds by which FlexDeploy's clock and ours may differ."""
_KINDS: Mapping[Work, tuple[str, ...]] = {
    Work.BUILD: ("BUILD",),
    Work.DEPLOY: ("DEPLOY",),
    Work.EXECUTE: ("UTIL", "EXECUT"),
}
"""What the ``workflowType`` of an execution has in it; only ``DEPLOY`` is published."""
_WORDS: Mapping[Work, str] = {Work.BUILD: "build", Work.DEPLOY: "deployment", Work.EXECUTE: "utility run"}
_NEVER_A_BUILD = WAITING | {RequestState.REJECTED}


def differences(
    found: WorkflowRequest, ran: Sequence[Execution], request: JobRequest, project: int, since: float
) -> Iterator[str]:
    """Yield in what a workflow request differs from what was asked for.

    :param found: the request, as FlexDeploy shows it
    :param since: seconds since the epoch at which the task asked
    """
    yield from _differs("project", found.project_id, project)
    yield from _differs("environment", found.environment_id, request.environment_id)
    if isinstance(request, BuildRequest):
        yield from _differs("stream", found.stream_id, request.stream_id)
    if isinstance(request, DeployRequest):
        yield from _version(found, request)
    yield from _kind(found, ran, WORK_OF[type(request)])
    yield from _instances(ran, request)
    moments = [at for at in (_moment(found.created), *(_moment(one.started) for one in ran)) if at is not None]
    if moments and min(moments) < since - CLOCK_SKEW:
        began, asked = (datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds") for at in (min(moments), since))
        yield f"it began at {began}, and this task asked at {asked}"


def _differs(what: str, found: int | None, wanted: int | None) -> Iterator[str]:
    if wanted is not None and found != wanted:
        yield f"its {what} is {'not told' if found is None else found}, not {wanted}"


def _version(found: WorkflowRequest, request: DeployRequest) -> Iterator[str]:
    if not request.package_details:
        yield from _differs("version", found.project_version_id, request.project_version_id)
        return
    one = next((one for one in request.package_details if one.package_name == found.package_name), None)
    if one is None:
        yield f"its package is {found.package_name or 'not told'}, which this task does not deploy"
    else:
        yield from _differs("version", found.project_version_id, one.project_version_id)


def _kind(found: WorkflowRequest, ran: Sequence[Execution], work: Work) -> Iterator[str]:
    kinds = {one.kind.upper() for one in ran if one.kind}
    if strange := sorted(kind for kind in kinds if not any(word in kind for word in _KINDS[work])):
        yield f"it is a {' and a '.join(one.lower() for one in strange)}, not a {_WORDS[work]}"
    elif not kinds and found.state in ENDED and (work is Work.BUILD or found.state is not RequestState.REJECTED):
        # Before its end that may still come, and it is looked at again then; what is rejected never ran.
        yield f"FlexDeploy lists no execution of it that tells whether it is a {_WORDS[work]}"
    elif work is Work.BUILD and found.state in _NEVER_A_BUILD:
        yield f"it is {found.status}, which no build ever is"


def _instances(ran: Sequence[Execution], request: JobRequest) -> Iterator[str]:
    if not isinstance(request, DeployRequest | ExecuteRequest) or not request.instance_ids:
        return
    wanted = {str(one) for one in request.instance_ids}
    if strange := sorted({one.instance_id for one in ran if one.instance_id} - wanted):
        yield f"it runs on instance {', '.join(strange)}, not on {', '.join(sorted(wanted))}"


def _moment(text: str | None) -> float | None:
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.timestamp() if at.tzinfo is not None else None
