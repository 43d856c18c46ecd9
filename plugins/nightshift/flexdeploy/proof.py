"""A request whose answer was lost, found again by what only ours has: the marker in its FlexField.

FlexDeploy cannot list workflow requests (FlexDeploy reference, section 2). What it can list is who waits for an approval,
what is scheduled, and, where the connection names a route for it, the latest executions. What is found is proven; that
nothing is found proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from nightshift.errors import VendorError
from nightshift.flexdeploy.hook import FlexDeployHook
from nightshift.flexdeploy.model import Task

MOST_CANDIDATES = 50
"""Requests that are asked for one by one, the newest of all."""


async def requests_with(hook: FlexDeployHook, code: str, marker: str, project_id: int) -> list[str]:
    """Return the ids of the workflow requests whose FlexField holds the marker, in ascending order.

    :param code: code of the FlexField
    :param project_id: project that they are of
    """
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
