"""The v2 API, as far as a source has it: branches, targets and ``items`` instead of streams, instances and bare
arrays.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from include.standins.flexdeploy import shown
from include.standins.flexdeploy.bodies import BuildBody, ProjectFile, SecondBuildBody
from include.standins.flexdeploy.request_api import NO_CHANGES, RequestApi
from include.standins.flexdeploy.service import Service
from include.standins.flexdeploy.site import Folder, Project, Workflow
from include.standins.flexdeploy.starting import Starting
from include.standins.flexdeploy.switches import ListShape, Told
from include.standins.routing import Request, Response, Route


class SecondApi:
    """Handlers of v2."""

    def __init__(self, vendor: Service, starting: Starting, requests: RequestApi) -> None:
        self._vendor = vendor
        self._starting = starting
        self._requests = requests

    def routes(self) -> Sequence[Route]:
        served = self._vendor.served
        return [
            Route("POST", "/rest/v2/workflowrequest/build", served(self._build)),
            Route("GET", "/rest/v2/workflowrequest/{workflowRequestId}", served(self._request)),
            Route("GET", "/rest/v2/project", served(self._projects)),
            Route("GET", "/rest/v2/project/{id}", served(self._one)),
            Route("GET", "/rest/v2/project/{id}/branch", served(self._branches)),
            Route("GET", "/rest/v2/folder", served(self._folders)),
            Route("GET", "/rest/v2/topology/environment", served(self._environments)),
            Route("GET", "/rest/v2/workflow/{id}", served(self._workflow)),
        ]

    def _build(self, request: Request) -> Response:
        """Start a build: 201 with a number ``workflowRequestId``."""
        body = self._vendor.body(request, SecondBuildBody)
        project = self._vendor.project_of(body.project_id)
        made = self._starting.build(request, project, self._first(project, body))
        return self._started(request, made, NO_CHANGES)

    def _first(self, project: Project, body: SecondBuildBody) -> BuildBody:
        flow = self._vendor.site.workflow(project.build_workflow)
        wanted = body.workflow_version_override_id
        override = next((name for name, i in flow.versions if i == wanted), str(wanted)) if flow and wanted else None
        files = []
        for one in body.build_file_inputs or []:
            if not 0 < one.project_object_id <= len(project.objects):
                raise self._vendor.unfit(f"Project object [{one.project_object_id}] not found.")
            files.append(ProjectFile(path=project.objects[one.project_object_id - 1]))
        return BuildBody(
            environment_id=body.environment_id,
            stream_id=body.project_stream_id,
            force_build=body.force,
            related_tickets=body.issue_numbers,
            workflow_version_override=override,
            inputs=body.inputs,
            flex_fields=body.flex_fields,
            project_files=files or None,
            package_name=body.package_name,
            release_id=body.release_def_id,
        )

    def _started(self, request: Request, made: list[Any], text: str) -> Response:
        if not made:
            return Response.json(200, {"warningMessage": text, "warningCode": None})
        if request.fault("no_id"):
            return Response.json(201, {})
        first, *more = (shown.entity(one, self._vendor.site) for one in made)
        return Response.json(201, {**first, **({"workflowRequests": [first, *more]} if more else {})})

    def _request(self, request: Request) -> Response:
        """Show a request, with ``requestStatus``."""
        found, status = self._requests.polled(request)
        return Response.json(200, shown.entity(found, self._vendor.site, status))

    def _items(self, rows: list[dict[str, Any]]) -> Response:
        most = self._vendor.switches.most_items
        more = {} if most is None else {"hasMore": len(rows) > most}
        return Response.json(200, {**shown.shaped(rows[:most], ListShape.ITEMS), **more})

    def _projects(self, request: Request) -> Response:
        """Find projects by ``projectName`` (contains, in any letter case) and ``folderId``."""
        name, folder = request.query.get("projectName", "").casefold(), request.query.get("folderId")
        fits = (
            one
            for one in self._vendor.site.projects
            if name in one.name.casefold() and (folder is None or folder in self._above(one.folder.id))
        )
        return self._items([self._project(one, {Told.ROWS}) for one in fits])

    def _above(self, folder: int | None) -> list[str]:
        """Return the ids by which what lies in a folder is found."""
        if folder is None:
            return []
        parent = next((one.parent for one in self._vendor.site.folders if one.id == folder), None)
        return [str(folder), *(self._above(parent) if self._vendor.switches.sub_folders else ())]

    def _one(self, request: Request) -> Response:
        project, told = self._vendor.project(request), self._vendor.switches.folder_told
        path = {"folderPath": "/".join(self._vendor.site.path_of(project.folder))} if told is Told.PATH_BY_ID else {}
        return Response.json(200, {**self._project(project, {Told.ROWS, Told.BY_ID}), **path})

    def _project(self, project: Project, where: Collection[Told]) -> dict[str, Any]:
        flows = {
            "BUILD": project.build_workflow,
            "DEPLOY": project.deploy_workflow,
            "UTILITY": project.utility_workflow,
        }
        return {
            "projectId": project.id,
            "projectName": project.name,
            **({"folderId": project.folder.id} if self._vendor.switches.folder_told in where else {}),
            "isActive": project.active,
            "description": project.description,
            "partialDeployment": project.partial,
            "projectWorkflows": [
                {"projectWorkflowType": type_, "workflowId": one} for type_, one in flows.items() if one
            ],
        }

    def _branches(self, request: Request) -> Response:
        """Find branches of a project by ``branchName``."""
        project, name = self._vendor.project(request), request.query.get("branchName", "").casefold()
        return self._items(
            [{"projectBranchId": s.id, "branchName": s.name} for s in project.streams if name in s.name.casefold()]
        )

    def _folders(self, request: Request) -> Response:
        """Find folders by ``folderName`` (contains, in any letter case) and ``parentFolderId``; applications are
        folders here.
        """
        name, parent = request.query.get("folderName", "").casefold(), request.query.get("parentFolderId")

        def fits(folder: Folder) -> bool:
            return name in folder.name.casefold() and (parent is None or parent in self._above(folder.parent))

        return self._items([self._folder(one) for one in self._vendor.site.folders if fits(one)])

    def _folder(self, folder: Folder) -> dict[str, Any]:
        told = self._vendor.switches.folder_told is Told.ROWS
        parent = {"parentFolderId": folder.parent} if told else {}
        return {"folderId": folder.id, "folderName": folder.name, **parent, "isActive": folder.active}

    def _environments(self, request: Request) -> Response:
        """Find environments by ``environmentCode``."""
        code = request.query.get("environmentCode")
        found = (e for e in self._vendor.site.environments if code is None or code.casefold() == e.code.casefold())
        return self._items([shown.environment(one, "targets") for one in found])

    def _workflow(self, request: Request) -> Response:
        """Show a workflow, with its versions."""
        found = self._vendor.site.workflow(self._vendor.number(request.parts["id"], "workflowId"))
        if found is None:
            raise self._vendor.refused(404, "Workflow not found")
        return Response.json(200, _flow(found))


def _flow(workflow: Workflow) -> dict[str, Any]:
    return {
        "workflowId": workflow.id,
        "workflowName": workflow.name,
        "workflowType": workflow.type,
        "workflowVersions": [
            {"workflowVersion": name, "workflowVersionId": version_id} for name, version_id in workflow.versions
        ],
    }
