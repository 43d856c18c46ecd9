"""What people mark in Airflow is no outcome: the record says how a step ended, and holds the next stage until it
does.
"""

from __future__ import annotations

import time
from typing import Any

import pytest

from include.standins.faults import Fault, FaultKind
from nightshift.errors import Ambiguous
from nightshift.promotion.doubts import doubts_in
from nightshift.promotion.rules.progress import deployed, in_doubt
from nightshift.promotion.vocabulary import PromotionOutcome, StepState
from tests.unit.promotion.play import N1, RESTART_IT, Play, Run, stage
from tests.unit.promotion.test_approval_operator import configured_anew
from tests.unit.promotion.test_gate import held, lifted
from tests.unit.promotion.test_job_operators import begun, through


def marked(run: Run, name: str, state: str = "success") -> None:
    """Mark a task that waits without a worker; no code of ours runs for it."""
    run.states[name] = state


def resumed(run: Run, name: str) -> Any:
    return run.resume(name, run.api(name).fire(run.parked[name].message))


@pytest.mark.parametrize("state", ["success", "skipped"])
def test_a_build_that_was_marked_gives_no_green_run(play: Play, state: str) -> None:
    play.vendor.turn(build_seconds=3600.0)
    run = begun(play)
    assert run.do("build", look=0.0).state == "deferred"
    marked(run, "build", state)
    for name in ("DEV.deploy", "TEST.deploy"):
        done = run.do(name)
        assert done.state == "failed"
        assert "build (workflow request" in str(done.error)
        assert "Clear build with all that follows" in str(done.error)
    assert play.deployments() == []
    done = run.do("close")
    assert (done.state, run.record.outcome) == ("failed", PromotionOutcome.FAILED)


def test_a_run_whose_tasks_were_all_marked_is_not_green_either(play: Play) -> None:
    play.vendor.turn(build_seconds=3600.0)
    run = begun(play)
    run.do("build", look=0.0)
    for name in ("build", "DEV.deploy", "TEST.deploy"):
        marked(run, name)
    done = run.do("close")
    assert (done.state, run.record.outcome) == ("failed", PromotionOutcome.FAILED)
    assert "nobody has seen how it ended" in run.record.reason


@pytest.mark.parametrize("state", ["success", "skipped"])
def test_a_deployment_that_was_marked_holds_the_next_stage(play: Play, state: str) -> None:
    play.vendor.turn(deploy_seconds=3600.0)
    run = begun(play)
    through(run, "build")
    run.do("DEV.deploy", look=0.0)
    marked(run, "DEV.deploy", state)
    [request] = run.step("DEV.deploy").requests
    done = run.do("TEST.deploy")
    assert done.state == "failed"
    assert f"DEV.deploy (workflow request {request}) was marked" in str(done.error)
    assert [stage for stage, _ in play.deployments()] == ["DEV"]
    # FlexDeploy fails it meanwhile: a mark does not make that a success.
    play.vendor.abort(request)
    assert run.do("TEST.deploy").state == "failed"
    assert run.do("close").state == "failed"


def test_a_clear_of_what_was_marked_goes_on_with_what_flexdeploy_was_asked_for(play: Play) -> None:
    play.vendor.turn(deploy_seconds=0.4)
    run = begun(play)
    through(run, "build")
    run.do("DEV.deploy", look=0.0)
    marked(run, "DEV.deploy")
    assert run.do("TEST.deploy").state == "failed"
    run.clear("DEV.deploy", "TEST.deploy")
    through(run, "DEV.deploy", "TEST.deploy")
    assert [stage for stage, _ in play.deployments()] == ["DEV", "TEST"]
    assert run.do("close").result["outcome"] == "promoted"


def test_a_deployment_that_failed_and_was_marked_success_failed_all_the_same(play: Play) -> None:
    play.vendor.turn(deploy_seconds=3600.0)
    run = begun(play)
    through(run, "build")
    done = run.do("DEV.deploy", look=0.0)
    [request] = run.step("DEV.deploy").requests
    play.vendor.abort(request)
    done = resumed(run, "DEV.deploy")
    assert (done.state, run.step("DEV.deploy").state) == ("failed", StepState.FAILED)
    marked(run, "DEV.deploy")
    assert "its record says aborted" in str(run.do("TEST.deploy").error)
    assert run.do("close").state == "failed"


def test_a_deployment_that_was_marked_before_it_began_was_never_made(play: Play) -> None:
    run = begun(play)
    through(run, "build")
    marked(run, "DEV.deploy")
    assert "DEV.deploy was marked in Airflow before it had begun" in str(run.do("TEST.deploy").error)
    assert play.deployments() == []


@pytest.mark.parametrize(
    ("status", "content_type", "doubted"),
    [
        (400, "text/plain", []),
        (403, "application/json", []),
        (404, "text/plain", []),
        (460, "text/html", ["DEV.deploy"]),
    ],
)
def test_what_flexdeploy_refused_holds_nothing_in_doubt(
    play: Play, status: int, content_type: str, doubted: list[str]
) -> None:
    """A page of something in between is another matter: it may have passed the request on."""
    play.vendor.faults.add(
        Fault(kind="status", method="POST", path="/deploy$", status=status, body="no", content_type=content_type)
    )
    run = begun(play)
    through(run, "build")
    assert run.do("DEV.deploy").state == "failed"
    assert run.step("DEV.deploy").state is StepState.FAILED
    assert [step.task for step in in_doubt(run.record)] == doubted
    assert [step.task for step in doubts_in(run.record)] == doubted


def test_a_retry_behind_a_job_that_had_ended_asks_for_nothing_whatever_is_configured_by_now(play: Play) -> None:
    """The attempt before died between the end of its job and its last word to the record."""
    run = play.start("r1", N1)
    for name in ("begin", "build", "DEV.deploy"):
        assert run.do(name, follow=True).state == "success"
    step = run.step("DEV.deploy")
    play.put(run.record.with_step(step.changed(state=StepState.STARTED, ended=None, outcome=None)))
    assert run.do("DEV.deploy", follow=True, change_tickets=["CHG-9"]).state == "success"
    assert run.step("DEV.deploy").requests == step.requests
    assert len(play.made("deploy_made")) == 1


@pytest.mark.parametrize("emptied", [False, True], ids=["its store is kept", "its store is emptied"])
@pytest.mark.parametrize("ended", [False, True], ids=["still underway", "ended meanwhile"])
def test_a_deployment_that_a_clear_found_underway_is_not_made_again(play: Play, emptied: bool, ended: bool) -> None:
    """Whatever is configured by now; and from 3.4 on Airflow empties the store of what is cleared."""
    play.vendor.turn(deploy_seconds=0.05 if ended else 0.4)
    run = begun(play)
    through(run, "build")
    run.do("DEV.deploy", look=0.0)
    if ended:
        time.sleep(0.1)
    run.clear("DEV.deploy")
    if emptied:
        run.api("DEV.deploy").task_store.clear()
    assert run.do("DEV.deploy", follow=True, change_tickets=["CHG-9"]).state == "success"
    assert len(play.made("deploy_made")) == 1


def test_a_deployment_whose_answer_was_lost_is_in_doubt_although_airflow_has_forgotten_it(play: Play) -> None:
    play.vendor.faults.add(Fault(kind=FaultKind.ACCEPT_THEN_DROP, method="POST", path="/deploy$"))
    run = begun(play)
    through(run, "build")
    assert isinstance(run.do("DEV.deploy").error, Ambiguous)
    run.clear("DEV.deploy")
    run.api("DEV.deploy").task_store.clear()
    assert isinstance(run.do("DEV.deploy").error, Ambiguous)
    assert len(play.made("deploy_made")) == 1


def test_a_deployment_that_had_ended_is_made_again_by_a_clear_that_empties_its_store(play_of: Any) -> None:
    play = play_of(stage("DEV", force=True))
    run = begun(play)
    through(run, "build", "DEV.deploy")
    run.clear("DEV.deploy")
    run.api("DEV.deploy").task_store.clear()
    assert run.do("DEV.deploy", follow=True).state == "success"
    assert len(play.made("deploy_made")) == 2


def test_what_is_asked_for_after_all_is_what_was_approved(play_of: Any) -> None:
    """FlexDeploy was at work when the task was cleared, and has failed since; something else is configured by now."""
    play = play_of(stage("DEV"), stage("TEST", approval={}))
    run = begun(play)
    through(run, "build", "DEV.deploy")
    run.do("TEST.approve")
    run.answer("TEST.approve", "Approve")
    play.vendor.turn(deploy_seconds=3600.0)
    run.do("TEST.deploy", look=0.0)
    [request] = run.step("TEST.deploy").requests
    run.clear("TEST.deploy")
    play.vendor.abort(request)
    configured_anew(play, stage("DEV"), stage("TEST", approval={}, inputs={"X": "2"}))
    done = run.do("TEST.deploy")
    assert "is not what would be done now" in str(done.error)
    assert len(play.made("deploy_made")) == 2


def test_what_a_deployment_had_brought_before_it_was_begun_again_runs_there_until_it_ends_well(
    play_of: Any,
) -> None:
    """It fails the second time: the next promotion has to know what it would bring back."""
    play = play_of(stage("DEV", force=True))
    run = begun(play)
    through(run, "build", "DEV.deploy")
    there, since = run.step("DEV.deploy").version, run.step("DEV.deploy").ended
    play.vendor.turn(deploy_seconds=3600.0)
    run.clear("DEV.deploy")
    run.do("DEV.deploy", look=0.0)
    [request] = run.step("DEV.deploy").requests
    play.vendor.abort(request)
    assert resumed(run, "DEV.deploy").state == "failed"
    assert run.step("DEV.deploy").state is StepState.FAILED
    found = deployed(run.record)["DEV"]
    assert (found.version, found.since, found.run_id) == (there, since, run.run_id)


def test_each_step_keeps_its_turn_and_its_place_whatever_a_clear_renews(play_of: Any) -> None:
    play = play_of(stage("DEV"), stage("TEST"))
    run = play.start("r1")
    for name in ("begin", "build", "DEV.deploy", "TEST.deploy", "close"):
        assert run.do(name).state == "success"
    before = {one.task: one.order for one in run.record.steps}
    assert before == {"build": (1, 1), "DEV.deploy": (1, 2), "TEST.deploy": (1, 3)}
    other = play.start("r2", None, version_id=run.record.version.id)
    for name in ("begin", "close"):
        other.do(name)
    run.clear("begin", "build", "DEV.deploy", "TEST.deploy")
    assert run.do("begin").state == "success"
    assert run.record.turn == 3
    assert {one.task: one.order for one in run.record.steps} == before
    assert run.record.before["TEST"].order == (1, 3)
    for name in ("build", "DEV.deploy"):
        run.do(name)
    assert [(one.order, one.brought and one.brought.order) for one in run.record.steps] == [
        ((3, 4), None),
        ((3, 5), (1, 2)),
        ((1, 3), None),
    ]


def approved_with_a_restart(play_of: Any, *, seconds: float) -> tuple[Run, Play]:
    """Return a run whose next step is a restart in TEST, which takes so long."""
    play: Play = play_of(stage("DEV"), stage("TEST", approval={}, before=[RESTART_IT]))
    run = begun(play)
    through(run, "build", "DEV.deploy")
    run.do("TEST.approve")
    run.answer("TEST.approve", "Approve")
    play.vendor.turn(utility_seconds=seconds)
    return run, play


def asked_anew_and_marked(run: Run) -> None:
    """Clear the approval with all that follows, and mark it before anybody has answered anew."""
    run.clear("TEST.approve", "TEST.restart", "TEST.deploy")
    run.do("TEST.approve")
    marked(run, "TEST.approve")


def test_what_flexdeploy_is_at_work_on_is_seen_to_its_end_although_it_would_not_be_done_now(play_of: Any) -> None:
    """Else what follows could neither go on nor be left undone, and whoever clears what it names clears for ever."""
    run, play = approved_with_a_restart(play_of, seconds=0.4)
    assert run.do("TEST.restart", look=0.0).state == "deferred"
    asked_anew_and_marked(run)
    through(run, "TEST.restart")
    assert run.step("TEST.restart").state is StepState.DONE
    done = run.do("TEST.deploy")
    assert (done.state, run.step("TEST.deploy").detail) == (
        "skipped",
        "TEST has not been approved: its task ended without an answer; clear it to ask again",
    )
    assert len(play.made("utility_run")) == 1
    assert [at for at, _ in play.deployments()] == ["DEV"]


def failed_restart(play_of: Any) -> tuple[Run, Play]:
    """Return a run whose restart in TEST was aborted."""
    run, play = approved_with_a_restart(play_of, seconds=3600.0)
    run.do("TEST.restart", look=0.0)
    [request] = run.step("TEST.restart").requests
    play.vendor.abort(request)
    assert resumed(run, "TEST.restart").state == "failed"
    return run, play


def test_where_what_failed_would_not_be_done_anew_what_follows_is_left_undone_for_the_true_reason(play_of: Any) -> None:
    run, _ = failed_restart(play_of)
    assert "TEST.restart (workflow request" in str(run.do("TEST.deploy").error), "while it could be done anew"
    asked_anew_and_marked(run)
    assert [run.do(name).state for name in ("TEST.restart", "TEST.deploy")] == ["skipped", "skipped"]
    assert "TEST has not been approved" in run.step("TEST.deploy").detail
    assert (run.do("close").state, run.record.outcome) == ("failed", PromotionOutcome.FAILED)


@pytest.mark.parametrize("name", ["TEST.restart", "TEST.deploy"])
def test_a_step_that_was_begun_again_and_asked_for_nothing_is_left_as_it_was(play_of: Any, name: str) -> None:
    """It waits for a hold when it is cleared once more, and then nobody has approved it."""
    run, play = approved_with_a_restart(play_of, seconds=0.1)
    through(run, "TEST.restart", "TEST.deploy")
    there, order = run.step("TEST.deploy").version, run.step("TEST.deploy").order
    run.clear("TEST.approve", "TEST.restart", "TEST.deploy")
    run.do("TEST.approve")
    run.answer("TEST.approve", "Approve")
    through(run, *([] if name == "TEST.restart" else ["TEST.restart"]))
    one, asked = held(play), play.asked()
    assert (run.do(name).state, run.step(name).state) == ("deferred", StepState.STARTED)
    lifted(play, one)
    asked_anew_and_marked(run)
    assert [run.do(task).state for task in ("TEST.restart", "TEST.deploy")] == ["skipped", "skipped"]
    assert [run.step(task).state for task in ("TEST.restart", "TEST.deploy")] == [StepState.DONE, StepState.DONE]
    step = run.step("TEST.deploy")
    assert (step.version, step.order, step.brought) == (there, order, None)
    assert (in_doubt(run.record), deployed(run.record)["TEST"].version) == ([], there)
    assert play.asked() == asked


def test_a_failure_is_told_on_where_the_step_was_begun_again_and_asked_for_nothing(play_of: Any) -> None:
    run, play = failed_restart(play_of)
    run.clear("TEST.restart", "TEST.deploy")
    held(play)
    assert (run.do("TEST.restart").state, run.step("TEST.restart").state) == ("deferred", StepState.STARTED)
    asked_anew_and_marked(run)
    assert run.do("TEST.restart").state == "skipped"
    assert (run.step("TEST.restart").state, run.step("TEST.restart").outcome) == (StepState.FAILED, "failed")


def test_what_was_deployed_before_a_new_build_is_not_named_to_be_cleared_where_a_clear_would_not_do_it(
    play_of: Any,
) -> None:
    play = play_of(stage("DEV"), stage("TEST", approval={}, after=[RESTART_IT]))
    run = play.start("r1", N1, force_build=True)
    through(run, "begin", "build", "DEV.deploy")
    run.do("TEST.approve")
    run.answer("TEST.approve", "Approve")
    through(run, "TEST.deploy", "TEST.restart")
    there, asked = run.step("TEST.deploy").version, len(play.made("deploy_made"))
    run.clear("build", "DEV.deploy", "TEST.approve", "TEST.deploy", "TEST.restart")
    through(run, "build", "DEV.deploy")
    marked(run, "TEST.approve")
    assert [run.do(task).state for task in ("TEST.deploy", "TEST.restart")] == ["skipped", "skipped"]
    assert there != run.record.version
    assert (run.step("TEST.deploy").version, len(play.made("deploy_made"))) == (there, asked + 1), "DEV alone"
