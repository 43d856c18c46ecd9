"""Build, deploy and run against the stand-in: its ledger says what was really made, and what really runs where."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from include.standins import Fault, FaultKind
from include.standins.flexdeploy import Changes, FlexDeployStandIn, vendor_fault
from include.standins.flexdeploy.planted import DEV, FORMS, PORTAL, PROD, RESTART, TEST
from nightshift.errors import Ambiguous, JobFailed, JobTimedOut, Rejected
from nightshift.jobs.record import RESOLUTION_KEY
from tests.contract.flexdeploy.conftest import airflow, connect
from tests.execution_api import FakeExecutionApi, TaskRun
from tests.unit.flexdeploy.deploy_tasks import task

StartVendor = Callable[..., FlexDeployStandIn]
MAIN = PORTAL + 400
NIGHT = "2099-01-01T00:00:00Z"


def build(**more: Any) -> Any:
    return task("build", look=5.0, project_id=PORTAL, environment_id=DEV, stream_id=MAIN, **more)


def deploy(version: Any, environment: int = DEV, **more: Any) -> Any:
    return task("deploy", project_id=PORTAL, environment_id=environment, project_version_id=version, **more)


def made(vendor: FlexDeployStandIn, kind: str = "deploy_made") -> int:
    return len(vendor.ledger.effects(kind=kind))


def good(run: TaskRun) -> dict[str, Any]:
    assert run.state == "success", run.error
    result: dict[str, Any] = run.result
    return result


def versions_in(vendor: FlexDeployStandIn, environment: str) -> set[Any]:
    return {one.version for one in vendor.runs_in(environment) if one.project == PORTAL}


def test_what_was_built_is_what_runs_in_each_stage(vendor_with: StartVendor) -> None:
    vendor = vendor_with()
    api = airflow()
    built = good(api.run(build(), follow=True))
    assert (built["outcome"], built["project_version_id"]) == ("built", 40001)
    for number, environment in enumerate((DEV, TEST), 2):
        stage = airflow(f"stage-{number}")
        assert good(stage.run(deploy(built["project_version_id"], environment), follow=True))["outcome"] == "deployed"
    assert versions_in(vendor, "DEV") == versions_in(vendor, "TEST") != versions_in(vendor, "PROD")
    assert (made(vendor, "build_made"), made(vendor)) == (1, 2)


@pytest.mark.parametrize(
    "switches",
    [
        {"list_key": "wfrequests", "names": "entity"},
        {"answer_form": "id_object", "lists": "items"},
        {"answer_form": "bare_id", "lists": "bare_one", "messages_key": "message"},
        {"initiated_seconds": 0.1, "visible_after": 0.2, "error_body": "html"},
        {"project_id_required": True, "error_body": "json", "lists": "last_bare"},
    ],
)
def test_every_dialect_is_understood(vendor_with: StartVendor, switches: dict[str, Any]) -> None:
    vendor = vendor_with(**switches)
    built = good(airflow().run(build(), follow=True))
    assert (built["project_version_id"], len(built["workflow_request_ids"])) == (40001, 1)
    good(airflow("deploy").run(deploy(built["project_version_id"]), follow=True))
    assert (made(vendor, "build_made"), made(vendor)) == (1, 1)


@pytest.mark.parametrize("nothing", ["empty", "null", "absent"])
def test_nothing_to_do_has_a_name(vendor_with: StartVendor, nothing: str) -> None:
    vendor = vendor_with(nothing=nothing, changes=Changes.COMMITS)
    unchanged = airflow().run(build())
    assert (unchanged.state, unchanged.result["outcome"]) == ("skipped", "no_changes")
    there = airflow("deploy").run(deploy(20000 + PORTAL, force_deploy=False))
    assert (there.state, there.result["outcome"]) == ("skipped", "already_deployed")
    assert (made(vendor, "build_made"), made(vendor)) == (0, 0)


def test_a_utility_is_run(vendor_with: StartVendor) -> None:
    vendor = vendor_with()
    one = task("execute", project_id=RESTART, environment_id=PROD, inputs={"SERVICE": "portal"})
    assert good(airflow().run(one, follow=True))["outcome"] == "executed"
    assert made(vendor, "utility_run") == 1


def test_packages_of_one_deployment_are_all_waited_for(vendor_with: StartVendor) -> None:
    vendor = vendor_with()
    whole = task("build", project_id=FORMS, environment_id=DEV, stream_id=FORMS + 400, package_name="INVOICES")
    version = good(airflow().run(whole, follow=True))["project_version_id"]
    details = [
        {"packageName": "INVOICES", "projectVersionId": version},
        {"packageName": "LEDGER", "useLatestPackageVersion": True},
    ]
    ledger = task("build", project_id=FORMS, environment_id=DEV, stream_id=FORMS + 400, package_name="LEDGER")
    good(airflow("second").run(ledger, follow=True))
    several = task("deploy", project_id=FORMS, environment_id=TEST, project_version_id=None, package_details=details)
    result = good(airflow("deploy").run(several, follow=True))
    assert len(result["workflow_request_ids"]) == 2
    ended = {effect.key for effect in vendor.ledger.effects(kind="request_ended")}
    assert {str(one) for one in result["workflow_request_ids"]} <= {str(key) for key in ended}


def test_the_version_that_is_spoken_may_be_2(vendor_with: StartVendor, monkeypatch: pytest.MonkeyPatch) -> None:
    vendor = vendor_with()
    connect(monkeypatch, vendor, {"api_version": "v2"})
    good(airflow().run(build(workflow_version_override="1.1"), follow=True))
    assert vendor.ledger.requests(method="POST", path="/rest/v2/workflowrequest/build$")
    assert not vendor.ledger.requests(path="/rest/v1/workflowrequest")


# -- people and times -------------------------------------------------------------------------------------------------


def parked(vendor: FlexDeployStandIn, api: FakeExecutionApi, one: Any) -> tuple[int, dict[str, Any], Any]:
    event = api.fire(api.run(one).message)
    assert event["kind"] == "parked"
    again = api.run(one, resume=("resume", event))
    assert again.state == "deferred"
    return int(event["job_id"]), event, again.message


def finish(api: FakeExecutionApi, one: Any, message: Any) -> TaskRun:
    run = api.run(one, resume=("resume", api.fire(message)))
    while run.state == "deferred":
        run = api.run(one, resume=("resume", api.fire(run.message)))
    return run


def test_an_approval_is_shown_and_waited_for(vendor_with: StartVendor) -> None:
    vendor = vendor_with(approvals={"PROD": 2}, external_approvals=False)
    api, one = airflow(), deploy(20000 + PORTAL, PROD, force_deploy=True)
    request, event, message = parked(vendor, api, one)
    assert "approval task" in event["status"]["detail"]
    vendor.approve(request)
    assert good(finish(api, one, message))["workflow_request_ids"] == [request]


def test_a_rejection_is_a_failure(vendor_with: StartVendor) -> None:
    vendor = vendor_with(approvals={"PROD": 1})
    api, one = airflow(), deploy(20000 + PORTAL, PROD, force_deploy=True)
    request, _, message = parked(vendor, api, one)
    vendor.reject(request)
    run = finish(api, one, message)
    assert isinstance(run.error, JobFailed)
    assert run.error.state == "REJECTED"


def test_a_schedule_is_shown_and_waited_for(vendor_with: StartVendor) -> None:
    vendor = vendor_with()
    api, one = airflow(), deploy(20000 + PORTAL, PROD, force_deploy=True, start_time=NIGHT)
    request, event, message = parked(vendor, api, one)
    assert "is scheduled for 2099" in event["status"]["detail"]
    vendor.run_schedule(request)
    good(finish(api, one, message))


@pytest.mark.parametrize(
    ("switches", "more", "effect"),
    [
        ({"approvals": {"PROD": 2}}, {}, "approval_decided"),
        ({}, {"start_time": NIGHT}, "schedule_cancelled"),
    ],
)
def test_what_has_not_run_is_stopped_when_its_time_is_over(
    vendor_with: StartVendor, switches: dict[str, Any], more: dict[str, Any], effect: str
) -> None:
    vendor = vendor_with(**switches)
    one = deploy(20000 + PORTAL, PROD, force_deploy=True, waiting_timeout=0.2, **more)
    run = airflow().run(one, follow=True)
    assert isinstance(run.error, JobTimedOut)
    assert made(vendor, effect) >= 1
    (ended,) = vendor.ledger.effects(kind="request_ended")
    assert "REJECTED" in str(ended)


def test_an_abort_half_way_is_a_failure(vendor_with: StartVendor) -> None:
    vendor = vendor_with()
    vendor.faults.add(vendor_fault("run_aborted"))
    run = airflow().run(build(), follow=True)
    assert isinstance(run.error, JobFailed)
    assert run.error.state == "ABORTED"
    assert "aborted by" in str(run.error)


def test_a_failure_has_the_words_of_its_execution(vendor_with: StartVendor) -> None:
    vendor = vendor_with()
    vendor.faults.add(vendor_fault("run_fails", detail={"message": "ORA-01653: unable to extend table"}))
    run = airflow().run(deploy(20000 + PORTAL, DEV, force_deploy=True), follow=True)
    assert isinstance(run.error, JobFailed)
    assert "ORA-01653" in str(run.error)


def test_a_site_that_can_abort_is_asked_to(vendor_with: StartVendor, monkeypatch: pytest.MonkeyPatch) -> None:
    vendor = vendor_with(abort_path="/rest/v2/workflowrequest/{workflowRequestId}/abort", build_seconds=60.0)
    paths = {"abort": "PUT /rest/v2/workflowrequest/{id}/abort"}
    connect(monkeypatch, vendor, {"paths": paths})
    airflow().run(build(job_timeout=0.3), follow=True)
    assert made(vendor, "request_aborted") == 1


# -- what is lost and what is odd -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "done"),
    [
        (Fault(kind=FaultKind.ACCEPT_THEN_DROP, method="POST"), 1),
        (Fault(kind=FaultKind.DROP_BEFORE, method="POST"), 0),
        (Fault(kind=FaultKind.TRUNCATED, method="POST", at_bytes=40), 1),
        (Fault(kind=FaultKind.HTML_200, method="POST"), 0),
        (vendor_fault("null_pointer_after", method="POST"), 1),
        (vendor_fault("no_id"), 1),
    ],
)
def test_a_lost_answer_is_a_persons_matter_and_never_a_second_deployment(
    vendor_with: StartVendor, fault: Fault, done: int
) -> None:
    vendor = vendor_with()
    vendor.faults.add(fault)
    api, one = airflow(), deploy(20000 + PORTAL, DEV, force_deploy=True)
    run = api.run(one, follow=True)
    assert isinstance(run.error, Ambiguous), run.error
    assert (run.state, made(vendor)) == ("failed", done)
    assert isinstance(api.run(one).error, Ambiguous)
    word = {"adopt": "12001"} if done else {"resubmit": True}
    api.task_store[RESOLUTION_KEY] = word
    assert good(api.run(one, follow=True))["workflow_request_ids"] == [12001]
    assert made(vendor) == 1


def test_a_mark_in_a_flex_field_proves_a_lost_request(vendor_with: StartVendor) -> None:
    vendor = vendor_with(approvals={"PROD": 1}, approve_after=0.2)
    vendor.faults.add(Fault(kind=FaultKind.ACCEPT_THEN_DROP, method="POST"))
    one = deploy(20000 + PORTAL, PROD, force_deploy=True, marker_flex_field="FF_DEPLOY")
    assert good(airflow().run(one, follow=True))["workflow_request_ids"] == [12001]
    assert made(vendor) == 1


def test_a_failed_poll_is_no_verdict(vendor_with: StartVendor) -> None:
    vendor = vendor_with()
    vendor.faults.add(vendor_fault("null_pointer", path="/workflowrequest/", times=2))
    vendor.faults.add(vendor_fault("odd_status", detail={"status": "PENDING_REVIEW"}))
    vendor.faults.add(vendor_fault("request_unseen"))
    good(airflow().run(build(), follow=True))
    assert made(vendor, "build_made") == 1


def test_a_request_that_breaks_a_rule_of_the_vendor_starts_nothing(vendor_with: StartVendor) -> None:
    vendor = vendor_with(unknown_codes="reject")
    run = airflow().run(build(inputs={"NO_SUCH_CODE": "x"}))
    assert isinstance(run.error, Rejected)
    assert run.state == "failed"
    assert made(vendor, "build_made") == 0
