from __future__ import annotations

import math
import pickle
from datetime import timedelta

import pytest
from airflow.sdk.definitions.retry_policy import RetryAction
from airflow.sdk.exceptions import AirflowException

from nightshift import errors
from nightshift.errors import AuthFailed, JobFailed, RateLimited, Rejected, Unreachable, VendorError
from nightshift.retries import VendorRetryPolicy

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, VendorError)]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_survives_the_way_between_processes(kind: type[VendorError]) -> None:
    given = {
        "vendor": "Acme",
        "method": "GET",
        "path": "/x",
        "status": 429,
        "attempt": 2,
        "retry_after": 3.5,
        "detail": "slow",
        "advice": "Wait.",
        "connection": "acme_default",
        "report": "usage",
        "page": 7,
    }
    error = kind("too fast", **given)
    path, args, kwargs = error.serialize()
    assert path == f"nightshift.errors.{kind.__name__}"
    for copy in (pickle.loads(pickle.dumps(error)), kind(*args, **kwargs)):
        assert type(copy) is kind
        assert isinstance(copy, AirflowException)
        assert str(copy) == str(error)
        assert {name: getattr(copy, name) for name in given} == given


def test_the_sentence() -> None:
    error = RateLimited(
        "too many requests",
        vendor="Acme",
        method="GET",
        path="/x?token=1",
        status=429,
        attempt=2,
        retry_after=60,
        detail="slow\n down",
        advice="Wait.",
    )
    assert (
        str(error) == 'Acme: too many requests (GET /x, status 429, attempt 2). The answer says: "slow down". '
        "It asks to wait 60 s. Wait."
    )
    assert str(Rejected("days must be 1 to 30")) == f"days must be 1 to 30. {Rejected.default_advice}"
    assert str(Unreachable(advice="")) == "unreachable."
    assert len(VendorError("x", detail="y" * 5000).detail) == 300


def test_a_failed_job_keeps_its_state() -> None:
    error = JobFailed(state="ABORTED", vendor="Acme")
    assert error.problem == "the job ended as ABORTED"
    assert pickle.loads(pickle.dumps(error)).state == "ABORTED"
    assert error.replaced(status=200).state == "ABORTED"


FAIL, RETRY, DEFAULT = RetryAction.FAIL, RetryAction.RETRY, RetryAction.DEFAULT


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        ("AuthFailed", FAIL),
        ("Forbidden", FAIL),
        ("NotFound", FAIL),
        ("Rejected", FAIL),
        ("Ambiguous", FAIL),
        ("JobFailed", FAIL),
        ("RateLimited", RETRY),
        ("Unreachable", RETRY),
        ("BadResponse", RETRY),
        ("JobTimedOut", DEFAULT),
        ("VendorError", DEFAULT),
    ],
)
def test_what_airflow_does(kind: str, action: RetryAction) -> None:
    decision = VendorRetryPolicy().evaluate(getattr(errors, kind)("x", advice="Do this."), 1, 3)
    assert decision.action is action
    reason = {FAIL: f"{kind}: Do this.", DEFAULT: None}
    if action is not RETRY:
        assert decision.reason == reason[action]


def test_only_who_knows_the_try_says_whether_there_is_another() -> None:
    error = RateLimited("too many", advice="Do this.")
    first, last = (VendorRetryPolicy().evaluate(error, number, 3) for number in (1, 4))
    assert first.retry_delay is not None
    assert first.reason == (
        f"RateLimited in try 1 of 4; the task tries again by itself in {first.retry_delay.total_seconds():.0f} s. "
        "If the last try ends like this: Do this."
    )
    assert last.reason == "RateLimited in the last of 4 tries. Do this."


@pytest.mark.parametrize("kind", KINDS)
def test_no_error_promises_a_try_that_may_not_come_and_each_ends_with_what_to_do(kind: type[VendorError]) -> None:
    text = str(kind("x"))
    assert "again by itself" not in text
    assert "tries again" not in text
    assert any(word in kind.default_advice.split(". ")[-1] for word in ("clear", "Look", "Read"))


def test_where_it_happened_is_said_once() -> None:
    error = Unreachable("no answer", vendor="Acme", method="GET", path="/x", advice="Wait.")
    error.complete(connection="acme_default", report="usage, night 2026-11-21")
    error.complete(connection="another", page=7)
    where = "GET /x, connection acme_default, report usage, night 2026-11-21, page 7"
    assert str(error) == f"Acme: no answer ({where}). Wait."
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    named = AuthFailed("the connection acme_default was refused for page 7", advice="Wait.")
    named.complete(connection="acme_default", page=7)
    assert str(named) == "the connection acme_default was refused for page 7. Wait."


def test_another_error_is_left_to_the_task() -> None:
    assert VendorRetryPolicy().evaluate(ValueError("x"), 1, 3).action is DEFAULT


def test_a_vendor_that_asks_to_come_back_later_costs_no_try_where_airflow_can() -> None:
    decision = VendorRetryPolicy().evaluate(RateLimited("x", status=429, retry_after=400.0), 4, 3)
    assert decision.retry_delay == timedelta(seconds=400)
    if not hasattr(RetryAction, "RESCHEDULE"):
        assert decision.action is RETRY
        return
    assert decision.action is RetryAction.RESCHEDULE
    assert decision.reschedule_timeout == timedelta(hours=1)
    assert "status 429; the task comes back by itself in 400 s" in (decision.reason or "")
    soon = VendorRetryPolicy().evaluate(RateLimited("x", status=429), 1, 3).retry_delay
    assert soon is not None
    assert timedelta(minutes=1) <= soon <= timedelta(minutes=2)
    assert VendorRetryPolicy().evaluate(Unreachable("x", status=503), 1, 3).action is RETRY


@pytest.mark.parametrize(("tries", "low", "high"), [(1, 5, 10), (2, 10, 20), (4, 40, 80), (50, 300, 600)])
def test_delays_grow(tries: int, low: float, high: float) -> None:
    for _ in range(50):
        delay = VendorRetryPolicy().evaluate(Unreachable("x"), tries, 99).retry_delay
        assert delay is not None
        assert low <= delay.total_seconds() <= high


def test_retry_after_is_the_floor_of_the_delay() -> None:
    delay = VendorRetryPolicy().evaluate(RateLimited("x", retry_after=1234.0), 1, 9).retry_delay
    assert delay is not None
    assert delay.total_seconds() == 1234


def test_a_job_that_goes_on_with_its_time_over_is_not_tried_again_in_vain() -> None:
    assert VendorRetryPolicy().evaluate(errors.JobTimedOut("x", goes_on=True), 1, 3).action is FAIL


@pytest.mark.parametrize("asked", [1771404540.0, 1771404540000.0, 1e15, 1e300, math.inf, -1e300, math.nan])
def test_the_next_try_is_one_that_airflow_can_compute(asked: float) -> None:
    """Airflow adds the delay to a date in the scheduler, where an overflow stops the whole run, in each loop anew."""
    delay = VendorRetryPolicy().evaluate(RateLimited("x", retry_after=asked), 1, 9).retry_delay
    assert delay is not None
    assert timedelta(0) < delay <= timedelta(hours=1)


def test_a_dag_with_the_policy_serialises() -> None:
    from airflow.sdk import DAG, BaseOperator
    from airflow.serialization.serialized_objects import DagSerialization

    with DAG("policy", schedule=None) as dag:
        BaseOperator(task_id="t", retry_policy=VendorRetryPolicy())
    restored = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    assert restored.get_task("t").has_retry_policy is True
    assert isinstance(VendorRetryPolicy.deserialize(VendorRetryPolicy().serialize()), VendorRetryPolicy)
