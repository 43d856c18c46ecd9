"""The first task of a promotion: read the form, look at the night, wait for the turn, plan."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from nightshift.errors import RateLimited, Unreachable
from nightshift.flexdeploy.lookup import check_names
from nightshift.nights.night import unknown_keys
from nightshift.nights.place import lake_of_this_deployment
from nightshift.promotion.aim import adopt
from nightshift.promotion.deployed import ran_before
from nightshift.promotion.due import due_in, tasks_due
from nightshift.promotion.form import FORM, PromotionRequest, night_of
from nightshift.promotion.history import History
from nightshift.promotion.plan import plan_of, wanted_of
from nightshift.promotion.queue import Queue, QueuePosition
from nightshift.promotion.record import PromotionRecord, Version, now
from nightshift.promotion.reports_seen import seen
from nightshift.promotion.revoked import revocation_of, words_of
from nightshift.promotion.rules.night import IN_VAIN, lacking, promoted_before
from nightshift.promotion.servers import looked_up
from nightshift.promotion.store import Records
from nightshift.promotion.target import targets_of
from nightshift.promotion.turns import Turns
from nightshift.promotion.vocabulary import PromotionOutcome
from nightshift.retries import VendorRetryPolicy

if TYPE_CHECKING:
    from nightshift.config.promotions import Application

PAUSE, PAUSE_AGAIN = 3.0, 20.0
"""Seconds between the looks of the trigger, and after a wake-up that was in vain."""
LONGEST_WAIT = timedelta(hours=1)
"""After that Airflow ends a wait that its triggerer has lost; a retry takes it up again."""


class PromotionBeginOperator(BaseOperator):
    """Decide what is promoted, wait until no other promotion of the application is underway, and write the record.

    A run for a night goes on only if the lake says that every report that the application depends on is published for
    that night and that all of its checks hold, whatever event started the run. A night that was promoted before is not
    promoted again by itself; a person's run always is. While it waits for its turn it holds no worker. Returns
    ``night``, ``stages``, ``plan`` and ``outcome`` (``None``: the promotion goes on).

    :param application: name of the application
    :param config: its part of ``promotions.yaml``
    """

    ui_color = "#dfe7f5"

    def __init__(self, *, application: str, config: Application, **kwargs: Any) -> None:
        super().__init__(**{"retry_policy": VendorRetryPolicy(), **kwargs})
        self.application = application
        self.config = config

    def execute(self, context: Context) -> dict[str, Any]:
        """Look once; see the class."""
        return self._look(context, again=False)

    def look_again(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Look again after a wait; woken in vain, as long as FlexDeploy works on what the run before left, it waits
        longer.
        """
        return self._look(context, again=True)

    def _look(self, context: Context, *, again: bool) -> dict[str, Any]:
        try:
            request, night = self._request_of(context)
            stages = request.stages_of([stage.label for stage in self.config.stages])
        except ValueError as error:
            raise AirflowFailException(str(error)) from None
        # Whatever event started this run: only the lake says whether the night is complete.
        reports = seen(lake_of_this_deployment(), self.config.after, night)
        if night is not None and (why := lacking(reports)):
            raise AirflowFailException(
                f"The night {night} is not complete: {', '.join(why)}. Nothing was built. Bring these reports home and "
                "clear this task; or start a run without a night."
            )
        returned = asyncio.run(self._begin(context, request, night, stages, tuple(reports), look_up_names=not again))
        if returned is not None:
            return returned
        from nightshift.promotion.triggers import TurnTrigger

        raise TaskDeferred(
            trigger=TurnTrigger(
                self.application,
                context["ti"].run_id,
                supersedable=self.config.newer == "supersede" and night is not None,
                interval=PAUSE_AGAIN if again else PAUSE,
            ),
            method_name="look_again",
            timeout=LONGEST_WAIT,
        )

    def _request_of(self, context: Context) -> tuple[PromotionRequest, str | None]:
        run = context["dag_run"]
        if unknown := unknown_keys(run.conf, FORM):
            raise ValueError(f"Unknown field in the run's conf: {', '.join(unknown)}. Valid: {', '.join(FORM)}.")
        request = PromotionRequest.of(context["params"])
        request.check()
        return request, night_of(run.partition_key, request)

    async def _begin(
        self,
        context: Context,
        request: PromotionRequest,
        night: str | None,
        stages: Sequence[str],
        reports: tuple[Any, ...],
        *,
        look_up_names: bool,
    ) -> dict[str, Any] | None:
        """Return what the task returns; ``None``: it is not our turn yet."""
        lake = lake_of_this_deployment()
        records = Records(lake, self.application)
        known = await records.read(context["dag_run"].run_id)
        record = self._record(context, known, request, night)
        due = due_in(tasks_due(self.config), stages)
        record = record.changed(reports=reports, stages=tuple(stages), due=due)
        if why := await self._out_of_order(records, request) or await self._revoked(records, record):
            raise AirflowFailException(why)
        if look_up_names:
            await self._check_names(record)
        if request.dry_run:
            record = await self._planned(await History.read(records), request, record)
            return await self._written(records, known, record.close(PromotionOutcome.DRY_RUN, "a dry run"))
        queue = Queue(context, records, Turns(lake, self.application), self.config)
        match await queue.look(record):
            case QueuePosition.WAITS:
                return None
            case QueuePosition.SUPERSEDED:
                record = record.changed(superseded_by=queue.newer.run_id if queue.newer else None)
                return await self._written(
                    records, known, record.close(PromotionOutcome.SUPERSEDED, "a newer night came first")
                )
        # What a person said in the form was said then, not when the turn came: it pardons nothing that was found since.
        record = record.changed(turn=queue.number, opened=min(record.opened, queue.opened or record.opened))
        history = await History.read(records)
        if why := await self._in_vain(context, history, record):
            returned = await self._written(records, known, record.close(PromotionOutcome.SKIPPED, why))
            await queue.turns.leave(record.run_id)
            return returned
        record = await self._planned(history, request, record)
        returned = await self._written(records, known, record)
        await queue.turns.leave(record.run_id)
        return returned

    async def _check_names(self, record: PromotionRecord) -> None:
        """Look up what the configuration names at FlexDeploy, before anything is built.

        :raises AirflowFailException: FlexDeploy does not have it; says what there is
        """
        from nightshift.flexdeploy.hook import FlexDeployHook

        try:
            async with FlexDeployHook(self.config.connection) as hook:
                mistakes = await check_names(hook, wanted_of(self.config, record))
        except (Unreachable, RateLimited) as error:
            self.log.warning("FlexDeploy could not be asked for the names in promotions.yaml: %s", error)
            return
        if mistakes:
            raise AirflowFailException(
                f"FlexDeploy does not have what promotions.yaml names. {'; '.join(mistakes)}. Nothing was built. "
                f"Correct promotions.yaml, or let the user of the connection {self.config.connection} see these in "
                "FlexDeploy; then clear this task."
            )

    def _record(
        self, context: Context, known: PromotionRecord | None, request: PromotionRequest, night: str | None
    ) -> PromotionRecord:
        """Return the record of this run: of an earlier attempt, taken up again, or a new one.

        :param known: as it was read
        """
        run = context["dag_run"]
        given = None if request.version_id is None else Version(id=request.version_id)
        if known is not None:
            return known.changed(
                closed=None, outcome=None, reason="", superseded_by=None, form=request.as_json(), version=given
            )
        by_person = run.run_type == "manual"
        # What a person says in the form is said then, however long this task has been queued or has failed since.
        opened = min(now(), run.run_after) if by_person else now()
        return PromotionRecord(
            application=self.application,
            dag_id=self.dag_id,
            run_id=run.run_id,
            night=night,
            by=getattr(run, "triggering_user_name", None) if by_person else None,
            form=request.as_json(),
            opened=opened,
            version=given,
        )

    async def _in_vain(self, context: Context, history: History, record: PromotionRecord) -> str:
        """Return why a night is not promoted although it is sound; empty where it is."""
        if record.night is None:
            return ""
        by_person = context["dag_run"].run_type == "manual"
        older = self.config.older == "skip"
        for one in history.index.whole():
            if one.run_id == record.run_id or one.turn is None or one.outcome in IN_VAIN:
                continue
            if one.night != record.night and not (older and one.deployed and (one.night or "") > record.night):
                continue
            other = await history.records.read(one.run_id)
            if other is not None and (why := promoted_before(self.config, record, other, by_person=by_person)):
                return why
        return ""

    async def _out_of_order(self, records: Records, request: PromotionRequest) -> str:
        """Return why the first stage may not take the version that was given; empty where it may."""
        labels = self._stages()
        first = labels.index(request.from_stage) if request.from_stage else 0
        if first == 0 or request.version_id is None or request.emergency:
            return ""
        before = labels[first - 1]
        history = await History.read(records)
        if await history.has_passed(before, request.version_id, of=await looked_up(self.config)):
            return ""
        was = await history.has_passed(before, request.version_id)
        as_is = f" as it is configured now ({targets_of(self.config)[before].words})" if was else ""
        return (
            f"no record tells that version {request.version_id} has got through {before}{as_is}, so {labels[first]} "
            f"does not take it. Nothing was deployed. Give From stage {before} or an earlier one; in an emergency, give "
            "the reason in the field Emergency."
        )

    async def _revoked(self, records: Records, record: PromotionRecord) -> str:
        """Return why a version that was given goes to no stage; empty where it may."""
        if record.version is None or (said := await revocation_of(records, record.version, record)) is None:
            return ""
        return (
            f"{words_of(said, record.version)}. Nothing was deployed. Build a version that is put right; where this "
            "one may go on all the same, give From stage, and the reason in the field Emergency."
        )

    async def _planned(self, history: History, request: PromotionRequest, record: PromotionRecord) -> PromotionRecord:
        targets = await looked_up(self.config)
        await adopt(history.records, targets)
        doubts = await history.doubts(but=record.run_id, whole=True, of=targets)
        there = await history.running(self._stages(), of=targets)
        before = await ran_before(there, doubts, self.config.connection)
        if record.version is not None and record.version.name is None:
            server = next((one.server for one in targets.values()), "")
            record = record.changed(version=await history.named(record.version, server=server))
        record = record.changed(
            targets=targets,
            before=before,
            elsewhere=await history.elsewhere(targets),
            doubted={stage: one.step.order or (0, 0) for stage, one in doubts.items()},
        )
        plan = plan_of(self.config, request, record, before, doubts)
        for line in plan:
            self.log.info("Plan: %s", line)
        return record.changed(plan=plan)

    async def _written(
        self, records: Records, known: PromotionRecord | None, record: PromotionRecord
    ) -> dict[str, Any]:
        await records.rewrite(record, read=known)
        if record.outcome is not None:
            self.log.info("%s: %s", record.outcome, record.reason)
        outcome = None if record.outcome is None else str(record.outcome)
        return {"night": record.night, "stages": list(record.stages), "plan": list(record.plan), "outcome": outcome}

    def _stages(self) -> list[str]:
        return [stage.label for stage in self.config.stages]
