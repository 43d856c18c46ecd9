"""Source control, as far as a build looks at it: whether a stream has anything new since its newest version."""

from __future__ import annotations

from datetime import datetime

from include.standins.flexdeploy.site import Project, Site
from include.standins.flexdeploy.switches import Changes

_A_DAY = 1000


class Source:
    """Revisions by project and stream.

    :param site: whose versions are compared with
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._commits: dict[tuple[int, int], int] = {}

    def commit(self, project: int, stream: int) -> None:
        """Let somebody commit."""
        self._commits[project, stream] = self._commits.get((project, stream), 0) + 1

    def head(self, project: Project, stream: int, now: datetime, changes: Changes) -> int:
        """Return the newest revision."""
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
