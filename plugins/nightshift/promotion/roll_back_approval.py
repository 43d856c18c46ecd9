"""The approval of a roll-back: by people in the Airflow UI, or by the rule ``on_failure: roll_back``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nightshift.errors import Rejected
from nightshift.nights.place import lake_of_this_deployment
from nightshift.promotion.approval_operator import PromotionApprovalOperator
from nightshift.promotion.question import roll_back_summary
from nightshift.promotion.record import PromotionRecord, Version
from nightshift.promotion.recorder import StepRecorder, run_now
from nightshift.promotion.revoked import revoked_before
from nightshift.promotion.store import Records
from nightshift.promotion.terms import Terms
from nightshift.promotion.vocabulary import StepKind, StepState

if TYPE_CHECKING:
    from airflow.sdk import Context

    from nightshift.promotion.question import Doubts


BY_RULE = "on_failure: roll_back"
"""Outcome of an approval that nobody was asked for."""


class RollBackApprovalOperator(PromotionApprovalOperator):
    """Ask a person whether a failed stage is to run the version from before again: what the record offers.

    Those who may approve the stage answer; where it names nobody, those that ``roll_back`` names. Where the offer is
    one of the rule ``on_failure: roll_back``, nobody is asked: it is written down who approved the rule, with the
    stage. A version that was revoked since the offer is asked for, whatever the rule says, and nobody's silence is a
    yes to it.

    :param ways: stage → what an answer allows
    :param approvers: stage → ids of the users who may approve that it is brought back
    """

    kind = StepKind.ROLL_BACK_APPROVAL

    def __init__(self, *, ways: Mapping[str, Terms], approvers: Mapping[str, Sequence[str]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ways = ways
        self.approvers = approvers

    def execute(self, context: Context) -> Any:
        """Write down the rule, or ask."""
        record = run_now(self._looked_at(context))
        if record is None or record.offer is None or record.offer.rule != "roll_back":
            return super().execute(context)
        return run_now(self._by_rule(context))

    async def _looked_at(self, context: Context) -> PromotionRecord | None:
        """Return the record, with what is known by now of the version that it offers."""
        records = Records(lake_of_this_deployment(), self.application)
        record = await records.read(context["ti"].run_id)
        if record is None or record.offer is None:
            return record
        offer, revoked = record.offer, await revoked_before(records, record, record.offer.version)
        if revoked in ("", offer.revoked):
            return record
        self.log.info("It is asked for: %s", revoked)
        return await records.rewrite(
            record.changed(offer=offer.changed(rule="offer", by=None, revoked=revoked)), read=record
        )

    async def _by_rule(self, context: Context) -> dict[str, Any]:
        recorder = await self._recorder(context)
        record: PromotionRecord = await recorder.begin()
        offer, version = record.offer, self.version_in(record)
        if offer is None or offer.rule != "roll_back":
            raise Rejected("the offer to roll back has changed meanwhile", advice="Clear this task: it looks again.")
        await recorder.end(
            StepState.DONE,
            outcome=BY_RULE,
            by=offer.by,
            version=version,
            terms=self.own_terms(record).digest(record, version),
            detail=offer.why,
        )
        self.log.info("%s is brought back by %s, approved by %s", version, BY_RULE, offer.by or "the configuration")
        return {"answer": BY_RULE, "by": offer.by}

    def summarize(self, record: PromotionRecord, now_running: Mapping[str, Any], doubts: Doubts) -> tuple[str, str]:
        """Return subject and body of the question."""
        if record.offer is None:
            raise LookupError("the record offers no way back, so there is nothing to ask for")
        return roll_back_summary(record, record.offer, now_running, self.own_terms(record), doubts)

    def version_in(self, record: PromotionRecord) -> Version | None:
        """Return the version that is brought back."""
        return None if record.offer is None else record.offer.version

    def own_terms(self, record: PromotionRecord) -> Terms:
        """Return what an answer allows."""
        if record.offer is None or record.offer.stage not in self.ways:
            return Terms(record.offer.stage if record.offer else "", {})
        return self.ways[record.offer.stage].back(record.offer)

    def _unanswered_end(self, context: Context, recorder: StepRecorder, event: Mapping[str, Any]) -> dict[str, Any]:
        """End without enough answers; nothing that was revoked comes back without a person's word."""
        offer = run_now(recorder.read()).offer
        if offer is not None and offer.revoked and self.APPROVE in event.get("chosen_options", ()):
            event = {**event, "chosen_options": [self.REJECT]}
        return super()._unanswered_end(context, recorder, event)

    async def stage_of(self, context: Context) -> str | None:
        """Return the stage that is offered."""
        record = await Records(lake_of_this_deployment(), self.application).read(context["ti"].run_id)
        return record.offer.stage if record is not None and record.offer is not None else None

    def answerers(self, stage: str | None) -> Sequence[str]:
        """Return those who may approve the stage."""
        return self.approvers.get(stage or "", self.users)
