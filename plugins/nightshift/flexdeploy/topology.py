"""Environments, instances and folders (FlexDeploy reference, section 2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nightshift.flexdeploy.api import FlexDeployApi
from nightshift.flexdeploy.fields import identifier
from nightshift.flexdeploy.responses import Row

_INSTANCE = "/rest/v1/topology/environmentinstance"


class Topology(FlexDeployApi):
    """Where things run. In v2 *instance* is called target group and *environment instance* target."""

    async def environment(self, environment_id: Any) -> Row:
        """Return one environment with its instances, as the vendor gives it."""
        return await self.row(f"{self._environments()}/{identifier('environment_id', environment_id)}")

    async def environments(self, *, code: str | None = None, name: str | None = None) -> list[Row]:
        """Return environments.

        :param code: environment code; how exactly the vendor compares it is not published
        :param name: environment name
        """
        params = {"environmentCode": code, "environmentName": name}
        return await self.rows(self._environments(), params, "environments")

    async def create_environment(self, environment: Mapping[str, Any]) -> Row:
        """Make an environment, in the vendor's words (``environmentCode``, ``environmentName`` …)."""
        return await self.change("POST", self._environments(), dict(environment))

    async def update_environment(
        self, environment_id: Any, environment: Mapping[str, Any], *, replace: bool = False
    ) -> Row:
        """Change an environment.

        :param replace: put the whole in its place instead of changing what is given
        """
        path = f"{self._environments()}/{identifier('environment_id', environment_id)}"
        return await self.change("PUT" if replace else "PATCH", path, dict(environment), safe=True)

    async def environment_instance(self, environment_id: Any, instance_id: Any) -> Row:
        """Return end points and properties of an instance in an environment."""
        return await self.row(_instance(environment_id, instance_id))

    async def update_environment_instance(
        self, environment_id: Any, instance_id: Any, instance: Mapping[str, Any], *, replace: bool = False
    ) -> Row:
        """Change an instance in an environment.

        :param replace: put the whole in its place instead of changing what is given
        """
        path = _instance(environment_id, instance_id)
        return await self.change("PUT" if replace else "PATCH", path, dict(instance), safe=True)

    async def target_groups(self) -> list[Row]:
        """Return the target groups, which v2 has in place of instances."""
        return await self.rows("/rest/v2/topology/targetgroup", None, "targetGroups")

    async def target_group(self, target_group_id: Any) -> Row:
        """Return one target group of v2."""
        return await self.row(f"/rest/v2/topology/targetgroup/{identifier('target_group_id', target_group_id)}")

    async def folder(self, folder_id: Any) -> Row:
        """Return one folder with its sub-folders and applications (v1)."""
        return await self.row(f"/rest/v1/folder/{identifier('folder_id', folder_id)}")

    async def folders(self, *, name: str | None = None, parent_folder_id: Any = None) -> list[Row]:
        """Return folders (v2); the root, ``FlexDeploy``, has the id 99.

        :param name: part of the name
        :param parent_folder_id: folder that they are in
        """
        parent = None if parent_folder_id is None else identifier("parent_folder_id", parent_folder_id)
        return await self.rows("/rest/v2/folder", {"folderName": name, "parentFolderId": parent}, "folders")

    def _environments(self) -> str:
        return f"/rest/{self.version}/topology/environment"


def _instance(environment_id: Any, instance_id: Any) -> str:
    environment, instance = identifier("environment_id", environment_id), identifier("instance_id", instance_id)
    return f"{_INSTANCE}/{environment}/{instance}"
