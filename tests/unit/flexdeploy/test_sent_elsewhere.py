"""A start that is answered with the address where it belongs: nothing was started, and a clear asks there."""

from __future__ import annotations

import pytest

from include.standins import FaultKind
from nightshift.errors import Ambiguous, Redirected
from nightshift.jobs.record import RECORD_KEY
from tests.execution_api import FakeExecutionApi
from tests.unit.flexdeploy.deploy_tasks import task
from tests.unit.flexdeploy.vendor import Vendor


@pytest.mark.parametrize(
    ("kind", "effect", "status"),
    [("build", "build_made", 301), ("deploy", "deploy_made", 307), ("execute", "utility_run", 308)],
)
def test_what_is_sent_elsewhere_was_not_started_and_a_clear_asks_where_it_belongs(
    vendor: Vendor, api: FakeExecutionApi, kind: str, effect: str, status: int
) -> None:
    vendor.spoil(FaultKind.STATUS, status=status, headers={"Location": "https://fd.example.com/flexdeploy?sid=s3cret"})
    run = api.run(task(kind))
    assert (run.state, type(run.error)) == ("failed", Redirected)
    said = str(run.error)
    assert "redirects this request to https://fd.example.com, which is not followed" in said
    assert "Put the final address into the host of the Airflow connection, then clear the task." in said
    assert "s3cret" not in said
    assert api.task_store[RECORD_KEY]["refused"] is True
    api.clear()
    assert api.run(task(kind), follow=True).state == "success"
    assert vendor.starts() == 2
    assert len(vendor.ledger.effects(kind=effect)) == 1


@pytest.mark.parametrize("status", [302, 303])
def test_behind_another_redirect_the_work_may_have_been_started(
    vendor: Vendor, api: FakeExecutionApi, status: int
) -> None:
    vendor.spoil(FaultKind.STATUS, status=status, headers={"Location": "/flexdeploy/rest/v1/workflowrequest/12001"})
    assert isinstance(api.run(task("deploy")).error, Ambiguous)
    api.clear()
    assert isinstance(api.run(task("deploy")).error, Ambiguous)
    assert vendor.starts() == 1
