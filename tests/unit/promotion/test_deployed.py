"""What ran in a stage before a promotion began, where the records alone do not tell."""

from __future__ import annotations

import time
from typing import Any

import pytest

from include.standins.faults import Fault
from nightshift.promotion.record import PromotionOutcome, RecordedResolution, StepState, now
from tests.unit.promotion.play import N1, N2, N3, OLD_VERSION, Play
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
