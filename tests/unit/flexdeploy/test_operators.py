"""Build, deploy and execute with Airflow's own task runner against the small FlexDeploy."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import deque
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization

from nightshift.errors import Ambiguous, JobFailed, JobTimedOut, NotFound, Rejected
from nightshift.flexdeploy.operators import FlexDeployBuildOperator, FlexDeployDeployOperator
from nightshift.jobs.record import RECORD_KEY, RESOLUTION_KEY
from tests.execution_api import FakeExecutionApi
from tests.unit.flexdeploy.deploy_server import SECRET, DeployServer
from tests.unit.flexdeploy.deploy_tasks import QUICK, connection, sensor, task


def outlast(api: FakeExecutionApi, run: Any) -> None:
    """Let the working time of a deferred task pass."""
    threading.Event().wait(max(0.0, api.trigger(run.message).plan.deadline - time.time()) + 0.02)


OUTCOMES = {"build": "built", "deploy": "deployed", "execute": "executed"}


@pytest.mark.parametrize("kind", OUTCOMES)
def test_work_is_started_waited_for_and_told_in_a_small_answer(
    vendor: DeployServer, api: FakeExecutionApi, kind: str
) -> None:
    run = api.run(task(kind), follow=True)
    assert run.state == "success", run.error
    assert run.result == {
        "outcome": OUTCOMES[kind],
        "project_id": 10004,
        "project_version_id": 30001,
        "project_version_name": "1.0.9",
        "workflow_request_ids": [12001],
        "url": f"{vendor.url}/rest/v1/workflowrequest/12001",
    }
    assert (vendor.starts(), vendor.seen[0].path) == (1, f"/rest/v1/project/10004/{kind}")


@pytest.mark.parametrize("deferrable", [True, False])
@pytest.mark.parametrize("key", ["wfrequests", "bare", "bare_text", "list"])
def test_every_spelling_of_an_answer_is_waited_for(
    vendor: DeployServer, api: FakeExecutionApi, key: str, deferrable: bool
) -> None:
    vendor.key = key
    run = api.run(task("execute", deferrable=deferrable), follow=True)
    assert run.result["workflow_request_ids"] == [12001], run.error


def test_all_requests_of_one_answer_are_waited_for(vendor: DeployServer, api: FakeExecutionApi) -> None:
    vendor.several, vendor.script = 3, ("SUBMITTED",)
    details = [{"packageName": name, "projectVersionId": 1} for name in "abc"]
    first = api.run(task("deploy", package_details=details))
    assert first.state == "deferred"
    vendor.requests[12001].states = deque(["COMPLETED"])
    vendor.requests[12003].states = deque(["SUBMITTED", "COMPLETED"])
    released = threading.Timer(0.15, lambda: setattr(vendor.requests[12002], "states", deque(["COMPLETED"])))
    released.start()
    event = api.fire(first.message)
    released.join()
    assert event["polls"] > 1
    run = api.run(task("deploy", package_details=details), resume=("resume", event))
    assert run.result["workflow_request_ids"] == [12001, 12002, 12003], run.error


def test_one_failure_of_several_fails_the_task_when_all_have_ended(vendor: DeployServer, api: FakeExecutionApi) -> None:
    vendor.several, vendor.script = 2, ("SUBMITTED",)
    first = api.run(task("deploy"))
    vendor.requests[12001].states = deque(["FAILED"])
    vendor.requests[12002].states = deque(["SUBMITTED", "SUBMITTED", "COMPLETED"])
    run = api.run(task("deploy"), resume=("resume", api.fire(first.message)))
    assert isinstance(run.error, JobFailed)
    assert "12001 FAILED, 12002 COMPLETED" in str(run.error)
    assert run.error.state == "12001 FAILED, 12002 COMPLETED"


@pytest.mark.parametrize(("kind", "outcome"), [("build", "no_changes"), ("deploy", "already_deployed")])
def test_nothing_to_do_is_an_outcome_with_a_name_and_is_shown_as_skipped(
    vendor: DeployServer, api: FakeExecutionApi, kind: str, outcome: str
) -> None:
    vendor.nothing = True
    run = api.run(task(kind))
    assert run.state == "skipped"
    assert (run.result["outcome"], run.result["workflow_request_ids"]) == (outcome, [])
    plain = api.run(task(kind, skip_when_nothing=False), try_number=2)
    assert (plain.state, plain.result["outcome"]) == ("success", outcome)


def test_a_utility_run_that_starts_nothing_is_never_a_success(vendor: DeployServer, api: FakeExecutionApi) -> None:
    vendor.nothing = True
    assert isinstance(api.run(task("execute")).error, Ambiguous)


def test_an_acceptance_without_an_id_is_never_a_success(vendor: DeployServer, api: FakeExecutionApi) -> None:
    vendor.fault("start_answer", (201, '{"workflowRequests": []}'))
    assert isinstance(api.run(task()).error, Ambiguous)
    assert vendor.starts() == 1


@pytest.mark.parametrize("state", ["FAILED", "ABORTED", "REJECTED"])
def test_each_bad_end_fails_the_task_with_the_words_of_its_execution(
    vendor: DeployServer, api: FakeExecutionApi, state: str
) -> None:
    vendor.script = ("SUBMITTED", state)
    mine = {"workflowExecutionId": 9, "workflowRequestId": 12001, "executionStatus": "Failure", "message": "disk full"}
    vendor.executions = [{**mine, "workflowRequestId": 4, "message": "not ours"}, mine]
    run = api.run(task("deploy"), follow=True)
    assert run.state == "failed"
    assert isinstance(run.error, JobFailed)
    assert run.error.state == state
    assert "disk full" in str(run.error)
    assert "not ours" not in str(run.error)
    assert f"{vendor.url}/rest/v1/workflowrequest/12001" in str(run.error)


def test_a_failure_whose_executions_cannot_be_read_is_still_a_failure(
    vendor: DeployServer, api: FakeExecutionApi
) -> None:
    vendor.script = ("FAILED",)
    vendor.canned["GET", "/rest/v1/workflowexecution"] = (404, "")
    assert isinstance(api.run(task("deploy"), follow=True).error, JobFailed)


def test_a_state_that_is_not_known_is_waited_on(vendor: DeployServer, api: FakeExecutionApi) -> None:
    vendor.script = ("PENDING_SOMETHING", "SUBMITTED", "COMPLETED")
    assert api.run(task(), follow=True).state == "success"


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("PENDING_APPROVAL", "approval task 12501, which is decided in ServiceNow CHG7, asked for by FD/ann"),
        ("SCHEDULED", "is scheduled for 2099-03-16 22:17:52.0"),
    ],
)
def test_waits_for_people_and_times_are_shown_and_cost_no_working_time(
    vendor: DeployServer, api: FakeExecutionApi, state: str, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    vendor.script = (state,)
    waiting = task("deploy", job_timeout=4.0, waiting_timeout=60.0)
    first = api.run(waiting)
    parked = api.fire(first.message)
    assert parked["kind"] == "parked"
    assert said in parked["status"]["detail"]
    second = api.run(waiting, resume=("resume", parked))
    assert second.state == "deferred"
    outlast(api, first)
    vendor.requests[12001].states = deque(["SUBMITTED", "SUBMITTED", "COMPLETED"])
    moved = api.fire(second.message)
    assert moved["kind"] == "moved"
    run = api.run(waiting, resume=("resume", moved))
    while run.state == "deferred":
        run = api.run(waiting, resume=("resume", api.fire(run.message)))
    assert run.state == "success", run.error


def test_a_wait_for_days_asks_for_its_approval_once(vendor: DeployServer, api: FakeExecutionApi) -> None:
    vendor.script = ("PENDING_APPROVAL",)
    waiting = task("deploy", waiting_timeout=2.0, cancel_on_failure=False)
    parked = api.fire(api.run(waiting).message)
    second = api.run(waiting, resume=("resume", parked))
    vendor.seen.clear()
    event = api.fire(second.message)
    assert (event["kind"], event["polls"] > 2) == ("timed_out", True)
    assert vendor.count("GET", "/tasks/approval") == 1
    assert isinstance(api.run(waiting, resume=("resume", event)).error, JobTimedOut)


@pytest.mark.parametrize("state", ["PENDING_APPROVAL", "SCHEDULED"])
def test_what_has_not_run_yet_is_stopped_when_its_time_is_over(
    vendor: DeployServer, api: FakeExecutionApi, state: str
) -> None:
    vendor.script = (state,)
    run = api.run(task("deploy", waiting_timeout=0.1), follow=True)
    assert isinstance(run.error, JobTimedOut)
    assert vendor.requests[12001].state == "REJECTED"
    assert "It was cancelled" in str(run.error)


def test_what_runs_cannot_be_stopped_and_the_log_says_where_to(
    vendor: DeployServer, api: FakeExecutionApi, capfd: pytest.CaptureFixture[str]
) -> None:
    vendor.script = ("SUBMITTED",)
    api.run(task(job_timeout=0.1), follow=True)
    said = "".join(capfd.readouterr())
    assert "workflow request 12001 is SUBMITTED, and FlexDeploy's API cannot end it from there" in said
    assert f"Abort it in FlexDeploy if it must stop: {vendor.url}" in said
    assert vendor.count("PUT") == 0


@pytest.mark.parametrize("state", ["PENDING_APPROVAL", "SCHEDULED"])
def test_a_task_that_is_marked_failed_while_it_waits_stops_its_request(
    vendor: DeployServer, api: FakeExecutionApi, state: str
) -> None:
    vendor.script = (state,)
    trigger = api.trigger(api.run(task("deploy")).message)
    with api.comms():
        asyncio.run(trigger.on_kill())
    assert vendor.requests[12001].state == "REJECTED"


def test_a_success_is_not_spoilt_by_a_server_that_shows_no_executions(
    vendor: DeployServer, api: FakeExecutionApi
) -> None:
    vendor.canned["GET", "/rest/v1/workflowrequest/12001"] = {"workflowRequestId": 12001, "requestStatus": "COMPLETED"}
    vendor.canned["GET", "/rest/v1/workflowexecution"] = (404, "")
    run = api.run(task("execute"), follow=True)
    assert (run.state, run.result["project_version_id"]) == ("success", None)
    other = FakeExecutionApi(connections=api.connections, run_id="other")
    vendor.canned["GET", "/rest/v1/workflowrequest/12002"] = {"workflowRequestId": 12002, "requestStatus": "COMPLETED"}
    vendor.canned["GET", "/rest/v1/workflowexecution"] = [{"workflowRequestId": 12002, "projectVersionId": 77}]
    assert other.run(task("execute"), follow=True).result["project_version_id"] == 77


def test_a_site_can_name_a_route_that_aborts(vendor: DeployServer, api: FakeExecutionApi) -> None:
    vendor.script, vendor.aborts = ("SUBMITTED",), True
    paths = {"abort": "PUT /rest/v2/workflowrequest/{id}/abort"}
    api.connections = {"flexdeploy_default": connection(vendor.url, paths=paths)}
    api.run(task(job_timeout=0.1), follow=True)
    assert vendor.requests[12001].state == "ABORTED"


def test_a_retry_goes_on_and_a_clear_after_success_starts_anew(vendor: DeployServer, api: FakeExecutionApi) -> None:
    vendor.script = ("SUBMITTED",)
    api.run(task())
    vendor.requests[12001].states = deque(["COMPLETED"])
    assert api.run(task(), follow=True).result["workflow_request_ids"] == [12001]
    api.clear()
    vendor.script = ("COMPLETED",)
    assert api.run(task(), follow=True).result["workflow_request_ids"] == [12002]


def test_a_lost_answer_stops_with_the_way_on_and_a_person_adopts_or_resubmits(
    vendor: DeployServer, api: FakeExecutionApi
) -> None:
    vendor.fault("start_answer", "drop")
    run = api.run(task("deploy"))
    assert run.state == "failed"
    assert isinstance(run.error, Ambiguous)
    assert "/state-store/nightshift_resolve" in str(run.error)
    api.clear()
    assert isinstance(api.run(task("deploy")).error, Ambiguous)
    assert vendor.starts() == 1
    vendor.lists_executions = True
    api.task_store[RESOLUTION_KEY] = {"adopt": "12001"}
    assert api.run(task("deploy"), follow=True).result["workflow_request_ids"] == [12001]
    assert vendor.starts() == 1


def test_a_person_can_have_it_submitted_again(vendor: DeployServer, api: FakeExecutionApi) -> None:
    vendor.fault("start", "drop")
    assert isinstance(api.run(task()).error, Ambiguous)
    api.task_store[RESOLUTION_KEY] = {"resubmit": True}
    api.clear()
    assert api.run(task(), follow=True).state == "success"
    assert len(vendor.requests) == 1


def test_something_that_is_no_id_cannot_be_adopted(vendor: DeployServer, api: FakeExecutionApi) -> None:
    vendor.fault("start_answer", "drop")
    api.run(task())
    api.task_store[RESOLUTION_KEY] = {"adopt": "the last one"}
    api.clear()
    run = api.run(task(), follow=True)
    assert isinstance(run.error, Rejected)
    assert run.state == "failed"
    assert vendor.starts() == 1


@pytest.mark.parametrize("state", ["PENDING_APPROVAL", "SCHEDULED"])
def test_a_lost_answer_is_adopted_where_the_mark_in_a_flex_field_proves_it(
    vendor: DeployServer, api: FakeExecutionApi, state: str
) -> None:
    vendor.add(state, flexFields=[{"code": "NIGHTSHIFT", "value": "nightshift-of-another"}])
    vendor.fault("start_answer", "drop")
    vendor.script = (state, state, state, "SUBMITTED", "COMPLETED")
    run = api.run(task("deploy", marker_flex_field="NIGHTSHIFT"), follow=True)
    assert run.result["workflow_request_ids"] == [12002], run.error
    assert vendor.starts() == 1


def test_a_running_request_is_proven_by_the_executions_that_a_site_can_list(
    vendor: DeployServer, api: FakeExecutionApi
) -> None:
    paths = {"recent_executions": "GET /rest/v1/workflowexecution?projectId={project}"}
    api.connections = {"flexdeploy_default": connection(vendor.url, paths=paths, marker_flex_field="NIGHTSHIFT")}
    vendor.fault("start_answer", "drop")
    vendor.executions = [{"workflowExecutionId": 1, "workflowRequestId": number} for number in (11999, 12001)]
    run = api.run(task("deploy"), follow=True)
    assert run.result["workflow_request_ids"] == [12001], run.error
    assert vendor.starts() == 1


def test_a_part_of_several_requests_is_not_taken_for_all(
    vendor: DeployServer, api: FakeExecutionApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nightshift.flexdeploy.job.PROOF_LOOKS", (0.0, 0.05))
    vendor.script = ("PENDING_APPROVAL",)
    vendor.fault("start_answer", "drop")
    details = [{"packageName": name, "projectVersionId": 1} for name in "ab"]
    run = api.run(task("deploy", marker_flex_field="NIGHTSHIFT", package_details=details))
    assert isinstance(run.error, Ambiguous)
    assert "its mark is on 12001, and there may be more" in str(run.error)


def test_nothing_found_proves_nothing(
    vendor: DeployServer, api: FakeExecutionApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nightshift.flexdeploy.job.PROOF_LOOKS", (0.0, 0.05))
    vendor.fault("start_answer", "drop")
    assert isinstance(api.run(task(marker_flex_field="NIGHTSHIFT")).error, Ambiguous)
    api.clear()
    assert isinstance(api.run(task(marker_flex_field="NIGHTSHIFT")).error, Ambiguous)
    assert vendor.starts() == 1


def test_a_version_that_came_to_nothing_is_never_the_latest(vendor: DeployServer, api: FakeExecutionApi) -> None:
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


def test_templates_are_rendered_and_checked(vendor: DeployServer, api: FakeExecutionApi) -> None:
    api.conf = {"project": 10004, "name": "x y"}
    run = api.run(
        task(
            project_id="{{ dag_run.conf.project }}",
            inputs={"NAME": "{{ dag_run.conf.name }}"},
            force_build="{{ true }}",
        ),
        follow=True,
    )
    assert run.state == "success", run.error
    sent = vendor.seen[0].body
    assert (sent["inputs"], sent["forceBuild"]) == ([{"code": "NAME", "value": "x y"}], True)
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


def test_a_refused_request_starts_nothing_and_fails_at_once(vendor: DeployServer, api: FakeExecutionApi) -> None:
    vendor.fault("start", (404, '{"message": "Project not found"}'))
    run = api.run(task())
    assert isinstance(run.error, NotFound)
    assert run.state == "failed"
    assert "Project not found" in str(run.error)


def test_its_dag_serialises_with_its_link() -> None:
    with DAG("f", schedule=None) as dag:
        FlexDeployBuildOperator(task_id="t", project_id=1, environment_id=1, stream_id=1)
        FlexDeployBuildOperator.partial(task_id="m", environment_id=1, stream_id=1).expand(project_id=[1, 2])
    again = DagSerialization.deserialize_dag(json.loads(json.dumps(DagSerialization.serialize_dag(dag))))
    assert again.task_dict["t"].operator_extra_link_dict.keys() == {"FlexDeploy workflow request"}


def test_the_link_leads_to_the_page_that_the_site_names(vendor: DeployServer, api: FakeExecutionApi) -> None:
    page = "https://fd.example.com/flexdeploy/pages/{id}"
    api.connections = {"flexdeploy_default": connection(vendor.url, request_page=page)}
    run = api.run(task(), follow=True)
    assert run.result["url"] == "https://fd.example.com/flexdeploy/pages/12001"
    assert api.xcoms["t", "_link_WorkflowRequestLink"] == run.result["url"]


def test_no_line_and_no_error_carries_a_secret(
    vendor: DeployServer, api: FakeExecutionApi, capfd: pytest.CaptureFixture[str]
) -> None:
    vendor.script = ("SUBMITTED", "FAILED")
    vendor.fault("poll", 401, 503)
    vendor.executions = [{"workflowRequestId": 12001, "message": f"login with {SECRET} failed"}]
    run = api.run(task(), follow=True)
    said = "".join(capfd.readouterr()) + str(run.error) + json.dumps(api.task_store[RECORD_KEY]) + str(run.events)
    assert "12001" in said
    assert SECRET not in said


# -- the sensor -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [12001, "12001", [12001], "{{ 12000 + 1 }}"])
def test_the_sensor_waits_for_a_request_of_somebody_else(
    vendor: DeployServer, api: FakeExecutionApi, given: Any
) -> None:
    vendor.add("READY", "SUBMITTED", "COMPLETED")
    run = api.run(sensor(workflow_request_id=given), follow=True)
    assert run.result["result"]["project_version_id"] == 30001, run.error
    assert vendor.starts() == 0


def test_the_sensor_is_not_satisfied_until_all_have_completed(vendor: DeployServer, api: FakeExecutionApi) -> None:
    vendor.add("COMPLETED")
    vendor.add("SUBMITTED", "SUBMITTED", "ABORTED")
    run = api.run(sensor(workflow_request_id=[12001, 12002]), follow=True)
    assert isinstance(run.error, JobFailed)
    assert "12002 ABORTED" in str(run.error)


@pytest.mark.parametrize("given", ["", None, [], "FlexDeploy", "{{ none }}"])
def test_the_sensor_needs_ids(vendor: DeployServer, api: FakeExecutionApi, given: Any) -> None:
    assert isinstance(api.run(sensor(workflow_request_id=given)).error, Rejected)


def test_the_sensors_working_time_stands_still_while_a_person_is_waited_for(
    vendor: DeployServer, api: FakeExecutionApi
) -> None:
    made = vendor.add("PENDING_APPROVAL")
    one = sensor(workflow_request_id=12001, timeout=4.0, waiting_timeout=60.0)
    first = api.run(one)
    parked = api.fire(first.message)
    second = api.run(one, resume=("resume", parked))
    outlast(api, first)
    made.states = deque(["SUBMITTED", "SUBMITTED", "COMPLETED"])
    run = api.run(one, resume=("resume", api.fire(second.message)))
    while run.state == "deferred":
        run = api.run(one, resume=("resume", api.fire(run.message)))
    assert run.state == "success", run.error


def test_the_sensors_wait_for_a_person_has_a_limit_of_its_own(vendor: DeployServer, api: FakeExecutionApi) -> None:
    made = vendor.add("PENDING_APPROVAL")
    run = api.run(sensor(workflow_request_id=12001, waiting_timeout=0.2), follow=True)
    assert run.state == "failed"
    assert "PENDING_APPROVAL" in str(run.error)
    assert made.state == "PENDING_APPROVAL"
