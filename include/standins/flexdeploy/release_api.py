"""Releases and their snapshots (3.8). A pipeline here waits at its first stage: it deploys nothing by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from include.standins.flexdeploy.asking import Asking
from include.standins.flexdeploy.bodies import Body, BuildBody
from include.standins.flexdeploy.shown import word
from include.standins.flexdeploy.site import Release, Version
from include.standins.routing import Request, Response, Route

if TYPE_CHECKING:
    from include.standins.flexdeploy.server import FlexDeployStandIn


class VersionInput(Body, frozen=True, kw_only=True):
    """A project of a snapshot; without a version it is built."""

    project_id: int
    project_version_id: int | None = None
    package_name: str | None = None
    build_environment_id: int | None = None
    force_build: bool | None = None


class SnapshotBody(Body, frozen=True, kw_only=True):
    """Body of a snapshot; known clients post the action alone."""

    action: str
    description: str | None = None
    snapshot_version_inputs: list[VersionInput] | None = None
    snapshot_id: int | None = None


@dataclass
class Snapshot:
    """Versions of the projects of a release, taken together."""

    id: int
    release: Release
    execution: int
    description: str = ""
    versions: list[Version] = field(default_factory=list)

    @property
    def state(self) -> str:
        """``BUILDING``, ``CREATED`` or ``FAILED``."""
        built = {version.built for version in self.versions}
        return "FAILED" if False in built else "BUILDING" if None in built else "CREATED"


class Snapshots:
    """The snapshots, and the handlers of releases.

    :param vendor: the stand-in
    :param asking: its lookups
    """

    def __init__(self, vendor: FlexDeployStandIn, asking: Asking) -> None:
        self._vendor = vendor
        self._asking = asking
        self.made: dict[int, Snapshot] = {}

    def routes(self) -> Sequence[Route]:
        """Return the operations."""
        served, base = self._vendor.served, "/rest/v1/releases"
        return [
            Route("GET", base, served(self.releases)),
            Route("POST", f"{base}/{{releaseId}}/snapshot", served(self.act)),
            Route("GET", f"{base}/{{releaseId}}/snapshot/{{snapshotId}}/execution", served(self.execution)),
        ]

    def for_build(self, request: Request, release: Release, version: Version) -> int:
        """Make the snapshot of a build that names a release."""
        snapshot = self._new(request, release, "")
        snapshot.versions.append(version)
        return snapshot.id

    def releases(self, request: Request) -> Response:
        """List releases, by ``releaseName``: a bare array."""
        rows = [
            {"releaseId": one.id, "releaseName": one.name, "projects": [{"projectId": p} for p in one.projects]}
            for one in self._vendor.site.releases
        ]
        return self._vendor.listed(request, rows)

    def act(self, request: Request) -> Response:
        """Create a snapshot, or promote one to the release of the path."""
        release, body = self._release(request), self._asking.body(request, SnapshotBody)
        if body.action == "createSnapshot":
            snapshot = self._create(request, release, body)
        elif body.action == "promoteToRelease":
            source = self.made.get(body.snapshot_id or 0)
            if source is None:
                raise self._asking.unfit(f"Snapshot [{body.snapshot_id}] not found.")
            snapshot = self._new(request, release, body.description or source.description)
            snapshot.versions += source.versions
        else:
            raise self._asking.refused(400, f"action [{body.action}] is not known.")
        return Response.json(self._vendor.switches.snapshot_status, self._shown(snapshot))

    def _create(self, request: Request, release: Release, body: SnapshotBody) -> Snapshot:
        inputs = body.snapshot_version_inputs or []
        strange = [one.project_id for one in inputs if one.project_id not in release.projects]
        if strange:
            raise self._asking.unfit(f"Project {strange} is not in release [{release.id}].")
        given = {one.project_id: one for one in inputs}
        chosen = {
            project: self._asking.built(self._asking.project_of(project), one.project_version_id)
            for project, one in given.items()
            if one.project_version_id is not None
        }
        snapshot = self._new(request, release, body.description or "")
        for project_id in given or release.projects:
            if project_id in chosen:
                snapshot.versions.append(chosen[project_id])
            else:
                self._build(request, snapshot, given.get(project_id) or VersionInput(project_id=project_id))
        return snapshot

    def _build(self, request: Request, snapshot: Snapshot, one: VersionInput) -> None:
        """Build a project for a snapshot; its newest version where source control has no changes."""
        site, project = self._vendor.site, self._asking.project_of(one.project_id)
        environment = next((each for each in site.environments if each.build), site.environments[0])
        body = BuildBody(
            environment_id=one.build_environment_id or environment.id, stream_id=project.streams[0].id, force_build=one.force_build,
            package_name=one.package_name, release_id=snapshot.release.id,
        )  # fmt: skip
        made = self._vendor.building.start(request, project, body, snapshot=snapshot.id)
        newest = next((version for version in site.versions_of(project.id) if version.built), None)
        version = made[0].wanted.version if made else newest
        if version:
            snapshot.versions.append(version)

    def _new(self, request: Request, release: Release, description: str) -> Snapshot:
        engine = self._vendor.engine
        snapshot = Snapshot(engine.new_id(), release, engine.new_id(), description)
        self.made[snapshot.id] = snapshot
        request.effect("snapshot_made", str(snapshot.id), release=release.id)
        return snapshot

    def execution(self, request: Request) -> Response:
        """Show how far a snapshot is in its pipeline: built, then waiting in front of the first stage."""
        release, switches = self._release(request), self._vendor.switches
        snapshot = self.made.get(self._asking.number(request.parts["snapshotId"], "snapshotId"))
        if snapshot is None or snapshot.release != release:
            raise self._asking.refused(404, f"Snapshot not found [{request.parts['snapshotId']}]")
        wanted = request.query.get("environmentId")
        stages = [one for one in release.environments if wanted is None or wanted == str(one)]
        status = {"CREATED": "RUNNING", "BUILDING": "NOT_STARTED", "FAILED": "FAILED"}[snapshot.state]
        return Response.json(
            200,
            {
                "pipelineExecutionId": snapshot.execution,
                "snapshotId": snapshot.id,
                "pipelineExecutionStatus": word(status, switches),
                "stageExecutions": [
                    {"environmentId": one, "stageExecutionStatus": word("Not Started", switches)} for one in stages
                ],
            },
        )

    def _release(self, request: Request) -> Release:
        release_id = self._asking.number(request.parts["releaseId"], "releaseId")
        found = self._vendor.site.release(release_id)
        if found is None:
            raise self._asking.refused(404, f"Release not found [{release_id}]")
        return found

    def _shown(self, snapshot: Snapshot) -> dict[str, Any]:
        switches = self._vendor.switches
        words = {True: "CREATED", None: "BUILDING", False: "FAILED"}
        return {
            "snapshotId": snapshot.id,
            "snapshotName": f"{snapshot.release.name} {snapshot.id}",
            "snapshotStatus": word(snapshot.state, switches),
            "description": snapshot.description,
            "snapshotVersions": [
                {
                    "projectId": one.project,
                    "projectVersionId": one.id,
                    "projectVersionName": one.name,
                    "packageName": one.package,
                    "snapshotVersionStatus": word(words[one.built], switches),
                }
                for one in snapshot.versions
            ],
        }
