"""The checks of what a stage runs, over real sockets: judged by the ledger of what was deployed and by the record."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from include.standins.faults import Fault
from include.standins.flexdeploy import LOGIN, PASSWORD, Kind, vendor_fault
from include.standins.flexdeploy.planted import DEV, PORTAL
from nightshift.promotion.vocabulary import PromotionOutcome, StepKind, StepState, VerdictWord
from tests.crash.workers import until
from tests.unit.promotion.play import N1, OLD_VERSION, RESTART_IT, Play, Run, config, stage
from tests.unit.promotion.test_roll_back import settled

HEALTH = f"/apps/DEV/{PORTAL}/health"


def probe(play_url: str, code: str = "DEV", **more: Any) -> dict[str, Any]:
    url = {} if "connection" in more else {"url": f"{play_url}/apps/{code}/{PORTAL}/health"}
    given = {"expect": {"$.version": "${version}", "$.versionId": "${version_id}"}, "tries": 3, "every": "1s", **more}
    return {**url, **given}


@pytest.fixture
def checked(play_of: Callable[..., Play], vendor: Any) -> Callable[..., Run]:
    """Bring a version to DEV, where these probes verify it."""

    def of(*probes: dict[str, Any], stages: int = 2, dev: dict[str, Any] | None = None, **more: Any) -> Run:
        verify = {"probes": list(probes)} if probes else {}
        first = stage("DEV", **({"verify": {**verify, **more}} if verify or more else {}), **(dev or {}))
        play = play_of(*([first, stage("TEST")][:stages]))
        run = play.start("r1", N1, run_type="manual")
        for name in ("begin", "build", "DEV.deploy"):
            assert run.do(name).state == "success", run.parked[name].error
        for task in play.dag.tasks:
            if hasattr(task, "patience"):
                task.patience = 0.0
        return run

    return of


def answered(run: Run) -> list[int]:
    return [one["status"] for one in run.play.made("probe_answered")]


def test_a_probe_verifies_the_version_that_was_deployed(checked: Callable[..., Run], vendor: Any) -> None:
    run = checked(probe(vendor.url))
    done = run.do("DEV.verify.probe")
    version = run.record.version
    assert version is not None
    assert (done.state, done.error, done.result["verdict"]) == ("success", None, "verified")
    [asked] = run.play.made("probe_answered")
    assert (asked["version"], asked["status"]) == (version.id, 200)
    step = run.step("DEV.verify.probe")
    assert (step.kind, step.state, step.outcome, step.version) == (
        StepKind.VERIFICATION,
        StepState.DONE,
        "verified",
        version,
    )
    [verdict] = run.record.verdicts
    assert (verdict.task, verdict.stage, verdict.version, verdict.word) == (
        "DEV.verify.probe",
        "DEV",
        version,
        VerdictWord.VERIFIED,
    )
    assert (verdict.tries, verdict.status, verdict.by) == (1, 200, None)
    assert verdict.seen == f'status 200; $.version is "{version.name}"; $.versionId is {version.id}'
    assert run.do("TEST.deploy").state == "success"


def test_between_tries_there_is_no_worker_and_a_failed_try_is_no_verdict(
    checked: Callable[..., Run], vendor: Any
) -> None:
    run = checked(probe(vendor.url, every="1m"))
    vendor.faults.add(Fault(kind="status", path=HEALTH, status=503))
    done = run.do("DEV.verify.probe")
    assert done.state == "deferred"
    assert done.message.classpath.endswith("DateTimeTrigger")
    assert (run.record.verdicts, run.step("DEV.verify.probe").state) == ((), StepState.STARTED)
    assert run.resume("DEV.verify.probe", None).state == "success"
    assert run.record.verdicts[0].tries == 2


@pytest.mark.parametrize(
    ("fault", "status", "seen"),
    [
        (
            Fault(kind="status", path=HEALTH, status=500, times=None),
            500,
            "status 500 instead of 200, at the last of 3 tries",
        ),
        (Fault(kind="reset", path=HEALTH, times=None), None, "the connection was closed without an answer"),
        (Fault(kind="html_200", path=HEALTH, times=None), 200, "the answer is an HTML page where JSON is due"),
        (Fault(kind="hold", path=HEALTH, times=None), None, "no answer in time"),
    ],
)
def test_when_the_tries_are_used_up_it_does_not_hold(
    checked: Callable[..., Run], vendor: Any, fault: Fault, status: int | None, seen: str
) -> None:
    run = checked(probe(vendor.url, timeout="1s"))
    vendor.faults.add(fault)
    done = run.do("DEV.verify.probe")
    for _ in range(2):
        assert done.state == "deferred"
        done = run.resume("DEV.verify.probe", None)
    assert done.state == "failed"
    assert f"{run.record.version} does not hold in DEV" in str(done.error)
    [verdict] = run.record.verdicts
    assert (verdict.word, verdict.tries, verdict.status) == (VerdictWord.REFUTED, 3, status)
    assert seen.split(",")[0] in verdict.seen, verdict.seen
    assert run.do("TEST.deploy").state == "failed"
    assert run.play.deployments() == [("DEV", run.record.version.id)]  # type: ignore[union-attr]
    run.states["DEV.verify.probe"] = "failed"
    assert run.do("close").state == "failed"
    assert (run.record.outcome, "DEV.verify.probe" in run.record.reason) == (PromotionOutcome.FAILED, True)


def test_an_attempt_after_one_that_died_goes_on_with_its_tries_and_a_clear_begins_anew(
    checked: Callable[..., Run], vendor: Any
) -> None:
    run = checked(probe(vendor.url))
    vendor.faults.add(Fault(kind="status", path=HEALTH, times=None))
    assert run.do("DEV.verify.probe").state == "deferred"
    assert run.do("DEV.verify.probe").state == "deferred"
    assert run.do("DEV.verify.probe").state == "failed"
    assert [one.tries for one in run.record.verdicts] == [3]
    run.clear("DEV.verify.probe")
    vendor.faults.clear()
    assert run.do("DEV.verify.probe").state == "success"
    assert [(one.word, one.tries) for one in run.record.verdicts] == [
        (VerdictWord.REFUTED, 3),
        (VerdictWord.VERIFIED, 1),
    ]
    assert run.do("TEST.deploy").state == "success"


def test_credentials_come_from_a_connection_of_airflows_own_type_and_are_shown_nowhere(
    checked: Callable[..., Run], vendor: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    vendor.turn(health_signs_in=True)
    run = checked(probe(vendor.url, connection="portal", path=f"{HEALTH}?token=s3cr3t-in-the-query"))
    run.play.connections["portal"] = {
        "conn_type": "http",
        "host": vendor.url,
        "login": LOGIN,
        "password": PASSWORD,
        "extra": '{"X-Api-Key": "k3y-of-the-header", "verify": true, "headers": {"X-More": "1"}}',
    }
    done = run.do("DEV.verify.probe")
    assert (done.state, done.error) == ("success", None)
    told = f"{run.record.to_json()!r} {''.join(capfd.readouterr())} {done.result}"
    assert not [one for one in ("s3cr3t", "k3y-of", PASSWORD) if one in told]
    run.play.connections["portal"]["password"] = "wrong"
    run.clear("DEV.verify.probe")
    assert run.do("DEV.verify.probe").state == "deferred"
    run.play.connections.pop("portal")
    run.clear("DEV.verify.probe")
    assert run.do("DEV.verify.probe").state in ("up_for_retry", "failed")
    assert len(run.record.verdicts) == 1


def test_a_value_under_the_name_of_a_secret_is_not_shown(checked: Callable[..., Run], vendor: Any) -> None:
    body = '{"version": "x", "token": "abc-very-secret"}'
    vendor.faults.add(Fault(kind="status", status=200, path=HEALTH, body=body, content_type="application/json"))
    run = checked({"url": f"{vendor.url}{HEALTH}", "expect": {"token": "other"}, "tries": 1})
    assert run.do("DEV.verify.probe").state == "failed"
    assert "very-secret" not in run.record.verdicts[0].seen
    assert "token is *** instead of ***" in run.record.verdicts[0].seen


def test_what_somebody_else_deployed_meanwhile_is_not_verified_and_not_rolled_back(
    checked: Callable[..., Run], vendor: Any
) -> None:
    run = checked(probe(vendor.url))
    mine = run.record
    other = mine.changed(
        run_id="r9",
        steps=tuple(
            step.changed(
                version=step.version.changed(id=OLD_VERSION, name="1.0.1"), ended=step.ended.replace(year=2099)
            )
            for step in mine.steps
            if step.kind is StepKind.DEPLOY and step.version and step.ended
        ),
    )
    run.play.put(other)
    done = run.do("DEV.verify.probe")
    assert (done.state, run.record.verdicts[0].word) == ("failed", VerdictWord.OVERTAKEN)
    assert f"run r9 brought 1.0.1 (id {OLD_VERSION}) to DEV" in str(done.error)
    assert run.do("roll_back.offer").state == "skipped"


@pytest.mark.parametrize("by_utility", [False, True])
def test_what_flexdeploy_itself_says_was_deployed_since_counts_where_it_lists_it(
    checked: Callable[..., Run], vendor: Any, by_utility: bool
) -> None:
    more = {"utilities": [RESTART_IT]} if by_utility else {}
    run = checked(*(() if by_utility else (probe(vendor.url, expect={}),)), **more)
    check = "DEV.verify.restart" if by_utility else "DEV.verify.probe"
    listed = {"paths": {"recent_executions": "GET /rest/v1/workflowexecution"}}
    run.play.connections["flexdeploy_default"]["extra"] = json.dumps(listed)
    assert run.do(check).state == "success"
    run.clear(check)
    body = {"environmentId": DEV, "projectVersionId": OLD_VERSION, "forceDeploy": True, "projectId": PORTAL}
    [request] = vendor.start_as_user(Kind.DEPLOY, PORTAL, **body)
    until(lambda: vendor.state(request) == "COMPLETED")
    done = run.do(check)
    assert (done.state, run.record.verdicts[-1].word) == ("failed", VerdictWord.OVERTAKEN)
    assert f"workflow request {request} brought version {OLD_VERSION} to DEV" in str(done.error)


def test_a_utility_verifies_by_ending_well(checked: Callable[..., Run]) -> None:
    run = checked(utilities=[RESTART_IT])
    assert run.do("DEV.verify.restart").state == "success"
    [made] = run.play.made("utility_run")
    assert made["inputs"] == [{"code": "SERVICE", "value": "portal"}]
    step, [verdict] = run.step("DEV.verify.restart"), run.record.verdicts
    assert (step.kind, step.outcome, verdict.word) == (StepKind.VERIFICATION, "verified", VerdictWord.VERIFIED)
    assert verdict.seen == f"workflow request {step.requests[0]} ended well"
    assert run.do("TEST.deploy").state == "success"


def test_a_utility_that_fails_refutes_and_one_whose_end_nobody_knows_does_not(checked: Callable[..., Run]) -> None:
    run = checked(utilities=[RESTART_IT])
    run.play.vendor.faults.add(Fault(kind="status", method="POST", path="/execute$", status=403))
    assert run.do("DEV.verify.restart").state == "failed"
    assert run.record.verdicts == ()
    run.clear("DEV.verify.restart")
    run.play.vendor.faults.add(vendor_fault("run_fails", path="/execute$", detail={"message": "smoke"}))
    assert run.do("DEV.verify.restart").state == "failed"
    [verdict] = run.record.verdicts
    assert (verdict.word, "smoke" in verdict.seen) == (VerdictWord.REFUTED, True)
    assert run.do("TEST.deploy").state == "failed"


def test_one_that_was_marked_a_success_in_airflow_is_none(checked: Callable[..., Run], vendor: Any) -> None:
    run = checked(probe(vendor.url))
    done = run.do("TEST.deploy")
    assert done.state == "failed"
    assert "DEV.verify.probe was marked in Airflow before it had begun" in str(done.error)
    assert "Clear DEV.verify.probe with all that follows" in str(done.error)
    assert run.play.deployments() == [("DEV", run.record.version.id)]  # type: ignore[union-attr]
    run.end("success")
    assert run.record.version is not None
    second = run.play.start("r2", run_type="manual", version_id=run.record.version.id, from_stage="TEST")
    refused = second.do("begin")
    assert "has got through DEV" in str(refused.error)


def test_a_deployment_that_is_done_again_is_verified_again(checked: Callable[..., Run], vendor: Any) -> None:
    run = checked(probe(vendor.url))
    assert run.do("DEV.verify.probe").state == "success"
    run.clear("DEV.deploy")
    run.do("DEV.deploy")
    assert run.step("DEV.verify.probe").state is StepState.SKIPPED
    assert run.do("TEST.deploy").state == "failed"
    run.clear("DEV.verify.probe", "TEST.deploy")
    assert run.do("DEV.verify.probe").state == "success"
    assert run.do("TEST.deploy").state == "success"


def test_a_verdict_is_never_before_the_end_of_the_deployment_that_it_is_about(
    checked: Callable[..., Run], vendor: Any
) -> None:
    run = checked(probe(vendor.url))
    deployed = run.step("DEV.deploy")
    assert deployed.ended is not None
    later = deployed.ended + timedelta(minutes=3)
    run.play.put(run.record.with_step(deployed.changed(ended=later)))
    assert run.do("DEV.verify.probe").state == "success"
    [verdict] = run.record.verdicts
    assert (verdict.at, verdict.about) == (later, deployed.order)


@pytest.mark.parametrize("is_known", [True, False])
def test_a_version_given_by_its_id_has_the_name_that_a_record_tells(
    play_of: Callable[..., Play], vendor: Any, is_known: bool
) -> None:
    """It is there already, so that FlexDeploy names no version; where nothing does, the advice leads on."""
    play = play_of(stage("DEV", verify={"probes": [probe(vendor.url)]}))
    if is_known:
        settled(play)
    run = play.start("r1", by="bob", version_id=OLD_VERSION)
    for name in ("begin", "build", "DEV.deploy"):
        run.do(name)
    assert run.step("DEV.deploy").outcome == "already_deployed"
    done = run.do("DEV.verify.probe")
    if is_known:
        assert (done.state, run.version.name) == ("success", "1.0.1")
        return
    assert f"start a run with Version {OLD_VERSION} and this stage as From stage" in str(done.error)
    run.do("close")
    run.end()
    by_id = probe(vendor.url, expect={"$.versionId": "${version_id}"})
    play.edit(config(stage("DEV", verify={"probes": [by_id]})))
    again = play.start("r2", by="bob", version_id=OLD_VERSION, from_stage="DEV")
    for name in ("begin", "build", "DEV.deploy", "DEV.verify.probe", "close"):
        again.do(name)
    assert again.record.outcome is PromotionOutcome.PROMOTED
