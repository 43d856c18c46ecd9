"""Several people agree, not the one who asked, and each no has its reason: what of it lets a stage be deployed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from nightshift.promotion.vocabulary import StepState
from tests.unit.promotion.play import N1, N2, REPORTS, Play, Run, stage
from tests.unit.promotion.test_approval_operator import asked, configured_anew, fired, of, waiting

TWO = {"at_least": 2}


def said(run: Run) -> list[tuple[str, str, str]]:
    return [(one.name, one.word, one.reason) for one in run.step("TEST.approve").answers]


def test_a_stage_is_deployed_when_two_different_people_have_approved(play_of: Callable[..., Play]) -> None:
    play = of(play_of, TWO)
    run = asked(play)
    first = run.answer("TEST.approve", "Approve", by="ann")
    assert (first.state, run.step("TEST.approve").state) == ("awaiting_input", StepState.STARTED)
    assert run.do("TEST.deploy").state == "skipped"
    # The same person twice counts once.
    assert run.answer("TEST.approve", "Approve", by="ann").state == "awaiting_input"
    done = run.answer("TEST.approve", "Approve", by="bob")
    assert (done.state, done.result) == ("success", {"answer": "Approve", "by": "ann, bob"})
    assert said(run) == [("ann", "yes", ""), ("ann", "yes", ""), ("bob", "yes", "")]
    run.clear("TEST.deploy")
    assert run.do("TEST.deploy").state == "success"


def test_the_question_says_who_has_to_answer_and_shows_who_has(play_of: Callable[..., Play]) -> None:
    play = play_of(stage("DEV"), stage("TEST", approval={**TWO, "users": ["ann", "bob", "eve"], "not_requester": True}))
    run = asked(play, night=None, by="eve")
    [told] = run.apis["TEST.approve"].questions
    assert (
        "**2 different people** have to approve, and not `eve`, who asked for it. A no needs a reason" in told["body"]
    )
    assert "![Who has answered what so far](nightshift/board/questions/portal/r1/TEST.approve.svg)" in told["body"]
    assert [one["id"] for one in told["assigned_users"]] == ["ann", "bob"]
    assert told["params"]["reason"]["schema"]["type"] == ["null", "string"]


@pytest.mark.parametrize(
    ("approval", "lines"),
    [({}, False), ({"at_least": 2}, True), ({"not_requester": True}, True)],
)
def test_a_question_of_one_person_stays_as_short_as_it_was(
    play_of: Callable[..., Play], approval: dict[str, Any], lines: bool
) -> None:
    run = asked(of(play_of, approval))
    assert ("/board/questions/" in run.apis["TEST.approve"].questions[0]["body"]) is lines


@pytest.mark.parametrize("run_type", ["manual", "backfill"])
def test_the_answer_of_who_asked_does_not_count(play_of: Callable[..., Play], run_type: str) -> None:
    play = of(play_of, {"not_requester": True})
    play.publish(N1)
    run = play.start("r1", N1, run_type=run_type, by="eve")
    for name in ("begin", "build", "DEV.deploy", "TEST.approve"):
        run.do(name)
    assert run.answer("TEST.approve", "Approve", by="eve").state == "awaiting_input"
    assert run.do("TEST.deploy").state == "skipped"
    assert run.answer("TEST.approve", "Approve", by="ann").result == {"answer": "Approve", "by": "ann"}


def test_a_run_of_a_night_has_nobody_to_leave_out(play_of: Callable[..., Play]) -> None:
    run = asked(of(play_of, {"not_requester": True}))
    assert run.answer("TEST.approve", "Approve", by="ann").state == "success"


@pytest.mark.parametrize(
    ("approval", "by", "why"),
    [
        ({**TWO, "users": ["ann", "eve"], "not_requester": True}, "eve", "1 more would have to be named than ann"),
        ({"not_requester": True}, None, "Airflow does not say who started this run"),
    ],
)
def test_nobody_is_asked_where_too_few_may_answer(
    play_of: Callable[..., Play], approval: dict[str, Any], by: str | None, why: str
) -> None:
    play = play_of(stage("DEV"), stage("TEST", approval=approval))
    run = play.start("r1", None, by=by)
    for name in ("begin", "build", "DEV.deploy"):
        assert run.do(name).state == "success"
    done = run.do("TEST.approve")
    assert done.state == "failed"
    assert why in str(done.error)
    assert run.apis["TEST.approve"].questions == []


def test_the_first_no_with_a_reason_ends_it(play_of: Callable[..., Play]) -> None:
    run = asked(of(play_of, TWO))
    run.answer("TEST.approve", "Approve", by="ann")
    done = run.answer("TEST.approve", "Reject", by="bob", reason="the index is not built")
    step = run.step("TEST.approve")
    assert (done.state, step.state, step.by, step.detail) == (
        "success",
        StepState.REJECTED,
        "bob",
        "the index is not built",
    )
    assert run.do("TEST.deploy").state == "skipped"
    assert "by bob: the index is not built" in run.do("close").result["reason"]


def test_a_no_without_a_reason_stands_in_the_way_until_it_is_explained_or_changed(play_of: Callable[..., Play]) -> None:
    run = asked(of(play_of, TWO))
    for by, option in (("eve", "Reject"), ("ann", "Approve"), ("bob", "Approve")):
        assert run.answer("TEST.approve", option, by=by).state == "awaiting_input"
    assert run.do("TEST.deploy").state == "skipped"
    assert run.answer("TEST.approve", "Approve", by="eve").result["by"] == "ann, bob, eve"


def test_the_last_word_of_a_person_counts_though_they_have_said_the_same_before(play_of: Callable[..., Play]) -> None:
    """Answers are told from one another by what was said before them, not by a clock that has not gone on."""
    run = asked(of(play_of, TWO))
    at = datetime.now(UTC)

    def answer(by: str, option: str) -> str:
        said_by = {"responded_at": at, "responded_by_user": {"id": by, "name": by}}
        event = {"chosen_options": [option], "params_input": {}, "timedout": False, **said_by}
        return str(run.resume("TEST.approve", event).state)

    spoken = [("bob", "Reject"), ("bob", "Approve"), ("bob", "Reject"), ("ann", "Approve"), ("eve", "Approve")]
    assert {answer(*one) for one in spoken} == {"awaiting_input"}
    assert [(name, word) for name, word, _ in said(run)] == [
        ("bob", "no"),
        ("bob", "yes"),
        ("bob", "no"),
        ("ann", "yes"),
        ("eve", "yes"),
    ]
    assert run.do("TEST.deploy").state == "skipped"
    # An attempt that was lost with the answer finds it written down.
    assert answer("eve", "Approve") == "awaiting_input"
    assert len(said(run)) == 5
    assert answer("bob", "Approve") == "success"


def test_a_no_of_one_person_alone_ends_it_whatever_is_said(play_of: Callable[..., Play]) -> None:
    run = asked(of(play_of))
    assert run.answer("TEST.approve", "Reject", by="ann", reason="too late").state == "success"
    assert (run.step("TEST.approve").state, run.step("TEST.approve").detail) == (StepState.REJECTED, "too late")


def test_an_answer_to_other_parameters_does_not_count(play_of: Callable[..., Play]) -> None:
    play = play_of(stage("DEV"), stage("TEST", approval=TWO, inputs={"X": "1"}))
    run = asked(play, night=None)
    run.answer("TEST.approve", "Approve", by="ann")
    configured_anew(play, stage("DEV"), stage("TEST", approval=TWO, inputs={"X": "2"}))
    done = run.answer("TEST.approve", "Approve", by="bob")
    assert done.state == "failed"
    assert "bob approved what is not what would be deployed now" in str(done.error)
    run.clear("TEST.approve")
    assert run.do("TEST.approve").state == "failed"
    assert [code for code, _ in play.deployments()] == ["DEV"]


def test_what_was_approved_by_one_is_not_deployed_where_two_are_asked_for_since(play_of: Callable[..., Play]) -> None:
    play = play_of(stage("DEV"), stage("TEST", approval={}))
    run = asked(play, night=None)
    assert run.answer("TEST.approve", "Approve", by="ann").state == "success"
    configured_anew(play, stage("DEV"), stage("TEST", approval=TWO))
    done = run.do("TEST.deploy")
    assert done.state == "failed"
    assert "what ann approved in TEST.approve is not what would be done now" in str(done.error)
    assert [code for code, _ in play.deployments()] == ["DEV"]


def test_a_clear_asks_everybody_again_and_a_retry_nobody_twice(play_of: Callable[..., Play]) -> None:
    run = asked(of(play_of, TWO))
    run.answer("TEST.approve", "Approve", by="ann")
    until = run.step("TEST.approve").until
    # The worker was lost: the next attempt goes on with what was said.
    assert run.do("TEST.approve").state == "deferred"
    assert (said(run), run.step("TEST.approve").until) == ([("ann", "yes", "")], until)
    run.clear("TEST.approve")
    assert run.do("TEST.approve").state == "awaiting_input"
    assert said(run) == []
    assert run.answer("TEST.approve", "Approve", by="bob").state == "awaiting_input"
    assert run.answer("TEST.approve", "Approve", by="ann").state == "success"


def test_an_answer_that_its_worker_was_lost_with_still_counts(play_of: Callable[..., Play]) -> None:
    """Airflow keeps it and tells nobody again, and whoever asks again takes it away."""
    run = asked(of(play_of, {}))
    api = run.apis["TEST.approve"]
    api.response = kept("Reject", "bob", datetime.now(UTC), reason="too early")
    assert run.do("TEST.approve").state == "deferred"
    done = run.resume("TEST.approve", looked(run))
    assert (done.state, run.step("TEST.approve").state) == ("success", StepState.REJECTED)
    assert (said(run), len(api.questions)) == ([("bob", "no", "too early")], 1)


def test_an_answer_that_was_written_down_before_its_worker_was_lost_counts_once(play_of: Callable[..., Play]) -> None:
    run = asked(of(play_of, TWO))
    assert run.answer("TEST.approve", "Approve", by="ann").state == "awaiting_input"
    run.apis["TEST.approve"].response = kept("Approve", "ann", run.step("TEST.approve").answers[0].at)
    assert run.do("TEST.approve").state == "deferred"
    # It asks the others again, as the attempt before would have.
    assert run.resume("TEST.approve", looked(run)).state == "awaiting_input"
    assert said(run) == [("ann", "yes", "")]
    assert run.apis["TEST.approve"].response["responded_at"] is None
    assert run.answer("TEST.approve", "Approve", by="bob").state == "success"


def test_a_clear_takes_an_answer_to_the_question_of_before_for_none(play_of: Callable[..., Play]) -> None:
    run = asked(of(play_of, {}))
    run.apis["TEST.approve"].response = kept("Approve", "ann", datetime.now(UTC))
    run.clear("TEST.approve")
    assert run.do("TEST.approve").state == "awaiting_input"
    assert run.apis["TEST.approve"].response["responded_at"] is None


def kept(option: str, by: str, at: datetime, reason: str | None = None) -> dict[str, Any]:
    """Return what Airflow keeps of an answer."""
    form = {} if reason is None else {"reason": reason}
    person = {"id": f"id of {by}", "name": by}
    return {
        "responded_by_user": person,
        "responded_at": at.isoformat(),
        "chosen_options": [option],
        "params_input": form,
    }


def looked(run: Run) -> Any:
    """Let the trigger of the question look, as a triggerer would."""
    with run.apis["TEST.approve"].comms():
        return fired(run)


def test_an_attempt_that_died_after_the_last_answer_was_written_ends_as_it_was(play_of: Callable[..., Play]) -> None:
    run = asked(of(play_of, TWO))
    run.answer("TEST.approve", "Approve", by="ann")
    run.answer("TEST.approve", "Approve", by="bob")
    done = run.do("TEST.approve")
    assert (done.state, done.result) == ("success", {"answer": "Approve", "by": "ann, bob"})


def test_too_few_in_time_end_it_as_configured(play_of: Callable[..., Play]) -> None:
    run = asked(of(play_of, {**TWO, "on_timeout": "reject"}))
    run.answer("TEST.approve", "Approve", by="ann")
    assert run.answer("TEST.approve", "Reject", by=None, timed_out=True).state == "success"
    assert (run.step("TEST.approve").state, run.step("TEST.approve").by) == (StepState.REJECTED, "nobody in time")


def test_the_time_for_answers_begins_with_the_question_and_not_with_each_answer(play_of: Callable[..., Play]) -> None:
    run = asked(of(play_of, {**TWO, "hours": 1}))
    until = run.step("TEST.approve").until
    run.answer("TEST.approve", "Approve", by="ann")
    assert run.step("TEST.approve").until == until


def test_a_newer_night_takes_the_place_of_one_that_has_an_answer(play_of: Callable[..., Play]) -> None:
    play = of(play_of, TWO, newer="supersede")
    run = asked(play)
    assert run.answer("TEST.approve", "Approve", by="ann").state == "deferred"
    waiting(play, "r2", N2)
    assert run.resume("TEST.approve", fired(run)).state == "skipped"


class Hook:
    """A web hook that listens."""

    def __init__(self) -> None:
        heard = self.heard = []  # type: list[dict[str, Any]]

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                return

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        Thread(target=self.server.serve_forever, daemon=True).start()


def test_people_are_reminded_while_it_waits_and_the_wait_goes_on(
    play_of: Callable[..., Play], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = Hook()
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "notify.yaml").write_text("team: {to: webhook, connection: hook, about: [promotions]}\n")
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("NIGHTSHIFT_KEPT", str(tmp_path / "kept"))
    play = of(play_of, {**TWO, "users": ["ann", "bob"], "remind": "4h", "hours": 24})
    play.connections["hook"] = {"conn_type": "http", "password": hook.url}
    run = asked(play)
    trigger = run.apis["TEST.approve"].trigger(run.parked["TEST.approve"].message)
    in_four_hours = (datetime.now(UTC) + timedelta(hours=4)).timestamp()
    assert in_four_hours - 300 < trigger.until <= in_four_hours
    run.answer("TEST.approve", "Approve", by="ann")
    assert run.resume("TEST.approve", fired(run, until=0.0)).state == "deferred"
    [told] = hook.heard
    hook.server.shutdown()
    assert "portal: " in told["title"]
    assert "waits for an answer" in told["title"]
    assert "1 of 2 approved: ann" in told["text"]
    assert said(run) == [("ann", "yes", "")]
    assert run.answer("TEST.approve", "Approve", by="bob").state == "success"


def test_an_answer_that_came_while_people_were_reminded_is_not_lost(play_of: Callable[..., Play]) -> None:
    run = asked(of(play_of, {"remind": "1m"}))
    api = run.apis["TEST.approve"]
    api.response = {
        "responded_by_user": {"id": "ann", "name": "ann"},
        "responded_at": datetime.now(UTC).isoformat(),
        "chosen_options": ["Approve"],
        "params_input": {},
    }
    assert run.resume("TEST.approve", {"why": "moment", "run_id": None}).state == "deferred"
    with api.comms():
        event = fired(run)
    assert run.resume("TEST.approve", event).result == {"answer": "Approve", "by": "ann"}


def test_a_reminder_that_reaches_nobody_keeps_nobody_from_answering(play_of: Callable[..., Play]) -> None:
    run = asked(of(play_of, {"remind": "1m"}))
    assert run.states["TEST.approve"] == "deferred"
    assert run.resume("TEST.approve", fired(run, until=0.0)).state == "deferred"
    assert run.answer("TEST.approve", "Approve", by="ann").state == "success"


def test_reports_of_a_night_stay_in_the_question(play_of: Callable[..., Play]) -> None:
    body = asked(of(play_of, TWO)).apis["TEST.approve"].questions[0]["body"]
    assert all(f"* `{report}`, night {N1}" in body for report in REPORTS)
