"""kill -9 at each point of a task's life; the vendor's ledger shows one job all the same."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import pytest

from include.standins import FaultKind
from tests.crash.jobs.attempt import (
    DiesBeforeAsking,
    DiesWithTheAnswer,
    DiesWithTheResult,
    api_of,
    attempt,
    attempt_that_dies_unreported,
    retry,
    wait_in_a_triggerer,
)
from tests.crash.workers import LONG, kill, killed, leave_trigger, start
from tests.unit.jobs.acme import Acme
from tests.unit.jobs.job_tasks import job_task


@pytest.mark.parametrize("adapter", [DiesBeforeAsking, DiesWithTheAnswer, DiesWithTheResult])
def test_killed_by_itself(vendor: Acme, tmp_path: Path, adapter: type) -> None:
    killed(start(attempt, vendor.url, tmp_path, 1, kind=adapter, look=5.0))
    made_before = len(vendor.jobs)
    assert made_before == (0 if adapter is DiesBeforeAsking else 1)
    run = retry(vendor.url, tmp_path)
    assert run.state == "success", run.error
    assert run.result["job_id"] == "job-1"
    assert len(vendor.jobs) == 1


def test_killed_between_the_request_and_its_answer(vendor: Acme, tmp_path: Path) -> None:
    vendor.fault("submit", FaultKind.HOLD_ANSWER)
    process = start(attempt, vendor.url, tmp_path, 1)
    vendor.submitted(LONG)
    kill(process)
    run = retry(vendor.url, tmp_path)
    assert run.result["job_id"] == "job-1"
    assert vendor.requests["submit"] == 1


def test_killed_between_the_request_and_its_answer_while_the_list_is_late(vendor: Acme, tmp_path: Path) -> None:
    vendor.fault("submit", FaultKind.HOLD_ANSWER)
    vendor.list_late = True
    process = start(attempt, vendor.url, tmp_path, 1)
    vendor.submitted(LONG)
    kill(process)
    vendor.list_all()
    assert retry(vendor.url, tmp_path).result["job_id"] == "job-1"
    assert vendor.requests["submit"] == 1


def test_killed_while_waiting_on_the_worker(vendor: Acme, tmp_path: Path) -> None:
    vendor.script = ("running",)
    process = start(attempt, vendor.url, tmp_path, 1, look=60.0)
    vendor.polled(LONG)
    kill(process)
    vendor.jobs["job-1"].states = deque(["running", "done"])
    run = retry(vendor.url, tmp_path)
    assert run.result["job_id"] == "job-1"
    assert (vendor.requests["submit"], vendor.requests["cancel"]) == (1, 0)


def test_killed_after_the_work_and_before_airflow_heard_of_it(vendor: Acme, tmp_path: Path) -> None:
    killed(start(attempt_that_dies_unreported, vendor.url, tmp_path, 1))
    run = retry(vendor.url, tmp_path)
    assert run.result["result"] == {"rows": 7, "of": "job-1"}
    assert vendor.requests["submit"] == 1


def test_a_triggerer_is_killed_and_another_takes_over(vendor: Acme, tmp_path: Path) -> None:
    vendor.script = ("running",)
    api = api_of(vendor.url, tmp_path)
    message = api.run(job_task()).message
    leave_trigger(api, message, tmp_path)
    process = start(wait_in_a_triggerer, vendor.url, tmp_path)
    vendor.polled(LONG)
    kill(process)
    vendor.jobs["job-1"].states = deque(["running", "done"])
    run = api.run(job_task(), resume=("resume", api.fire(message)))
    assert run.result["job_id"] == "job-1"
    assert (vendor.requests["submit"], vendor.requests["cancel"]) == (1, 0)


def test_killed_on_every_attempt_but_the_last(vendor: Acme, tmp_path: Path) -> None:
    killed(start(attempt, vendor.url, tmp_path, 1, kind=DiesBeforeAsking))
    killed(start(attempt, vendor.url, tmp_path, 2, kind=DiesWithTheAnswer))
    run = retry(vendor.url, tmp_path, 3)
    assert run.result["job_id"] == "job-1"
    assert len(vendor.jobs) == 1


def test_two_attempts_race(vendor: Acme, tmp_path: Path) -> None:
    """The first hangs in its request, is given up, and wakes when the second has finished."""
    vendor.fault("submit", FaultKind.HOLD_ANSWER)
    first = start(attempt, vendor.url, tmp_path, 1)
    vendor.submitted(LONG)
    second = retry(vendor.url, tmp_path)
    assert second.result["job_id"] == "job-1"
    vendor.release()
    first.join(LONG)
    assert first.exitcode == 0
    assert len(vendor.jobs) == 1
    assert vendor.requests["submit"] == 1
