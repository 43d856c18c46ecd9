"""What ran in a stage before a promotion began, where the records alone do not tell."""

from __future__ import annotations

import time
from typing import Any

import pytest

from include.standins.faults import Fault
from nightshift.promotion.record import RecordedResolution, now
from nightshift.promotion.rules.progress import in_doubt
from nightshift.promotion.vocabulary import PromotionOutcome, StepState
from tests.unit.promotion.play import N1, N2, N3, OLD_VERSION, Play, Run
from tests.unit.promotion.test_roll_back import BROKEN, settled


@pytest.mark.parametrize(("ends", "expected"), [("well", "its version"), ("badly", OLD_VERSION), ("unseen", None)])
def test_what_ran_before_is_what_flexdeploy_tells_of_a_deployment_that_was_marked(
    play: Play, ends: str, expected: Any
) -> None:
    """Its end is in no record: bringing back what ran before that one would bring back another version."""
    settled(play)
    play.vendor.turn(deploy_seconds=3600.0 if ends == "badly" else 0.3)
    one = play.start("r1", N1)
    for name in ("begin", "build"):
        assert one.do(name).state == "success"
    one.do("DEV.deploy", look=0.0)
    assert one.step("DEV.deploy").state is StepState.STARTED
    [request] = one.step("DEV.deploy").requests
    play.put(one.record.close(PromotionOutcome.FAILED))
    if ends == "badly":
        play.vendor.abort(request)
    else:
        time.sleep(0.4)
    two = play.start("r2", N2)
    if ends == "unseen":
        said = RecordedResolution(word="over", by="ann", why="I looked", at=now())
        play.put(one.record.with_step(one.step("DEV.deploy").changed(said=said)))
        play.vendor.faults.add(
            Fault(kind="status", method="GET", path=f"/{request}$", status=404, body="no", times=None)
        )
    assert two.do("begin").state == "success"
    before = two.record.before["DEV"]
    built = one.record.version
    assert built is not None
    assert (before and before.version.id) == (built.id if expected == "its version" else expected)


@pytest.mark.parametrize("is_told", [True, False])
def test_of_one_that_failed_since_it_is_asked_what_ran_before_that(play: Play, is_told: bool) -> None:
    """The newest deployment failed for certain; of the one before it, which was marked, only FlexDeploy knows."""
    settled(play)
    play.vendor.turn(deploy_seconds=0.3)
    one = play.start("r1", N1)
    for name in ("begin", "build"):
        assert one.do(name).state == "success"
    one.do("DEV.deploy", look=0.0)
    play.put(one.record.close(PromotionOutcome.FAILED))
    time.sleep(0.4)
    [request] = one.step("DEV.deploy").requests
    two = play.start("r2", N2)
    assert two.do("begin").state == "success"
    assert two.do("build", force_build=True).state == "success"
    play.vendor.faults.add(BROKEN)
    assert two.do("DEV.deploy").state == "failed"
    assert two.step("DEV.deploy").outcome == "failed"
    play.put(two.record.close(PromotionOutcome.FAILED))
    if not is_told:
        said = RecordedResolution(word="over", by="ann", why="I looked", at=now())
        play.put(one.record.with_step(one.step("DEV.deploy").changed(said=said)))
        gone = Fault(kind="status", method="GET", path=f"/{request}$", status=404, body="no", times=None)
        play.vendor.faults.add(gone)
    three = play.start("r3", N3)
    assert three.do("begin").state == "success"
    before = three.record.before["DEV"]
    assert one.record.version is not None
    assert (before and before.version.id) == (one.record.version.id if is_told else None)


def rejected(play: Play, run: Run) -> None:
    """Let FlexDeploy's own approver reject the deployment to TEST before it runs."""
    play.vendor.turn(approvals={"TEST": 1})
    assert run.do("TEST.deploy", look=0.0).state == "deferred"
    play.vendor.reject(run.step("TEST.deploy").requests[0])
    assert run.do("TEST.deploy").state == "failed"
    assert run.step("TEST.deploy").outcome == "rejected"


def to_test(play: Play) -> Run:
    settled(play)
    run = play.start("r1", N1)
    for name in ("begin", "build", "DEV.deploy"):
        assert run.do(name).state == "success"
    return run


def test_what_was_rejected_before_it_ran_leaves_the_stage_as_it_was(play: Play) -> None:
    run = to_test(play)
    rejected(play, run)
    assert in_doubt(run.record) == []
    run.do("close")
    run.end()
    two = play.start("r2", N2)
    assert two.do("begin").state == "success"
    assert f"now in TEST: 1.0.1 (id {OLD_VERSION})" in two.record.plan
    before = two.record.before["TEST"]
    assert (before and before.version.id) == OLD_VERSION


def test_but_not_where_an_attempt_before_had_failed_on_the_way(play: Play) -> None:
    run = to_test(play)
    play.vendor.faults.add(BROKEN)
    assert run.do("TEST.deploy").state == "failed"
    play.vendor.faults.clear()
    run.clear("TEST.deploy")
    rejected(play, run)
    assert [one.task for one in in_doubt(run.record)] == ["TEST.deploy"]
    offered = run.do("roll_back.offer").result
    assert (offered["rule"], offered["version"]["id"]) == ("offer", OLD_VERSION)
