"""What really runs in each environment, and what source control has that is not built yet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from include.standins.flexdeploy.site import Environment, Instance, Project, Site, Version
from include.standins.flexdeploy.switches import Changes

Place = tuple[int, int, int, str | None]
AT_THE_START: Final = 0
"""The request number of what ran before the stand-in started."""


@dataclass(frozen=True)
class Live:
    """A version of a project that runs on an instance of an environment; ``package``: of a partial project, ``None``:
    all its files.
    """

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
        self,
        project: Project,
        environment: Environment,
        instance: Instance,
        version: Version,
        *,
        package: str | None,
        request: int,
    ) -> Live:
        place = (project.id, environment.id, instance.id, package)
        self._live[place] = Live(
            project.id,
            project.name,
            environment.id,
            environment.code,
            instance.id,
            instance.code,
            package,
            version.id,
            version.name,
            request,
        )
        return self._live[place]

    def without(
        self,
        project: Project,
        environment: Environment,
        instances: Iterable[Instance],
        version: Version,
        package: str | None,
    ) -> tuple[Instance, ...]:
        return tuple(
            instance
            for instance in instances
            if (at := self._live.get((project.id, environment.id, instance.id, package))) is None
            or at.version != version.id
        )

    def in_environment(self, environment: Environment) -> list[Live]:
        """Return what runs in an environment, by project, instance, package."""
        found = [live for live in self._live.values() if live.environment == environment.id]
        return sorted(found, key=lambda live: (live.project, live.instance, live.package or ""))


_A_DAY = 1000


class Source:
    """Revisions by project and stream.

    :param site: whose versions are compared with
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._commits: dict[tuple[int, int], int] = {}

    def commit(self, project: int, stream: int) -> None:
        self._commits[project, stream] = self._commits.get((project, stream), 0) + 1

    def head(self, project: Project, stream: int, now: datetime, changes: Changes) -> int:
        commits = self._commits.get((project.id, stream), 0)
        match changes:
            case Changes.COMMITS:
                return commits
            case Changes.DAILY:
                return now.date().toordinal() * _A_DAY + commits
            case Changes.ALWAYS:
                return 1 + max((one.revision for one in self._site.versions_of(project.id)), default=0)

    def built(self, project: Project, stream: int, package: str | None) -> int:
        """Return the newest revision that was built, or is being built; -1: none."""
        return max(
            (
                one.revision
                for one in self._site.versions_of(project.id)
                if one.stream == stream and one.package == package and one.built is not False
            ),
            default=-1,
        )
