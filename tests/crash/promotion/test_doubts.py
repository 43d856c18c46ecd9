"""Work of which nobody knows whether FlexDeploy did it: it holds its application, and only its very request is
adopted.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from include.standins import Fault, FaultKind
from include.standins.flexdeploy import FlexDeployStandIn
from include.standins.flexdeploy import Kind as VendorKind
from include.standins.flexdeploy.planted import DEV, PORTAL, TEST
from nightshift.errors import Ambiguous, JobFailed, Rejected
from nightshift.promotion.doubts import doubts_of, settle
from nightshift.promotion.record import PromotionStep, Version
from nightshift.promotion.store import Records
from nightshift.promotion.vocabulary import PromotionOutcome, StepKind, StepState
from tests.crash.promotion.night import OLD
from tests.crash.promotion.scene import STARTS, scene
from tests.crash.promotion.test_turns import has_turn
from tests.crash.workers import until


def test_what_nobody_knows_of_a_run_that_was_given_up_holds_the_next(
    vendor: FlexDeployStandIn, version: Version, tmp_path: Path
) -> None:
    play = scene(vendor, tmp_path, "deploy", version)
    play.killed("answered")
    play.airflow.end("r")
    play.airflow.start("b")
    assert not has_turn(play.airflow, "b")
    record = play.airflow.record("r")
    assert record.outcome is PromotionOutcome.ABANDONED
    assert "DEV.deploy" in record.reason
    (doubt,) = asyncio.run(doubts_of(play.airflow.records, play.airflow.turns))
    assert "nobody knows whether FlexDeploy did DEV.deploy of run r" in doubt.words
    with pytest.raises(ValueError, match="by and why"):
        asyncio.run(settle(play.airflow.records, "r", "DEV.deploy", by="ann", why=""))
    asyncio.run(settle(play.airflow.records, "r", "DEV.deploy", by="ann", why="it has ended"))
    assert has_turn(play.airflow, "b")
    said = play.airflow.record("r").step("DEV.deploy").said
    assert (said.word, said.by, said.why) == ("over", "ann", "it has ended")


@pytest.mark.parametrize("word", ["adopt", "over"])
def test_a_deployment_in_doubt_holds_the_next_promotion_until_a_person_says_what_it_was(
    vendor: FlexDeployStandIn, version: Version, tmp_path: Path, word: str
) -> None:
    """FlexDeploy took it, nobody heard so, and it waits there for an approval: the next version must not come first."""
    vendor.turn(approvals={"DEV": 1})
    play = scene(vendor, tmp_path, "deploy", version)
    vendor.faults.add(Fault(kind=FaultKind.ACCEPT_THEN_DROP, method="POST", path=STARTS))
    assert isinstance(play.retry().error, Ambiguous)
    assert play.airflow.attempt("r", "close").state == "failed"
    play.airflow.end("r")
    play.airflow.start("b")
    assert not has_turn(play.airflow, "b")
    (request,) = play.judge.made()
    said = {"adopt": str(request)} if word == "adopt" else {"over": True}
    play.airflow.resolve("r", play.step, {**said, "by": "ann", "why": "seen there"})
    if word == "over":
        vendor.reject(request)
        assert isinstance(play.retry().error, JobFailed)
    else:
        vendor.approve(request)
        run = play.retry()
        assert run.state == "success", run.error
        play.judge.promises("r")
    step = play.state()
    assert (step.said.word, step.said.by, step.said.why) == (word, "ann", "seen there")
    assert len(play.judge.made()) == 1
    play.airflow.attempt("r", "close")
    play.airflow.end("r")
    assert has_turn(play.airflow, "b")


@pytest.mark.parametrize("named", ["build", "other_stage", "other_version", "held"])
def test_only_the_very_request_is_adopted(
    vendor: FlexDeployStandIn, version: Version, tmp_path: Path, named: str
) -> None:
    """A build of that version in that environment, and a deployment that somebody else made, are no deployment of
    ours.
    """
    play = scene(vendor, tmp_path, "deploy", version)
    vendor.faults.add(Fault(kind=FaultKind.DROP_BEFORE, method="POST", path=STARTS))
    assert isinstance(play.retry().error, Ambiguous)
    if named == "build":
        wrong = next(one.id for one in vendor.engine.requests.values() if one.wanted.version.id == version.id)
    else:
        stage, what = (TEST if named == "other_stage" else DEV), (OLD.id if named == "other_version" else version.id)
        (wrong,) = vendor.start_as_user(
            VendorKind.DEPLOY, PORTAL, environmentId=stage, projectVersionId=what, forceDeploy=True
        )
        until(lambda: vendor.state(wrong) == "COMPLETED")
    if named == "held":
        other = play.airflow.record("r").changed(run_id="other", application="hr").of(None)
        at = other.opened
        step = PromotionStep(
            task="DEV.deploy",
            kind=StepKind.DEPLOY,
            stage="DEV",
            state=StepState.DONE,
            started=at,
            ended=at,
            requests=(wrong,),
        )
        asyncio.run(Records(play.airflow.lake, "hr").write(other.with_step(step)))
    made = play.judge.made()
    play.airflow.resolve("r", play.step, {"adopt": str(wrong), "by": "ann", "why": "looks right"})
    run = play.retry()
    assert isinstance(run.error, Rejected), run.error
    assert f"job {wrong} is not this task's" in str(run.error)
    assert (play.state().state, play.state().requests) == (StepState.FAILED, ())
    assert play.judge.made() == made
