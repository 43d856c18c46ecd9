"""Two promotions of one application never overlap: who waits, who gives way, who takes over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine

from include.standins import Fault
from nightshift.errors import Ambiguous
from nightshift.promotion.revoked import report
from nightshift.promotion.triggers import TurnTrigger
from nightshift.promotion.turns import Waiter
from nightshift.promotion.vocabulary import PromotionOutcome, StepState
from tests.unit.promotion.play import N1, N2, N3, NAME, OLD_VERSION, Play, Run


def waits(run: Run) -> None:
    done = run.do("begin") if "begin" not in run.parked else run.resume("begin", {"why": "time to look"})
    assert done.state == "deferred", (done.state, done.error, done.result)


def goes_on(run: Run) -> None:
    done = run.do("begin") if "begin" not in run.parked else run.resume("begin", {"why": "its turn"})
    assert (done.state, done.error) == ("success", None)
    assert done.result["outcome"] is None


def left_in_doubt(play: Play, run: Run) -> None:
    """Let FlexDeploy answer so that nobody knows whether it deploys to DEV, and the promotion fail over it."""
    page = Fault(kind="status", method="POST", path="/deploy$", status=460, body="no", content_type="text/html")
    play.vendor.faults.add(page)
    assert run.do("DEV.deploy").state == "failed"
    play.vendor.faults.clear()
    play.put(run.record.close(PromotionOutcome.FAILED))


def test_a_run_waits_without_a_worker_until_the_one_before_has_closed(play: Play) -> None:
    one, two = play.start("r1", N1), play.start("r2", N2)
    goes_on(one)
    waits(two)
    waits(two)
    assert (play.latest_turn(), play.waiting()) == ((1, "r1"), ["r2"])
    play.put(one.record.close(PromotionOutcome.PROMOTED))
    goes_on(two)
    assert (play.latest_turn(), play.waiting()) == ((2, "r2"), [])


def test_the_older_night_goes_first_whoever_asked_first(play: Play) -> None:
    zero, late, early = play.start("r0", N1), play.start("late", N3), play.start("early", N2)
    goes_on(zero)
    waits(late)
    waits(early)
    play.put(zero.record.close(PromotionOutcome.PROMOTED))
    waits(late)
    goes_on(early)
    waits(late)


def test_of_one_night_who_asked_first_goes_first_however_often_both_look(play: Play) -> None:
    zero, first, second = play.start("r0", N1), play.start("r1", N2), play.start("r2", N2)
    goes_on(zero)
    for _ in range(2):
        waits(first)
        waits(second)
    play.put(zero.record.close(PromotionOutcome.PROMOTED))
    waits(second)
    goes_on(first)


def test_one_that_ended_while_it_waited_holds_nobody_up(play: Play) -> None:
    zero, dead, two = play.start("r0", N1), play.start("dead", N2), play.start("r2", N3)
    goes_on(zero)
    waits(dead)
    waits(two)
    play.put(zero.record.close(PromotionOutcome.PROMOTED))
    dead.end()
    goes_on(two)
    assert play.waiting() == []


def test_a_run_that_ended_without_closing_is_taken_over(play: Play) -> None:
    one, two = play.start("r1", N1), play.start("r2", N2)
    goes_on(one)
    one.do("build")
    waits(two)
    one.end()
    goes_on(two)
    assert (one.record.outcome, "ended in Airflow" in one.record.reason) == (PromotionOutcome.ABANDONED, True)
    assert play.latest_turn() == (2, "r2")


def test_a_run_that_ended_before_it_had_a_record_is_taken_over(play: Play) -> None:
    play.airflow["ghost"] = "failed"
    ghost = Waiter(run_id="ghost", night=N1, opened="2026-11-20T00:00:00Z")
    asyncio.run(play.turns.take(ghost, None))
    goes_on(play.start("r2", N2))
    assert play.latest_turn() == (2, "r2")


@pytest.mark.parametrize("state", [StepState.STARTED, StepState.FAILED])
def test_only_once_flexdeploy_has_ended_what_it_still_does_for_it(play: Play, state: StepState) -> None:
    """A step that failed by a time-out has a request that goes on, just as one whose worker died."""
    play.vendor.turn(deploy_seconds=3600.0)
    one, two = play.start("r1", N1, version_id=OLD_VERSION), play.start("r2", N2)
    goes_on(one)
    done = one.do(
        "DEV.deploy", look=0.0, force_deploy=True, **({"job_timeout": 0.05} if state is StepState.FAILED else {})
    )
    if state is StepState.FAILED:
        done = one.resume("DEV.deploy", one.api("DEV.deploy").fire(done.message))
        assert "did not end in time" in str(done.error)
    one.end()
    assert one.step("DEV.deploy").state is state
    waits(two)
    assert one.record.closed is None
    [request] = one.step("DEV.deploy").requests
    play.vendor.abort(request)
    goes_on(two)
    assert one.record.outcome is PromotionOutcome.ABANDONED


def test_a_newer_night_takes_the_place_of_one_that_waits(play_of: Callable[..., Play]) -> None:
    play = play_of(newer="supersede")
    zero, one, two = play.start("r0", N1), play.start("r1", N2), play.start("r2", N3)
    goes_on(zero)
    waits(one)
    waits(two)
    done = one.resume("begin", {"why": "a newer night waits"})
    assert (done.state, done.result["outcome"]) == ("success", "superseded")
    # The newer one may have its turn before the next task of this one runs.
    play.put(zero.record.close(PromotionOutcome.PROMOTED))
    goes_on(two)
    for name in ("build", "DEV.deploy", "TEST.deploy", "roll_back.offer"):
        assert one.do(name).state == "skipped"
    assert one.do("close").result["outcome"] == "superseded"
    assert (one.record.superseded_by, one.record.turn) == ("r2", None)
    assert (play.waiting(), play.latest_turn(), play.made("build_made")) == ([], (2, "r2"), [])


def test_one_without_a_night_is_never_superseded(play_of: Callable[..., Play]) -> None:
    play = play_of(newer="supersede")
    zero, person, two = play.start("r0", N1), play.start("person", by="ann"), play.start("r2", N3)
    goes_on(zero)
    waits(person)
    waits(two)
    waits(person)
    assert sorted(play.waiting()) == ["person", "r2"]


def test_a_promotion_that_was_closed_takes_a_new_turn_when_begin_is_cleared(play: Play) -> None:
    one, two = play.start("r1", N1), play.start("r2", N2)
    goes_on(one)
    play.put(one.record.close(PromotionOutcome.FAILED))
    one.clear("begin")
    goes_on(two)
    one.parked.clear()
    waits(one)
    assert one.record.outcome is PromotionOutcome.FAILED
    play.put(two.record.close(PromotionOutcome.PROMOTED))
    goes_on(one)
    assert (play.latest_turn(), one.record.turn, one.record.outcome, one.record.closed) == ((3, "r1"), 3, None, None)


def test_a_doubt_holds_the_others_and_not_the_promotion_that_can_end_it(play: Play) -> None:
    """Its own deployment is not made twice: the step that left the doubt asks a person once more."""
    one, two = play.start("r1", N1, version_id=OLD_VERSION), play.start("r2", N2)
    goes_on(one)
    left_in_doubt(play, one)
    waits(two)
    one.clear("begin")
    one.parked.clear()
    goes_on(one)
    waits(two)
    assert isinstance(one.do("DEV.deploy").error, Ambiguous)
    assert play.made("deploy_made") == []


def test_one_that_was_given_up_and_cleared_waits_behind_the_older_nights_and_they_do_not_wait_for_it(
    play: Play,
) -> None:
    older, one = play.start("r1", N1), play.start("r2", N2)
    goes_on(one)
    waits(older)
    one.end()
    # Somebody takes it for given up; before the older night looks again, a person clears it.
    play.put(one.record.close(PromotionOutcome.ABANDONED))
    one.clear("begin")
    one.parked.clear()
    waits(one)
    goes_on(older)
    waits(one)
    play.put(older.record.close(PromotionOutcome.PROMOTED))
    goes_on(one)


def test_one_whose_doubt_holds_older_nights_goes_before_them(play: Play) -> None:
    older, one = play.start("r1", N1), play.start("r2", N2, version_id=OLD_VERSION)
    goes_on(one)
    left_in_doubt(play, one)
    waits(older)
    one.clear("begin")
    one.parked.clear()
    goes_on(one)
    waits(older)


def test_a_second_attempt_keeps_the_turn_of_the_first(play: Play) -> None:
    one = play.start("r1", N1)
    goes_on(one)
    opened = one.record.opened
    assert one.do("begin").state == "success"
    assert (play.latest_turn(), one.record.opened) == ((1, "r1"), opened)


def test_a_run_that_lost_its_turn_does_nothing_more(play: Play) -> None:
    one, two = play.start("r1", N1), play.start("r2", N2)
    goes_on(one)
    assert one.do("build").state == "success"
    play.put(one.record.close(PromotionOutcome.FAILED, "before"))
    goes_on(two)
    one.clear("DEV.deploy", "close")
    done = one.do("DEV.deploy")
    assert (done.state, type(done.error).__name__) == ("failed", "TurnLost")
    assert "Clear the task `begin` of this run with all that follows" in str(done.error)
    closed = one.do("close")
    assert "another promotion of this application has had a turn since" in str(closed.error)
    assert (one.record.outcome, one.record.reason, play.deployments()) == (PromotionOutcome.FAILED, "before", [])


def test_a_cleared_step_takes_a_closed_record_up_again_while_the_turn_is_still_its_own(play: Play) -> None:
    one, two = play.start("r1", N1), play.start("r2", N2)
    goes_on(one)
    one.do("build")
    play.put(one.record.close(PromotionOutcome.FAILED))
    one.clear("DEV.deploy")
    assert one.do("DEV.deploy").state == "success"
    assert one.record.closed is None
    waits(two)


@pytest.fixture
def looked(play: Play) -> Callable[..., Any]:
    """Return what a trigger of a run says when it looks; nothing within a short while is an answer, too."""

    def look(run_id: str, *, supersedable: bool = False) -> str:
        trigger = TurnTrigger(NAME, run_id, supersedable, interval=0.01, longest=0.1)
        again = TurnTrigger(**trigger.serialize()[1])

        async def first() -> str:
            return str((await anext(again.run())).payload["why"])

        return asyncio.run(first())

    return look


def test_the_wait_ends_when_there_is_something_to_see(play: Play, looked: Callable[..., str]) -> None:
    one, two, three = play.start("r1", N1), play.start("r2", N2), play.start("r3", N3)
    assert looked("r2") == "its note is gone"
    goes_on(one)
    waits(two)
    waits(three)
    assert (looked("r2"), looked("r3")) == ("time to look", "time to look")
    assert looked("r2", supersedable=True) == "a newer night waits"
    assert looked("r3", supersedable=True) == "time to look"
    play.put(one.record.close(PromotionOutcome.PROMOTED))
    assert (looked("r2"), looked("r3")) == ("its turn", "time to look")


@pytest.mark.parametrize("waited", ["in the queue", "for a first attempt"])
def test_an_emergency_that_waited_pardons_nothing_that_was_found_meanwhile(play: Play, waited: str) -> None:
    with time_machine.travel(datetime(2026, 11, 23, 9, tzinfo=UTC)) as clock:
        first = play.start("r1", N1)
        goes_on(first)
        for name in ("build", "DEV.deploy"):
            first.do(name, follow=True)
        version = first.record.version
        assert version is not None
        fire = {"version_id": version.id, "from_stage": "TEST", "emergency": "it burns"}
        again = play.start("d", run_type="manual", by="ann", **fire)
        if waited == "in the queue":
            waits(again)
        clock.shift(3600)
        asyncio.run(report(play.records, "r1", "DEV", version, by="dan", why="it is slow"))
        play.put(first.record.close(PromotionOutcome.FAILED))
        clock.shift(3600)
        done = again.do("begin") if waited == "for a first attempt" else again.resume("begin", {"why": "its turn"})
    assert done.state == "failed"
    assert "was revoked: DEV refuted by dan" in str(done.error)
    assert play.latest_turn() == (1, "r1")
