"""``on_failure``: the version from before comes back by itself, by a question, or not at all; and is verified then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from include.standins.flexdeploy import vendor_fault
from include.standins.flexdeploy.planted import PORTAL
from nightshift.promotion.record import Version
from nightshift.promotion.revoked import report
from nightshift.promotion.vocabulary import PromotionOutcome, StepKind, StepState, VerdictWord
from tests.unit.promotion.play import N1, OLD_VERSION, Play, Run, stage
from tests.unit.promotion.test_roll_back import settled

OLD = Version(id=OLD_VERSION, name="1.0.1")
BACK = ("roll_back.offer", "roll_back.approve", "roll_back.deploy", "roll_back.verify.TEST_probe")


@pytest.fixture
def bad(play_of: Callable[..., Play], vendor: Any) -> Callable[..., Run]:
    """Bring a version to TEST that answers badly there, where the old one has run before."""

    def of(on_failure: str | None = "roll_back", *, fails: str = "probe", **test: Any) -> Run:
        url = f"{vendor.url}/apps/TEST/{PORTAL}/health"
        verify = {"probes": [{"url": url, "expect": {"version": "${version}"}, "tries": 1}]}
        play = play_of(stage("DEV"), stage("TEST", verify=verify, on_failure=on_failure, **test))
        settled(play)
        run = play.start("r1", N1, run_type="manual")
        for name in ("begin", "build", "DEV.deploy"):
            assert run.do(name).state == "success", run.parked[name].error
        if "approval" in test:
            run.do("TEST.approve")
            run.answer("TEST.approve", "Approve", by="ann")
        if fails == "deploy":
            vendor.faults.add(vendor_fault("run_fails", path="/deploy$"))
            assert run.do("TEST.deploy").state == "failed"
            return run
        assert run.do("TEST.deploy").state == "success"
        version = run.record.version
        assert version is not None
        vendor.turn(bad_versions=[version.id])
        assert run.do("TEST.verify.probe").state == "failed"
        return run

    return of


def rolled_back(run: Run) -> None:
    for name in BACK:
        assert run.do(name).state == "success", (name, run.parked[name].error)


@pytest.mark.parametrize("fails", ["probe", "deploy"])
def test_it_comes_back_by_itself_and_is_verified_like_any_deployment(bad: Callable[..., Run], fails: str) -> None:
    run = bad(fails=fails)
    rolled_back(run)
    assert run.apis["roll_back.approve"].questions == []
    made = run.play.made("deploy_made")[-1]
    assert (made["environmentCode"], made["version"], made["force"]) == ("TEST", OLD_VERSION, True)
    assert run.record.offer is not None
    assert (run.record.offer.rule, run.record.offer.stage, run.record.offer.version.id) == (
        "roll_back",
        "TEST",
        OLD_VERSION,
    )
    step = run.step("roll_back.approve")
    assert (step.state, step.outcome, step.by) == (StepState.DONE, "on_failure: roll_back", None)
    assert ("TEST.verify.probe" if fails == "probe" else "TEST.deploy") in step.detail
    verdict = run.record.verdicts[-1]
    assert (verdict.kind, verdict.version.id, verdict.word) == (
        StepKind.ROLL_BACK_VERIFICATION,
        OLD_VERSION,
        VerdictWord.VERIFIED,
    )
    assert "The promotion was rolled back" in str(run.do("close").error)
    assert run.record.outcome is PromotionOutcome.ROLLED_BACK


def test_whoever_approved_the_stage_approved_the_rule(bad: Callable[..., Run]) -> None:
    run = bad(approval={"users": ["ann"]})
    [question] = run.apis["TEST.approve"].questions
    assert "* on failure: `roll_back`" in question["body"]
    assert "What was verified in the stages before:" not in question["body"]
    rolled_back(run)
    assert run.step("roll_back.approve").by == "ann"


def test_a_rule_that_the_approval_did_not_show_asks_a_person(bad: Callable[..., Run]) -> None:
    run = bad(approval={"users": ["ann"]})
    step = run.step("TEST.approve")
    run.play.put(run.record.with_step(step.changed(terms="0123456789abcdef")))
    assert run.do("roll_back.offer").result["rule"] == "offer"
    assert run.do("roll_back.approve").state == "awaiting_input"
    assert run.play.deployments()[-1][1] != OLD_VERSION


@pytest.mark.parametrize("said", ["offer", None])
def test_or_a_person_is_asked_also_about_a_verification(bad: Callable[..., Run], said: str | None) -> None:
    run = bad(said)
    assert run.do("roll_back.offer").result["rule"] == "offer"
    assert run.do("roll_back.approve").state == "awaiting_input"
    [question] = run.apis["roll_back.approve"].questions
    assert "TEST.verify.probe" in question["body"]
    run.answer("roll_back.approve", "Approve", by="ann")
    assert run.do("roll_back.deploy").state == "success"
    assert run.do("roll_back.verify.TEST_probe").state == "success"


def test_or_the_stage_stays_as_it_is(bad: Callable[..., Run]) -> None:
    run = bad("stop")
    done = run.do("roll_back.offer")
    assert (done.state, run.record.offer) == ("skipped", None)
    assert "roll_back.verify.TEST_probe" not in run.play.dag.task_ids
    run.states["TEST.verify.probe"] = "failed"
    run.do("close")
    assert run.record.outcome is PromotionOutcome.FAILED
    assert run.play.deployments()[-1][1] != OLD_VERSION


def revoke(run: Run) -> None:
    """Let a person say that what TEST ran before is bad."""
    asyncio.run(report(run.play.records, "r0", "TEST", OLD, by="bob", why="loses invoices"))


@pytest.mark.parametrize("when", ["before the offer", "after it"])
def test_a_version_from_before_that_was_revoked_comes_back_by_a_person_alone_who_is_shown_that(
    bad: Callable[..., Run], when: str
) -> None:
    run = bad()
    if when == "before the offer":
        revoke(run)
    offered = run.do("roll_back.offer").result
    if when == "after it":
        revoke(run)
    assert (offered["rule"], bool(offered["revoked"])) == (
        ("roll_back", False) if when == "after it" else ("offer", True)
    )
    assert run.do("roll_back.approve").state == "awaiting_input"
    [question] = run.apis["roll_back.approve"].questions
    assert "was revoked: TEST refuted by bob" in question["body"]
    assert f"*Approve* deploys `{OLD}` there again, although it was revoked" in question["body"]
    run.answer("roll_back.approve", "Approve", by="ann")
    assert run.do("roll_back.deploy").state == "success"
    assert run.play.deployments()[-1] == ("TEST", OLD_VERSION)


def test_one_that_is_revoked_after_the_rule_was_followed_is_asked_for(bad: Callable[..., Run]) -> None:
    run = bad()
    for name in BACK[:2]:
        assert run.do(name).state == "success"
    revoke(run)
    asked = run.play.asked()
    refused = run.do("roll_back.deploy")
    assert f"{OLD} is not brought back to TEST: the verification of {OLD} was revoked" in str(refused.error)
    assert "Clear roll_back.offer with all that follows" in str(refused.error)
    assert run.play.asked() == asked
    run.clear(*BACK)
    assert run.do("roll_back.offer").result["rule"] == "offer"
    assert run.do("roll_back.approve").state == "awaiting_input"
    run.answer("roll_back.approve", "Approve", by="ann")
    assert run.do("roll_back.deploy").state == "success"
    assert run.play.deployments()[-1] == ("TEST", OLD_VERSION)


def test_nor_does_a_yes_count_of_somebody_who_was_not_shown_it(bad: Callable[..., Run]) -> None:
    run = bad("offer")
    run.do("roll_back.offer")
    run.do("roll_back.approve")
    revoke(run)
    run.answer("roll_back.approve", "Approve", by="ann")
    asked = run.play.asked()
    refused = str(run.do("roll_back.deploy").error)
    assert "who approved it did not know" in refused
    assert f"Version {OLD_VERSION}, From stage TEST and the reason in the field Emergency" in refused
    assert run.play.asked() == asked
    run.clear(*BACK)
    assert run.do("roll_back.offer").result["revoked"]
    assert "Airflow keeps that question, which is for something else" in str(run.do("roll_back.approve").error)


def test_nobodys_silence_brings_back_what_was_revoked(bad: Callable[..., Run]) -> None:
    run = bad("offer")
    revoke(run)
    run.do("roll_back.offer")
    run.do("roll_back.approve")
    run.answer("roll_back.approve", "Approve", by=None, timed_out=True)
    assert run.step("roll_back.approve").state is StepState.REJECTED
    assert run.do("roll_back.deploy").state == "skipped"


def test_what_nobody_knows_to_be_at_fault_is_not_taken_away_unasked(bad: Callable[..., Run]) -> None:
    run = bad()
    step = run.step("TEST.verify.probe")
    run.play.put(run.record.with_step(step.changed(outcome="Contended")))
    assert run.do("roll_back.offer").result["rule"] == "offer"


def test_a_roll_back_whose_verification_fails_is_told_as_a_failure(bad: Callable[..., Run], vendor: Any) -> None:
    run = bad()
    for name in BACK[:3]:
        run.do(name)
    vendor.turn(bad_versions=[OLD_VERSION])
    assert run.do("roll_back.verify.TEST_probe").state == "failed"
    run.do("close")
    assert run.record.outcome is PromotionOutcome.FAILED


def test_where_nothing_was_rolled_back_nothing_is_verified(bad: Callable[..., Run]) -> None:
    run = bad("offer")
    run.do("roll_back.offer")
    run.do("roll_back.approve")
    run.answer("roll_back.approve", "Reject", by="ann")
    assert run.do("roll_back.verify.TEST_probe").state == "skipped"
    assert run.step("roll_back.verify.TEST_probe").detail == "nothing was brought back to TEST"
