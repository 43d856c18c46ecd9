"""The way back of a stage that failed, and the last word of a promotion."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from include.standins.faults import Fault
from include.standins.flexdeploy import vendor_fault
from nightshift.jobs.record import RESOLUTION_KEY
from nightshift.promotion.record import PromotionRecord, PromotionStep, Version, now
from nightshift.promotion.store import object_name
from nightshift.promotion.vocabulary import PromotionOutcome, StepKind, StepState
from tests.unit.promotion.play import N1, N2, NAME, OLD_VERSION, RESTART_IT, Play, Run, stage

OLD = Version(id=OLD_VERSION, name="1.0.1")
BROKEN = vendor_fault("run_fails", path="/deploy$", detail={"message": "disk full", "after": 1})


def settled(play: Play, version: Version = OLD) -> None:
    """Let the records tell what the stand-in has from the start: that the old version runs in each stage."""
    at = now() - timedelta(hours=1)
    steps = [
        PromotionStep(
            task=f"{one}.deploy",
            kind=StepKind.DEPLOY,
            stage=one,
            state=StepState.DONE,
            started=at,
            ended=at,
            version=version,
        )
        for one in ("DEV", "TEST")
    ]
    play.put(
        PromotionRecord(
            application=NAME,
            dag_id=f"promote_{NAME}",
            run_id="r0",
            opened=at,
            closed=at,
            outcome=PromotionOutcome.PROMOTED,
            version=version,
            steps=tuple(steps),
        )
    )


def failed(play: Play, *faults: Fault, run_id: str = "r1", conf: dict[str, Any] | None = None, **changes: Any) -> Run:
    """Play a promotion whose deployment to TEST fails."""
    run = play.start(run_id, N1, run_type="manual", **(conf or {}))
    for name in ("begin", "build", "DEV.deploy"):
        assert run.do(name).state == "success", run.parked[name].error
    play.vendor.faults.add(*faults)
    run.do("TEST.deploy", **changes)
    return run


def runs_in(play: Play, code: str) -> set[int]:
    return {live.version for live in play.vendor.runs_in(code) if live.project == play.config.project_id}


def test_the_version_from_before_is_offered_asked_for_and_brought_back(play: Play) -> None:
    settled(play)
    run = failed(play, BROKEN)
    assert runs_in(play, "TEST") == {OLD_VERSION, run.record.version.id}  # type: ignore[union-attr]
    offer = run.do("roll_back.offer")
    assert (offer.result["stage"], offer.result["version"]["id"]) == ("TEST", OLD_VERSION)
    assert "disk full" in offer.result["why"]
    assert run.do("roll_back.approve").state == "awaiting_input"
    [question] = run.apis["roll_back.approve"].questions
    assert question["subject"] == f"portal: TEST failed, bring back 1.0.1 (id {OLD_VERSION})?"
    assert "disk full" in question["body"]
    assert run.answer("roll_back.approve", "Approve", by="ann").state == "success"
    assert (run.step("roll_back.approve").stage, run.step("roll_back.approve").by) == ("TEST", "ann")
    done = run.do("roll_back.deploy")
    assert (done.state, done.error) == ("success", None)
    made = play.made("deploy_made")[-1]
    assert (made["environmentCode"], made["version"], made["force"]) == ("TEST", OLD_VERSION, True)
    assert runs_in(play, "TEST") == {OLD_VERSION}
    step = run.step("roll_back.deploy")
    assert (step.kind, step.stage, step.version and step.version.id) == (StepKind.ROLL_BACK, "TEST", OLD_VERSION)
    closed = run.do("close")
    assert "The promotion was rolled back: TEST.deploy" in str(closed.error)
    assert f"TEST: 1.0.1 (id {OLD_VERSION})" in str(closed.error)
    assert "in doubt" not in str(closed.error)
    assert run.record.outcome is PromotionOutcome.ROLLED_BACK


def test_the_question_does_not_claim_that_the_old_version_runs_and_asks_the_stages_own_approvers(
    play_of: Callable[..., Play],
) -> None:
    play = play_of(stage("DEV"), stage("TEST", approval={"users": ["ann"]}), roll_back={"approval": {"users": ["ops"]}})
    settled(play)
    run = play.start("r1", N1, run_type="manual")
    for name in ("begin", "build", "DEV.deploy", "TEST.approve"):
        run.do(name)
    run.answer("TEST.approve", "Approve", by="ann")
    play.vendor.faults.add(BROKEN)
    run.do("TEST.deploy")
    run.do("roll_back.offer")
    run.do("roll_back.approve")
    [question] = run.apis["roll_back.approve"].questions
    assert [one["id"] for one in question["assigned_users"]] == ["ann"]
    assert f"* before this promotion, the records say, it ran `1.0.1 (id {OLD_VERSION})`" in question["body"]
    assert "* what runs there now is not known: it may be either, or a part of each" in question["body"]
    [line] = [line for line in question["body"].splitlines() if line.startswith("* TEST: ")]
    assert "**in doubt**: `TEST.deploy" in line


def test_the_way_back_is_what_the_record_offers_whatever_an_xcom_says(play: Play) -> None:
    settled(play)
    run = failed(play, BROKEN)
    run.do("roll_back.offer")
    assert run.record.offer is not None
    assert (run.record.offer.stage, run.record.offer.version.id) == ("TEST", OLD_VERSION)
    run.xcoms["roll_back.offer", "return_value"] = {"stage": "DEV", "version": {"id": 1}, "why": "forged"}
    run.do("roll_back.approve")
    run.answer("roll_back.approve", "Approve", by="ann")
    assert run.do("roll_back.deploy").state == "success"
    assert play.deployments()[-1] == ("TEST", OLD_VERSION)


def test_an_approval_of_another_offer_brings_nothing_back(play: Play) -> None:
    settled(play)
    run = failed(play, BROKEN)
    run.do("roll_back.offer")
    run.do("roll_back.approve")
    run.answer("roll_back.approve", "Approve", by="ann")
    before, offer = len(play.deployments()), run.record.offer
    assert offer is not None
    play.put(run.record.changed(offer=offer.changed(version=Version(id=40009))))
    assert run.do("roll_back.deploy").state == "skipped"
    assert f"was approved for 1.0.1 (id {OLD_VERSION}), not for id 40009" in run.step("roll_back.deploy").detail
    play.put(run.record.changed(offer=None))
    run.clear("roll_back.deploy")
    assert run.do("roll_back.deploy").state == "skipped"
    assert len(play.deployments()) == before


def test_the_way_back_is_that_of_the_stage_that_failed(play_of: Callable[..., Play]) -> None:
    """Neither another stage's inputs nor its window go with it."""
    closed = {"timezone": "UTC", "opens": "03:00", "closes": "03:01", "outside": "start_time"}
    play = play_of(
        stage(
            "DEV",
            inputs={"COMMENT": "dev"},
            change_tickets=["DEV-1"],
            window={**closed, "opens": "00:00", "closes": "23:59"},
        ),
        stage("TEST", inputs={"RESTART_SERVER": "Y"}, change_tickets=["TEST-1"], instance_ids=[12001]),
    )
    settled(play)
    run = failed(play, vendor_fault("run_fails", path="/deploy$"))
    run.do("roll_back.offer")
    run.do("roll_back.approve")
    run.answer("roll_back.approve", "Approve")
    assert run.do("roll_back.deploy").state == "success"
    made = play.made("deploy_made")[-1]
    assert list(made["inputs"]) == [{"code": "RESTART_SERVER", "value": "Y"}]
    assert (list(made["tickets"]), made["instances"], made["startTime"]) == (["TEST-1"], [12001], None)


def test_a_roll_back_that_a_person_rejects_leaves_the_stage(play: Play) -> None:
    settled(play)
    run = failed(play, BROKEN)
    before = len(play.deployments())
    run.do("roll_back.offer")
    run.do("roll_back.approve")
    run.answer("roll_back.approve", "Reject", by="ann")
    assert run.do("roll_back.deploy").state == "skipped"
    closed = run.do("close")
    assert "The promotion failed" in str(closed.error)
    assert "TEST: 1.0.1 (id 30101); in doubt: TEST.deploy" in str(closed.error)
    assert (run.record.outcome, len(play.deployments())) == (PromotionOutcome.FAILED, before)


def test_a_step_after_the_deployment_that_fails_brings_the_stage_back_too(play_of: Callable[..., Play]) -> None:
    play = play_of(stage("DEV"), stage("TEST", after=[RESTART_IT]))
    settled(play)
    run = failed(play)
    assert run.step("TEST.deploy").state is StepState.DONE
    play.vendor.faults.add(vendor_fault("run_fails", path="/execute$"))
    assert run.do("TEST.restart").state == "failed"
    assert run.do("roll_back.offer").result["version"]["id"] == OLD_VERSION


def test_nothing_is_offered_while_the_failed_request_is_still_at_work(play: Play) -> None:
    settled(play)
    play.vendor.turn(deploy_seconds=0.02)
    run = failed(play, vendor_fault("run_takes", path="/deploy$", seconds=3600.0), deferrable=False, job_timeout=0.3)
    assert run.step("TEST.deploy").outcome == "timed_out"
    run.states["TEST.deploy"] = "failed"  # its attempts are used up
    [request] = run.step("TEST.deploy").requests
    done = run.do("roll_back.offer")
    assert done.state == "failed"
    assert f"Workflow request {request} of TEST.deploy is SUBMITTED at FlexDeploy" in str(done.error)
    assert "abort it at" in str(done.error)
    play.vendor.abort(request)
    run.clear("roll_back.offer")
    assert run.do("roll_back.offer").result["version"]["id"] == OLD_VERSION


def test_nothing_is_offered_after_flexdeploys_own_rejection(play: Play) -> None:
    settled(play)
    play.vendor.turn(approvals={"TEST": 1})
    run = failed(play, look=0.0)
    [request] = run.step("TEST.deploy").requests
    play.vendor.reject(request)
    assert run.do("TEST.deploy").state == "failed"
    assert run.step("TEST.deploy").outcome == "rejected"
    assert run.do("roll_back.offer").state == "skipped"
    assert run.do("close").state == "failed"
    assert run.record.outcome is PromotionOutcome.FAILED


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (Fault(kind="accept_then_drop", method="POST", path="/deploy$"), "ambiguous"),
        (Fault(kind="status", method="POST", path="/deploy$", status=403), "Forbidden"),
        (Fault(kind="status", method="POST", path="/deploy$", status=400), "Rejected"),
    ],
)
def test_nothing_is_offered_where_nobody_knows_or_nothing_began(play: Play, fault: Fault, outcome: str) -> None:
    settled(play)
    run = failed(play, fault)
    assert (run.states["TEST.deploy"], run.step("TEST.deploy").outcome) == ("failed", outcome)
    assert run.do("roll_back.offer").state == "skipped"


def test_nothing_is_offered_where_nothing_failed_or_no_record_tells_what_was_there(play: Play) -> None:
    run = failed(play)
    assert run.do("roll_back.offer").state == "skipped"
    play.put(run.record.close(PromotionOutcome.PROMOTED))
    second = failed(play, BROKEN, run_id="r2", conf={"force_build": True})
    play.put(second.record.changed(before={}))
    assert second.do("roll_back.offer").state == "skipped"


def test_each_good_end_has_its_word_and_gives_up_the_turn(play: Play) -> None:
    settled(play)
    assert play.waiting() == []
    nights = play.start("r1", N1)
    for name in ("begin", "build", "DEV.deploy", "TEST.deploy"):
        nights.do(name)
    told = nights.do("close").result
    version = nights.record.version
    assert told == {
        "outcome": "promoted",
        "reason": f"{version} through DEV → TEST",
        "standing": [f"DEV: {version}", f"TEST: {version}"],
    }
    assert nights.record.closed is not None
    assert play.start("r2", N2).do("begin").state == "success"


def test_a_failed_promotion_fails_its_run_and_gives_up_its_turn(play: Play) -> None:
    run = failed(play, BROKEN)
    run.states.update({"roll_back.offer": "skipped"})
    closed = run.do("close")
    assert (closed.state, run.record.outcome) == ("failed", PromotionOutcome.FAILED)
    assert "TEST: not known; in doubt: TEST.deploy" in str(closed.error)
    assert play.start("r2", N2).do("begin").state == "success"


def test_a_run_that_never_began_says_so(play: Play) -> None:
    run = play.start("r1", N1, stranger=True)
    run.do("begin")
    closed = run.do("close")
    assert str(closed.error).startswith("Nothing was built or deployed: begin failed.")
    assert not (asyncio.run(play.records.read("r1")))
    assert object_name("r1") == "r1.json"


def test_after_a_clear_a_stage_that_fails_again_is_not_taken_for_rolled_back(play: Play) -> None:
    settled(play)
    run = failed(play, BROKEN)
    run.do("roll_back.offer")
    run.do("roll_back.approve")
    run.answer("roll_back.approve", "Approve")
    run.do("roll_back.deploy")
    run.do("close")
    later = [step.changed(started=step.started.replace(year=2025)) for step in run.record.steps]
    play.put(run.record.changed(steps=tuple(later)))
    run.clear("TEST.deploy", "roll_back.offer", "roll_back.approve", "roll_back.deploy", "close")
    play.vendor.faults.add(BROKEN)
    assert run.do("TEST.deploy").state == "failed"
    run.do("roll_back.offer")
    run.do("roll_back.approve")
    run.answer("roll_back.approve", "Reject")
    assert run.do("roll_back.deploy").state == "skipped"
    closed = run.do("close")
    assert "The promotion failed" in str(closed.error)
    assert "in doubt: TEST.deploy" in str(closed.error)


def rolled_back_unseen(play: Play) -> Run:
    """Play a promotion whose deployment to TEST ends well, seen by nobody, and that is rolled back for it."""
    settled(play)
    play.vendor.turn(deploy_seconds=0.3)
    run = play.start("r1", N1)
    for name in ("begin", "build", "DEV.deploy"):
        assert run.do(name, follow=True).state == "success"
    run.do("TEST.deploy", look=0.0)
    assert run.step("TEST.deploy").state is StepState.STARTED
    time.sleep(0.4)
    run.states["TEST.deploy"] = "failed"
    run.do("roll_back.offer")
    run.do("roll_back.approve")
    run.answer("roll_back.approve", "Approve")
    assert run.do("roll_back.deploy", follow=True).state == "success"
    assert runs_in(play, "TEST") == {OLD_VERSION}
    run.do("close")
    return run


AND_ALL_AFTER = ("roll_back.offer", "roll_back.approve", "roll_back.deploy", "close")


def test_what_was_brought_before_a_roll_back_does_not_make_the_stage_good_again(play: Play) -> None:
    """A clear finds it at FlexDeploy, well ended, and another version since."""
    run = rolled_back_unseen(play)
    run.clear("TEST.deploy", *AND_ALL_AFTER)
    assert run.do("TEST.deploy", follow=True).state == "success"
    built = run.record.version
    assert built is not None
    made = [(one["environmentCode"], one["version"]) for one in play.made("deploy_made")]
    assert made[1:] == [("TEST", built.id), ("TEST", OLD_VERSION), ("TEST", built.id)]
    assert runs_in(play, "TEST") == {built.id}
    assert run.do("close").state == "success"


def test_what_was_brought_before_a_roll_back_is_not_adopted_for_what_runs_there(play: Play) -> None:
    run = rolled_back_unseen(play)
    [first] = run.step("TEST.deploy").requests
    [back] = run.step("roll_back.deploy").requests
    run.clear("TEST.deploy", *AND_ALL_AFTER)
    run.apis["TEST.deploy"].task_store[RESOLUTION_KEY] = {"adopt": str(first), "by": "ann", "why": "I looked"}
    refused = run.do("TEST.deploy")
    assert refused.state == "failed"
    assert f"roll_back.deploy (workflow request {back}) has brought another version to TEST since" in str(refused.error)
    assert len(play.made("deploy_made")) == 3


def rolled_back(play_of: Callable[..., Play]) -> tuple[Play, Run]:
    """Play a promotion whose utility after TEST fails, and that is rolled back for it."""
    play = play_of(stage("DEV"), stage("TEST", after=[RESTART_IT]), stage("PROD"))
    settled(play)
    run = failed(play)
    play.vendor.faults.add(vendor_fault("run_fails", path="/execute$"))
    assert run.do("TEST.restart").state == "failed"
    run.do("roll_back.offer")
    run.do("roll_back.approve")
    run.answer("roll_back.approve", "Approve")
    assert run.do("roll_back.deploy").state == "success"
    assert "The promotion was rolled back" in str(run.do("close").error)
    # A person does not clear within the same second.
    before = timedelta(minutes=1)
    steps = [
        step.changed(started=step.started - before, ended=(step.ended or now()) - before) for step in run.record.steps
    ]
    play.put(run.record.changed(steps=tuple(steps)))
    return play, run


def test_what_follows_a_roll_back_is_not_done_for_the_version_that_does_not_run_there_any_more(
    play_of: Callable[..., Play],
) -> None:
    play, run = rolled_back(play_of)
    asked = play.asked()
    run.clear("TEST.restart", "PROD.deploy", "roll_back.offer", "roll_back.approve", "roll_back.deploy", "close")
    for task in ("TEST.restart", "PROD.deploy"):
        error = str(run.do(task).error)
        assert f"TEST.deploy does not count any more: TEST was rolled back to 1.0.1 (id {OLD_VERSION}) since" in error
        assert "Clear TEST.deploy with all that follows" in error
    assert play.asked() == asked
    run.clear("TEST.deploy", "TEST.restart", "PROD.deploy", "close")
    for task in ("TEST.deploy", "TEST.restart", "PROD.deploy", "close"):
        done = run.do(task)
        assert done.state == "success", (task, done.error)
    assert run.record.outcome is PromotionOutcome.PROMOTED
    assert runs_in(play, "TEST") == {run.record.version.id}


def test_a_promotion_is_not_promoted_where_a_roll_back_has_followed_what_was_put_right_later(
    play_of: Callable[..., Play],
) -> None:
    """A person approves the roll-back while a utility is in doubt, and says only then that it had ended well."""
    play, run = rolled_back(play_of)
    step = run.step("TEST.restart")
    play.put(run.record.with_step(step.changed(state=StepState.DONE, outcome="completed")))
    run.states.update({"TEST.restart": "success", "close": None})
    closed = run.do("close")
    assert (closed.state, run.record.outcome) == ("failed", PromotionOutcome.ROLLED_BACK)
    assert f"TEST.deploy does not count any more: TEST was rolled back to 1.0.1 (id {OLD_VERSION})" in str(closed.error)


def test_a_roll_back_that_nobody_has_seen_end_leaves_no_green_promotion(play_of: Callable[..., Play]) -> None:
    play, run = rolled_back(play_of)
    restart, back = run.step("TEST.restart"), run.step("roll_back.deploy")
    record = run.record.with_step(restart.changed(state=StepState.DONE, outcome="completed"))
    play.put(record.with_step(back.changed(state=StepState.STARTED, ended=None)))
    run.states.update({"TEST.restart": "success", "roll_back.deploy": "success", "close": None})
    closed = run.do("close")
    assert (closed.state, run.record.outcome) == ("failed", PromotionOutcome.FAILED)
    assert "nobody has seen how that ended" in str(closed.error)
    # What is to be cleared is the roll-back: another deployment beside it would be a guess.
    assert "Clear roll_back.deploy with all that follows" in str(run.do("PROD.deploy").error)
