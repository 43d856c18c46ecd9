"""What a promotion may do next, what it brought where, and how it ended."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from nightshift.promotion.doubts import AMBIGUOUS, Doubt
from nightshift.promotion.due import back_of
from nightshift.promotion.record import PromotionRecord, PromotionStep, Running, Version, place
from nightshift.promotion.rules.verification import deployment_in, unverified
from nightshift.promotion.vocabulary import CHANGES_A_STAGE, JOBS, PromotionOutcome, StepKind, StepState

NOTHING_DONE = frozenset({PromotionOutcome.SKIPPED, PromotionOutcome.DRY_RUN})
"""Outcomes that are known before the first step."""
_WAY_BACK = frozenset({StepKind.ROLL_BACK, StepKind.ROLL_BACK_APPROVAL, StepKind.ROLL_BACK_VERIFICATION})


def held_back(record: PromotionRecord, *, kind: StepKind, stage: str | None, upstream: Collection[str]) -> str:
    """Return why a step is not to be done; empty where it is.

    :param upstream: ids of the tasks before it; what later ones said in an earlier attempt does not count
    """
    if record.outcome in NOTHING_DONE:
        return record.reason or f"the promotion is {record.outcome}"
    if kind in _WAY_BACK:
        return _no_way_back(record, kind, stage)
    if record.superseded_by:
        return f"{record.superseded_by}, of a newer night, has taken its place"
    if kind is StepKind.BUILD:
        return f"the version {record.version} was given" if record.form.get("version_id") else ""
    if record.version is None:
        return "nothing was built"
    if stage is not None and stage not in record.stages:
        return f"this promotion goes through {' → '.join(record.stages)} only"
    for step in record.steps_of({StepKind.APPROVAL}, upstream):
        if step.state is StepState.REJECTED:
            return f"{step.stage} was rejected by {step.by or 'nobody in time'}"
    for one in record.stages[: record.stages.index(stage) + 1] if stage is not None else ():
        if (task := approval_of(one)) in upstream and (why := _unapproved(record.step(task), one, record.version)):
            return why
    return ""


def _no_way_back(record: PromotionRecord, kind: StepKind, stage: str | None) -> str:
    """Return why there is nothing to roll back, or why it may not be: the approval has to be of this very offer."""
    if kind is StepKind.ROLL_BACK_VERIFICATION:
        return "" if deployment_in(record, back_of(stage or "")) else f"nothing was brought back to {stage}"
    if (offer := record.offer) is None:
        return "no way back is offered"
    if kind is StepKind.ROLL_BACK_APPROVAL:
        return ""
    asked = next(iter(record.steps_of({StepKind.ROLL_BACK_APPROVAL})), None)
    if why := _unapproved(asked, "the roll-back", offer.version):
        return why
    if asked is not None and asked.stage != offer.stage:
        return f"the roll-back was approved for {asked.stage}, not for {offer.stage}; clear its approval to ask again"
    return ""


def other_terms(record: PromotionRecord, approval: str, digest: str) -> str:
    """Return why an approval does not hold for what would be done now; empty where it does, or where there is none."""
    step = record.step(approval)
    if step is None or step.state is not StepState.DONE or step.terms == digest:
        return ""
    return (
        f"what {step.by or 'nobody in time'} approved in {approval} is not what would be done now: the configuration, "
        "the form or the version has changed since"
    )


def unfinished(record: PromotionRecord, *, kind: StepKind, stage: str | None, upstream: Collection[str]) -> str:
    """Return the step before this one whose end nobody has seen, although Airflow says that its task is through; empty
    where there is none. A person can mark any task, at any time.

    :param kind: what the step does that is to be done now
    """
    if record.outcome in NOTHING_DONE or record.superseded_by or kind in _WAY_BACK:
        return ""
    if stage is not None and stage not in record.stages:
        return ""
    if any(step.state is StepState.REJECTED for step in record.steps_of({StepKind.APPROVAL}, upstream)):
        return ""
    for step in record.steps_of({StepKind.DEPLOY}, upstream):
        if step.stage in record.stages and step.state is StepState.DONE and (back := _taken_back(record, step)):
            return back
    for step in record.steps_of(JOBS | {StepKind.FOLDERS, StepKind.SOAK}, upstream):
        if step.state in (StepState.STARTED, StepState.FAILED) and (step.stage is None or step.stage in record.stages):
            which = f" (workflow request {', '.join(map(str, step.requests))})" if step.requests else ""
            return f"{step.task}{which} was marked in Airflow, and its record says {step.outcome or step.state}"
    for step in record.steps_of({StepKind.DEPLOY}, upstream):
        if step.stage in record.stages and (other := _other_version(step, record)):
            return other
    for task in upstream:
        at, _, name = task.rpartition(".")
        due = record.version is None if task == "build" else name == "deploy" and at in record.stages
        if due and record.step(task) is None:
            return f"{task} was marked in Airflow before it had begun"
    return ""


def _other_version(step: PromotionStep, record: PromotionRecord) -> str:
    """Return why a deployment that is done is none of this version: after a clear another one was built, and its task
    was marked before it had begun again; empty where it is.
    """
    if step.state is not StepState.DONE or step.version is None or record.version is None:
        return ""
    if step.version.id == record.version.id:
        return ""
    return f"{step.task} was marked in Airflow, and what it deployed is {step.version}, not {record.version}"


def _taken_back(record: PromotionRecord, deploy: PromotionStep) -> str:
    """Return why what was deployed may not run any more: a roll-back has followed, whatever else was put right since;
    empty where it does run.
    """
    for step in in_doubt(record):
        if step.stage == deploy.stage and step.kind is StepKind.ROLL_BACK:
            return f"{step.words}, after {deploy.task}: nobody has seen how that ended"
    there = deployed(record).get(deploy.stage or "")
    if there is None or deploy.version is None or there.version.id == deploy.version.id:
        return ""
    return f"{deploy.task} does not count any more: {deploy.stage} was rolled back to {there.version} since"


def approval_of(stage: str) -> str:
    """Return the id of the task that asks for the approval of a stage."""
    return f"{stage}.approve"


def _unapproved(step: PromotionStep | None, what: str, version: Version | None = None) -> str:
    """Return why something is not approved, although its task may say so: a person can mark a task as a success."""
    if step is None or step.state is not StepState.DONE:
        return f"{what} has not been approved: its task ended without an answer; clear it to ask again"
    if version is not None and (step.version is None or step.version.id != version.id):
        return f"{what} was approved for {step.version}, not for {version}; clear its approval to ask again"
    return ""


def outcome_of(record: PromotionRecord, failed: Collection[str]) -> tuple[PromotionOutcome, str]:
    """Return how a promotion ended, and why.

    :param failed: ids of the tasks of its run that failed
    """
    if record.outcome in NOTHING_DONE and not failed:
        return PromotionOutcome(record.outcome), record.reason
    if failed:
        found = [step.words for step in record.steps if step.task in failed or step.state is StepState.FAILED]
        why = "; ".join(found) or f"failed: {', '.join(sorted(failed))}"
        return (PromotionOutcome.ROLLED_BACK if _is_rolled_back(record) else PromotionOutcome.FAILED), why
    if record.superseded_by:
        return PromotionOutcome.SUPERSEDED, f"by {record.superseded_by}"
    for step in record.steps_of({StepKind.APPROVAL}):
        if step.state is StepState.REJECTED:
            return PromotionOutcome.REJECTED, step.words
    for step in record.steps_of(JOBS - {StepKind.ROLL_BACK}):
        if step.state in (StepState.STARTED, StepState.FAILED) and (step.stage is None or step.stage in record.stages):
            return PromotionOutcome.FAILED, f"{step.words}: its task was marked, and nobody has seen how it ended"
    if record.version is None:
        build = next(iter(record.steps_of({StepKind.BUILD})), None)
        if build is None or build.state is not StepState.DONE:
            return (
                PromotionOutcome.FAILED,
                build.words if build else "nothing was built: the task build was marked before it had begun",
            )
        return PromotionOutcome.NO_CHANGES, build.words
    for stage in record.stages:
        # A person can mark a task as a success that neither asked nor deployed.
        deploy = next((step for step in record.steps_of({StepKind.DEPLOY}) if step.stage == stage), None)
        if deploy is None or deploy.state is not StepState.DONE:
            held = deploy is not None and deploy.state is StepState.SKIPPED
            words = deploy.words if deploy else f"{record.version} was not deployed to {stage} by this promotion"
            return PromotionOutcome.REJECTED if held else PromotionOutcome.FAILED, words
        if why := _other_version(deploy, record):
            return PromotionOutcome.FAILED, why
        if why := _taken_back(record, deploy):
            return PromotionOutcome.FAILED if in_doubt(record) else PromotionOutcome.ROLLED_BACK, why
        if why := unverified(record, stage):
            return PromotionOutcome.FAILED, why
    return PromotionOutcome.PROMOTED, f"{record.version} through {' → '.join(record.stages)}"


def _is_rolled_back(record: PromotionRecord) -> bool:
    """Whether a roll-back followed what failed, and not what failed before a clear, and holds."""
    bad = [
        step.place
        for step in record.steps
        if step.state in (StepState.FAILED, StepState.STARTED) and step.kind is not StepKind.ROLL_BACK_VERIFICATION
    ]
    done = (step for step in record.steps_of({StepKind.ROLL_BACK}) if step.state is StepState.DONE)
    return any(
        all(step.place >= one for one in bad) and not unverified(record, back_of(step.stage or "")) for step in done
    )


def stage_lines(
    record: PromotionRecord,
    now_running: Mapping[str, Running | None],
    doubts: Mapping[str, Doubt] | None = None,
) -> list[str]:
    """Return a line for each stage: what runs there, as the records tell, and where that is in doubt.

    :param now_running: stage → what runs there
    :param doubts: stage → what is in doubt there by other promotions
    """
    lines = []
    own = {step.stage: step for step in in_doubt(record)}
    for stage, running in now_running.items():
        left = (doubts or {}).get(stage)
        bad = own.get(stage) or (left.step if left else None)
        doubt = f"; in doubt: {bad.words}" if bad else ""
        other = f"; {record.elsewhere[stage]}" if running is None and stage in record.elsewhere else ""
        lines.append(f"{stage}: {running.version if running else 'not known'}{other}{doubt}")
    return lines


def in_doubt(record: PromotionRecord) -> list[PromotionStep]:
    """Return the deployments that may have begun, did not end well and were not followed by one that did: of each stage
    the last one.
    """
    return [steps[-1] for steps in _in_doubt(record).values()]


def _in_doubt(record: PromotionRecord) -> dict[str, list[PromotionStep]]:
    """Return stage → the deployments there that may have begun and did not end well since one did, the oldest first."""
    found: dict[str, list[PromotionStep]] = {}
    # As they began: after a clear, a deployment can come after the roll-back of the one before.
    for step in sorted(record.steps_of(CHANGES_A_STAGE), key=lambda one: one.place):
        if step.state in (StepState.FAILED, StepState.STARTED) and not has_started_nothing(step):
            found.setdefault(step.stage or "", []).append(step)
        elif step.state is StepState.DONE:
            found.pop(step.stage or "", None)
    return found


def has_started_nothing(step: PromotionStep) -> bool:
    """Whether FlexDeploy was not asked, or refused, or rejected what it was asked before that ran: what ran in the
    stage before runs there still.
    """
    if step.state is not StepState.FAILED or step.asked or step.said or step.outcome == AMBIGUOUS:
        return False
    return step.never_ran or not step.requests


def is_settled(step: PromotionStep) -> bool:
    """Whether a person has said that what FlexDeploy was asked for is over."""
    return step.said is not None and step.said.word == "over"


def ended_in_doubt(record: PromotionRecord) -> list[PromotionStep]:
    """Return the deployments that are in doubt and not underway any more: of each stage the last one."""
    return [step for step in in_doubt(record) if _is_over(record, step)]


def all_ended_in_doubt(record: PromotionRecord, stage: str) -> list[PromotionStep]:
    """Return the deployments to a stage that are in doubt and not underway any more, the oldest first; none where the
    last one is underway.
    """
    steps = _in_doubt(record).get(stage, [])
    return [step for step in steps if _is_over(record, step)] if steps and _is_over(record, steps[-1]) else []


def _is_over(record: PromotionRecord, step: PromotionStep) -> bool:
    return step.state is StepState.FAILED or record.closed is not None


def is_left_in_doubt(record: PromotionRecord, stage: str | None, task: str) -> bool:
    """Whether nobody knows what a stage runs when a task is to deploy there: another promotion, or a step of this one
    besides that task, has left it in doubt, and this one has brought nothing there since.
    """
    there = deployed(record).get(stage or "")
    left = [step.order or (0, 0) for step in _in_doubt(record).get(stage or "", ()) if step.task != task]
    left += [order for label, order in record.doubted.items() if label == stage]
    return bool(left) and (there is None or max(left) > (there.order or (0, 0)))


def in_flight(record: PromotionRecord) -> list[PromotionStep]:
    """Return the steps whose work may still go on at FlexDeploy, as far as the record tells."""
    return [step for step in record.steps if step.is_in_flight]


def deployed(record: PromotionRecord) -> dict[str, Running]:
    """Return stage → what this promotion brought there last; a deployment that was begun again and has not ended well
    has brought what it had before.
    """
    found: dict[str, Running] = {}
    for step in record.steps_of(CHANGES_A_STAGE):
        brought = step.brought
        if step.state is StepState.DONE and step.version and step.ended:
            brought = Running(
                version=step.version, since=step.ended, run_id=record.run_id, order=step.order, target=step.target
            )
        if brought is not None and step.stage:
            was = found.get(step.stage)
            if was is None or place(was.order, was.since) <= place(brought.order, brought.since):
                found[step.stage] = brought
    return found


def passed(record: PromotionRecord) -> Iterator[tuple[str, Version]]:
    """Yield stage and version where a version got through the stage, see :func:`passes`."""
    for step in passes(record):
        if step.stage and step.version:
            yield step.stage, step.version


def passes(record: PromotionRecord) -> Iterator[PromotionStep]:
    """Yield each deployment whose version got through its stage: deployed, verified and soaked as it was due, and
    nothing else of the stage failed since.
    """
    bad = {
        step.stage
        for step in record.steps
        if step.state in (StepState.STARTED, StepState.FAILED) and step.kind not in _WAY_BACK
    }
    for step in record.steps_of(CHANGES_A_STAGE):
        if step.state is not StepState.DONE or not step.stage or not step.version:
            continue
        back = step.kind in _WAY_BACK
        if not back and _taken_back(record, step):
            continue
        if (back or step.stage not in bad) and not unverified(record, back_of(step.stage) if back else step.stage):
            yield step


def built(record: PromotionRecord) -> Version | None:
    """Return the version that this promotion built itself."""
    step = build_of(record)
    return None if step is None else step.version


def build_of(record: PromotionRecord) -> PromotionStep | None:
    """Return the step that built the version of this promotion."""
    done = (step for step in record.steps_of({StepKind.BUILD}) if step.state is StepState.DONE)
    return next((step for step in done if step.version is not None), None)
