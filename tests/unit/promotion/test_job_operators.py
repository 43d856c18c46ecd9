"""Build, deploy and utility runs of a promotion: what FlexDeploy is asked for, and what the record keeps."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.standins.faults import Fault
from include.standins.flexdeploy import Changes, vendor_fault
from include.standins.flexdeploy import Kind as Work
from include.standins.flexdeploy.planted import DEV, FORMS, PORTAL
from nightshift.config.stages import DeploymentWindow
from nightshift.promotion.record import PromotionRecord, PromotionStep, Version, now
from nightshift.promotion.vocabulary import PromotionOutcome, StepKind, StepState
from tests.unit.promotion.play import N1, NAME, OLD_VERSION, RESTART_IT, Play, Run, stage


def begun(play: Play, run_id: str = "r1", **conf: Any) -> Run:
    run = play.start(run_id, N1, **conf)
    done = run.do("begin")
    assert done.state == "success", done.error
    return run


def through(run: Run, *names: str) -> None:
    for name in names:
        done = run.do(name)
        assert done.state == "success", (name, done.state, done.error)


def test_what_is_built_is_pinned_and_told(play: Play) -> None:
    run = begun(play)
    done = run.do("build")
    [made] = play.made("build_made")
    version = Version(id=made["version"], name=made["versionName"])
    assert (done.state, done.result["project_version_id"], run.record.version) == ("success", version.id, version)
    step = run.step("build")
    [request] = done.result["workflow_request_ids"]
    assert (step.state, step.outcome, step.version, step.requests) == (StepState.DONE, "built", version, (request,))
    assert step.url == done.result["url"]


def test_the_record_knows_the_request_before_flexdeploy_has_ended_it(play: Play) -> None:
    play.vendor.turn(build_seconds=3600.0)
    run = begun(play)
    done = run.do("build", look=0.0)
    [request] = [one.key for one in play.vendor.ledger.effects(kind="build_made")]
    assert (done.state, run.step("build").state, run.step("build").requests) == (
        "deferred",
        StepState.STARTED,
        (int(request),),
    )
    assert request in str(run.step("build").url)


def test_the_form_reaches_flexdeploy(play_of: Callable[..., Play]) -> None:
    play = play_of(
        stage("DEV", inputs={"COMMENT": "night", "RESTART_SERVER": "N"}, change_tickets=["CHG1"]),
        build={"inputs": {"input1": "a", "input2": "b"}, "related_tickets": ["A-1"]},
    )
    run = begun(
        play,
        force_build=True,
        related_tickets=["A-2"],
        build_inputs={"input2": "c"},
        change_tickets=["CHG2"],
        inputs={"RESTART_SERVER": "Y"},
    )
    through(run, "build", "DEV.deploy")
    [built], [deployed] = play.made("build_made"), play.made("deploy_made")
    assert (built["force"], list(built["tickets"])) == (True, ["A-1", "A-2"])
    assert built["inputs"] == [{"code": "input1", "value": "a"}, {"code": "input2", "value": "c"}]
    assert list(deployed["tickets"]) == ["CHG1", "CHG2"]
    assert {one["code"]: one["value"] for one in deployed["inputs"]} == {"COMMENT": "night", "RESTART_SERVER": "Y"}


def quiet(play: Play) -> None:
    """Let source control have nothing new."""
    play.vendor.turn(changes=Changes.COMMITS)


def test_nothing_to_build_stops_the_promotion(play: Play) -> None:
    quiet(play)
    run = begun(play)
    done = run.do("build")
    assert (done.state, done.result["outcome"], run.step("build").outcome) == ("skipped", "no_changes", "no_changes")
    for name in ("DEV.deploy", "TEST.deploy"):
        assert run.do(name).state == "skipped"
        assert run.step(name).detail == "nothing was built"
    assert run.do("close").result["outcome"] == "no_changes"
    assert play.deployments() == []


def built_before(play: Play, version: Version) -> None:
    built = PromotionStep(
        task="build", kind=StepKind.BUILD, state=StepState.DONE, started=now(), ended=now(), version=version
    )
    play.put(
        PromotionRecord(
            application=NAME,
            dag_id=f"promote_{NAME}",
            run_id="r0",
            night="2026-11-18",
            opened=now(),
            turn=1,
            closed=now(),
            outcome=PromotionOutcome.REJECTED,
            version=version,
            steps=(built,),
        )
    )


def test_or_goes_on_with_what_was_built_last(play_of: Callable[..., Play]) -> None:
    play = play_of(build={"unchanged": "last_built"})
    [request] = play.vendor.start_as_user(Work.BUILD, PORTAL, environmentId=DEV, streamId=PORTAL + 400, forceBuild=True)
    assert request
    play.vendor.clock.advance(5)
    newest = play.vendor.newest_version(PORTAL)
    built_before(play, Version(id=newest.id, name=newest.name))
    quiet(play)
    run = begun(play)
    assert run.do("build").state == "skipped"
    through(run, "DEV.deploy", "TEST.deploy")
    assert run.do("close").result["outcome"] == "promoted"
    assert play.deployments() == [("DEV", newest.id), ("TEST", newest.id)]
    assert run.step("build").version is None


def test_unless_no_record_tells_of_one(play_of: Callable[..., Play]) -> None:
    play = play_of(build={"unchanged": "last_built"})
    quiet(play)
    run = begun(play)
    assert run.do("build").state == "skipped"
    assert run.do("DEV.deploy").state == "skipped"
    assert play.deployments() == []


@pytest.mark.parametrize("unchanged", ["stop", "last_built"])
@pytest.mark.parametrize("anew", [("build",), ("begin", "build")])
def test_after_a_clear_the_version_that_this_promotion_built_itself_goes_on(
    play_of: Callable[..., Play], unchanged: str, anew: tuple[str, ...]
) -> None:
    play = play_of(build={"unchanged": unchanged})
    built_before(play, Version(id=OLD_VERSION, name="1.0.1"))
    run = begun(play)
    through(run, "build")
    mine = run.record.version
    quiet(play)
    run.clear(*anew)
    states = [run.do(name).state for name in anew]
    assert states[-1] == "skipped"
    assert (run.record.version, run.step("build").version, run.step("build").outcome) == (mine, mine, "no_changes")


def test_a_given_version_is_not_built(play: Play) -> None:
    run = begun(play, version_id=OLD_VERSION)
    assert run.do("build").state == "skipped"
    assert run.step("build").detail == f"the version id {OLD_VERSION} was given"
    assert play.made("build_made") == []


def test_a_completed_build_that_names_no_version_is_an_error(play: Play) -> None:
    run = begun(play)
    hidden = {"status": 200, "content_type": "application/json"}
    for path, body in (
        (r"/workflowrequest/", '{"workflowRequestId": 12001, "requestStatus": "COMPLETED", "projectId": 10101}'),
        (r"/workflowexecution", "[]"),
    ):
        play.vendor.faults.add(Fault(kind="status", method="GET", path=path, body=body, times=None, **hidden))
    done = run.do("build")
    assert "names no version, and neither do its executions" in str(done.error)
    assert "start a run with it in the form" in str(done.error)
    assert run.record.version is None


def test_nor_is_one_pinned_where_a_build_names_several(play: Play) -> None:
    build = {"environmentId": DEV, "streamId": PORTAL + 400, "forceBuild": True}
    made = [play.vendor.start_as_user(Work.BUILD, PORTAL, **build)[0] for _ in range(2)]
    body = json.dumps({"workflowRequests": [{"workflowRequestId": one} for one in made]})
    play.vendor.faults.add(Fault(kind="status", path="/build$", status=201, body=body, content_type="application/json"))
    run = begun(play)
    done = run.do("build")
    versions = [one["version"] for one in play.made("build_made")]
    told = ", ".join(f"{version} by {number}" for number, version in zip(made, versions, strict=True))
    assert f"was completed but names several versions: {told}" in str(done.error)
    assert run.record.version is None


def test_the_pinned_version_goes_to_every_stage_whatever_is_built_meanwhile(play: Play) -> None:
    run = begun(play)
    through(run, "build", "DEV.deploy")
    play.vendor.start_as_user(Work.BUILD, PORTAL, environmentId=DEV, streamId=PORTAL + 400, forceBuild=True)
    play.vendor.clock.advance(5)
    through(run, "TEST.deploy")
    pinned = run.record.version
    assert pinned is not None
    assert play.vendor.newest_version(PORTAL).id != pinned.id
    assert play.deployments() == [("DEV", pinned.id), ("TEST", pinned.id)]
    step = run.step("TEST.deploy")
    assert (step.state, step.outcome, step.version, step.stage) == (StepState.DONE, "deployed", pinned, "TEST")


def test_what_is_there_already_counts_as_running_there(play: Play) -> None:
    run = begun(play, version_id=OLD_VERSION)
    done = run.do("DEV.deploy")
    assert (done.state, done.result["outcome"], play.deployments()) == ("skipped", "already_deployed", [])
    assert (run.step("DEV.deploy").state, run.step("DEV.deploy").version) == (StepState.DONE, Version(id=OLD_VERSION))
    run.do("TEST.deploy")
    told = run.do("close").result
    assert (told["outcome"], told["standing"]) == ("promoted", [f"DEV: id {OLD_VERSION}", f"TEST: id {OLD_VERSION}"])


def test_what_this_promotion_brought_stays_its_own_after_a_clear(play: Play) -> None:
    run = begun(play)
    through(run, "build", "DEV.deploy")
    before = run.step("DEV.deploy")
    run.clear("DEV.deploy")
    done = run.do("DEV.deploy")
    assert (done.state, done.result["outcome"], len(play.deployments())) == ("skipped", "already_deployed", 1)
    after = run.step("DEV.deploy")
    assert (after.outcome, after.requests, after.url) == ("deployed", before.requests, before.url)


def test_a_deployment_of_another_version_than_the_one_asked_for_is_an_error(play: Play) -> None:
    run = begun(play)
    through(run, "build")
    body = '{"workflowRequestId": 12002, "requestStatus": "COMPLETED", "projectId": 10101, "projectVersionId": 666}'
    play.vendor.faults.add(
        Fault(
            kind="status",
            method="GET",
            path="/workflowrequest/",
            status=200,
            content_type="application/json",
            body=body,
            times=None,
        )
    )
    done = run.do("DEV.deploy")
    assert "deployed version 666, but 1.0.2" in str(done.error)
    assert "Look at what runs in DEV: " in str(done.error)
    assert str(done.error).endswith("Then clear this task: it asks for 1.0.2 (id 40001).")
    assert run.step("DEV.deploy").state is StepState.FAILED
    assert "deployed version 666" in str(run.do("DEV.deploy").error)
    assert len(play.made("deploy_made")) == 1
    play.vendor.faults.clear()
    run.clear("DEV.deploy")
    assert run.do("DEV.deploy").state in ("success", "skipped")
    assert len([one for one in play.vendor.ledger.requests() if one.path.endswith("/deploy")]) == 2


def test_a_clear_that_builds_anew_while_the_version_before_is_deployed_ends_with_the_new_one(play: Play) -> None:
    """The task says so, and what its advice promises holds: cleared again, it asks for the new version."""
    play.vendor.turn(deploy_seconds=0.4)
    run = play.start("r1", N1, force_build=True)
    through(run, "begin", "build")
    first = run.record.version
    run.do("DEV.deploy", look=0.0)
    run.clear("build", "DEV.deploy")
    through(run, "build")
    assert first != run.record.version
    failed = run.do("DEV.deploy", follow=True)
    assert f"deployed version {first.id}, but {run.record.version} was asked for" in str(failed.error)
    assert len(play.made("deploy_made")) == 1
    run.clear("DEV.deploy")
    assert run.do("DEV.deploy", follow=True).state == "success"
    assert run.step("DEV.deploy").version == run.record.version
    assert len(play.made("deploy_made")) == 2


def test_without_a_version_nothing_is_deployed(play: Play) -> None:
    """A build that was marked as a success has built nothing: a green "no changes" would be untrue."""
    run = begun(play)
    done = run.do("DEV.deploy")
    assert done.state == "failed"
    assert "build was marked in Airflow before it had begun" in str(done.error)
    assert play.asked() == 0
    done = run.do("close")
    assert (done.state, run.record.outcome) == ("failed", PromotionOutcome.FAILED)


def test_a_failure_is_told_with_what_flexdeploy_says(play: Play) -> None:
    run = begun(play)
    through(run, "build")
    play.vendor.faults.add(vendor_fault("run_fails", path="/deploy$", detail={"message": "disk full"}))
    done = run.do("DEV.deploy")
    step = run.step("DEV.deploy")
    assert (done.state, step.state, step.outcome, "disk full" in step.detail) == (
        "failed",
        StepState.FAILED,
        "failed",
        True,
    )
    assert step.requests


def test_packages_of_a_partial_project_go_in_the_version_that_was_built(play_of: Callable[..., Play]) -> None:
    play = play_of(
        stage("DEV"),
        project_id=FORMS,
        stream_id=FORMS + 400,
        packages=[{"name": "LEDGER", "priority": 2}, {"name": "INVOICES"}],
    )
    run = begun(play, force_build=True)
    through(run, "build", "DEV.deploy")
    version = run.record.version
    assert version is not None
    assert {(one["package"], one["version"]) for one in play.made("deploy_made")} == {
        ("LEDGER", version.id),
        ("INVOICES", version.id),
    }
    assert len(run.step("DEV.deploy").requests) == 2


@pytest.mark.parametrize("tells", ["requests", "executions"])
def test_a_package_in_another_version_than_the_one_asked_for_is_an_error(
    play_of: Callable[..., Play], tells: str
) -> None:
    play = play_of(
        stage("DEV"), project_id=FORMS, stream_id=FORMS + 400, packages=[{"name": "INVOICES"}, {"name": "LEDGER"}]
    )
    run = begun(play, force_build=True)
    through(run, "build")
    old, version = 20000 + FORMS, run.record.version
    play.vendor.faults.add(vendor_fault("other_version", detail={"package": "LEDGER", "version": old}))
    if tells == "executions":
        body = '{"workflowRequestId": 12003, "requestStatus": "COMPLETED", "projectId": 10104, "packageName": "LEDGER"}'
        answer = {"status": 200, "content_type": "application/json", "body": body, "times": None}
        play.vendor.faults.add(Fault(kind="status", method="GET", path="/workflowrequest/12003", **answer))
    done = run.do("DEV.deploy")
    assert [one["version"] for one in play.made("deploy_made")] == [version.id, old]
    assert f"workflow request 12003 deployed version {old}, but {version} was asked for" in str(done.error)
    assert run.step("DEV.deploy").state is StepState.FAILED
    play.vendor.faults.clear()
    run.clear("DEV.deploy")
    again = run.do("DEV.deploy")
    assert again.state == "success", again.error
    assert [one["version"] for one in play.made("deploy_made")] == [version.id, old, version.id]


def test_a_utility_project_runs_around_the_deployment(play_of: Callable[..., Play]) -> None:
    stop = {**RESTART_IT, "name": "stop", "environment_id": 11002}
    play = play_of(stage("DEV", before=[stop], after=[RESTART_IT]))
    run = begun(play)
    through(run, "build", "DEV.stop", "DEV.deploy", "DEV.restart")
    ran = play.made("utility_run")
    assert [(one["environmentCode"], list(one["inputs"])) for one in ran] == [
        ("TEST", [{"code": "SERVICE", "value": "portal"}]),
        ("DEV", [{"code": "SERVICE", "value": "portal"}]),
    ]
    assert [(one.task, one.kind) for one in run.record.steps[1:]] == [
        ("DEV.stop", StepKind.UTILITY),
        ("DEV.deploy", StepKind.DEPLOY),
        ("DEV.restart", StepKind.UTILITY),
    ]


def window(opens: datetime, **more: Any) -> dict[str, Any]:
    closes = opens + timedelta(hours=2)
    return {"timezone": "UTC", "opens": f"{opens:%H:%M}", "closes": f"{closes:%H:%M}", **more}


LATER = (datetime.now(UTC) + timedelta(hours=6)).replace(second=0, microsecond=0)
NOW_OPEN = window(datetime.now(UTC) - timedelta(hours=1))


def test_outside_of_its_window_a_deployment_waits_in_airflow(play_of: Callable[..., Play]) -> None:
    play = play_of(stage("DEV", window=window(LATER)))
    run = begun(play)
    through(run, "build")
    done = run.do("DEV.deploy")
    assert (done.state, play.deployments()) == ("deferred", [])
    assert run.apis["DEV.deploy"].trigger(done.message).until == LATER.timestamp()
    again = run.resume("DEV.deploy", None)
    assert (again.state, run.step("DEV.deploy").state) == ("deferred", StepState.STARTED)
    assert f"the window opens {LATER:%Y-%m-%d %H:%M} UTC" in run.step("DEV.deploy").detail
    # A task that began to wait in an earlier version goes on.
    task = run.apis["DEV.deploy"]
    assert task.run(run.changed("DEV.deploy"), resume=("window_opened", None)).state == "deferred"


def test_inside_of_its_window_it_goes_at_once(play_of: Callable[..., Play]) -> None:
    play = play_of(stage("DEV", window=NOW_OPEN))
    run = begun(play)
    through(run, "build", "DEV.window", "DEV.deploy")
    assert [one["startTime"] for one in play.made("deploy_made")] == [None]


def test_or_flexdeploy_is_handed_the_time_at_which_it_opens(play_of: Callable[..., Play]) -> None:
    """The same on each attempt, because another start time would be another deployment; a new one after a clear."""
    play = play_of(stage("DEV", window=window(LATER, outside="start_time")))
    run = begun(play)
    through(run, "build")
    first = run.do("DEV.deploy", look=0.0)
    assert first.state == "deferred"
    run.do("DEV.deploy", look=0.0)
    [made] = play.made("deploy_made")
    assert datetime.fromisoformat(made["startTime"]) == LATER
    assert run.step("DEV.deploy").start_time == made["startTime"]
    [request] = run.step("DEV.deploy").requests
    assert str(play.vendor.state(request)) == "SCHEDULED"
    # A person cleared it, which cancelled its schedule; and the window is another by now.
    play.vendor.cancel_schedule(request)
    run.clear("DEV.deploy")
    later = LATER + timedelta(hours=1)
    shifted = play.config.stages[0].window
    assert shifted is not None
    run.do("DEV.deploy", look=0.0, window=shifted.model_copy(update={"opens": f"{later:%H:%M}"}))
    assert [datetime.fromisoformat(one["startTime"]) for one in play.made("deploy_made")] == [LATER, later]


def test_the_start_time_of_before_a_clear_is_not_taken_up_by_a_retry_after_it(play_of: Callable[..., Play]) -> None:
    play = play_of(stage("DEV", window=window(LATER, outside="start_time")))
    run = begun(play)
    through(run, "build")
    run.do("DEV.deploy", look=0.0)
    play.vendor.cancel_schedule(*run.step("DEV.deploy").requests)
    run.clear("DEV.deploy")
    open_now = DeploymentWindow.model_validate({**NOW_OPEN, "outside": "start_time"})
    assert run.do("DEV.deploy", look=0.0, window=open_now).state == "deferred"
    requests = run.step("DEV.deploy").requests
    assert run.do("DEV.deploy", window=open_now).state == "success"
    assert (run.step("DEV.deploy").start_time, run.step("DEV.deploy").requests) == (None, requests)
    assert [one["startTime"] for one in play.made("deploy_made")][1:] == [None]
