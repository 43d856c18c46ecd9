"""The steps of a stage that FlexDeploy has no part in: the wait for its window, and the folders of Exago."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseAsyncOperator, BaseOperator
from airflow.sdk.exceptions import TaskDeferred

from nightshift.exago.promote_operator import HALF_WAY, ExagoPromoteFolderOperator
from nightshift.promotion.record import StepKind, StepState
from nightshift.promotion.recorder import StepRecorder, run_now
from nightshift.promotion.rules.window import is_open, next_opening
from nightshift.retries import VendorRetryPolicy

if TYPE_CHECKING:
    from airflow.sdk import Context

    from nightshift.config.stages import DeploymentWindow
    from nightshift.promotion.terms import Terms


class PromotionWindowOperator(BaseOperator):
    """Wait, deferred, until the window of a stage is open.

    :param application: name of the application
    :param stage: label of the stage
    :param window: its window
    :param supersedable: end the wait when a newer night waits for its turn
    :param terms: what the approval before it has to be of
    """

    ui_color = "#dfe7f5"

    def __init__(
        self,
        *,
        application: str,
        stage: str,
        window: DeploymentWindow,
        supersedable: bool = False,
        terms: Terms | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"retry_policy": VendorRetryPolicy(), **kwargs})
        self.application = application
        self.stage = stage
        self.window = window
        self.supersedable = supersedable
        self.terms = terms

    def execute(self, context: Context) -> None:
        """Look at the clock; wait where the window is closed."""
        recorder = StepRecorder(
            context,
            self.application,
            kind=StepKind.WINDOW,
            stage=self.stage,
            supersedable=self.supersedable,
            terms=self.terms,
        )
        record = run_now(recorder.begin())
        at = datetime.now(UTC)
        if is_open(self.window, at):
            run_now(recorder.end(StepState.DONE, outcome="open"))
            return
        from nightshift.promotion.triggers import SupersedeTrigger

        opens = next_opening(self.window, at)
        self.log.info("The window of %s is closed; waiting until %s without a worker", self.stage, opens.isoformat())
        run_now(recorder.note(detail=f"opens {opens.isoformat()}"))
        night = record.night if self.supersedable else None
        raise TaskDeferred(
            trigger=SupersedeTrigger(self.application, night, opens.timestamp()), method_name="look_again"
        )

    def look_again(self, context: Context, event: Any = None) -> None:
        """Look again: the window is open, or a newer night waits."""
        self.execute(context)


class PromotionFoldersOperator(BaseAsyncOperator):
    """Make the candidate folder the live one, once the stage is deployed; the archive keeps the old one by its night.

    :param application: name of the application
    :param stage: label of the stage
    :param parameters: of :class:`nightshift.exago.promote_operator.ExagoPromoteFolderOperator`, which does it, but the
        night
    :param terms: what the approval before it has to be of
    """

    ui_color = ExagoPromoteFolderOperator.ui_color

    def __init__(
        self, *, application: str, stage: str, parameters: Mapping[str, Any], terms: Terms | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.application = application
        self.stage = stage
        self.parameters = dict(parameters)
        self.terms = terms

    async def aexecute(self, context: Context) -> dict[str, Any]:
        """Promote the folder, and tell the record."""
        recorder = StepRecorder(context, self.application, kind=StepKind.FOLDERS, stage=self.stage, terms=self.terms)
        record = await recorder.begin()
        night = record.night or record.opened.date().isoformat()
        folders = ExagoPromoteFolderOperator(task_id=self.task_id, night=night, **self.parameters)
        try:
            returned = await folders.aexecute(context)
        except BaseException as error:
            await recorder.end(StepState.FAILED, outcome=type(error).__name__, detail=str(error))
            raise
        await recorder.end(StepState.DONE, outcome=returned["outcome"], detail="; ".join(returned.get("remarks", ())))
        return returned

    def on_kill(self) -> None:
        """Say what a person who ends the task must know."""
        self.log.warning(HALF_WAY)
