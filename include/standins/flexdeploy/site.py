"""What a FlexDeploy site has: folders, projects, environments, versions, packages, releases. Reading it changes
nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

ROOT_FOLDER: Final = 99
"""Id of the folder ``FlexDeploy``, in which all others are."""


@dataclass(frozen=True)
class Folder:
    """A folder or, where ``application`` is set, an application, which is a folder's last level and holds projects."""

    id: int
    name: str
    parent: int | None
    application: bool = False
    active: bool = True
    description: str = ""


@dataclass(frozen=True)
class Instance:
    """A kind of target that an environment can have. v2 calls it a target group."""

    id: int
    code: str
    name: str
    active: bool = True


@dataclass
class Environment:
    """An environment. ``sort``: those with higher ones go first in the queue (4.4)."""

    id: int
    code: str
    name: str
    instances: tuple[int, ...]
    sort: int = 0
    build: bool = False
    active: bool = True
    description: str = ""


@dataclass(frozen=True)
class Code:
    """An input of a workflow, or a FlexField; ``required``: without a fitting default."""

    code: str
    required: bool = False


@dataclass(frozen=True)
class Workflow:
    """A workflow; ``versions`` are pairs of name and id, the last one is active."""

    id: int
    name: str
    type: str
    versions: tuple[tuple[str, int], ...]
    inputs: tuple[Code, ...] = ()
    flex_fields: tuple[Code, ...] = ()


@dataclass(frozen=True)
class Stream:
    """A stream of a project. v2 calls it a branch."""

    id: int
    name: str


@dataclass(frozen=True)
class Project:
    """A project.

    :param folder: the application, or the folder, that it is in
    :param omitted: keys that its v1 object leaves out instead of saying null (3.1)
    :param objects: files that source control has, for projects with ``partial``
    """

    id: int
    name: str
    folder: Folder
    streams: tuple[Stream, ...] = ()
    description: str = ""
    active: bool = True
    partial: bool = False
    priority: int = 1
    priority_scope: str = "Application"
    type: str | None = None
    scm: str = "GIT"
    build_workflow: int | None = None
    build_instance: int | None = None
    deploy_workflow: int | None = None
    deploy_instances: tuple[int, ...] | None = None
    utility_workflow: int | None = None
    utility_instances: tuple[int, ...] | None = None
    omitted: frozenset[str] = frozenset()
    objects: tuple[str, ...] = ()


@dataclass
class Version:
    """A version of a project, made by a build; ``built``: that build ended well, ``None``: it has not ended."""

    id: int
    name: str
    project: int
    stream: int
    revision: int
    package: str | None = None
    all_files: bool = False
    active: bool = True
    built: bool | None = True


@dataclass
class Site:
    """All of it. What has an id is unique in its kind, but folders: the vendor's page has two with one id."""

    folders: list[Folder]
    instances: list[Instance]
    environments: list[Environment]
    workflows: list[Workflow]
    projects: list[Project]
    versions: list[Version] = field(default_factory=list)
    packages: dict[int, set[str]] = field(default_factory=dict)
    """Project → names of the packages that it has, where it is partial (3.8)."""
    releases: frozenset[int] = frozenset()
    live: list[tuple[str, str]] = field(default_factory=list)
    """Pairs of version name and environment code that run at the start, for all full projects."""
    next_version_id: int = 30001

    def __post_init__(self) -> None:
        self.version_ids = itertools.count(self.next_version_id)

    def project(self, project_id: int) -> Project | None:
        return next((one for one in self.projects if one.id == project_id), None)

    def environment(self, environment_id: int) -> Environment | None:
        return next((one for one in self.environments if one.id == environment_id), None)

    def instance(self, instance_id: int) -> Instance | None:
        return next((one for one in self.instances if one.id == instance_id), None)

    def workflow(self, workflow_id: int | None) -> Workflow | None:
        return next((one for one in self.workflows if one.id == workflow_id), None)

    def version(self, version_id: int) -> Version | None:
        return next((one for one in self.versions if one.id == version_id), None)

    def versions_of(self, project_id: int) -> Iterator[Version]:
        """Give a project's versions, newest first."""
        return (one for one in reversed(self.versions) if one.project == project_id)

    def path_of(self, folder: Folder) -> tuple[str, ...]:
        """Return the names of a folder and of those above it, from the root on."""
        names = [folder.name]
        while folder.parent is not None:
            folder = next(one for one in self.folders if one.id == folder.parent and not one.application)
            names.append(folder.name)
        return tuple(reversed(names))

    def new_version(
        self, project: Project, stream: int, revision: int, *, package: str | None, all_files: bool
    ) -> Version:
        """Make the version that a build is going to fill; its name counts on from the newest one's."""
        newest = next(self.versions_of(project.id), None)
        head, _, last = (newest.name if newest else "1.0.0").rpartition(".")
        version = Version(
            next(self.version_ids),
            f"{head}.{int(last) + 1}",
            project.id,
            stream,
            revision,
            package=package,
            all_files=all_files,
            active=False,
            built=None,
        )
        self.versions.append(version)
        return version


def in_folder_path(path: Iterable[str], asked: str) -> bool:
    """Tell whether a folder is found by a ``folderPath``: its own or one above it, with or without the root (3.1).

    Parts are split by both slashes; trailing ones and one leading one do not count, nor does letter case.
    """
    split = asked.replace("\\", "/").rstrip("/").removeprefix("/").casefold().split("/")
    wanted = [] if split == [""] else split
    root, *below = (part.casefold() for part in path)
    if wanted[:1] == [root]:
        wanted = wanted[1:]
    return below[: len(wanted)] == wanted
