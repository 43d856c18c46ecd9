"""Waits for workflow requests that somebody else has asked for."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from include.standins.flexdeploy.requests import State
from nightshift.errors import JobFailed, Rejected
from tests.execution_api import FakeExecutionApi
from tests.unit.flexdeploy.deploy_tasks import deploys, gated, open_gate, outlast, sensor
from tests.unit.flexdeploy.vendor import VERSION, Vendor


@pytest.mark.parametrize("given", [12001, "12001", [12001], "{{ 12000 + 1 }}"])
def test_the_sensor_waits_for_a_request_of_somebody_else(vendor: Vendor, api: FakeExecutionApi, given: Any) -> None:
    assert deploys(vendor) == [12001]
    run = api.run(sensor(workflow_request_id=given), follow=True)
    assert run.result["result"]["project_version_id"] == VERSION, run.error
    assert vendor.starts() == 0


def test_the_sensor_is_not_satisfied_until_all_have_completed(vendor: Vendor, api: FakeExecutionApi) -> None:
    deploys(vendor)
    vendor.turn(deploy_seconds=3600.0)
    deploys(vendor)
    released = threading.Timer(0.3, vendor.abort, [12002])
    released.start()
    run = api.run(sensor(workflow_request_id=[12001, 12002]), follow=True)
    released.join()
    assert isinstance(run.error, JobFailed)
    assert "12002 ABORTED" in str(run.error)


@pytest.mark.parametrize("given", ["", None, [], "FlexDeploy", "{{ none }}"])
def test_the_sensor_needs_ids(vendor: Vendor, api: FakeExecutionApi, given: Any) -> None:
    assert isinstance(api.run(sensor(workflow_request_id=given)).error, Rejected)


def test_the_sensors_working_time_stands_still_while_a_person_is_waited_for(
    vendor: Vendor, api: FakeExecutionApi
) -> None:
    gated(vendor, "approval")
    deploys(vendor)
    one = sensor(workflow_request_id=12001, timeout=2.0, waiting_timeout=60.0)
    first = api.run(one)
    parked = api.fire(first.message)
    second = api.run(one, resume=("resume", parked))
    outlast(api, first)
    open_gate(vendor, "approval")
    run = api.run(one, resume=("resume", api.fire(second.message)))
    while run.state == "deferred":
        run = api.run(one, resume=("resume", api.fire(run.message)))
    assert run.state == "success", run.error


def test_the_sensors_wait_for_a_person_has_a_limit_of_its_own(vendor: Vendor, api: FakeExecutionApi) -> None:
    gated(vendor, "approval")
    deploys(vendor)
    run = api.run(sensor(workflow_request_id=12001, waiting_timeout=0.2), follow=True)
    assert run.state == "failed"
    assert "PENDING_APPROVAL" in str(run.error)
    assert vendor.state(12001) is State.PENDING_APPROVAL
