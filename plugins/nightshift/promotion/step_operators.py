"""The steps of a stage that FlexDeploy has no part in: the wait for its window, and the folders of Exago."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseAsyncOperator, BaseOperator

from nightshift.config.freezes import NO_FREEZES, FreezeRules
from nightshift.exago.promote_operator import HALF_WAY, ExagoPromoteFolderOperator, is_underway
from nightshift.promotion.gate import Barred, Gate
from nightshift.promotion.recorder import StepRecorder, run_now
from nightshift.promotion.vocabulary import StepKind, StepState
from nightshift.retries import VendorRetryPolicy

if TYPE_CHECKING:
    from airflow.sdk import Context

    from nightshift.config.stages import DeploymentWindow
    from nightshift.promotion.terms import Terms


class PromotionWindowOperator(BaseOperator):
    """Wait, deferred, until the window of a stage is open, and no hold and no freeze is in the way.

    :param application: name of the application
    :param stage: label of the stage
    :param window: its window
    :param supersedable: end the wait when a newer night waits
    :param terms: what the approval before it has to be of
    :param freezes: the freezes that count
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
        freezes: FreezeRules = NO_FREEZES,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"retry_policy": VendorRetryPolicy(), **kwargs})
        self.application = application
        self.stage = stage
        self.window = window
        self.supersedable = supersedable
        self.terms = terms
        self.freezes = freezes

    def execute(self, context: Context) -> None:
        """Look at the gate; wait where it is closed."""
        run_now(self._pass(context))

    def gate_opened(self, context: Context, event: Any = None) -> None:
        """Look again, whatever has ended the wait."""
        run_now(self._gate().answered(context, self._recorder(context), event))
        self.execute(context)

    def look_again(self, context: Context, event: Any = None) -> None:
        """Go on after a wait that an earlier version of this task began."""
        self.execute(context)

    async def _pass(self, context: Context) -> None:
        recorder = self._recorder(context)
        await self._gate().go(context, recorder, await recorder.begin())
        await recorder.end(StepState.DONE, outcome="open")

    def _gate(self) -> Gate:
        return Gate(self.application, self.stage, self.freezes, self.terms, self.window)

    def _recorder(self, context: Context) -> StepRecorder:
        return StepRecorder(
            context,
            self.application,
            kind=StepKind.WINDOW,
            stage=self.stage,
            supersedable=self.supersedable,
            terms=self.terms,
        )


class PromotionFoldersOperator(BaseAsyncOperator):
    """Make the candidate folder the live one, once the stage is deployed; the archive keeps the old one by its night.

    :param application: name of the application
    :param stage: label of the stage
    :param parameters: of :class:`nightshift.exago.promote_operator.ExagoPromoteFolderOperator`, which does it, but the
        night
    :param terms: what the approval before it has to be of
    :param freezes: the freezes that count
    """

    ui_color = ExagoPromoteFolderOperator.ui_color

    def __init__(
        self,
        *,
        application: str,
        stage: str,
        parameters: Mapping[str, Any],
        terms: Terms | None = None,
        freezes: FreezeRules = NO_FREEZES,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.application = application
        self.stage = stage
        self.parameters = dict(parameters)
        self.terms = terms
        self.freezes = freezes

    async def aexecute(self, context: Context) -> dict[str, Any]:
        """Promote the folder, and tell the record."""
        recorder, gate = self._recorder(context), Gate(self.application, self.stage, self.freezes, self.terms)
        record = await recorder.begin()
        # Half-way, users may be without the folder: such a promotion goes on, whoever holds what.
        if not is_underway(context):
            record = await gate.go(context, recorder, record)
        night = record.night or record.opened.date().isoformat()
        folders = ExagoPromoteFolderOperator(
            task_id=self.task_id, night=night, last_look=lambda: gate.let_go(recorder), **self.parameters
        )
        try:
            returned = await folders.aexecute(context)
        except Barred as barred:
            raise await gate.wait(context, recorder, await recorder.read(), barred.barrier) from None
        except BaseException as error:
            await recorder.end(StepState.FAILED, outcome=type(error).__name__, detail=str(error))
            raise
        await recorder.end(StepState.DONE, outcome=returned["outcome"], detail="; ".join(returned.get("remarks", ())))
        return returned

    def gate_opened(self, context: Context, event: Any = None) -> Any:
        """Look again, whatever has ended the wait."""
        gate = Gate(self.application, self.stage, self.freezes, self.terms)
        run_now(gate.answered(context, self._recorder(context), event))
        return self.execute(context)

    def _recorder(self, context: Context) -> StepRecorder:
        return StepRecorder(context, self.application, kind=StepKind.FOLDERS, stage=self.stage, terms=self.terms)

    def on_kill(self) -> None:
        """Say what a person who ends the task must know."""
        self.log.warning(HALF_WAY)
