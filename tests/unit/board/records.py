"""Records for tests: promotions as the tasks of a DAG write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from nightshift.promotion.record import PromotionRecord, PromotionStep, Running, Version
from nightshift.promotion.vocabulary import PromotionOutcome, StepKind, StepState

T = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
STAGES = ("DEV", "TEST", "PROD")
ONE, TWO, THREE = (Version(id=n, name=f"1.{n}") for n in (1, 2, 3))


def run_of(number: int) -> str:
    return f"asset_triggered__2026-11-{20 + number}T22:00:00+00:00_x"


def step(task: str, kind: StepKind, minute: int, state: StepState = StepState.DONE, **more: Any) -> PromotionStep:
    """Return a step that began some minutes after the promotion, and took one."""
    ended = None if state is StepState.STARTED else T + (minute + 1) * MINUTE
    stage = task.partition(".")[0] if "." in task else None
    return PromotionStep(
        task=task, kind=kind, stage=stage, state=state, started=T + minute * MINUTE, ended=ended, **more
    )


def deploy(stage: str, version: Version, minute: int, state: StepState = StepState.DONE, **more: Any) -> PromotionStep:
    return step(f"{stage}.deploy", StepKind.DEPLOY, minute, state, version=version, **more)


def record(
    number: int, *steps: PromotionStep, outcome: PromotionOutcome | None = PromotionOutcome.PROMOTED, **more: Any
) -> PromotionRecord:
    """Return the record of a promotion that had a turn; still underway where it has no outcome."""
    opened = T + number * 60 * MINUTE
    given: dict[str, Any] = {
        "night": f"2026-11-{19 + number}",
        "run_id": run_of(number),
        "turn": number,
        "stages": STAGES,
        "opened": opened,
        "closed": opened + 50 * MINUTE if outcome else None,
        "before": dict.fromkeys(STAGES),
    }
    return PromotionRecord(
        application="portal", dag_id="promote_portal", outcome=outcome, steps=steps, **{**given, **more}
    )


def promoted(number: int, version: Version, **more: Any) -> PromotionRecord:
    """Return the record of a promotion that went through all stages."""
    first = number * 60
    return record(
        number, deploy("DEV", version, first + 1), deploy("TEST", version, first + 10), version=version, **more
    )


def runs(version: Version, minute: int, number: int) -> Running:
    """Return what ran in a stage."""
    return Running(version=version, since=T + minute * MINUTE, run_id=run_of(number))
