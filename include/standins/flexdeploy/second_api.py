"""The v2 API, as far as a source has it: branches, targets and ``items`` instead of streams, instances and bare arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from include.standins.flexdeploy import shown
from include.standins.flexdeploy.asking import Asking
from include.standins.flexdeploy.bodies import BuildBody, DeployBody, ExecuteBody, ProjectFile, RunBody, SecondBuildBody
from include.standins.flexdeploy.request_api import ALREADY_THERE, NO_CHANGES
from include.standins.flexdeploy.site import Folder, Project, Workflow
from include.standins.flexdeploy.switches import ListShape
from include.standins.routing import Request, Response, Route

if TYPE_CHECKING:
    from include.standins.flexdeploy.server import FlexDeployStandIn


class SecondApi:
    """Handlers of v2.

    :param vendor: the stand-in
    :param asking: its lookups
    """

    def __init__(self, vendor: FlexDeployStandIn, asking: Asking) -> None:
        self._vendor = vendor
        self._asking = asking

    def routes(self) -> Sequence[Route]:
        """Return the operations, deploy and execute only where a switch has their path."""
        served, switches = self._vendor.served, self._vendor.switches
        group = "/rest/v2/topology/targetgroup"
        routes = [
            Route("POST", "/rest/v2/workflowrequest/build", served(self.build)),
            Route("GET", "/rest/v2/workflowrequest/{workflowRequestId}", served(self.request)),
            Route("GET", "/rest/v2/project", served(self.projects)),
            Route("GET", "/rest/v2/project/{id}", served(self.project)),
            Route("GET", "/rest/v2/project/{id}/branch", served(self.branches)),
            Route("GET", "/rest/v2/folder", served(self.folders)),
            Route("GET", "/rest/v2/topology/environment", served(self.environments)),
            Route("GET", group, served(self.groups)),
            Route("GET", f"{group}/{{id}}", served(self.group)),
            Route("GET", "/rest/v2/workflow/{id}", served(self.workflow)),
        ]
        if switches.v2_deploy_path:
            routes.append(Route("POST", switches.v2_deploy_path, served(self.deploy)))
        if switches.v2_execute_path:
            routes.append(Route("POST", switches.v2_execute_path, served(self.execute)))
        return routes

    def build(self, request: Request) -> Response:
        """Start a build: 201 with a number ``workflowRequestId``."""
        body = self._asking.body(request, SecondBuildBody)
        project = self._asking.project_of(body.project_id)
        made = self._vendor.building.start(request, project, self._first(project, body))
        return self._started(request, made, NO_CHANGES)

    def _first(self, project: Project, body: SecondBuildBody) -> BuildBody:
        """Return the body that v1 would have had."""
        flow = self._vendor.site.workflow(project.build_workflow)
        wanted = body.workflow_version_override_id
        override = next((name for name, i in flow.versions if i == wanted), str(wanted)) if flow and wanted else None
        files = []
        for one in body.build_file_inputs or []:
            if not 0 < one.project_object_id <= len(project.objects):
                raise self._asking.unfit(f"Project object [{one.project_object_id}] not found.")
            files.append(ProjectFile(path=project.objects[one.project_object_id - 1]))
        return BuildBody(
            environment_id=body.environment_id, stream_id=body.project_stream_id, force_build=body.force, related_tickets=body.issue_numbers,
            workflow_version_override=override, inputs=body.inputs, flex_fields=body.flex_fields, project_files=files or None,
            package_name=body.package_name, release_id=body.release_def_id,
        )  # fmt: skip

    def deploy(self, request: Request) -> Response:
        """Start a deploy with the body of v1."""
        body = self._asking.body(request, DeployBody)
        return self._started(request, self._vendor.deploying.deploy(request, self._owner(body), body), ALREADY_THERE)

    def execute(self, request: Request) -> Response:
        """Start a utility run with the body of v1."""
        body = self._asking.body(request, ExecuteBody)
        return self._started(request, self._vendor.deploying.execute(request, self._owner(body), body), "")

    def _owner(self, body: RunBody) -> Project:
        if body.project_id is None:
            raise self._asking.refused(400, "projectId is required.")
        return self._asking.project_of(body.project_id)

    def _started(self, request: Request, made: list[Any], text: str) -> Response:
        if not made:
            return Response.json(self._vendor.switches.v2_nothing_status, {"warningMessage": text, "warningCode": None})
        if request.fault("no_id"):
            return Response.json(201, {})
        first, *more = (shown.entity(one, self._vendor.site) for one in made)
        return Response.json(201, {**first, **({"workflowRequests": [first, *more]} if more else {})})

    def request(self, request: Request) -> Response:
        """Show a request, with ``requestStatus``."""
        found, status = self._vendor.requests.polled(request)
        return Response.json(200, shown.entity(found, self._vendor.site, status))

    def _items(self, rows: list[dict[str, Any]]) -> Response:
        return Response.json(200, shown.shaped(rows, ListShape.ITEMS))

    def projects(self, request: Request) -> Response:
        """Find projects by ``projectName`` (contains, in any letter case) and ``folderId``."""
        name, folder = request.query.get("projectName", "").casefold(), request.query.get("folderId")
        fits = (
            one
            for one in self._vendor.site.projects
            if name in one.name.casefold() and (folder is None or folder == str(one.folder.id))
        )
        return self._items([self._project(one) for one in fits])

    def project(self, request: Request) -> Response:
        """Show a project, with its workflows."""
        return Response.json(200, self._project(self._asking.project(request)))

    def _project(self, project: Project) -> dict[str, Any]:
        flows = {
            "BUILD": project.build_workflow,
            "DEPLOY": project.deploy_workflow,
            "UTILITY": project.utility_workflow,
        }
        return {
            "projectId": project.id,
            "projectName": project.name,
            "folderId": project.folder.id,
            "isActive": project.active,
            "description": project.description,
            "partialDeployment": project.partial,
            "projectWorkflows": [
                {"projectWorkflowType": type_, "workflowId": one} for type_, one in flows.items() if one
            ],
        }

    def branches(self, request: Request) -> Response:
        """Find branches of a project by ``branchName``."""
        project, name = self._asking.project(request), request.query.get("branchName", "").casefold()
        return self._items(
            [{"projectBranchId": s.id, "branchName": s.name} for s in project.streams if name in s.name.casefold()]
        )

    def folders(self, request: Request) -> Response:
        """Find folders by ``folderName`` (contains, in any letter case) and ``parentFolderId``; applications are folders here."""
        name, parent = request.query.get("folderName", "").casefold(), request.query.get("parentFolderId")

        def fits(folder: Folder) -> bool:
            return name in folder.name.casefold() and parent in (None, str(folder.parent))

        return self._items(
            [
                {"folderId": one.id, "folderName": one.name, "parentFolderId": one.parent, "isActive": one.active}
                for one in self._vendor.site.folders
                if fits(one)
            ]
        )

    def environments(self, request: Request) -> Response:
        """Find environments by ``environmentCode``."""
        code = request.query.get("environmentCode")
        found = (e for e in self._vendor.site.environments if code is None or code.casefold() == e.code.casefold())
        return self._items([self._vendor.topology.shown(one, instances="targets") for one in found])

    def groups(self, request: Request) -> Response:
        """List the target groups, which v1 calls instances."""
        return self._items([_group(one.id, one.code, one.name) for one in self._vendor.site.instances])

    def group(self, request: Request) -> Response:
        """Show a target group."""
        found = self._vendor.site.instance(self._asking.number(request.parts["id"], "targetGroupId"))
        if found is None:
            raise self._asking.refused(404, "TargetGroup not found")
        return Response.json(200, _group(found.id, found.code, found.name))

    def workflow(self, request: Request) -> Response:
        """Show a workflow, with its versions."""
        found = self._vendor.site.workflow(self._asking.number(request.parts["id"], "workflowId"))
        if found is None:
            raise self._asking.refused(404, "Workflow not found")
        return Response.json(200, _flow(found))


def _group(group_id: int, code: str, name: str) -> dict[str, Any]:
    return {"targetGroupId": group_id, "targetGroupCode": code, "targetGroupName": name}


def _flow(workflow: Workflow) -> dict[str, Any]:
    return {
        "workflowId": workflow.id,
        "workflowName": workflow.name,
        "workflowType": workflow.type,
        "workflowVersions": [
            {"workflowVersion": name, "workflowVersionId": version_id} for name, version_id in workflow.versions
        ],
    }
