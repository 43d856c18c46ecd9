"""What a project is asked for: a build, a deployment, a utility run; checked once, and sent in the vendor's words.

FlexDeploy reference, sections 3.2 to 3.5.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from nightshift.flexdeploy import fields
from nightshift.flexdeploy.fields import Pair
from nightshift.flexdeploy.vocabulary import Work, broken

_FILE_KEYS = ("path", "scmRevision", "projectObjectId")
_PACKAGE_KEYS = ("packageName", "priority", "projectVersionId", "useLatestPackageVersion")


class ProjectFile(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A file of a partial build.

    :param path: fully qualified path
    :param scm_revision: revision; ``None``: the latest
    :param project_object_id: id of the file, which v2 of the API wants instead of the path
    """

    path: str | None = None
    scm_revision: int | None = None
    project_object_id: int | None = None


class Package(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A package of a partial deployment.

    :param package_name: package; ``None``: all files
    :param priority: without it packages go in the order of the list
    :param project_version_id: version to deploy
    :param use_latest_package_version: deploy its newest version instead
    """

    package_name: str | None = None
    priority: int | None = None
    project_version_id: int | None = None
    use_latest_package_version: bool = False


class BuildRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", tag="build"):
    """A build; make it with :meth:`of`. Section 3.3."""

    environment_id: int
    stream_id: int
    force_build: bool = False
    related_tickets: tuple[str, ...] = ()
    workflow_version_override: str | None = None
    inputs: tuple[Pair, ...] = ()
    flex_fields: tuple[Pair, ...] = ()
    project_files: tuple[ProjectFile, ...] = ()
    package_name: str | None = None
    release_id: str | None = None

    @classmethod
    def of(cls, *, environment_id: Any, stream_id: Any, **given: Any) -> BuildRequest:
        """Check what a person or a template has given; ``None`` leaves a parameter to the vendor.

        :param environment_id: id of the environment
        :param stream_id: id of the stream
        :param given: the vendor's parameters in snake case: ``force_build``, ``related_tickets``,
            ``workflow_version_override``, ``inputs``, ``flex_fields``, ``project_files``, ``package_name``,
            ``release_id``. With ``package_name`` *and* ``project_files`` the vendor changes the stored package; with
            ``release_id`` it makes a new snapshot
        :raises Rejected: one of them cannot be right; the message names it
        """
        read = {
            "force_build": fields.switch,
            "related_tickets": fields.texts,
            "workflow_version_override": fields.text,
            "inputs": fields.pairs,
            "flex_fields": fields.pairs,
            "project_files": _files,
            "package_name": fields.text,
            "release_id": lambda field, value: str(fields.identifier(field, value)),
        }
        return cls(
            environment_id=fields.identifier("environment_id", environment_id),
            stream_id=fields.identifier("stream_id", stream_id),
            **_checked(read, given),
        )


class DeployRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", tag="deploy"):
    """A deployment; make it with :meth:`of`. Section 3.4."""

    environment_id: int
    instance_ids: tuple[int, ...] = ()
    package_details: tuple[Package, ...] = ()
    force_deploy: bool = False
    exception_to_window: bool = False
    project_version_id: int | None = None
    start_time: str | None = None
    workflow_version_override: str | None = None
    inputs: tuple[Pair, ...] = ()
    flex_fields: tuple[Pair, ...] = ()
    change_tickets: tuple[str, ...] = ()

    @classmethod
    def of(cls, *, environment_id: Any, **given: Any) -> DeployRequest:
        """Check what a person or a template has given; ``None`` leaves a parameter to the vendor.

        :param environment_id: id of the environment
        :param given: the vendor's parameters in snake case: ``instance_ids``, ``package_details``, ``force_deploy``,
            ``exception_to_window``, ``project_version_id`` (without it the vendor deploys the version built last),
            ``start_time``, ``workflow_version_override``, ``inputs``, ``flex_fields``, ``change_tickets``
        :raises Rejected: one of them cannot be right; the message names it
        """
        read = {
            **_RUN,
            "package_details": _packages,
            "force_deploy": fields.switch,
            "project_version_id": fields.identifier,
            "change_tickets": fields.texts,
        }
        return cls(environment_id=fields.identifier("environment_id", environment_id), **_checked(read, given))


class ExecuteRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", tag="execute"):
    """A run of a utility project; make it with :meth:`of`. Section 3.5."""

    environment_id: int
    instance_ids: tuple[int, ...] = ()
    exception_to_window: bool = False
    start_time: str | None = None
    workflow_version_override: str | None = None
    inputs: tuple[Pair, ...] = ()
    flex_fields: tuple[Pair, ...] = ()

    @classmethod
    def of(cls, *, environment_id: Any, **given: Any) -> ExecuteRequest:
        """Check what a person or a template has given; ``None`` leaves a parameter to the vendor.

        :param environment_id: id of the environment
        :param given: the vendor's parameters in snake case: ``instance_ids``, ``exception_to_window``, ``start_time``,
            ``workflow_version_override``, ``inputs``, ``flex_fields``
        :raises Rejected: one of them cannot be right; the message names it
        """
        return cls(environment_id=fields.identifier("environment_id", environment_id), **_checked(_RUN, given))


JobRequest = BuildRequest | DeployRequest | ExecuteRequest
WORK_OF: Mapping[type[JobRequest], Work] = {
    BuildRequest: Work.BUILD,
    DeployRequest: Work.DEPLOY,
    ExecuteRequest: Work.EXECUTE,
}


def body_of(request: JobRequest, project_id: int) -> dict[str, Any]:
    """Return the body that v1 wants. A deployment names its project there as well, as the vendor's table says."""
    if isinstance(request, BuildRequest) and any(file.path is None for file in request.project_files):
        raise broken("project_files", "has a file without a path, which v1 of the API wants")
    body: dict[str, Any] = _as_json(request)
    del body["type"]
    return {**body, "projectId": project_id} if isinstance(request, DeployRequest) else body


def payload_of(project_id: int, request: JobRequest) -> dict[str, Any]:
    """Return what is asked for as JSON: equal payloads ask for the same work."""
    return {"project_id": project_id, "request": _as_json(request)}


def request_of(payload: Mapping[str, Any]) -> JobRequest:
    """Return the request that :func:`payload_of` described."""
    return cast("JobRequest", msgspec.convert(payload["request"], JobRequest))


def marked(request: JobRequest, code: str, marker: str) -> JobRequest:
    """Return the request with a FlexField of this code that holds the marker.

    :raises Rejected: the task gives that FlexField a value of its own
    """
    if any(one.code == code for one in request.flex_fields):
        raise broken("flex_fields", f"has {code!r}, which is the FlexField that holds the task's mark")
    return msgspec.structs.replace(request, flex_fields=(*request.flex_fields, Pair(code, marker)))


def requests_due(request: JobRequest) -> int:
    """Return how many workflow requests an answer is expected to name: one for each package."""
    return max(1, len(request.package_details)) if isinstance(request, DeployRequest) else 1


def _as_json(request: JobRequest) -> Any:
    return msgspec.json.decode(msgspec.json.encode(request))


def _files(field: str, values: Any) -> tuple[ProjectFile, ...]:
    found = []
    for index, one in enumerate(fields.objects(field, values, _FILE_KEYS)):
        at = f"{field}[{index}]"
        file = ProjectFile(
            path=_maybe(fields.text, f"{at}.path", one.get("path")),
            scm_revision=_maybe(fields.identifier, f"{at}.scmRevision", one.get("scmRevision")),
            project_object_id=_maybe(fields.identifier, f"{at}.projectObjectId", one.get("projectObjectId")),
        )
        if file.path is None and file.project_object_id is None:
            raise broken(at, "has no path")
        found.append(file)
    if len({file.path or file.project_object_id for file in found}) < len(found):
        raise broken(field, "names a file twice")
    return tuple(found)


def _packages(field: str, values: Any) -> tuple[Package, ...]:
    found = []
    for index, one in enumerate(fields.objects(field, values, _PACKAGE_KEYS)):
        at = f"{field}[{index}]"
        package = Package(
            package_name=one.get("packageName") or None,
            priority=_maybe(_number, f"{at}.priority", one.get("priority")),
            project_version_id=_maybe(fields.identifier, f"{at}.projectVersionId", one.get("projectVersionId")),
            use_latest_package_version=fields.switch(
                f"{at}.useLatestPackageVersion", one.get("useLatestPackageVersion", False)
            ),
        )
        if package.package_name is not None:
            fields.text(f"{at}.packageName", package.package_name)
        if (package.project_version_id is None) is not package.use_latest_package_version:
            problem = "needs either projectVersionId or useLatestPackageVersion: true, and not both"
            raise broken(at, problem, "Name the version to deploy, or say that the latest is meant.")
        found.append(package)
    if len({package.package_name for package in found}) < len(found):
        raise broken(field, "names a package twice")
    return tuple(found)


def _number(field: str, value: Any) -> int:
    number = int(value) if isinstance(value, str) and value.strip().isdigit() else value
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        raise broken(field, f"is {value!r}, but must be a whole number")
    return number


def _maybe(read: Any, field: str, value: Any) -> Any:
    return None if value is None else read(field, value)


_RUN: Mapping[str, Any] = {
    "instance_ids": fields.identifiers,
    "exception_to_window": fields.switch,
    "start_time": fields.start_time,
    "workflow_version_override": fields.text,
    "inputs": fields.pairs,
    "flex_fields": fields.pairs,
}


def _checked(read: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    if unknown := [name for name in given if name not in read]:
        raise broken(unknown[0], f"is not known; known: {', '.join(read)}")
    return {name: read[name](name, value) for name, value in given.items() if value is not None}
