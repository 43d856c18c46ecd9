"""A deployment of several packages has one outcome, whatever became of each: what follows is as of one without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from include.standins.flexdeploy import vendor_fault
from include.standins.flexdeploy.planted import FORMS
from nightshift.promotion.record import PromotionRecord, Version
from nightshift.promotion.rules.way_back import roll_back_of
from nightshift.promotion.vocabulary import StepState
from tests.unit.promotion.play import N1, N2, Play, Run, stage
from tests.unit.promotion.records import deploy, ran, record
from tests.unit.promotion.test_roll_back import settled

PARTIAL = {"project_id": FORMS, "stream_id": FORMS + 400, "packages": [{"name": "INVOICES"}, {"name": "LEDGER"}]}
OLD_FORMS = 20000 + FORMS


@pytest.fixture
def play(play_of: Callable[..., Play]) -> Play:
    play = play_of(stage("DEV"), stage("TEST", on_failure="roll_back"), **PARTIAL)
    settled(play, Version(id=OLD_FORMS, name="1.0.1"))
    return play


def to_test(play: Play, *, seconds: float = 0.02, **changes: Any) -> Run:
    """Play a promotion to the end of its deployment to TEST, which takes so long, or to where that waits."""
    run = play.start("r1", N1)
    assert run.do("begin").state == "success"
    assert run.do("build", force_build=True).state == "success"
    assert run.do("DEV.deploy").state == "success"
    play.vendor.turn(deploy_seconds=seconds)
    run.do("TEST.deploy", **changes)
    return run


@pytest.mark.parametrize("package", [None, "LEDGER"])
def test_where_one_fails_the_version_from_before_comes_back_by_rule(play: Play, package: str | None) -> None:
    detail = {"message": "disk full", **({"package": package} if package else {})}
    play.vendor.faults.add(vendor_fault("run_fails", path="/deploy$", detail=detail, after=1))
    run = to_test(play)
    step = run.step("TEST.deploy")
    parts = [f"{number} {'COMPLETED' if package and not at else 'FAILED'}" for at, number in enumerate(step.requests)]
    assert (step.state, step.outcome, len(parts)) == (StepState.FAILED, "failed", 2)
    assert ", ".join(parts) in step.detail
    assert run.do("roll_back.offer").result["rule"] == "roll_back"
    for name in ("roll_back.approve", "roll_back.deploy"):
        assert run.do(name).state == "success", run.parked[name].error
    assert play.deployments()[-2:] == [("TEST", OLD_FORMS)] * 2


@pytest.mark.parametrize("rejected", [1, 2])
def test_where_all_were_rejected_nothing_ran_and_where_some_were_a_person_is_asked(play: Play, rejected: int) -> None:
    play.vendor.turn(approvals={"TEST": 1})
    run = to_test(play, look=0.0)
    requests = run.step("TEST.deploy").requests
    for number in requests[:rejected]:
        play.vendor.reject(number)
    for number in requests[rejected:]:
        play.vendor.approve(number)
    assert run.do("TEST.deploy").state == "failed"
    assert run.step("TEST.deploy").outcome == ("rejected" if rejected == 2 else "aborted")
    offered = run.do("roll_back.offer")
    if rejected == 2:
        assert (offered.state, run.record.offer) == ("skipped", None)
    else:
        assert (offered.result["rule"], offered.result["version"]["id"]) == ("offer", OLD_FORMS)


def test_what_ran_before_is_what_became_of_all_of_them(play: Play) -> None:
    """Nobody saw its end: the last one came, the first one was ended by a person."""
    run = to_test(play, seconds=3600.0, look=0.0)
    first, _ = run.step("TEST.deploy").requests
    play.vendor.abort(first)
    play.vendor.clock.advance(7200)
    run.end()
    two = play.start("r2", N2)
    assert two.do("begin").state == "success"
    before = two.record.before["TEST"]
    assert before is not None
    assert before.version.id == OLD_FORMS


@pytest.mark.parametrize(
    ("kept", "outcome"),
    [
        ("12009 failed, 12010 completed", "failed"),
        ("12009 rejected, 12010 failed, 12011 aborted", "failed"),
        ("12009 completed, 12010 rejected", "aborted"),
        ("12009 rejected, 12010 rejected", "rejected"),
        ("12009 aborted, 12010 aborted", "aborted"),
        ("12009 submitted, 12010 failed", "12009 submitted, 12010 failed"),
        ("timed_out", "timed_out"),
        (None, None),
    ],
)
def test_what_the_release_before_kept_of_each_is_read_as_one(kept: str | None, outcome: str | None) -> None:
    left = deploy("TEST", state=StepState.FAILED).changed(outcome=kept)
    there = PromotionRecord.from_json(record(left, before={"TEST": ran()}).to_json(), "r.json")
    step = there.step("TEST.deploy")
    assert step is not None
    assert step == left.changed(outcome=outcome)
    assert (roll_back_of(there) is None) is (outcome == "rejected")
