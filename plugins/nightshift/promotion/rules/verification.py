"""Whether a stage is verified and soaked: what its record has to say before anything goes on.

The tasks that are due are in the record since the promotion began. Each has to be done for the version that was
deployed, in their order; where one of them, or the deployment, is done again, those after it have to be done again,
too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from nightshift.promotion.due import SOAK, back_of
from nightshift.promotion.vocabulary import CHANGES_A_STAGE, StepKind, StepState

if TYPE_CHECKING:
    from nightshift.promotion.record import PromotionRecord, PromotionStep, Verdict

BEGINS_A_STAGE = frozenset({StepKind.APPROVAL, StepKind.WINDOW, StepKind.UTILITY, StepKind.DEPLOY})
"""Steps that may come before, or be, the deployment of a stage."""
DONE_AGAIN = "what comes before it was done again"
"""Detail of a step that no longer counts."""


def unverified(record: PromotionRecord, stage: str, tasks: tuple[str, ...] | None = None) -> str:
    """Return why a stage is not verified and soaked for what this promotion brought there; empty where it is, or where
    nothing is due. It begins with the task that has to be cleared.

    :param tasks: some of those that are due; default: all
    """
    due = record.due.get(stage, ()) if tasks is None else tasks
    deploy = deployment_in(record, stage)
    if deploy is None:
        return ""
    for task in due:
        step = record.step(task)
        if step is None:
            return f"{task} was marked in Airflow before it had begun"
        if step.state is not StepState.DONE:
            return f"{task} is not through: its record says {step.outcome or step.state}{_why(step)}"
        if step.kind is not StepKind.SOAK and step.version != deploy.version:
            return f"{task} looked at {step.version}, and {stage} got {deploy.version}"
    return ""


def _why(step: PromotionStep) -> str:
    return f" ({step.detail})" if step.detail else ""


def deployment_in(record: PromotionRecord, stage: str) -> PromotionStep | None:
    """Return the deployment of a stage by this promotion that ended well; of ``roll_back.<stage>``, its roll-back."""
    back = stage.startswith(back_of(""))
    kind, label = (StepKind.ROLL_BACK, stage.removeprefix(back_of(""))) if back else (StepKind.DEPLOY, stage)
    steps = (step for step in record.steps_of({kind}) if step.stage == label and step.state is StepState.DONE)
    return next(steps, None)


def unverified_before(record: PromotionRecord, *, kind: StepKind, stage: str | None, task: str) -> str:
    """Return why a step may not begin, of what has to be verified and soaked before it; empty where it may."""
    if stage is None or stage not in record.stages or kind in (StepKind.ROLL_BACK, StepKind.ROLL_BACK_APPROVAL):
        return ""
    if kind is StepKind.ROLL_BACK_VERIFICATION:
        return ""
    for before in record.stages[: record.stages.index(stage)]:
        if why := unverified(record, before):
            return why
    due = record.due.get(stage, ())
    if task in due:
        return unverified(record, stage, due[: due.index(task)])
    return unverified(record, stage) if kind is StepKind.FOLDERS else ""


def begun_again(record: PromotionRecord, task: str, kind: StepKind, stage: str | None) -> PromotionRecord:
    """Return the record in which what was verified and soaked after a step that begins again no longer counts."""
    name = stage if stage is None or kind is not StepKind.ROLL_BACK else back_of(stage)
    due = record.due.get(name or "", ())
    if kind not in CHANGES_A_STAGE and task not in due:
        return record
    later = due[due.index(task) + 1 :] if task in due else due
    steps = tuple(
        step.changed(state=StepState.SKIPPED, detail=DONE_AGAIN)
        if step.task in later and step.state is StepState.DONE
        else step
        for step in record.steps
    )
    return record.changed(steps=steps)


def soak_end(record: PromotionRecord, stage: str, length: timedelta, deployed: datetime) -> datetime:
    """Return when a soak ends: its length after the deployment and all of the first verification.

    :param deployed: when the deployment had ended
    """
    due, soak = record.due.get(stage, ()), f"{stage}.{SOAK}"
    first = due[: due.index(soak)] if soak in due else ()
    ends = [step.ended for task in first if (step := record.step(task)) is not None and step.ended is not None]
    return max([deployed, *ends]) + length


def reported_failure(record: PromotionRecord, stage: str) -> Verdict | None:
    """Return the word of a person that what this promotion deployed to a stage is bad; ``None``: nobody said so."""
    deploy = deployment_in(record, stage)
    if deploy is None or deploy.version is None or deploy.ended is None:
        return None
    for one in reversed(record.verdicts):
        is_told = one.at >= deploy.ended if None in (one.about, deploy.order) else one.about == deploy.order
        if one.by is not None and (one.stage, one.version.id) == (stage, deploy.version.id) and is_told:
            return one
    return None


@dataclass(frozen=True)
class Proof:
    """How far a stage is verified and soaked, for whoever shows it.

    :param lacks: what is still to be done, or what failed; empty: nothing
    :param seen: what the checks saw, a line each, the newest of each task
    :param soaks_until: when the soak that is underway ends
    """

    stage: str
    lacks: str
    seen: tuple[str, ...]
    soaks_until: datetime | None = None

    @property
    def words(self) -> str:
        """All of it in one line."""
        until = f"soaks until {self.soaks_until:%Y-%m-%d %H:%M} UTC" if self.soaks_until else ""
        return "; ".join(part for part in (*self.seen, until, self.lacks if not until else "") if part)


def proofs(record: PromotionRecord) -> dict[str, Proof]:
    """Return stage → its proof, of the stages that this promotion has deployed to and that have something due."""
    found: dict[str, Proof] = {}
    for stage in record.stages:
        due = record.due.get(stage, ())
        deploy = deployment_in(record, stage)
        if not due or deploy is None or deploy.version is None:
            continue
        said = [one for one in record.verdicts if (one.stage, one.version.id) == (stage, deploy.version.id)]
        newest = {verdict.task: verdict for verdict in said}
        soak = record.step(f"{stage}.{SOAK}")
        waits = soak is not None and soak.state is StepState.STARTED
        seen = [newest[task].words for task in due if task in newest]
        if soak is not None and soak.state is StepState.DONE:
            seen.append(f"soaked until {soak.ended:%Y-%m-%d %H:%M} UTC")
        seen += [newest[stage].words] if stage in newest else []
        found[stage] = Proof(stage, unverified(record, stage), tuple(seen), soak.until if soak and waits else None)
    return found
