"""The wait for one job: when to ask, what an answer means, and the one event that it comes to.

Pure but for the clock that is handed in. The same code runs on a worker (the short look before a deferral, or the whole
wait of a task that does not defer) and in the triggerer.
"""

from __future__ import annotations

import logging
from enum import StrEnum
from random import Random
from typing import Any

import msgspec

from nightshift.errors import AuthFailed, Forbidden, NotShown, VendorError
from nightshift.jobs.state import ACTIVE, TERMINAL, JobState, JobStatus, from_json, to_json
from nightshift.redaction import redact_quote, safe_url
from nightshift.retry_after import bounded

_JITTER = 0.2
_GROWTH = 0.25
_GONE_BELIEVED_AFTER = 30.0
"""Seconds for which the vendor has to say that there is no such job, poll after poll: right after a submit some do not
know it yet.
"""


class Phase(StrEnum):
    """Which clock runs."""

    WORKING = "working"
    PARKED = "parked"
    """The job waits for a person or a time."""


class WaitPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A wait, as it travels in a trigger: every time is absolute, so that a move to another triggerer changes nothing.

    :param started: when the job was made, seconds since the epoch; polls grow rarer with its age.
    :param deadline: when this wait is over, seconds since the epoch.
    :param phase: which clock the deadline belongs to. A change of phase ends the wait, so that the task can store it.
    :param first: seconds between the first polls.
    :param cap: seconds between polls at most.
    :param auth_grace: seconds for which refused credentials are tolerated (a token may be renewed meanwhile).
    :param gone_ends: "no such job" in the vendor's own words is an end
        (:attr:`nightshift.jobs.adapter.JobAdapter.gone_ends`);
        else it is a failed poll like any other.
    :param last: the state last logged, so that a new triggerer does not log it again.
    """

    job_id: str
    started: float
    deadline: float
    phase: Phase = Phase.WORKING
    first: float = 2.0
    cap: float = 60.0
    auth_grace: float = 600.0
    gone_ends: bool = True
    seed: int = 0
    last: str = ""

    def interval(self, now: float) -> float:
        """Seconds until the next poll, without jitter: a quarter of the job's age, between ``first`` and ``cap``.

        It depends on the job's age alone: a restart neither hurries a poll nor delays it.
        """
        return min(max((now - self.started) * _GROWTH, self.first), self.cap)


class LogLine(msgspec.Struct, frozen=True):
    """One line for the task's log; the poller has no task of its own to write it for."""

    level: int
    text: str


class Watch:
    """A wait in progress: fed with answers, it says when to ask next and, once, what the wait came to.

    :param now: seconds since the epoch.
    """

    def __init__(self, plan: WaitPlan, now: float) -> None:
        self.plan = plan
        self.event: JobEvent | None = None
        self.due = now
        self.status: JobStatus | None = None
        self._random = Random(plan.seed)  # noqa: S311 - spreads polls, guards nothing
        self._label = plan.last
        self._not_before = now
        self._refused_since: float | None = None
        self._gone_since: float | None = None
        self._hidden = False
        self._error = ""
        self._error_kind = ""
        self._polls = self._misses = 0
        self._plan_next(now, self._random.uniform(0.0, plan.interval(now)))

    @property
    def slack(self) -> float:
        """Seconds by which the next poll may come early to share a request with others."""
        return self.plan.interval(self.due) / 2

    def too_early(self, now: float) -> bool:
        """Whether the vendor has asked not to be called yet."""
        return now < self._not_before

    def see(self, status: JobStatus, now: float) -> list[LogLine]:
        """Take an answer in; return the lines that it is worth."""
        if status.state is JobState.GONE and not self.plan.gone_ends:
            return self.miss(NotShown("the vendor says that it has no such job", detail=status.detail), now)
        self._polls += 1
        lines = []
        if self._error_kind:
            lines.append(LogLine(logging.INFO, f"Job {self.plan.job_id}: the vendor answers again."))
        self._error = self._error_kind = ""
        self._refused_since = None
        self._hidden = status.state is JobState.GONE
        if status.state is JobState.GONE and not self._gone_for_good(now):
            self._wait_on(now, None)
            return lines
        if status.state is not JobState.GONE:
            self._gone_since = None
        self.status = status
        if (label := status.label()) != self._label:
            lines.append(self._change(label, status, now))
            self._label = label
        self._judge(status, now)
        return lines

    def miss(self, error: BaseException, now: float) -> list[LogLine]:
        """Take a failed poll in. It says nothing about the job: only time ends the wait."""
        self._misses += 1
        self._gone_since = None
        self._hidden = self._hidden or isinstance(error, NotShown)
        kind = type(error).__name__
        # The advice of an error is for a task that has failed because of it; this one goes on.
        plain = error.replaced(advice="") if isinstance(error, VendorError) else error
        self._error = redact_quote(f"{kind}: {plain}")[:500]
        lines = []
        if kind != self._error_kind:
            left = max(0, int(self.plan.deadline - now))
            text = f"a poll failed ({self._error}); the job is not touched, polls go on for {left} s."
            lines.append(LogLine(logging.WARNING, f"Job {self.plan.job_id}: {text}"))
            self._error_kind = kind
        if isinstance(error, AuthFailed | Forbidden):
            self._refused_since = now if self._refused_since is None else self._refused_since
            # Another failure does not end a refusal: only an answer does.
            if now - self._refused_since >= self.plan.auth_grace:
                self._end(EventKind.REFUSED, now)
                return lines
        self._wait_on(now, error.retry_after if isinstance(error, VendorError) else None)
        return lines

    def _judge(self, status: JobStatus, now: float) -> None:
        if status.state in TERMINAL:
            self._end(EventKind.ENDED, now)
        elif self.plan.phase is Phase.WORKING and status.state is JobState.WAITING:
            self._end(EventKind.PARKED, now)
        elif self.plan.phase is Phase.PARKED and status.state in ACTIVE - {JobState.WAITING, JobState.UNKNOWN}:
            self._end(EventKind.MOVED, now)
        else:
            self._wait_on(now, status.retry_after)

    def _wait_on(self, now: float, retry_after: float | None) -> None:
        if now >= self.plan.deadline:
            self._end(self._too_late(), now)
            return
        interval = self.plan.interval(now)
        # However long the vendor wants to rest, it is asked once more before the wait is over: the job may have ended.
        self._not_before = min(now + bounded(retry_after or 0.0), self.plan.deadline - interval)
        self._plan_next(now, interval * self._random.uniform(1 - _JITTER, 1 + _JITTER))

    def _plan_next(self, now: float, delay: float) -> None:
        # The last poll falls on the deadline itself: a job that has ended by then is a job done, not a time-out.
        self.due = min(max(now + delay, self._not_before), max(self.plan.deadline, now))

    def _gone_for_good(self, now: float) -> bool:
        self._gone_since = now if self._gone_since is None else self._gone_since
        return now - self._gone_since >= _GONE_BELIEVED_AFTER

    def _too_late(self) -> EventKind:
        if self._refused_since is not None:
            # Whoever reads of a time-out would look at the job; it is the connection that has to be put right.
            return EventKind.REFUSED
        return EventKind.NOT_SHOWN if self._hidden else EventKind.TIMED_OUT

    def _change(self, label: str, status: JobStatus, now: float) -> LogLine:
        waited = max(0, int(now - self.plan.started))
        parts = [f"Job {self.plan.job_id}: {self._label or 'submitted'} -> {label} after {waited} s"]
        if status.detail:
            parts.append(redact_quote(status.detail)[:300])
        if status.url:
            parts.append(safe_url(status.url))
        if status.state is not JobState.UNKNOWN:
            return LogLine(logging.INFO, "; ".join(parts))
        parts.append(f"the state {status.vendor_state!r} is not known here, it is waited on")
        return LogLine(logging.WARNING, "; ".join(parts))

    def _end(self, kind: EventKind, now: float) -> None:
        self.event = JobEvent(
            kind=kind,
            job_id=self.plan.job_id,
            at=now,
            status=self.status,
            error=self._error,
            polls=self._polls,
            misses=self._misses,
        )


class EventKind(StrEnum):
    """Why a wait came back."""

    ENDED = "ended"
    """The job has ended, well or not: ``status`` says."""
    PARKED = "parked"
    """The job now waits for a person or a time; the working clock stops."""
    MOVED = "moved"
    """The job works again; the working clock goes on."""
    TIMED_OUT = "timed_out"
    """The deadline of this wait has passed."""
    NOT_SHOWN = "not_shown"
    """The deadline of this wait has passed, and the vendor does not show the job: nobody knows whether it was done."""
    REFUSED = "refused"
    """The vendor has refused our credentials for too long. The job itself may be healthy."""


class JobEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a wait came to.

    :param at: when, seconds since the epoch.
    :param status: the last observation; None if no poll ever succeeded.
    :param error: the last failed poll, in words, if the last poll failed.
    :param polls: polls of this wait that were answered.
    """

    kind: EventKind
    job_id: str
    at: float
    status: JobStatus | None = None
    error: str = ""
    polls: int = 0
    misses: int = 0

    def __post_init__(self) -> None:
        if self.kind in (EventKind.ENDED, EventKind.PARKED, EventKind.MOVED) and self.status is None:
            raise ValueError(f"an event of kind {self.kind} needs a status")
        if self.status is not None and self.status.id != self.job_id:
            raise ValueError(f"the status of job {self.status.id} came with an event of job {self.job_id}")
        if self.kind is EventKind.ENDED and self.status is not None and self.status.state not in TERMINAL:
            raise ValueError(f"an ended job cannot be {self.status.state}")

    @property
    def seen(self) -> JobStatus:
        """The observation that came with it.

        :raises ValueError: there is none; never so for a job that has ended.
        """
        if self.status is None:
            raise ValueError(f"the event of job {self.job_id} came without a status")
        return self.status

    def to_event(self) -> dict[str, Any]:
        """Turn it into the payload of a ``TriggerEvent``."""
        return to_json(self)

    @classmethod
    def from_event(cls, payload: object) -> JobEvent:
        """Read the payload that a resumed task is given.

        :raises ValueError: it is no event of ours, or contradicts itself.
        """
        return from_json(cls, payload)
