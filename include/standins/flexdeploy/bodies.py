"""The bodies of build, deploy and execute (3.2 to 3.5, 3.7), read and checked as far as that needs no site."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import msgspec

from include.standins.flexdeploy.site import Code
from include.standins.flexdeploy.switches import Taken

B = TypeVar("B", bound="Body")
Text = str | int | float | bool | None
_START: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)")


class Wrong(Exception):
    """A body, or a query, that is against the rules; the text says which."""


class Body(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of the bodies. Numbers and booleans may come as text, as in the page's examples, and what has a default may
    be null.
    """


class Coded(Body, frozen=True, kw_only=True):
    """An input or a FlexField; the value may be a number, as in the page's build example."""

    code: str
    value: Text = None


class ProjectFile(Body, frozen=True, kw_only=True):
    """A file of a partial build; without a revision the latest."""

    path: str
    scm_revision: int | None = None


class PackageInfo(Body, frozen=True, kw_only=True):
    """A package of a partial deploy; a blank name means all files."""

    package_name: str | None = None
    priority: int | None = None
    project_version_id: int | None = None
    use_latest_package_version: bool | None = None


class BuildBody(Body, frozen=True, kw_only=True):
    """Body of a build."""

    environment_id: int
    stream_id: int
    force_build: bool | None = None
    related_tickets: list[str] | str | None = None
    workflow_version_override: str | None = None
    inputs: list[Coded] | None = None
    flex_fields: list[Coded] | None = None
    project_files: list[ProjectFile] | None = None
    package_name: str | None = None
    release_id: int | None = None


class RunBody(Body, frozen=True, kw_only=True):
    """What deploy and execute have in common."""

    environment_id: int
    instance_ids: list[int] | None = None
    exception_to_window: bool | None = None
    start_time: str | None = None
    workflow_version_override: str | None = None
    inputs: list[Coded] | None = None
    flex_fields: list[Coded] | None = None
    project_id: int | None = None


class DeployBody(RunBody, frozen=True, kw_only=True):
    """Body of a deploy."""

    package_details: list[PackageInfo] | None = None
    force_deploy: bool | None = None
    project_version_id: int | None = None
    change_tickets: list[str] | None = None


class ExecuteBody(RunBody, frozen=True, kw_only=True):
    """Body of an execute."""


class BuildFileInput(Body, frozen=True, kw_only=True):
    """A file of a partial v2 build; a project object's id counts the objects of the project from 1."""

    project_object_id: int
    scm_revision: str | None = None
    from_package_object_id: int | None = None


class SecondBuildBody(Body, frozen=True, kw_only=True):
    """Body of a v2 build (3.7)."""

    project_id: int
    environment_id: int
    project_stream_id: int
    force: bool
    release_def_id: int | None = None
    package_name: str | None = None
    workflow_version_override_id: int | None = None
    issue_numbers: list[str] | None = None
    inputs: list[Coded] | None = None
    flex_fields: list[Coded] | None = None
    build_file_inputs: list[BuildFileInput] | None = None


def read(value: Any, shape: type[B], unknown_keys: Taken) -> B:
    """Return a JSON value as a body.

    :param unknown_keys: what is done with keys that the body does not have
    :raises Wrong: it is not one
    """
    if not isinstance(value, dict):
        raise Wrong("the body has to be a JSON object")
    strange = sorted(value.keys() - set(shape.__struct_encode_fields__))
    if strange and unknown_keys is Taken.REJECT:
        raise Wrong(f"unknown attribute {strange[0]}")
    try:
        return msgspec.convert(value, shape, strict=False)
    except msgspec.ValidationError as error:
        raise Wrong(str(error)) from None


def started_at(text: str | None) -> datetime | None:
    """Return a ``startTime``, in UTC: ``yyyy-MM-dd'T'HH:mm:ssXXX``, so with an offset and in whole seconds.

    :raises Wrong: another form, or no such time
    """
    if text is None:
        return None
    try:
        if _START.fullmatch(text):
            return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise Wrong(f"startTime {text!r} is not yyyy-MM-dd'T'HH:mm:ssXXX")


def coded(given: list[Coded] | None, known: Sequence[Code], what: str, unknown: Taken) -> tuple[dict[str, Any], ...]:
    """Return inputs or FlexFields as pairs of ``code`` and ``value``.

    :param known: those of the workflow
    :param what: how they are called
    :param unknown: what is done with a code that the workflow does not have
    :raises Wrong: a required one is missing, or an unknown one is refused
    """
    sent = given or []
    codes = {one.code for one in sent}
    strange = sorted(codes - {one.code for one in known})
    if strange and unknown is Taken.REJECT:
        raise Wrong(f"unknown {what} {strange[0]}")
    for one in known:
        if one.required and one.code not in codes:
            raise Wrong(f"the {what} {one.code} is required")
    return tuple({"code": one.code, "value": None if one.value is None else str(one.value)} for one in sent)


def tickets(given: list[str] | str | None) -> tuple[str, ...]:
    """Return tickets, given as a list or as one text with commas."""
    if isinstance(given, str):
        return tuple(one.strip() for one in given.split(",") if one.strip())
    return tuple(given or ())
