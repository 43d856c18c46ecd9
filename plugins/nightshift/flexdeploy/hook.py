"""The FlexDeploy API: every endpoint that is documented or public (FlexDeploy reference, section 2)."""

from __future__ import annotations

from typing import Any

from nightshift.errors import NotFound
from nightshift.flexdeploy import build_v2
from nightshift.flexdeploy.fields import identifier
from nightshift.flexdeploy.model import Execution, Started, WorkflowRequest
from nightshift.flexdeploy.releases import Releases
from nightshift.flexdeploy.request import (
    WORK_OF,
    BuildRequest,
    DeployRequest,
    ExecuteRequest,
    JobRequest,
    body_of,
)
from nightshift.flexdeploy.responses import Row, is_own_word, request_in, started_of
from nightshift.flexdeploy.routes import Call
from nightshift.flexdeploy.tasks import Tasks
from nightshift.flexdeploy.topology import Topology
from nightshift.flexdeploy.vocabulary import DEFAULT_CONN, NOTHING_STARTED
from nightshift.jobs.adapter import not_shown

_STARTED = frozenset({200, 201, 202})


class FlexDeployHook(Topology, Releases, Tasks):
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

    # -- projects -------------------------------------------------------------------------------------------------

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
    ) -> list[Row]:
        """Return projects (v1), whether they come as one object, an array or wrapped; without a filter, all of them.

        :param name: part of the name, in any case of letters
        :param application_id: application
        :param folder_path: path of folders, sub-folders included, without the project's name
        :param is_active: only active or only inactive ones
        """
        application = None if application_id is None else identifier("application_id", application_id)
        params = {
            "projectName": name, "applicationId": application, "folderPath": folder_path, "isActive": is_active,
        }  # fmt: skip
        return await self.rows("/rest/v1/project", params, "projects")

    async def projects_v2(self, *, name: str | None = None, folder_id: Any = None) -> list[Row]:
        """Return projects with their ids (v2).

        :param name: part of the name
        :param folder_id: folder
        """
        folder = None if folder_id is None else identifier("folder_id", folder_id)
        return await self.rows("/rest/v2/project", {"projectName": name, "folderId": folder}, "projects")

    async def branches(self, project_id: Any, *, name: str | None = None) -> list[Row]:
        """Return the branches of a project (v2), which v1 calls streams and gives without names."""
        path = f"/rest/v2/project/{identifier('project_id', project_id)}/branch"
        return await self.rows(path, {"branchName": name}, "branches")

    # -- work -----------------------------------------------------------------------------------------------------

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
            body = await build_v2.body_of(self, request, project)
        else:
            body = body_of(request, project)
        answer = await self.request(route.method, route.path(project=project), json=body, ok=_STARTED, safe=False)
        return started_of(answer, work, nothing_by_status=work in NOTHING_STARTED and not second)

    async def workflow_request(self, request_id: Any) -> WorkflowRequest:
        """Return how a workflow request stands.

        :raises NotFound: the vendor says in its own words that it does not know it; right after a submit that may be so for
            a moment
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

    async def workflow_execution(self, execution_id: Any) -> Row:
        """Return one execution, as the vendor gives it."""
        return await self.row(f"/rest/v1/workflowexecution/{identifier('execution_id', execution_id)}")

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
