"""What a project is asked for: a build, a deployment, a utility run; checked once, and sent in the vendor's words.

FlexDeploy reference, sections 3.2 to 3.5.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, Self, cast

import msgspec

from nightshift.fields import whole_number
from nightshift.flexdeploy import fields
from nightshift.flexdeploy.fields import Pair
from nightshift.flexdeploy.model import Row
from nightshift.flexdeploy.vocabulary import Work, broken

_FILE_KEYS = ("path", "scmRevision", "projectObjectId")
_PACKAGE_KEYS = ("packageName", "priority", "projectVersionId", "useLatestPackageVersion")


class BuildFile(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A file of a partial build.

    :param scm_revision: revision; ``None``: the latest
    :param project_object_id: id of the file, which v2 of the API wants instead of the path
    """

    path: str | None = None
    scm_revision: int | None = None
    project_object_id: int | None = None


class PackageDetail(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A package of a partial deployment.

    :param package_name: package; ``None``: all files
    :param priority: without it packages go in the order of the list
    """

    package_name: str | None = None
    priority: int | None = None
    project_version_id: int | None = None
    use_latest_package_version: bool = False


class _Request(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    environment_id: int
    workflow_version_override: str | None = None
    inputs: tuple[Pair, ...] = ()
    flex_fields: tuple[Pair, ...] = ()

    @classmethod
    def parameters(cls) -> tuple[str, ...]:
        """Return the vendor's parameters besides the place, in snake case."""
        return tuple(name for name in cls.__struct_fields__ if name not in ("environment_id", "stream_id"))

    @classmethod
    def of(cls, *, environment_id: Any, **given: Any) -> Self:
        """Check what a person or a template has given; ``None`` leaves a parameter to the vendor.

        :param given: the vendor's parameters in snake case; of a build ``stream_id`` too, which has to be there
        :raises Rejected: one of them cannot be right; the message names it
        """
        if unknown := [name for name in given if name not in cls.__struct_fields__]:
            raise broken(unknown[0], f"is not known; known: {', '.join(cls.parameters())}")
        where: dict[str, Any] = {"environment_id": environment_id}
        if "stream_id" in cls.__struct_fields__:
            where["stream_id"] = given.pop("stream_id", None)
        where = {name: fields.identifier(name, value) for name, value in where.items()}
        read = {name: _READ[name](name, value) for name, value in given.items() if value is not None}
        return cls(**where, **read)


class BuildRequest(_Request, frozen=True, kw_only=True, tag="build"):
    """A build; make it with :meth:`of`. Section 3.3.

    With ``package_name`` *and* ``project_files`` the vendor changes the stored package; with ``release_id`` it makes a
    new snapshot.
    """

    stream_id: int
    force_build: bool = False
    related_tickets: tuple[str, ...] = ()
    project_files: tuple[BuildFile, ...] = ()
    package_name: str | None = None
    release_id: str | None = None


class _RunRequest(_Request, frozen=True, kw_only=True):
    instance_ids: tuple[int, ...] = ()
    exception_to_window: bool = False
    start_time: str | None = None


class DeployRequest(_RunRequest, frozen=True, kw_only=True, tag="deploy"):
    """A deployment; make it with :meth:`of`. Without a version the vendor deploys the one built last. Section 3.4."""

    package_details: tuple[PackageDetail, ...] = ()
    force_deploy: bool = False
    project_version_id: int | None = None
    change_tickets: tuple[str, ...] = ()


class ExecuteRequest(_RunRequest, frozen=True, kw_only=True, tag="execute"):
    """A run of a utility project; make it with :meth:`of`. Section 3.5."""


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


def _files(field: str, values: Any) -> tuple[BuildFile, ...]:
    found = []
    for index, one in enumerate(fields.objects(field, values, _FILE_KEYS)):
        at = f"{field}[{index}]"
        file = BuildFile(
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


def _packages(field: str, values: Any) -> tuple[PackageDetail, ...]:
    found = []
    for index, one in enumerate(fields.objects(field, values, _PACKAGE_KEYS)):
        at = f"{field}[{index}]"
        package = PackageDetail(
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
    number = whole_number(value.strip()) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        raise broken(field, f"is {value!r:.100}, but must be a whole number")
    return number


def _maybe(read: Any, field: str, value: Any) -> Any:
    return None if value is None else read(field, value)


_READ: Mapping[str, Any] = {
    "workflow_version_override": fields.text,
    "inputs": fields.pairs,
    "flex_fields": fields.pairs,
    "force_build": fields.switch,
    "related_tickets": fields.texts,
    "project_files": _files,
    "package_name": fields.text,
    "release_id": lambda field, value: str(fields.identifier(field, value)),
    "instance_ids": fields.identifiers,
    "exception_to_window": fields.switch,
    "start_time": fields.start_time,
    "package_details": _packages,
    "force_deploy": fields.switch,
    "project_version_id": fields.identifier,
    "change_tickets": fields.texts,
}
"""How each parameter is read, of whatever request."""


class _Reader(Protocol):
    async def project(self, project_id: Any) -> Row: ...
    async def workflow(self, workflow_id: Any) -> Row: ...


async def body_of_v2(hook: _Reader, request: BuildRequest, project_id: int) -> dict[str, Any]:
    """Return the body of a build for v2 of the API, which names some things by other ids (section 3.7); it asks the
    server for the id of a workflow version that is given by its number.

    :raises Rejected: a file is given by its path, or there is no such workflow version
    """
    body: dict[str, Any] = {
        "projectId": project_id,
        "environmentId": request.environment_id,
        "projectStreamId": request.stream_id,
        "force": request.force_build,
    }
    if request.release_id is not None:
        body["releaseDefId"] = int(request.release_id)
    if request.package_name is not None:
        body["packageName"] = request.package_name
    if request.workflow_version_override is not None:
        version = request.workflow_version_override
        body["workflowVersionOverrideId"] = await _version_id(hook, project_id, version)
    if request.related_tickets:
        body["issueNumbers"] = list(request.related_tickets)
    for name, pairs in (("inputs", request.inputs), ("flexFields", request.flex_fields)):
        if pairs:
            body[name] = [{"code": one.code, "value": one.value} for one in pairs]
    if request.project_files:
        body["buildFileInputs"] = [_file(index, one) for index, one in enumerate(request.project_files)]
    return body


def _file(index: int, file: BuildFile) -> dict[str, Any]:
    if file.project_object_id is None:
        problem = "is given by its path, but v2 of the API wants projectObjectId"
        raise broken(f"project_files[{index}]", problem, "Give the id, or set the extra api_version to v1.")
    revision = {} if file.scm_revision is None else {"scmRevision": str(file.scm_revision)}
    return {"projectObjectId": file.project_object_id, **revision}


async def _version_id(hook: _Reader, project_id: int, version: str) -> int:
    project = await hook.project(project_id)
    flows = [one for one in project.get("projectWorkflows") or [] if one.get("projectWorkflowType") == "BUILD"]
    found = [
        row.get("workflowVersionId")
        for flow in flows
        for row in (await hook.workflow(flow.get("workflowId"))).get("workflowVersions") or []
        if str(row.get("workflowVersion")) == version
    ]
    if len(found) != 1 or not isinstance(found[0], int):
        raise broken(
            "workflow_version_override", f"is {version!r}; the build workflow has {len(found)} versions of that name"
        )
    return found[0]
