"""What is remembered of a task's job between attempts, and what a person may tell the task about it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any, Literal

import msgspec

from nightshift.jobs.state import ACTIVE, Intent, JobStatus, StateStore, TaskState

RECORD_KEY = "nightshift_job"
"""Key of the task state store that holds the :class:`JobRecord`."""
RESOLUTION_KEY = "nightshift_resolve"
"""Key of the task state store where a person says what to do (:class:`Resolution`)."""

TASKS_AT_WORK = frozenset(
    {"scheduled", "queued", "running", "restarting", "deferred", "awaiting_input", "up_for_retry", "up_for_reschedule"}
)
"""Airflow's states of a task that looks after its job, or will; of one in another state nobody does."""

_RETENTION = timedelta(days=90)


class Ending(StrEnum):
    """What the end of the job that is waited for means."""

    VERDICT = "verdict"
    """It is the answer."""
    AGAIN_IF_CANCELLED = "again_if_cancelled"
    """It is the answer, but a cancellation of ours was meant for the attempt before: make the job anew."""
    AGAIN = "again"
    """This job is in the way and only has to end before a new one is made."""


class JobRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A task's job, as its attempts hand it on through the task state store.

    One value under one key: a write replaces it whole, so that no reader sees half a change.

    :param intent: the latest intent; written before the vendor was asked.
    :param id: the vendor's id; None between the intent and the vendor's answer.
    :param refused: the vendor certainly did not take the request (refused, or it never got there).
    :param lost: the request has left, and its attempt knows that the answer was lost; without it an attempt may still
        be about to send it.
    :param unwanted: a person has said that none is wanted; a clear wants one again, a retry does not.
    :param named: a person named this job; whether it is this task's is looked at once more when it has ended.
    :param cancelled: an attempt of this task had the vendor end the job, and the vendor took it.
    :param done: our attempt has fetched the job's result and hands it to Airflow.
    :param max_tries: Airflow's ``max_tries`` of the latest attempt. A clear raises it; a retry does not.
    :param attempt: the latest attempt that took charge, and when it did.
    :param attempt_at: seconds since the epoch, moved on like ``anchor``.
    :param anchor: start of the working clock, seconds since the epoch: when the job was made, moved on by the time
        that it spent waiting for a person or a time.
    :param waiting_since: when the present wait for a person or a time began; None while the job works.
    :param ending: what the job's end means.
    :param status: the latest observation.
    :param urls: vendor page of each attempt, by try number.
    :param given_up: earlier intents that never became a job as far as anybody could see: what turns up of them after
        all is cancelled.
    """

    intent: Intent | None = None
    id: str | None = None
    refused: bool = False
    lost: bool = False
    unwanted: bool = False
    named: bool = False
    cancelled: bool = False
    done: bool = False
    max_tries: int = 0
    attempt: int = 1
    attempt_at: float = 0.0
    anchor: float = 0.0
    waiting_since: float | None = None
    ending: Ending = Ending.VERDICT
    status: JobStatus | None = None
    urls: dict[str, str] = {}
    given_up: list[Intent] = []

    @property
    def is_unanswered(self) -> bool:
        """Whether a job was asked for and no answer is known: there may be one, or none."""
        return self.intent is not None and self.id is None and not self.refused and not self.done

    @property
    def is_open(self) -> bool:
        """Whether there is a job that nobody has seen to end."""
        return self.id is not None and not self.done and (self.status is None or self.status.state in ACTIVE)

    def made(self) -> tuple[Intent, str]:
        """Give the intent and the id of a job that was made.

        :raises ValueError: none was.
        """
        if self.intent is None or self.id is None:
            raise ValueError("the record holds no job")
        return self.intent, self.id

    def changed(self, **changes: Any) -> JobRecord:
        """Return a copy with some fields replaced."""
        return msgspec.structs.replace(self, **changes)


class Resolution(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person's word on a job that could not be told apart: take this one, make a new one, or none.

    :param adopt: the vendor's id of the job that is this task's; taken only if the vendor's answer bears it out.
    :param resubmit: there is none; ask the vendor (again).
    :param over: whatever there was is over, and none is wanted; the task fails, and what it held back goes on.
    :param by: who says so.
    :param why: what was seen.
    """

    adopt: str | None = None
    resubmit: bool = False
    over: bool = False
    by: str = ""
    why: str = ""

    def __post_init__(self) -> None:
        if [bool(self.adopt), self.resubmit, self.over].count(True) != 1:
            raise ValueError('give one of {"adopt": "<id of the job>"}, {"resubmit": true} and {"over": true}')

    @property
    def kind(self) -> Literal["adopt", "resubmit", "over"]:
        """Which of the three it is."""
        return "adopt" if self.adopt else "resubmit" if self.resubmit else "over"


class JobStore:
    """The task state store, read and written as :class:`JobRecord`.

    Airflow ties a write to the attempt that makes it: once a newer attempt exists, a write of the older one fails.
    That is what keeps a worker that was given up from asking the vendor after its successor has taken over.

    :param store: ``context["task_state_store"]``.
    """

    def __init__(self, store: StateStore) -> None:
        self._resolution = TaskState(
            store,
            RESOLUTION_KEY,
            Resolution,
            advice="Nothing was asked of the vendor. Correct the value, then clear the task.",
        )
        self._record = TaskState(
            store,
            RECORD_KEY,
            JobRecord,
            advice="Nothing was asked of the vendor. Make sure that no job of this task runs there, delete that key, "
            "then clear the task.",
            retention=_RETENTION,
        )

    def load(self) -> JobRecord | None:
        """Read what earlier attempts left.

        :raises Rejected: it is there but is not ours or not of this version. Nothing is asked of the vendor then.
        """
        return self._record.load()

    def save(self, record: JobRecord) -> JobRecord:
        """Write the record, to be kept for 90 days after its last change."""
        return self._record.save(record)

    def resolution(self) -> Resolution | None:
        """Read what a person decided. A run's conf has no say: whoever may start a run could pass off any job as its
        own.

        :raises Rejected: it is there but says something else.
        """
        return self._resolution.load()

    def resolve(self, resolution: Resolution) -> None:
        """Decide in a person's place, where there is proof; through the same door."""
        self._resolution.save(resolution)

    def resolved(self) -> None:
        """Remove what a person decided, once it has been acted on."""
        self._resolution.forget()


def is_refused_to_this_attempt(error: BaseException) -> bool:
    """Tell whether Airflow refused a write because a newer attempt exists; any other error says nothing of that.

    Airflow answers 404: each attempt has an id of its own, and that of an attempt that was replaced is known no more.
    In a task the answer comes wrapped by the supervisor, elsewhere as the HTTP client raised it.
    """
    status = getattr(getattr(error, "response", None), "status_code", None)
    detail = getattr(getattr(error, "error", None), "detail", None)
    if status is None and isinstance(detail, Mapping):
        status = detail.get("status_code")
    return status in (404, 409, 410)
