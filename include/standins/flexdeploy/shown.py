"""How requests, executions and tasks look in answers, and lists with their filters (3.1, 3.6, 3.8)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from include.standins.flexdeploy.bodies import Wrong
from include.standins.flexdeploy.requests import Execution, Task, WorkflowRequest
from include.standins.flexdeploy.site import Environment, Site
from include.standins.flexdeploy.switches import FlexDeploySwitches, ListShape, Names

Row = dict[str, Any]


def shaped(rows: Sequence[Row], shape: ListShape) -> Any:
    match shape:
        case ListShape.ITEMS:
            return {"items": list(rows)}
        case ListShape.BARE_ONE if len(rows) == 1:
            return rows[0]
        case ListShape.LAST_BARE if rows:
            return rows[-1]
        case _:
            return list(rows)


def kept(rows: Sequence[Row], query: Sequence[tuple[str, str]]) -> list[Row]:
    """Return the rows whose attributes have the values of a query, in any letter case; other parameters do nothing."""
    found = list(rows)
    for name, text in query:
        if rows and name not in rows[0]:
            continue
        found = [row for row in found if _text(row.get(name)) == text.casefold()]
    return found


def truth(text: str, what: str) -> bool:
    """Return a boolean of a query.

    :raises Wrong: it is none
    """
    if text.lower() not in ("true", "false"):
        raise Wrong(f"{what} has to be true or false, not {text!r}")
    return text.lower() == "true"


def _text(value: Any) -> str:
    return str(value).casefold()


_ENTITY: Final = {
    "workflowRequestStatus": "requestStatus",
    "releaseSnapshotId": "relSnapshotId",
    "releaseDefinitionId": "relDefinitionId",
    "exceptionToWindow": "isException",
    "force": "forceDeploy",
    "requestAllFiles": "allFilesRequested",
    "requestedBy": "createdBy",
    "folderRequestId": "groupRequestId",
}
"""Documented names of a request and the entity-style ones of 6.0, as far as they are known."""


def stamp(at: datetime | None) -> str | None:
    """Return a time as executions show it: ``2022-03-21T17:58:30.933+0000``."""
    return None if at is None else f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}{at:%z}"


def request(one: WorkflowRequest, site: Site, status: str | None = None) -> dict[str, Any]:
    """Return a workflow request with the documented names.

    :param status: shown instead of its own
    """
    wanted = one.wanted
    folder = wanted.project.folder
    return {
        "packageName": wanted.package,
        "folderName": folder.name,
        "releaseSnapshotId": wanted.snapshot,
        "workflowRequestStatus": status or one.state.value,
        "folderId": folder.id,
        "exceptionToWindow": wanted.exception_to_window,
        "releaseDefinitionId": wanted.release,
        "cmsissues": ",".join(wanted.tickets),
        "workflowRequestId": one.id,
        "projectName": wanted.project.name,
        "projectStreamId": wanted.version.stream,
        "projectVersionName": wanted.version.name,
        "requestAllFiles": wanted.all_files,
        "projectVersionId": wanted.version.id,
        "environmentId": wanted.environment.id,
        "folderRequestId": None,
        "flexFields": list(wanted.flex_fields),
        "folderPath": "/".join(site.path_of(folder)),
        "projectId": wanted.project.id,
        "requestedBy": wanted.user,
        "requestedStartTime": wanted.start_text,
        "force": wanted.force,
        "stopOnPackageError": None,
        "workflowOverrideVersion": wanted.override,
        "folderVersionId": None,
    }


def entity(one: WorkflowRequest, site: Site, status: str | None = None) -> dict[str, Any]:
    """Return a workflow request with the entity-style names, which v2 has always."""
    documented = request(one, site, status)
    value = {_ENTITY.get(name, name): shown for name, shown in documented.items()}
    return {**value, "pipelineStageExecId": None, "createdOn": stamp(one.made)}


def request_v1(
    one: WorkflowRequest, site: Site, switches: FlexDeploySwitches, status: str | None = None
) -> dict[str, Any]:
    return entity(one, site, status) if switches.names is Names.ENTITY else request(one, site, status)


def execution(run: Execution, of: WorkflowRequest, switches: FlexDeploySwitches) -> dict[str, Any]:
    """Return an execution, with its messages and outputs where switches say so."""
    wanted = of.wanted
    workflow = {
        "BUILD": wanted.project.build_workflow,
        "DEPLOY": wanted.project.deploy_workflow,
        "UTILITY": wanted.project.utility_workflow,
    }[wanted.kind.value]
    changed = run.end or run.start
    value: dict[str, Any] = {
        "workflowExecutionId": run.id,
        "workflowRequestId": of.id,
        "executionStatus": run.state.value,
        "workflowType": wanted.kind.value,
        "workflowState": None,
        "environmentId": wanted.environment.id,
        "instanceId": run.instance.id,
        "projectId": wanted.project.id,
        "projectVersionId": wanted.version.id,
        "projectWorkflowId": None,
        "workflowId": workflow,
        "workflowVersionId": None,
        "parentWorkflowExecutionId": None,
        "predeployWorkflowExecId": None,
        "dockerImageName": None,
        "startTime": stamp(run.start),
        "endTime": stamp(run.end),
        "reviewStatus": None,
        "abortedOn": stamp(run.aborted_on),
        "abortedBy": run.aborted_by,
        "createdOn": stamp(run.start),
        "createdBy": wanted.user,
        "updatedOn": stamp(changed),
        "updatedBy": wanted.user,
        "versionNumber": 1 if run.end is None else 2,
    }
    if switches.messages_key:
        value[switches.messages_key] = list(run.messages)
    return value


def approval(task: Task) -> dict[str, Any]:
    wanted = task.request.wanted
    return {
        "taskId": task.id,
        "status": task.state.value,
        "requestType": "Project",
        "workflowRequestId": task.request.id,
        "folderRequestId": None,
        "pipelineStageExecId": None,
        "projectId": wanted.project.id,
        "projectName": wanted.project.name,
        "projectVersionName": wanted.version.name,
        "environmentId": wanted.environment.id,
        "flexFields": list(wanted.flex_fields),
        "requestorPath": wanted.user,
        "notes": f"approval of the {task.kind.value}" + (f", {task.decided_by}" if task.decided_by else ""),
        "externalId": task.external_id,
        "externalSystemId": 1 if task.external_id else None,
        "externalSystemType": "ITSM" if task.external_id else None,
        "links": [],
    }


def schedule(task: Task) -> dict[str, Any]:
    """Return a scheduled task; its date looks like ``2099-03-16 22:17:52.0``."""
    wanted, date = task.request.wanted, task.date or task.request.made
    return {
        "taskId": task.id,
        "status": task.state.value,
        "scheduledDate": f"{date:%Y-%m-%d %H:%M:%S}.{date.microsecond // 100000}",
        "requestType": "Project",
        "workflowRequestId": task.request.id,
        "projectId": wanted.project.id,
        "projectName": wanted.project.name,
        "projectVersionName": wanted.version.name,
        "environmentId": wanted.environment.id,
    }


def environment(one: Environment, instances: str = "instances") -> dict[str, Any]:
    """Return an one.

    :param instances: key of its instances, ``targets`` in v2
    """
    return {
        "environmentId": one.id,
        "environmentCode": one.code,
        "environmentName": one.name,
        "isActive": one.active,
        "isBuildEnvironment": one.build,
        "sortNumber": one.sort,
        "description": one.description,
        instances: list(one.instances),
    }
