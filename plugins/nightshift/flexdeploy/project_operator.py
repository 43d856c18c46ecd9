"""What build, deploy and execute have in common: a project, an environment, one job, one small answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
from airflow.sdk.exceptions import AirflowSkipException

from nightshift.errors import Ambiguous
from nightshift.flexdeploy import fields
from nightshift.flexdeploy.links import WorkflowRequestLink
from nightshift.flexdeploy.lookup import Ids, Named, resolve
from nightshift.flexdeploy.request import JobRequest, payload_of
from nightshift.flexdeploy.requests import job_id_of
from nightshift.flexdeploy.vocabulary import ADAPTER, Outcome, broken
from nightshift.jobs.adapter import AdapterSpec, Immediate, JobAdapter
from nightshift.jobs.operators import VendorJobOperator
from nightshift.jobs.record import RESOLUTION_KEY, JobRecord, JobStore
from nightshift.jobs.state import JobStatus, from_json, to_json

if TYPE_CHECKING:
    from airflow.sdk import Context

    from nightshift.flexdeploy.adapter import FlexDeployAdapter

NAMES_KEY = "flexdeploy_names"
"""Key of the task state store that holds what the names of a task came to (:class:`ResolvedNames`)."""
PROOF_LOOKS = (0.0, 5.0, 10.0)
"""Seconds before each look for a request whose answer was lost."""
RUN_FIELDS = (
    "instance_ids", "exception_to_window", "start_time", "workflow_version_override", "inputs", "flex_fields",
)  # fmt: skip


class ResolvedNames(msgspec.Struct, frozen=True, kw_only=True):
    """What the names of a task came to, kept from attempt to attempt, so that a renamed folder makes no second job.

    :param named: what the task named
    :param ids: what it came to
    :param max_tries: Airflow's ``max_tries`` then; a clear raises it, and names are looked up anew
    """

    named: Named
    ids: Ids
    max_tries: int


class ProjectJobOperator(VendorJobOperator):
    """Have FlexDeploy work on a project, once, and wait until all workflow requests of it have ended.

    Only COMPLETED is success. PENDING_APPROVAL and SCHEDULED are waited on for up to ``waiting_timeout``, and do not count
    against ``job_timeout``. Returns ``outcome``, ``project_id``, ``project_version_id``, ``project_version_name``,
    ``workflow_request_ids`` and ``url``.

    The API cannot be asked for a request whose answer was lost. Without ``marker_flex_field`` the task then stops with
    ``Ambiguous``, whose message says how a person resolves it; with it, it looks among approvals and schedules first.

    When the task is killed, its approvals are rejected and its schedule is cancelled; what runs cannot be stopped.

    :param project_id: id of the project (templated)
    :param project: its path instead, folders and name (templated): ``FlexDeploy/Human Resources/Payroll``
    :param environment_id: id of the environment (templated)
    :param environment: its code instead (templated)
    :param skip_when_nothing: skip the task where FlexDeploy had nothing to do; its answer is returned all the same. What
        follows then needs a trigger rule such as ``none_failed``
    :param marker_flex_field: code of a FlexField that the task's mark is written to; default: the extra of the connection
    :param flexdeploy_conn_id: id of the Airflow connection (templated)
    :param poll_first: seconds between the first polls
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

    outcome: ClassVar[Outcome]
    """What success is called."""
    has_stream: ClassVar[bool] = False
    request_fields: ClassVar[Sequence[str]] = ()
    """Attributes that are the vendor's parameters."""
    adapter_type: ClassVar[type[JobAdapter] | str] = ADAPTER
    stream_id: Any = None
    stream: Any = None

    def __init__(
        self,
        *,
        project_id: Any,
        project: str | None,
        environment_id: Any,
        environment: str | None,
        flexdeploy_conn_id: str,
        skip_when_nothing: bool = True,
        marker_flex_field: str | None = None,
        poll_first: float = 3.0,
        waiting_timeout: timedelta | float = timedelta(days=7),
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=flexdeploy_conn_id, poll_first=poll_first, waiting_timeout=waiting_timeout, **kwargs)
        self.project_id = project_id
        self.project = project
        self.environment_id = environment_id
        self.environment = environment
        self.skip_when_nothing = skip_when_nothing
        self.marker_flex_field = marker_flex_field
        self._ids: Ids | None = None

    def request(self, ids: Ids, given: Mapping[str, Any]) -> JobRequest:
        """Return what is asked for.

        :param given: the attributes of ``request_fields``
        """
        raise NotImplementedError(f"{type(self).__name__} asks for nothing")

    async def prepare(self, context: Context) -> None:
        """Look at the rendered parameters once more before anything is asked."""

    def adapter(self) -> AdapterSpec:
        """Name the adapter."""
        more = {} if self.marker_flex_field is None else {"marker_flex_field": self.marker_flex_field}
        return AdapterSpec.of(self.adapter_type, self.conn_id, **more)

    def payload(self, context: Context) -> Any:
        """Return what is asked for, as JSON."""
        ids = self._known_ids(context)
        return payload_of(ids.project, self.request(ids, {name: getattr(self, name) for name in self.request_fields}))

    def check_early(self) -> None:
        """Refuse what needs no template right away, so that a mistake shows when the DAG is parsed.

        :raises Rejected: a parameter cannot be right; the message names it
        """
        self._named(early=True)
        given = {name: getattr(self, name) for name in self.request_fields}
        plain = {name: None if _is_template(value) else value for name, value in given.items()}
        self.request(Ids(project=1, environment=1, stream=1), plain)

    def conclude(self, context: Context, status: JobStatus, result: Any) -> dict[str, Any]:
        """Make the return value."""
        return self._answer(context, self.outcome, result, status.url)

    def conclude_immediate(self, context: Context, answer: Immediate) -> dict[str, Any]:
        """Make the return value where FlexDeploy had nothing to do, and skip the task if that is wanted."""
        returned = self._answer(context, Outcome(answer.outcome), answer.result, None)
        said = answer.result.get("warning_message") or answer.result.get("warning_code") or "no reason was given"
        text = f"{returned['outcome']}: FlexDeploy started nothing ({said})."
        self.log.info(text)
        if not self.skip_when_nothing:
            return returned
        if self.do_xcom_push:
            context["ti"].xcom_push(key="return_value", value=returned)
        raise AirflowSkipException(text)

    async def _secure(self, context: Context, adapter: JobAdapter, store: JobStore) -> JobRecord | Immediate:
        from nightshift.flexdeploy.adapter import FlexDeployAdapter

        await self.prepare(context)
        if not isinstance(adapter, FlexDeployAdapter):
            raise TypeError(f"{type(adapter).__name__} is not an adapter of FlexDeploy")
        word = store.resolution()
        if word is not None and word.adopt:
            job_id_of(word.adopt)
        self._ids = await self._resolved(context, adapter)
        try:
            return await super()._secure(context, adapter, store)
        except Ambiguous as doubt:
            job_id = await self._proven(context, adapter, store, doubt)
        # The same door that a person uses: the next decision reads it, adopts the job and removes the word.
        context["task_state_store"].set(RESOLUTION_KEY, {"adopt": job_id})
        return await super()._secure(context, adapter, store)

    async def _proven(self, context: Context, adapter: FlexDeployAdapter, store: JobStore, doubt: Ambiguous) -> str:
        record = store.load()
        if adapter.marker_code is None or record is None or record.intent is None or record.id is not None:
            raise doubt
        found: list[str] = []
        for pause in PROOF_LOOKS:
            young = time.time() - record.intent.at < sum(PROOF_LOOKS)
            if pause and not young:
                break
            await asyncio.sleep(pause)
            found, complete = await adapter.proven(record.intent, self.payload(context))
            if complete:
                self.log.info(
                    "Workflow request %s carries the mark %s: it is ours.", ", ".join(found), record.intent.marker
                )
                return ",".join(found)
        if found:
            raise doubt.replaced(problem=f"{doubt.problem}; its mark is on {', '.join(found)}, and there may be more")
        raise doubt

    async def _resolved(self, context: Context, adapter: FlexDeployAdapter) -> Ids:
        named = self._named()
        if (kept := self._kept(context)) is not None and kept.named == named:
            return kept.ids
        ids = await resolve(adapter.hook, named)
        if not all(isinstance(one, int | None) for one in (named.project, named.environment, named.stream)):
            self.log.info("Project %s, environment %s, stream %s.", ids.project, ids.environment, ids.stream)
            kept = ResolvedNames(named=named, ids=ids, max_tries=context["ti"].max_tries)
            context["task_state_store"].set(NAMES_KEY, to_json(kept))
        return ids

    def _kept(self, context: Context) -> ResolvedNames | None:
        plain = context["task_state_store"].get(NAMES_KEY, None)
        try:
            kept = None if plain is None else from_json(ResolvedNames, plain)
        except ValueError:
            return None
        return kept if kept is not None and kept.max_tries >= context["ti"].max_tries else None

    def _known_ids(self, context: Context) -> Ids:
        if self._ids is None:
            named = self._named()
            kept = self._kept(context)
            if kept is not None and kept.named == named:
                self._ids = kept.ids
            else:
                project = named.project if isinstance(named.project, int) else 0
                environment = named.environment if isinstance(named.environment, int) else 0
                stream = named.stream if isinstance(named.stream, int) else None
                self._ids = Ids(project=project, environment=environment, stream=stream)
        return self._ids

    def _named(self, *, early: bool = False) -> Named:
        return Named(
            project=self._one_of("project_id", "project", early),
            environment=self._one_of("environment_id", "environment", early),
            stream=self._one_of("stream_id", "stream", early) if self.has_stream else None,
        )

    def _one_of(self, id_field: str, name_field: str, early: bool) -> int | str:
        number, name = getattr(self, id_field), getattr(self, name_field)
        if (number is None) is (name is None):
            raise broken(
                id_field, f"and {name_field} are {'both missing' if number is None else 'both given'}; give one"
            )
        if early and _is_template(number if name is None else name):
            return 1
        return fields.identifier(id_field, number) if name is None else fields.text(name_field, name)

    def _answer(self, context: Context, outcome: Outcome, result: Mapping[str, Any], url: str | None) -> dict[str, Any]:
        return {
            "outcome": str(outcome),
            "project_id": self._known_ids(context).project or None,
            "project_version_id": result.get("project_version_id"),
            "project_version_name": result.get("project_version_name"),
            "workflow_request_ids": list(result.get("workflow_request_ids", ())),
            "url": url,
        }


def _is_template(value: Any) -> bool:
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    if isinstance(value, Mapping):
        return any(_is_template(one) for pair in value.items() for one in pair)
    if isinstance(value, list | tuple):
        return any(_is_template(one) for one in value)
    # An XCom of another task, or a value that a mapping fills in.
    return callable(getattr(value, "resolve", None))
