"""What FlexDeploy is at work on goes on as it was asked for, and is told so, whatever is configured by now."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from include.standins.flexdeploy.planted import TEST
from nightshift.promotion.vocabulary import StepState
from tests.unit.promotion.play import OLD_VERSION, Play, Run, config, stage
from tests.unit.promotion.test_gate import HOUR, freeze
from tests.unit.promotion.test_job_operators import LATER, begun, through, window
from tests.unit.promotion.test_roll_back import BROKEN, failed, settled

DAYS, YEARS = timedelta(days=21), timedelta(days=800)


@pytest.fixture
def scheduled(play_of: Callable[..., Play]) -> tuple[Run, int, str]:
    """Play a promotion whose deployment FlexDeploy was handed a start time for; return that and its request as well."""
    play = play_of(stage("DEV", window=window(LATER, outside="start_time")))
    run = begun(play)
    through(run, "build")
    assert run.do("DEV.deploy", look=0.0).state == "deferred"
    [request], [made] = run.step("DEV.deploy").requests, play.made("deploy_made")
    assert datetime.fromisoformat(made["startTime"]) == LATER
    return run, request, made["startTime"]


def changed(play: Play, how: str) -> None:
    if how == "no window":
        play.edit(config(stage("DEV")))
    else:
        until = {"a freeze": DAYS, "a freeze for years": YEARS}[how]
        play.freeze(freeze(since=HOUR, until=until))


@pytest.mark.parametrize("how", ["a freeze", "a freeze for years", "no window"])
@pytest.mark.parametrize("began", ["clear", "retry"])
def test_what_is_scheduled_keeps_its_start_time(scheduled: tuple[Run, int, str], how: str, began: str) -> None:
    run, request, start = scheduled
    changed(run.play, how)
    if began == "clear":
        run.clear("DEV.deploy")
    assert run.do("DEV.deploy", look=0.0).state == "deferred"
    step = run.step("DEV.deploy")
    assert (step.state, step.requests, step.start_time) == (StepState.STARTED, (request,), start)
    run.play.vendor.run_schedule(request)
    assert run.do("DEV.deploy").state == "success"
    assert (run.step("DEV.deploy").start_time, len(run.play.deployments())) == (start, 1)


def test_what_was_cancelled_meanwhile_is_not_asked_for_where_it_would_never_begin(
    scheduled: tuple[Run, int, str],
) -> None:
    run, request, _ = scheduled
    run.play.vendor.cancel_schedule(request)
    changed(run.play, "a freeze for years")
    run.clear("DEV.deploy")
    done = run.do("DEV.deploy", look=0.0)
    assert "within a year none opens in which it is not frozen" in str(done.error)
    assert (done.state, len(run.play.deployments())) == ("failed", 1)


@pytest.fixture
def back(play_of: Callable[..., Play]) -> Run:
    """Play a promotion whose roll-back of TEST waits for an approver in FlexDeploy, while the stage gets another name."""
    play = play_of(stage("DEV"), stage("TEST", on_failure="roll_back"))
    settled(play)
    run = failed(play, BROKEN)
    for name in ("roll_back.offer", "roll_back.approve"):
        assert run.do(name).state == "success"
    play.vendor.turn(approvals={"TEST": 1})
    assert run.do("roll_back.deploy", look=0.0).state == "deferred"
    play.edit(config(stage("DEV"), {"environment_id": TEST, "name": "LIVE", "on_failure": "roll_back"}))
    return run


@pytest.mark.parametrize("how", ["retry", "clear", "wait"])
def test_a_roll_back_that_is_underway_ends_although_its_stage_has_another_name(back: Run, how: str) -> None:
    [request] = back.step("roll_back.deploy").requests
    back.play.vendor.approve(request)
    if how == "clear":
        back.clear("roll_back.deploy")
    if how == "wait":
        event: Any = back.api("roll_back.deploy").fire(back.parked["roll_back.deploy"].message)
        done = back.resume("roll_back.deploy", event)
        while done.state == "deferred":
            done = back.resume("roll_back.deploy", back.api("roll_back.deploy").fire(done.message))
    else:
        done = back.do("roll_back.deploy")
    assert done.state == "success", done.error
    step = back.step("roll_back.deploy")
    assert (step.stage, step.requests, step.version and step.version.id) == ("TEST", (request,), OLD_VERSION)
    assert back.play.deployments()[-1] == ("TEST", OLD_VERSION)


def test_one_that_has_ended_is_not_asked_for_again_anywhere(back: Run) -> None:
    [request] = back.step("roll_back.deploy").requests
    back.play.vendor.reject(request)
    made = back.play.deployments()
    back.clear("roll_back.deploy")
    done = back.do("roll_back.deploy")
    assert "TEST failed, and promotions.yaml has no such stage any more" in str(done.error)
    assert (done.state, back.play.deployments()) == ("failed", made)


def test_an_error_names_what_goes_on(play: Play) -> None:
    """A clear of `begin` has taken the version away while FlexDeploy was at work."""
    run = begun(play)
    through(run, "build")
    play.vendor.turn(deploy_seconds=3600.0)
    assert run.do("DEV.deploy", look=0.0).state == "deferred"
    [request] = run.step("DEV.deploy").requests
    play.put(run.record.changed(version=None))
    done = run.do("DEV.deploy")
    assert f"workflow request {request}, asked for before, goes on in FlexDeploy" in str(done.error)
