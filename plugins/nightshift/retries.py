"""What Airflow does with a failed attempt: a wrong password fails at once, a 503 comes back later."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

from airflow.sdk import RetryPolicy
from airflow.sdk.definitions.retry_policy import RetryAction, RetryDecision

from nightshift.errors import (
    Ambiguous,
    AuthFailed,
    BadResponse,
    Forbidden,
    JobFailed,
    JobTimedOut,
    NotFound,
    RateLimited,
    Rejected,
    Unreachable,
    VendorError,
)
from nightshift.lake.errors import Contended, Incomplete, LakeError, PageTaken, UnfitStore

HOPELESS = (AuthFailed, Forbidden, NotFound, Rejected, Ambiguous, JobFailed)
PASSING = (RateLimited, Unreachable, BadResponse)
PASSING_IN_LAKE = (Contended, Incomplete, PageTaken)

FIRST_DELAY = 10.0
LONGEST_DELAY = 600.0
CAN_RESCHEDULE = hasattr(RetryAction, "RESCHEDULE")
"""Whether this Airflow runs a task again without using one of its tries: from 3.4 on."""
RESCHEDULE_DELAY = 120.0
PATIENCE = timedelta(hours=1)


class VendorRetryPolicy(RetryPolicy):
    """Decides by the type of a :class:`~nightshift.errors.VendorError` whether and when a task tries again.

    What a person must put right (credentials, permission, a wrong parameter, an ambiguous submit, a failed job, a job
    that goes on after its time) fails at once, with the advice as the reason in the log; so does a landed night that
    cannot be published (a value that does not cast, a failed check, a changed schema), because the same bytes would
    fail again. What passes by itself is retried after the longer of the vendor's Retry-After and an exponential delay
    with jitter: 10 s, doubled each try, 10 minutes at most. Where Airflow can (3.4), a vendor that asks to come back
    later (429) costs no try: the task comes back every two minutes for an hour before tries are used.
    Everything else is left to the task's own settings. It shortens a task's ``retries`` but never extends them.
    """

    def evaluate(self, exception: BaseException, try_number: int, max_tries: int, context: Any = None) -> RetryDecision:
        """Return the decision for one failed attempt; ``try_number`` counts from 1."""
        # What may be either is tried again: a page where a service should answer is "not there" or "restarting".
        if (isinstance(exception, HOPELESS) and not isinstance(exception, PASSING)) or (
            isinstance(exception, JobTimedOut) and exception.goes_on
        ):
            return RetryDecision.fail(reason=f"{type(exception).__name__}: {_advice(exception)}")
        if isinstance(exception, PASSING):
            if CAN_RESCHEDULE and isinstance(exception, RateLimited) and exception.status is not None:
                return _later(exception)
            delay = delay_of(exception, try_number)
            return RetryDecision.retry(delay=delay, reason=_outlook(exception, try_number, max_tries, delay))
        if isinstance(exception, UnfitStore):
            return RetryDecision.fail(reason=str(exception))
        if isinstance(exception, LakeError) and not isinstance(exception, PASSING_IN_LAKE):
            return RetryDecision.fail(
                reason=f"{type(exception).__name__}: the landed night would give the same again. Do what the message "
                "says, then clear this task."
            )
        return RetryDecision.default()

    def serialize(self) -> dict[str, Any]:
        """Return the policy as JSON; it has no settings."""
        return {"__type": f"{type(self).__module__}.{type(self).__qualname__}"}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> VendorRetryPolicy:
        """Return the policy that :meth:`serialize` described."""
        return cls()


def delay_of(error: VendorError, try_number: int) -> timedelta:
    """Return how long to wait after a failed try, counted from 1."""
    longest = min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(max(0, try_number - 1), 16))
    jittered = longest * random.uniform(0.5, 1.0)  # noqa: S311  # spreads tasks that failed together; no secret
    return timedelta(seconds=max(error.retry_after or 0.0, jittered))


def _later(error: VendorError) -> RetryDecision:
    seconds = max(error.retry_after or 0.0, RESCHEDULE_DELAY * random.uniform(0.5, 1.0))  # noqa: S311  # no secret
    reason = (
        f"{type(error).__name__}, status {error.status}; the task comes back by itself in {seconds:.0f} s, for an hour "
        f"without using a try. If the last try ends like this: {_advice(error)}"
    )
    decision: RetryDecision = RetryDecision.reschedule(
        delay=timedelta(seconds=seconds), reschedule_timeout=PATIENCE, reason=reason
    )
    return decision


def _outlook(error: VendorError, try_number: int, max_tries: int, delay: timedelta) -> str:
    """Say what comes next: only here it is known whether another try does."""
    kind, tries = type(error).__name__, max_tries + 1
    if try_number > max_tries:
        return f"{kind} in the last of {tries} tries. {_advice(error)}"
    return (
        f"{kind} in try {try_number} of {tries}; the task tries again by itself in {delay.total_seconds():.0f} s. "
        f"If the last try ends like this: {_advice(error)}"
    )


def _advice(error: VendorError) -> str:
    return error.advice or error.problem
