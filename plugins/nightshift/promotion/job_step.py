"""A step of a promotion that FlexDeploy does: what the record is told of it, and when it may be asked for."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk.exceptions import AirflowSkipException, TaskDeferred

from nightshift.errors import Ambiguous, JobFailed, JobTimedOut
from nightshift.flexdeploy.project_operator import ProjectJobOperator
from nightshift.flexdeploy.requests import ids_of
from nightshift.flexdeploy.vocabulary import Outcome
from nightshift.jobs.record import Ending, JobRecord, JobStore, Resolution
from nightshift.jobs.state import TERMINAL, JobState
from nightshift.jobs.word import unlike
from nightshift.nights.place import lake_of_this_deployment
from nightshift.promotion.doubts import AMBIGUOUS
from nightshift.promotion.holders import holder_of
from nightshift.promotion.keeper import StepKeeper
from nightshift.promotion.record import Kind, Record, Said, State, Version, now

if TYPE_CHECKING:
    from airflow.sdk import Context

    from nightshift.jobs.adapter import Immediate, JobAdapter
    from nightshift.jobs.events import JobEvent
    from nightshift.promotion.terms import Terms

STOPPED_KEY = "promotion_stopped"
"""Key of the task state store that holds the job that was waited for when this task's worker was told to stop."""


class JobStep(ProjectJobOperator):
    """A step that FlexDeploy does: told to the record before, while and after it is done.

    :param application: name of the application
    :param stage: label of the stage
    :param gives_way: the step may be left undone for a newer night
    :param terms: what the approval before the step has to be of
    """

    kind: ClassVar[Kind]

    def __init__(
        self,
        *,
        application: str,
        stage: str | None = None,
        gives_way: bool = False,
        terms: Terms | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.application = application
        self.stage = stage
        self.gives_way = gives_way
        self.terms = terms
        self._keeper: StepKeeper | None = None
        self._told: dict[str, Any] = {}

    def take_up(self, context: Context, record: Record) -> None:
        """Fill in what only the record knows; called before each attempt and each resume."""

    def ended(self, record: Record, answer: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the record learns from a step that ended well, besides the step itself.

        :param answer: the task's return value
        """
        return {}

    async def _guarded(self, context: Context, payload: dict[str, Any] | None) -> Any:
        # What FlexDeploy may be at work on already is waited for, whatever has changed since.
        is_new = not self._is_asked(context) and not self._may_be_underway(context)
        keeper = self._keeper = StepKeeper(
            context,
            self.application,
            kind=self.kind,
            stage=self.stage,
            gives_way=self.gives_way and is_new,
            terms=self.terms if is_new or self._is_to_be_asked_again(context) else None,
        )
        record = await (keeper.begin() if payload is None else keeper.read())
        try:
            self.take_up(context, record)
            answer = await super()._guarded(context, payload)
        except TaskDeferred:
            raise
        except AirflowSkipException:
            await self._end_well(keeper, self._told)
            raise
        except BaseException as error:
            if self._left_alone:
                # Marked success, or replaced: how the work ends is not for this attempt to say.
                raise
            if self._killed:
                with contextlib.suppress(Exception):
                    context["task_state_store"].set(STOPPED_KEY, self._job_id)
            await keeper.end(State.FAILED, outcome=_word(error), detail=str(error))
            raise
        await self._end_well(keeper, answer)
        return answer

    def _is_asked(self, context: Context) -> bool:
        """Whether FlexDeploy may have been asked by an attempt before this one; a clear begins anew."""
        record = self._store(context).load()
        return record is not None and record.max_tries >= context["ti"].max_tries

    def _is_to_be_asked_again(self, context: Context) -> bool:
        """Whether a person said that FlexDeploy is to be asked again: with what was approved, and nothing else."""
        word = self._store(context).resolution()
        return word is not None and word.resubmit

    def _may_be_underway(self, context: Context) -> bool:
        """Whether FlexDeploy may still be at work for an attempt before a clear."""
        record = self._store(context).load()
        if record is None or record.done or record.refused:
            return False
        return record.status is None or record.status.state not in TERMINAL

    async def _secure(self, context: Context, adapter: JobAdapter, store: JobStore) -> JobRecord | Immediate:
        """Go on with the request that there is, however it has ended meanwhile: a retry asks for none after a failure or
        a person's no, as no attempt does that sees it end. A clear does, and so does what our own stop has cancelled.
        """
        record, ti, word = store.load(), context["ti"], store.resolution()
        stopped = record is not None and context["task_state_store"].get(STOPPED_KEY, None) == record.id
        underway = record is not None and record.id is not None and not record.done and record.max_tries >= ti.max_tries
        if record is not None and underway and word is None and not stopped:
            self.log.info("Workflow request %s was asked for by an earlier attempt; going on with it.", record.id)
            begun = record.attempt_at if record.attempt == ti.try_number else time.time()
            return store.save(record.changed(attempt=ti.try_number, attempt_at=begun, ending=Ending.VERDICT))
        return await self._ask(context, adapter, store, word)

    async def _ask(
        self, context: Context, adapter: JobAdapter, store: JobStore, word: Resolution | None
    ) -> JobRecord | Immediate:
        """Ask FlexDeploy, or find out what it was asked; until its answer is known, the record says that it may have been."""
        keeper = self._keeper
        if keeper is None:
            raise RuntimeError("a step of a promotion is asked for without its record")
        if word is not None and word.adopt:
            await self._refuse_held(keeper, adapter, word.adopt)
        said = None if word is None else Said(word=word.kind, by=word.by, why=word.why, at=now())
        await keeper.asking(said)
        try:
            made = await super()._secure(context, adapter, store)
        except BaseException:
            left = store.load()
            if left is None or left.intent is None or left.refused:
                await keeper.note(asked=None)
            raise
        if not isinstance(made, JobRecord):
            await keeper.note(asked=None)
        return made

    async def _refuse_held(self, keeper: StepKeeper, adapter: JobAdapter, named: str) -> None:
        """Refuse a workflow request that is the work of another step.

        :raises Rejected: it is; nothing was adopted
        """
        hook = getattr(adapter, "hook", None)
        mine = (self.application, keeper.run_id, keeper.task_id)
        requests = {int(number) for number in ids_of(named)}
        if holder := await holder_of(
            lake_of_this_deployment(), requests, server=getattr(hook, "base_url", ""), but=mine
        ):
            raise unlike(adapter, named, f"it is the work of {holder}")

    async def _end_well(self, keeper: StepKeeper, answer: Mapping[str, Any]) -> None:
        await keeper.end(
            State.DONE,
            changes=self.ended(await keeper.read(), answer),
            outcome=answer.get("outcome"),
            version=version_of(answer),
            requests=tuple(answer.get("workflow_request_ids", ())),
            url=answer.get("url"),
            detail="",
        )

    def conclude_immediate(self, context: Context, answer: Immediate) -> dict[str, Any]:
        """Make the return value where FlexDeploy had nothing to do."""
        self._told = self._answer(context, Outcome(answer.outcome), answer.result, None)
        return super().conclude_immediate(context, answer)

    async def _wait(self, record: JobRecord, adapter: JobAdapter) -> JobEvent:
        if self._keeper is not None and record.id:
            status = record.status
            parked = status is not None and status.state is JobState.WAITING
            await self._keeper.note(
                asked=None,
                requests=tuple(int(number) for number in ids_of(record.id)),
                url=status.url if status is not None else None,
                # FlexDeploy's own approvals and schedules can last days: whoever looks has to see for whom or what.
                detail=f"{status.label()} {status.detail}".strip() if status is not None and parked else "",
                start_time=getattr(self, "start_time", None),
            )
        return await super()._wait(record, adapter)


def version_of(answer: Mapping[str, Any]) -> Version | None:
    """Return the version that the return value of a task names."""
    number = answer.get("project_version_id")
    return None if number is None else Version(id=int(number), name=answer.get("project_version_name"))


def _word(error: BaseException) -> str:
    if isinstance(error, JobFailed):
        return str(error.state).lower()
    if isinstance(error, Ambiguous):
        return AMBIGUOUS
    return "timed_out" if isinstance(error, JobTimedOut) else type(error).__name__
