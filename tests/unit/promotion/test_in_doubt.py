"""A stage of which nobody knows what it runs: FlexDeploy's word that a version is there already is none on what a
deployment that failed has left of it. Judged by FlexDeploy's ledger.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from include.standins.flexdeploy import vendor_fault
from include.standins.flexdeploy.planted import PORTAL
from nightshift.promotion.vocabulary import PromotionOutcome, StepState
from tests.unit.promotion.play import N1, OLD_VERSION, Play, Run, stage
from tests.unit.promotion.test_roll_back import failed, settled

FAILS = vendor_fault("run_fails", path="/deploy$")
"""Before anything has changed, so that FlexDeploy itself knows of the version from before alone."""


@pytest.fixture
def after(play_of: Callable[..., Play]) -> Callable[..., Run]:
    """Start a run that is to bring the old version to TEST again, where the deployment of another one has failed."""

    def of(*further: dict[str, Any], **test: Any) -> Run:
        play = play_of(stage("DEV"), stage("TEST", **test), *further)
        settled(play)
        left = failed(play, FAILS)
        if "approval" in test:
            left.do("TEST.approve")
            left.answer("TEST.approve", "Approve", by="ann")
            left.do("TEST.deploy")
        assert left.step("TEST.deploy").outcome == "failed"
        left.do("close")
        left.end()
        run = play.start("r2", by="bob", version_id=OLD_VERSION, from_stage="TEST")
        assert run.do("begin").state == "success"
        run.do("build")
        return run

    return of


def test_what_a_failed_deployment_has_left_is_deployed_over_by_force(after: Callable[..., Run]) -> None:
    run = after()
    assert f"TEST: deploy 1.0.1 (id {OLD_VERSION}) even where it is there already" in run.record.plan
    assert run.do("TEST.deploy").state == "success"
    made = run.play.made("deploy_made")[-1]
    assert (made["environmentCode"], made["version"], made["force"]) == ("TEST", OLD_VERSION, True)
    step = run.step("TEST.deploy")
    assert (step.state, step.outcome, bool(step.requests)) == (StepState.DONE, "deployed", True)
    told = run.do("close").result
    assert "in doubt" not in str(told["standing"])
    assert run.record.outcome is PromotionOutcome.PROMOTED


def test_whoever_approves_it_is_shown_that_and_approves_nothing_else(after: Callable[..., Run]) -> None:
    run = after(approval={"users": ["ann"]})
    run.do("TEST.approve")
    [question] = run.apis["TEST.approve"].questions
    assert "* force: `true`" in question["body"]
    assert "Nobody knows what runs in **TEST**, so it is deployed there even where FlexDeploy" in question["body"]
    run.answer("TEST.approve", "Approve", by="ann")
    kept = run.record
    run.play.put(kept.changed(doubted={}))
    assert "is not what would be done now" in str(run.do("TEST.deploy").error)
    run.play.put(run.record.changed(doubted=kept.doubted))
    assert run.do("TEST.deploy").state == "success"


def test_no_later_question_calls_it_in_doubt(after: Callable[..., Run]) -> None:
    run = after(stage("PROD", approval={}))
    run.do("TEST.deploy")
    run.do("PROD.approve")
    [question] = run.apis["PROD.approve"].questions
    [line] = [line for line in question["body"].splitlines() if line.startswith("* TEST: ")]
    assert "in doubt" not in line


def test_what_is_known_again_is_not_deployed_twice(after: Callable[..., Run]) -> None:
    run = after()
    run.do("TEST.deploy")
    made = len(run.play.deployments())
    run.clear("begin", "TEST.deploy")
    run.do("begin")
    done = run.do("TEST.deploy")
    assert (done.state, done.result["outcome"], len(run.play.deployments())) == ("skipped", "already_deployed", made)
    assert run.step("TEST.deploy").outcome == "deployed"


def test_after_a_roll_back_that_failed_the_version_is_deployed_by_force(
    play_of: Callable[..., Play], vendor: Any
) -> None:
    url = f"{vendor.url}/apps/TEST/{PORTAL}/health"
    verify = {"probes": [{"url": url, "expect": {"version": "${version}"}, "tries": 1}]}
    play = play_of(stage("DEV"), stage("TEST", verify=verify, on_failure="roll_back"))
    settled(play)
    run = play.start("r1", N1, run_type="manual")
    for name in ("begin", "build", "DEV.deploy", "TEST.deploy"):
        assert run.do(name).state == "success"
    vendor.turn(bad_versions=[run.version.id])
    assert run.do("TEST.verify.probe").state == "failed"
    for name in ("roll_back.offer", "roll_back.approve"):
        run.do(name)
    vendor.faults.add(FAILS)
    assert run.do("roll_back.deploy").state == "failed"
    vendor.turn(bad_versions=[])
    run.clear("TEST.deploy", "TEST.verify.probe")
    assert run.do("TEST.deploy").state == "success"
    made = play.made("deploy_made")[-1]
    assert (made["environmentCode"], made["version"], made["force"]) == ("TEST", run.version.id, True)
    # Now it is known: another clear finds it there.
    run.clear("TEST.deploy")
    assert run.do("TEST.deploy").result["outcome"] == "already_deployed"
