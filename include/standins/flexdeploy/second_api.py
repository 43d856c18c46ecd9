"""The v2 API, as far as a source has it: branches, targets and ``items`` instead of streams, instances and bare arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from include.standins.calls import Call, Reply, Route
from include.standins.flexdeploy import listing, shown
from include.standins.flexdeploy.asking import Asking
from include.standins.flexdeploy.bodies import BuildBody, DeployBody, ExecuteBody, ProjectFile, RunBody, SecondBuildBody
from include.standins.flexdeploy.request_api import ALREADY_THERE, NO_CHANGES
from include.standins.flexdeploy.site import Folder, Project, Workflow
from include.standins.flexdeploy.switches import ListShape

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

    def build(self, call: Call) -> Reply:
        """Start a build: 201 with a number ``workflowRequestId``."""
        body = self._asking.body(call, SecondBuildBody)
        project = self._asking.project_of(body.project_id)
        made = self._vendor.building.start(call, project, self._first(project, body))
        return self._started(call, made, NO_CHANGES)

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

    def deploy(self, call: Call) -> Reply:
        """Start a deploy with the body of v1."""
        body = self._asking.body(call, DeployBody)
        return self._started(call, self._vendor.deploying.deploy(call, self._owner(body), body), ALREADY_THERE)

    def execute(self, call: Call) -> Reply:
        """Start a utility run with the body of v1."""
        body = self._asking.body(call, ExecuteBody)
        return self._started(call, self._vendor.deploying.execute(call, self._owner(body), body), "")

    def _owner(self, body: RunBody) -> Project:
        if body.project_id is None:
            raise self._asking.refused(400, "projectId is required.")
        return self._asking.project_of(body.project_id)

    def _started(self, call: Call, made: list[Any], text: str) -> Reply:
        if not made:
            return Reply.json(self._vendor.switches.v2_nothing_status, {"warningMessage": text, "warningCode": None})
        if call.fault("no_id"):
            return Reply.json(201, {})
        first, *more = (shown.entity(one, self._vendor.site) for one in made)
        return Reply.json(201, {**first, **({"workflowRequests": [first, *more]} if more else {})})

    def request(self, call: Call) -> Reply:
        """Show a request, with ``requestStatus``."""
        found, status = self._vendor.requests.polled(call)
        return Reply.json(200, shown.entity(found, self._vendor.site, status))

    def _items(self, rows: list[dict[str, Any]]) -> Reply:
        return Reply.json(200, listing.shaped(rows, ListShape.ITEMS))

    def projects(self, call: Call) -> Reply:
        """Find projects by ``projectName`` (contains, in any letter case) and ``folderId``."""
        name, folder = call.query.get("projectName", "").casefold(), call.query.get("folderId")
        fits = (
            one
            for one in self._vendor.site.projects
            if name in one.name.casefold() and (folder is None or folder == str(one.folder.id))
        )
        return self._items([self._project(one) for one in fits])

    def project(self, call: Call) -> Reply:
        """Show a project, with its workflows."""
        return Reply.json(200, self._project(self._asking.project(call)))

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

    def branches(self, call: Call) -> Reply:
        """Find branches of a project by ``branchName``."""
        project, name = self._asking.project(call), call.query.get("branchName", "").casefold()
        return self._items(
            [{"projectBranchId": s.id, "branchName": s.name} for s in project.streams if name in s.name.casefold()]
        )

    def folders(self, call: Call) -> Reply:
        """Find folders by ``folderName`` (contains, in any letter case) and ``parentFolderId``; applications are folders here."""
        name, parent = call.query.get("folderName", "").casefold(), call.query.get("parentFolderId")

        def fits(folder: Folder) -> bool:
            return name in folder.name.casefold() and parent in (None, str(folder.parent))

        return self._items(
            [
                {"folderId": one.id, "folderName": one.name, "parentFolderId": one.parent, "isActive": one.active}
                for one in self._vendor.site.folders
                if fits(one)
            ]
        )

    def environments(self, call: Call) -> Reply:
        """Find environments by ``environmentCode``."""
        code = call.query.get("environmentCode")
        found = (e for e in self._vendor.site.environments if code is None or code.casefold() == e.code.casefold())
        return self._items([self._vendor.topology.shown(one, instances="targets") for one in found])

    def groups(self, call: Call) -> Reply:
        """List the target groups, which v1 calls instances."""
        return self._items([_group(one.id, one.code, one.name) for one in self._vendor.site.instances])

    def group(self, call: Call) -> Reply:
        """Show a target group."""
        found = self._vendor.site.instance(self._asking.number(call.parts["id"], "targetGroupId"))
        if found is None:
            raise self._asking.refused(404, "TargetGroup not found")
        return Reply.json(200, _group(found.id, found.code, found.name))

    def workflow(self, call: Call) -> Reply:
        """Show a workflow, with its versions."""
        found = self._vendor.site.workflow(self._asking.number(call.parts["id"], "workflowId"))
        if found is None:
            raise self._asking.refused(404, "Workflow not found")
        return Reply.json(200, _flow(found))


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
