from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSensorTimeout

from include.standins.faults import Fault, FaultKind
from nightshift.errors import JobFailed, Rejected
from nightshift.jobs.waiting import EventKind
from tests.execution_api import FakeExecutionApi
from tests.unit.jobs.acme import Acme
from tests.unit.jobs.job_tasks import job_sensor


@pytest.mark.parametrize("deferrable", [True, False])
def test_it_waits_for_a_job_of_somebody_else(vendor: Acme, api: FakeExecutionApi, deferrable: bool) -> None:
    vendor.add("queued", "approval", "running", "done", job_id="42")
    run = api.run(job_sensor(job_id="{{ 40 + 2 }}", deferrable=deferrable), follow=True)
    assert run.result["job_id"] == "42", run.error
    assert vendor.requests["submit"] == 0
    assert api.xcoms["s", "_link_JobLink"] == "https://acme.example/jobs/42"


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_failed_job_does_not_satisfy_it(vendor: Acme, api: FakeExecutionApi, deferrable: bool) -> None:
    vendor.add("running", "stopped", job_id="42")
    run = api.run(job_sensor(job_id="42", deferrable=deferrable), follow=True)
    assert isinstance(run.error, JobFailed)
    assert run.state == "failed"


@pytest.mark.parametrize("more", [{"look": 5.0}, {}])
def test_soft_fail_is_heeded(vendor: Acme, api: FakeExecutionApi, more: dict[str, Any]) -> None:
    vendor.add("running", "stopped", job_id="42")
    assert api.run(job_sensor(job_id="42", soft_fail=True, **more), follow=True).state == "skipped"


def test_its_deadline_counts_from_the_first_attempt_and_cancels_nothing(vendor: Acme, api: FakeExecutionApi) -> None:
    job = vendor.add("running", job_id="42")
    first, second = (api.trigger(api.run(job_sensor(job_id="42", timeout=0.3)).message).plan for _ in range(2))
    assert second.deadline == first.deadline
    run = api.run(job_sensor(job_id="42", timeout=0.3), follow=True)
    assert isinstance(run.error, AirflowSensorTimeout)
    assert run.state == "failed"
    assert job.cancels == 0


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_job_that_is_hidden_until_the_deadline_ends_the_wait(
    vendor: Acme, api: FakeExecutionApi, deferrable: bool
) -> None:
    vendor.add("running", job_id="42")
    vendor.faults.add(Fault(kind=FaultKind.STATUS, status=404, body="<html>not here</html>", times=None))
    run = api.run(job_sensor(job_id="42", timeout=0.5, deferrable=deferrable), follow=True)
    assert isinstance(run.error, AirflowSensorTimeout)
    assert run.state == "failed"


@pytest.mark.parametrize("kind", sorted(set(EventKind) - {EventKind.PARKED, EventKind.MOVED}))
def test_each_event_that_ends_a_wait_ends_the_task(vendor: Acme, api: FakeExecutionApi, kind: EventKind) -> None:
    vendor.add("running", job_id="42")
    status = {"id": "42", "state": "succeeded", "vendor_state": "done"} if kind is EventKind.ENDED else None
    event = {"kind": kind, "job_id": "42", "at": 1.0, "status": status}
    assert api.run(job_sensor(job_id="42")).state == "deferred"
    assert api.run(job_sensor(job_id="42"), resume=("resume", event)).state in ("failed", "success")


def test_it_needs_a_job(api: FakeExecutionApi) -> None:
    assert isinstance(api.run(job_sensor(job_id="")).error, Rejected)


def test_an_event_of_another_job_is_refused(vendor: Acme, api: FakeExecutionApi) -> None:
    vendor.add("running", job_id="42")
    api.run(job_sensor(job_id="42"))
    event = {"kind": "timed_out", "job_id": "43", "at": 1.0}
    assert isinstance(api.run(job_sensor(job_id="42"), resume=("resume", event)).error, Rejected)


@pytest.mark.parametrize("retries", [2, 0])
def test_a_clear_gives_it_new_time(vendor: Acme, api: FakeExecutionApi, retries: int) -> None:
    vendor.add("running")
    api.max_tries = retries
    assert api.run(job_sensor(job_id="job-1", timeout=1.0, retries=retries), follow=True).state == "failed"
    api.clear()
    vendor.jobs["job-1"].states.extend(["running", "done"])
    run = api.run(job_sensor(job_id="job-1", timeout=1.0, retries=retries), follow=True)
    assert run.state == "success", run.error
