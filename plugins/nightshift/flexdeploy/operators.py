"""Build, deploy and run a utility project in FlexDeploy, each at most once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from nightshift.flexdeploy.job import PLACES, ProjectJob, WorkflowRequestLink, nothing_started
from nightshift.flexdeploy.request import BuildRequest, DeployRequest, ExecuteRequest, JobRequest
from nightshift.flexdeploy.vocabulary import ADAPTER, DEFAULT_CONN, broken
from nightshift.jobs.operators import VendorJobOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from nightshift.jobs.adapter import AdapterSpec, Immediate, JobAdapter
    from nightshift.jobs.record import JobRecord, JobStore
    from nightshift.jobs.state import JobStatus

Pairs = Sequence[Mapping[str, Any]] | Mapping[str, Any]


class ProjectJobOperator(VendorJobOperator):
    """Have FlexDeploy work on a project, once, and wait until all workflow requests of it have ended.

    Only COMPLETED is success. PENDING_APPROVAL and SCHEDULED are waited on for up to ``waiting_timeout``, and do not
    count against ``job_timeout``. Returns ``outcome``, ``project_id``, ``project_version_id``,
    ``project_version_name``, ``workflow_request_ids`` and ``url``, each an XCom of its own too. A parameter that is
    ``None`` is left to the vendor.

    The API cannot be asked for a request whose answer was lost. Without ``marker_flex_field`` the task then stops with
    ``Ambiguous``, whose message says how a person resolves it; with it, it looks among approvals and schedules first.

    When the task is killed, its approvals are rejected and its schedule is cancelled; what runs cannot be stopped.
    A request that has failed, was aborted or rejected is the answer, also for a retry that did not see it end: only a
    clear makes another one, unless an attempt of this task has stopped it.

    :param project_id: id of the project (templated, as all that the vendor is asked for)
    :param project: its path instead, folders and name: ``FlexDeploy/Human Resources/Payroll``
    :param environment_id: id of the environment
    :param environment: its code instead
    :param workflow_version_override: workflow version; default: the active one
    :param inputs: workflow inputs, ``[{"code": …, "value": …}]`` or ``{code: value}``
    :param flex_fields: FlexFields in the same form; codes are not display names
    :param skip_when_nothing: skip the task where FlexDeploy had nothing to do; its answer is returned all the same.
        What follows then needs a trigger rule such as ``none_failed``
    :param marker_flex_field: code of a FlexField that the task's mark is written to; default: the extra of the
        connection
    :param flexdeploy_conn_id: id of the Airflow connection (templated)
    :param kwargs: of :class:`nightshift.jobs.operators.VendorJobOperator`: ``job_timeout``, ``waiting_timeout``,
        ``deferrable``, ``cancel_on_failure`` …
    :raises JobFailed: a workflow request ended as FAILED, ABORTED or REJECTED
    :raises JobTimedOut: it did not end in time
    :raises Ambiguous: nobody but a person can tell whether it was started
    """

    template_fields: Sequence[str] = ("conn_id", "project_id", "project", "environment_id", "environment")
    template_fields_renderers: ClassVar[dict[str, str]] = dict.fromkeys(
        ("inputs", "flex_fields", "project_files", "package_details"), "json"
    )
    operator_extra_links = (WorkflowRequestLink(),)
    job_link: ClassVar[WorkflowRequestLink] = WorkflowRequestLink()
    ui_color = "#dff0ea"
    failure_stands: ClassVar[bool] = True
    request_type: ClassVar[type[JobRequest]]
    adapter_type: ClassVar[type[JobAdapter] | str] = ADAPTER

    def __init__(
        self,
        *,
        project_id: Any = None,
        project: str | None = None,
        environment_id: Any = None,
        environment: str | None = None,
        workflow_version_override: str | None = None,
        inputs: Pairs | None = None,
        flex_fields: Pairs | None = None,
        skip_when_nothing: bool = True,
        marker_flex_field: str | None = None,
        flexdeploy_conn_id: str = DEFAULT_CONN,
        poll_first: float = 3.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=flexdeploy_conn_id, poll_first=poll_first, **{"multiple_outputs": True, **kwargs})
        self.project_id = project_id
        self.project = project
        self.environment_id = environment_id
        self.environment = environment
        self.workflow_version_override = workflow_version_override
        self.inputs = inputs
        self.flex_fields = flex_fields
        self.skip_when_nothing = skip_when_nothing
        self.marker_flex_field = marker_flex_field
        self._job: ProjectJob | None = None

    def check_early(self) -> None:
        """Refuse what needs no template right away, so that a mistake shows when the DAG is parsed.

        :raises Rejected: a parameter cannot be right; the message names it
        """
        given = self._given()
        unknown = {name for name, value in given.items() if _is_template(value)}
        # What is named by a template counts as named; what is asked for by one counts as left out.
        self._job_of({name: (1 if name in PLACES else None) if name in unknown else given[name] for name in given})

    @property
    def job(self) -> ProjectJob:
        """What FlexDeploy is asked for; made of the rendered parameters."""
        if self._job is None:
            self._job = self._job_of(self._given())
        return self._job

    def adapter(self) -> AdapterSpec:
        """Name the adapter."""
        return self.job.spec

    def payload(self, context: Context) -> Any:
        """Return what is asked for, as JSON."""
        return self.job.payload(context)

    async def before_job(self, context: Context, *, resumed: bool) -> None:
        """Read the rendered parameters."""
        self._job = self._job_of(self._given())

    async def secure_job(self, context: Context, adapter: JobAdapter, store: JobStore) -> JobRecord | Immediate:
        """Look names up, ask, and prove a request whose answer was lost."""
        return await self.job.secure(context, adapter, store, super().secure_job)

    def conclude(self, context: Context, status: JobStatus, result: Any) -> dict[str, Any]:
        """Make the return value."""
        return self.job.returned(context, result, status.url)

    def conclude_immediate(self, context: Context, answer: Immediate) -> dict[str, Any]:
        """Make the return value where FlexDeploy had nothing to do."""
        self.log.info(nothing_started(answer.outcome, answer))
        return self.job.returned_immediate(context, answer)

    def skip_reason(self, answer: Immediate) -> str:
        """Skip the task where FlexDeploy had nothing to do, if that is wanted."""
        return nothing_started(answer.outcome, answer) if self.skip_when_nothing else ""

    def _given(self) -> dict[str, Any]:
        names = (*PLACES, *self.request_type.parameters())
        return {name: getattr(self, name) for name in names if hasattr(self, name)}

    def _job_of(self, given: Mapping[str, Any]) -> ProjectJob:
        return ProjectJob(
            self.request_type,
            self.conn_id,
            given,
            log=self.log,
            marker_flex_field=self.marker_flex_field,
            adapter_type=self.adapter_type,
        )


class FlexDeployBuildOperator(ProjectJobOperator):
    """Build a project, once, and wait for it (FlexDeploy reference, section 3.3).

    Where nothing has changed since the last build, nothing is started: the outcome is ``no_changes`` and the task is
    skipped (``skip_when_nothing``). A partial project is built whole without ``project_files`` and ``package_name``.

    :param stream_id: id of the stream
    :param stream: its name instead
    :param force_build: build even without changes
    :param related_tickets: issue tracker tickets
    :param project_files: files of a partial build, ``[{"path": …, "scmRevision": …}]``
    :param package_name: package of a partial build; together with ``project_files`` the vendor *changes* that package
    :param release_id: release that the build belongs to; the vendor makes a new snapshot of it
    :param kwargs: of :class:`ProjectJobOperator`
    """

    request_type = BuildRequest
    template_fields = (*ProjectJobOperator.template_fields, "stream_id", "stream", *BuildRequest.parameters())

    def __init__(
        self,
        *,
        stream_id: Any = None,
        stream: str | None = None,
        force_build: bool | str | None = None,
        related_tickets: Sequence[str] | None = None,
        project_files: Sequence[Mapping[str, Any]] | None = None,
        package_name: str | None = None,
        release_id: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.stream_id = stream_id
        self.stream = stream
        self.force_build = force_build
        self.related_tickets = related_tickets
        self.project_files = project_files
        self.package_name = package_name
        self.release_id = release_id
        self.check_early()


class FlexDeployDeployOperator(ProjectJobOperator):
    """Deploy a version of a project to an environment, once, and wait for it (FlexDeploy reference, section 3.4).

    Where the version is there already, nothing is started: the outcome is ``already_deployed`` and the task is skipped
    (``skip_when_nothing``). A partial deployment of several packages can be several workflow requests; the task waits
    for all.

    :param project_version_id: version to deploy, as a build task returned it. Left out, the vendor deploys the version
        built last; given as a template that comes to nothing, the task fails instead
    :param instance_ids: instances; default: all that the project is configured for
    :param package_details: packages of a partial project, ``[{"packageName": …, "priority": …, "projectVersionId":
        …}]``, each with either its version or ``"useLatestPackageVersion": true``
    :param force_deploy: deploy even what is there already
    :param exception_to_window: ask for an exception to the deployment window
    :param start_time: ``yyyy-MM-dd'T'HH:mm:ssXXX``, or an aware datetime. The same on each attempt: another is another
        deployment
    :param change_tickets: ticket numbers of the change management system
    :param kwargs: of :class:`ProjectJobOperator`
    """

    request_type = DeployRequest
    template_fields = (*ProjectJobOperator.template_fields, *DeployRequest.parameters())

    def __init__(
        self,
        *,
        project_version_id: Any = None,
        instance_ids: Sequence[Any] | None = None,
        package_details: Sequence[Mapping[str, Any]] | None = None,
        force_deploy: bool | str | None = None,
        exception_to_window: bool | str | None = None,
        start_time: str | datetime | None = None,
        change_tickets: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.project_version_id = project_version_id
        self.instance_ids = instance_ids
        self.package_details = package_details
        self.force_deploy = force_deploy
        self.exception_to_window = exception_to_window
        self.start_time = start_time
        self.change_tickets = change_tickets
        self._pinned = project_version_id is not None
        self.check_early()

    async def before_job(self, context: Context, *, resumed: bool) -> None:
        """Refuse a version that came to nothing, and say so where none is pinned."""
        await super().before_job(context, resumed=resumed)
        if resumed:
            return
        if self._pinned and self.project_version_id is None:
            raise broken(
                "project_version_id",
                "was given, but came to nothing",
                "The version built last was not deployed in its place. Look at the task that it comes from, then "
                "clear both.",
            )
        if not self._pinned and not self.package_details:
            self.log.warning("No project_version_id: FlexDeploy deploys the version that was built last.")


class FlexDeployExecuteUtilityOperator(ProjectJobOperator):
    """Run a utility project, once, and wait for it (FlexDeploy reference, section 3.5).

    :param instance_ids: instances; default: those tied to the utility project
    :param exception_to_window: ask for an exception to the deployment window
    :param start_time: ``yyyy-MM-dd'T'HH:mm:ssXXX``, or an aware datetime. The same on each attempt: another is another
        run
    :param kwargs: of :class:`ProjectJobOperator`
    """

    request_type = ExecuteRequest
    template_fields = (*ProjectJobOperator.template_fields, *ExecuteRequest.parameters())

    def __init__(
        self,
        *,
        instance_ids: Sequence[Any] | None = None,
        exception_to_window: bool | str | None = None,
        start_time: str | datetime | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.instance_ids = instance_ids
        self.exception_to_window = exception_to_window
        self.start_time = start_time
        self.check_early()


def _is_template(value: Any) -> bool:
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    if isinstance(value, Mapping):
        return any(_is_template(one) for pair in value.items() for one in pair)
    if isinstance(value, list | tuple):
        return any(_is_template(one) for one in value)
    # An XCom of another task, or a value that a mapping fills in.
    return callable(getattr(value, "resolve", None))
