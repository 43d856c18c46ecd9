"""Folders, environments, instances in environments and workflows, v1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from include.standins.calls import Call, Reply, Route
from include.standins.flexdeploy.asking import Asking
from include.standins.flexdeploy.bodies import Body
from include.standins.flexdeploy.site import Environment, Target

if TYPE_CHECKING:
    from include.standins.flexdeploy.server import FlexDeployStandIn


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

    def folder(self, call: Call) -> Reply:
        """Show a folder, with its sub-folders and applications."""
        folder_id, site = self._asking.number(call.parts["id"], "folderId"), self._vendor.site
        found = next((one for one in site.folders if one.id == folder_id), None)
        if found is None:
            raise self._asking.refused(404, f"Folder not found [{folder_id}]")
        below = [] if found.application else [one for one in site.folders if one.parent == found.id]
        return Reply.json(
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

    def workflows(self, call: Call) -> Reply:
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
        return self._vendor.listed(call, rows)

    def environments(self, call: Call) -> Reply:
        """List environments, by ``environmentCode`` or any other attribute."""
        return self._vendor.listed(call, [self.shown(one) for one in self._vendor.site.environments])

    def environment(self, call: Call) -> Reply:
        """Show an environment, or change it; what is null stays."""
        environment_id = self._asking.number(call.parts["id"], "environmentId")
        found = self._vendor.site.environment(environment_id)
        if found is None:
            raise self._asking.refused(404, f"Environment not found [{environment_id}]")
        if call.method != "GET":
            self._change(call, found, self._asking.body(call, EnvironmentBody))
        return Reply.json(200, self.shown(found))

    def create_environment(self, call: Call) -> Reply:
        """Make an environment: 201."""
        site, body = self._vendor.site, self._asking.body(call, EnvironmentBody)
        taken = {one.code for one in site.environments}
        if not body.environment_code or not body.environment_name or body.environment_code in taken:
            raise self._asking.refused(
                400, "environmentCode and environmentName are required, and the code has to be new."
            )
        made = Environment(
            max(one.id for one in site.environments) + 1, body.environment_code, body.environment_name, ()
        )
        site.environments.append(made)
        self._change(call, made, body)
        return Reply.json(201, self.shown(made))

    def _change(self, call: Call, environment: Environment, body: EnvironmentBody) -> None:
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
        call.effect("environment_changed", environment.code, **self.shown(environment))

    def target(self, call: Call) -> Reply:
        """Show an instance in an environment, or change it; what is null stays."""
        place = (
            self._asking.number(call.parts["environmentId"], "environmentId"),
            self._asking.number(call.parts["instanceId"], "instanceId"),
        )
        found = self._vendor.site.targets.get(place)
        if found is None:
            raise self._asking.refused(404, f"EnvironmentInstance not found [{place[0]}/{place[1]}]")
        if call.method != "GET":
            body = self._asking.body(call, TargetBody)
            found.active = found.active if body.is_active is None else body.is_active
            found.end_points = found.end_points if body.end_points is None else body.end_points
            found.properties = found.properties if body.properties is None else body.properties
            call.effect("target_changed", f"{place[0]}/{place[1]}", active=found.active)
        return Reply.json(
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
