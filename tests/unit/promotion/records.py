"""Records for tests: promotions whose steps took a minute each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from nightshift.promotion.record import Offer, PromotionRecord, PromotionStep, Running, Version
from nightshift.promotion.store import Records
from nightshift.promotion.vocabulary import StepKind, StepState

T = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
OLD, NEW = Version(id=30001, name="1.0.1"), Version(id=40001, name="1.0.2")
KINDS = {
    "build": StepKind.BUILD,
    "approve": StepKind.APPROVAL,
    "window": StepKind.WINDOW,
    "deploy": StepKind.DEPLOY,
    "exago": StepKind.FOLDERS,
    "restart": StepKind.UTILITY,
    "stop": StepKind.UTILITY,
    "soak": StepKind.SOAK,
    "probe": StepKind.VERIFICATION,
    "smoke": StepKind.VERIFICATION,
}
BACK = {"approve": StepKind.ROLL_BACK_APPROVAL, "deploy": StepKind.ROLL_BACK}


def step(task: str, minute: int = 0, state: StepState = StepState.DONE, **more: Any) -> PromotionStep:
    """Return a step of the task of that name; its kind and its stage follow from the name."""
    group, _, name = task.rpartition(".")
    kinds = BACK if group == "roll_back" else KINDS
    given: dict[str, Any] = {"stage": None if group in ("", "roll_back") else group, **more}
    started = T + minute * MINUTE
    ended = None if state is StepState.STARTED else started + MINUTE
    return PromotionStep(task=task, kind=kinds[name], state=state, **{"started": started, "ended": ended, **given})


def deploy(
    stage: str, version: Version = NEW, minute: int = 0, state: StepState = StepState.DONE, **more: Any
) -> PromotionStep:
    return step(f"{stage}.deploy", minute, state, **{"version": version, "requests": (12001,), **more})


def approved(stage: str, version: Version = NEW, minute: int = 0) -> PromotionStep:
    return step(f"{stage}.approve", minute, by="ann", outcome="Approve", version=version)


OFFER = Offer(stage="TEST", version=OLD, why="TEST.deploy failed: disk full")


def record(*steps: PromotionStep, run_id: str = "r", **more: Any) -> PromotionRecord:
    given: dict[str, Any] = {
        "application": "portal",
        "dag_id": "promote_portal",
        "night": "2026-11-20",
        "opened": T,
        "turn": 1,
        "stages": ("DEV", "TEST", "PROD"),
        "version": NEW,
        "before": dict.fromkeys(("DEV", "TEST", "PROD")),
    }
    return PromotionRecord(run_id=run_id, steps=steps, **{**given, **more})


def ran(version: Version = OLD, run_id: str = "before", minute: int = -60) -> Running:
    return Running(version=version, since=T + minute * MINUTE, run_id=run_id)


async def put(records: Records, record: PromotionRecord) -> PromotionRecord:
    """Write a record in the place of whatever there is of its run."""
    return await records.change(record.run_id, lambda there: record.of(None if there is None else there.origin))
