"""The promotion of an Exago folder as a step of an application's promotion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nightshift.exago.promote_operator import ExagoPromoteFolderOperator
from nightshift.promotion.keeper import StepKeeper
from nightshift.promotion.record import Kind, State

if TYPE_CHECKING:
    from airflow.sdk import Context

    from nightshift.promotion.terms import Terms


class PromotionFoldersOperator(ExagoPromoteFolderOperator):
    """Make the candidate folder the live one, once the stage is deployed; the archive keeps the old one by its night.

    :param application: name of the application
    :param stage: label of the stage
    :param terms: what the approval before it has to be of
    """

    def __init__(self, *, application: str, stage: str, terms: Terms | None = None, **kwargs: Any) -> None:
        super().__init__(night=None, **kwargs)
        self.application = application
        self.stage = stage
        self.terms = terms

    async def aexecute(self, context: Context) -> dict[str, Any]:
        """Promote the folder, and tell the record."""
        keeper = StepKeeper(context, self.application, kind=Kind.FOLDERS, stage=self.stage, terms=self.terms)
        record = await keeper.begin()
        self.night = record.night or record.opened.date().isoformat()
        try:
            told = await super().aexecute(context)
        except BaseException as error:
            await keeper.end(State.FAILED, outcome=type(error).__name__, detail=str(error))
            raise
        await keeper.end(State.DONE, outcome=told["outcome"], detail="; ".join(told.get("remarks", ())))
        return told
