"""Names instead of ids: resolved by exact comparison, never to the first of several.

FlexDeploy reference, sections 3.1 and 4.5: the vendor's queries find parts of names in any case of letters, and v1
gives neither ids of projects nor names of streams, so these two are asked of v2, which the same servers (6.0 and newer)
have.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from nightshift.errors import BadResponse, Forbidden, NotFound, RateLimited, Rejected, Unreachable, VendorError
from nightshift.fields import whole_number
from nightshift.flexdeploy.fields import identifier, text
from nightshift.flexdeploy.model import Rows
from nightshift.flexdeploy.vocabulary import VENDOR, ApiVersion

if TYPE_CHECKING:
    from nightshift.flexdeploy.hook import FlexDeployHook
    from nightshift.flexdeploy.model import Row


ROOT_FOLDER = "FlexDeploy"
ROOT_FOLDER_ID = 99
_STREAM_NAMES = ("branchName", "projectBranchName", "streamName", "name")
_STREAM_IDS = ("projectBranchId", "branchId", "projectStreamId", "streamId")
_PROJECT_IDS = ("projectId", "id")


class Named(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a task names: each thing by its id or by its name.

    :param project: id, or path of the project with its folders
    :param stream: id, or name; ``None`` where the work has none
    """

    project: int | str
    environment: int | str
    stream: int | str | None = None

    @property
    def is_by_id(self) -> bool:
        """Whether nothing has to be looked up."""
        return not any(isinstance(one, str) for one in (self.project, self.environment, self.stream))

    def known_ids(self) -> Ids:
        """Return what is known without asking; 0 stands for what is not."""
        project = self.project if isinstance(self.project, int) else 0
        environment = self.environment if isinstance(self.environment, int) else 0
        return Ids(
            project=project, environment=environment, stream=self.stream if isinstance(self.stream, int) else None
        )


class Ids(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The same by ids."""

    project: int
    environment: int
    stream: int | None = None


async def resolve(hook: FlexDeployHook, named: Named) -> Ids:
    """Return the ids of what is named; ids are taken as they are.

    :raises NotFound: there is nothing of exactly that name
    :raises Rejected: there are several
    """
    project = named.project if isinstance(named.project, int) else await project_id(hook, named.project)
    environment = (
        named.environment if isinstance(named.environment, int) else await environment_id(hook, named.environment)
    )
    stream = named.stream if not isinstance(named.stream, str) else await stream_id(hook, project, named.stream)
    return Ids(project=project, environment=environment, stream=stream)


async def environment_id(hook: FlexDeployHook, code: str) -> int:
    """Return the id of the environment with exactly this code."""
    rows = await hook.environments(code=text("environment", code))
    row = _only(
        [row for row in rows if row.get("environmentCode") == code], rows, "environmentCode", "environment", code
    )
    return _id(row, ("environmentId", "id"), f"environment {code!r}")


async def stream_id(hook: FlexDeployHook, project: int, name: str) -> int:
    """Return the id of the stream (in v2: branch) with exactly this name."""
    what = f"stream of project {project}"
    rows = await _second(hook.branches(project, name=text("stream", name)), "stream_id")
    named = Rows({**row, "name": next((row[key] for key in _STREAM_NAMES if row.get(key)), None)} for row in rows)
    named.more = rows.more
    row = _only([row for row in named if row["name"] == name], named, "name", what, name)
    return _id(row, _STREAM_IDS, f"stream {name!r}")


async def project_id(hook: FlexDeployHook, path: str) -> int:
    """Return the id of a project by its path.

    :param path: folders and name, divided by slashes or back slashes, such as ``FlexDeploy/Human Resources/Payroll``;
        the root may be left out. A name alone is looked for in all folders
    """
    *folders, name = parts_of(path)
    if hook.version is ApiVersion.V1:
        rows = await hook.projects(name=name, folder_path="/".join(folders) or None)
        # Only a server that tells more than its documentation does gives an id here, and the path to be sure of it.
        fit = [row for row in rows if row.get("projectName") == name and _lies_in(row, folders)]
        if len(fit) > 1 or (fit and any(fit[0].get(key) for key in _PROJECT_IDS)):
            return _id(_only(fit, rows, "projectName", "project", path), _PROJECT_IDS, f"project {path!r}")
    folder = None
    for depth, one in enumerate(folders):
        folder = await _folder_id(hook, one, folder or ROOT_FOLDER_ID, "/".join(folders[: depth + 1]))
    rows = await _second(hook.projects_v2(name=name, folder_id=folder), "project_id")
    wanted = _Sought(path, name, folders, folder)
    fit = [row for row in rows if await _is_project(hook, row, wanted)]
    return _id(_only(fit, rows, "projectName", "project", path), _PROJECT_IDS, f"project {path!r}")


def parts_of(path: str) -> list[str]:
    """Return the parts of a path without the root folder.

    :raises Rejected: there is no project in it
    """
    parts = [part for part in re.split(r"[\\/]+", text("project", path)) if part.strip()]
    if len(parts) > 1 and parts[0].lower() == ROOT_FOLDER.lower():
        parts = parts[1:]
    if not parts:
        raise Rejected(f"project is {path!r}, which names no project", vendor=VENDOR)
    return parts


def _lies_in(row: Row, folders: Sequence[str]) -> bool:
    if not folders:
        return True
    given = row.get("projectPath") or row.get("folderPath")
    if not isinstance(given, str) or not given.strip("/\\ "):
        return False
    return parts_of(given) in ([*folders, row.get("projectName")], list(folders))


async def _folder_id(hook: FlexDeployHook, name: str, parent: int, path: str) -> int:
    rows = await _second(hook.folders(name=name, parent_folder_id=parent), "project_id")
    fit = [row for row in rows if row.get("folderName") == name and await _is_below(hook, row, parent, path)]
    return _id(_only(fit, rows, "folderName", "folder", path), ("folderId", "id"), f"folder {path!r}")


async def _is_below(hook: FlexDeployHook, row: Row, parent: int, path: str) -> bool:
    """Tell whether a folder lies right in another; one that does not say is asked for by itself, in v1 as no source has
    it in v2.

    :raises Rejected: that does not tell either
    """
    if row.get("parentFolderId") is None:
        number = _id(row, ("folderId", "id"), f"folder {path!r}")
        row = await _itself(hook, f"/rest/v1/folder/{number}", row)
        if row.get("parentFolderId") is None:
            raise _untold(f"folder {number} {row.get('folderName')!r} lies", path, "the project's id")
    return str(row["parentFolderId"]) == str(parent)


class _Sought(msgspec.Struct, frozen=True):
    """A project that is looked for: its path, in parts as well, and the id of its folder; ``None``: any."""

    path: str
    name: str
    folders: Sequence[str]
    folder: int | None

    def has(self, row: Row) -> bool | None:
        """Tell whether a project lies in the folder; ``None`` where the row does not say."""
        if self.folder is None:
            return True
        if row.get("folderId") is not None:
            return str(row["folderId"]) == str(self.folder)
        told = any(isinstance(row.get(key), str) and row[key].strip("/\\ ") for key in ("projectPath", "folderPath"))
        return _lies_in(row, self.folders) if told else None


async def _is_project(hook: FlexDeployHook, row: Row, wanted: _Sought) -> bool:
    """Tell whether a row is the project; one that does not say its name or folder is asked for by itself.

    That the vendor was asked for a folder proves nothing: whether it gives what lies in sub-folders is not known.

    :raises Rejected: nothing tells in which folder a project of this name lies
    """
    if row.get("projectName") not in (None, "", wanted.name):
        return False
    paths = iter(("/rest/v2/project", "/rest/v1/project"))
    while not row.get("projectName") or wanted.has(row) is None:
        number = _id(row, _PROJECT_IDS, f"project {wanted.path!r}")
        if (path := next(paths, None)) is None:
            named = f" {row['projectName']!r}" if row.get("projectName") else ""
            raise _untold(f"project {number}{named} lies", wanted.path, f"project_id: {number}")
        row = await _itself(hook, f"{path}/{number}", row)
        if row.get("projectName") not in (None, "", wanted.name):
            return False
    return bool(wanted.has(row))


async def _itself(hook: FlexDeployHook, path: str, row: Row) -> Row:
    """Return a row with what else is told of it where it is asked for by its id; of another generation, nothing may."""
    try:
        told = await hook.row(path)
    except NotFound:
        return row
    return {**told, **{key: value for key, value in row.items() if value not in (None, "")}}


def _untold(what: str, path: str, instead: str) -> Rejected:
    return Rejected(
        f"FlexDeploy does not say in which folder {what}, so nothing proves that it belongs to {path!r}",
        vendor=VENDOR,
        advice=f"Nothing was started. Look for it in FlexDeploy, and give its id instead of the path, in "
        f"promotions.yaml or in the operator: {instead}.",
    )


async def _second(fetched: Any, parameter: str) -> Rows:
    """Await an answer of v2, which an old server does not have."""
    try:
        rows: Rows = await fetched
    except NotFound as error:
        raise error.replaced(
            problem="this name can only be looked up in v2 of the API, which this server does not have",
            advice=f"Nothing was started. Give {parameter} instead of the name.",
        ) from None
    return rows


def _only(fit: Sequence[Row], rows: Rows, key: str, what: str, wanted: str) -> Row:
    if len(fit) < 2 and rows.more:
        raise Rejected(
            f"whether there is only one {what} {wanted!r} cannot be told: the list holds more than the {len(rows)} "
            f"that came ({rows.more})",
            vendor=VENDOR,
            advice="Nothing was started. Give its id.",
        )
    if len(fit) == 1:
        return fit[0]
    if len(fit) > 1:
        numbers = ", ".join(str(_number(row)) for row in fit[:10])
        raise Rejected(
            f"there are {len(fit)} of {what} {wanted!r} (ids {numbers})",
            vendor=VENDOR,
            advice="Nothing was started. Give its id, or a path with all its folders.",
        )
    near = sorted({str(row[key]) for row in rows if row.get(key)})[:10]
    raise NotFound(
        f"there is no {what} {wanted!r}" + (f"; what is like it: {', '.join(map(repr, near))}" if near else ""),
        vendor=VENDOR,
        advice="Nothing was started. Upper and lower case count; or the user of the connection may not see it.",
    )


def _number(row: Row) -> Any:
    keys = (*_PROJECT_IDS, "folderId", "environmentId", *_STREAM_IDS)
    return next((row[key] for key in keys if row.get(key) is not None), "not given")


def _id(row: Row, keys: Sequence[str], what: str) -> int:
    given = next((row[key] for key in keys if row.get(key) is not None), None)
    try:
        return identifier("id", given)
    except VendorError:
        raise Rejected(
            f"the server gives no id of {what}",
            vendor=VENDOR,
            advice="Nothing was started. Give the id instead of the name.",
        ) from None


_CLEAR = (NotFound, Rejected)
_SILENT = (NotFound, Rejected, Forbidden, BadResponse, Unreachable, RateLimited)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What one step names: each thing by its id or by its name.

    :param at: the step, for people: ``build``, ``TEST``, ``TEST.stop``
    :param stream: id, or name; ``None`` where the step has none
    :param instances: ids; empty: all of the project
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
    return [f"{one.at}: {mistake}" for one in wanted for mistake in await book.mistakes(one)]


class _Book:
    """What was looked up already: most steps name the same project."""

    def __init__(self, hook: FlexDeployHook) -> None:
        self._hook = hook
        self._projects: dict[int | str, Row | str] = {}
        self._environments: dict[int | str, Row | str] = {}
        self._all: Rows | None = None

    async def mistakes(self, one: Wanted) -> list[str]:
        project = await self._project(one.project)
        environment = await self._environment(one.environment)
        mistakes = [found for found in (project, environment) if isinstance(found, str) and found]
        if isinstance(project, Mapping):
            mistakes += await self._stream(one.stream, project)
            key = "utilityInstanceIds" if one.utility else "deployInstanceIds"
            mistakes += _strange(one.instances, project.get(key), f"of the project {one.project}")
        if isinstance(environment, Mapping):
            mistakes += _strange(one.instances, environment.get("instances"), f"of the environment {one.environment}")
        return mistakes

    async def _project(self, named: int | str) -> Row | str:
        """Return the project; a mistake in words; or an empty text where FlexDeploy does not say."""
        if named not in self._projects:
            self._projects[named] = await self._fetch_project(named)
        return self._projects[named]

    async def _fetch_project(self, named: int | str) -> Row | str:
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
            self._environments[named] = await self._fetch_environment(named)
        return self._environments[named]

    async def _fetch_environment(self, named: int | str) -> Row | str:
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
        if not ids or str(number) in ids or self._all.more:
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
    found = {number for one in plain if (number := whole_number(str(one))) is not None}
    return found if len(found) == len(plain) else set()


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(str(one) for one in sorted(numbers)[:10])
