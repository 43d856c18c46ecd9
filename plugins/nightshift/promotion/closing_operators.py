"""The end of a promotion: what to offer where a stage failed, and the last word in the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseAsyncOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from nightshift.nights.place import lake_of_this_deployment
from nightshift.promotion.history import History
from nightshift.promotion.index import keep_index
from nightshift.promotion.record import Offer, PromotionRecord
from nightshift.promotion.revoked import revoked_before
from nightshift.promotion.rules.progress import approval_of, in_flight, other_terms, outcome_of, stage_lines
from nightshift.promotion.rules.way_back import response, roll_back_of
from nightshift.promotion.servers import asked_of, at_work
from nightshift.promotion.store import Records
from nightshift.promotion.turns import Turns
from nightshift.promotion.vocabulary import PromotionOutcome, StepState
from nightshift.retries import VendorRetryPolicy

if TYPE_CHECKING:
    from airflow.sdk import Context

    from nightshift.config.stages import OnFailure
    from nightshift.promotion.terms import Terms

FAILED_TASK = frozenset({"failed", "upstream_failed"})
BAD_OUTCOMES = frozenset({PromotionOutcome.FAILED, PromotionOutcome.ROLLED_BACK})


class RollBackOfferOperator(BaseAsyncOperator):
    """Say whether a failed stage can be rolled back, and to what; skipped where nothing failed or nothing can be.

    What is offered goes into the record, where no mark, no XCom and no other run can change it. Returns it as well, for
    people.

    Where the configuration says that a stage is rolled back without a question, and its approval was of that rule, the
    offer says so; else a person is asked.

    :param application: name of the application
    :param conn_id: id of FlexDeploy's connection
    :param on_failure: stage → what follows where it fails
    :param terms: stage → what its approval has to be of
    """

    ui_color = "#f5dcdc"

    def __init__(
        self,
        *,
        application: str,
        conn_id: str,
        on_failure: Mapping[str, OnFailure],
        terms: Mapping[str, Terms],
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"retry_policy": VendorRetryPolicy(), **kwargs})
        self.application = application
        self.conn_id = conn_id
        self.on_failure = on_failure
        self.terms = terms

    async def aexecute(self, context: Context) -> dict[str, Any]:
        """Look at the record, and at what FlexDeploy still does."""
        records = Records(lake_of_this_deployment(), self.application)
        record = await records.read(context["ti"].run_id)
        failed = [task for task in failed_tasks(context) if not task.startswith("roll_back.")]
        found = roll_back_of(record) if record is not None and failed else None
        if record is not None and record.offer is not None:
            # Of the attempt before a clear: it offers nothing any more.
            record = await records.rewrite(record.changed(offer=None), read=record)
        if record is None or found is None:
            raise AirflowSkipException("No stage failed after its deployment had begun: nothing to roll back.")
        if found.to is None:
            raise AirflowSkipException(f"Nothing can be brought back: {found.why}.")
        said = self.on_failure.get(found.stage, "offer")
        if said == "stop":
            raise AirflowSkipException(f"{found.stage} stays as it is, by on_failure: stop. {found.why}.")
        await self._wait_for_the_vendor(record)
        version = found.to.version
        revoked = await revoked_before(records, record, version)
        rule, why = response(said, found.bad, revoked=revoked, unapproved=self._unapproved(record, found.stage))
        self.log.info("%s can be rolled back to %s (%s): %s", found.stage, version, why, found.why)
        offer = Offer(stage=found.stage, version=version, why=found.why, revoked=revoked)
        if rule == "roll_back":
            offer = offer.changed(rule="roll_back", by=self._approver(record, found.stage))
        await records.rewrite(record.changed(offer=offer), read=record)
        return offer.model_dump()

    def _unapproved(self, record: PromotionRecord, stage: str) -> str:
        terms = self.terms[stage]
        return other_terms(record, approval_of(terms.asks), terms.digest(record, record.version))

    def _approver(self, record: PromotionRecord, stage: str) -> str | None:
        step = record.step(approval_of(self.terms[stage].asks))
        return step.by if step is not None and step.state is StepState.DONE else None

    async def _wait_for_the_vendor(self, record: PromotionRecord) -> None:
        """Refuse to offer anything while the failed deployment may still be at work.

        :raises AirflowFailException: it is
        """
        for step in in_flight(record):
            async with asked_of(step, self.conn_id) as hook:
                if (left := await at_work(step, hook)) is None:
                    continue
                number, status = left
                page = hook.page_of(str(number))
            if status:
                raise AirflowFailException(
                    f"Workflow request {number} of {step.task} is {status} at FlexDeploy. Nothing is rolled back while "
                    f"it goes on: abort it at {page} or let it end, then clear this task with all that follows."
                )
            raise AirflowFailException(
                f"FlexDeploy does not show workflow request {number} of {step.task}, so nobody knows whether it still "
                f"goes on. Nothing is rolled back meanwhile: look at {page}, and where it is over and not shown any "
                "more, say so with `nightshift settle` or on the board; then clear this task with all that follows."
            )


class PromotionCloseOperator(BaseAsyncOperator):
    """Write the last word into the record, give up the turn, and fail the run where the promotion failed.

    Returns ``outcome``, ``reason`` and ``standing`` (what runs in each stage).

    :param application: name of the application
    :param stages: labels of all stages
    """

    ui_color = "#e8ecf8"

    def __init__(self, *, application: str, stages: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**{"retry_policy": VendorRetryPolicy(), **kwargs})
        self.application = application
        self.stages = list(stages)

    async def aexecute(self, context: Context) -> dict[str, Any]:
        """Close; see the class.

        :raises AirflowFailException: the promotion failed; says why, and what runs where
        """
        lake, run_id, failed = lake_of_this_deployment(), context["ti"].run_id, failed_tasks(context)
        records, turns = Records(lake, self.application), Turns(lake, self.application)
        record = await records.read(run_id)
        if record is None:
            await turns.leave(run_id)
            raise AirflowFailException(
                f"Nothing was built or deployed: {', '.join(failed) or 'begin'} failed. Its log says why."
            )
        latest = await turns.latest()
        if record.closed is not None and failed and (latest is None or latest.number != record.turn):
            raise AirflowFailException(
                f"Nothing was done: {', '.join(failed)} failed, and another promotion of this application has had a "
                f"turn since. The record still says how this one ended ({record.outcome}). Clear the task `begin` with "
                "all that follows: it waits for its turn."
            )
        outcome, reason = outcome_of(record, failed)
        history = await History.read(records)
        now_running = await history.running(self.stages, of=record.targets)
        lines = stage_lines(record, now_running, await history.doubts(of=record.targets))
        # Last of all, because from then on another promotion may begin.
        await records.rewrite(record.close(outcome, reason), read=record)
        await turns.leave(run_id)
        await keep_index(records)
        for line in (f"{outcome}: {reason}", *lines):
            self.log.info("%s", line)
        if outcome in BAD_OUTCOMES:
            raise AirflowFailException(
                f"The promotion {'was rolled back' if outcome is PromotionOutcome.ROLLED_BACK else 'failed'}: "
                f"{reason.rstrip('.')}. What runs where: {'; '.join(lines).rstrip('.')}."
            )
        return {"outcome": str(outcome), "reason": reason, "standing": lines}


def failed_tasks(context: Context) -> list[str]:
    """Return the ids of the tasks of this run that have failed."""
    ti: Any = context["ti"]
    states = ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id]).get(ti.run_id, {})
    return sorted(task for task, state in states.items() if str(state) in FAILED_TASK)
