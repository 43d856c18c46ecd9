"""Deploys and utility runs: which version goes where, and whether it is there already (3.4, 3.5)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from include.standins.calls import Call
from include.standins.flexdeploy.asking import Asking
from include.standins.flexdeploy.bodies import DeployBody, ExecuteBody, PackageInfo, Wrong, started_at
from include.standins.flexdeploy.requests import Wanted, WorkflowRequest
from include.standins.flexdeploy.site import Project, Version
from include.standins.flexdeploy.states import Kind
from include.standins.flexdeploy.switches import Taken

if TYPE_CHECKING:
    from include.standins.flexdeploy.server import FlexDeployStandIn


class Deploying:
    """Starts deploys and utility runs.

    :param vendor: the stand-in
    :param asking: its lookups
    """

    def __init__(self, vendor: FlexDeployStandIn, asking: Asking) -> None:
        self._vendor = vendor
        self._asking = asking

    def deploy(self, call: Call, project: Project, body: DeployBody) -> list[WorkflowRequest]:
        """Start the deploys of a call, one a package; only where the version is not yet, unless ``forceDeploy`` is set.

        :raises Refused: 400, or the status of a bad reference
        """
        asking, vendor = self._asking, self._vendor
        workflow = asking.flow(project, project.deploy_workflow, "deploy")
        if body.project_id not in (None, project.id) or (
            body.project_id is None and vendor.switches.project_id_required
        ):
            raise asking.refused(400, "projectId is required, and has to be the project of the path.")
        environment = asking.environment(body.environment_id)
        instances = asking.instances(environment, project.deploy_instances, body.instance_ids)
        override = asking.override(workflow, body.workflow_version_override)
        inputs, flex_fields = asking.codes(workflow, body.inputs, body.flex_fields)
        start, force = self._start(body.start_time), bool(body.force_deploy)
        told = bool(call.fault("already_deployed"))
        made = []
        for package, version in self._versions(project, body):
            missing = vendor.running.without(project, environment, instances, version, package)
            targets = () if told else instances if force else missing
            if not targets:
                call.effect(
                    "deploy_unneeded", environment.code, project=project.id, version=version.id, package=package
                )
                continue
            wanted = Wanted(
                kind=Kind.DEPLOY, project=project, environment=environment, instances=targets, version=version,
                plan=asking.plan(call, vendor.switches.deploy_seconds, len(targets)), user=call.user or "", package=package,
                all_files=project.partial and package is None, force=force, exception_to_window=bool(body.exception_to_window), start=start,
                start_text=body.start_time, override=override, inputs=inputs, flex_fields=flex_fields, tickets=tuple(body.change_tickets or ()),
            )  # fmt: skip
            made.append(vendor.engine.submit(wanted, vendor.clock.now()))
        return made

    def _versions(self, project: Project, body: DeployBody) -> list[tuple[str | None, Version]]:
        """Return pairs of package and version, in the order in which they go."""
        asking = self._asking
        if project.partial:
            if not body.package_details and self._vendor.switches.package_details_required:
                raise asking.refused(400, "packageDetails is required for a project with partial deployment.")
            given = body.package_details or [PackageInfo(use_latest_package_version=True)]
            ordered = sorted(given, key=lambda one: (one.priority is None, one.priority or 0))
            return [self._of_package(project, one) for one in ordered]
        if body.package_details and self._vendor.switches.partial_on_full is Taken.REJECT:
            raise asking.refused(400, f"Project [{project.id}] is not for partial deployment.")
        if body.project_version_id is not None:
            return [(None, asking.built(project, body.project_version_id))]
        return [(None, self._newest(project, None))]

    def _of_package(self, project: Project, info: PackageInfo) -> tuple[str | None, Version]:
        name = info.package_name or None
        if info.use_latest_package_version:
            return name, self._newest(project, name)
        if info.project_version_id is None:
            raise self._asking.refused(400, "projectVersionId is required unless useLatestPackageVersion is true.")
        version = self._asking.built(project, info.project_version_id)
        if not version.all_files and version.package != name:
            raise self._asking.unfit(f"Project version [{version.id}] is not a version of package [{name}].")
        return name, version

    def _newest(self, project: Project, package: str | None) -> Version:
        for version in self._vendor.site.versions_of(project.id):
            if version.built and version.package == package:
                return version
        raise self._asking.unfit(f"Project [{project.id}] has no version to deploy.")

    def execute(self, call: Call, project: Project, body: ExecuteBody) -> list[WorkflowRequest]:
        """Start a utility run.

        :raises Refused: 400, or the status of a bad reference
        """
        asking, vendor = self._asking, self._vendor
        workflow = asking.flow(project, project.utility_workflow, "utility")
        environment = asking.environment(body.environment_id)
        instances = asking.instances(environment, project.utility_instances, body.instance_ids)
        inputs, flex_fields = asking.codes(workflow, body.inputs, body.flex_fields)
        wanted = Wanted(
            kind=Kind.UTILITY, project=project, environment=environment, instances=instances, version=self._newest(project, None),
            plan=asking.plan(call, vendor.switches.utility_seconds, len(instances)), user=call.user or "", force=True,
            exception_to_window=bool(body.exception_to_window), start=self._start(body.start_time), start_text=body.start_time,
            override=asking.override(workflow, body.workflow_version_override), inputs=inputs, flex_fields=flex_fields,
        )  # fmt: skip
        return [vendor.engine.submit(wanted, vendor.clock.now())]

    def _start(self, text: str | None) -> datetime | None:
        try:
            return started_at(text)
        except Wrong as error:
            raise self._asking.refused(400, str(error)) from None
