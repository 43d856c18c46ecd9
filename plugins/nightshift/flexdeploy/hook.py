"""The FlexDeploy API: what is asked of it here (FlexDeploy reference, sections 2 and 4.4)."""

from __future__ import annotations

from typing import Any

from nightshift.errors import NotFound
from nightshift.flexdeploy.api import FlexDeployApi
from nightshift.flexdeploy.fields import identifier
from nightshift.flexdeploy.model import (
    Execution,
    Row,
    Rows,
    Started,
    Task,
    WorkflowRequest,
    is_own_word,
    request_in,
    started_of,
)
from nightshift.flexdeploy.request import (
    WORK_OF,
    BuildRequest,
    DeployRequest,
    ExecuteRequest,
    JobRequest,
    body_of,
    body_of_v2,
)
from nightshift.flexdeploy.routes import Call
from nightshift.flexdeploy.vocabulary import DEFAULT_CONN, NOTHING_STARTED
from nightshift.jobs.adapter import not_shown

_APPROVAL = "/rest/v1/tasks/approval"
_SCHEDULED = "/rest/v1/tasks/scheduled"
_STARTED = frozenset({200, 201, 202})


class FlexDeployHook(FlexDeployApi):
    """Asynchronous client of the FlexDeploy API; use as ``async with FlexDeployHook() as hook``.

    The connection: host with its context path, ``https://fd.example.com/flexdeploy``; login; password or API token as
    the password (or in the extra ``token``). Extras besides those of :class:`nightshift.http.hook.VendorHook`:
    ``api_version`` (``v1``, the default, or ``v2`` where the reference knows it), ``paths`` (an object: routes of a
    site that differ, see :class:`nightshift.flexdeploy.routes.Call`), ``request_page`` (address of a workflow request
    in FlexDeploy's own pages, with ``{id}``), ``marker_flex_field`` (code of a FlexField that holds a task's mark).

    :param flexdeploy_conn_id: id of the Airflow connection
    """

    def __init__(self, flexdeploy_conn_id: str = DEFAULT_CONN, **kwargs: Any) -> None:
        super().__init__(flexdeploy_conn_id, **kwargs)
        self.flexdeploy_conn_id = flexdeploy_conn_id

    async def project(self, project_id: Any) -> Row:
        """Return one project, as the vendor gives it: v1 leaves its own id out."""
        return await self.row(f"/rest/{self.version}/project/{identifier('project_id', project_id)}")

    async def projects(
        self,
        *,
        name: str | None = None,
        application_id: Any = None,
        folder_path: str | None = None,
        is_active: bool | None = None,
    ) -> Rows:
        """Return projects (v1), whether they come as one object, an array or wrapped; without a filter, all of them.

        :param name: part of the name, in any case of letters
        :param application_id: application
        :param folder_path: path of folders, sub-folders included, without the project's name
        :param is_active: only active or only inactive ones
        """
        application = None if application_id is None else identifier("application_id", application_id)
        params = {
            "projectName": name,
            "applicationId": application,
            "folderPath": folder_path,
            "isActive": is_active,
        }
        return await self.rows("/rest/v1/project", params, "projects")

    async def projects_v2(self, *, name: str | None = None, folder_id: Any = None) -> Rows:
        """Return projects with their ids (v2).

        :param name: part of the name
        :param folder_id: folder
        """
        folder = None if folder_id is None else identifier("folder_id", folder_id)
        return await self.rows("/rest/v2/project", {"projectName": name, "folderId": folder}, "projects")

    async def branches(self, project_id: Any, *, name: str | None = None) -> Rows:
        """Return the branches of a project (v2), which v1 calls streams and gives without names."""
        path = f"/rest/v2/project/{identifier('project_id', project_id)}/branch"
        return await self.rows(path, {"branchName": name}, "branches")

    async def environments(self, *, code: str | None = None, name: str | None = None) -> Rows:
        """Return environments.

        :param code: environment code; how exactly the vendor compares it is not published
        :param name: environment name
        """
        params = {"environmentCode": code, "environmentName": name}
        return await self.rows(f"/rest/{self.version}/topology/environment", params, "environments")

    async def folders(self, *, name: str | None = None, parent_folder_id: Any = None) -> Rows:
        """Return folders (v2); the root, ``FlexDeploy``, has the id 99.

        :param name: part of the name
        :param parent_folder_id: folder that they are in
        """
        parent = None if parent_folder_id is None else identifier("parent_folder_id", parent_folder_id)
        return await self.rows("/rest/v2/folder", {"folderName": name, "parentFolderId": parent}, "folders")

    async def workflow(self, workflow_id: Any) -> Row:
        """Return a workflow with its versions (v2)."""
        return await self.row(f"/rest/v2/workflow/{identifier('workflow_id', workflow_id)}")

    async def build(self, project_id: Any, request: BuildRequest) -> Started:
        """Start a build, once; it is never repeated on a guess. 200: nothing has changed, nothing was started.

        :raises Ambiguous: it may or may not have been started
        """
        return await self.start(project_id, request)

    async def deploy(self, project_id: Any, request: DeployRequest) -> Started:
        """Start a deployment, once; it is never repeated on a guess. 200: the version is there already.

        :raises Ambiguous: it may or may not have been started
        """
        return await self.start(project_id, request)

    async def execute_utility(self, project_id: Any, request: ExecuteRequest) -> Started:
        """Start a utility project, once; it is never repeated on a guess.

        :raises Ambiguous: it may or may not have been started
        """
        return await self.start(project_id, request)

    async def start(self, project_id: Any, request: JobRequest) -> Started:
        """Start what is asked for, once, in the words of the connection's version."""
        project, work = identifier("project_id", project_id), WORK_OF[type(request)]
        route = self.routes.need(Call(work.value))
        second = "/v2/" in route.template and isinstance(request, BuildRequest)
        if second and isinstance(request, BuildRequest):
            body = await body_of_v2(self, request, project)
        else:
            body = body_of(request, project)
        answer = await self.request(route.method, route.path(project=project), json=body, ok=_STARTED, safe=False)
        return started_of(answer, work, nothing_by_status=work in NOTHING_STARTED and not second)

    async def workflow_request(self, request_id: Any) -> WorkflowRequest:
        """Return how a workflow request stands.

        :raises NotFound: the vendor says in its own words that it does not know it; right after a submit that may be so
            for a moment
        :raises NotShown: another 404, which says nothing about the request
        :raises BadResponse: the answer names no status; that says nothing about the request
        """
        number = str(identifier("workflow_request_id", request_id))
        route = self.routes.need(Call.REQUEST)
        try:
            answer = await self.request(route.method, route.path(id=number))
        except NotFound as error:
            if is_own_word(error, number):
                raise
            raise not_shown(error) from None
        return request_in(answer, number)

    async def workflow_executions(self, request_id: Any) -> list[Execution]:
        """Return the executions of a workflow request; none where their route is switched off.

        The name of the vendor's filter is assumed, so rows of other requests are left out here.
        """
        number = str(identifier("workflow_request_id", request_id))
        if (route := self.routes.get(Call.EXECUTIONS)) is None:
            return []
        rows = await self.rows(route.path(id=number), None, "workflowExecutions", "executions")
        return [one for one in map(Execution.of, rows) if one.request_id == number]

    async def recent_executions(self, project_id: Any) -> list[Execution]:
        """Return the latest executions of a project; none unless the connection names their route."""
        if (route := self.routes.get(Call.RECENT_EXECUTIONS)) is None:
            return []
        path = route.path(project=identifier("project_id", project_id))
        return [Execution.of(row) for row in await self.rows(path, None, "workflowExecutions", "executions")]

    async def approval_tasks(
        self,
        *,
        workflow_request_id: Any = None,
        folder_request_id: Any = None,
        pipeline_stage_exec_id: Any = None,
        **params: Any,
    ) -> list[Row]:
        """Return approval tasks; without a filter, all of them.

        :param params: further filters, in the vendor's words
        """
        filters = {
            "workflowRequestId": workflow_request_id,
            "folderRequestId": folder_request_id,
            "pipelineStageExecId": pipeline_stage_exec_id,
        }
        checked = {name: None if value is None else identifier(name, value) for name, value in filters.items()}
        return await self.rows(_APPROVAL, {**checked, **params}, "tasks", "approvalTasks")

    async def approve(self, task_id: Any) -> Row:
        """Approve; that it exists is public, its path is assumed to mirror that of a rejection."""
        return await self._decide(Call.APPROVE, task_id)

    async def reject(self, task_id: Any) -> Row:
        """Reject an approval, which ends the workflow request as REJECTED."""
        return await self._decide(Call.REJECT, task_id)

    async def scheduled_tasks(self, **params: Any) -> list[Row]:
        """Return scheduled tasks.

        :param params: filters, in the vendor's words; they are not published
        """
        return await self.rows(_SCHEDULED, params, "tasks", "scheduledTasks")

    async def run_scheduled(self, task_id: Any) -> Row:
        """Run a scheduled task now; its path is assumed."""
        return await self._decide(Call.RUN_SCHEDULED, task_id)

    async def cancel_scheduled(self, task_id: Any) -> Row:
        """Cancel a scheduled task, which ends the workflow request as REJECTED; its path is assumed."""
        return await self._decide(Call.CANCEL_SCHEDULED, task_id)

    async def open_approvals(self, request_id: str) -> list[Task]:
        """Return the approvals that a workflow request still waits for; others that come along are left out."""
        return _open(await self.approval_tasks(workflow_request_id=request_id), request_id)

    async def open_schedules(self, request_id: str) -> list[Task]:
        """Return the scheduled tasks of a workflow request; others that come along are left out."""
        return _open(await self.scheduled_tasks(workflowRequestId=request_id), request_id)

    async def _decide(self, call: Call, task_id: Any) -> Row:
        route = self.routes.need(call)
        return await self.change(route.method, route.path(id=identifier("task_id", task_id)), safe=True)


def _open(rows: list[Row], request_id: str) -> list[Task]:
    tasks = (Task.of(row) for row in rows)
    return [task for task in tasks if task is not None and task.request_id == request_id and task.open]
