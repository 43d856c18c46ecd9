"""What a promotion brought, or tried to bring, to each stage, and how that is judged: what the figures are made of."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum

import msgspec

from nightshift.flexdeploy.vocabulary import WorkOutcome
from nightshift.promotion.record import PromotionRecord, PromotionStep, StepKind, StepState
from nightshift.promotion.rules.progress import NOT_HERE

_BEFORE = frozenset({StepKind.APPROVAL, StepKind.WINDOW, StepKind.ROLL_BACK_APPROVAL, StepKind.ROLL_BACK})
"""Kinds of steps that say nothing of what was deployed."""


class DeliveryVerdict(StrEnum):
    """How a delivery is judged, from the record alone."""

    GOOD = "good"
    FAILED = "failed"
    """Its deployment failed, or what had to follow it in the stage, or it was rolled back."""
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
    queue) is none.
    """
    for number, step in enumerate(record.steps):
        if step.stage is None or step.kind not in (StepKind.DEPLOY, StepKind.ROLL_BACK):
            continue
        if (verdict := _own_verdict(record, step)) is None:
            continue
        failed = step.ended if verdict is DeliveryVerdict.FAILED else None
        if step.kind is StepKind.DEPLOY and verdict is DeliveryVerdict.GOOD:
            verdict, failed = _verdict_of_stage(record, step, record.steps[number + 1 :])
        version = step.version or (record.version if step.kind is StepKind.DEPLOY else None)
        yield Delivery(
            stage=step.stage,
            version_id=None if version is None else version.id,
            version="" if version is None else version.name or f"id {version.id}",
            kind=_kind(step),
            verdict=verdict,
            at=step.ended or step.started,
            failed=failed,
        )


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
    record: PromotionRecord, deploy: PromotionStep, after: tuple[PromotionStep, ...]
) -> tuple[DeliveryVerdict, datetime | None]:
    """Return how a stage fared after its deployment, and when it failed.

    :param after: the steps behind the deployment, in the order in which they first began
    """
    steps = [step for step in after if step.stage == deploy.stage]
    back = [step.started for step in steps if step.kind is StepKind.ROLL_BACK and step.state is StepState.DONE]
    back = [began for began in back if began >= (deploy.ended or deploy.started)]
    follow = [step for step in steps if step.kind not in _BEFORE]
    bad = [step.ended or step.started for step in follow if step.state is StepState.FAILED]
    if bad or back:
        return DeliveryVerdict.FAILED, min(bad or back)
    if any(step.state is StepState.STARTED for step in follow):
        return (DeliveryVerdict.OPEN if record.closed is None else DeliveryVerdict.DOUBT), None
    return DeliveryVerdict.GOOD, None
