"""One piece of work on a project, as FlexDeploy is asked for it: what an operator has, and a step of a promotion."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from nightshift.errors import Ambiguous
from nightshift.flexdeploy import fields
from nightshift.flexdeploy.fields import job_id_of
from nightshift.flexdeploy.lookup import Ids, Named, resolve
from nightshift.flexdeploy.request import WORK_OF, BuildRequest, JobRequest, payload_of
from nightshift.flexdeploy.vocabulary import ADAPTER, DONE, WorkOutcome, broken
from nightshift.jobs.adapter import AdapterSpec, JobAdapter
from nightshift.jobs.instance import JobLink
from nightshift.jobs.record import JobStore, Resolution
from nightshift.jobs.state import TaskState

if TYPE_CHECKING:
    import logging

    from airflow.sdk import Context

    from nightshift.flexdeploy.adapter import FlexDeployAdapter
    from nightshift.jobs.adapter import Immediate
    from nightshift.jobs.record import JobRecord

NAMES_KEY = "flexdeploy_names"
"""Key of the task state store that holds what the names of a task came to (:class:`ResolvedNames`)."""
PROOF_LOOKS = (0.0, 5.0, 10.0)
"""Seconds before each look for a request whose answer was lost."""
PLACES = ("project_id", "project", "environment_id", "environment", "stream_id", "stream")
"""Parameters that say where: each thing by its id or by its name."""


class WorkflowRequestLink(JobLink):
    """Opens the workflow request; of several, the one that failed, else the first that is not done.

    The address is that of the extra ``request_page`` of the connection.
    """

    name = "FlexDeploy workflow request"


class ResolvedNames(msgspec.Struct, frozen=True, kw_only=True):
    """What the names of a task came to, kept from attempt to attempt, so that a renamed folder makes no second job.

    :param max_tries: Airflow's ``max_tries`` then; a clear raises it, and names are looked up anew
    """

    named: Named
    ids: Ids
    max_tries: int


class ProjectJob:
    """A build, a deployment or a utility run, for the task that wants it.

    :param marker_flex_field: code of the FlexField that the task's mark is written to; default: the connection's extra
    :param given: project, environment and stream by id or name, and the vendor's parameters; ``None`` leaves one out
    :raises Rejected: a parameter cannot be right; the message names it
    """

    def __init__(
        self,
        request_type: type[JobRequest],
        conn_id: str,
        given: Mapping[str, Any],
        *,
        log: logging.Logger,
        marker_flex_field: str | None = None,
        adapter_type: type[JobAdapter] | str = ADAPTER,
    ) -> None:
        self.request_type = request_type
        self.conn_id = conn_id
        self.parameters = {name: value for name, value in given.items() if name not in PLACES}
        self.named = Named(
            project=_one_of(given, "project"),
            environment=_one_of(given, "environment"),
            stream=_one_of(given, "stream") if request_type is BuildRequest else None,
        )
        self._marker_flex_field = marker_flex_field
        self._adapter_type = adapter_type
        self._log = log
        self._ids: Ids | None = None
        self.request(Ids(project=1, environment=1, stream=1))

    @property
    def spec(self) -> AdapterSpec:
        """The adapter."""
        more = {} if self._marker_flex_field is None else {"marker_flex_field": self._marker_flex_field}
        return AdapterSpec.of(self._adapter_type, self.conn_id, **more)

    def request(self, ids: Ids) -> JobRequest:
        """Return what is asked for."""
        stream = {} if self.named.stream is None else {"stream_id": ids.stream}
        return self.request_type.of(environment_id=ids.environment, **stream, **self.parameters)

    def payload(self, context: Context) -> dict[str, Any]:
        """Return what is asked for, as JSON."""
        ids = self.ids(context)
        return payload_of(ids.project, self.request(ids))

    def returned(self, context: Context, result: Mapping[str, Any], url: str | None) -> dict[str, Any]:
        """Return what a task returns of a job that succeeded."""
        return self._returned(context, DONE[WORK_OF[self.request_type]], result, url)

    def returned_immediate(self, context: Context, answer: Immediate) -> dict[str, Any]:
        """Return what a task returns where FlexDeploy had nothing to do."""
        return self._returned(context, WorkOutcome(answer.outcome), answer.result, None)

    async def secure(
        self,
        context: Context,
        adapter: JobAdapter,
        store: JobStore,
        once: Callable[[Context, JobAdapter, JobStore], Awaitable[JobRecord | Immediate]],
    ) -> JobRecord | Immediate:
        """Look names up, then ask; what was asked for and whose answer was lost is adopted where its mark proves it.

        :param once: asks for the job, at most once
        :raises Ambiguous: nobody but a person can tell whether it was started
        """
        from nightshift.flexdeploy.adapter import FlexDeployAdapter

        if not isinstance(adapter, FlexDeployAdapter):
            raise TypeError(f"{type(adapter).__name__} is not an adapter of FlexDeploy")
        decision = store.resolution()
        if decision is not None and decision.adopt:
            job_id_of(decision.adopt)
        self._ids = await self._resolved(context, adapter)
        try:
            return await once(context, adapter, store)
        except Ambiguous as doubt:
            job_id = await self._proven(context, adapter, store, doubt)
        # The same door that a person uses: the next decision reads it, adopts the job and removes the word.
        store.resolve(Resolution(adopt=job_id))
        return await once(context, adapter, store)

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
                ours = ", ".join(found)
                self._log.info("Workflow request %s carries the mark %s: it is ours.", ours, record.intent.marker)
                return ",".join(found)
        if found:
            raise doubt.replaced(problem=f"{doubt.problem}; its mark is on {', '.join(found)}, and there may be more")
        raise doubt

    async def _resolved(self, context: Context, adapter: FlexDeployAdapter) -> Ids:
        if (kept := self._kept(context)) is not None:
            return kept
        ids = await resolve(adapter.hook, self.named)
        if not self.named.is_by_id:
            self._log.info("Project %s, environment %s, stream %s.", ids.project, ids.environment, ids.stream)
            kept_names = ResolvedNames(named=self.named, ids=ids, max_tries=context["ti"].max_tries)
            TaskState(context["task_state_store"], NAMES_KEY, ResolvedNames).save(kept_names)
        return ids

    def _kept(self, context: Context) -> Ids | None:
        kept = TaskState(context["task_state_store"], NAMES_KEY, ResolvedNames).load_if_sound()
        if kept is None or kept.named != self.named or kept.max_tries < context["ti"].max_tries:
            return None
        return kept.ids

    def ids(self, context: Context) -> Ids:
        """Return the ids of what is named, as far as they are known; 0 stands for what is not."""
        if self._ids is None:
            self._ids = self._kept(context) or self.named.known_ids()
        return self._ids

    def _returned(
        self, context: Context, outcome: WorkOutcome, result: Mapping[str, Any], url: str | None
    ) -> dict[str, Any]:
        return {
            "outcome": str(outcome),
            "project_id": self.ids(context).project or None,
            "project_version_id": result.get("project_version_id"),
            "project_version_name": result.get("project_version_name"),
            "workflow_request_ids": list(result.get("workflow_request_ids", ())),
            "url": url,
        }


def nothing_started(outcome: str, answer: Immediate) -> str:
    """Say that FlexDeploy had nothing to do, and why."""
    why = answer.result.get("warning_message") or answer.result.get("warning_code") or "no reason was given"
    return f"{outcome}: FlexDeploy started nothing ({why})."


def _one_of(given: Mapping[str, Any], name: str) -> int | str:
    number, text = given.get(f"{name}_id"), given.get(name)
    if (number is None) is (text is None):
        raise broken(f"{name}_id", f"and {name} are {'both missing' if number is None else 'both given'}; give one")
    return fields.identifier(f"{name}_id", number) if text is None else fields.text(name, text)
