"""A step of a promotion that FlexDeploy does: what the record is told of it, and when it may be asked for."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from nightshift.config.freezes import NO_FREEZES, FreezeRules
from nightshift.errors import Ambiguous, JobFailed, JobTimedOut, VendorError
from nightshift.flexdeploy.fields import ids_of
from nightshift.flexdeploy.job import ProjectJob, WorkflowRequestLink, nothing_started
from nightshift.flexdeploy.vocabulary import ADAPTER, VENDOR, in_one_word
from nightshift.jobs.adapter import AdapterSpec
from nightshift.jobs.operators import Ended, VendorJobOperator
from nightshift.jobs.record import Ending, JobRecord, JobStore, Resolution
from nightshift.jobs.state import ACTIVE, SUCCEEDED, JobState, JobStatus, TaskState
from nightshift.jobs.verdicts import unlike
from nightshift.nights.place import lake_of_this_deployment
from nightshift.promotion.asking import is_answer
from nightshift.promotion.doubts import AMBIGUOUS
from nightshift.promotion.gate import Barred, Gate
from nightshift.promotion.left_job import ending_left, may_be_underway, restore, was_requested
from nightshift.promotion.record import PromotionRecord, PromotionStep, RecordedResolution, Version, now
from nightshift.promotion.recorder import NotApproved, StepRecorder
from nightshift.promotion.revoked import VersionRevoked
from nightshift.promotion.servers import OtherTarget, is_other, refuse_other_server
from nightshift.promotion.store import holder_of
from nightshift.promotion.target import Target, server_of, what_differs
from nightshift.promotion.vocabulary import CHANGES_A_STAGE, StepKind, StepState

if TYPE_CHECKING:
    from airflow.sdk import Context

    from nightshift.flexdeploy.request import JobRequest
    from nightshift.jobs.adapter import Immediate, JobAdapter
    from nightshift.promotion.terms import Terms

STOPPED_KEY = "promotion_stopped"
"""Key of the task state store that holds the job that was waited for when this task's worker was told to stop."""


class StepAttempt(msgspec.Struct, frozen=True):
    """One attempt at a step, as its record has it when it begins.

    :param recorder: keeps the record meanwhile
    :param record: of the promotion
    :param job: what FlexDeploy is asked for
    """

    recorder: StepRecorder
    record: PromotionRecord
    job: ProjectJob


class PromotionJobOperator(VendorJobOperator):
    """A step that FlexDeploy does: it has a job, and tells the record before, while and after that is done.

    :param application: name of the application
    :param parameters: what is configured for it: project, environment and the parameters of
        :class:`nightshift.flexdeploy.job.ProjectJob`
    :param stage: label of the stage
    :param supersedable: the step may be left undone for a newer night
    :param terms: what the approval before the step has to be of
    :param freezes: the freezes that count
    """

    kind: StepKind
    request_type: ClassVar[type[JobRequest]]
    operator_extra_links = (WorkflowRequestLink(),)
    job_link: ClassVar[WorkflowRequestLink] = WorkflowRequestLink()
    ui_color = "#dff0ea"
    template_fields = ()

    def __init__(
        self,
        *,
        application: str,
        parameters: Mapping[str, Any],
        stage: str | None = None,
        supersedable: bool = False,
        terms: Terms | None = None,
        freezes: FreezeRules = NO_FREEZES,
        poll_first: float = 3.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(poll_first=poll_first, **kwargs)
        self.application = application
        self.parameters = dict(parameters)
        self.stage = stage
        self.supersedable = supersedable
        self.terms = terms
        self.freezes = freezes
        self._attempt: StepAttempt | None = None
        self._server = ""
        self._asked: Target | None = None
        # A mistake shows when the DAG is parsed.
        self.job_of(self.parameters)

    # What a kind of step is.

    def wanted(self, context: Context, record: PromotionRecord) -> Mapping[str, Any]:
        """Return what FlexDeploy is asked for: as configured, with what only the record knows. May defer."""
        return self.parameters

    def changes(self, record: PromotionRecord, returned: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the record learns from a step that ended well, besides the step itself.

        :param returned: the task's return value
        """
        return {}

    async def stage_of(self, context: Context) -> tuple[str | None, Terms | None]:
        """Return the stage that the step is of, and what its approval has to be of."""
        return self.stage, self.terms

    async def gate(self, context: Context) -> Gate:
        """Return what has to let the step go before anything new is asked for."""
        stage, terms = await self.stage_of(context)
        return Gate(self.application, stage, self.freezes, terms)

    def gate_opened(self, context: Context, event: Any = None) -> Any:
        """Go on after a wait at the gate: look again, whatever has ended it."""
        asyncio.run(self._answered(context, event))
        return self.execute(context)

    def resume(self, context: Context, event: dict[str, Any]) -> Any:
        """Go on after a wait for the job. Airflow shows the question about a freeze also when that is over, and wakes
        whatever waits with its answer: that is taken note of, and the job is waited for on.
        """
        if is_answer(event):
            self.log.info("A question about a freeze was answered when the step no longer waited for it.")
            asyncio.run(self._answered(context, event))
        return super().resume(context, event)

    def is_of_job(self, event: Mapping[str, Any]) -> bool:
        """Whether an event tells of the job: an answer does not."""
        return not is_answer(event)

    async def _answered(self, context: Context, event: Any) -> None:
        stage, terms = await self.stage_of(context)
        recorder = StepRecorder(context, self.application, kind=self.kind, stage=stage, terms=terms)
        await (await self.gate(context)).answered(context, recorder, event)

    # What a job is.

    def job_of(self, parameters: Mapping[str, Any]) -> ProjectJob:
        """Return the job that is asked for by these parameters."""
        return ProjectJob(self.request_type, self.conn_id, parameters, log=self.log)

    @property
    def attempt(self) -> StepAttempt:
        """The attempt that is made.

        :raises RuntimeError: none is
        """
        if self._attempt is None:
            raise RuntimeError("a step of a promotion is asked for without its record")
        return self._attempt

    def target(self, context: Context) -> Target:
        """Return of what FlexDeploy is asked, as far as it is known."""
        job = self.attempt.job
        ids, named = job.ids(context), job.named
        target = Target(
            connection=self.conn_id,
            server=self._server,
            project_id=ids.project or None,
            project=_name(named.project),
        )
        if self.kind is StepKind.BUILD:
            return target.changed(stream_id=ids.stream, stream=_name(named.stream))
        return target.changed(environment_id=ids.environment or None, environment=_name(named.environment))

    def adapter(self) -> AdapterSpec:
        """Name the adapter."""
        return AdapterSpec.of(ADAPTER, self.conn_id)

    def payload(self, context: Context) -> Any:
        """Return what is asked for, as JSON."""
        return self.attempt.job.payload(context)

    def conclude(self, context: Context, status: JobStatus, result: Any) -> dict[str, Any]:
        """Make the return value."""
        return self.attempt.job.returned(context, result, status.url)

    def conclude_immediate(self, context: Context, answer: Immediate) -> dict[str, Any]:
        """Make the return value where FlexDeploy had nothing to do."""
        self.log.info(nothing_started(answer.outcome, answer))
        return self.attempt.job.returned_immediate(context, answer)

    def skip_reason(self, answer: Immediate) -> str:
        """Show a step that FlexDeploy had nothing to do for as skipped."""
        return nothing_started(answer.outcome, answer)

    # What the record is told.

    async def before_job(self, context: Context, *, resumed: bool) -> None:
        """Begin the step in the record, which says whether it is to be done, and read from it what to ask for."""
        self._attempt = None
        if not resumed:
            await restore(context, self.application)
        # What FlexDeploy may be at work on already is waited for, whatever has changed since.
        is_new = not was_requested(context) and not may_be_underway(context)
        stage, terms = await self.stage_of(context)
        recorder = StepRecorder(
            context,
            self.application,
            kind=self.kind,
            stage=stage,
            supersedable=self.supersedable and is_new,
            terms=terms if is_new or self._is_to_be_requested_again(context) else None,
            is_new=is_new,
            left=ending_left(context),
        )
        record = await (recorder.read() if resumed else recorder.begin())
        if is_new:
            record = await (await self.gate(context)).go(context, recorder, record)
        try:
            job = self.job_of(self.wanted(context, record))
        except Exception as error:
            told = error if is_new else _with_what_goes_on(error, record.step(recorder.task_id))
            await recorder.end(StepState.FAILED, outcome=_outcome_of(told), detail=str(told))
            raise told from None
        self._attempt = StepAttempt(recorder, record, job)

    async def secure_job(self, context: Context, adapter: JobAdapter, store: JobStore) -> JobRecord | Immediate:
        """Go on with the request that there is, however it has ended meanwhile: a retry asks for none after a failure
        or a person's no, as no attempt does that sees it end. A clear does, and so does what our own stop has
        cancelled.

        What a clear found FlexDeploy at work on is gone on with as well, unless that has failed, or another version was
        brought to the stage after it: a version does not come twice. Else FlexDeploy is asked; until its answer is
        known, the record says that it may have been.
        """
        from nightshift.flexdeploy.adapter import FlexDeployAdapter

        record, ti, decision = store.load(), context["ti"], store.resolution()
        recorder = self.attempt.recorder
        before = (await recorder.read()).step(recorder.task_id)
        self._asked = None
        if isinstance(adapter, FlexDeployAdapter):
            self._server = server_of(adapter.hook.base_url)
            if record is not None and before is not None and decision is None and is_other(before, adapter.hook):
                if was_requested(context) or may_be_underway(context):
                    refuse_other_server(before, adapter.hook)
                # It has ended, and whoever cleared it wants it anew: here nobody knows of it.
                store.save(record.changed(done=True))
        stopped = record is not None and self._stopped(context).load_if_sound() == record.id
        asked = record is not None and record.id is not None and record.max_tries >= ti.max_tries
        if record is not None and asked and decision is None and not stopped:
            self.log.info("Workflow request %s was asked for by an earlier attempt; going on with it.", record.id)
            begun = record.attempt_at if record.attempt == ti.try_number else time.time()
            # Also one that has ended, whatever is configured by now: its attempt died before it could say so.
            again = record.changed(attempt=ti.try_number, attempt_at=begun, ending=Ending.VERDICT, done=False)
            return store.save(again)
        status = await self._goes_on(context, adapter, record) if record is not None and decision is None else None
        if (
            record is not None
            and status is not None
            and status.state in SUCCEEDED
            and (since := self._overtaken_by([int(number) for number in ids_of(status.id)]))
        ):
            self.log.info(
                "Workflow request %s ended well, and %s came after it: it is done anew.", status.id, since.task
            )
            store.save(record.changed(done=True))
        elif record is not None and status is not None:
            # A clear cancels, maybe after this attempt has begun.
            ending = Ending.AGAIN_IF_CANCELLED if status.state in ACTIVE else Ending.VERDICT
            again = record.changed(max_tries=ti.max_tries, attempt=ti.try_number, attempt_at=time.time(), ending=ending)

            async def go_on(context: Context, adapter: JobAdapter, store: JobStore) -> JobRecord | Immediate:
                return store.save(again)

            self.log.info("Workflow request %s goes on from before the clear; going on with it.", record.id)
            return await self.attempt.job.secure(context, adapter, store, go_on)
        await self._write_down(context, adapter, decision)
        try:
            made = await self.attempt.job.secure(context, adapter, store, super().secure_job)
        except (Barred, NotApproved, VersionRevoked, OtherTarget) as refused:
            # Not asked: what was open before is open still, and nothing else.
            await recorder.note(asked=before and before.asked, target=before and before.target)
            if not isinstance(refused, Barred):
                raise
            gate = await self.gate(context)
            raise await gate.wait(context, recorder, await recorder.read(), refused.barrier) from None
        except BaseException:
            left = store.load()
            if left is None or left.intent is None or left.refused:
                await recorder.note(asked=None, target=before and before.target)
            raise
        # By now the ids of what has a name are known.
        self._asked = self.target(context)
        if not isinstance(made, JobRecord):
            await recorder.note(asked=None, target=self._asked)
        return made

    async def before_request(self, context: Context) -> None:
        """Look at the gate once more: a hold or a freeze may have begun since, the version been found to be bad, and
        what FlexDeploy was at work on have ended, so that something else than was approved would be asked for. Another
        server or environment may be behind the same name by now as well.

        :raises Barred: something stands in the way
        :raises NotApproved: it is not what was approved
        :raises VersionRevoked: the version is bad
        :raises OtherTarget: it would be asked for elsewhere
        """
        recorder = self.attempt.recorder
        _, terms = await self.stage_of(context)
        if terms is not None:
            recorder.refuse_other_terms(await recorder.read(), terms)
        await (await self.gate(context)).let_go(recorder)
        self.refuse_other_target(await recorder.read(), self.target(context))

    def refuse_other_target(self, record: PromotionRecord, target: Target) -> None:
        """Ask for nothing elsewhere than the promotion began with, whatever the names lead to by now.

        :param target: of what FlexDeploy would be asked
        :raises OtherTarget: it is another; nothing was asked for
        """
        begun = self.begun_with(record)
        if begun is not None and (other := what_differs(begun, target)):
            raise OtherTarget(
                f"{self.attempt.recorder.stage} leads elsewhere by now: this promotion began with {other}",
                vendor=VENDOR,
                advice="Nothing was asked for. Put back what was changed in promotions.yaml, in the connection "
                f"{self.conn_id} or in FlexDeploy, and clear this task; or clear the task `begin` with all that "
                "follows, or start a run: it asks anew.",
            )

    def begun_with(self, record: PromotionRecord) -> Target | None:
        """Return what the stage was when the promotion began, as far as it has to be the same for this step; ``None``:
        the record does not tell, or it is of no stage.
        """
        return record.targets.get(self.attempt.recorder.stage or "")

    async def before_wait(self, context: Context, record: JobRecord) -> None:
        """Tell the record which workflow requests are waited for."""
        if not record.id:
            return
        status, asked = record.status, {} if self._asked is None else {"target": self._asked}
        parked = status is not None and status.state is JobState.WAITING
        await self.attempt.recorder.note(
            asked=None,
            requests=tuple(int(number) for number in ids_of(record.id)),
            url=status.url if status is not None else None,
            # FlexDeploy's own approvals and schedules can last days: whoever looks has to see for whom or what.
            detail=f"{status.label()} {status.detail}".strip() if status is not None and parked else "",
            **self.start_asked(context),
            **asked,
        )

    def start_asked(self, context: Context) -> dict[str, Any]:
        """Return what the record is told of when FlexDeploy was asked to begin."""
        return {}

    async def after_job(self, context: Context, returned: Mapping[str, Any]) -> None:
        """Tell the record how it ended."""
        recorder = self.attempt.recorder
        await recorder.end(
            StepState.DONE,
            changes=self.changes(await recorder.read(), returned),
            outcome=returned.get("outcome"),
            version=version_of(returned),
            requests=tuple(returned.get("workflow_request_ids", ())),
            url=returned.get("url"),
            detail="",
        )

    async def after_failure(self, context: Context, error: BaseException, ended: Ended) -> None:
        """Tell the record of the failure; where the job is left alone, how it ends is not for this attempt to say."""
        if self._attempt is None or ended.left_alone:
            return
        if ended.stopped and ended.job_id is not None:
            with contextlib.suppress(Exception):
                self._stopped(context).save(ended.job_id)
        await self._attempt.recorder.end(StepState.FAILED, outcome=_outcome_of(error), detail=str(error))

    async def _goes_on(self, context: Context, adapter: JobAdapter, record: JobRecord) -> JobStatus | None:
        """Return how what was asked for before a clear stands, where nobody has seen it end and it has not failed."""
        if record.id is None or not may_be_underway(context):
            return None
        with contextlib.suppress(VendorError):
            found = (await adapter.status([record.id])).get(record.id)
            if isinstance(found, JobStatus) and found.state in (ACTIVE - {JobState.CANCELLING}) | SUCCEEDED:
                return found
        return None

    def _overtaken_by(self, requests: Collection[int]) -> PromotionStep | None:
        """Return the step by which this promotion has asked for another version in the stage since; what was brought
        there by these workflow requests, however well, does not run there any more.
        """
        me = self.attempt.recorder
        if self.kind not in CHANGES_A_STAGE:
            return None
        others = [one for one in self.attempt.record.steps if one.stage == me.stage and one.kind in CHANGES_A_STAGE]
        later = [one for one in others if one.task != me.task_id and max(one.requests, default=0) > max(requests)]
        return later[-1] if later else None

    def _is_to_be_requested_again(self, context: Context) -> bool:
        """Whether a person said that FlexDeploy is to be asked again: with what was approved, and nothing else."""
        decision = JobStore(context["task_state_store"]).resolution()
        return decision is not None and decision.resubmit

    def _stopped(self, context: Context) -> TaskState[str]:
        return TaskState(context["task_state_store"], STOPPED_KEY, str)

    async def _write_down(self, context: Context, adapter: JobAdapter, decision: Resolution | None) -> None:
        """Write down that FlexDeploy may be asked from now on, and what a person decided of what it was asked before.

        :raises Rejected: a person named a workflow request that is the work of another step; nothing was adopted
        """
        recorder = self.attempt.recorder
        if decision is not None and decision.adopt:
            mine = (self.application, recorder.run_id, recorder.task_id)
            requests = {int(number) for number in ids_of(decision.adopt)}
            server = getattr(getattr(adapter, "hook", None), "base_url", "")
            if holder := await holder_of(lake_of_this_deployment(), requests, server=server, but=mine):
                raise unlike(adapter, decision.adopt, f"it is the work of {holder}")
            if since := self._overtaken_by(requests):
                brought = f"{since.task} (workflow request {', '.join(map(str, since.requests))})"
                raise unlike(adapter, decision.adopt, f"{brought} has brought another version to {since.stage} since")
        resolution = (
            None
            if decision is None
            else RecordedResolution(word=decision.kind, by=decision.by, why=decision.why, at=now())
        )
        await recorder.asking(resolution, self.target(context))


def _name(given: int | str | None) -> str | None:
    return given if isinstance(given, str) else None


def version_of(returned: Mapping[str, Any]) -> Version | None:
    """Return the version that the return value of a task names."""
    number = returned.get("project_version_id")
    return None if number is None else Version(id=int(number), name=returned.get("project_version_name"))


def _with_what_goes_on(error: Exception, step: PromotionStep | None) -> Exception:
    """Return the error of a step that FlexDeploy may be at work on, naming that: whatever else the error says of it, it
    says of this attempt alone.
    """
    if not isinstance(error, VendorError) or step is None or not step.requests:
        return error
    which = ", ".join(map(str, step.requests))
    return error.replaced(problem=f"{error.problem}; workflow request {which}, asked for before, goes on in FlexDeploy")


def _outcome_of(error: BaseException) -> str:
    if isinstance(error, JobFailed):
        return in_one_word(error.state).lower()
    if isinstance(error, Ambiguous):
        return AMBIGUOUS
    return "timed_out" if isinstance(error, JobTimedOut) else type(error).__name__
