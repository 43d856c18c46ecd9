"""What FlexDeploy does not show any more: its last word counts where there was one, else a person's; nobody waits for
ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from include.standins.flexdeploy import Changes, FlexDeployStandIn, FlexDeploySwitches, vendor_fault
from nightshift.promotion.doubts import doubts_of, settle
from nightshift.promotion.vocabulary import PromotionOutcome, StepState
from tests.unit.promotion.conftest import QUICK_SITE
from tests.unit.promotion.play import N1, N2, Play, Run
from tests.unit.promotion.test_queue import goes_on, waits
from tests.unit.promotion.test_roll_back import BROKEN


@pytest.fixture(autouse=True)
def _always_something_new(vendor: FlexDeployStandIn) -> None:
    vendor.turn(changes=Changes.ALWAYS)


@pytest.fixture
def other() -> Iterator[FlexDeployStandIn]:
    """Return another FlexDeploy, which counts as the first one does."""
    with FlexDeployStandIn(switches=FlexDeploySwitches(**QUICK_SITE)) as vendor:
        yield vendor


def built(play: Play, run_id: str = "r1", night: str = N1) -> Run:
    run = play.start(run_id, night)
    for name in ("begin", "build"):
        assert run.do(name).state == "success", run.parked[name].error
    return run


def left(play: Play, how: str) -> tuple[Run, int]:
    """Play a promotion whose deployment to DEV nobody sees end, to the end of its run; return that request as well."""
    run = built(play)
    play.vendor.turn(deploy_seconds=3600.0)
    done = run.do("DEV.deploy", look=0.0, **({"job_timeout": 0.05} if how == "timed out" else {}))
    if how == "timed out":
        done = run.resume("DEV.deploy", run.api("DEV.deploy").fire(done.message))
        assert (done.state, run.step("DEV.deploy").outcome) == ("failed", "timed_out")
        play.put(run.record.close(PromotionOutcome.FAILED))
    run.end()
    [request] = run.step("DEV.deploy").requests
    return run, request


def held(play: Play) -> list[str]:
    """Return what `nightshift settle` takes a word for."""
    return [one.step.task for one in asyncio.run(doubts_of(play.records, play.turns))]


def say_over(play: Play, run: Run) -> None:
    asyncio.run(settle(play.records, run.run_id, "DEV.deploy", by="ann", why="I looked, it is gone"))


@pytest.mark.parametrize("how", ["failed", "aborted", "rejected"])
def test_nobody_waits_for_what_flexdeploy_has_said_to_have_ended(play: Play, how: str) -> None:
    fault = {"failed": BROKEN, "aborted": vendor_fault("run_aborted", path="/deploy$")}
    if how == "rejected":
        play.vendor.turn(approvals={"DEV": 1})
    else:
        play.vendor.faults.add(fault[how])
    run = built(play)
    run.do("DEV.deploy", look=0.0 if how == "rejected" else 30.0)
    [request] = run.step("DEV.deploy").requests
    if how == "rejected":
        play.vendor.reject(request)
        run.do("DEV.deploy")
    assert run.step("DEV.deploy").outcome == how
    play.put(run.record.close(PromotionOutcome.FAILED))
    run.end()
    play.vendor.purge(request)
    asked = len(play.vendor.ledger.requests(path=f"/workflowrequest/{request}$"))
    goes_on(play.start("r2", N2))
    assert len(play.vendor.ledger.requests(path=f"/workflowrequest/{request}$")) == asked
    assert held(play) == []


@pytest.mark.parametrize("how", ["timed out", "worker died"])
def test_where_nobody_knows_the_wait_says_how_a_person_ends_it(
    play: Play, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    run, request = left(play, how)
    two = play.start("r2", N2)
    waits(two)
    play.vendor.abort(request)
    play.vendor.purge(request)
    caplog.clear()
    waits(two)
    told = next(line.getMessage() for line in caplog.records if line.levelname == "WARNING")
    assert (
        f"Waiting: workflow request {request} of DEV.deploy, which FlexDeploy does not show: nobody knows whether"
        in told
    )
    assert "`nightshift settle` or the board takes your word that it is over" in told
    assert held(play) == ["DEV.deploy"]
    say_over(play, run)
    assert held(play) == []
    goes_on(two)
    assert two.record.before["DEV"] is None


def test_a_word_ends_nothing_that_flexdeploy_shows_at_work(play: Play) -> None:
    run, request = left(play, "timed out")
    two = play.start("r2", N2)
    waits(two)
    say_over(play, run)
    waits(two)
    play.vendor.abort(request)
    goes_on(two)


def test_a_word_ends_what_is_at_a_server_that_is_gone(
    play: Play, other: FlexDeployStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    run, _ = left(play, "worker died")
    play.connections["flexdeploy_default"] = {**play.connections["flexdeploy_default"], "host": other.url}
    two = play.start("r2", N2)
    waits(two)
    assert "`nightshift settle` or the board takes your word" in caplog.text
    assert (run.record.outcome, run.step("DEV.deploy").state) == (PromotionOutcome.ABANDONED, StepState.STARTED)
    say_over(play, run)
    goes_on(two)
    assert not [one for one in other.ledger.requests() if "workflowrequest" in one.path]
