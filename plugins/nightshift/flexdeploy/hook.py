"""The FlexDeploy API: how a server is signed in to, and what is asked of it (FlexDeploy reference, sections 1, 2, 4.4)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from nightshift.errors import NotFound, Rejected, Unreachable
from nightshift.flexdeploy.fields import identifier
from nightshift.flexdeploy.model import (
    DETAIL_KEYS,
    Execution,
    Row,
    Rows,
    Started,
    Task,
    WorkflowRequest,
    is_own_word,
    request_in,
    row_of,
    rows_of,
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
from nightshift.flexdeploy.routes import Call, Routes, read_routes
from nightshift.flexdeploy.source import FLEXDEPLOY
from nightshift.flexdeploy.vocabulary import DEFAULT_CONN, NOTHING_STARTED, VENDOR, ApiVersion
from nightshift.http.address import segment
from nightshift.http.credentials import basic
from nightshift.http.hook import VendorHook
from nightshift.http.response import Response
from nightshift.jobs.adapter import not_shown

_REST = re.compile(r"/rest(?:/v\d+)?\Z", re.IGNORECASE)
_NO_SUCH_PROJECT = "nightshift-connection-test"
_CONTEXT_ADVICE = (
    "Put the root with its context path into the host of the Airflow connection, such as "
    "https://fd.example.com/flexdeploy; and check the extra api_version."
)
_APPROVAL = "/rest/v1/tasks/approval"
_SCHEDULED = "/rest/v1/tasks/scheduled"
_STARTED = frozenset({200, 201, 202})


class FlexDeployHook(VendorHook):
    """Asynchronous client of the FlexDeploy API; use as ``async with FlexDeployHook() as hook``.

    The connection: host with its context path, ``https://fd.example.com/flexdeploy``; login; password or API token as
    the password (or in the extra ``token``). Extras besides those of :class:`nightshift.http.hook.VendorHook`:
    ``api_version`` (``v1``, the default, or ``v2`` where the reference knows it), ``paths`` (an object: routes of a
    site that differ, see :class:`nightshift.flexdeploy.routes.Call`), ``request_page`` (address of a workflow request
    in FlexDeploy's own pages, with ``{id}``), ``marker_flex_field`` (code of a FlexField that holds a task's mark).

    :param flexdeploy_conn_id: id of the Airflow connection
    """

    conn_name_attr = "flexdeploy_conn_id"
    default_conn_name = DEFAULT_CONN
    conn_type = FLEXDEPLOY.type
    hook_name = FLEXDEPLOY.name
    vendor = VENDOR
    detail_keys = DETAIL_KEYS
    own_extras = FLEXDEPLOY.extras
    advice: ClassVar[dict[int, str]] = {
        400: "FlexDeploy calls the request wrong: check ids, inputs and FlexFields of this task; codes are not "
        "display names.",
        401: "Correct login and password of the Airflow connection. An API token goes into the password, next to its "
        "user's login; a user of an SSO realm needs a token.",
        403: "Give the user of the Airflow connection access to this project, folder or environment in FlexDeploy; "
        "for an SSO user only groups that are mapped in FlexDeploy itself count. Then clear the task.",
        404: "Check the ids of this task, and the context path in the host of the Airflow connection "
        "(https://fd.example.com/flexdeploy).",
    }

    def base_host(self, host: str) -> str:
        """Return the root: without slashes and back slashes at its end, and without ``/rest/v1``."""
        return _REST.sub("", host.rstrip("/\\ ")).rstrip("/\\ ")

    async def opening(self) -> None:
        """Read which version is spoken, and which routes differ."""
        self.version: ApiVersion = _version(self.extra("api_version", ApiVersion.V1))
        self.routes: Routes = read_routes(self.version, self.extra("paths"))
        if token := self.extra("token"):
            await self.keep_secret(basic(self.login, str(token))["Authorization"].removeprefix("Basic "))

    async def authorize(self) -> Mapping[str, str]:
        """Sign in with Basic: login, and password or API token (section 1.3).

        :raises Rejected: the connection lacks one of them
        """
        secret = self.extra("token") or self.password
        if not self.login or not secret:
            raise Rejected(
                f"the Airflow connection {self.conn_id} has no {'password or API token' if self.login else 'login'}",
                vendor=VENDOR,
                advice="Nothing was sent. Put a FlexDeploy user into login, and its password or API token into "
                "password.",
            )
        return basic(self.login, str(secret))

    async def check(self) -> str:
        """Make a call that finds nothing: the cheapest that needs the sign-in (section 1.3 for v2)."""
        try:
            if self.version is ApiVersion.V1:
                await self.rows("/rest/v1/project", {"projectName": _NO_SUCH_PROJECT}, "projects")
            else:
                await self.request("GET", "/rest/v2/workflowrequest/1")
        except NotFound as error:
            if "workflowrequest not found" not in error.detail.lower():
                raise error.replaced(advice=_CONTEXT_ADVICE) from None
        except Unreachable as error:
            if self.version is ApiVersion.V1 or "java.lang.NullPointerException" not in error.detail:
                raise
        return f"Signed in to FlexDeploy at {self.base_url}; API {self.version}"

    def page_of(self, request_id: str) -> str:
        """Return the address of a workflow request, for a person.

        The pages of FlexDeploy's own interface are not published: the extra ``request_page`` names them, as
        ``https://fd.example.com/flexdeploy/…{id}`` or as a path under the root. Without it, this is the request in the
        API, which a browser opens too.
        """
        template = str(self.extra("request_page", ""))
        if not template:
            return f"{self.base_url}{self.routes.need(Call.REQUEST).path(id=request_id)}"
        filled = template.replace("{id}", segment(request_id))
        return filled if "://" in filled else f"{self.base_url}/{filled.lstrip('/')}"

    async def rows(self, path: str, params: Mapping[str, Any] | None = None, *wrappers: str) -> Rows:
        """Return the rows of any list, as the vendor gives them, however they are wrapped.

        :param path: path under the root, each foreign part through :func:`nightshift.http.address.segment`
        :param params: query; ``None`` leaves one out
        :param wrappers: keys under which the list may come, besides ``items``
        """
        return rows_of(await self.request("GET", path, params=params), *wrappers)

    async def row(self, path: str, params: Mapping[str, Any] | None = None) -> Row:
        """Return one object, as the vendor gives it."""
        return row_of(await self.request("GET", path, params=params))

    async def change(self, method: str, path: str, body: Any = None, *, safe: bool = False) -> Row:
        """Change something, and return what the vendor says of it, empty where it says nothing.

        :param safe: doing it twice is the same as doing it once
        :raises Ambiguous: no clear answer came; it may or may not have been done
        """
        response: Response = await self.request(method, path, json=body, safe=safe)
        # Some of these calls answer with a word, or with nothing; what counts is the status.
        if not response.body.strip() or response.body.lstrip()[:1] not in (b"{", b"["):
            return {}
        found = rows_of(response)
        return found[0] if found else {}

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
        if second := isinstance(request, BuildRequest) and "/v2/" in route.template:
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


def _version(given: Any) -> ApiVersion:
    plain = str(given).strip().lower()
    found = next((one for one in ApiVersion if plain in (one.value, one.value[1:])), None)
    if found is None:
        raise Rejected(
            f"the extra 'api_version' of the Airflow connection is {given!r}; known: {', '.join(ApiVersion)}",
            vendor=VENDOR,
            advice="Nothing was sent. Correct the extra in the Airflow connection.",
        )
    return found
