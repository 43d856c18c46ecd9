"""Builds, deploys and utility runs: what is asked for, for which version, and whether it is there already (3.3 to
3.5).
"""

from __future__ import annotations

from typing import Any

from include.standins.flexdeploy.bodies import (
    BuildBody,
    DeployBody,
    ExecuteBody,
    PackageInfo,
    RunBody,
    Wrong,
    started_at,
    tickets,
)
from include.standins.flexdeploy.requests import Kind, Wanted, WorkflowRequest
from include.standins.flexdeploy.service import Service
from include.standins.flexdeploy.site import Project, Version, Workflow
from include.standins.routing import Request


class Starting:
    """Starts what a request asks for; each verb refuses with 400, or with the status of a bad reference."""

    def __init__(self, vendor: Service) -> None:
        self._vendor = vendor

    def build(self, request: Request, project: Project, body: BuildBody) -> list[WorkflowRequest]:
        """Start a build; nothing where source control has no changes and ``forceBuild`` is not set."""
        vendor = self._vendor
        workflow = vendor.flow(project, project.build_workflow, "build")
        environment = vendor.environment(body.environment_id)
        if body.stream_id not in (stream.id for stream in project.streams):
            raise vendor.unfit(f"Stream [{body.stream_id}] is not a stream of project [{project.id}].")
        if body.release_id is not None and body.release_id not in vendor.site.releases:
            raise vendor.unfit(f"Release [{body.release_id}] not found.")
        instance = vendor.site.instance(project.build_instance or 0)
        if instance is None:
            raise vendor.refused(400, f"Project [{project.id}] has no build instance.")
        override = vendor.override(workflow, body.workflow_version_override)
        inputs, flex_fields = vendor.codes(workflow, body.inputs, body.flex_fields)
        version = self._version(request, project, body)
        if version is None:
            return []
        snapshot = None if body.release_id is None else vendor.engine.new_id()
        wanted = Wanted(
            kind=Kind.BUILD,
            project=project,
            environment=environment,
            instances=(instance,),
            version=version,
            plan=vendor.plan(request, vendor.switches.build_seconds, 1),
            user=request.user or "",
            package=version.package,
            all_files=version.all_files,
            force=bool(body.force_build),
            override=override,
            inputs=inputs,
            flex_fields=flex_fields,
            tickets=tickets(body.related_tickets),
            release=body.release_id,
            snapshot=snapshot,
        )
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
        if package and body.project_files:
            vendor.site.packages.setdefault(project.id, set()).add(package)
        version = vendor.site.new_version(project, body.stream_id, revision, package=package, all_files=all_files)
        if project.partial and not package and not all_files:
            version.package = version.name
        return version

    def _package(self, project: Project, body: BuildBody) -> tuple[str | None, bool]:
        """Return the package to build, and whether it is all files; neither: one that is named as the version will
        be.
        """
        vendor, name = self._vendor, body.package_name or None
        if not project.partial:
            if name or body.project_files:
                raise vendor.refused(400, f"Project [{project.id}] is not for partial deployment.")
            return None, False
        if name and name not in vendor.site.packages.get(project.id, ()) and not body.project_files:
            raise vendor.unfit(f"Package [{name}] of project [{project.id}] not found.")
        return name, not name and not body.project_files

    def deploy(self, request: Request, project: Project, body: DeployBody) -> list[WorkflowRequest]:
        """Start the deploys of a request, one a package; only where the version is not, unless ``forceDeploy`` is
        set.
        """
        vendor = self._vendor
        workflow = vendor.flow(project, project.deploy_workflow, "deploy")
        if body.project_id not in (None, project.id) or (
            body.project_id is None and vendor.switches.project_id_required
        ):
            raise vendor.refused(400, "projectId is required, and has to be the project of the path.")
        environment = vendor.environment(body.environment_id)
        instances = vendor.instances(environment, project.deploy_instances, body.instance_ids)
        common, force = self._common(workflow, body), bool(body.force_deploy)
        unneeded, other = bool(request.fault("already_deployed")), request.fault("other_version")
        made = []
        for package, asked in self._versions(project, body):
            is_other = other is not None and package == other.detail.get("package")
            version = vendor.built(project, other.detail["version"]) if other and is_other else asked
            missing = vendor.running.without(project, environment, instances, version, package)
            targets = () if unneeded else instances if force else missing
            if not targets:
                request.effect(
                    "deploy_unneeded", environment.code, project=project.id, version=version.id, package=package
                )
                continue
            wanted = Wanted(
                kind=Kind.DEPLOY,
                project=project,
                environment=environment,
                instances=targets,
                version=version,
                plan=vendor.plan(request, vendor.switches.deploy_seconds, len(targets), package),
                user=request.user or "",
                package=package,
                all_files=project.partial and package is None,
                force=force,
                tickets=tuple(body.change_tickets or ()),
                **common,
            )
            made.append(vendor.engine.submit(wanted, vendor.clock.now()))
        return made

    def _versions(self, project: Project, body: DeployBody) -> list[tuple[str | None, Version]]:
        """Return pairs of package and version, in the order in which they go."""
        vendor = self._vendor
        if project.partial:
            if not body.package_details and self._vendor.switches.package_details_required:
                raise vendor.refused(400, "packageDetails is required for a project with partial deployment.")
            given = body.package_details or [PackageInfo(use_latest_package_version=True)]
            ordered = sorted(given, key=lambda one: (one.priority is None, one.priority or 0))
            return [self._of_package(project, one) for one in ordered]
        if body.package_details:
            raise vendor.refused(400, f"Project [{project.id}] is not for partial deployment.")
        if body.project_version_id is not None:
            return [(None, vendor.built(project, body.project_version_id))]
        return [(None, self._newest(project, None))]

    def _of_package(self, project: Project, info: PackageInfo) -> tuple[str | None, Version]:
        name = info.package_name or None
        if info.use_latest_package_version:
            return name, self._newest(project, name)
        if info.project_version_id is None:
            raise self._vendor.refused(400, "projectVersionId is required unless useLatestPackageVersion is true.")
        version = self._vendor.built(project, info.project_version_id)
        if not version.all_files and version.package != name:
            raise self._vendor.unfit(f"Project version [{version.id}] is not a version of package [{name}].")
        return name, version

    def _newest(self, project: Project, package: str | None) -> Version:
        for version in self._vendor.site.versions_of(project.id):
            if version.built and version.package == package:
                return version
        raise self._vendor.unfit(f"Project [{project.id}] has no version to deploy.")

    def execute(self, request: Request, project: Project, body: ExecuteBody) -> list[WorkflowRequest]:
        vendor = self._vendor
        workflow = vendor.flow(project, project.utility_workflow, "utility")
        environment = vendor.environment(body.environment_id)
        instances = vendor.instances(environment, project.utility_instances, body.instance_ids)
        wanted = Wanted(
            kind=Kind.UTILITY,
            project=project,
            environment=environment,
            instances=instances,
            version=self._newest(project, None),
            plan=vendor.plan(request, vendor.switches.utility_seconds, len(instances)),
            user=request.user or "",
            force=True,
            **self._common(workflow, body),
        )
        return [vendor.engine.submit(wanted, vendor.clock.now())]

    def _common(self, workflow: Workflow, body: RunBody) -> dict[str, Any]:
        try:
            start = started_at(body.start_time)
        except Wrong as error:
            raise self._vendor.refused(400, str(error)) from None
        inputs, flex_fields = self._vendor.codes(workflow, body.inputs, body.flex_fields)
        return {
            "exception_to_window": bool(body.exception_to_window),
            "start": start,
            "start_text": body.start_time,
            "override": self._vendor.override(workflow, body.workflow_version_override),
            "inputs": inputs,
            "flex_fields": flex_fields,
        }
