"""What a promotion names at FlexDeploy, looked up before anything is built: projects, environments, instances, streams.

Only what FlexDeploy answers clearly is a mistake. What it cannot be asked for (an old server without these pages, a user who
may not see them) is left to the step that needs it. FlexDeploy reference, sections 2, 3.1 and 4.5.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from nightshift.errors import BadResponse, Forbidden, NotFound, RateLimited, Rejected, Unreachable, VendorError
from nightshift.flexdeploy.lookup import environment_id, project_id, stream_id

if TYPE_CHECKING:
    from nightshift.flexdeploy.hook import FlexDeployHook
    from nightshift.flexdeploy.responses import Row

_CLEAR = (NotFound, Rejected)
_SILENT = (NotFound, Rejected, Forbidden, BadResponse, Unreachable, RateLimited)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What one step names: each thing by its id or by its name.

    :param at: the step, for people: ``build``, ``TEST``, ``TEST.stop``
    :param project: id, or path with folders
    :param environment: id, or code
    :param stream: id, or name; ``None`` where the step has none
    :param instances: ids; empty: all of the project
    :param utility: the project is a utility project
    """

    at: str
    project: int | str
    environment: int | str
    stream: int | str | None = None
    instances: tuple[int, ...] = ()
    utility: bool = False


async def check_names(hook: FlexDeployHook, wanted: Iterable[Wanted]) -> list[str]:
    """Return what FlexDeploy does not have, each as a sentence without a full stop that begins with the step.

    :param hook: open
    :raises AuthFailed: the credentials are refused
    """
    book = _Book(hook)
    return [f"{one.at}: {told}" for one in wanted for told in await book.mistakes(one)]


class _Book:
    """What was looked up already: most steps name the same project."""

    def __init__(self, hook: FlexDeployHook) -> None:
        self._hook = hook
        self._projects: dict[int | str, Row | str] = {}
        self._environments: dict[int | str, Row | str] = {}
        self._all: Sequence[Row] | None = None

    async def mistakes(self, one: Wanted) -> list[str]:
        project = await self._project(one.project)
        environment = await self._environment(one.environment)
        told = [found for found in (project, environment) if isinstance(found, str) and found]
        if isinstance(project, Mapping):
            told += await self._stream(one.stream, project)
            key = "utilityInstanceIds" if one.utility else "deployInstanceIds"
            told += _strange(one.instances, project.get(key), f"of the project {one.project}")
        if isinstance(environment, Mapping):
            told += _strange(one.instances, environment.get("instances"), f"of the environment {one.environment}")
        return told

    async def _project(self, named: int | str) -> Row | str:
        """Return the project; a mistake in words; or an empty text where FlexDeploy does not say."""
        if named not in self._projects:
            self._projects[named] = await self._ask_project(named)
        return self._projects[named]

    async def _ask_project(self, named: int | str) -> Row | str:
        try:
            number = named if isinstance(named, int) else await project_id(self._hook, named)
        except _CLEAR as error:
            return error.problem
        except _SILENT as error:
            return self._silent(f"project {named}", error)
        try:
            return {**await self._hook.project(number), "id": number}
        except _SILENT as error:
            own = isinstance(error, _CLEAR) and "project" in error.detail.lower()
            return f"there is no project {number}" if own else self._silent(f"project {number}", error)

    async def _environment(self, named: int | str) -> Row | str:
        if named not in self._environments:
            self._environments[named] = await self._ask_environment(named)
        return self._environments[named]

    async def _ask_environment(self, named: int | str) -> Row | str:
        try:
            number = named if isinstance(named, int) else await environment_id(self._hook, named)
        except _CLEAR as error:
            return error.problem
        except _SILENT as error:
            return self._silent(f"environment {named}", error)
        try:
            if self._all is None:
                self._all = await self._hook.environments()
        except _SILENT as error:
            return self._silent(f"environment {number}", error)
        ids = {str(row.get("environmentId", row.get("id"))): row for row in self._all}
        if not ids or str(number) in ids:
            row = ids.get(str(number), {})
            return f"the environment {named} is not active" if row.get("isActive") is False else row
        known = ", ".join(f"{row.get('environmentCode')} ({number})" for number, row in list(ids.items())[:10])
        return f"there is no environment {number}; there are {known}"

    async def _stream(self, named: int | str | None, project: Row) -> list[str]:
        if isinstance(named, str):
            try:
                await stream_id(self._hook, project["id"], named)
            except _CLEAR as error:
                return [error.problem]
            except _SILENT as error:
                self._silent(f"stream {named}", error)
        streams = _ids(project.get("streams"))
        if isinstance(named, int) and streams and named not in streams:
            return [f"project {project['id']} has no stream {named}; it has {_listed(streams)}"]
        return []

    def _silent(self, what: str, error: VendorError) -> str:
        self._hook.log.info("FlexDeploy does not say whether there is %s (%s).", what, error.problem)
        return ""


def _strange(wanted: Collection[int], there: Any, whose: str) -> list[str]:
    known = _ids(there)
    strange = sorted(set(wanted) - known) if known else []
    return [f"instance {_listed(strange)} is none {whose}, which has {_listed(known)}"] if strange else []


def _ids(given: Any) -> set[int]:
    """Return the ids of a list of numbers, of texts or of objects; empty where it is none of these."""
    if not isinstance(given, list):
        return set()
    plain = [one.get("instanceId", one.get("id")) if isinstance(one, Mapping) else one for one in given]
    found = {int(str(one)) for one in plain if str(one).isdigit()}
    return found if len(found) == len(plain) else set()


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(str(one) for one in sorted(numbers)[:10])
