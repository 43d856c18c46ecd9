"""A worker of its own process that is killed with SIGKILL, or stands still with SIGSTOP, at a chosen point of an
attempt.
"""

from __future__ import annotations

import functools
import inspect
import json
import os
from pathlib import Path
from typing import Any

from tests.crash import workers
from tests.crash.promotion.night import Airflow
from tests.crash.workers import die, freeze

POINTS: dict[str, tuple[str, str, int]] = {
    "before_step": ("nightshift.promotion.recorder:StepRecorder.begin", "before", 1),
    "asking": ("nightshift.promotion.recorder:StepRecorder.asking", "before", 1),
    "asked": ("nightshift.promotion.recorder:StepRecorder.asking", "after", 1),
    "ready": ("nightshift.flexdeploy.adapter:FlexDeployAdapter.ready", "after", 1),
    "before_intent": ("nightshift.jobs.record:JobStore.save", "before", 1),
    "before_post": ("nightshift.flexdeploy.adapter:FlexDeployAdapter.submit", "before", 1),
    "intent": ("nightshift.jobs.record:JobStore.save", "after", 1),
    "in_request": ("nightshift.flexdeploy.hook:FlexDeployHook.authorize", "after", 2),
    "answered": ("nightshift.flexdeploy.adapter:FlexDeployAdapter.submit", "after", 1),
    "before_id": ("nightshift.jobs.record:JobStore.save", "before", 2),
    "id": ("nightshift.jobs.record:JobStore.save", "after", 2),
    "ending": ("nightshift.promotion.store:Records.write", "before", 4),
    "id_saved": ("nightshift.promotion.recorder:StepRecorder.note", "before", 1),
    "noted": ("nightshift.promotion.recorder:StepRecorder.note", "after", 1),
    "polling": ("nightshift.flexdeploy.adapter:FlexDeployAdapter.poll", "after", 1),
    "completed": ("nightshift.flexdeploy.adapter:FlexDeployAdapter.result", "before", 1),
    "result": ("nightshift.flexdeploy.adapter:FlexDeployAdapter.result", "after", 1),
    "before_done": ("nightshift.promotion.recorder:StepRecorder.end", "before", 1),
    "done": ("nightshift.promotion.recorder:StepRecorder.end", "after", 1),
    "before_turn": ("nightshift.promotion.turns:Turns.take", "before", 1),
    "turn": ("nightshift.promotion.turns:Turns.take", "after", 1),
    "record": ("nightshift.promotion.store:Records.write", "after", 1),
    "before_record": ("nightshift.promotion.store:Records.write", "before", 1),
    "left": ("nightshift.promotion.turns:Turns.leave", "after", 1),
    "entered": ("nightshift.promotion.turns:Turns.enter", "after", 1),
}
"""Point → the call at which the worker dies, whether before or after it, and at which of these calls."""


FREEZE = "freeze "
"""Before a point: stand still there instead of dying."""
WINDOW = 0.5
"""Seconds in which the request of a worker that freezes may leave."""


def doom(point: str) -> None:
    """Let this process die at a point, or stand still there. Nothing else of it is changed."""
    if point.startswith(FREEZE):
        from nightshift.flexdeploy.adapter import FlexDeployAdapter

        FlexDeployAdapter.send_within = WINDOW
        end, point = freeze, point.removeprefix(FREEZE)
    else:
        end = die
    path, when, count = POINTS[point]
    module, _, name = path.partition(":")
    owner_name, _, method = name.partition(".")
    owner = getattr(__import__(module, fromlist=[owner_name]), owner_name)
    real, calls = getattr(owner, method), [0]

    def due() -> bool:
        calls[0] += 1
        return calls[0] == count

    @functools.wraps(real)
    async def later(*args: Any, **kwargs: Any) -> Any:
        now = due()
        if now and when == "before":
            end()
        answer = await real(*args, **kwargs)
        if now and when == "after":
            end()
        return answer

    @functools.wraps(real)
    def at_once(*args: Any, **kwargs: Any) -> Any:
        now = due()
        if now and when == "before":
            end()
        answer = real(*args, **kwargs)
        if now and when == "after":
            end()
        return answer

    setattr(owner, method, later if inspect.iscoroutinefunction(real) else at_once)


def attempt(
    url: str,
    folder: Path,
    extra: dict[str, Any],
    more: str,
    run: str,
    name: str,
    point: str | None,
    changes: dict[str, Any],
) -> None:
    """Run one attempt in this process, and die in it where a point is given; what came of it is written down."""
    if point is not None:
        doom(point)
    airflow = Airflow(url, folder, extra, more)
    done = airflow.attempt(run, name, **changes)
    (folder / f"attempt {run} {name} {os.getpid()}.json").write_text(json.dumps([done.state, str(done.error or "")]))


def wait_in_a_triggerer(url: str, folder: Path, extra: dict[str, Any], more: str, run: str, name: str) -> None:
    """Run the trigger that another process has left."""
    workers.wait_in_a_triggerer(Airflow(url, folder, extra, more).task(run, name), folder)
