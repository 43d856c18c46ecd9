"""Build, deploy and execute with Airflow's own task runner against FlexDeploy."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.serde import deserialize
from airflow.serialization.serialized_objects import DagSerialization

from include.standins import FaultKind
from include.standins.flexdeploy import vendor_fault
from include.standins.flexdeploy.planted import FORMS
from include.standins.flexdeploy.requests import Kind, State
from nightshift.errors import Ambiguous, JobFailed, JobTimedOut, NotFound, Rejected
from nightshift.flexdeploy.operators import FlexDeployBuildOperator, FlexDeployDeployOperator
from nightshift.jobs.record import RECORD_KEY, RESOLUTION_KEY
from tests.crash.workers import until
from tests.execution_api import FakeExecutionApi
from tests.unit.flexdeploy.deploy_tasks import QUICK, connection, gated, open_gate, outlast, task
from tests.unit.flexdeploy.vendor import DEV, PASSWORD, PORTAL, RESTART, VERSION, Vendor


def each_apart(api: FakeExecutionApi) -> dict[str, Any]:
    """Return what a DAG gets by ``task.output["…"]``, which is an XCom of that name."""
    whole = deserialize(api.xcoms["t", "return_value"])
    return {name: deserialize(api.xcoms["t", name]) for name in whole}


OUTCOMES = {
    "build": ("built", "build_made"),
    "deploy": ("deployed", "deploy_made"),
    "execute": ("executed", "utility_run"),
}
MARK = "FF_DEPLOY"
BOTH = [{"packageName": name, "projectVersionId": 20000 + FORMS} for name in ("INVOICES", "LEDGER")]


@pytest.mark.parametrize(
    ("kind", "deferrable"), [("build", True), ("deploy", True), ("execute", True), ("execute", False)]
)
def test_work_is_started_waited_for_and_told_in_a_small_answer(
    vendor: Vendor, api: FakeExecutionApi, kind: str, deferrable: bool
) -> None:
    run = api.run(task(kind, deferrable=deferrable), follow=True)
    assert run.state == "success", run.error
    outcome, effect = OUTCOMES[kind]
    wanted = vendor.wanted(effect)
    assert run.result == {
        "outcome": outcome,
        "project_id": RESTART if kind == "execute" else PORTAL,
        "project_version_id": wanted["version"],
        "project_version_name": wanted["versionName"],
        "workflow_request_ids": [12001],
        "url": f"{vendor.url}/rest/v1/workflowrequest/12001",
    }
    assert each_apart(api) == run.result
    (start,) = vendor.asked("POST")
    assert start.path.endswith(f"/rest/v1/project/{wanted['project']}/{kind}")


def test_one_failure_of_several_fails_the_task_when_all_have_ended(vendor: Vendor, api: FakeExecutionApi) -> None:
    vendor.turn(deploy_seconds=3600.0)
    several = task("deploy", project_id=FORMS, project_version_id=None, package_details=BOTH)
    first = api.run(several)
    vendor.abort(12001)
    polled = len(vendor.ledger.requests(method="GET"))

    def pass_hours_after_a_poll() -> None:
        until(lambda: len(vendor.ledger.requests(method="GET")) > polled + 2, "they are polled again")
        vendor.hours_pass()

    released = threading.Thread(target=pass_hours_after_a_poll)
    released.start()
    event = api.fire(first.message)
    released.join()
    assert event["polls"] > 1
    run = api.run(several, resume=("resume", event))
    assert isinstance(run.error, JobFailed)
    assert "12001 ABORTED, 12002 COMPLETED" in str(run.error)
    assert run.error.state == "12001 ABORTED, 12002 COMPLETED"


@pytest.mark.parametrize(("kind", "outcome"), [("build", "no_changes"), ("deploy", "already_deployed")])
def test_nothing_to_do_is_an_outcome_with_a_name_and_is_shown_as_skipped(
    vendor: Vendor, api: FakeExecutionApi, kind: str, outcome: str
) -> None:
    vendor.faults.add(vendor_fault(outcome, times=None))
    run = api.run(task(kind))
    assert run.state == "skipped"
    assert (run.result["outcome"], run.result["workflow_request_ids"]) == (outcome, [])
    assert each_apart(api) == run.result
    plain = api.run(task(kind, skip_when_nothing=False), try_number=2)
    assert (plain.state, plain.result["outcome"]) == ("success", outcome)


def test_a_utility_run_that_starts_nothing_is_never_a_success(vendor: Vendor, api: FakeExecutionApi) -> None:
    vendor.answers("POST", "/execute", {"warningCode": "FD-1", "wfrequests": None})
    assert isinstance(api.run(task("execute")).error, Ambiguous)


def test_a_bad_end_leads_to_the_request(vendor: Vendor, api: FakeExecutionApi) -> None:
    vendor.faults.add(vendor_fault("run_fails"))
    run = api.run(task("deploy"), follow=True)
    assert (run.state, type(run.error)) == ("failed", JobFailed)
    assert run.error.state == "FAILED"
    assert f"{vendor.url}/rest/v1/workflowrequest/12001" in str(run.error)


def test_a_failure_whose_executions_cannot_be_read_is_still_a_failure(vendor: Vendor, api: FakeExecutionApi) -> None:
    vendor.faults.add(vendor_fault("run_fails"))
    vendor.answers("GET", "/rest/v1/workflowexecution", (404, ""))
    assert isinstance(api.run(task("deploy"), follow=True).error, JobFailed)


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        ("approval", "approval task 50001, which is decided in ITSM CHG7, asked for by nightshift"),
        ("schedule", "is scheduled for 2099-01-01 00:00:00.0"),
    ],
)
def test_waits_for_people_and_times_are_shown_and_cost_no_working_time(
    vendor: Vendor, api: FakeExecutionApi, gate: str, said: str
) -> None:
    more = gated(vendor, gate)
    vendor.turn(external_approvals=True, deploy_seconds=0.2)
    waiting = task("deploy", job_timeout=2.0, waiting_timeout=60.0, **more)
    first = api.run(waiting)
    parked = api.fire(first.message)
    assert parked["kind"] == "parked"
    assert said in parked["status"]["detail"]
    second = api.run(waiting, resume=("resume", parked))
    assert second.state == "deferred"
    outlast(api, first)
    open_gate(vendor, gate)
    moved = api.fire(second.message)
    # On a busy machine it has ended before anybody looks.
    assert moved["kind"] in ("moved", "ended")
    run = api.run(waiting, resume=("resume", moved))
    while run.state == "deferred":
        run = api.run(waiting, resume=("resume", api.fire(run.message)))
    assert run.state == "success", run.error


def test_a_wait_for_days_asks_for_its_approval_once(vendor: Vendor, api: FakeExecutionApi) -> None:
    waiting = task("deploy", waiting_timeout=1.0, cancel_on_failure=False, **gated(vendor, "approval"))
    parked = api.fire(api.run(waiting).message)
    second = api.run(waiting, resume=("resume", parked))
    vendor.ledger.clear()
    event = api.fire(second.message)
    assert (event["kind"], event["polls"] > 2) == ("timed_out", True)
    assert len(vendor.asked("GET", "/tasks/approval")) == 1
    assert isinstance(api.run(waiting, resume=("resume", event)).error, JobTimedOut)


def test_what_runs_cannot_be_stopped_and_the_log_says_where_to(
    vendor: Vendor, api: FakeExecutionApi, capfd: pytest.CaptureFixture[str]
) -> None:
    vendor.turn(build_seconds=3600.0)
    api.run(task(job_timeout=0.3), follow=True)
    said = "".join(capfd.readouterr())
    assert "workflow request 12001 is SUBMITTED, and FlexDeploy's API cannot end it from there" in said
    assert f"Abort it in FlexDeploy if it must stop: {vendor.url}" in said
    assert vendor.asked("PUT") == []


@pytest.mark.parametrize("gate", ["approval", "schedule"])
def test_a_task_that_is_marked_failed_while_it_waits_stops_its_request(
    vendor: Vendor, api: FakeExecutionApi, gate: str
) -> None:
    trigger = api.trigger(api.run(task("deploy", **gated(vendor, gate))).message)
    with api.comms():
        asyncio.run(trigger.on_kill())
    assert vendor.state(12001) is State.REJECTED


def ended(vendor: Vendor, how: str) -> None:
    """Let a person at FlexDeploy end the request."""
    {"abort": vendor.abort, "reject": vendor.reject}[how](12001)


def hindered(vendor: Vendor, how: str) -> dict[str, Any]:
    if how == "reject":
        return gated(vendor, "approval")
    vendor.turn(deploy_seconds=3600.0)
    return {}


@pytest.mark.parametrize("how", ["abort", "reject"])
@pytest.mark.parametrize("began", ["clear", "retry"])
def test_what_a_person_ends_at_flexdeploy_is_the_answer_whoever_waits_for_it(
    vendor: Vendor, api: FakeExecutionApi, how: str, began: str
) -> None:
    more = hindered(vendor, how)
    assert api.run(task("deploy", **more)).state == "deferred"
    if began == "clear":
        api.clear()
    one = task("deploy", **more)
    waiting = api.run(one)
    if how == "reject":
        waiting = api.run(one, resume=("resume", api.fire(waiting.message)))
    assert waiting.state == "deferred"
    ended(vendor, how)
    run = api.run(one, resume=("resume", api.fire(waiting.message)))
    assert (run.state, type(run.error)) == ("failed", JobFailed), run.error
    assert vendor.starts() == 1


@pytest.mark.parametrize("how", ["abort", "reject", "fail"])
def test_what_ends_while_no_worker_looks_is_not_asked_for_again_by_a_retry_but_by_a_clear(
    vendor: Vendor, api: FakeExecutionApi, how: str
) -> None:
    more = hindered(vendor, how) if how != "fail" else {}
    if how == "fail":
        vendor.faults.add(vendor_fault("run_fails"))
    assert api.run(task("deploy", **more)).state == "deferred"
    if how == "fail":
        vendor.hours_pass()
    else:
        ended(vendor, how)
    run = api.run(task("deploy", **more))
    assert (run.state, type(run.error)) == ("failed", JobFailed), run.error
    assert vendor.starts() == 1
    api.clear()
    assert api.run(task("deploy", **more)).state == "deferred"
    assert vendor.starts() == 2


ABORTS = {"abort": "POST /rest/v1/workflowrequest/{id}/abort"}


def test_what_a_clear_has_aborted_by_the_sites_own_route_is_made_again() -> None:
    with Vendor(abort_path="/rest/v1/workflowrequest/{workflowRequestId}/abort", deploy_seconds=3600.0) as vendor:
        api = FakeExecutionApi(connections={"flexdeploy_default": connection(vendor.url, paths=ABORTS)})
        trigger = api.trigger(api.run(task("deploy")).message)
        api.clear()
        # The new attempt starts before the abort that the clear caused has arrived.
        one = task("deploy")
        waiting = api.run(one)
        with api.comms():
            asyncio.run(trigger.on_kill())
        assert vendor.state(12001) is State.ABORTED
        again = api.run(one, resume=("resume", api.fire(waiting.message)))
        assert (again.state, vendor.starts()) == ("deferred", 2)


def test_a_task_that_never_cancels_takes_no_abort_for_its_own(vendor: Vendor, api: FakeExecutionApi) -> None:
    api.connections = {"flexdeploy_default": connection(vendor.url, paths=ABORTS)}
    more = {**hindered(vendor, "abort"), "cancel_on_failure": False}
    api.run(task("deploy", **more))
    api.clear()
    waiting = api.run(task("deploy", **more))
    ended(vendor, "abort")
    run = api.run(task("deploy", **more), resume=("resume", api.fire(waiting.message)))
    assert (type(run.error), vendor.starts()) == (JobFailed, 1)


def test_what_ran_out_of_time_and_was_stopped_by_its_task_is_made_again_by_the_retry(
    vendor: Vendor, api: FakeExecutionApi
) -> None:
    more = gated(vendor, "approval")
    run = api.run(task("deploy", waiting_timeout=0.2, **more), follow=True)
    assert isinstance(run.error, JobTimedOut)
    assert vendor.state(12001) is State.REJECTED
    assert api.run(task("deploy", **more)).state == "deferred"
    assert vendor.starts() == 2


def test_a_success_is_not_spoilt_by_a_server_that_shows_no_executions(vendor: Vendor, api: FakeExecutionApi) -> None:
    done = {"requestStatus": "COMPLETED"}
    vendor.answers("GET", "/rest/v1/workflowrequest/12001", {"workflowRequestId": 12001, **done})
    vendor.answers("GET", "/rest/v1/workflowexecution", (404, ""), times=1)
    run = api.run(task("execute"), follow=True)
    assert (run.state, run.result["project_version_id"]) == ("success", None)
    other = FakeExecutionApi(connections=api.connections, run_id="other")
    vendor.answers("GET", "/rest/v1/workflowrequest/12002", {"workflowRequestId": 12002, **done})
    vendor.answers("GET", "/rest/v1/workflowexecution", [{"workflowRequestId": 12002, "projectVersionId": 77}])
    assert other.run(task("execute"), follow=True).result["project_version_id"] == 77


def test_a_retry_goes_on_and_a_clear_after_success_starts_anew(vendor: Vendor, api: FakeExecutionApi) -> None:
    vendor.turn(build_seconds=3600.0)
    api.run(task())
    vendor.hours_pass()
    assert api.run(task(), follow=True).result["workflow_request_ids"] == [12001]
    api.clear()
    vendor.turn(build_seconds=0.05)
    assert api.run(task(force_build=True), follow=True).result["workflow_request_ids"] == [12002]


def test_something_that_is_no_id_cannot_be_adopted(vendor: Vendor, api: FakeExecutionApi) -> None:
    vendor.spoil(FaultKind.ACCEPT_THEN_DROP)
    assert "/state-store/nightshift_resolve" in str(api.run(task()).error)
    api.task_store[RESOLUTION_KEY] = {"adopt": "the last one"}
    api.clear()
    run = api.run(task(), follow=True)
    assert isinstance(run.error, Rejected)
    assert run.state == "failed"
    assert vendor.starts() == 1


@pytest.mark.parametrize("gate", ["approval", "schedule"])
def test_a_lost_answer_is_adopted_where_the_mark_in_a_flex_field_proves_it(
    vendor: Vendor, api: FakeExecutionApi, gate: str
) -> None:
    more = gated(vendor, gate)
    others = {"flexFields": [{"code": MARK, "value": "nightshift-of-another"}], "startTime": more.get("start_time")}
    vendor.start_as_user(Kind.DEPLOY, PORTAL, environmentId=DEV, projectVersionId=VERSION, forceDeploy=True, **others)
    vendor.spoil(FaultKind.ACCEPT_THEN_DROP)
    ours = task("deploy", marker_flex_field=MARK, **more)
    assert api.run(ours).state == "deferred"
    open_gate(vendor, gate, 12002)
    run = api.run(ours, follow=True)
    assert run.result["workflow_request_ids"] == [12002], run.error
    assert vendor.starts() == 1


def test_a_running_request_is_proven_by_the_executions_that_a_site_can_list(
    vendor: Vendor, api: FakeExecutionApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nightshift.flexdeploy.job.PROOF_LOOKS", (0.0, 0.1, 0.5))
    vendor.start_as_user(Kind.DEPLOY, PORTAL, environmentId=DEV, projectVersionId=VERSION, forceDeploy=True)
    paths = {"recent_executions": "GET /rest/v1/workflowexecution?projectId={project}"}
    api.connections = {"flexdeploy_default": connection(vendor.url, paths=paths, marker_flex_field=MARK)}
    vendor.spoil(FaultKind.ACCEPT_THEN_DROP)
    run = api.run(task("deploy"), follow=True)
    assert run.result["workflow_request_ids"] == [12002], run.error
    assert vendor.starts() == 1


def test_a_part_of_several_requests_is_not_taken_for_all(
    vendor: Vendor, api: FakeExecutionApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of two packages is there already, so that one request is made of the two that may be."""
    monkeypatch.setattr("nightshift.flexdeploy.job.PROOF_LOOKS", (0.0, 0.05))
    vendor.start_as_user(Kind.DEPLOY, FORMS, environmentId=DEV, packageDetails=BOTH[:1])
    vendor.hours_pass()
    more = gated(vendor, "approval")
    vendor.spoil(FaultKind.ACCEPT_THEN_DROP)
    given = {"project_id": FORMS, "project_version_id": None, "package_details": BOTH, "force_deploy": False}
    run = api.run(task("deploy", marker_flex_field=MARK, **given, **more))
    assert isinstance(run.error, Ambiguous)
    assert "its mark is on 12002, and there may be more" in str(run.error)


def test_nothing_found_proves_nothing(vendor: Vendor, api: FakeExecutionApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nightshift.flexdeploy.job.PROOF_LOOKS", (0.0, 0.05))
    vendor.spoil(FaultKind.ACCEPT_THEN_DROP)
    assert isinstance(api.run(task(marker_flex_field="FF_BUILD")).error, Ambiguous)
    api.clear()
    assert isinstance(api.run(task(marker_flex_field="FF_BUILD")).error, Ambiguous)
    assert vendor.starts() == 1


def test_a_version_that_came_to_nothing_is_never_the_latest(vendor: Vendor, api: FakeExecutionApi) -> None:
    api.conf = {"version": None}
    run = api.run(task("deploy", project_version_id="{{ dag_run.conf.version }}"))
    assert isinstance(run.error, Rejected)
    assert "project_version_id" in str(run.error)
    with DAG("d", schedule=None, render_template_as_native_obj=True):
        of_build = FlexDeployDeployOperator(
            task_id="t", project_id=1, environment_id=1, project_version_id="{{ dag_run.conf.version }}", **QUICK
        )
    native = api.run(of_build, try_number=2)
    assert "was given, but came to nothing" in str(native.error)
    assert vendor.starts() == 0


def test_templates_are_rendered_and_checked(vendor: Vendor, api: FakeExecutionApi) -> None:
    api.conf = {"project": PORTAL, "name": "x y"}
    run = api.run(
        task(
            project_id="{{ dag_run.conf.project }}",
            inputs={"input1": "{{ dag_run.conf.name }}"},
            force_build="{{ true }}",
        ),
        follow=True,
    )
    assert run.state == "success", run.error
    wanted = vendor.wanted("build_made")
    assert (wanted["inputs"], wanted["force"]) == ([{"code": "input1", "value": "x y"}], True)
    assert isinstance(api.run(task(environment_id="{{ dag_run.conf.name }}"), try_number=2).error, Rejected)


@pytest.mark.parametrize(
    ("kind", "given", "named"),
    [
        ("build", {"stream_id": None}, "stream_id and stream are both missing"),
        ("build", {"project": "A/B"}, "project_id and project are both given"),
        ("deploy", {"start_time": "2026-11-21 10:00"}, "start_time"),
        ("execute", {"inputs": [{"name": "x"}]}, r"inputs\[0\]"),
    ],
)
def test_a_mistake_shows_when_the_dag_is_read(kind: str, given: dict[str, Any], named: str) -> None:
    with pytest.raises(Rejected, match=named):
        task(kind, **given)


def test_a_refused_request_starts_nothing_and_fails_at_once(vendor: Vendor, api: FakeExecutionApi) -> None:
    run = api.run(task(project_id=99))
    assert isinstance(run.error, NotFound)
    assert run.state == "failed"
    assert "Project [99] not found" in str(run.error)


def test_its_dag_serialises_with_its_link() -> None:
    with DAG("f", schedule=None) as dag:
        FlexDeployBuildOperator(task_id="t", project_id=1, environment_id=1, stream_id=1)
        FlexDeployBuildOperator.partial(task_id="m", environment_id=1, stream_id=1).expand(project_id=[1, 2])
    again = DagSerialization.deserialize_dag(json.loads(json.dumps(DagSerialization.serialize_dag(dag))))
    assert again.task_dict["t"].operator_extra_link_dict.keys() == {"FlexDeploy workflow request"}


def test_the_link_leads_to_the_page_that_the_site_names(vendor: Vendor, api: FakeExecutionApi) -> None:
    page = "https://fd.example.com/flexdeploy/pages/{id}"
    api.connections = {"flexdeploy_default": connection(vendor.url, request_page=page)}
    run = api.run(task(), follow=True)
    assert run.result["url"] == "https://fd.example.com/flexdeploy/pages/12001"
    assert api.xcoms["t", "_link_WorkflowRequestLink"] == run.result["url"]


def test_no_line_and_no_error_carries_a_secret(
    vendor: Vendor, api: FakeExecutionApi, capfd: pytest.CaptureFixture[str]
) -> None:
    for status in (401, 503):
        vendor.answers("GET", "/workflowrequest/12001", (status, "no"), times=1)
    vendor.faults.add(vendor_fault("run_fails", detail={"message": f"login with {PASSWORD} failed"}))
    run = api.run(task(), follow=True)
    said = "".join(capfd.readouterr()) + str(run.error) + json.dumps(api.task_store[RECORD_KEY]) + str(run.events)
    assert "12001" in said
    assert "login with" in said
    assert PASSWORD not in said
