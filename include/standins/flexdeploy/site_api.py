"""Projects and environments, v1 (3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from include.standins.flexdeploy import shown
from include.standins.flexdeploy.bodies import Wrong
from include.standins.flexdeploy.service import Service
from include.standins.flexdeploy.site import Project, in_folder_path
from include.standins.flexdeploy.switches import Told
from include.standins.routing import Request, Response, Route


class SiteApi:
    """What there is at the site."""

    def __init__(self, vendor: Service) -> None:
        self._vendor = vendor

    def routes(self) -> Sequence[Route]:
        served = self._vendor.served
        return [
            Route("GET", "/rest/v1/project", served(self._projects)),
            Route("GET", "/rest/v1/project/{id}", served(self._one)),
            Route("GET", "/rest/v1/folder/{id}", served(self._folder)),
            Route("GET", "/rest/v1/topology/environment", served(self._environments)),
        ]

    def _folder(self, request: Request) -> Response:
        """Show a folder, with the one it is in."""
        number = self._vendor.number(request.parts["id"], "folderId")
        found = next((one for one in self._vendor.site.folders if one.id == number), None)
        if found is None:
            raise self._vendor.refused(404, "Folder not found")
        told = self._vendor.switches.folder_told is not Told.NOWHERE
        parent = {"parentFolderId": found.parent} if told else {}
        return Response.json(200, {"folderId": found.id, "folderName": found.name, "isActive": found.active, **parent})

    def _one(self, request: Request) -> Response:
        """Show a project; its own id is not in it."""
        project = self._vendor.project(request, self._vendor.switches.unknown_project_status)
        return Response.json(200, self._project(project))

    def _environments(self, request: Request) -> Response:
        """List environments, by ``environmentCode`` or any other attribute."""
        return self._vendor.listed(request, [shown.environment(one) for one in self._vendor.site.environments])

    def _projects(self, request: Request) -> Response:
        """Find projects; without parameters all of them."""
        try:
            rows = [self._project(project) for project in self._vendor.site.projects if self._fits(project, request)]
        except Wrong as error:
            raise self._vendor.refused(400, str(error)) from None
        return Response.json(200, shown.shaped(rows, self._vendor.switches.project_list))

    def _fits(self, project: Project, request: Request) -> bool:
        query = request.query
        name, folder, active = query.get("projectName", ""), query.get("folderPath", ""), query.get("isActive", "")
        application = query.get("applicationId", "")
        return (
            name.casefold() in project.name.casefold()
            and (not application or self._application(project) == self._vendor.number(application, "applicationId"))
            and in_folder_path(self._vendor.site.path_of(project.folder), folder)
            and (not active or project.active == shown.truth(active, "isActive"))
        )

    def _application(self, project: Project) -> int | None:
        return project.folder.id if project.folder.application else None

    def _project(self, project: Project) -> dict[str, Any]:
        value: dict[str, Any] = {
            "priority": project.priority,
            "projectName": project.name,
            "description": project.description,
            "applicationId": self._application(project),
            "priorityScope": project.priority_scope,
            "partialDeployment": project.partial,
            "isActive": project.active,
            "scmType": project.scm,
            "streams": [stream.id for stream in project.streams],
            "utilityWorkflowId": project.utility_workflow,
            "utilityInstanceIds": _listed(project.utility_instances),
            "deployWorkflowId": project.deploy_workflow,
            "deployInstanceIds": _listed(project.deploy_instances),
            "buildWorkflowId": project.build_workflow,
            "buildInstanceId": project.build_instance,
            "projectType": project.type,
        }
        if self._vendor.switches.project_path_shown:
            value["projectPath"] = "/".join((*self._vendor.site.path_of(project.folder), project.name))
        return {name: shown for name, shown in value.items() if name not in project.omitted}


def _listed(ids: Sequence[int] | None) -> list[int] | None:
    return None if ids is None else list(ids)
