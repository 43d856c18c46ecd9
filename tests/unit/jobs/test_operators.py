from __future__ import annotations

import json
import signal
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization

from nightshift.errors import (
    AuthFailed,
    JobFailed,
    JobTimedOut,
    Rejected,
)
from nightshift.jobs.record import RECORD_KEY
from tests.execution_api import FakeExecutionApi
from tests.unit.jobs.acme import Acme, StubbornAdapter
from tests.unit.jobs.job_tasks import AcmeOperator, AcmeSensor, job_task, wait_until


def test_a_job_is_made_waited_for_and_its_result_returned(vendor: Acme, api: FakeExecutionApi) -> None:
    run = api.run(job_task(what="{{ dag_run.run_id }}"), follow=True)
    assert run.state == "success", run.error
    assert run.result == {
        "job_id": "job-1",
        "state": "succeeded",
        "url": "https://acme.example/jobs/job-1",
        "result": {"rows": 7, "of": "job-1"},
    }
    assert [job.payload for job in vendor.jobs.values()] == ["r"]
    assert [event["kind"] for event in run.events] == ["ended"]


def test_a_job_that_is_done_at_once_never_defers(vendor: Acme, api: FakeExecutionApi) -> None:
    run = api.run(job_task(look=5.0))
    assert run.state == "success", run.error
    assert len(vendor.jobs) == 1


def test_a_task_that_may_not_defer_waits_on_the_worker(vendor: Acme, api: FakeExecutionApi) -> None:
    vendor.script = ("queued", "approval", "running", "done")
    run = api.run(job_task(deferrable=False))
    assert run.state == "success", run.error
    assert run.message.type == "SucceedTask"


def test_a_resume_needs_nothing_but_the_event(vendor: Acme, api: FakeExecutionApi) -> None:
    assert api.run(job_task(), follow=True, keep_defer_kwargs=False).state == "success"


def test_an_answer_without_a_job_is_a_result_too(vendor: Acme, api: FakeExecutionApi) -> None:
    run = api.run(job_task(what="nothing"))
    assert run.result["state"] == "nothing_to_do"
    assert vendor.jobs == {}


def test_the_page_of_the_job_is_there_while_the_task_waits_and_kept_for_each_attempt(
    vendor: Acme, api: FakeExecutionApi
) -> None:
    api.run(job_task())
    assert api.xcoms["t", "_link_JobLink"] == "https://acme.example/jobs/job-1"
    vendor.jobs["job-1"].states = deque(["broken"])
    api.run(job_task())
    vendor.jobs["job-2"].states = deque(["done"])
    assert api.run(job_task(), follow=True).state == "success"
    assert api.task_store[RECORD_KEY]["urls"] == {
        "1": "https://acme.example/jobs/job-1",
        "2": "https://acme.example/jobs/job-2",
        "3": "https://acme.example/jobs/job-2",
    }


def test_a_retry_goes_on_with_the_job(vendor: Acme, api: FakeExecutionApi) -> None:
    vendor.script = ("running",)
    assert api.run(job_task()).state == "deferred"
    vendor.jobs["job-1"].states = deque(["running", "done"])
    run = api.run(job_task(), follow=True)
    assert run.result["job_id"] == "job-1"
    assert vendor.requests["submit"] == 1


def test_a_result_that_could_not_be_fetched_is_fetched_by_the_retry(vendor: Acme, api: FakeExecutionApi) -> None:
    vendor.fault("result", 503)
    assert api.run(job_task(), follow=True).state == "up_for_retry"
    run = api.run(job_task(), follow=True)
    assert run.result["result"] == {"rows": 7, "of": "job-1"}
    assert vendor.requests["submit"] == 1


def test_a_retry_after_an_unreported_success_gives_the_same_answer(vendor: Acme, api: FakeExecutionApi) -> None:
    first = api.run(job_task(), follow=True)
    again = api.run(job_task(), follow=True)
    assert again.result == first.result
    assert vendor.requests["submit"] == 1


def test_a_clear_after_success_makes_the_job_again(vendor: Acme, api: FakeExecutionApi) -> None:
    api.run(job_task(), follow=True)
    api.clear()
    assert api.run(job_task(), follow=True).result["job_id"] == "job-2"
    markers = [job.marker for job in vendor.jobs.values()]
    assert len(set(markers)) == 2


def test_a_clear_while_waiting_makes_a_new_job_when_the_old_one_is_cancelled(
    vendor: Acme, api: FakeExecutionApi
) -> None:
    vendor.script = ("running",)
    api.run(job_task())
    api.clear()
    # The new attempt starts before the cancellation that the clear caused has arrived.
    assert api.run(job_task()).state == "deferred"
    vendor.script = ("running", "done")
    vendor.jobs["job-1"].states = deque(["stopping", "stopped"])
    deferred = api.run(job_task(), try_number=2, follow=True)
    assert deferred.result["job_id"] == "job-2"


def test_a_job_that_is_being_cancelled_is_awaited_before_the_next_is_made(vendor: Acme, api: FakeExecutionApi) -> None:
    vendor.script = ("running",)
    api.run(job_task())
    vendor.jobs["job-1"].states = deque(["stopping", "stopping", "stopping", "stopped"])
    vendor.script = ("done",)
    run = api.run(job_task(), follow=True)
    assert run.result["job_id"] == "job-2"
    assert vendor.jobs["job-1"].state == "stopped"


def test_a_task_that_asks_for_something_else_cancels_the_old_job_first(vendor: Acme, api: FakeExecutionApi) -> None:
    vendor.script = ("running",)
    api.run(job_task(what="a"))
    vendor.cancel_to = "stopping stopped"
    vendor.script = ("done",)
    run = api.run(job_task(what="b"), follow=True)
    assert run.result["job_id"] == "job-2"
    assert (vendor.jobs["job-1"].cancels, vendor.jobs["job-2"].payload) == (1, "b")


def test_an_attempt_that_was_replaced_cannot_ask_the_vendor(vendor: Acme, api: FakeExecutionApi) -> None:
    """The older worker comes back to life after its successor has started: its write fails, so it sends nothing."""

    class Zombie(AcmeOperator):
        def pre_execute(self, context: Any) -> None:
            assert api.run(job_task(), follow=True).state == "success"

    with DAG("d", schedule=None):
        zombie = Zombie(task_id="t", conn_id="acme", look=5.0)
    assert api.run(zombie).state != "success"
    assert vendor.requests["submit"] == 1


def test_a_failed_job_fails_the_task_at_once_with_the_vendors_word(vendor: Acme, api: FakeExecutionApi) -> None:
    vendor.script = ("running", "broken")
    run = api.run(job_task(), follow=True)
    assert run.state == "failed"
    assert isinstance(run.error, JobFailed)
    assert run.error.state == "broken"
    assert "https://acme.example/jobs/job-1" in str(run.error)


def test_a_job_that_takes_too_long_is_cancelled(vendor: Acme, api: FakeExecutionApi) -> None:
    vendor.script = ("running",)
    run = api.run(job_task(job_timeout=0.15), follow=True)
    assert isinstance(run.error, JobTimedOut)
    assert vendor.jobs["job-1"].cancels == 1
    vendor.script = ("done",)
    assert api.run(job_task(), follow=True).result["job_id"] == "job-2"


def test_the_execution_timeout_counts_while_deferred(vendor: Acme, api: FakeExecutionApi) -> None:
    vendor.script = ("running",)
    run = api.run(job_task(execution_timeout=timedelta(seconds=0.4)), follow=True)
    assert isinstance(run.error, JobTimedOut)
    assert vendor.jobs["job-1"].cancels == 1


def test_airflows_own_time_out_is_later_than_ours(vendor: Acme, api: FakeExecutionApi) -> None:
    vendor.script = ("running",)
    message = api.run(job_task(job_timeout=100.0)).message
    assert timedelta(seconds=600) < message.trigger_timeout <= timedelta(seconds=700)


def test_the_deadline_counts_from_the_first_attempt(vendor: Acme, api: FakeExecutionApi) -> None:
    vendor.script = ("running",)
    first = api.trigger(api.run(job_task()).message).plan
    second = api.trigger(api.run(job_task()).message).plan
    assert (second.deadline, second.started) == (first.deadline, first.started)


def test_a_vendor_that_cannot_cancel_is_told_of_in_the_log(
    vendor: Acme, api: FakeExecutionApi, capfd: pytest.CaptureFixture[str]
) -> None:
    vendor.script = ("running",)
    api.run(job_task(job_timeout=0.1, kind=StubbornAdapter), follow=True)
    assert "offers no way to cancel: job job-1 may go on there" in "".join(capfd.readouterr())
    vendor.jobs["job-1"].states = deque(["done"])
    assert api.run(job_task(kind=StubbornAdapter), follow=True).result["job_id"] == "job-1"


def test_refused_credentials_fail_the_task_and_leave_the_job_alone(vendor: Acme, api: FakeExecutionApi) -> None:
    vendor.script = ("running",)
    vendor.fault("poll", *[401] * 50)
    run = api.run(job_task(auth_grace=0.1), follow=True)
    assert isinstance(run.error, AuthFailed)
    assert run.state == "failed"
    assert vendor.jobs["job-1"].cancels == 0
    vendor.faults.clear()
    vendor.jobs["job-1"].states = deque(["done"])
    api.clear()
    assert api.run(job_task(), follow=True).result["job_id"] == "job-1"


def test_time_spent_waiting_for_a_person_does_not_count(vendor: Acme, api: FakeExecutionApi) -> None:
    vendor.script = ("approval",)
    task = job_task(job_timeout=2.0, waiting_timeout=60.0, execution_timeout=timedelta(seconds=1.5))
    first = api.run(task)
    parked = api.fire(first.message)
    assert parked["kind"] == "parked"
    second = api.run(task, resume=("resume", parked))
    assert second.state == "deferred"
    assert api.trigger(second.message).plan.phase == "parked"
    # The wait outlasts the working time; the job goes on all the same.
    wait_until(lambda: time.time() > api.trigger(first.message).plan.deadline)
    vendor.jobs["job-1"].states = deque(["running", "running", "done"])
    moved = api.fire(second.message)
    assert moved["kind"] == "moved"
    third = api.run(task, resume=("resume", moved))
    assert api.trigger(third.message).plan.deadline > time.time()
    assert api.run(task, resume=("resume", api.fire(third.message))).state == "success"


def test_a_wait_for_a_person_has_a_limit_of_its_own(vendor: Acme, api: FakeExecutionApi) -> None:
    vendor.script = ("approval",)
    run = api.run(job_task(waiting_timeout=0.2), follow=True)
    assert isinstance(run.error, JobTimedOut)


@pytest.mark.parametrize("event", [None, {"status": "success"}, {"kind": "timed_out", "job_id": "other", "at": 1.0}])
def test_an_event_that_is_not_ours_is_refused(vendor: Acme, api: FakeExecutionApi, event: Any) -> None:
    vendor.script = ("running",)
    api.run(job_task())
    run = api.run(job_task(), resume=("resume", event))
    assert isinstance(run.error, Rejected)
    assert run.state == "failed"


def killed_while_polling(vendor: Acme, api: FakeExecutionApi, meanwhile: Callable[[], None]) -> Any:
    """Run a task whose worker is told to end while it polls."""
    vendor.script = ("running",)

    def kill() -> None:
        vendor.polled()
        meanwhile()
        signal.pthread_kill(main, signal.SIGTERM)

    main = threading.main_thread().ident
    assert main is not None
    killer = threading.Thread(target=kill)
    killer.start()
    run = api.run(job_task(look=2.0))
    killer.join()
    return run


@pytest.mark.parametrize("state", ["running", "failed", "restarting", None])
def test_a_kill_on_the_worker_cancels_the_job(vendor: Acme, api: FakeExecutionApi, state: str | None) -> None:
    run = killed_while_polling(vendor, api, lambda: api.task_states.update({"r": {"t": state}} if state else {}))
    assert vendor.jobs["job-1"].cancels == 1
    assert run.state == "up_for_retry", "a worker that is shut down is no reason to give the task up"
    assert "told to stop" in str(run.error)
    assert api.task_store[RECORD_KEY]["cancelled"] is True
    vendor.script = ("done",)
    assert api.run(job_task(), follow=True).result["job_id"] == "job-2"
    assert api.task_store[RECORD_KEY]["cancelled"] is False


def test_a_mark_as_success_leaves_the_job_alone_on_the_worker_too(vendor: Acme, api: FakeExecutionApi) -> None:
    killed_while_polling(vendor, api, lambda: api.task_states.update({"r": {"t": "success"}}))
    assert vendor.requests["cancel"] == 0


def test_a_worker_that_was_replaced_leaves_its_successors_job_alone(vendor: Acme, api: FakeExecutionApi) -> None:
    """It was frozen, and Airflow ends it when it thaws; the newer attempt goes on with the very job."""
    killed_while_polling(vendor, api, lambda: setattr(api, "_attempt", uuid.uuid4()))
    assert vendor.requests["cancel"] == 0


@pytest.mark.parametrize("again", ["clear", "retry"])
def test_a_clear_gives_a_job_whose_time_is_over_new_time_and_a_retry_does_not(
    vendor: Acme, api: FakeExecutionApi, again: str
) -> None:
    vendor.script = ("running",)
    run = api.run(job_task(kind=StubbornAdapter, job_timeout=1.0), follow=True)
    assert (run.state, type(run.error)) == ("failed", JobTimedOut), "a retry would find its time over"
    if again == "clear":
        api.clear()
    vendor.jobs["job-1"].states = deque(["running", "running", "running", "done"])
    run = api.run(job_task(kind=StubbornAdapter, job_timeout=1.0), follow=True)
    assert run.state == ("success" if again == "clear" else "failed"), run.error
    assert vendor.requests["submit"] == 1


def test_a_kill_before_there_is_a_job_asks_for_nothing(vendor: Acme) -> None:
    job_task().on_kill()
    assert vendor.requests["cancel"] == 0


def test_the_last_attempt_cancels_a_job_that_nobody_will_wait_for(vendor: Acme, api: FakeExecutionApi) -> None:
    """An error of the task's own, raised while the job still runs."""

    class Clumsy(AcmeOperator):
        def _plan(self, record: Any) -> Any:
            raise RuntimeError("a defect")

    vendor.script = ("running",)
    with DAG("d", schedule=None):
        clumsy = Clumsy(task_id="t", conn_id="acme")
    for attempt in (1, 2, 3):
        assert vendor.jobs.get("job-1") is None or vendor.jobs["job-1"].cancels == 0
        assert api.run(clumsy, try_number=attempt).state == ("failed" if attempt == 3 else "up_for_retry")
    assert vendor.requests["submit"] == 1
    assert vendor.jobs["job-1"].cancels == 1


def test_defaults_of_the_dag_are_heeded() -> None:
    with DAG("e", schedule=None, default_args={"retries": 7}):
        assert AcmeOperator(task_id="t", conn_id="acme").retries == 7
    assert job_task().retries == 2
    assert job_task().retry_policy is not None


def test_a_negative_time_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        job_task(look=-1)


def test_a_timeout_on_the_worker_cancels_the_job(vendor: Acme, api: FakeExecutionApi) -> None:
    vendor.script = ("running",)
    run = api.run(job_task(deferrable=False, execution_timeout=timedelta(seconds=1.5)))
    assert run.state == "up_for_retry"
    assert vendor.jobs["job-1"].cancels == 1


def test_a_mapped_task_makes_one_job_for_each_index(vendor: Acme, api: FakeExecutionApi) -> None:
    other = FakeExecutionApi(connections=api.connections, max_tries=2)
    assert api.run(job_task(), map_index=0, follow=True).state == "success"
    assert other.run(job_task(), map_index=1, follow=True).state == "success"
    assert len({job.marker for job in vendor.jobs.values()}) == 2


def test_its_dag_serialises_with_link_and_policy() -> None:
    with DAG("f", schedule=None) as dag:
        AcmeOperator(task_id="t", conn_id="acme")
        AcmeSensor(task_id="s", conn_id="acme", job_id="1")
        AcmeOperator.partial(task_id="m", conn_id="acme").expand(what=["a", "b"])
    again = DagSerialization.deserialize_dag(json.loads(json.dumps(DagSerialization.serialize_dag(dag))))
    assert again.task_dict["t"].retries == 2
    assert again.task_dict["t"].operator_extra_link_dict.keys() == {"Vendor job"}
    assert set(again.task_dict) == {"t", "s", "m"}


def test_no_line_and_no_error_carries_a_secret(
    vendor: Acme, api: FakeExecutionApi, capfd: pytest.CaptureFixture[str]
) -> None:
    api.connections["acme"] = {**api.connections["acme"], "password": "hunter22"}  # type: ignore[index]
    vendor.script = ("running", "broken")
    vendor.fault("poll", 401, 503)
    run = api.run(job_task(), follow=True)
    said = "".join(capfd.readouterr()) + str(run.error) + json.dumps(api.task_store[RECORD_KEY]) + str(run.events)
    assert "job-1" in said
    assert "hunter22" not in said


def test_a_task_that_was_told_to_stop_asks_for_nothing_new(vendor: Acme, api: FakeExecutionApi) -> None:
    class Stopped(AcmeOperator):
        def pre_execute(self, context: Any) -> None:
            self.on_kill()

    with DAG("d", schedule=None):
        task = Stopped(task_id="t", conn_id="acme")
    assert "told to stop before it had asked" in str(api.run(task).error)
    assert vendor.requests["submit"] == 0
