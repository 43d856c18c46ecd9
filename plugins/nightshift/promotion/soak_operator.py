"""The soak: how long a version stays in a stage before it is verified once more and the next stage may ask."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from nightshift.config.scalars import duration_text
from nightshift.nights.place import lake_of_this_deployment
from nightshift.promotion.deployed import deployed_by, overtaken
from nightshift.promotion.holds import holds
from nightshift.promotion.recorder import StepRecorder, run_now
from nightshift.promotion.rules.verification import reported_failure, soak_end
from nightshift.promotion.triggers import SoakTrigger
from nightshift.promotion.verification_operators import Observation, conclude, verdict_of
from nightshift.promotion.vocabulary import StepKind, StepState, VerdictWord
from nightshift.retries import VendorRetryPolicy

if TYPE_CHECKING:
    from airflow.sdk import Context

    from nightshift.promotion.terms import Terms

HELD = timedelta(minutes=1)
"""Time between two looks at a hold that stands when the soak would end."""


class SoakOperator(BaseOperator):
    """Wait without a worker until a version has been long enough in its stage.

    It ends at a moment that follows from the record alone: so long after the deployment and its verification, whatever
    crashes or is cleared meanwhile. A failure that a person reports ends it at once; a hold lets it go on and keeps it
    from ending.

    :param application: name of the application
    :param stage: label of the stage
    :param length: how long
    :param terms: what the approval before it has to be of
    """

    ui_color = "#e3f0d8"

    def __init__(
        self, *, application: str, stage: str, length: timedelta, terms: Terms | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**{"retry_policy": VendorRetryPolicy(), **kwargs})
        self.application = application
        self.stage = stage
        self.length = length
        self.terms = terms

    def execute(self, context: Context) -> dict[str, Any]:
        """Begin; see the class.

        :raises AirflowFailException: a person reported a failure, or somebody else has deployed there meanwhile
        """
        return run_now(self._soak(context, resumed=False))

    def look_again(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Go on after a wait: what is so is read from the record, whatever the event says."""
        return run_now(self._soak(context, resumed=True))

    async def _soak(self, context: Context, *, resumed: bool) -> dict[str, Any]:
        recorder = StepRecorder(context, self.application, kind=StepKind.SOAK, stage=self.stage, terms=self.terms)
        record = await (recorder.read() if resumed else recorder.begin())
        here = deployed_by(record, StepKind.SOAK, self.stage)
        if (reported := reported_failure(record, self.stage)) is not None:
            await recorder.end(StepState.FAILED, outcome=str(reported.word), version=here.version, detail=reported.seen)
            raise AirflowFailException(
                f"{here.version} does not hold in {self.stage}: {reported.words}. Nothing goes on with it. What "
                "follows is what on_failure of the stage says."
            )
        if why := await overtaken(recorder.records, here):
            await conclude(recorder, verdict_of(recorder, here, Observation(VerdictWord.OVERTAKEN, why)))
        until = soak_end(record, self.stage, self.length, here.since)
        wait, why = await self._wait(until)
        if wait is None:
            await recorder.end(StepState.DONE, outcome="soaked", version=here.version, until=until, detail="")
            return {"soaked": duration_text(self.length), "until": until.isoformat()}
        record = await recorder.note(until=until, version=here.version, detail=why)
        self.log.info("%s soaks in %s: %s", here.version, self.stage, why)
        raise TaskDeferred(
            trigger=SoakTrigger(self.application, record.run_id, self.stage, wait.timestamp()), method_name="look_again"
        )

    async def _wait(self, until: datetime) -> tuple[datetime | None, str]:
        """Return until when to wait, and why; ``None``: no longer."""
        at = datetime.now(UTC)
        if at < until:
            return until, f"until {until:%Y-%m-%d %H:%M:%S} UTC"
        if standing := await holds(lake_of_this_deployment(), application=self.application):
            return at + HELD, standing[0].words
        return None, ""
