"""The questions that people are asked, and what their answers do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk.definitions.param import ParamsDict

from include.standins import Fault
from nightshift.promotion.revoked import report
from nightshift.promotion.triggers import SupersedeTrigger, WaitOver
from nightshift.promotion.vocabulary import PromotionOutcome, StepState
from tests.unit.promotion.play import N1, N2, NAME, OLD_VERSION, REPORTS, RESTART_IT, Play, Run, config, stage


def asked(play: Play, *, night: str | None = N1, **conf: Any) -> Run:
    """Bring a promotion to the question whether it may go to TEST."""
    if night:
        play.publish(night)
    run = play.start("r1", night, **conf)
    for name in ("begin", "build", "DEV.deploy", "TEST.approve"):
        done = run.do(name)
        assert done.state in ("success", "skipped", "awaiting_input", "deferred"), (name, done.error)
    return run


def of(play_of: Callable[..., Play], approval: dict[str, Any] | None = None, **more: Any) -> Play:
    return play_of(stage("DEV"), stage("TEST", approval=approval or {}), stage("PROD"), after=list(REPORTS), **more)


def question(run: Run) -> dict[str, Any]:
    [only] = run.apis["TEST.approve"].questions
    return only


def test_the_question_has_all_that_a_person_needs(play_of: Callable[..., Play]) -> None:
    play = of(play_of, {"users": ["ann", "bob"], "hours": 5})
    run = asked(play)
    version, told = run.record.version, question(run)
    assert version is not None
    assert told["subject"] == f"portal: {version} to TEST?, night {N1}"
    body = told["body"]
    assert f"deploy version `{version}` to **TEST**, which runs a version that no record tells" in body
    build = run.step("build")
    request = f"[workflow request {build.requests[0]}](<{build.url}>)"
    assert f"* Built {build.ended:%Y-%m-%d %H:%M} UTC ({request}) because the night is complete" in body
    assert "* Stages: DEV → TEST → PROD" in body
    assert "*Approve* allows all of this, and goes on to **PROD** without another question:" in body
    assert f"* DEV: `{version}` since " in body
    assert "* TEST: not known" in body
    assert f"* `tokenflex/usage`, night {N1}: 12 rows; passed: " in body
    assert "*Reject* ends this promotion; what it brought to DEV stays there." in body
    assert [one["name"] for one in told["assigned_users"]] == ["ann", "bob"]
    assert (told["options"], told["defaults"], told["multiple"]) == (["Approve", "Reject"], ["Reject"], False)
    assert run.parked["TEST.approve"].message.timeout.total_seconds() == pytest.approx(5 * 3600, abs=60)


def test_it_tells_what_runs_there_who_asked_and_with_which_tickets(play_of: Callable[..., Play]) -> None:
    play = of(play_of)
    first = asked(play, night=None, by="ann", version_id=OLD_VERSION, change_tickets=["CHG|1"])
    assert "* Not built by this promotion: **the version was given in the form**" in question(first)["body"]
    assert "* Asked for by `ann`" in question(first)["body"]
    assert "* **added by the form**: change ticket `CHG|1`" in question(first)["body"]
    assert question(first)["assigned_users"] in (None, [])
    first.answer("TEST.approve", "Approve")
    first.do("TEST.deploy")
    play.put(first.record.close(PromotionOutcome.PROMOTED))
    play.publish(N1)
    second = play.start("r2", N1)
    for name in ("begin", "build", "DEV.deploy", "TEST.approve"):
        second.do(name)
    assert f"which runs `id {OLD_VERSION}` since" in question(second)["body"]


def test_an_approval_is_told_with_its_name_and_the_stage_is_deployed(play_of: Callable[..., Play]) -> None:
    play = of(play_of)
    run = asked(play)
    assert run.states["TEST.approve"] == "awaiting_input"
    done = run.answer("TEST.approve", "Approve", by="ann")
    assert (done.state, done.result) == ("success", {"answer": "Approve", "by": "ann"})
    step = run.step("TEST.approve")
    assert (step.state, step.by, step.outcome, step.version) == (StepState.DONE, "ann", "Approve", run.record.version)
    assert run.do("TEST.deploy").state == "success"


def test_a_rejection_ends_the_promotion_and_leaves_what_it_brought(play_of: Callable[..., Play]) -> None:
    play = of(play_of)
    run = asked(play)
    assert run.answer("TEST.approve", "Reject", by="ann").state == "success"
    assert (run.step("TEST.approve").state, run.step("TEST.approve").by) == (StepState.REJECTED, "ann")
    for name in ("TEST.deploy", "PROD.deploy", "roll_back.offer"):
        assert run.do(name).state == "skipped"
    assert run.step("PROD.deploy").detail == "TEST was rejected by ann"
    told = run.do("close").result
    assert (told["outcome"], "by ann" in told["reason"], told["standing"][0]) == (
        "rejected",
        True,
        f"DEV: {run.record.version}",
    )
    assert [code for code, _ in play.deployments()] == ["DEV"]


@pytest.mark.parametrize(
    ("on_timeout", "option", "state", "outcome", "deployed"),
    [
        ("reject", "Reject", StepState.REJECTED, "rejected", ["DEV"]),
        ("approve", "Approve", StepState.DONE, "promoted", ["DEV", "TEST", "PROD"]),
    ],
)
def test_no_answer_is_one_where_it_is_meant_to_be(
    play_of: Callable[..., Play], on_timeout: str, option: str, state: StepState, outcome: str, deployed: list[str]
) -> None:
    play = of(play_of, {"on_timeout": on_timeout})
    run = asked(play)
    assert question(run)["defaults"] == [option]
    assert run.answer("TEST.approve", option, by=None, timed_out=True).state == "success"
    assert (run.step("TEST.approve").state, run.step("TEST.approve").by) == (state, "nobody in time")
    for name in ("TEST.deploy", "PROD.deploy"):
        run.do(name)
    assert run.do("close").result["outcome"] == outcome
    assert [code for code, _ in play.deployments()] == deployed


TIMEOUT = {"error": "The Human-in-the-loop response timeout has passed without a response.", "error_type": "timeout"}
"""What Airflow's scheduler resumes a task with whose question has no defaults."""


def test_no_answer_fails_the_promotion_where_it_is_meant_to(play_of: Callable[..., Play]) -> None:
    play = of(play_of, {"on_timeout": "fail"})
    run = asked(play)
    assert question(run)["defaults"] is None
    done = run.resume("TEST.approve", TIMEOUT)
    assert (done.state, run.step("TEST.approve").state) == ("failed", StepState.FAILED)
    assert "Nothing was deployed to TEST. Clear this task to ask again." in str(done.error)
    assert "TEST.approve" in str(run.do("close").error)
    run.clear("TEST.approve", "close")
    assert run.do("TEST.approve").state == "awaiting_input"


def test_an_approval_is_for_one_version_only(play_of: Callable[..., Play]) -> None:
    play = of(play_of)
    run = asked(play)
    run.answer("TEST.approve", "Approve")
    run.clear("build", "DEV.deploy")
    assert run.do("build", force_build=True).state == "success"
    marked = run.do("TEST.deploy")
    assert "DEV.deploy was marked in Airflow, and what it deployed is" in str(marked.error)
    assert run.do("DEV.deploy", follow=True).state == "success"
    assert run.do("TEST.deploy").state == "skipped"
    assert "TEST was approved for" in run.step("TEST.deploy").detail


FULL = {
    "inputs": {"RESTART_SERVER": "Y", "COMMENT": "nightly"},
    "flex_fields": {"OWNER": "licensing"},
    "change_tickets": ["CHG-1"],
    "after": [RESTART_IT],
    "instance_ids": [12001],
}


def test_everything_that_is_asked_for_is_shown_as_configured_or_as_the_form_changes_it(
    play_of: Callable[..., Play],
) -> None:
    play = play_of(stage("DEV"), stage("TEST", approval={}, **FULL), stage("PROD", inputs={"COMMENT": "live"}))
    run = asked(
        play,
        night=None,
        by="ann",
        inputs={"COMMENT": "by hand", "SKIP_TESTS": "Y"},
        change_tickets=["CHG-2"],
        build_inputs={"FLAVOUR": "hot"},
        related_tickets=["ISS-9"],
        force_build=True,
    )
    body = question(run)["body"]
    test, prod = body.split("**PROD** (")
    for line in (
        "* **changed by the form**: built even where nothing had changed",
        "* **given in the form**: build input `FLAVOUR`: `hot`",
        "* **given in the form**: issue ticket `ISS-9`",
        "* input `RESTART_SERVER`: `Y`",
        "* **changed by the form**: input `COMMENT`: `by hand` (configured: `nightly`)",
        "* **added by the form**: input `SKIP_TESTS`: `Y`",
        "* FlexField `OWNER`: `licensing`",
        "* change ticket `CHG-1`",
        "* **added by the form**: change ticket `CHG-2`",
        "* instance ids: `[12001]`",
        "* connection: `flexdeploy_default`",
    ):
        assert line in test.splitlines(), line
    assert "restart" in next(line for line in test.splitlines() if line.startswith("* after: "))
    # The stage after it asks nobody: its answer is given here as well.
    assert "* **changed by the form**: input `COMMENT`: `by hand` (configured: `live`)" in prod
    run.answer("TEST.approve", "Approve")
    assert run.do("TEST.deploy").state == "success"
    made = play.made("deploy_made")[-1]
    shown = {"RESTART_SERVER": "Y", "COMMENT": "by hand", "SKIP_TESTS": "Y"}
    assert ({one["code"]: one["value"] for one in made["inputs"]}, list(made["tickets"])) == (shown, ["CHG-1", "CHG-2"])


def configured_anew(play: Play, *stages: dict[str, Any], **more: Any) -> None:
    """Let somebody edit promotions.yaml while a promotion is underway."""
    play.config = config(*stages, **more)
    play.dag = play.new_dag()
    play.dag.params = ParamsDict()


@pytest.mark.parametrize("what", ["configured", "reported"])
def test_what_flexdeploy_refused_is_asked_for_again_only_if_it_may_be_still(
    play_of: Callable[..., Play], vendor: Any, what: str
) -> None:
    play = play_of(stage("DEV"), stage("TEST", approval={}, inputs={"X": "1"}))
    run = asked(play, night=None)
    run.answer("TEST.approve", "Approve", by="ann")
    vendor.faults.add(Fault(kind="status", method="POST", path="/deploy$", status=403))
    assert run.do("TEST.deploy").state != "success"
    vendor.faults.clear()
    if what == "configured":
        configured_anew(play, stage("DEV"), stage("TEST", approval={}, inputs={"X": "2"}))
    else:
        asyncio.run(report(play.records, run.run_id, "DEV", run.version, by="dan", why="it is slow"))
    done = run.do("TEST.deploy")
    words = "is not what would be done now" if what == "configured" else "was revoked: DEV refuted by dan"
    assert (done.state, words in str(done.error)) == ("failed", True), done.error
    assert [code for code, _ in play.deployments()] == ["DEV"]


@pytest.mark.parametrize("at", ["question", "deploy"])
@pytest.mark.parametrize("changed", [{"inputs": {"X": "2"}}, {"change_tickets": ["C-1"]}, {"after": [RESTART_IT]}])
def test_an_answer_holds_for_what_was_shown_only(
    play_of: Callable[..., Play], changed: dict[str, Any], at: str
) -> None:
    play = play_of(stage("DEV"), stage("TEST", approval={}, inputs={"X": "1"}))
    run = asked(play, night=None)
    if at == "question":
        configured_anew(play, stage("DEV"), stage("TEST", **{"approval": {}, "inputs": {"X": "1"}, **changed}))
        done = run.answer("TEST.approve", "Approve", by="ann")
        assert (done.state, run.step("TEST.approve").state) == ("failed", StepState.FAILED)
        assert "ann approved what is not what would be deployed now" in str(done.error)
    else:
        run.answer("TEST.approve", "Approve", by="ann")
        configured_anew(play, stage("DEV"), stage("TEST", **{"approval": {}, "inputs": {"X": "1"}, **changed}))
        done = run.do("TEST.deploy")
        assert done.state == "failed"
        assert "what ann approved in TEST.approve is not what would be done now" in str(done.error)
        assert run.record.version is not None
        assert f"with the version {run.record.version.id} and From stage TEST in the form" in str(done.error)
    assert [code for code, _ in play.deployments()] == ["DEV"]
    # Put back as it was, the answer holds again, or the question is the one that Airflow still shows.
    configured_anew(play, stage("DEV"), stage("TEST", approval={}, inputs={"X": "1"}))
    if at == "question":
        run.clear("TEST.approve")
        assert run.do("TEST.approve").state == "awaiting_input"
        run.answer("TEST.approve", "Approve", by="ann")
    run.clear("TEST.deploy")
    assert run.do("TEST.deploy").state == "success"


def test_who_may_approve_and_how_long_is_no_part_of_what_is_approved(play_of: Callable[..., Play]) -> None:
    play = play_of(stage("DEV"), stage("TEST", approval={}))
    run = asked(play, night=None)
    run.answer("TEST.approve", "Approve")
    configured_anew(play, stage("DEV"), stage("TEST", approval={"hours": 5}), deploy_hours=1)
    assert run.do("TEST.deploy").state == "success"


def test_airflow_keeps_the_first_question_of_a_task_so_another_is_not_asked_under_it(
    play_of: Callable[..., Play],
) -> None:
    play = play_of(stage("DEV"), stage("TEST", approval={}))
    run = asked(play, night=None)
    first = run.record.version
    run.answer("TEST.approve", "Approve", by="ann")
    run.clear("build", "DEV.deploy", "TEST.approve")
    assert run.do("build", force_build=True).state == "success"
    assert run.record.version != first
    run.do("DEV.deploy")
    done = run.do("TEST.approve")
    assert done.state == "failed"
    assert "Nobody was asked and nothing was deployed: this task asked before, and Airflow keeps that question" in str(
        done.error
    )
    assert run.record.version is not None
    assert f"Start a run with Version {run.record.version.id} and From stage TEST in the form" in str(done.error)
    assert run.do("TEST.deploy").state == "skipped"
    assert [code for code, _ in play.deployments()] == ["DEV", "DEV"]


def test_other_approvers_are_not_asked_under_the_question_of_those_before(play_of: Callable[..., Play]) -> None:
    play = play_of(stage("DEV"), stage("TEST", approval={"users": ["ann"]}))
    run = asked(play, night=None)
    configured_anew(play, stage("DEV"), stage("TEST", approval={"users": ["bob"]}))
    run.clear("TEST.approve")
    assert run.do("TEST.approve").state == "failed"


def test_a_question_that_a_person_marked_as_a_success_is_no_approval(play_of: Callable[..., Play]) -> None:
    play = of(play_of)
    run = asked(play)
    assert run.do("TEST.deploy").state == "skipped"
    assert run.do("PROD.deploy").state == "skipped"
    told = run.do("close").result
    assert (told["outcome"], "TEST has not been approved" in told["reason"]) == ("rejected", True)
    assert [code for code, _ in play.deployments()] == ["DEV"]


def fired(run: Run, name: str = "TEST.approve", **changes: Any) -> dict[str, Any]:
    """Run the trigger of a task to its event, with other times."""
    message = run.parked[name].message
    kwargs = {**run.apis[name].trigger(message).serialize()[1], "interval": 0.01, **changes}

    async def first() -> Any:
        return (await anext(SupersedeTrigger(**kwargs).run())).payload

    return dict(asyncio.run(first()))


def waiting(play: Play, run_id: str, night: str) -> Run:
    play.publish(night)
    run = play.start(run_id, night)
    assert run.do("begin").state == "deferred"
    return run


def test_a_newer_night_ends_the_wait_for_an_answer(play_of: Callable[..., Play]) -> None:
    play = of(play_of, newer="supersede")
    run = asked(play)
    assert (run.states["TEST.approve"], run.parked["TEST.approve"].message.next_method) == (
        "deferred",
        "execute_complete",
    )
    newer = waiting(play, "r2", N2)
    event = fired(run)
    assert event == {"why": "newer_night", "run_id": "r2"}
    assert run.resume("TEST.approve", event).state == "skipped"
    for name in ("TEST.deploy", "PROD.deploy"):
        assert run.do(name).state == "skipped"
    assert run.do("close").result["outcome"] == "superseded"
    assert (run.record.superseded_by, [code for code, _ in play.deployments()]) == ("r2", ["DEV"])
    assert newer.resume("begin", {"why": "its turn"}).state == "success"


def test_the_question_stays_when_the_newer_night_has_died(play_of: Callable[..., Play]) -> None:
    play = of(play_of, newer="supersede")
    run = asked(play)
    dead = waiting(play, "r2", N2)
    event = fired(run)
    dead.end()
    assert run.resume("TEST.approve", event).state == "deferred"
    assert (play.waiting(), run.record.superseded_by) == ([], None)
    assert run.answer("TEST.approve", "Approve", by="ann").state == "success"
    assert run.do("TEST.deploy").state == "success"


@pytest.mark.parametrize(("on_timeout", "state"), [("reject", "rejected"), ("approve", "done"), ("fail", "failed")])
def test_the_time_for_an_answer_ends_for_one_that_supersedable_too(
    play_of: Callable[..., Play], on_timeout: str, state: str
) -> None:
    play = of(play_of, {"on_timeout": on_timeout}, newer="supersede")
    run = asked(play)
    event = fired(run, until=0.0)
    assert event["why"] == "moment"
    done = run.resume("TEST.approve", event)
    assert done.state == ("failed" if state == "failed" else "success")
    assert (run.step("TEST.approve").state, run.step("TEST.approve").by) == (state, "nobody in time")


def test_a_run_without_a_night_supersedable_to_nobody(play_of: Callable[..., Play]) -> None:
    run = asked(of(play_of, newer="supersede"), night=None)
    assert run.states["TEST.approve"] == "awaiting_input"


def test_a_wait_survives_a_lake_that_cannot_be_read(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSHIFT_LAKE", "s3://nobody@nowhere/lake")

    async def first() -> Any:
        import time

        return (await anext(SupersedeTrigger(NAME, N1, time.time() + 0.15, interval=0.02).run())).payload

    assert asyncio.run(first())["why"] == "moment"


@pytest.mark.parametrize(
    "event", [{"chosen_options": ["Approve"]}, {}, None, {"why": "tired"}, {"why": "moment", "x": 1}]
)
def test_an_answer_is_not_taken_for_the_end_of_a_wait(event: Any) -> None:
    assert WaitOver.of(event) is None
