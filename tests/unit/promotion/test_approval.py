"""The questions that people are asked, and what their answers do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from nightshift.promotion.give_way import GiveWayTrigger, WaitOver
from nightshift.promotion.record import Outcome, State
from tests.unit.promotion.play import N1, N2, NAME, OLD_VERSION, REPORTS, Play, Run, stage


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
    assert f"deploy version **{version}** to **TEST**, which runs a version that no record tells" in body
    assert f"Built {run.step('build').ended:%Y-%m-%d %H:%M} UTC" in body
    assert (
        f"[workflow request {run.step('build').requests[0]}]({run.step('build').url}) because the night is complete"
        not in body
    )
    assert (
        f"([workflow request {run.step('build').requests[0]}]({run.step('build').url})) because the night is complete"
        in body
    )
    assert f"| DEV | {version} |" in body
    assert "| TEST | not known |  |" in body
    assert f"| tokenflex/usage | {N1} | 12 | passed: " in body
    assert "*Reject* ends this promotion; what it brought to DEV stays there." in body
    assert [one["name"] for one in told["assigned_users"]] == ["ann", "bob"]
    assert (told["options"], told["defaults"], told["multiple"]) == (["Approve", "Reject"], ["Reject"], False)
    assert run.parked["TEST.approve"].message.timeout.total_seconds() == 5 * 3600


def test_it_tells_what_runs_there_who_asked_and_with_which_tickets(play_of: Callable[..., Play]) -> None:
    play = of(play_of)
    first = asked(play, night=None, by="ann", version_id=OLD_VERSION, change_tickets=["CHG|1"])
    assert "* Not built by this promotion: the version was given" in question(first)["body"]
    assert "* Asked for by ann" in question(first)["body"]
    assert "* Tickets: CHG\\|1" in question(first)["body"]
    assert question(first)["assigned_users"] in (None, [])
    first.answer("TEST.approve", "Approve")
    first.do("TEST.deploy")
    play.put(first.record.close(Outcome.PROMOTED))
    play.publish(N1)
    second = play.start("r2", N1)
    for name in ("begin", "build", "DEV.deploy", "TEST.approve"):
        second.do(name)
    assert f"which runs **id {OLD_VERSION}** since" in question(second)["body"]


def test_an_approval_is_told_with_its_name_and_the_stage_is_deployed(play_of: Callable[..., Play]) -> None:
    play = of(play_of)
    run = asked(play)
    assert run.states["TEST.approve"] == "awaiting_input"
    done = run.answer("TEST.approve", "Approve", by="ann")
    assert (done.state, done.result) == ("success", {"answer": "Approve", "by": "ann"})
    step = run.step("TEST.approve")
    assert (step.state, step.by, step.outcome, step.version) == (State.DONE, "ann", "Approve", run.record.version)
    assert run.do("TEST.deploy").state == "success"


def test_a_rejection_ends_the_promotion_and_leaves_what_it_brought(play_of: Callable[..., Play]) -> None:
    play = of(play_of)
    run = asked(play)
    assert run.answer("TEST.approve", "Reject", by="ann").state == "success"
    assert (run.step("TEST.approve").state, run.step("TEST.approve").by) == (State.REJECTED, "ann")
    for name in ("TEST.deploy", "PROD.deploy", "roll_back.offer"):
        assert run.do(name).state == "skipped"
    assert run.step("PROD.deploy").detail == "TEST was rejected by ann"
    told = run.do("close").result
    assert (told["outcome"], "by ann" in told["reason"], told["standing"][0]) == (
        "rejected", True, f"DEV: {run.record.version}",
    )  # fmt: skip
    assert [code for code, _ in play.deployments()] == ["DEV"]


@pytest.mark.parametrize(
    ("on_timeout", "option", "state", "outcome", "deployed"),
    [
        ("reject", "Reject", State.REJECTED, "rejected", ["DEV"]),
        ("approve", "Approve", State.DONE, "promoted", ["DEV", "TEST", "PROD"]),
    ],
)
def test_no_answer_is_one_where_it_is_meant_to_be(
    play_of: Callable[..., Play], on_timeout: str, option: str, state: State, outcome: str, deployed: list[str]
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
    assert (done.state, run.step("TEST.approve").state) == ("failed", State.FAILED)
    assert "Nothing was deployed to TEST. Clear this task to ask again." in str(done.error)
    assert "TEST.approve" in str(run.do("close").error)
    run.clear("TEST.approve", "close")
    assert run.do("TEST.approve").state == "awaiting_input"


def test_an_approval_is_for_one_version_only(play_of: Callable[..., Play]) -> None:
    play = of(play_of)
    run = asked(play)
    run.answer("TEST.approve", "Approve")
    run.clear("build")
    assert run.do("build", force_build=True).state == "success"
    assert run.do("TEST.deploy").state == "skipped"
    assert "TEST was approved for" in run.step("TEST.deploy").detail


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
        return (await anext(GiveWayTrigger(**kwargs).run())).payload

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
def test_the_time_for_an_answer_ends_for_one_that_gives_way_too(
    play_of: Callable[..., Play], on_timeout: str, state: str
) -> None:
    play = of(play_of, {"on_timeout": on_timeout}, newer="supersede")
    run = asked(play)
    event = fired(run, until=0.0)
    assert event["why"] == "moment"
    done = run.resume("TEST.approve", event)
    assert done.state == ("failed" if state == "failed" else "success")
    assert (run.step("TEST.approve").state, run.step("TEST.approve").by) == (state, "nobody in time")


def test_a_run_without_a_night_gives_way_to_nobody(play_of: Callable[..., Play]) -> None:
    run = asked(of(play_of, newer="supersede"), night=None)
    assert run.states["TEST.approve"] == "awaiting_input"


def test_a_wait_survives_a_lake_that_cannot_be_read(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSHIFT_LAKE", "s3://nobody@nowhere/lake")

    async def first() -> Any:
        import time

        return (await anext(GiveWayTrigger(NAME, N1, time.time() + 0.15, interval=0.02).run())).payload

    assert asyncio.run(first())["why"] == "moment"


@pytest.mark.parametrize(
    "event", [{"chosen_options": ["Approve"]}, {}, None, {"why": "tired"}, {"why": "moment", "x": 1}]
)
def test_an_answer_is_not_taken_for_the_end_of_a_wait(event: Any) -> None:
    assert WaitOver.of(event) is None
