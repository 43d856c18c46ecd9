"""Projects and their versions, v1 (3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from include.standins.calls import Call, Reply, Route
from include.standins.flexdeploy import listing
from include.standins.flexdeploy.asking import Asking
from include.standins.flexdeploy.bodies import Wrong
from include.standins.flexdeploy.site import Project, Version, in_folder_path
from include.standins.flexdeploy.switches import Taken

if TYPE_CHECKING:
    from include.standins.flexdeploy.server import FlexDeployStandIn

PARAMETERS = frozenset({"projectName", "applicationId", "folderPath", "isActive"})


class ProjectApi:
    """Handlers of projects and versions.

    :param vendor: the stand-in
    :param asking: its lookups
    """

    def __init__(self, vendor: FlexDeployStandIn, asking: Asking) -> None:
        self._vendor = vendor
        self._asking = asking

    def routes(self) -> Sequence[Route]:
        """Return the operations."""
        served = self._vendor.served
        return [
            Route("GET", "/rest/v1/project", served(self.found)),
            Route("GET", "/rest/v1/project/{id}", served(self.one)),
            Route("GET", "/rest/v1/project/{id}/version", served(self.versions)),
            Route("GET", "/rest/v1/project/{id}/version/{versionId}", served(self.version)),
        ]

    def one(self, call: Call) -> Reply:
        """Show a project; its own id is not in it."""
        return Reply.json(200, self.shown(self._asking.project(call, self._vendor.switches.unknown_project_status)))

    def found(self, call: Call) -> Reply:
        """Find projects; without parameters all of them."""
        strange = sorted(set(call.query) - PARAMETERS)
        if strange and self._vendor.switches.unknown_parameters is Taken.REJECT:
            raise self._asking.refused(400, f"unknown query parameter {strange[0]}")
        try:
            rows = [self.shown(project) for project in self._vendor.site.projects if self._fits(project, call)]
        except Wrong as error:
            raise self._asking.refused(400, str(error)) from None
        return Reply.json(200, listing.shaped(rows, self._vendor.switches.project_list))

    def _fits(self, project: Project, call: Call) -> bool:
        query = call.query
        name, folder, active = query.get("projectName", ""), query.get("folderPath", ""), query.get("isActive", "")
        application = query.get("applicationId", "")
        return (
            name.casefold() in project.name.casefold()
            and (not application or self._application(project) == self._asking.number(application, "applicationId"))
            and in_folder_path(self._vendor.site.path_of(project.folder), folder)
            and (not active or project.active == listing.truth(active, "isActive"))
        )

    def _application(self, project: Project) -> int | None:
        return project.folder.id if project.folder.application else None

    def shown(self, project: Project) -> dict[str, Any]:
        """Return a project as v1 shows it."""
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

    def versions(self, call: Call) -> Reply:
        """List a project's versions, newest first (the names of the parameters are assumed)."""
        project = self._asking.project(call)
        return self._vendor.listed(call, [_version(one) for one in self._vendor.site.versions_of(project.id)])

    def version(self, call: Call) -> Reply:
        """Show a version of a project."""
        project = self._asking.project(call)
        version_id = self._asking.number(call.parts["versionId"], "projectVersionId")
        found = self._vendor.site.version(version_id)
        if found is None or found.project != project.id:
            raise self._asking.refused(404, f"ProjectVersion not found [{version_id}]")
        return Reply.json(200, _version(found))


def _listed(ids: Sequence[int] | None) -> list[int] | None:
    return None if ids is None else list(ids)


def _version(version: Version) -> dict[str, Any]:
    return {
        "projectVersionId": version.id,
        "projectVersionName": version.name,
        "isActive": version.active,
        "projectStreamId": version.stream,
        "packageName": version.package,
        "requestAllFiles": version.all_files,
        "scmRevision": str(version.revision),
    }
