"""The one event that a trigger fires: all that its task needs to go on."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from nightshift.jobs.state import TERMINAL, JobStatus, from_json, to_json


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

    :param kind: why it came back.
    :param job_id: the job that was waited for.
    :param at: when, seconds since the epoch.
    :param status: the last observation; None if no poll ever succeeded.
    :param error: the last failed poll, in words, if the last poll failed.
    :param polls: polls of this wait that were answered.
    :param misses: polls of this wait that failed.
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
