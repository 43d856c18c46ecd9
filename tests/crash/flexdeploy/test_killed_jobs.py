"""kill -9 at each point of a task's life: FlexDeploy never gets a second build, deployment or run of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from include.standins import FaultKind
from nightshift.errors import Ambiguous
from nightshift.flexdeploy.adapter import FlexDeployAdapter
from nightshift.jobs.record import RESOLUTION_KEY
from tests.crash.flexdeploy.doomed import (
    DiesBeforeAsking,
    DiesWithTheAnswer,
    DiesWithTheResult,
    api_of,
    attempt,
    attempt_that_dies_unreported,
    wait_in_a_triggerer,
)
from tests.crash.workers import LONG, kill, killed, leave_trigger, start
from tests.unit.flexdeploy.deploy_tasks import task
from tests.unit.flexdeploy.vendor import Vendor

KINDS = ("build", "deploy", "execute")


def retry(vendor: Vendor, folder: Path, kind: str, number: int = 2, **options: Any) -> Any:
    return api_of(vendor.url, folder).run(task(kind, **options), try_number=number, follow=True)


@pytest.fixture(autouse=True)
def short_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """A successor waits so long until a request that nobody saw leave cannot leave any more."""
    monkeypatch.setattr(FlexDeployAdapter, "send_within", 3.0)


@pytest.mark.parametrize("kind", ["build"])
def test_killed_before_the_request_nothing_is_started_until_a_person_says_so(
    vendor: Vendor, tmp_path: Path, kind: str
) -> None:
    killed(start(attempt, vendor.url, tmp_path, kind, DiesBeforeAsking, {}))
    assert isinstance(retry(vendor, tmp_path, kind).error, Ambiguous)
    assert vendor.starts() == 0
    api_of(vendor.url, tmp_path).task_store[RESOLUTION_KEY] = {"resubmit": True}
    assert retry(vendor, tmp_path, kind, 3).state == "success"
    assert list(vendor.engine.requests) == [12001]


@pytest.mark.parametrize("kind", KINDS)
def test_killed_with_the_answer_in_hand_nothing_is_started_twice(vendor: Vendor, tmp_path: Path, kind: str) -> None:
    killed(start(attempt, vendor.url, tmp_path, kind, DiesWithTheAnswer, {}))
    assert isinstance(retry(vendor, tmp_path, kind).error, Ambiguous)
    api_of(vendor.url, tmp_path).task_store[RESOLUTION_KEY] = {"adopt": "12001"}
    assert retry(vendor, tmp_path, kind, 3).result["workflow_request_ids"] == [12001]
    assert list(vendor.engine.requests) == [12001]


@pytest.mark.parametrize(("kind", "effect"), [("deploy", "deploy_made"), ("execute", "utility_run")])
def test_killed_between_request_and_answer_a_mark_brings_it_back(
    vendor: Vendor, tmp_path: Path, kind: str, effect: str
) -> None:
    vendor.turn(approvals={"DEV": 1}, approve_after=2.0)
    vendor.spoil(FaultKind.HOLD_ANSWER)
    process = start(attempt, vendor.url, tmp_path, kind, None, {"marker_flex_field": "FF_DEPLOY"})
    vendor.ledger.wait_for_effect(kind=effect, within=LONG)
    kill(process)
    run = retry(vendor, tmp_path, kind, marker_flex_field="FF_DEPLOY")
    assert run.result["workflow_request_ids"] == [12001], run.error
    assert vendor.starts() == 1


@pytest.mark.parametrize("kind", ["build"])
def test_killed_while_waiting_the_retry_goes_on(vendor: Vendor, tmp_path: Path, kind: str) -> None:
    vendor.turn(build_seconds=3600.0)
    process = start(attempt, vendor.url, tmp_path, kind, None, {"look": 60.0})
    vendor.ledger.wait_for_request(method="GET", path="/workflowrequest/12001$", within=LONG)
    kill(process)
    vendor.hours_pass()
    assert retry(vendor, tmp_path, kind).result["workflow_request_ids"] == [12001]
    assert (vendor.starts(), vendor.asked("PUT")) == (1, [])


@pytest.mark.parametrize("kind", ["execute"])
def test_killed_after_the_work_the_retry_gives_the_same_answer(vendor: Vendor, tmp_path: Path, kind: str) -> None:
    killed(start(attempt, vendor.url, tmp_path, kind, DiesWithTheResult, {"look": 5.0}))
    first = retry(vendor, tmp_path, kind)
    assert first.result["workflow_request_ids"] == [12001]
    assert vendor.starts() == 1


def test_killed_before_airflow_heard_of_it(vendor: Vendor, tmp_path: Path) -> None:
    killed(start(attempt_that_dies_unreported, vendor.url, tmp_path, "deploy"))
    assert retry(vendor, tmp_path, "deploy").result["workflow_request_ids"] == [12001]
    assert vendor.starts() == 1


def test_a_triggerer_is_killed_and_another_takes_over(vendor: Vendor, tmp_path: Path) -> None:
    vendor.turn(deploy_seconds=3600.0)
    api = api_of(vendor.url, tmp_path)
    message = api.run(task("deploy")).message
    leave_trigger(api, message, tmp_path)
    process = start(wait_in_a_triggerer, vendor.url, tmp_path)
    vendor.ledger.wait_for_request(method="GET", path="/workflowrequest/12001$", within=LONG)
    kill(process)
    vendor.hours_pass()
    run = api.run(task("deploy"), resume=("resume", api.fire(message)))
    assert run.result["workflow_request_ids"] == [12001], run.error
    assert (vendor.starts(), vendor.asked("PUT")) == (1, [])
