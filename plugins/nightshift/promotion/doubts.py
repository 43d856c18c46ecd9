"""Work that FlexDeploy may or may not have done: it holds its application until FlexDeploy or a person says how it
ended.

Two promotions never overlap; so the next one does not begin while nobody knows whether the one before still changes a
stage. FlexDeploy's own word ends a doubt by itself (:mod:`nightshift.promotion.queue` asks for it); else, as where
FlexDeploy does not show a workflow request any more, a person does, in the task state store of the task
(:class:`nightshift.jobs.record.Resolution`) or with :func:`settle`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nightshift.jobs.record import RESOLUTION_KEY
from nightshift.promotion.record import PromotionRecord, PromotionStep, RecordedResolution, now
from nightshift.promotion.vocabulary import StepKind, StepState

if TYPE_CHECKING:
    from nightshift.promotion.store import Records
    from nightshift.promotion.turns import Turns

HOLD = frozenset({StepKind.DEPLOY, StepKind.UTILITY, StepKind.ROLL_BACK})
"""Steps that change a stage. A build in doubt changes none: at worst, FlexDeploy has a version more."""
AMBIGUOUS = "ambiguous"
"""Outcome of a step of which only a person can tell whether FlexDeploy did it."""
LONGEST = 1000
"""Characters of what a person says at most."""


@dataclass(frozen=True)
class Doubt:
    """A step of which nobody knows how it ended.

    :param before: the one before it in its stage that is in doubt, too; of another promotion where that was asked about
    """

    run_id: str
    step: PromotionStep
    before: Doubt | None = None

    @property
    def words(self) -> str:
        """What is in doubt, and how a person ends it, for whoever decides next."""
        step = self.step
        which = f" {step.version}" if step.version else ""
        asked = f" (asked for about {step.asked or step.started:%Y-%m-%d %H:%M} UTC)"
        what = (
            f"workflow request {', '.join(map(str, step.requests))}"
            if step.requests
            else "the workflow request, if there is one"
        )
        return (
            f"nobody knows whether FlexDeploy did {step.task}{which} of run {self.run_id}{asked}. Look there for "
            f"{what}. Then open that task in Airflow, tab Task State Store, add the key {RESOLUTION_KEY!r} with the "
            'value {"adopt": "<id>", "by": "<your name>", "why": "<what you saw>"} where it is there, {"over": true, '
            '"by": …, "why": …} where it is not or has ended, and clear the task alone (from Airflow 3.4 on, keep its task '
            "state). Where that task does not run any more, `nightshift settle` or the board takes your word that it "
            "is over"
        )


def doubts_in(record: PromotionRecord) -> list[PromotionStep]:
    """Return the steps of a promotion of which nobody knows how they ended.

    Those that were asked for and whose answer was lost, and those that FlexDeploy did not show when their time was
    over.
    """
    return [step for step in record.steps_of(HOLD) if _is_in_doubt(step)]


def _is_in_doubt(step: PromotionStep) -> bool:
    if step.state not in (StepState.STARTED, StepState.FAILED) or (step.said is not None and step.said.word == "over"):
        return False
    return step.asked is not None or (step.state is StepState.FAILED and step.outcome == AMBIGUOUS)


def unproven(record: PromotionRecord) -> list[PromotionStep]:
    """Return the steps of a promotion that its record does not tell the end of, so that a person's word may be needed:
    those in doubt, and those whose workflow requests FlexDeploy is asked for, and may not show.
    """
    return [step for step in record.steps if _is_unproven(step)]


def _is_unproven(step: PromotionStep) -> bool:
    settled = step.said is not None and step.said.word == "over"
    return (step.kind in HOLD and _is_in_doubt(step)) or (step.is_in_flight and not settled)


async def doubts_of(records: Records, turns: Turns) -> list[Doubt]:
    """Return what holds an application, or may hold it.

    Nobody begins while something is in doubt; so only the newest turn that was used can have left a doubt. It reads
    that turn and its record, and one pair more for each turn after it that was taken and never used.
    """
    turn = await turns.latest()
    while turn is not None:
        record = await records.read(turn.run_id)
        if record is not None and record.turn is not None and record.turn >= turn.number:
            return [Doubt(record.run_id, step) for step in unproven(record)]
        turn = await turns.before(turn)
    return []


async def settle(records: Records, run_id: str, task: str, *, by: str, why: str) -> PromotionRecord:
    """Write down that a person has looked: what was in doubt is over at FlexDeploy, one way or the other.

    The application is free for the next promotion then, unless FlexDeploy shows that it is not over. What runs in the
    stage stays told as in doubt, until something is deployed there.

    :param task: id of the task in doubt, such as ``TEST.deploy``
    :raises ValueError: nobody or nothing is named, or the step is not in doubt
    :raises Contended: others write the same record again and again
    """
    by, why = by.strip(), " ".join(why.split())
    if not by or not why or len(why) > LONGEST:
        raise ValueError(
            f"a doubt is settled by somebody who says what was seen: give by and why, in at most {LONGEST} characters"
        )

    def settled(record: PromotionRecord | None) -> PromotionRecord:
        step = record.step(task) if record is not None else None
        if record is None or step is None or not _is_unproven(step):
            raise ValueError(f"{task} of {run_id} is not in doubt")
        if not may_settle(record, step):
            raise ValueError(
                f"the promotion of {run_id} is underway by its record: clear its task, or let the next promotion, "
                "which closes the record of a run that has ended, wait for its turn"
            )
        said = RecordedResolution(word="over", by=by, why=why, at=now())
        return record.with_step(step.changed(said=said, asked=None))

    return await records.change(run_id, settled)


def may_settle(record: PromotionRecord, step: PromotionStep) -> bool:
    """Whether nothing of a promotion is at work on a step in doubt any more, so that a person's word can end it."""
    return record.closed is not None or step.state is StepState.FAILED
