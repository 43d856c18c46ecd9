"""The approval of a roll-back that nobody is asked for, because configuration and stage approval have said so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nightshift.nights.place import lake_of_this_deployment
from nightshift.promotion.record import StepState
from nightshift.promotion.recorder import run_now
from nightshift.promotion.roll_back_approval import RollBackApprovalOperator
from nightshift.promotion.store import Records

if TYPE_CHECKING:
    from airflow.sdk import Context

    from nightshift.promotion.record import PromotionRecord

BY_RULE = "on_failure: roll_back"
"""Outcome of an approval that nobody was asked for."""


class RollBackRuleOperator(RollBackApprovalOperator):
    """Ask whether a failed stage is rolled back, unless the record's offer is one of the rule ``on_failure:
    roll_back``.

    Then it writes down who approved that rule: whoever approved the stage, as whose terms it was shown.
    """

    def execute(self, context: Context) -> Any:
        """Write down the rule, or ask."""
        record = run_now(Records(lake_of_this_deployment(), self.application).read(context["ti"].run_id))
        if record is None or record.offer is None or record.offer.rule != "roll_back":
            return super().execute(context)
        return run_now(self._by_rule(context))

    async def _by_rule(self, context: Context) -> dict[str, Any]:
        recorder = await self._recorder(context)
        record: PromotionRecord = await recorder.begin()
        offer, version = record.offer, self.version_in(record)
        by = offer.by if offer is not None else None
        await recorder.end(
            StepState.DONE,
            outcome=BY_RULE,
            by=by,
            version=version,
            terms=self.own_terms(record).digest(record, version),
            detail=offer.why if offer is not None else "",
        )
        self.log.info("%s is brought back by the rule %s, approved by %s", version, BY_RULE, by or "the configuration")
        return {"answer": BY_RULE, "by": by}
