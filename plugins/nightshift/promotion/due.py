"""Which tasks have to verify and soak a stage before anything goes on: their ids, from the configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nightshift.config.promotions import Application
    from nightshift.config.stages import Stage

FIRST, SOAK, AGAIN = "verify", "soak", "verify_again"
"""Task group, task and task group within a stage."""
BACK = "roll_back"


def tasks_due(config: Application) -> dict[str, tuple[str, ...]]:
    """Return stage → its tasks in their order; ``roll_back.<stage>`` → those of a roll-back of it. Without those that
    have none.
    """
    found = {stage.label: tuple(_of_stage(stage)) for stage in config.stages}
    for stage in config.stages:
        if config.on_failure_of(stage) != "stop":
            found[back_of(stage.label)] = tuple(f"{BACK}.{FIRST}.{stage.label}_{name}" for name in _checks(stage))
    return {stage: tasks for stage, tasks in found.items() if tasks}


def back_of(stage: str) -> str:
    """Return the name under which a record keeps what is due after a roll-back of a stage; no stage has a dot."""
    return f"{BACK}.{stage}"


def due_in(due: Mapping[str, tuple[str, ...]], stages: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return what is due in some stages, and after roll-backs of them."""
    wanted = {name for stage in stages for name in (stage, back_of(stage))}
    return {name: tasks for name, tasks in due.items() if name in wanted}


def _checks(stage: Stage) -> list[str]:
    return stage.verify.names if stage.verify is not None else []


def _of_stage(stage: Stage) -> Iterable[str]:
    yield from (f"{stage.label}.{FIRST}.{name}" for name in _checks(stage))
    if stage.soak is not None:
        yield f"{stage.label}.{SOAK}"
        yield from (f"{stage.label}.{AGAIN}.{name}" for name in _checks(stage))
