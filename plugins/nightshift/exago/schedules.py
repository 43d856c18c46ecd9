"""Schedules: what state the server's own job of a scheduled report is in (Exago reference, section 4)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class JobStatus(StrEnum):
    """The vendor's words; one that is not known is waited on, never read as an end."""

    READY = "Ready"
    RUNNING = "Running"
    COMPLETED = "Completed"
    SUSPENDED = "Suspended"
    DELETED = "Deleted"
    ABENDED = "Abended"
    USER_ABORT = "UserAbort"
    TRANSMITTING = "Transmitting"
    REMOVED = "Removed"
    IMMEDIATE = "Immediate"
    TIMED_OUT = "Timedout"
    UNKNOWN = "unknown"

    @classmethod
    def of(cls, word: object) -> JobStatus:
        """Read the vendor's word, in any case of letters."""
        return next((one for one in cls if one.value.lower() == str(word).strip().lower()), cls.UNKNOWN)

    def is_final(self, *, user_abort_is_final: bool = False) -> bool:
        """Tell whether the job has ended.

        :param user_abort_is_final: whether ``UserAbort`` is an end; the reference does not say
        """
        return self in FINAL or (user_abort_is_final and self is JobStatus.USER_ABORT)


SUCCEEDED = frozenset({JobStatus.COMPLETED})
FINAL = SUCCEEDED | {
    JobStatus.SUSPENDED, JobStatus.DELETED, JobStatus.ABENDED, JobStatus.REMOVED, JobStatus.TIMED_OUT,
}  # fmt: skip
ACTIVE = frozenset({JobStatus.READY, JobStatus.RUNNING, JobStatus.TRANSMITTING, JobStatus.IMMEDIATE})

_STATUS_KEYS = ("jobstatus", "status", "state")


def status_of(schedule: Mapping[str, Any]) -> tuple[JobStatus, str]:
    """Return the status of a schedule, and the vendor's own word; the name of the field is not documented.

    :param schedule: as the server sends it
    """
    by_name = {name.lower(): value for name, value in schedule.items()}
    word = next((str(by_name[name]) for name in _STATUS_KEYS if by_name.get(name) not in (None, "")), "")
    return JobStatus.of(word), word
