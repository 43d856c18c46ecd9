"""Names instead of ids: resolved by exact comparison, never to the first of several.

FlexDeploy reference, sections 3.1 and 4.5: the vendor's queries find parts of names in any case of letters, and v1 gives
neither ids of projects nor names of streams, so these two are asked of v2, which the same servers (6.0 and newer) have.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from nightshift.errors import NotFound, Rejected, VendorError
from nightshift.flexdeploy.fields import identifier, text
from nightshift.flexdeploy.vocabulary import VENDOR, ApiVersion

if TYPE_CHECKING:
    from nightshift.flexdeploy.hook import FlexDeployHook
    from nightshift.flexdeploy.responses import Row

ROOT_FOLDER = "FlexDeploy"
ROOT_FOLDER_ID = 99
_STREAM_NAMES = ("branchName", "projectBranchName", "streamName", "name")
_STREAM_IDS = ("projectBranchId", "branchId", "projectStreamId", "streamId")
_PROJECT_IDS = ("projectId", "id")


class Named(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a task names: each thing by its id or by its name.

    :param project: id, or path of the project with its folders
    :param environment: id, or environment code
    :param stream: id, or name; ``None`` where the work has none
    """

    project: int | str
    environment: int | str
    stream: int | str | None = None


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
    named = [{**row, "name": next((row[key] for key in _STREAM_NAMES if row.get(key)), None)} for row in rows]
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
    fit = [row for row in rows if _is_in(row, "folderId", folder) and await _name_of(hook, row) == name]
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
    fit = [row for row in rows if row.get("folderName") == name and _is_in(row, "parentFolderId", parent)]
    return _id(_only(fit, rows, "folderName", "folder", path), ("folderId", "id"), f"folder {path!r}")


def _is_in(row: Row, key: str, folder: int | None) -> bool:
    """Tell whether a row is in a folder; a row that does not say is believed, because the vendor was asked for it."""
    return folder is None or row.get(key) is None or str(row[key]) == str(folder)


async def _name_of(hook: FlexDeployHook, row: Row) -> Any:
    if row.get("projectName"):
        return row["projectName"]
    number = _id(row, _PROJECT_IDS, "a project that was found")
    return (await hook.row(f"/rest/v2/project/{number}")).get("projectName")


async def _second(asked: Any, parameter: str) -> list[Row]:
    """Await an answer of v2, which an old server does not have."""
    try:
        rows: list[Row] = await asked
    except NotFound as error:
        raise error.replaced(
            problem="this name can only be looked up in v2 of the API, which this server does not have",
            advice=f"Nothing was started. Give {parameter} instead of the name.",
        ) from None
    return rows


def _only(fit: Sequence[Row], rows: Sequence[Row], key: str, what: str, wanted: str) -> Row:
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
