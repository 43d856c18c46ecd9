"""Builds, deploys and utility runs: what is asked for, for which version, and whether it is there already (3.3 to 3.5)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from include.standins.flexdeploy.asking import Asking
from include.standins.flexdeploy.bodies import (
    BuildBody,
    DeployBody,
    ExecuteBody,
    PackageInfo,
    ProjectFile,
    Wrong,
    started_at,
    tickets,
)
from include.standins.flexdeploy.requests import Kind, Wanted, WorkflowRequest
from include.standins.flexdeploy.site import Package, Project, Version
from include.standins.flexdeploy.switches import Taken
from include.standins.routing import Request

if TYPE_CHECKING:
    from include.standins.flexdeploy.server import FlexDeployStandIn


class Building:
    """Starts builds.

    :param vendor: the stand-in
    :param asking: its lookups
    """

    def __init__(self, vendor: FlexDeployStandIn, asking: Asking) -> None:
        self._vendor = vendor
        self._asking = asking

    def start(
        self, request: Request, project: Project, body: BuildBody, *, snapshot: int | None = None
    ) -> list[WorkflowRequest]:
        """Start a build; nothing where source control has no changes and ``forceBuild`` is not set.

        :param snapshot: the snapshot that it is for; default: a new one where the body names a release
        :raises Refused: 400, or the status of a bad reference
        """
        asking, vendor = self._asking, self._vendor
        workflow = asking.flow(project, project.build_workflow, "build")
        environment = asking.environment(body.environment_id)
        if body.stream_id not in (stream.id for stream in project.streams):
            raise asking.unfit(f"Stream [{body.stream_id}] is not a stream of project [{project.id}].")
        release = vendor.site.release(body.release_id or 0)
        if body.release_id is not None and release is None:
            raise asking.unfit(f"Release [{body.release_id}] not found.")
        instance = vendor.site.instance(project.build_instance or 0)
        if instance is None:
            raise asking.refused(400, f"Project [{project.id}] has no build instance.")
        override = asking.override(workflow, body.workflow_version_override)
        inputs, flex_fields = asking.codes(workflow, body.inputs, body.flex_fields)
        version = self._version(request, project, body)
        if version is None:
            return []
        if release and snapshot is None:
            snapshot = vendor.snapshots.for_build(request, release, version)
        wanted = Wanted(
            kind=Kind.BUILD, project=project, environment=environment, instances=(instance,), version=version,
            plan=asking.plan(request, vendor.switches.build_seconds, 1), user=request.user or "", package=version.package,
            all_files=version.all_files, force=bool(body.force_build), override=override, inputs=inputs, flex_fields=flex_fields,
            tickets=tickets(body.related_tickets), release=body.release_id, snapshot=snapshot,
        )  # fmt: skip
        return [vendor.engine.submit(wanted, vendor.clock.now())]

    def _version(self, request: Request, project: Project, body: BuildBody) -> Version | None:
        """Return the version to build, new; ``None``: there are no changes and the build is not forced."""
        vendor = self._vendor
        package, all_files = self._package(project, body)
        revision = vendor.source.head(project, body.stream_id, vendor.clock.now(), vendor.switches.changes)
        unchanged = revision <= vendor.source.built(project, body.stream_id, package)
        if request.fault("no_changes") or (unchanged and not body.force_build):
            request.effect("build_unneeded", str(project.id), stream=body.stream_id, package=package, revision=revision)
            return None
        self._define(request, project, body)
        version = vendor.site.new_version(project, body.stream_id, revision, package=package, all_files=all_files)
        if project.partial and not package and not all_files:
            version.package = version.name
        return version

    def _package(self, project: Project, body: BuildBody) -> tuple[str | None, bool]:
        """Return the package to build, and whether it is all files; neither: a package named as the version is going to be."""
        asking, name = self._asking, body.package_name or None
        if not project.partial:
            if (name or body.project_files) and self._vendor.switches.partial_on_full is Taken.REJECT:
                raise asking.refused(400, f"Project [{project.id}] is not for partial deployment.")
            return None, False
        known = self._vendor.site.packages.get((project.id, name)) if name else None
        if name and known is None and not body.project_files:
            raise asking.unfit(f"Package [{name}] of project [{project.id}] not found.")
        if known and known.status != "ACTIVE":
            raise asking.unfit(f"Package [{name}] of project [{project.id}] is {known.status}.")
        return name, not name and not body.project_files

    def _define(self, request: Request, project: Project, body: BuildBody) -> None:
        """Write a list of files that came with a package's name into its definition."""
        if project.partial and body.package_name and body.project_files:
            key = (project.id, body.package_name)
            old = self._vendor.site.packages.get(key)
            files = tuple(_file(one) for one in body.project_files)
            self._vendor.site.packages[key] = Package(body.package_name, files, old.type if old else "DYNAMIC")
            request.effect(
                "package_changed", body.package_name, project=project.id, files=[one.path for one in body.project_files]
            )


def _file(file: ProjectFile) -> dict[str, object]:
    return {"filePath": file.path, "objectType": None, "sequenceNumber": None}


class Deploying:
    """Starts deploys and utility runs.

    :param vendor: the stand-in
    :param asking: its lookups
    """

    def __init__(self, vendor: FlexDeployStandIn, asking: Asking) -> None:
        self._vendor = vendor
        self._asking = asking

    def deploy(self, request: Request, project: Project, body: DeployBody) -> list[WorkflowRequest]:
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
        told = bool(request.fault("already_deployed"))
        made = []
        for package, version in self._versions(project, body):
            missing = vendor.running.without(project, environment, instances, version, package)
            targets = () if told else instances if force else missing
            if not targets:
                request.effect(
                    "deploy_unneeded", environment.code, project=project.id, version=version.id, package=package
                )
                continue
            wanted = Wanted(
                kind=Kind.DEPLOY, project=project, environment=environment, instances=targets, version=version,
                plan=asking.plan(request, vendor.switches.deploy_seconds, len(targets)), user=request.user or "", package=package,
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

    def execute(self, request: Request, project: Project, body: ExecuteBody) -> list[WorkflowRequest]:
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
            plan=asking.plan(request, vendor.switches.utility_seconds, len(instances)), user=request.user or "", force=True,
            exception_to_window=bool(body.exception_to_window), start=self._start(body.start_time), start_text=body.start_time,
            override=asking.override(workflow, body.workflow_version_override), inputs=inputs, flex_fields=flex_fields,
        )  # fmt: skip
        return [vendor.engine.submit(wanted, vendor.clock.now())]

    def _start(self, text: str | None) -> datetime | None:
        try:
            return started_at(text)
        except Wrong as error:
            raise self._asking.refused(400, str(error)) from None
