"""SIGSTOP at each await between intent, request and save; another attempt, or another promotion, goes on; then SIGCONT.

Whatever the thawed attempt does, FlexDeploy has one deployment, and the record is the one of the attempt that took
over.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from include.standins.flexdeploy import FlexDeployStandIn
from nightshift.errors import Ambiguous
from nightshift.promotion.record import Version
from nightshift.promotion.vocabulary import StepState
from tests.crash.promotion.doomed import FREEZE, WINDOW
from tests.crash.promotion.scene import Scene, scene
from tests.crash.promotion.test_turns import has_turn
from tests.crash.workers import stands_still, thaw

NOT_ASKED = ("before_step", "asking", "asked", "ready", "before_intent")
"""Points before the intent: the next attempt knows that nothing was asked for."""
IN_DOUBT = ("intent", "before_post", "in_request", "answered", "before_id")
"""Points between the intent and the id: only a person can tell."""
KNOWN = ("id", "id_saved", "noted", "polling", "completed", "result", "before_done", "ending")
"""Points after the id: the next attempt goes on with it."""


def frozen_at(play: Scene, point: str) -> Any:
    process = play.worker(FREEZE + point)
    stands_still(process)
    if point in IN_DOUBT:
        time.sleep(WINDOW + 0.1)  # the window is what is measured here
    return process


def takes_over(play: Scene, point: str) -> None:
    """Bring the step to its end with further attempts, and a person's word where it needs one."""
    run = play.retry()
    if point in IN_DOUBT:
        assert isinstance(run.error, Ambiguous), run.error
        made = play.judge.made()
        play.airflow.resolve("r", play.step, {"adopt": str(made[0])} if made else {"resubmit": True})
        run = play.retry()
    assert run.state == "success", run.error


@pytest.mark.parametrize("point", [*NOT_ASKED, *IN_DOUBT, *KNOWN])
def test_a_thawed_attempt_neither_deploys_nor_overwrites(
    vendor: FlexDeployStandIn, version: Version, tmp_path: Path, point: str
) -> None:
    play = scene(vendor, tmp_path, "deploy", version)
    process = frozen_at(play, point)
    takes_over(play, point)
    made, step = play.judge.made(), play.state()
    assert (len(made), step.state, list(step.requests)) == (1, StepState.DONE, made)
    thaw(process)
    assert play.judge.made() == made
    assert play.state() == step
    play.judge.promises("r")


@pytest.mark.parametrize("kind", ["build", "utility", "roll_back"])
@pytest.mark.parametrize("point", ["before_post", "answered", "before_done"])
def test_so_it_is_with_all_that_flexdeploy_does(
    vendor: FlexDeployStandIn, version: Version, tmp_path: Path, kind: str, point: str
) -> None:
    play = scene(vendor, tmp_path, kind, version)
    process = frozen_at(play, point)
    takes_over(play, point)
    made, step = play.judge.made(), play.state()
    thaw(process)
    assert (play.judge.made(), play.state()) == (made, step)
    assert len(made) == 1


@pytest.mark.parametrize(
    "point", ["asked", "intent", "before_post", "in_request", "answered", "id", "polling", "ending"]
)
def test_the_next_promotion_waits_for_what_a_frozen_worker_may_still_do(
    vendor: FlexDeployStandIn, version: Version, tmp_path: Path, point: str
) -> None:
    """Its run was given up in Airflow, and the worker stands still with the request in its hand."""
    vendor.turn(approvals={"DEV": 1})
    play = scene(vendor, tmp_path, "deploy", version)
    if point == "ending":
        vendor.turn(approvals={})
    process = frozen_at(play, point)
    play.airflow.end("r")
    play.airflow.start("b")
    if point != "ending":
        assert not has_turn(play.airflow, "b")
    made = play.judge.made()
    vendor.turn(approvals={})
    for request in made:
        if vendor.state(request) == "PENDING_APPROVAL":
            vendor.approve(request)
    thaw(process)
    assert len(play.judge.made()) <= 1
    assert play.judge.made() == made or point == "asked"
    play.judge.promises("r", unknown=play.judge.made())


def test_a_worker_that_thaws_in_time_does_its_work(vendor: FlexDeployStandIn, version: Version, tmp_path: Path) -> None:
    play = scene(vendor, tmp_path, "deploy", version)
    process = play.worker(FREEZE + "before_intent")
    stands_still(process)
    thaw(process)
    step, made = play.state(), play.judge.made()
    assert (step.state, list(step.requests), len(made)) == (StepState.DONE, made, 1)
