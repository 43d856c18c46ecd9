"""The steps of a promotion that FlexDeploy does: build, deploy, run a utility project, roll back."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, cast

from airflow.sdk.exceptions import AirflowSkipException, TaskDeferred

from include.promotions.record import Kind, Record, State, Version
from include.promotions.versions import last_built
from include.promotions.window import is_open, next_opening
from nightshift.errors import Ambiguous, BadResponse, JobFailed, JobTimedOut, Rejected
from nightshift.flexdeploy.operators import (
    FlexDeployBuildOperator,
    FlexDeployDeployOperator,
    FlexDeployExecuteUtilityOperator,
)
from nightshift.flexdeploy.project_operator import ProjectJobOperator
from nightshift.flexdeploy.requests import ids_of
from nightshift.flexdeploy.vocabulary import VENDOR, Outcome
from nightshift.jobs.record import Ending, JobRecord, JobStore
from nightshift.jobs.state import TERMINAL, JobState, JobStatus
from nightshift.promotion.form import Wish
from nightshift.promotion.keeper import StepKeeper

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.config.promotions import Package, Window
    from nightshift.jobs.adapter import Immediate, JobAdapter
    from nightshift.jobs.events import JobEvent

STOPPED_KEY = "promotion_stopped"
"""Key of the task state store that holds the job that was waited for when this task's worker was told to stop."""
START_KEY = "promotion_start_time"
"""Key of the task state store that holds the start time that FlexDeploy was given, and Airflow's ``max_tries`` then."""


class JobStep(ProjectJobOperator):
    """A step that FlexDeploy does: told to the record before, while and after it is done.

    :param application: name of the application
    :param stage: label of the stage
    :param gives_way: the step may be left undone for a newer night
    """

    kind: ClassVar[Kind]

    def __init__(self, *, application: str, stage: str | None = None, gives_way: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.application = application
        self.stage = stage
        self.gives_way = gives_way
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
        keeper = self._keeper = StepKeeper(
            context,
            self.application,
            kind=self.kind,
            stage=self.stage,
            gives_way=self.gives_way and not self._is_asked(context) and not self._may_be_underway(context),
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
        record, ti = store.load(), context["ti"]
        asked_for = record is not None and record.id is not None and not record.done
        if record is None or record.id is None or not asked_for or store.resolution(first=False) is not None:
            return await super()._secure(context, adapter, store)
        if context["task_state_store"].get(STOPPED_KEY, None) == record.id:
            return await super()._secure(context, adapter, store)
        if record.max_tries >= ti.max_tries:
            self.log.info("Workflow request %s was asked for by an earlier attempt; going on with it.", record.id)
            begun = record.attempt_at if record.attempt == ti.try_number else time.time()
            return store.save(record.changed(attempt=ti.try_number, attempt_at=begun, ending=Ending.VERDICT))
        await self._refuse_unseen(record.id, record, adapter)
        return await super()._secure(context, adapter, store)

    async def _refuse_unseen(self, job_id: str, record: JobRecord, adapter: JobAdapter) -> None:
        """Refuse to ask for a request again only because FlexDeploy does not show the one that there is at the moment.

        :raises BadResponse: it does not, and no wait has seen that for long
        """
        if record.status is not None and record.status.state in TERMINAL:
            return
        seen = (await adapter.status([job_id])).get(job_id)
        if isinstance(seen, JobStatus) and seen.state is JobState.GONE:
            raise BadResponse(
                f"workflow request {job_id}, which was made for this task, is not shown",
                vendor=VENDOR,
                advice="Nothing was asked for again. If it is gone for good, add the key 'nightshift_resolve' with the value "
                '{"resubmit": true} in the tab Task State Store, then clear this task.',
            )

    async def _end_well(self, keeper: StepKeeper, answer: Mapping[str, Any]) -> None:
        await keeper.end(
            State.DONE,
            changes=self.ended(await keeper.read(), answer),
            outcome=answer.get("outcome"),
            version=_version(answer),
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
                requests=tuple(int(number) for number in ids_of(record.id)),
                url=status.url if status is not None else None,
                # FlexDeploy's own approvals and schedules can last days: whoever looks has to see for whom or what.
                detail=f"{status.label()} {status.detail}".strip() if status is not None and parked else "",
                start_time=getattr(self, "start_time", None),
            )
        return await super()._wait(record, adapter)


class PromotionBuildOperator(JobStep, FlexDeployBuildOperator):
    """Build the version that the promotion brings through all its stages.

    :param unchanged: what follows where nothing has changed: ``stop``, or ``last_built`` for the version that the records
        of the application say was built last
    """

    kind = Kind.BUILD

    def __init__(self, *, unchanged: str = "stop", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.unchanged = unchanged
        self._last: Version | None = None

    def take_up(self, context: Context, record: Record) -> None:
        """Add what the person asked for."""
        wish = Wish.of(record.form)
        self.force_build = wish.force_build or self.force_build
        self.related_tickets = [*(self.related_tickets or ()), *wish.related_tickets]
        self.inputs = {**cast("dict[str, str]", self.inputs or {}), **wish.build_inputs}

    async def _end_well(self, keeper: StepKeeper, answer: Mapping[str, Any]) -> None:
        if answer.get("outcome") == Outcome.NO_CHANGES:
            # After a clear: nothing has changed since this very promotion built.
            before = (await keeper.read()).step(keeper.task_id)
            self._last = mine = before.version if before is not None else None
            if mine is None and self.unchanged == "last_built":
                self._last = await last_built(keeper.records, but=keeper.run_id)
            self.log.info("Nothing has changed; going on with what was built last: %s", self._last or "not known")
            if mine is not None:
                answer = {**answer, "project_version_id": mine.id, "project_version_name": mine.name}
        await super()._end_well(keeper, answer)

    def ended(self, record: Record, answer: Mapping[str, Any]) -> dict[str, Any]:
        """Pin the version."""
        if answer.get("outcome") == Outcome.NO_CHANGES:
            return {"version": self._last}
        return {"version": _version(answer)}

    def conclude(self, context: Context, status: JobStatus, result: Any) -> dict[str, Any]:
        """Make the return value.

        :raises BadResponse: FlexDeploy does not say which version it built, so that none can be pinned
        """
        answer = super().conclude(context, status, result)
        if answer["project_version_id"] is None:
            raise BadResponse(
                f"workflow request {status.id} was completed but names no version, and neither do its executions",
                vendor=VENDOR,
                advice=f"Nothing was deployed. Look the version up at {status.url or 'FlexDeploy'} and start a run with it in the form.",
            )
        return answer


class PromotionDeployOperator(JobStep, FlexDeployDeployOperator):
    """Deploy the promotion's version to a stage; inside of the stage's window, where it has one.

    :param packages: packages of a partial project
    :param window: window of the stage
    """

    kind = Kind.DEPLOY

    def __init__(
        self,
        *,
        packages: tuple[Package, ...] = (),
        window: Window | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.packages = packages
        self.window = window

    def take_up(self, context: Context, record: Record) -> None:
        """Take the version from the record, and add what the person asked for."""
        wish = Wish.of(record.form)
        self.deploys(self.version_in(record))
        self.change_tickets = [*(self.change_tickets or ()), *wish.change_tickets]
        self.inputs = {**cast("dict[str, str]", self.inputs or {}), **wish.inputs}
        self._heed_window(context)

    def version_in(self, record: Record) -> Version | None:
        """Return the version to deploy."""
        return record.version

    def deploys(self, version: Version | None) -> None:
        """Set the version to deploy.

        :raises Rejected: there is none
        """
        if version is None:
            raise Rejected(
                "no version is pinned", vendor=VENDOR, advice="Nothing was deployed. Clear `build`, or give a version."
            )
        self._version, self._pinned = version, True
        self.project_version_id = version.id
        if self.packages:
            self.package_details = [one.asked(version.id) for one in self.packages]

    def conclude(self, context: Context, status: JobStatus, result: Any) -> dict[str, Any]:
        """Make the return value.

        :raises BadResponse: FlexDeploy deployed another version than the one that it was given
        """
        answer = super().conclude(context, status, result)
        told = answer["project_version_id"]
        if told not in (None, self._version.id):
            raise BadResponse(
                f"workflow request {status.id} deployed version {told}, but {self._version} was asked for",
                vendor=VENDOR,
                advice=f"Look at what runs in {self.stage} before anything else is done: {status.url or 'FlexDeploy'}",
            )
        return {**answer, "project_version_id": self._version.id, "project_version_name": answer["project_version_name"] or self._version.name}  # fmt: skip

    def conclude_immediate(self, context: Context, answer: Immediate) -> dict[str, Any]:
        """Make the return value where the version is there already."""
        result = {**answer.result, "project_version_id": self._version.id, "project_version_name": self._version.name}
        return super().conclude_immediate(context, type(answer)(outcome=answer.outcome, result=result))

    def window_opened(self, context: Context, event: Any = None) -> Any:
        """Go on after the wait for the window."""
        return self.execute(context)

    def _heed_window(self, context: Context) -> None:
        """Wait for the window, or hand FlexDeploy the time at which it opens."""
        if self.window is None:
            return
        if self._is_asked(context):
            # The same on each attempt: another start time would be another deployment.
            self.start_time = context["task_state_store"].get(START_KEY, None) or None
            return
        context["task_state_store"].delete(START_KEY)
        at = datetime.now(UTC)
        if is_open(self.window, at):
            return
        opens = next_opening(self.window, at)
        if self.window.outside == "start_time":
            self.start_time = opens.astimezone(self.window.zone).replace(microsecond=0).isoformat(timespec="seconds")
            context["task_state_store"].set(START_KEY, self.start_time)
            return
        from airflow.providers.standard.triggers.temporal import DateTimeTrigger

        self.log.info("The window of %s is closed; waiting until %s without a worker", self.stage, opens.isoformat())
        raise TaskDeferred(trigger=DateTimeTrigger(moment=opens), method_name="window_opened")


class PromotionRollBackOperator(PromotionDeployOperator):
    """Bring back the version that ran in the failed stage before; a deployment like any other.

    :param offer: what the offering task returned (templated)
    :param stages: arguments of the deployment of each stage, by label
    """

    kind = Kind.ROLL_BACK
    template_fields = (*PromotionDeployOperator.template_fields, "offer")

    def __init__(self, *, offer: Any, stages: Mapping[str, Mapping[str, Any]], **kwargs: Any) -> None:
        first = next(iter(stages.values()))
        super().__init__(**{**first, **kwargs})
        self.offer = offer
        self.stages = stages

    async def _guarded(self, context: Context, payload: dict[str, Any] | None) -> Any:
        self.stage = self.offer["stage"]
        for name, value in self.stages[self.offer["stage"]].items():
            setattr(self, name, value)
        # FlexDeploy would otherwise find the old version there, whatever the failed deployment left of it.
        self.force_deploy = True
        return await super()._guarded(context, payload)

    def version_in(self, record: Record) -> Version | None:
        """Return the version that the offer names."""
        return Version.model_validate(self.offer["version"])


class PromotionUtilityOperator(JobStep, FlexDeployExecuteUtilityOperator):
    """Run a utility project before or after the deployment of a stage."""

    kind = Kind.UTILITY


def _version(answer: Mapping[str, Any]) -> Version | None:
    number = answer.get("project_version_id")
    return None if number is None else Version(id=int(number), name=answer.get("project_version_name"))


def _word(error: BaseException) -> str:
    if isinstance(error, JobFailed):
        return str(error.state).lower()
    if isinstance(error, Ambiguous):
        return "ambiguous"
    return "timed_out" if isinstance(error, JobTimedOut) else type(error).__name__
