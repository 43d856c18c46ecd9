"""A build in the words of v2 of the API, which names some things by other ids (FlexDeploy reference, section 3.7)."""

from __future__ import annotations

from typing import Any, Protocol

from nightshift.flexdeploy.request import BuildRequest, ProjectFile
from nightshift.flexdeploy.responses import Row
from nightshift.flexdeploy.vocabulary import broken


class _Reader(Protocol):
    async def project(self, project_id: Any) -> Row: ...
    async def workflow(self, workflow_id: Any) -> Row: ...


async def body_of(hook: _Reader, request: BuildRequest, project_id: int) -> dict[str, Any]:
    """Return the body; it asks the server for the id of a workflow version that is given by its number.

    :raises Rejected: a file is given by its path, or there is no such workflow version
    """
    body: dict[str, Any] = {
        "projectId": project_id,
        "environmentId": request.environment_id,
        "projectStreamId": request.stream_id,
        "force": request.force_build,
    }
    if request.release_id is not None:
        body["releaseDefId"] = int(request.release_id)
    if request.package_name is not None:
        body["packageName"] = request.package_name
    if request.workflow_version_override is not None:
        version = request.workflow_version_override
        body["workflowVersionOverrideId"] = await _version_id(hook, project_id, version)
    if request.related_tickets:
        body["issueNumbers"] = list(request.related_tickets)
    for name, pairs in (("inputs", request.inputs), ("flexFields", request.flex_fields)):
        if pairs:
            body[name] = [{"code": one.code, "value": one.value} for one in pairs]
    if request.project_files:
        body["buildFileInputs"] = [_file(index, one) for index, one in enumerate(request.project_files)]
    return body


def _file(index: int, file: ProjectFile) -> dict[str, Any]:
    if file.project_object_id is None:
        problem = "is given by its path, but v2 of the API wants projectObjectId"
        raise broken(f"project_files[{index}]", problem, "Give the id, or set the extra api_version to v1.")
    revision = {} if file.scm_revision is None else {"scmRevision": str(file.scm_revision)}
    return {"projectObjectId": file.project_object_id, **revision}


async def _version_id(hook: _Reader, project_id: int, version: str) -> int:
    project = await hook.project(project_id)
    flows = [one for one in project.get("projectWorkflows") or [] if one.get("projectWorkflowType") == "BUILD"]
    found = [
        row.get("workflowVersionId")
        for flow in flows
        for row in (await hook.workflow(flow.get("workflowId"))).get("workflowVersions") or []
        if str(row.get("workflowVersion")) == version
    ]
    if len(found) != 1 or not isinstance(found[0], int):
        raise broken(
            "workflow_version_override", f"is {version!r}; the build workflow has {len(found)} versions of that name"
        )
    return found[0]
