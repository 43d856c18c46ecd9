"""What really runs in each environment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from include.standins.flexdeploy.site import Environment, Instance, Project, Site, Version

Place = tuple[int, int, int, str | None]
AT_THE_START: Final = 0
"""The request number of what ran before the stand-in started."""


@dataclass(frozen=True)
class Live:
    """A version of a project that runs on an instance of an environment; ``package``: of a partial project, ``None``: all its files."""

    project: int
    project_name: str
    environment: int
    environment_code: str
    instance: int
    instance_code: str
    package: str | None
    version: int
    version_name: str
    request: int


class Running:
    """Versions by place.

    :param site: what runs at the start
    """

    def __init__(self, site: Site) -> None:
        self._live: dict[Place, Live] = {}
        wanted = {code: name for name, code in site.live}
        for project in site.projects:
            for environment in site.environments:
                name = wanted.get(environment.code)
                version = next((one for one in site.versions_of(project.id) if one.name == name), None)
                if version is None or project.deploy_instances is None or project.partial:
                    continue
                for instance in site.instances:
                    if instance.id in project.deploy_instances:
                        self.put(project, environment, instance, version, package=None, request=AT_THE_START)

    def put(
        self, project: Project, environment: Environment, instance: Instance, version: Version, *, package: str | None, request: int
    ) -> Live:  # fmt: skip
        """Let a version run."""
        place = (project.id, environment.id, instance.id, package)
        self._live[place] = Live(
            project.id, project.name, environment.id, environment.code, instance.id, instance.code, package, version.id, version.name, request
        )  # fmt: skip
        return self._live[place]

    def without(
        self, project: Project, environment: Environment, instances: Iterable[Instance], version: Version, package: str | None
    ) -> tuple[Instance, ...]:  # fmt: skip
        """Return those instances on which a version does not run."""
        return tuple(
            instance
            for instance in instances
            if (at := self._live.get((project.id, environment.id, instance.id, package))) is None or at.version != version.id
        )  # fmt: skip

    def in_environment(self, environment: Environment) -> list[Live]:
        """Return what runs in an environment, by project, instance, package."""
        found = [live for live in self._live.values() if live.environment == environment.id]
        return sorted(found, key=lambda live: (live.project, live.instance, live.package or ""))
