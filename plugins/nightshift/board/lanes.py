"""A lane: what the records of an application tell of its stages, and what is under way. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from nightshift.board.models import (
    DoubtLine,
    Lane,
    LaneStage,
    Link,
    PromotionLine,
    StageState,
    StepLine,
    VersionShown,
    WaitFor,
    WaitLine,
)
from nightshift.board.presses import run_path
from nightshift.board.revoking import revoke_press
from nightshift.board.settling import settle_press
from nightshift.config.promotions import Application
from nightshift.config.stages import Stage
from nightshift.promotion.aim import ANY, Aim
from nightshift.promotion.doubts import Doubt, may_settle, unproven
from nightshift.promotion.record import PromotionRecord, PromotionStep, Version, place
from nightshift.promotion.rules.progress import deployed, ended_in_doubt
from nightshift.promotion.standing import StageStanding, Standing
from nightshift.promotion.target import targets_of
from nightshift.promotion.vocabulary import VERIFICATIONS, StepKind, StepState, VerdictWord

WAITS: Mapping[StepKind, WaitFor] = {
    StepKind.APPROVAL: WaitFor.APPROVAL,
    StepKind.ROLL_BACK_APPROVAL: WaitFor.APPROVAL,
    StepKind.WINDOW: WaitFor.WINDOW,
    StepKind.SOAK: WaitFor.SOAK,
    **dict.fromkeys(VERIFICATIONS, WaitFor.VERIFICATION),
}
_QUESTIONS = frozenset({StepKind.APPROVAL, StepKind.ROLL_BACK_APPROVAL})


def lane_of(
    application: str,
    dag_id: str,
    configured: Application | None,
    standing: Standing,
    records: Mapping[str, PromotionRecord],
) -> Lane:
    """Return the lane of an application.

    :param configured: ``None``: its configuration cannot be read; then its stages are those of the records
    :param records: those that the standing cites, by their runs
    """
    under_way = [one for run_id in standing.open if (one := records.get(run_id)) is not None and one.closed is None]
    under_way.sort(key=lambda one: (one.turn is None, one.opened))
    stages = {stage.label: stage for stage in configured.stages} if configured else {}
    labels = list(stages) or list(
        dict.fromkeys([*standing.stages, *(label for one in under_way for label in one.stages)])
    )
    before = [None, *labels][: len(labels)]
    lines = [
        _stage(label, stages.get(label), standing, records, under_way, previous, configured)
        for label, previous in zip(labels, before, strict=True)
    ]
    last = records.get(standing.last) if standing.last else None
    return Lane(
        application=application,
        dag_id=dag_id,
        description=configured.description if configured else "",
        after=configured.after if configured else (),
        stages=tuple(lines),
        under_way=tuple(promotion_line(one, stages) for one in under_way),
        last=promotion_line(last, stages) if last is not None and last.closed is not None else None,
        doubts=tuple(_doubts(standing, records)),
    )


def promotion_line(record: PromotionRecord, stages: Mapping[str, Stage]) -> PromotionLine:
    """Return a promotion as its record has it."""
    return PromotionLine(
        application=record.application,
        run_id=record.run_id,
        night=record.night,
        by=record.by or "",
        opened=record.opened,
        closed=record.closed,
        outcome=str(record.outcome) if record.outcome else None,
        reason=record.reason,
        version=_version(record.version),
        superseded_by=record.superseded_by,
        waiting=waiting_of(record, stages) if record.closed is None else None,
        steps=tuple(_step(record, step) for step in record.steps),
        links=(Link(label="Run", href=run_path(record.dag_id, record.run_id)),),
    )


def waiting_of(record: PromotionRecord, stages: Mapping[str, Stage]) -> WaitLine | None:
    """Return what a promotion that is under way waits for; ``None``: for nothing that its record tells."""
    step = next((one for one in reversed(record.steps) if one.state is StepState.STARTED), None)
    if step is not None:
        return _wait_of(record, step, stages.get(step.stage or ""))
    if record.turn is None:
        return WaitLine(kind=WaitFor.TURN, text="waits for its turn", since=record.opened)
    return None


def web_link(label: str, url: str | None) -> tuple[Link, ...]:
    """Return a link if it leads to a web page; nothing else may be clicked."""
    try:
        fine = bool(url) and urlsplit(url or "").scheme in ("http", "https")
    except ValueError:
        fine = False
    return (Link(label=label, href=url),) if fine and url else ()


def _stage(
    label: str,
    configured: Stage | None,
    standing: Standing,
    records: Mapping[str, PromotionRecord],
    under_way: Sequence[PromotionRecord],
    previous: str | None,
    application: Application | None,
) -> LaneStage:
    here = _running(label, standing, records, under_way)
    aim = Aim(targets_of(application)) if application else ANY
    other = aim.other(label, here.target) if here else ""
    if here and other:
        other, here = f"what run {here.run_id} brought there last, {here.version}, is of {other}", None
    brought = records.get(here.run_id) if here else None
    coming = next((one for one in under_way if _is_coming(one, label, here)), None)
    state, text = _state(label, here, brought, standing, records, under_way)
    text = text or other
    soak = _soak_end(brought, label, configured) if state is StageState.SOAKING else None
    return LaneStage(
        label=label,
        state=state,
        version=_version(here.version) if here else None,
        since=here.since if here else None,
        night=here.night if here else None,
        run_id=here.run_id if here else None,
        approved_by=_approved_by(brought, label),
        text=text,
        soaks_until=soak,
        behind=standing.behind(label, previous) if previous is not None else 0,
        coming=_version(coming.version) if coming else None,
        waiting=_waiting_here(coming, label, configured) if coming else None,
        revoke=revoke_press(brought, label, here.version, application) if here and brought else None,
        links=_stage_links(brought, label),
    )


def _running(
    label: str, standing: Standing, records: Mapping[str, PromotionRecord], under_way: Sequence[PromotionRecord]
) -> StageStanding | None:
    """Return what runs in a stage: what the standing says, or what a promotion under way has brought since."""
    found = standing.stages.get(label)
    for record in under_way:
        there = deployed(record).get(label)
        if there is None or (found is not None and place(there.order, there.since) < found.place):
            continue
        version = there.version
        found = StageStanding(
            version.id,
            version.name,
            there.since,
            record.run_id,
            record.night,
            (version.id,),
            there.order,
            None if there.target is None else there.target.told,
        )
    return found


def _state(
    label: str,
    here: StageStanding | None,
    brought: PromotionRecord | None,
    standing: Standing,
    records: Mapping[str, PromotionRecord],
    under_way: Sequence[PromotionRecord],
) -> tuple[StageState, str]:
    """Return how it stands with a stage, and what there is to say of it."""
    for record in under_way:
        for step in _steps(record, label, StepKind.DEPLOY, StepKind.ROLL_BACK):
            if step.state is StepState.STARTED:
                return StageState.DEPLOYING, _deploying(step, record)
    doubted = records.get(standing.doubts.get(label, ""))
    for step in ended_in_doubt(doubted) if doubted is not None else ():
        if step.stage == label and (here is None or step.place >= here.place):
            settled = step.state is StepState.FAILED and step.asked is None and step.outcome != "ambiguous"
            return (StageState.FAILED if settled else StageState.IN_DOUBT), step.words
    if here is None or brought is None:
        return (StageState.NEVER, "") if here is None else (StageState.DEPLOYED, "")
    return _verified(brought, label, here)


def _verified(record: PromotionRecord, label: str, here: StageStanding) -> tuple[StageState, str]:
    verdicts = [one for one in record.verdicts if one.stage == label and one.version.id == here.id]
    refuted = next((one for one in verdicts if one.word is VerdictWord.REFUTED), None)
    if refuted is not None:
        return StageState.VERIFICATION_FAILED, refuted.words
    for step in _steps(record, label, StepKind.ROLL_BACK):
        # After a clear, a deployment can come after the roll-back of the one before.
        if step.state is StepState.DONE and (step.order, step.version) == (here.order, here.version):
            return StageState.ROLLED_BACK, record.offer.why if record.offer else ""
    for step in _steps(record, label, *VERIFICATIONS, StepKind.SOAK):
        if step.state is StepState.STARTED:
            return (StageState.SOAKING if step.kind is StepKind.SOAK else StageState.VERIFYING), step.detail
        if step.state is StepState.FAILED:
            return StageState.VERIFICATION_FAILED, step.words
    due = record.due.get(label, ())
    if not due:
        return StageState.DEPLOYED, ""
    done = {step.task for step in record.steps if step.state is StepState.DONE}
    if done.issuperset(due):
        return StageState.VERIFIED, "; ".join(one.words for one in verdicts[-1:])
    return (StageState.VERIFYING if record.closed is None else StageState.DEPLOYED), ""


def _steps(record: PromotionRecord, label: str, *kinds: StepKind) -> Iterator[PromotionStep]:
    return (step for step in reversed(record.steps) if step.stage == label and step.kind in kinds)


def _is_coming(record: PromotionRecord, label: str, here: StageStanding | None) -> bool:
    """Say whether a promotion under way is to bring its version to a stage, and has not yet."""
    if record.version is None or label not in record.stages:
        return False
    return label not in deployed(record) and (here is None or here.id != record.version.id)


def _waiting_here(record: PromotionRecord, label: str, configured: Stage | None) -> WaitLine | None:
    step = next((one for one in reversed(record.steps) if one.state is StepState.STARTED and one.stage == label), None)
    return None if step is None else _wait_of(record, step, configured)


def _wait_of(record: PromotionRecord, step: PromotionStep, configured: Stage | None) -> WaitLine:
    kind = WAITS.get(step.kind, WaitFor.VENDOR)
    page = run_path(record.dag_id, record.run_id, step.task)
    link = Link(label="Answer", href=f"{page}/required_actions") if step.kind in _QUESTIONS else None
    approval = configured.approval if configured is not None and step.kind is StepKind.APPROVAL else None
    which = f" {step.version or record.version}" if step.version or record.version else ""
    what = {
        WaitFor.APPROVAL: f"{step.task}{which} waits for an answer",
        WaitFor.WINDOW: f"{step.task}{which} waits",
        WaitFor.SOAK: f"{step.stage}{which} soaks",
        WaitFor.VERIFICATION: f"{step.stage}{which} is verified",
        WaitFor.VENDOR: f"{step.task}{which} at FlexDeploy",
    }[kind]
    return WaitLine(
        kind=kind,
        text=f"{what}: {step.detail}" if step.detail else what,
        whom=approval.users if approval is not None else (),
        since=step.started,
        until=step.until or _hours(step, approval.hours if approval is not None else None),
        link=link or next(iter(web_link("FlexDeploy", step.url)), None) or Link(label="Task", href=page),
    )


def _hours(step: PromotionStep, hours: float | None) -> datetime | None:
    return None if hours is None else step.started + timedelta(hours=hours)


def _soak_end(record: PromotionRecord | None, label: str, configured: Stage | None) -> datetime | None:
    step = next(_steps(record, label, StepKind.SOAK), None) if record is not None else None
    if step is None:
        return None
    return step.until or (step.started + configured.soak if configured is not None and configured.soak else None)


def _deploying(step: PromotionStep, record: PromotionRecord) -> str:
    word = "rolls back to" if step.kind is StepKind.ROLL_BACK else "deploys"
    return f"FlexDeploy {word} {step.version or record.version} since {step.started:%Y-%m-%d %H:%M} UTC"


def _approved_by(record: PromotionRecord | None, label: str) -> str:
    steps = _steps(record, label, StepKind.APPROVAL) if record is not None else iter(())
    return next((step.by or "" for step in steps if step.state is StepState.DONE), "")


def _stage_links(record: PromotionRecord | None, label: str) -> tuple[Link, ...]:
    if record is None:
        return ()
    urls = [step.url for step in _steps(record, label, StepKind.DEPLOY, StepKind.ROLL_BACK)]
    return (
        *web_link("FlexDeploy", next(iter(urls), None)),
        Link(label="Run", href=run_path(record.dag_id, record.run_id)),
    )


def _doubts(standing: Standing, records: Mapping[str, PromotionRecord]) -> Iterator[DoubtLine]:
    """Yield what holds the application, or may hold it: only the promotion of the newest turn can have left a doubt."""
    record = records.get(standing.last_turn or "")
    for step in unproven(record) if record is not None else ():
        if record is not None and may_settle(record, step):
            yield DoubtLine(text=Doubt(record.run_id, step).words, settle=settle_press(record, step))


def _step(record: PromotionRecord, step: PromotionStep) -> StepLine:
    log = Link(label="Task", href=run_path(record.dag_id, record.run_id, step.task))
    return StepLine(
        task=step.task,
        kind=str(step.kind),
        stage=step.stage,
        state=str(step.state),
        started=step.started,
        ended=step.ended,
        attempt=step.attempt,
        outcome=step.outcome or "",
        by=step.by or "",
        version=_version(step.version),
        text=step.detail,
        links=(*web_link("FlexDeploy", step.url), log),
    )


def _version(version: Version | None) -> VersionShown | None:
    return None if version is None else VersionShown(id=version.id, name=version.name or "")
