"""What a failed promotion leaves to roll back, and whether a person is asked or the configuration has said so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from nightshift.promotion.record import PromotionRecord, PromotionStep, Running
from nightshift.promotion.vocabulary import VERIFICATIONS, StepKind, StepState, VerdictWord

if TYPE_CHECKING:
    from nightshift.config.stages import OnFailure

NOT_HERE = frozenset({"rejected", "ambiguous"})
"""Outcomes of a failed attempt at a deployment that leave nothing to roll back: it never ran, or nobody knows whether
it did.
"""
_STAGE_KINDS = frozenset({StepKind.DEPLOY, StepKind.UTILITY, StepKind.FOLDERS, StepKind.SOAK, *VERIFICATIONS}) - {
    StepKind.ROLL_BACK_VERIFICATION
}
SURE = frozenset({"failed", VerdictWord.REFUTED.value})
"""Outcomes by which the version is known to be at fault: FlexDeploy's own word, or that of a check."""


@dataclass(frozen=True)
class WayBack:
    """A stage that failed, and what to bring back there.

    :param to: what ran there before; ``None``: nothing can be brought back
    :param why: what failed; where nothing can be brought back, why not
    :param bad: the step that failed
    """

    stage: str
    to: Running | None
    why: str
    bad: PromotionStep


def roll_back_of(record: PromotionRecord) -> WayBack | None:
    """Return what a failed promotion leaves to roll back; ``None`` where no stage failed after its deployment began."""
    for stage in record.stages:
        steps = [step for step in record.steps if step.stage == stage and step.kind in _STAGE_KINDS]
        bad = next((step for step in steps if step.state in (StepState.FAILED, StepState.STARTED)), None)
        deploy = next(
            (step for step in steps if step.kind is StepKind.DEPLOY and step.state is not StepState.SKIPPED), None
        )
        if bad is None or deploy is None:
            continue
        if (
            deploy.state is StepState.FAILED
            and (deploy.outcome in NOT_HERE or not deploy.requests)
            and not _tried(deploy)
        ):
            return None
        to, why = _brought_back(record, stage, bad, deploy)
        return WayBack(stage, to, why, bad)
    return None


def _tried(deploy: PromotionStep) -> bool:
    """Whether an attempt before a rejection may have changed the stage."""
    return deploy.outcome == "rejected" and not deploy.never_ran


def _brought_back(
    record: PromotionRecord, stage: str, bad: PromotionStep, deploy: PromotionStep
) -> tuple[Running | None, str]:
    """Return what can be brought back, and what failed; or why nothing can."""
    if bad.outcome == VerdictWord.OVERTAKEN:
        return None, f"{bad.words}; what runs in {stage} now is not of this promotion"
    if deploy.state is StepState.DONE and deploy.outcome == "already_deployed":
        return None, f"{bad.words}; {stage} ran {deploy.version} before and still does"
    if not deploy.requests and deploy.state is StepState.STARTED:
        return None, f"{bad.words}; nobody knows whether FlexDeploy was asked to deploy"
    before = record.before.get(stage)
    if before is None:
        why = record.elsewhere.get(stage, f"no record tells what ran in {stage} before")
        return None, f"{bad.words}; {why}"
    if record.version is not None and before.version.id == record.version.id:
        return None, f"{bad.words}; {before.version} is what ran in {stage} before, too"
    return before, bad.words


def response(
    said: OnFailure, bad: PromotionStep, *, revoked: str = "", unapproved: str = ""
) -> tuple[Literal["stop", "offer", "roll_back"], str]:
    """Return what follows where a stage failed and its version from before can be brought back, and why.

    Nothing is brought back unasked unless it is known that the version is at fault, and the one from before is not.

    :param said: what the configuration says
    :param bad: the step that failed
    :param revoked: why the version from before is not to be trusted either
    :param unapproved: why the approval of the stage is not of this rule
    """
    if said != "roll_back":
        return said, f"on_failure: {said}"
    if bad.state is not StepState.FAILED or bad.outcome not in SURE or bad.kind is StepKind.FOLDERS:
        return "offer", f"nobody knows that the version is at fault: {bad.task} {bad.outcome or bad.state}"
    if revoked or unapproved:
        return "offer", revoked or unapproved
    return "roll_back", "on_failure: roll_back"
