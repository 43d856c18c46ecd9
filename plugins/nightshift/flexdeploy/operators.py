"""Build, deploy and run a utility project in FlexDeploy, each at most once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nightshift.flexdeploy.lookup import Ids
from nightshift.flexdeploy.project_operator import RUN_FIELDS, ProjectJobOperator
from nightshift.flexdeploy.request import BuildRequest, DeployRequest, ExecuteRequest, JobRequest
from nightshift.flexdeploy.vocabulary import DEFAULT_CONN, Outcome, broken

if TYPE_CHECKING:
    from airflow.sdk import Context

Pairs = Sequence[Mapping[str, Any]] | Mapping[str, Any]


class FlexDeployBuildOperator(ProjectJobOperator):
    """Build a project, once, and wait for it (FlexDeploy reference, section 3.3).

    Where nothing has changed since the last build, nothing is started: the outcome is ``no_changes`` and the task is
    skipped (``skip_when_nothing``). A partial project is built whole without ``project_files`` and ``package_name``.

    :param stream_id: id of the stream (templated)
    :param stream: its name instead
    :param force_build: build even without changes
    :param related_tickets: issue tracker tickets
    :param workflow_version_override: workflow version; default: the active one
    :param inputs: workflow inputs, ``[{"code": …, "value": …}]`` or ``{code: value}``
    :param flex_fields: FlexFields in the same form; codes are not display names
    :param project_files: files of a partial build, ``[{"path": …, "scmRevision": …}]``
    :param package_name: package of a partial build; together with ``project_files`` the vendor *changes* that package
    :param release_id: release that the build belongs to; the vendor makes a new snapshot of it
    """

    template_fields = (
        *ProjectJobOperator.template_fields, "stream_id", "stream", "force_build", "related_tickets", "project_files",
        "package_name", "release_id", "workflow_version_override", "inputs", "flex_fields",
    )  # fmt: skip
    outcome = Outcome.BUILT
    has_stream = True
    request_fields = (
        "force_build", "related_tickets", "workflow_version_override", "inputs", "flex_fields", "project_files",
        "package_name", "release_id",
    )  # fmt: skip

    def __init__(
        self,
        *,
        project_id: Any = None,
        project: str | None = None,
        environment_id: Any = None,
        environment: str | None = None,
        stream_id: Any = None,
        stream: str | None = None,
        force_build: bool | str | None = None,
        related_tickets: Sequence[str] | None = None,
        workflow_version_override: str | None = None,
        inputs: Pairs | None = None,
        flex_fields: Pairs | None = None,
        project_files: Sequence[Mapping[str, Any]] | None = None,
        package_name: str | None = None,
        release_id: Any = None,
        flexdeploy_conn_id: str = DEFAULT_CONN,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            project_id=project_id, project=project, environment_id=environment_id, environment=environment,
            flexdeploy_conn_id=flexdeploy_conn_id, **kwargs,
        )  # fmt: skip
        self.stream_id = stream_id
        self.stream = stream
        self.force_build = force_build
        self.related_tickets = related_tickets
        self.workflow_version_override = workflow_version_override
        self.inputs = inputs
        self.flex_fields = flex_fields
        self.project_files = project_files
        self.package_name = package_name
        self.release_id = release_id
        self.check_early()

    def request(self, ids: Ids, given: Mapping[str, Any]) -> JobRequest:
        """Return the build."""
        return BuildRequest.of(environment_id=ids.environment, stream_id=ids.stream, **given)


class FlexDeployDeployOperator(ProjectJobOperator):
    """Deploy a version of a project to an environment, once, and wait for it (FlexDeploy reference, section 3.4).

    Where the version is there already, nothing is started: the outcome is ``already_deployed`` and the task is skipped
    (``skip_when_nothing``). A partial deployment of several packages can be several workflow requests; the task waits for all.

    :param project_version_id: version to deploy, as a build task returned it. Left out, the vendor deploys the version built
        last; given as a template that comes to nothing, the task fails instead
    :param instance_ids: instances; default: all that the project is configured for
    :param package_details: packages of a partial project, ``[{"packageName": …, "priority": …, "projectVersionId": …}]``,
        each with either its version or ``"useLatestPackageVersion": true``
    :param force_deploy: deploy even what is there already
    :param exception_to_window: ask for an exception to the deployment window
    :param start_time: ``yyyy-MM-dd'T'HH:mm:ssXXX``, or an aware datetime. The same on each attempt: another is another deployment
    :param workflow_version_override: workflow version
    :param inputs: workflow inputs, ``[{"code": …, "value": …}]`` or ``{code: value}``
    :param flex_fields: FlexFields in the same form; codes are not display names
    :param change_tickets: ticket numbers of the change management system
    """

    template_fields = (
        *ProjectJobOperator.template_fields, "project_version_id", "package_details", "force_deploy", "change_tickets",
        *RUN_FIELDS,
    )  # fmt: skip
    outcome = Outcome.DEPLOYED
    request_fields = ("project_version_id", "package_details", "force_deploy", "change_tickets", *RUN_FIELDS)

    def __init__(
        self,
        *,
        project_id: Any = None,
        project: str | None = None,
        environment_id: Any = None,
        environment: str | None = None,
        project_version_id: Any = None,
        instance_ids: Sequence[Any] | None = None,
        package_details: Sequence[Mapping[str, Any]] | None = None,
        force_deploy: bool | str | None = None,
        exception_to_window: bool | str | None = None,
        start_time: str | datetime | None = None,
        workflow_version_override: str | None = None,
        inputs: Pairs | None = None,
        flex_fields: Pairs | None = None,
        change_tickets: Sequence[str] | None = None,
        flexdeploy_conn_id: str = DEFAULT_CONN,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            project_id=project_id, project=project, environment_id=environment_id, environment=environment,
            flexdeploy_conn_id=flexdeploy_conn_id, **kwargs,
        )  # fmt: skip
        self.project_version_id = project_version_id
        self.instance_ids = instance_ids
        self.package_details = package_details
        self.force_deploy = force_deploy
        self.exception_to_window = exception_to_window
        self.start_time = start_time
        self.workflow_version_override = workflow_version_override
        self.inputs = inputs
        self.flex_fields = flex_fields
        self.change_tickets = change_tickets
        self._pinned = project_version_id is not None
        self.check_early()

    def request(self, ids: Ids, given: Mapping[str, Any]) -> JobRequest:
        """Return the deployment."""
        return DeployRequest.of(environment_id=ids.environment, **given)

    async def prepare(self, context: Context) -> None:
        """Refuse a version that came to nothing, and say so where none is pinned."""
        if self._pinned and self.project_version_id is None:
            raise broken(
                "project_version_id",
                "was given, but came to nothing",
                "The version built last was not deployed in its place. Look at the task that it comes from, then clear both.",
            )
        if not self._pinned and not self.package_details:
            self.log.warning("No project_version_id: FlexDeploy deploys the version that was built last.")


class FlexDeployExecuteUtilityOperator(ProjectJobOperator):
    """Run a utility project, once, and wait for it (FlexDeploy reference, section 3.5).

    :param instance_ids: instances; default: those tied to the utility project
    :param exception_to_window: ask for an exception to the deployment window
    :param start_time: ``yyyy-MM-dd'T'HH:mm:ssXXX``, or an aware datetime. The same on each attempt: another is another run
    :param workflow_version_override: workflow version
    :param inputs: workflow inputs, ``[{"code": …, "value": …}]`` or ``{code: value}``
    :param flex_fields: FlexFields in the same form; codes are not display names
    """

    template_fields = (*ProjectJobOperator.template_fields, *RUN_FIELDS)
    outcome = Outcome.EXECUTED
    request_fields = RUN_FIELDS

    def __init__(
        self,
        *,
        project_id: Any = None,
        project: str | None = None,
        environment_id: Any = None,
        environment: str | None = None,
        instance_ids: Sequence[Any] | None = None,
        exception_to_window: bool | str | None = None,
        start_time: str | datetime | None = None,
        workflow_version_override: str | None = None,
        inputs: Pairs | None = None,
        flex_fields: Pairs | None = None,
        flexdeploy_conn_id: str = DEFAULT_CONN,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            project_id=project_id, project=project, environment_id=environment_id, environment=environment,
            flexdeploy_conn_id=flexdeploy_conn_id, **kwargs,
        )  # fmt: skip
        self.instance_ids = instance_ids
        self.exception_to_window = exception_to_window
        self.start_time = start_time
        self.workflow_version_override = workflow_version_override
        self.inputs = inputs
        self.flex_fields = flex_fields
        self.check_early()

    def request(self, ids: Ids, given: Mapping[str, Any]) -> JobRequest:
        """Return the run."""
        return ExecuteRequest.of(environment_id=ids.environment, **given)
