"""Projects and their versions, folders, environments and workflows, v1 (3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from include.standins.flexdeploy import shown
from include.standins.flexdeploy.asking import Asking
from include.standins.flexdeploy.bodies import Body, Wrong
from include.standins.flexdeploy.site import Environment, Project, Target, Version, in_folder_path
from include.standins.flexdeploy.switches import Taken
from include.standins.routing import Request, Response, Route

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

    def one(self, request: Request) -> Response:
        """Show a project; its own id is not in it."""
        return Response.json(
            200, self.shown(self._asking.project(request, self._vendor.switches.unknown_project_status))
        )

    def found(self, request: Request) -> Response:
        """Find projects; without parameters all of them."""
        strange = sorted(set(request.query) - PARAMETERS)
        if strange and self._vendor.switches.unknown_parameters is Taken.REJECT:
            raise self._asking.refused(400, f"unknown query parameter {strange[0]}")
        try:
            rows = [self.shown(project) for project in self._vendor.site.projects if self._fits(project, request)]
        except Wrong as error:
            raise self._asking.refused(400, str(error)) from None
        return Response.json(200, shown.shaped(rows, self._vendor.switches.project_list))

    def _fits(self, project: Project, request: Request) -> bool:
        query = request.query
        name, folder, active = query.get("projectName", ""), query.get("folderPath", ""), query.get("isActive", "")
        application = query.get("applicationId", "")
        return (
            name.casefold() in project.name.casefold()
            and (not application or self._application(project) == self._asking.number(application, "applicationId"))
            and in_folder_path(self._vendor.site.path_of(project.folder), folder)
            and (not active or project.active == shown.truth(active, "isActive"))
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

    def versions(self, request: Request) -> Response:
        """List a project's versions, newest first (the names of the parameters are assumed)."""
        project = self._asking.project(request)
        return self._vendor.listed(request, [_version(one) for one in self._vendor.site.versions_of(project.id)])

    def version(self, request: Request) -> Response:
        """Show a version of a project."""
        project = self._asking.project(request)
        version_id = self._asking.number(request.parts["versionId"], "projectVersionId")
        found = self._vendor.site.version(version_id)
        if found is None or found.project != project.id:
            raise self._asking.refused(404, f"ProjectVersion not found [{version_id}]")
        return Response.json(200, _version(found))


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


class EnvironmentBody(Body, frozen=True, kw_only=True):
    """An environment; null leaves it as it is."""

    environment_code: str | None = None
    environment_name: str | None = None
    description: str | None = None
    is_active: bool | None = None
    is_build_environment: bool | None = None
    sort_number: int | None = None
    instances: list[int] | None = None


class TargetBody(Body, frozen=True, kw_only=True):
    """An instance in an environment; null leaves it as it is."""

    is_active: bool | None = None
    end_points: list[Any] | None = None
    properties: list[Any] | None = None


class TopologyApi:
    """Handlers of the topology.

    :param vendor: the stand-in
    :param asking: its lookups
    """

    def __init__(self, vendor: FlexDeployStandIn, asking: Asking) -> None:
        self._vendor = vendor
        self._asking = asking

    def routes(self) -> Sequence[Route]:
        """Return the operations."""
        served, environment = self._vendor.served, "/rest/v1/topology/environment"
        target = "/rest/v1/topology/environmentinstance/{environmentId}/{instanceId}"
        return [
            Route("GET", "/rest/v1/folder/{id}", served(self.folder)),
            Route("GET", "/rest/v1/workflows", served(self.workflows)),
            Route("GET", environment, served(self.environments)),
            Route("POST", environment, served(self.create_environment)),
            *(Route(method, f"{environment}/{{id}}", served(self.environment)) for method in ("GET", "PUT", "PATCH")),
            *(Route(method, target, served(self.target)) for method in ("GET", "PUT", "PATCH")),
        ]

    def folder(self, request: Request) -> Response:
        """Show a folder, with its sub-folders and applications."""
        folder_id, site = self._asking.number(request.parts["id"], "folderId"), self._vendor.site
        found = next((one for one in site.folders if one.id == folder_id), None)
        if found is None:
            raise self._asking.refused(404, f"Folder not found [{folder_id}]")
        below = [] if found.application else [one for one in site.folders if one.parent == found.id]
        return Response.json(
            200,
            {
                "folderId": found.id,
                "parentFolderId": found.parent,
                "folderName": found.name,
                "isActive": found.active,
                "subFolders": [{"folderId": o.id, "folderName": o.name} for o in below if not o.application],
                "applications": [{"applicationId": o.id, "applicationName": o.name} for o in below if o.application],
                "description": found.description,
            },
        )

    def workflows(self, request: Request) -> Response:
        """List the workflows."""
        rows = [
            {
                "workflowId": one.id,
                "workflowName": one.name,
                "workflowType": one.type,
                "isActive": True,
                "workflowVersions": [{"workflowVersion": name, "workflowVersionId": i} for name, i in one.versions],
            }
            for one in self._vendor.site.workflows
        ]
        return self._vendor.listed(request, rows)

    def environments(self, request: Request) -> Response:
        """List environments, by ``environmentCode`` or any other attribute."""
        return self._vendor.listed(request, [self.shown(one) for one in self._vendor.site.environments])

    def environment(self, request: Request) -> Response:
        """Show an environment, or change it; what is null stays."""
        environment_id = self._asking.number(request.parts["id"], "environmentId")
        found = self._vendor.site.environment(environment_id)
        if found is None:
            raise self._asking.refused(404, f"Environment not found [{environment_id}]")
        if request.method != "GET":
            self._change(request, found, self._asking.body(request, EnvironmentBody))
        return Response.json(200, self.shown(found))

    def create_environment(self, request: Request) -> Response:
        """Make an environment: 201."""
        site, body = self._vendor.site, self._asking.body(request, EnvironmentBody)
        taken = {one.code for one in site.environments}
        if not body.environment_code or not body.environment_name or body.environment_code in taken:
            raise self._asking.refused(
                400, "environmentCode and environmentName are required, and the code has to be new."
            )
        made = Environment(
            max(one.id for one in site.environments) + 1, body.environment_code, body.environment_name, ()
        )
        site.environments.append(made)
        self._change(request, made, body)
        return Response.json(201, self.shown(made))

    def _change(self, request: Request, environment: Environment, body: EnvironmentBody) -> None:
        site = self._vendor.site
        if body.instances is not None:
            strange = [one for one in body.instances if site.instance(one) is None]
            if strange:
                raise self._asking.unfit(f"Instance {strange} not found.")
            environment.instances = tuple(body.instances)
            for one in body.instances:
                site.targets.setdefault((environment.id, one), Target(environment.id, one))
        environment.name = body.environment_name or environment.name
        environment.description = environment.description if body.description is None else body.description
        environment.active = environment.active if body.is_active is None else body.is_active
        environment.build = environment.build if body.is_build_environment is None else body.is_build_environment
        environment.sort = environment.sort if body.sort_number is None else body.sort_number
        request.effect("environment_changed", environment.code, **self.shown(environment))

    def target(self, request: Request) -> Response:
        """Show an instance in an environment, or change it; what is null stays."""
        place = (
            self._asking.number(request.parts["environmentId"], "environmentId"),
            self._asking.number(request.parts["instanceId"], "instanceId"),
        )
        found = self._vendor.site.targets.get(place)
        if found is None:
            raise self._asking.refused(404, f"EnvironmentInstance not found [{place[0]}/{place[1]}]")
        if request.method != "GET":
            body = self._asking.body(request, TargetBody)
            found.active = found.active if body.is_active is None else body.is_active
            found.end_points = found.end_points if body.end_points is None else body.end_points
            found.properties = found.properties if body.properties is None else body.properties
            request.effect("target_changed", f"{place[0]}/{place[1]}", active=found.active)
        return Response.json(
            200, {"isActive": found.active, "endPoints": found.end_points, "properties": found.properties}
        )

    def shown(self, environment: Environment, *, instances: str = "instances") -> dict[str, Any]:
        """Return an environment.

        :param instances: key of its instances, ``targets`` in v2
        """
        return {
            "environmentId": environment.id,
            "environmentCode": environment.code,
            "environmentName": environment.name,
            "isActive": environment.active,
            "isBuildEnvironment": environment.build,
            "sortNumber": environment.sort,
            "description": environment.description,
            instances: list(environment.instances),
        }
