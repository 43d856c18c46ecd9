"""Nothing is asked of FlexDeploy while somebody holds the line or a stage is frozen, and each says why it waits."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from include.standins.faults import Fault, FaultKind
from nightshift.promotion.holds import Hold, hold, lift
from nightshift.promotion.revoked import VersionRevoked, report
from nightshift.promotion.triggers import SupersedeTrigger, Why
from nightshift.promotion.vocabulary import StepState
from tests.unit.promotion.play import NAME, OLD_VERSION, RESTART_IT, Play, Run, stage
from tests.unit.promotion.test_job_operators import LATER, begun, through, window
from tests.unit.promotion.test_roll_back import BROKEN, failed, settled

HOUR = timedelta(hours=1)
NOW = datetime.now(UTC)
ANSWERED = {
    "responded_by_user": {"id": "eve", "name": "eve"},
    "responded_at": NOW.isoformat(),
    "chosen_options": ["Override the freeze"],
    "params_input": {"reason": "outage"},
}
"""What Airflow holds of an answer that it has told nobody of yet."""
STAGE = {"before": [{**RESTART_IT, "name": "stop"}], "after": [RESTART_IT]}


def held(play: Play, **more: Any) -> Hold:
    given: dict[str, Any] = {"application": NAME, "by": "ann", "reason": "outage", "until": None}
    return asyncio.run(hold(play.lake, **{**given, **more}))


def lifted(play: Play, one: Hold) -> None:
    asyncio.run(lift(play.lake, one.id, by="bob", reason="over"))


def freeze(since: timedelta = -HOUR, until: timedelta = HOUR, **more: Any) -> dict[str, Any]:
    times = {"from": f"{NOW + since:%Y-%m-%d %H:%M}", "to": f"{NOW + until:%Y-%m-%d %H:%M}"}
    return {"name": "year end", "reason": "audit", "timezone": "UTC", **times, **more}


def woken(run: Run, name: str) -> Any:
    """Return the event with which a waiting task's trigger ends at its first look."""
    api = run.apis[name]
    trigger = api.trigger(run.parked[name].message)
    assert isinstance(trigger, SupersedeTrigger)
    trigger.interval = 0.01
    with api.comms():
        return asyncio.run(asyncio.wait_for(_first(trigger), 20))


async def _first(trigger: SupersedeTrigger) -> Any:
    return (await anext(trigger.run())).payload


@pytest.mark.parametrize("name", ["build", "DEV.stop", "DEV.deploy", "DEV.restart"])
def test_a_hold_stops_each_step_until_it_is_lifted(play_of: Callable[..., Play], name: str) -> None:
    play = play_of(stage("DEV", **STAGE))
    run = begun(play)
    names = ["build", "DEV.stop", "DEV.deploy", "DEV.restart"]
    through(run, *names[: names.index(name)])
    one, asked = held(play), play.asked()
    assert run.do(name).state == "deferred"
    assert play.asked() == asked
    assert run.step(name).state is StepState.STARTED
    assert run.step(name).detail == f"{one.words}; nobody knows when it may go"
    # Woken in vain, it waits on.
    assert run.resume(name, {"why": Why.MOMENT, "run_id": None}).state == "deferred"
    assert play.asked() == asked
    lifted(play, one)
    assert run.resume(name, woken(run, name)).state == "success"
    assert (run.step(name).detail, run.step(name).until) == ("", None)
    through(run, *names[names.index(name) + 1 :])
    assert len(play.made("deploy_made")) == 1


def test_a_hold_ends_by_itself_at_the_moment_that_is_told(play_of: Callable[..., Play]) -> None:
    play = play_of()
    run = begun(play)
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=4)
    held(play, until=until)
    assert run.do("build").state == "deferred"
    assert run.step("build").until == until
    event = woken(run, "build")
    assert event == {"why": "moment", "run_id": None}
    assert run.resume("build", event).state == "success"


def test_a_hold_of_another_application_stops_nothing(play: Play) -> None:
    held(play, application="billing")
    through(begun(play), "build", "DEV.deploy", "TEST.deploy")


def test_a_hold_that_begins_in_the_middle_lets_a_deployment_end_and_stops_what_follows(play: Play) -> None:
    run = begun(play)
    through(run, "build")
    assert run.do("DEV.deploy", look=0.0).state == "deferred"
    one = held(play, application=None)
    # Its worker is lost: the next attempt goes on with the same deployment.
    assert run.do("DEV.deploy").state == "success"
    assert run.do("TEST.deploy").state == "deferred"
    assert [code for code, _ in play.deployments()] == ["DEV"]
    lifted(play, one)
    assert run.resume("TEST.deploy", woken(run, "TEST.deploy")).state == "success"
    assert [code for code, _ in play.deployments()] == ["DEV", "TEST"]


def test_a_hold_that_begins_after_the_first_look_is_seen_right_before_flexdeploy_is_asked(
    play_of: Callable[..., Play],
) -> None:
    """Somebody presses while the task looks up the names at FlexDeploy."""
    play = play_of(stage("DEV"))
    run = begun(play)
    through(run, "build")
    asked, pressed = play.asked(), []

    def press() -> None:
        play.vendor.ledger.wait_for_request(fault=FaultKind.HOLD_ANSWER)
        pressed.append(held(play))
        play.vendor.release()

    play.vendor.faults.add(Fault(kind=FaultKind.HOLD_ANSWER, method="GET"))
    person = threading.Thread(target=press)
    person.start()
    done = run.do("DEV.deploy", project="Licensing/Portal/LicensePortal", project_id=None)
    person.join(30)
    assert done.state == "deferred", done.error
    assert play.asked() == asked
    assert (run.step("DEV.deploy").asked, run.step("DEV.deploy").requests) == (None, ())
    lifted(play, pressed[0])
    assert run.resume("DEV.deploy", woken(run, "DEV.deploy")).state == "success"
    assert len(play.made("deploy_made")) == 1


def test_a_version_that_is_reported_after_the_first_look_goes_nowhere(play_of: Callable[..., Play]) -> None:
    """Somebody finds it to be bad while the task looks up the names at FlexDeploy."""
    play = play_of(stage("DEV"), stage("TEST"))
    run = begun(play)
    through(run, "build", "DEV.deploy")
    asked = play.asked()

    def find() -> None:
        play.vendor.ledger.wait_for_request(fault=FaultKind.HOLD_ANSWER)
        asyncio.run(report(play.records, run.run_id, "DEV", run.version, by="ann", why="invoices are empty"))
        play.vendor.release()

    play.vendor.faults.add(Fault(kind=FaultKind.HOLD_ANSWER, method="GET"))
    person = threading.Thread(target=find)
    person.start()
    done = run.do("TEST.deploy", project="Licensing/Portal/LicensePortal", project_id=None)
    person.join(30)
    assert isinstance(done.error, VersionRevoked), done.error
    assert "DEV refuted by ann" in str(done.error)
    assert play.asked() == asked
    assert (run.step("TEST.deploy").asked, run.step("TEST.deploy").requests) == (None, ())


def test_only_what_follows_a_deployment_still_runs_for_a_version_that_was_reported(
    play_of: Callable[..., Play],
) -> None:
    """A person clears a utility of a stage that has had its version: what stops the stage for another deployment does
    not run, what starts it again does.
    """
    play = play_of(stage("DEV", **STAGE))
    run = begun(play)
    through(run, "build", "DEV.stop", "DEV.deploy")
    asyncio.run(report(play.records, run.run_id, "DEV", run.version, by="ann", why="invoices are empty"))
    assert run.do("DEV.restart").state == "success"
    asked = play.asked()
    run.clear("DEV.stop")
    done = run.do("DEV.stop")
    assert isinstance(done.error, VersionRevoked), done.error
    assert play.asked() == asked


def test_a_hold_stops_a_roll_back_too(play: Play) -> None:
    """Whoever stopped the line may know why a roll-back would make it worse; whoever lifts it lets it go."""
    settled(play)
    run = failed(play, BROKEN)
    through(run, "roll_back.offer")
    run.do("roll_back.approve")
    assert run.answer("roll_back.approve", "Approve").state == "success"
    one, asked = held(play), play.asked()
    assert run.do("roll_back.deploy").state == "deferred"
    assert play.asked() == asked
    lifted(play, one)
    assert run.resume("roll_back.deploy", woken(run, "roll_back.deploy")).state == "success"
    assert play.deployments()[-1][1] == OLD_VERSION


def test_where_the_lake_cannot_be_read_nothing_goes(play: Play, tmp_path: Path) -> None:
    run = begun(play)
    holds = tmp_path / "lake" / "claims" / "holds"
    holds.parent.mkdir(exist_ok=True)
    holds.write_text("in the way")
    asked = play.asked()
    done = run.do("build")
    assert done.state in ("failed", "up_for_retry")
    assert play.asked() == asked
    os.unlink(holds)
    assert run.do("build").state == "success"


def test_a_hold_that_cannot_be_read_stops_all_and_is_named(play: Play, tmp_path: Path) -> None:
    run = begun(play)
    one = held(play, application="billing")
    (tmp_path / "lake" / "claims" / "holds" / f"{one.id}.json").write_text("{")
    assert run.do("build").state == "deferred"
    assert (
        f"claims/holds/{one.id}.json cannot be read. Look at it, then lift the hold {one.id}"
        in run.step("build").detail
    )


def test_a_frozen_stage_waits_and_says_until_when_and_why(play_of: Callable[..., Play]) -> None:
    play = play_of(stage("DEV"), stage("TEST", **STAGE))
    play.freeze(freeze(stages=["TEST"]))
    run = begun(play)
    through(run, "build", "DEV.deploy")
    asked = play.asked()
    assert run.do("TEST.stop").state == "deferred"
    until = f"{NOW + HOUR:%Y-%m-%d %H:%M} UTC"
    assert run.step("TEST.stop").detail == f"frozen until {until} (year end: audit); may go {until}"
    assert run.apis["TEST.stop"].questions == []
    assert play.asked() == asked
    # Somebody ends the freeze in promotions.yaml.
    play.freeze(freeze(until=-timedelta(minutes=2), stages=["TEST"]))
    assert run.resume("TEST.stop", {"why": Why.CHANGED, "run_id": None}).state == "success"
    through(run, "TEST.deploy")


def test_a_freeze_wins_over_an_open_window(play_of: Callable[..., Play]) -> None:
    opens = NOW - 2 * HOUR
    play = play_of(stage("DEV", window=window(opens)))
    play.freeze(freeze(until=timedelta(minutes=30)))
    run = begun(play)
    through(run, "build")
    assert run.do("DEV.window").state == "deferred"
    # The window closes before the freeze ends, so it may go when it opens next.
    assert run.step("DEV.window").until == (opens + timedelta(days=1)).replace(second=0, microsecond=0)


def test_flexdeploy_is_handed_no_time_within_a_freeze(play_of: Callable[..., Play]) -> None:
    play = play_of(stage("DEV", window=window(LATER, outside="start_time")))
    play.freeze(freeze(since=3 * HOUR, until=10 * HOUR))
    run = begun(play)
    through(run, "build")
    run.do("DEV.deploy", look=0.0)
    [made] = play.made("deploy_made")
    assert datetime.fromisoformat(made["startTime"]) == LATER + timedelta(days=1)


def test_while_nobody_knows_what_is_frozen_a_version_is_built_and_brought_nowhere(play: Play) -> None:
    play.freeze(unknown="promotions.yaml:7: freezes[0].to: is missing; add it")
    assert "nobody knows what is frozen" in (play.dag.doc_md or "")
    run = begun(play)
    through(run, "build")
    assert run.do("DEV.deploy").state == "deferred"
    assert run.step("DEV.deploy").detail == (
        "nobody knows what is frozen: promotions.yaml:7: freezes[0].to: is missing; add it; nobody knows when it may go"
    )
    assert play.deployments() == []


def frozen(play_of: Callable[..., Play], **conf: Any) -> Run:
    play = play_of(stage("DEV", inputs={"COLOR": "blue"}), stage("TEST"))
    play.freeze(freeze(override=["eve", "id of 7"]))
    run = begun(play, **conf)
    through(run, "build")
    assert run.do("DEV.deploy").state == "deferred"
    return run


def test_who_may_override_a_freeze_is_asked_with_all_that_is_overridden(play_of: Callable[..., Play]) -> None:
    run = frozen(play_of)
    [told] = run.apis["DEV.deploy"].questions
    assert [one["id"] for one in told["assigned_users"]] == ["eve", "id of 7"]
    assert told["options"] == ["Override the freeze"]
    assert (
        f"* `year end` until {NOW + HOUR:%Y-%m-%d %H:%M} UTC: `audit`; `eve`, `id of 7` may override it" in told["body"]
    )
    assert "* input `COLOR`: `blue`" in told["body"]
    assert told["params"]["reason"]["schema"]["minLength"] == 1
    assert run.play.deployments() == []


@pytest.mark.parametrize("by", ["eve", "7"])
def test_an_override_is_for_one_stage_of_one_promotion(play_of: Callable[..., Play], by: str) -> None:
    run = frozen(play_of)
    assert run.answer("DEV.deploy", "Override the freeze", by=by, reason="outage").state == "success"
    [one] = run.record.overrides
    assert (one.freeze, one.stage, one.name, one.person, one.reason) == ("year end", "DEV", by, f"id of {by}", "outage")
    assert run.do("TEST.deploy").state == "deferred"
    assert [code for code, _ in run.play.deployments()] == ["DEV"]


@pytest.mark.parametrize(
    ("by", "reason"),
    [("bob", "outage"), ("eve", None), ("eve", " "), (None, "outage")],
)
def test_an_override_by_somebody_else_or_without_a_reason_is_none(
    play_of: Callable[..., Play], by: str | None, reason: str | None
) -> None:
    run = frozen(play_of)
    assert run.answer("DEV.deploy", "Override the freeze", by=by, reason=reason).state == "deferred"
    assert (run.record.overrides, run.play.deployments()) == ((), [])


def test_an_override_for_other_parameters_than_those_shown_does_not_count(play_of: Callable[..., Play]) -> None:
    run = frozen(play_of)
    play = run.play
    play.config = play.config.model_copy(
        update={
            "stages": (play.config.stages[0].model_copy(update={"inputs": {"COLOR": "red"}}), play.config.stages[1])
        }
    )
    play.freeze(freeze(override=["eve"]))
    assert run.answer("DEV.deploy", "Override the freeze", by="eve", reason="outage").state == "deferred"
    assert play.deployments() == []
    # Airflow shows the question of before, so its answer is none either.
    assert run.answer("DEV.deploy", "Override the freeze", by="eve", reason="outage").state == "deferred"
    assert play.deployments() == []


def test_an_override_opens_no_hold_and_an_emergency_neither(play_of: Callable[..., Play]) -> None:
    play = play_of()
    play.freeze(freeze())
    run = begun(play, version_id=OLD_VERSION, from_stage="TEST", emergency="outage")
    assert run.do("DEV.deploy").state == "skipped"
    assert run.do("TEST.deploy").state == "deferred"
    run.end()
    run = frozen(play_of)
    held(run.play)
    assert run.answer("DEV.deploy", "Override the freeze", by="eve", reason="outage").state == "deferred"
    assert run.play.deployments() == []


def test_an_answer_that_came_before_the_wait_began_is_not_lost(play_of: Callable[..., Play]) -> None:
    """Airflow resumes nobody who is still on a worker: the trigger asks once."""
    run = frozen(play_of)
    run.apis["DEV.deploy"].response = ANSWERED
    assert run.resume("DEV.deploy", woken(run, "DEV.deploy")).state == "success"
    assert [one.name for one in run.record.overrides] == ["eve"]


def test_an_answer_that_came_while_the_wait_was_woken_is_not_lost(play_of: Callable[..., Play]) -> None:
    """Asking again would take it away."""
    run = frozen(play_of)
    run.apis["DEV.deploy"].response = ANSWERED
    assert run.resume("DEV.deploy", {"why": Why.CHANGED, "run_id": None}).state == "deferred"
    assert run.resume("DEV.deploy", woken(run, "DEV.deploy")).state == "success"


def test_an_answer_that_was_told_and_did_not_count_is_asked_for_again(play_of: Callable[..., Play]) -> None:
    run = frozen(play_of)
    run.apis["DEV.deploy"].response = {**ANSWERED, "params_input": {"reason": ""}}
    assert run.answer("DEV.deploy", "Override the freeze", by="eve", reason="").state == "deferred"
    assert run.apis["DEV.deploy"].response["responded_at"] is None


def test_a_clear_asks_anew_whether_a_freeze_is_overridden(play_of: Callable[..., Play]) -> None:
    run = frozen(play_of)
    run.apis["DEV.deploy"].response = ANSWERED
    run.clear("DEV.deploy")
    assert run.do("DEV.deploy").state == "deferred"
    assert run.apis["DEV.deploy"].response["responded_at"] is None


@pytest.mark.parametrize("name", ["TEST.stop", "TEST.deploy"])
def test_an_answer_that_comes_when_the_freeze_is_over_is_no_verdict_on_the_job(
    play_of: Callable[..., Play], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    play = play_of(stage("DEV"), stage("TEST", **STAGE))
    run = begun(play)
    through(run, "build", "DEV.deploy", *(["TEST.stop"] if name == "TEST.deploy" else []))
    play.freeze(freeze(override=["eve"], stages=["TEST"]))
    assert run.do(name).state == "deferred"
    play.freeze()
    play.vendor.turn(deploy_seconds=2.0, utility_seconds=2.0)
    waits = run.resume(name, {"why": Why.MOMENT, "run_id": None}, look=0.0)
    assert (waits.state, waits.message.next_method) == ("deferred", "resume")
    requests, asked = run.step(name).requests, play.asked()
    # Airflow shows the question still, and wakes what waits, whatever it waits for.
    run.task(name).look = 0.0
    done = run.answer(name, "Override the freeze", by="eve", reason="outage")
    assert (done.state, done.message.next_method) == ("deferred", "resume")
    assert (run.step(name).state, run.step(name).requests, play.asked()) == (StepState.STARTED, requests, asked)
    told = capsys.readouterr().out
    assert "was answered when the step no longer waited for it" in told
    assert "eve overrides the freeze" not in told, "there is none any more"
    ended = run.resume(name, run.apis[name].fire(done.message))
    assert (ended.state, run.step(name).requests, play.asked()) == ("success", requests, asked)
