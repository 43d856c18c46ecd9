"""What a promotion brought, or tried to bring, to each stage, and how that is judged: what the figures are made of."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum

import msgspec

from nightshift.flexdeploy.vocabulary import WorkOutcome
from nightshift.promotion.record import PromotionRecord, PromotionStep, Verdict, place
from nightshift.promotion.rules.way_back import NOT_HERE
from nightshift.promotion.vocabulary import CHANGES_A_STAGE, StepKind, StepState, VerdictWord

_NOT_AFTER_A_DEPLOYMENT = frozenset(
    {
        StepKind.APPROVAL,
        StepKind.WINDOW,
        StepKind.ROLL_BACK_APPROVAL,
        StepKind.ROLL_BACK,
        StepKind.ROLL_BACK_VERIFICATION,
    }
)
"""Kinds of steps that say nothing of what was deployed."""


class DeliveryVerdict(StrEnum):
    """How a delivery is judged, from the record alone."""

    GOOD = "good"
    FAILED = "failed"
    """Its deployment failed, or what had to follow it in the stage; or it was refuted later, or rolled back."""
    OPEN = "open"
    """Deployed; what has to follow it in the stage has not ended."""
    DOUBT = "doubt"
    """Nobody knows whether it was deployed, or whether what had to follow it ended well."""


class DeliveryKind(StrEnum):
    """How a version came to a stage."""

    DEPLOYED = "deployed"
    ALREADY_THERE = "already_there"
    """FlexDeploy had nothing to do: no deployment, but its word that the stage runs this version."""
    ROLLED_BACK = "rolled_back"


class Delivery(msgspec.Struct, frozen=True, array_like=True):
    """A version that FlexDeploy was asked to bring to a stage.

    :param stage: label of the stage
    :param version_id: FlexDeploy's ``projectVersionId``; ``None`` where the record does not tell it
    :param version: the version, in words
    :param at: when FlexDeploy was through with it, as the record has it; of a doubt, when it began
    :param failed: when it was known to have failed, of one that did
    """

    stage: str
    version_id: int | None
    version: str
    kind: DeliveryKind
    verdict: DeliveryVerdict
    at: datetime
    failed: datetime | None = None


def deliveries_of(record: PromotionRecord) -> Iterator[Delivery]:
    """Yield what a promotion brought to its stages.

    A stage has one deployment and one roll-back at most in a record, whatever was cleared: a task that is done again
    takes the place of what it was before. What FlexDeploy never began (skipped, refused, rejected there, still in the
    queue) is none. A verdict that refuted a deployment stays, whatever was cleared since; where the checks hold again,
    the stage is told to be good again from then on.
    """
    for number, step in enumerate(record.steps):
        if step.stage is None or step.kind not in CHANGES_A_STAGE:
            continue
        if (verdict := _own_verdict(record, step)) is None:
            continue
        failed, again = (step.ended if verdict is DeliveryVerdict.FAILED else None), None
        if verdict is DeliveryVerdict.GOOD:
            verdict, failed, again = _verdict_of_stage(record, step, record.steps[number + 1 :])
        version = step.version or (record.version if step.kind is StepKind.DEPLOY else None)
        delivery = Delivery(
            stage=step.stage,
            version_id=None if version is None else version.id,
            version="" if version is None else version.name or f"id {version.id}",
            kind=_kind(step),
            verdict=verdict,
            at=step.ended or step.started,
            failed=failed,
        )
        yield delivery
        if again is not None:
            good = {"kind": DeliveryKind.ALREADY_THERE, "verdict": DeliveryVerdict.GOOD, "at": again, "failed": None}
            yield msgspec.structs.replace(delivery, **good)


def _kind(step: PromotionStep) -> DeliveryKind:
    if step.kind is StepKind.ROLL_BACK:
        return DeliveryKind.ROLLED_BACK
    here = step.outcome == WorkOutcome.ALREADY_DEPLOYED
    return DeliveryKind.ALREADY_THERE if here else DeliveryKind.DEPLOYED


def _own_verdict(record: PromotionRecord, step: PromotionStep) -> DeliveryVerdict | None:
    """Return how a deployment itself ended; ``None`` where FlexDeploy did none, or has not ended."""
    asked = bool(step.requests) or step.asked is not None
    match step.state:
        case StepState.DONE:
            return DeliveryVerdict.GOOD
        case StepState.STARTED if asked and record.closed is not None:
            return DeliveryVerdict.DOUBT
        case StepState.FAILED if step.outcome == "ambiguous" or (asked and not step.requests):
            return DeliveryVerdict.DOUBT
        case StepState.FAILED if asked and step.outcome not in NOT_HERE:
            return DeliveryVerdict.FAILED
    return None


def _verdict_of_stage(
    record: PromotionRecord, deployment: PromotionStep, after: tuple[PromotionStep, ...]
) -> tuple[DeliveryVerdict, datetime | None, datetime | None]:
    """Return how a stage fared after a deployment or a roll-back that ended well, when it failed, and since when it is
    good again.

    :param after: the steps behind it, in the order in which they first began
    """
    since = deployment.ended or deployment.started
    steps = [step for step in after if step.stage == deployment.stage]
    if deployment.kind is StepKind.ROLL_BACK:
        follow, back = [step for step in steps if step.kind is StepKind.ROLL_BACK_VERIFICATION], list[datetime]()
    else:
        follow = [step for step in steps if step.kind not in _NOT_AFTER_A_DEPLOYMENT]
        done = [step for step in steps if step.kind is StepKind.ROLL_BACK and step.state is StepState.DONE]
        back = [step.started for step in done if step.place >= place(deployment.order, since)]
    refuted, verified = _checked(record, deployment, since)
    bad = [step.ended or step.started for step in follow if step.state is StepState.FAILED]
    known = min([*bad, *refuted, *back], default=None)
    open_end = any(step.state is StepState.STARTED for step in follow) or _lacks(record, deployment)
    if known is not None:
        # Checked anew after a clear, and found good: what follows it is told by the steps.
        again = verified if not bad and not back and not open_end and verified and verified > max(refuted) else None
        return DeliveryVerdict.FAILED, known, again
    if open_end:
        return (DeliveryVerdict.OPEN if record.closed is None else DeliveryVerdict.DOUBT), None, None
    return DeliveryVerdict.GOOD, None, None


def _checked(
    record: PromotionRecord, deployment: PromotionStep, since: datetime
) -> tuple[list[datetime], datetime | None]:
    """Return when a deployment was refuted, and when it was verified last."""
    about = (deployment.stage, deployment.version.id if deployment.version else None)
    said = [one for one in record.verdicts if (one.stage, one.version.id) == about and one.at >= since]
    found = [one for one in said if _is_of_kind(one, deployment)]
    refuted = [one.at for one in found if one.word is VerdictWord.REFUTED]
    return refuted, max((one.at for one in found if one.word is VerdictWord.VERIFIED), default=None)


def _is_of_kind(verdict: Verdict, deployment: PromotionStep) -> bool:
    """Whether a verdict says something of a deployment, or of a roll-back; a person's word can be on either, and names
    what it is about.
    """
    if verdict.about is not None and deployment.order is not None:
        return verdict.about == deployment.order
    is_back = verdict.kind is StepKind.ROLL_BACK_VERIFICATION
    return is_back == (deployment.kind is StepKind.ROLL_BACK)


def _lacks(record: PromotionRecord, deployment: PromotionStep) -> bool:
    """Whether something that has to verify it has not been done."""
    name = deployment.stage if deployment.kind is StepKind.DEPLOY else f"roll_back.{deployment.stage}"
    steps = [record.step(task) for task in record.due.get(name or "", ())]
    return any(step is None or step.state is StepState.SKIPPED for step in steps)
