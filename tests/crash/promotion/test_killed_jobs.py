"""kill -9 at each point of what FlexDeploy does for a promotion; then the retry, and the retry of that."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.standins.flexdeploy import FlexDeployStandIn
from nightshift.errors import Ambiguous
from nightshift.promotion.record import Version
from nightshift.promotion.vocabulary import StepState
from tests.crash.promotion.night import MARK, RECENT
from tests.crash.promotion.scene import STEPS, Scene, scene
from tests.crash.workers import LONG, kill, until

HEALED = ("before_step", "before_intent", "id_saved", "polling", "result", "before_done", "done")
"""Points after which the retry brings the step to its end."""
SHARED = ("before_step", "polling", "result")
"""Points at which all four do the very same; one of them stands for all."""


def ended_once(play: Scene) -> None:
    """The step is done, with one request; the attempt after it, of which Airflow never heard, changes nothing."""
    step, made = play.state(), play.judge.made()
    assert (step.state, list(step.requests)) == (StepState.DONE, made)
    assert len(made) == 1
    again = play.retry()
    assert again.state == "success", again.error
    assert (play.judge.made(), play.state().requests, play.state().version) == (made, step.requests, step.version)
    play.judge.promises("r", before={("DEV", play.version.id)} if play.step == "TEST.stop" else ())


@pytest.mark.parametrize(
    ("kind", "point"),
    [("deploy", point) for point in HEALED]
    + [(kind, point) for kind in STEPS if kind != "deploy" for point in HEALED if point not in SHARED],
)
def test_the_retry_goes_on(vendor: FlexDeployStandIn, version: Version, tmp_path: Path, kind: str, point: str) -> None:
    play = scene(vendor, tmp_path, kind, version)
    play.killed(point)
    run = play.retry()
    assert run.state == "success", run.error
    ended_once(play)


@pytest.mark.parametrize("kind", STEPS)
@pytest.mark.parametrize("point", ["before_post", "held", "answered"])
def test_where_nobody_can_tell_a_person_is_asked(
    vendor: FlexDeployStandIn, version: Version, tmp_path: Path, kind: str, point: str
) -> None:
    play = scene(vendor, tmp_path, kind, version)
    if point == "held":
        with play.held():
            process = play.worker()
        kill(process)
    else:
        play.killed(point)
    made = play.judge.made()
    run = play.retry()
    assert (run.state, type(run.error)) == ("failed", Ambiguous)
    assert (play.state().state, play.state().outcome) == (StepState.FAILED, "ambiguous")
    assert play.judge.made() == made
    assert len(made) == (0 if point == "before_post" else 1)
    play.judge.promises("r", unknown=made)
    play.airflow.resolve("r", play.step, {"adopt": str(made[0])} if made else {"resubmit": True})
    run = play.retry()
    assert run.state == "success", run.error
    ended_once(play)


def test_killed_again_and_again(vendor: FlexDeployStandIn, version: Version, tmp_path: Path) -> None:
    play = scene(vendor, tmp_path, "deploy", version)
    for point in ("before_intent", "id_saved", "polling", "before_done", "done"):
        play.killed(point)
    assert play.retry().state == "success"
    ended_once(play)


def test_killed_after_the_resolution(vendor: FlexDeployStandIn, version: Version, tmp_path: Path) -> None:
    """The person's word is spent only when the job that it names is written down."""
    play = scene(vendor, tmp_path, "deploy", version)
    play.killed("answered")
    assert isinstance(play.retry().error, Ambiguous)
    play.airflow.resolve("r", play.step, {"adopt": str(play.judge.made()[0])})
    play.killed("before_intent")
    play.killed("polling")
    assert play.retry().state == "success"
    ended_once(play)


@pytest.mark.parametrize("kind", ["deploy", "roll_back"])
def test_a_mark_brings_back_what_waits_for_an_approval(
    vendor: FlexDeployStandIn, version: Version, tmp_path: Path, kind: str
) -> None:
    vendor.turn(approvals={"DEV": 1})
    play = scene(vendor, tmp_path, kind, version, marker_flex_field=MARK)
    with play.held():
        process = play.worker()
    kill(process)
    (request,) = play.judge.made()
    play.airflow.age("r", play.step)
    again = play.worker()
    until(lambda: play.state().requests == (request,))
    vendor.approve(request)
    again.join(LONG)
    assert again.exitcode == 0
    ended_once(play)


@pytest.mark.parametrize("kind", ["build", "deploy"])
def test_a_mark_brings_back_what_has_run_where_executions_are_listed(
    vendor: FlexDeployStandIn, version: Version, tmp_path: Path, kind: str
) -> None:
    play = scene(vendor, tmp_path, kind, version, marker_flex_field=MARK, paths={"recent_executions": RECENT})
    play.killed("answered")
    until(lambda: vendor.state(play.judge.made()[0]) == "COMPLETED")
    play.airflow.age("r", play.step)
    run = play.retry()
    assert run.state == "success", run.error
    ended_once(play)


def test_a_mark_that_is_not_found_proves_nothing(vendor: FlexDeployStandIn, version: Version, tmp_path: Path) -> None:
    play = scene(vendor, tmp_path, "deploy", version, marker_flex_field=MARK)
    play.killed("answered")
    play.airflow.age("r", play.step)
    assert isinstance(play.retry().error, Ambiguous)
    assert len(play.judge.made()) == 1


@pytest.mark.parametrize("kind", STEPS)
def test_the_triggerer_is_killed(vendor: FlexDeployStandIn, version: Version, tmp_path: Path, kind: str) -> None:
    vendor.turn(build_seconds=0.6, deploy_seconds=0.6, utility_seconds=0.6)
    play = scene(vendor, tmp_path, kind, version)
    deferred = play.retry(look=0.0, follow=False)
    assert deferred.state == "deferred"
    seen = len(vendor.ledger.requests(path="/workflowrequest/"))
    process = play.triggerer(deferred.message)
    until(lambda: len(vendor.ledger.requests(path="/workflowrequest/")) > seen)
    process.kill()
    process.join(LONG)
    event = play.airflow.task("r", play.step).fire(deferred.message)
    run = play.airflow.attempt("r", play.step, resume=("resume", event))
    assert run.state == "success", run.error
    ended_once(play)


def test_the_worker_is_killed_when_it_resumes(vendor: FlexDeployStandIn, version: Version, tmp_path: Path) -> None:
    """The attempt that was resumed is lost; the next one starts from the beginning of its method."""
    vendor.turn(deploy_seconds=0.3)
    play = scene(vendor, tmp_path, "deploy", version)
    deferred = play.retry(look=0.0, follow=False)
    event = play.airflow.task("r", play.step).fire(deferred.message)
    play.killed("before_done", resume=("resume", event))
    assert play.retry().state == "success"
    ended_once(play)
