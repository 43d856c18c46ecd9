"""A request whose answer was lost or refused, and what a person says of it."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from include.standins import FaultKind
from nightshift.errors import (
    Ambiguous,
    AuthFailed,
    NotFound,
    RateLimited,
    Rejected,
    Unreachable,
)
from nightshift.jobs.record import RECORD_KEY, RESOLUTION_KEY
from tests.execution_api import LATER, FakeExecutionApi
from tests.unit.jobs.acme import Acme, BlindAdapter
from tests.unit.jobs.job_tasks import job_task, wait_until


@pytest.mark.parametrize("fault", [FaultKind.ACCEPT_THEN_DROP, FaultKind.WRONG_CONTENT_TYPE])
def test_a_lost_answer_is_looked_up_and_adopted_by_the_same_attempt(
    vendor: Acme, api: FakeExecutionApi, fault: FaultKind
) -> None:
    vendor.fault("submit", fault)
    run = api.run(job_task(), follow=True)
    assert run.result["job_id"] == "job-1"
    assert vendor.requests["submit"] == 1


def test_a_list_that_is_late_is_asked_again(vendor: Acme, api: FakeExecutionApi) -> None:
    vendor.fault("submit", FaultKind.ACCEPT_THEN_DROP)
    vendor.list_late = True
    timer = threading.Thread(target=lambda: (wait_until(lambda: vendor.requests["find"] >= 1), vendor.list_all()))
    timer.start()
    run = api.run(job_task(), follow=True)
    timer.join()
    assert run.result["job_id"] == "job-1"
    assert vendor.requests["find"] >= 2


def test_a_request_that_never_became_a_job_is_sent_again_by_the_retry_only(vendor: Acme, api: FakeExecutionApi) -> None:
    vendor.fault("submit", FaultKind.RESET)
    run = api.run(job_task(), follow=True)
    assert run.state == "up_for_retry"
    assert isinstance(run.error, Unreachable)
    assert vendor.requests["submit"] == 1
    assert api.run(job_task(), follow=True).result["job_id"] == "job-1"


def test_a_vendor_that_cannot_be_asked_leaves_it_to_a_person(vendor: Acme, api: FakeExecutionApi) -> None:
    vendor.fault("submit", FaultKind.ACCEPT_THEN_DROP)
    run = api.run(job_task(kind=BlindAdapter), follow=True)
    assert run.state == "failed"
    assert isinstance(run.error, Ambiguous)
    text = str(run.error)
    for part in (
        "/api/v2/dags/d/dagRuns/r/taskInstances/t/state-store/nightshift_resolve",
        '{"adopt": "<id',
        "tab Task State Store",
        "Clear",
    ):
        assert part in text
    api.clear()
    assert isinstance(api.run(job_task(kind=BlindAdapter), follow=True).error, Ambiguous)
    assert vendor.requests["submit"] == 1


def test_a_person_can_have_a_job_adopted(vendor: Acme, api: FakeExecutionApi) -> None:
    vendor.fault("submit", FaultKind.ACCEPT_THEN_DROP)
    api.run(job_task(kind=BlindAdapter))
    api.task_store[RESOLUTION_KEY] = {"adopt": "job-1"}
    api.clear()
    run = api.run(job_task(kind=BlindAdapter), follow=True)
    assert run.result["job_id"] == "job-1"
    assert vendor.requests["submit"] == 1
    assert RESOLUTION_KEY not in api.task_store


def test_a_person_can_have_a_job_submitted_again(vendor: Acme, api: FakeExecutionApi) -> None:
    vendor.fault("submit", FaultKind.RESET)
    api.run(job_task(kind=BlindAdapter))
    api.task_store[RESOLUTION_KEY] = {"resubmit": True}
    api.clear()
    assert api.run(job_task(kind=BlindAdapter), follow=True).state == "success"
    assert RESOLUTION_KEY not in api.task_store
    assert len(vendor.jobs) == 1


def test_a_runs_conf_names_no_job(vendor: Acme, api: FakeExecutionApi) -> None:
    """Whoever may start a run could pass off any job as its own."""
    vendor.add("running", "done", job_id="elsewhere")
    api.conf = {"jobs": {"adopt": {"t": "elsewhere"}}}
    assert api.run(job_task(), follow=True).result["job_id"] != "elsewhere"
    assert vendor.requests["submit"] == 1


def test_a_job_of_somebody_else_is_not_adopted(vendor: Acme, api: FakeExecutionApi) -> None:
    vendor.add("done", job_id="theirs")
    vendor.fault("submit", FaultKind.ACCEPT_THEN_DROP)
    api.run(job_task(kind=BlindAdapter))
    for job_id, why in (("theirs", "it is for"), ("nowhere", "does not show it")):
        api.task_store[RESOLUTION_KEY] = {"adopt": job_id, "by": "ann", "why": "looks right"}
        api.clear()
        run = api.run(job_task(kind=BlindAdapter), follow=True)
        assert isinstance(run.error, Rejected)
        assert why in str(run.error)
    assert vendor.requests["submit"] == 1
    assert api.task_store[RECORD_KEY]["id"] is None


def test_nothing_is_adopted_by_a_task_that_has_asked_for_nothing(vendor: Acme, api: FakeExecutionApi) -> None:
    vendor.add("done", job_id="elsewhere")
    api.task_store[RESOLUTION_KEY] = {"adopt": "elsewhere"}
    run = api.run(job_task(kind=BlindAdapter), follow=True)
    assert isinstance(run.error, Rejected)
    assert "has not asked for any" in str(run.error)


def test_a_person_can_say_that_it_is_over(vendor: Acme, api: FakeExecutionApi) -> None:
    vendor.fault("submit", FaultKind.ACCEPT_THEN_DROP)
    api.run(job_task(kind=BlindAdapter))
    api.task_store[RESOLUTION_KEY] = {"over": True, "by": "ann", "why": "stopped it by hand"}
    api.clear()
    run = api.run(job_task(kind=BlindAdapter), follow=True)
    assert (run.state, run.error.state) == ("failed", "given_up")
    assert "ann says (stopped it by hand)" in str(run.error)
    assert RESOLUTION_KEY not in api.task_store
    assert vendor.requests["submit"] == 1
    # An attempt that Airflow starts on its own, because it lost this one, is no clear.
    assert "none is wanted" in str(api.run(job_task(kind=BlindAdapter), follow=True).error)
    assert vendor.requests["submit"] == 1
    api.clear()
    assert api.run(job_task(kind=BlindAdapter), follow=True).state == "success"
    assert vendor.requests["submit"] == 2


@pytest.mark.parametrize("word", ["over", "resubmit"])
def test_what_is_asked_for_after_a_persons_word_shares_its_mark_with_nothing_before(
    vendor: Acme, api: FakeExecutionApi, word: str
) -> None:
    """What may have been taken has the old mark: who looks for the new job by it would find that one."""
    vendor.fault("submit", FaultKind.ACCEPT_THEN_DROP)
    api.run(job_task(kind=BlindAdapter))
    api.task_store[RESOLUTION_KEY] = {word: True, "by": "ann", "why": "I looked"}
    for _ in range(2 if word == "over" else 1):
        api.clear()
        run = api.run(job_task(kind=BlindAdapter), follow=True)
    assert run.state == "success", run.error
    assert len({job.marker for job in vendor.jobs.values()}) == len(vendor.jobs) == 2


def test_a_refused_request_is_asked_again_without_a_look(vendor: Acme, api: FakeExecutionApi) -> None:
    vendor.fault("submit", (429, "77"))
    run = api.run(job_task())
    assert run.state == LATER
    assert LATER != "up_for_retry" or run.message.retry_delay_seconds >= 77
    assert api.run(job_task(), follow=True).state == "success"
    assert vendor.requests["find"] == 0


@pytest.mark.parametrize(
    ("status", "error", "refused"),
    [
        (400, Rejected, True),
        (401, AuthFailed, True),
        (404, NotFound, True),
        (429, RateLimited, True),
        (FaultKind.RESET, Ambiguous, False),
        (FaultKind.ACCEPT_THEN_DROP, Ambiguous, False),
    ],
)
def test_a_refusal_proves_that_there_is_no_job_and_a_lost_answer_does_not(
    vendor: Acme, api: FakeExecutionApi, status: Any, error: type, refused: bool
) -> None:
    """Also where the vendor cannot be asked for it: the next attempt asks at once, or nobody does."""
    vendor.fault("submit", status)
    assert isinstance(api.run(job_task(kind=BlindAdapter)).error, error)
    assert api.task_store[RECORD_KEY]["refused"] is refused
    api.clear()
    again = api.run(job_task(kind=BlindAdapter), follow=True)
    assert (again.state, vendor.requests["submit"]) == (("success", 2) if refused else ("failed", 1))
