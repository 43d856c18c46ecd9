"""The wait for a stage's window, and the folder of Exago that is promoted in the end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from include.standins.exago import REST_KEY, USER_ID, ExagoStandIn, ExagoSwitches
from include.standins.faults import Fault, FaultKind
from nightshift.config.stages import DeploymentWindow
from nightshift.promotion.holds import hold, lift
from nightshift.promotion.triggers import SupersedeTrigger
from nightshift.promotion.vocabulary import StepKind, StepState
from tests.unit.promotion.play import N1, N2, NAME, Play, Run, stage
from tests.unit.promotion.test_job_operators import LATER, NOW_OPEN, begun, through, window

FOLDERS = {"live": "Sales/Live", "candidate": "Sales/Candidate", "archive": "Sales/Archive"}


def at_window(play: Play, name: str = "DEV.window") -> Run:
    run = begun(play)
    through(run, "build")
    run.do(name)
    return run


def test_an_open_window_is_no_wait(play_of: Callable[..., Play]) -> None:
    run = at_window(play_of(stage("DEV", window=NOW_OPEN)))
    assert (run.states["DEV.window"], run.step("DEV.window").state) == ("success", StepState.DONE)
    assert (run.step("DEV.window").kind, run.step("DEV.window").outcome) == (StepKind.WINDOW, "open")


def test_a_closed_one_is_waited_for_without_a_worker(play_of: Callable[..., Play]) -> None:
    play = play_of(stage("DEV", window=window(LATER)))
    run = at_window(play)
    message = run.parked["DEV.window"].message
    kwargs = run.apis["DEV.window"].trigger(message).serialize()[1]
    assert run.states["DEV.window"] == "deferred"
    assert (kwargs["until"], kwargs["night"]) == (LATER.timestamp(), None)
    assert f"the window opens {LATER:%Y-%m-%d %H:%M} UTC" in run.step("DEV.window").detail
    assert run.step("DEV.window").until == LATER
    assert run.resume("DEV.window", {"why": "moment", "run_id": None}).state == "deferred"
    opened = DeploymentWindow.model_validate(NOW_OPEN)
    assert run.resume("DEV.window", {"why": "moment", "run_id": None}, window=opened).state == "success"
    assert run.step("DEV.window").state is StepState.DONE


def test_a_newer_night_ends_the_wait(play_of: Callable[..., Play]) -> None:
    play = play_of(stage("DEV", window=window(LATER)), newer="supersede")
    run = at_window(play)
    message = run.parked["DEV.window"].message
    kwargs = run.apis["DEV.window"].trigger(message).serialize()[1]
    assert kwargs["night"] == N1
    assert play.start("r2", N2).do("begin").state == "deferred"

    async def first() -> Any:
        return (await anext(SupersedeTrigger(**kwargs).run())).payload

    assert run.resume("DEV.window", asyncio.run(first())).state == "skipped"
    assert run.do("DEV.deploy").state == "skipped"
    assert run.do("close").result["outcome"] == "superseded"
    assert play.deployments() == []


def test_no_step_supersedable_where_a_newer_night_has_to_wait(play_of: Callable[..., Play]) -> None:
    play = play_of()
    run = begun(play)
    assert play.start("r2", N2).do("begin").state == "deferred"
    through(run, "build", "DEV.deploy", "TEST.deploy")


@pytest.mark.parametrize("point", ["build", "DEV.deploy", "TEST.deploy"])
def test_each_step_can_give_way_before_it_begins(play_of: Callable[..., Play], point: str) -> None:
    play = play_of(newer="supersede")
    run = begun(play)
    names = ["build", "DEV.deploy", "TEST.deploy"]
    through(run, *names[: names.index(point)])
    assert play.start("r2", N2).do("begin").state == "deferred"
    for name in names[names.index(point) :]:
        assert run.do(name).state == "skipped"
    told = run.do("close").result
    assert (told["outcome"], told["reason"]) == ("superseded", "by r2")
    assert len(play.deployments()) == max(0, names.index(point) - 1)


def test_what_a_superseded_promotion_had_deployed_stays_told_after_a_clear(play_of: Callable[..., Play]) -> None:
    play = play_of(newer="supersede")
    run = begun(play)
    through(run, "build", "DEV.deploy")
    assert play.start("r2", N2).do("begin").state == "deferred"
    assert run.do("TEST.deploy").state == "skipped"
    run.clear("DEV.deploy", "TEST.deploy")
    assert run.do("DEV.deploy").state == "skipped"
    assert (run.step("DEV.deploy").state, run.step("TEST.deploy").state) == (StepState.DONE, StepState.SKIPPED)
    assert run.do("close").result["standing"] == [f"DEV: {run.record.version}", "TEST: not known"]


def test_what_flexdeploy_was_asked_for_is_not_given_up(play_of: Callable[..., Play]) -> None:
    play = play_of(newer="supersede")
    run = begun(play)
    through(run, "build")
    assert run.do("DEV.deploy", look=0.0).state == "deferred"
    assert play.start("r2", N2).do("begin").state == "deferred"
    assert run.do("DEV.deploy").state == "success"
    assert len(play.deployments()) == 1


@pytest.fixture
def exago() -> Iterator[ExagoStandIn]:
    with ExagoStandIn(switches=ExagoSwitches()) as vendor:
        yield vendor


def with_folders(play_of: Callable[..., Play], exago: ExagoStandIn) -> Run:
    play = play_of(stage("DEV", exago=FOLDERS))
    play.connections["exago_default"] = {
        "conn_type": "exago",
        "host": exago.url,
        "login": USER_ID,
        "password": REST_KEY,
    }
    run = begun(play)
    through(run, "build", "DEV.deploy")
    return run


def test_a_folder_is_promoted_after_the_deployment(play_of: Callable[..., Play], exago: ExagoStandIn) -> None:
    before = exago.live.paths()
    run = with_folders(play_of, exago)
    done = run.do("DEV.exago", list_lag=0.3)
    assert (done.state, done.error) == ("success", None)
    kept = {path.replace("Sales/Live/", f"Sales/Archive/{N1}/", 1) for path in before}
    assert set(exago.live.paths()) == {path.replace("Sales/Candidate/", "Sales/Live/", 1) for path in kept}
    step = run.step("DEV.exago")
    assert (step.kind, step.state, step.outcome, step.stage) == (StepKind.FOLDERS, StepState.DONE, "as planned", "DEV")
    assert run.do("close").result["outcome"] == "promoted"


def test_a_folder_that_cannot_be_promoted_fails_the_stage(play_of: Callable[..., Play], exago: ExagoStandIn) -> None:
    exago.live.other_user("create", f"Sales/Archive/{N1}/Taken")
    before = exago.live.paths()
    run = with_folders(play_of, exago)
    done = run.do("DEV.exago", list_lag=0.3)
    assert (done.state, exago.live.paths()) == ("failed", before)
    assert (run.step("DEV.exago").state, run.step("DEV.exago").outcome) == (StepState.FAILED, type(done.error).__name__)
    assert "is there already" in run.step("DEV.exago").detail


def test_a_hold_that_begins_while_the_folders_are_looked_at_leaves_them_as_they_are(
    play_of: Callable[..., Play], exago: ExagoStandIn
) -> None:
    before = exago.live.paths()
    run = with_folders(play_of, exago)
    play, pressed = run.play, []

    def press() -> None:
        exago.ledger.wait_for_request(fault=FaultKind.HOLD_ANSWER)
        given = {"application": NAME, "by": "ann", "reason": "outage", "until": None}
        pressed.append(asyncio.run(hold(play.lake, **given)))
        exago.release()

    exago.faults.add(Fault(kind=FaultKind.HOLD_ANSWER, method="GET"))
    person = threading.Thread(target=press)
    person.start()
    done = run.do("DEV.exago", list_lag=0.3)
    person.join(30)
    assert (done.state, exago.live.paths()) == ("deferred", before), done.error
    assert "outage" in run.step("DEV.exago").detail
    asyncio.run(lift(play.lake, pressed[0].id, by="bob", reason="over"))
    assert run.resume("DEV.exago", {"why": "changed", "run_id": None}, list_lag=0.3).state == "success"
    assert exago.live.paths() != before
