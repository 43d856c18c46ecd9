"""Whose answer counts: that of those whom the configuration names when it is taken, whomever Airflow asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from nightshift.promotion.vocabulary import StepState
from tests.unit.promotion.play import OLD_VERSION, Play, stage
from tests.unit.promotion.test_approval_operator import asked, configured_anew
from tests.unit.promotion.test_roll_back import BROKEN, settled


def plain(approval: dict[str, Any]) -> list[dict[str, Any]]:
    return [stage("DEV"), stage("TEST", approval=approval)]


@pytest.mark.parametrize("before", [{"users": ["ann", "bob"]}, {}])
@pytest.mark.parametrize("word", ["Approve", "Reject"])
def test_the_answer_of_somebody_who_is_not_named_any_more_does_not_count(
    play_of: Callable[..., Play], before: dict[str, Any], word: str
) -> None:
    play = play_of(*plain(before))
    run = asked(play, night=None)
    configured_anew(play, *plain({"users": ["ann"]}))
    assert run.answer("TEST.approve", word, by="bob", reason="mine").state == "awaiting_input"
    assert run.do("TEST.deploy").state == "skipped"
    step = run.step("TEST.approve")
    assert step.state is StepState.STARTED
    assert "the answer of bob, whom the approval does not name, does not count" in step.detail
    # It waits for whoever is named, under the question that is there.
    assert run.apis["TEST.approve"].response["responded_at"] is None
    assert run.answer("TEST.approve", "Approve", by="ann").result == {"answer": "Approve", "by": "ann"}
    assert run.step("TEST.approve").detail == ""
    run.clear("TEST.deploy")
    assert run.do("TEST.deploy").state == "success"


def test_a_person_is_named_by_id_as_well(play_of: Callable[..., Play]) -> None:
    play = play_of(*plain({"users": ["id of ann", "id of bob"]}))
    run = asked(play, night=None)
    configured_anew(play, *plain({"users": ["id of ann"]}))
    assert run.answer("TEST.approve", "Approve", by="bob").state == "awaiting_input"
    assert run.answer("TEST.approve", "Approve", by="ann").state == "success"


def test_of_several_those_count_that_are_named_when_the_last_one_answers(play_of: Callable[..., Play]) -> None:
    play = play_of(*plain({"users": ["ann", "bob", "eve"], "at_least": 2}))
    run = asked(play, night=None)
    assert run.answer("TEST.approve", "Approve", by="bob").state == "awaiting_input"
    configured_anew(play, *plain({"users": ["ann", "eve"], "at_least": 2}))
    assert run.answer("TEST.approve", "Approve", by="ann").state == "awaiting_input"
    assert run.do("TEST.deploy").state == "skipped"
    assert run.answer("TEST.approve", "Approve", by="eve").result == {"answer": "Approve", "by": "ann, eve"}


@pytest.mark.parametrize(
    ("before", "after", "by", "whom"),
    [
        ({"users": ["ann"]}, {"users": ["bob"]}, "ann", "asks ann, and not bob"),
        (
            {"users": ["ann", "bob"], "at_least": 2},
            {"users": ["ann", "bob", "eve"], "at_least": 2},
            "ann",
            "asks ann, bob, and not eve",
        ),
        (
            {"users": ["ann"], "not_requester": True},
            {"not_requester": True},
            "eve",
            "and not all who may act on the DAG",
        ),
    ],
)
def test_whoever_was_not_asked_is_asked_by_another_run(
    play_of: Callable[..., Play], before: dict[str, Any], after: dict[str, Any], by: str, whom: str
) -> None:
    play = play_of(*plain(before))
    run = asked(play, night=None, by="eve")
    configured_anew(play, *plain(after))
    done = run.answer("TEST.approve", "Approve", by=by)
    assert (done.state, run.step("TEST.approve").outcome) == ("failed", "not_asked")
    assert whom in str(done.error)
    assert run.record.version is not None
    assert f"Start a run with Version {run.record.version.id} and From stage TEST in the form" in str(done.error)
    assert run.do("TEST.deploy").state == "skipped"


@pytest.mark.parametrize(
    ("before", "after", "state", "outcome"),
    [
        (["ann"], ["bob"], "failed", "outdated"),
        (["ann"], [], "failed", "outdated"),
        (["ann", "bob"], ["ann"], "success", "Approve"),
        ([], ["ann"], "success", "Approve"),
    ],
)
def test_silence_is_a_yes_of_those_only_who_were_asked(
    play_of: Callable[..., Play], before: list[str], after: list[str], state: str, outcome: str
) -> None:
    play = play_of(*plain({"users": before, "on_timeout": "approve"}))
    run = asked(play, night=None)
    configured_anew(play, *plain({"users": after, "on_timeout": "approve"}))
    done = run.answer("TEST.approve", "Approve", by=None, timed_out=True)
    assert (done.state, run.step("TEST.approve").outcome) == (state, outcome)
    if state == "failed":
        assert "it asked ann, and not" in str(done.error)
        assert "From stage TEST in the form" in str(done.error)


def test_where_the_one_who_is_named_has_asked_for_it_nobody_else_answers(play_of: Callable[..., Play]) -> None:
    play = play_of(*plain({"users": ["eve"], "not_requester": True}))
    run = play.start("r1", None, by="eve")
    for name in ("begin", "build", "DEV.deploy"):
        assert run.do(name).state == "success"
    done = run.do("TEST.approve")
    assert (done.state, run.apis["TEST.approve"].questions) == ("failed", [])
    assert "1 more would have to be named than nobody, without whoever asked for it" in str(done.error)


@pytest.mark.parametrize("named_by", ["stage", "roll_back"])
def test_a_roll_back_is_approved_by_those_who_are_named_now(play_of: Callable[..., Play], named_by: str) -> None:
    def of(*users: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        approval = {"users": list(users)}
        if named_by == "stage":
            return plain(approval), {}
        return [stage("DEV"), stage("TEST")], {"roll_back": {"approval": approval}}

    stages, more = of("ann", "bob")
    play = play_of(*stages, **more)
    settled(play)
    run = play.start("r1")
    for name in ("begin", "build", "DEV.deploy", *(["TEST.approve"] if named_by == "stage" else [])):
        run.do(name)
    if named_by == "stage":
        run.answer("TEST.approve", "Approve", by="bob")
    play.vendor.faults.add(BROKEN)
    for name in ("TEST.deploy", "roll_back.offer", "roll_back.approve"):
        run.do(name)
    stages, more = of("ann")
    configured_anew(play, *stages, **more)
    assert run.answer("roll_back.approve", "Approve", by="bob").state == "awaiting_input"
    assert run.do("roll_back.deploy").state == "skipped"
    stages, more = of("dan")
    configured_anew(play, *stages, **more)
    done = run.answer("roll_back.approve", "Approve", by="ann")
    assert done.state == "failed"
    # The version that would be brought back, not the one that failed.
    assert f"Start a run with Version {OLD_VERSION} and From stage TEST in the form" in str(done.error)
    assert ("TEST", OLD_VERSION) not in play.deployments()
