"""What a person wants to know beyond a state: whom or when a request waits for, and why it failed.

Never raises: a state is true without its explanation. FlexDeploy reference, sections 3.8, 4.3 and 4.4.
"""

from __future__ import annotations

from nightshift.errors import VendorError
from nightshift.flexdeploy.hook import FlexDeployHook
from nightshift.flexdeploy.model import Task, WorkflowRequest
from nightshift.flexdeploy.vocabulary import FAILED, RequestState


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
    told = [one.words for one in await hook.workflow_executions(request.id) if not one.succeeded]
    if not told and request.state is RequestState.REJECTED:
        return "an approval was rejected, or the schedule was cancelled; it never ran"
    return "; ".join(told[:3])
