"""Builds: what is built, for which version, package and release (3.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.standins.calls import Call
from include.standins.flexdeploy.asking import Asking
from include.standins.flexdeploy.bodies import BuildBody, ProjectFile, tickets
from include.standins.flexdeploy.requests import Wanted, WorkflowRequest
from include.standins.flexdeploy.site import Package, Project, Version
from include.standins.flexdeploy.states import Kind
from include.standins.flexdeploy.switches import Taken

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
        self, call: Call, project: Project, body: BuildBody, *, snapshot: int | None = None
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
        version = self._version(call, project, body)
        if version is None:
            return []
        if release and snapshot is None:
            snapshot = vendor.snapshots.for_build(call, release, version)
        wanted = Wanted(
            kind=Kind.BUILD, project=project, environment=environment, instances=(instance,), version=version,
            plan=asking.plan(call, vendor.switches.build_seconds, 1), user=call.user or "", package=version.package,
            all_files=version.all_files, force=bool(body.force_build), override=override, inputs=inputs, flex_fields=flex_fields,
            tickets=tickets(body.related_tickets), release=body.release_id, snapshot=snapshot,
        )  # fmt: skip
        return [vendor.engine.submit(wanted, vendor.clock.now())]

    def _version(self, call: Call, project: Project, body: BuildBody) -> Version | None:
        """Return the version to build, new; ``None``: there are no changes and the build is not forced."""
        vendor = self._vendor
        package, all_files = self._package(project, body)
        revision = vendor.source.head(project, body.stream_id, vendor.clock.now(), vendor.switches.changes)
        unchanged = revision <= vendor.source.built(project, body.stream_id, package)
        if call.fault("no_changes") or (unchanged and not body.force_build):
            call.effect("build_unneeded", str(project.id), stream=body.stream_id, package=package, revision=revision)
            return None
        self._define(call, project, body)
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

    def _define(self, call: Call, project: Project, body: BuildBody) -> None:
        """Write a list of files that came with a package's name into its definition."""
        if project.partial and body.package_name and body.project_files:
            key = (project.id, body.package_name)
            old = self._vendor.site.packages.get(key)
            files = tuple(_file(one) for one in body.project_files)
            self._vendor.site.packages[key] = Package(body.package_name, files, old.type if old else "DYNAMIC")
            call.effect(
                "package_changed", body.package_name, project=project.id, files=[one.path for one in body.project_files]
            )


def _file(file: ProjectFile) -> dict[str, object]:
    return {"filePath": file.path, "objectType": None, "sequenceNumber": None}
