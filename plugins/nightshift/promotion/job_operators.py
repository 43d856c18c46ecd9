"""The steps of a promotion that FlexDeploy does: build, deploy, run a utility project, roll back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from nightshift.errors import BadResponse, Rejected
from nightshift.flexdeploy.request import BuildRequest, DeployRequest, ExecuteRequest
from nightshift.flexdeploy.vocabulary import VENDOR, WorkOutcome
from nightshift.jobs.record import JobStore
from nightshift.jobs.state import JobStatus, TaskState
from nightshift.nights.place import lake_of_this_deployment
from nightshift.promotion.form import PromotionRequest
from nightshift.promotion.gate import Gate
from nightshift.promotion.history import History
from nightshift.promotion.job_step import PromotionJobOperator, version_of
from nightshift.promotion.left_job import may_be_underway, was_requested
from nightshift.promotion.record import PromotionRecord, Version
from nightshift.promotion.rules.progress import is_left_in_doubt
from nightshift.promotion.rules.window import is_open
from nightshift.promotion.servers import OtherTarget
from nightshift.promotion.store import Records
from nightshift.promotion.target import Target, what_differs
from nightshift.promotion.vocabulary import StepKind, StepState

if TYPE_CHECKING:
    from airflow.sdk import Context

    from nightshift.config.promotions import Package
    from nightshift.config.stages import DeploymentWindow
    from nightshift.jobs.adapter import Immediate
    from nightshift.promotion.terms import Terms

START_KEY = "promotion_start_time"
"""Key of the task state store that holds the start time that FlexDeploy was given."""


class PromotionBuildOperator(PromotionJobOperator):
    """Build the version that the promotion brings through all its stages.

    :param unchanged: what follows where nothing has changed: ``stop``, or ``last_built`` for the version that the
        records of the application say was built last
    """

    kind = StepKind.BUILD
    request_type = BuildRequest

    def __init__(self, *, unchanged: str = "stop", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.unchanged = unchanged

    def wanted(self, context: Context, record: PromotionRecord) -> Mapping[str, Any]:
        """Add what the person asked for."""
        request = PromotionRequest.of(record.form)
        return {
            **self.parameters,
            "force_build": request.force_build or self.parameters.get("force_build"),
            "related_tickets": [*self.parameters.get("related_tickets", ()), *request.related_tickets],
            "inputs": {**self.parameters.get("inputs", {}), **request.build_inputs},
        }

    def changes(self, record: PromotionRecord, returned: Mapping[str, Any]) -> dict[str, Any]:
        """Pin the version."""
        return {"version": version_of(returned)}

    def conclude(self, context: Context, status: JobStatus, result: Any) -> dict[str, Any]:
        """Make the return value.

        :raises BadResponse: FlexDeploy does not say which version it built, or says several, so that none can be pinned
        """
        returned = super().conclude(context, status, result)
        if returned["project_version_id"] is None:
            told = ", ".join(f"{one} by {number}" for number, one in result["versions"].items())
            raise BadResponse(
                f"workflow request {status.id} was completed but names several versions: {told}"
                if told
                else f"workflow request {status.id} was completed but names no version, and neither do its executions",
                vendor=VENDOR,
                advice=f"Nothing was deployed. Look at {status.url or 'FlexDeploy'} which version is the one, and start a "
                "run with it in the form.",
            )
        return returned

    async def after_job(self, context: Context, returned: Mapping[str, Any]) -> None:
        """Tell the record what was built; where nothing has changed, with what it goes on."""
        if returned.get("outcome") != WorkOutcome.NO_CHANGES:
            await super().after_job(context, returned)
            return
        recorder = self.attempt.recorder
        # After a clear: nothing has changed since this very promotion built.
        before = (await recorder.read()).step(recorder.task_id)
        last = mine = before.version if before is not None else None
        why = ""
        if mine is None and self.unchanged == "last_built":
            target = self.target(context)
            history = await History.read(recorder.records)
            last = await history.last_built(but=recorder.run_id, of=target)
            if last is None and (other := await history.last_built(but=recorder.run_id)) is not None:
                why = f"what was built last, {other}, is not of what is configured by now ({target.words})"
        self.log.info("Nothing has changed; going on with what was built last: %s", last or why or "not known")
        await recorder.end(
            StepState.DONE,
            changes={"version": last},
            outcome=returned["outcome"],
            version=mine,
            requests=(),
            url=None,
            detail=why,
        )


class PromotionDeployOperator(PromotionJobOperator):
    """Deploy the promotion's version to a stage; inside of the stage's window, where it has one.

    :param packages: packages of a partial project
    :param window: window of the stage
    """

    kind = StepKind.DEPLOY
    request_type = DeployRequest

    def __init__(
        self, *, packages: tuple[Package, ...] = (), window: DeploymentWindow | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.packages = packages
        self.window = window
        self._never: Rejected | None = None

    def wanted(self, context: Context, record: PromotionRecord) -> Mapping[str, Any]:
        """Add the version of the record, and what the person asked for, at the time that the window allows."""
        return {**self.deployment(self.parameters, record), "start_time": self._start_time(context, record)}

    def version_in(self, record: PromotionRecord) -> Version:
        """Return the version to deploy.

        :raises Rejected: there is none
        """
        return _pinned(record.version)

    def deployment(self, parameters: Mapping[str, Any], record: PromotionRecord) -> dict[str, Any]:
        """Return what is configured for a deployment, with the version of the record and what the person asked for."""
        request, version = PromotionRequest.of(record.form), self.version_in(record)
        packages = {"package_details": [one.detail(version.id) for one in self.packages]} if self.packages else {}
        # FlexDeploy's word that it is there already would be of what ran before the deployment that is in doubt.
        forced = {"force_deploy": True} if is_left_in_doubt(record, self.stage, self.task_id) else {}
        return {
            **parameters,
            **packages,
            **forced,
            "project_version_id": version.id,
            "change_tickets": [*parameters.get("change_tickets", ()), *request.change_tickets],
            "inputs": {**parameters.get("inputs", {}), **request.inputs},
        }

    def conclude(self, context: Context, status: JobStatus, result: Any) -> dict[str, Any]:
        """Make the return value.

        :raises BadResponse: FlexDeploy deployed another version than the one that it was given, of one package at least
        """
        returned, version = super().conclude(context, status, result), self.version_in(self.attempt.record)
        for number, found in result["versions"].items():
            if found == version.id:
                continue
            _count_for_nothing(context)
            raise BadResponse(
                f"workflow request {number} deployed version {found}, but {version} was asked for",
                vendor=VENDOR,
                advice=f"Look at what runs in {self.attempt.recorder.stage}: {status.url or 'FlexDeploy'}. Then clear "
                f"this task: it asks for {version}.",
            )
        name = returned["project_version_name"] or version.name
        return {**returned, "project_version_id": version.id, "project_version_name": name}

    def conclude_immediate(self, context: Context, answer: Immediate) -> dict[str, Any]:
        """Make the return value where the version is there already."""
        version = self.version_in(self.attempt.record)
        returned = super().conclude_immediate(context, answer)
        return {**returned, "project_version_id": version.id, "project_version_name": version.name}

    async def after_job(self, context: Context, returned: Mapping[str, Any]) -> None:
        """Tell the record how it ended. What is there already after a clear was brought there by this very
        promotion, and stays told so: it can be brought back, and is counted.
        """
        recorder = self.attempt.recorder
        before, here = (await recorder.read()).step(recorder.task_id), version_of(returned)
        is_there = returned.get("outcome") == WorkOutcome.ALREADY_DEPLOYED
        if is_there and here and before and before.requests and before.version and before.version.id == here.id:
            brought = {"outcome": str(WorkOutcome.DEPLOYED), "url": before.url}
            returned = {**returned, **brought, "workflow_request_ids": before.requests}
        await super().after_job(context, returned)

    def refuse_other_target(self, record: PromotionRecord, target: Target) -> None:
        """Look as well whether the version, or what is brought back, is of what is configured by now."""
        kept, version = self.kept_target(record), self.version_in(record)
        if kept is not None and (other := what_differs(kept, target)):
            raise OtherTarget(
                f"{version} is of {other}, as promotions.yaml has it by now",
                vendor=VENDOR,
                advice="Nothing was deployed. Put promotions.yaml back as it was and clear this task; or start a run, "
                "which builds anew.",
            )
        super().refuse_other_target(record, target)

    def kept_target(self, record: PromotionRecord) -> Target | None:
        """Return of what the version is, as far as the record tells: this promotion's build has kept it."""
        build = next(iter(record.steps_of({StepKind.BUILD})), None)
        return build.target if build is not None and build.state is StepState.DONE else None

    async def gate(self, context: Context) -> Gate:
        """Return what has to let the deployment go; a window that FlexDeploy waits for is not in its way here."""
        gate, window = await super().gate(context), self.window
        return replace(gate, starts=window) if self._is_handed_on else replace(gate, window=window)

    def window_opened(self, context: Context, event: Any = None) -> Any:
        """Go on after a wait that an earlier version of this task began."""
        return self.execute(context)

    @property
    def _is_handed_on(self) -> bool:
        """Whether FlexDeploy waits for the window."""
        return self.window is not None and self.window.outside == "start_time"

    def _start_time(self, context: Context, record: PromotionRecord) -> str | None:
        """Return when FlexDeploy is to begin.

        :raises Rejected: it would never; while it may be at work on what it was asked for before, that is gone on with
        """
        self._never = None
        if was_requested(context):
            # The same on each attempt: another start time would be another deployment.
            return self._kept_start(context).load_if_sound() or None
        try:
            return self._next_start(record)
        except Rejected as error:
            if not may_be_underway(context):
                raise
            self._never = error
            return self._kept_start(context).load_if_sound() or None

    def _next_start(self, record: PromotionRecord) -> str | None:
        """Return when the window opens, for FlexDeploy to begin then: not within a freeze that nobody has overridden;
        ``None``: at once.

        :raises Rejected: within a year it does not
        """
        at = datetime.now(UTC)
        if self.window is None or not self._is_handed_on or is_open(self.window, at):
            return None
        gate = Gate(self.application, self.stage, self.freezes, self.terms, starts=self.window)
        if (opens := gate.next_go(record, self.version_in(record), at)) is None:
            raise Rejected(
                f"the window of {self.stage} is closed, and within a year none opens in which it is not frozen",
                vendor=VENDOR,
                advice="Nothing was deployed. Change the window or the freezes in promotions.yaml, then clear this "
                "task.",
            )
        return opens.astimezone(self.window.zone).replace(microsecond=0).isoformat(timespec="seconds")

    async def before_request(self, context: Context) -> None:
        """Keep the start time that is asked for: what FlexDeploy has of an attempt before keeps its own.

        :raises Rejected: it would never begin
        """
        if self._never is not None:
            raise self._never
        await super().before_request(context)
        recorder = self.attempt.recorder
        start, before = self.attempt.job.parameters.get("start_time"), (await recorder.read()).step(recorder.task_id)
        if start is not None or (before is not None and before.start_time is not None):
            self._kept_start(context).save(start or "")

    def start_asked(self, context: Context) -> dict[str, Any]:
        """Return the start time that FlexDeploy was asked for last, for the record; nothing where that is not known."""
        kept = self._kept_start(context).load_if_sound()
        return {} if kept is None else {"start_time": kept or None}

    def _kept_start(self, context: Context) -> TaskState[str]:
        return TaskState(context["task_state_store"], START_KEY, str)


class PromotionRollBackOperator(PromotionDeployOperator):
    """Bring back what the record offers, to the stage that it names; a deployment like any other.

    :param stages: label → what is configured for the deployment of that stage
    :param ways: label → what the approval has to be of
    """

    kind = StepKind.ROLL_BACK

    def __init__(self, *, stages: Mapping[str, Mapping[str, Any]], ways: Mapping[str, Terms], **kwargs: Any) -> None:
        super().__init__(parameters=next(iter(stages.values())), **kwargs)
        self.stages = stages
        self.ways = ways

    async def stage_of(self, context: Context) -> tuple[str | None, Terms | None]:
        """Return the stage that is offered, with the terms of its approval.

        :raises Rejected: the application has no such stage any more
        """
        record = await Records(lake_of_this_deployment(), self.application).read(context["ti"].run_id)
        if record is None or record.offer is None:
            return None, None
        stage = record.offer.stage
        if stage not in self.stages and not (was_requested(context) or may_be_underway(context)):
            raise _gone(stage)
        way = self.ways.get(stage)
        return stage, None if way is None else way.back(record.offer)

    async def before_request(self, context: Context) -> None:
        """Look as well whether there still is the stage that it would be brought back to."""
        if (stage := self.attempt.recorder.stage) not in self.stages:
            raise _gone(str(stage))
        await super().before_request(context)

    def wanted(self, context: Context, record: PromotionRecord) -> Mapping[str, Any]:
        """Deploy what is offered to the stage that it is offered for; where that is gone, FlexDeploy may be at work on
        it still, by what it was asked for.
        """
        step, parameters = record.step(context["ti"].task_id), self.parameters
        if record.offer is not None and record.offer.stage in self.stages:
            parameters = dict(self.stages[record.offer.stage])
        elif step is not None and step.target is not None:
            parameters = step.target.where
        # FlexDeploy would otherwise find the old version there, whatever the failed deployment left of it.
        return {**self.deployment(parameters, record), "force_deploy": True}

    def version_in(self, record: PromotionRecord) -> Version:
        """Return the version that is offered.

        :raises Rejected: none is
        """
        return _pinned(None if record.offer is None else record.offer.version)

    def kept_target(self, record: PromotionRecord) -> Target | None:
        """Return where the version that is offered ran, as far as the record tells."""
        before = record.before.get(record.offer.stage) if record.offer is not None else None
        return None if before is None else before.target


class PromotionUtilityOperator(PromotionJobOperator):
    """Run a utility project before or after the deployment of a stage."""

    kind = StepKind.UTILITY
    request_type = ExecuteRequest

    def begun_with(self, record: PromotionRecord) -> Target | None:
        """Return on which server the stage was, and its environment where this runs in the one of that name: the
        project is the utility's own.
        """
        begun, named = super().begun_with(record), self.attempt.job.named.environment
        if begun is None:
            return None
        place = {} if named == begun.environment else {"environment_id": None, "environment": None}
        return begun.changed(project_id=None, project=None, **place)


def _count_for_nothing(context: Context) -> None:
    """Let a clear ask again, although what was asked for has ended well: it is another thing. A retry does not."""
    store = JobStore(context["task_state_store"])
    if (record := store.load()) is not None and record.intent is not None:
        store.save(record.changed(intent=msgspec.structs.replace(record.intent, payload_hash="")))


def _gone(stage: str) -> Rejected:
    return Rejected(
        f"{stage} failed, and promotions.yaml has no such stage any more",
        vendor=VENDOR,
        advice="Nothing was brought back. Put the stage back into promotions.yaml and clear this task, or deploy by hand.",
    )


def _pinned(version: Version | None) -> Version:
    if version is None:
        raise Rejected(
            "no version is pinned", vendor=VENDOR, advice="Nothing was deployed. Clear `build`, or give a version."
        )
    return version
