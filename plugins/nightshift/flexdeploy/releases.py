"""Project versions, packages, releases and snapshots (FlexDeploy reference, sections 2 and 3.8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nightshift.flexdeploy.api import FlexDeployApi
from nightshift.flexdeploy.fields import identifier, objects, text
from nightshift.flexdeploy.responses import Row
from nightshift.flexdeploy.vocabulary import broken
from nightshift.http.address import segment

_FILE_KEYS = ("filePath", "objectType", "sequenceNumber")
_SNAPSHOT_KEYS = ("projectId", "projectVersionId", "packageName", "buildEnvironmentId", "forceBuild")


class Releases(FlexDeployApi):
    """What was built, and what is bundled of it."""

    async def project_versions(self, project_id: Any, **params: Any) -> list[Row]:
        """Return the versions of a project, newest first.

        :param params: query; the names that the vendor knows are not published
        """
        path = f"/rest/v1/project/{identifier('project_id', project_id)}/version"
        return await self.rows(path, params, "projectVersions", "versions")

    async def project_version(self, project_id: Any, version_id: Any) -> Row:
        """Return one version of a project."""
        project, version = identifier("project_id", project_id), identifier("version_id", version_id)
        return await self.row(f"/rest/v1/project/{project}/version/{version}")

    async def packages(self, project_id: Any) -> list[Row]:
        """Return the packages of a partial project."""
        return await self.rows(_packages(project_id), None, "packages")

    async def package(self, project_id: Any, name: str) -> Row:
        """Return one package; its name is case-sensitive."""
        return await self.row(_packages(project_id, name))

    async def create_package(self, project_id: Any, package: Mapping[str, Any]) -> Row:
        """Make a package, in the vendor's words (``packageName``, ``packageType``, ``files`` …).

        :raises Rejected: sequence numbers are on some of its files only
        """
        return await self.change("POST", _packages(project_id), _checked(package))

    async def replace_package(self, project_id: Any, name: str, package: Mapping[str, Any]) -> Row:
        """Replace a package and its files; its name cannot be changed."""
        return await self.change("PUT", _packages(project_id, name), _checked(package), safe=True)

    async def extend_package(self, project_id: Any, name: str, package: Mapping[str, Any]) -> Row:
        """Append files to a package; what is ``None`` stays as it is."""
        return await self.change("PATCH", _packages(project_id, name), _checked(package))

    async def delete_package(self, project_id: Any, name: str) -> None:
        """Delete a package; one that is not there is no error."""
        await self.change("DELETE", _packages(project_id, name), safe=True)

    async def releases(self, *, name: str | None = None) -> list[Row]:
        """Return releases with the ids of their projects.

        :param name: release name; compare it yourself, the vendor may give more
        """
        return await self.rows("/rest/v1/releases", {"releaseName": name}, "releases")

    async def create_snapshot(
        self, release_id: Any, *, description: str | None = None, versions: Sequence[Mapping[str, Any]] = ()
    ) -> Row:
        """Make a snapshot of a release; it may build, so it is never repeated on a guess.

        :param versions: ``projectId``, and where wanted ``projectVersionId`` (left out: it is built), ``packageName``,
            ``buildEnvironmentId``, ``forceBuild``
        :raises Ambiguous: it may or may not have been made
        """
        body: dict[str, Any] = {"action": "createSnapshot"}
        if description is not None:
            body["description"] = text("description", description)
        if versions:
            body["snapshotVersionInputs"] = [dict(one) for one in objects("versions", list(versions), _SNAPSHOT_KEYS)]
            for index, one in enumerate(body["snapshotVersionInputs"]):
                identifier(f"versions[{index}].projectId", one.get("projectId"))
        return await self.change("POST", _snapshots(release_id), body)

    async def promote_to_release(self, release_id: Any, **fields: Any) -> Row:
        """Carry out the other action that snapshots have.

        :param fields: further keys of the body, in the vendor's words; they are not published
        """
        return await self.change("POST", _snapshots(release_id), {"action": "promoteToRelease", **fields})

    async def snapshot_executions(
        self,
        release_id: Any,
        snapshot_id: Any,
        *,
        gate: str | None = None,
        step: str | None = None,
        environment_id: Any = None,
    ) -> list[Row]:
        """Return how a snapshot stands in its pipeline; of replays only the newest."""
        environment = None if environment_id is None else identifier("environment_id", environment_id)
        params = {"gateName": gate, "stepName": step, "environmentId": environment}
        path = f"{_snapshots(release_id)}/{identifier('snapshot_id', snapshot_id)}/execution"
        return await self.rows(path, params, "executions")

    async def workflows(self) -> list[Row]:
        """Return the workflows (v1)."""
        return await self.rows("/rest/v1/workflows", None, "workflows")

    async def workflow(self, workflow_id: Any) -> Row:
        """Return a workflow with its versions (v2)."""
        return await self.row(f"/rest/v2/workflow/{identifier('workflow_id', workflow_id)}")


def _packages(project_id: Any, name: str | None = None) -> str:
    path = f"/rest/v1/project/{identifier('project_id', project_id)}/package"
    return path if name is None else f"{path}/{segment(name)}"


def _snapshots(release_id: Any) -> str:
    return f"/rest/v1/releases/{identifier('release_id', release_id)}/snapshot"


def _checked(package: Mapping[str, Any]) -> dict[str, Any]:
    files = objects("files", package.get("files") or [], _FILE_KEYS)
    numbered = [one.get("sequenceNumber") is not None for one in files]
    if any(numbered) and not all(numbered):
        raise broken("files", "have sequence numbers on some only; number all of them, or none")
    return dict(package)
