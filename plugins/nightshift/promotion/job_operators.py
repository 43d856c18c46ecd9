"""The steps of a promotion that FlexDeploy does: build, deploy, run a utility project, roll back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk.exceptions import TaskDeferred

from nightshift.errors import BadResponse, Rejected
from nightshift.flexdeploy.operators import (
    FlexDeployBuildOperator,
    FlexDeployDeployOperator,
    FlexDeployExecuteUtilityOperator,
)
from nightshift.flexdeploy.vocabulary import VENDOR, Outcome
from nightshift.jobs.state import JobStatus
from nightshift.nights.place import lake_of_this_deployment
from nightshift.promotion.form import Wish
from nightshift.promotion.job_step import JobStep, version_of
from nightshift.promotion.keeper import StepKeeper
from nightshift.promotion.record import Kind, Record, Version
from nightshift.promotion.store import Records
from nightshift.promotion.versions import last_built
from nightshift.promotion.window import is_open, next_opening

if TYPE_CHECKING:
    from airflow.sdk import Context

    from nightshift.config.promotions import Package, Window
    from nightshift.jobs.adapter import Immediate
    from nightshift.promotion.terms import Terms

START_KEY = "promotion_start_time"
"""Key of the task state store that holds the start time that FlexDeploy was given, and Airflow's ``max_tries`` then."""


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
        return {"version": version_of(answer)}

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
    """Bring back what the record offers, to the stage that it names; a deployment like any other.

    :param stages: arguments of the deployment of each stage, by label
    :param ways: stage → what the approval has to be of
    """

    kind = Kind.ROLL_BACK

    def __init__(self, *, stages: Mapping[str, Mapping[str, Any]], ways: Mapping[str, Terms], **kwargs: Any) -> None:
        first = next(iter(stages.values()))
        super().__init__(**{**first, **kwargs})
        self.stages = stages
        self.ways = ways

    async def _guarded(self, context: Context, payload: dict[str, Any] | None) -> Any:
        record = await Records(lake_of_this_deployment(), self.application).read(context["ti"].run_id)
        if record is not None and record.offer is not None:
            self._take_up_stage(record.offer.stage)
        # FlexDeploy would otherwise find the old version there, whatever the failed deployment left of it.
        self.force_deploy = True
        return await super()._guarded(context, payload)

    def _take_up_stage(self, stage: str) -> None:
        """Set the arguments of the stage.

        :raises Rejected: the application has no such stage any more
        """
        if stage not in self.stages:
            raise Rejected(
                f"{stage} failed, and promotions.yaml has no such stage any more",
                vendor=VENDOR,
                advice="Nothing was brought back. Put the stage back into promotions.yaml and clear this task, or deploy by hand.",
            )
        self.stage, self.terms = stage, self.ways[stage]
        for name, value in self.stages[stage].items():
            setattr(self, name, value)

    def version_in(self, record: Record) -> Version | None:
        """Return the version that is offered."""
        return None if record.offer is None else record.offer.version


class PromotionUtilityOperator(JobStep, FlexDeployExecuteUtilityOperator):
    """Run a utility project before or after the deployment of a stage."""

    kind = Kind.UTILITY
