"""The words of FlexDeploy: states of a workflow request, versions of the API, what a task came to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

from nightshift.errors import Rejected
from nightshift.flexdeploy.source import FLEXDEPLOY
from nightshift.jobs.state import JobState

VENDOR = FLEXDEPLOY.name
DEFAULT_CONN = FLEXDEPLOY.default_connection
ADAPTER = "nightshift.flexdeploy.adapter.FlexDeployAdapter"
"""Named, not imported: a DAG is parsed without an HTTP client."""


class ApiVersion(StrEnum):
    """Generations of the API that are spoken here (FlexDeploy reference, section 1.2)."""

    V1 = "v1"
    V2 = "v2"
    """Used where the reference knows a path of it; v1 everywhere else."""


class Work(StrEnum):
    """What a project can be asked for."""

    BUILD = "build"
    DEPLOY = "deploy"
    EXECUTE = "execute"


class WorkOutcome(StrEnum):
    """What a task came to, when it came to a good end."""

    BUILT = "built"
    NO_CHANGES = "no_changes"
    """Nothing has changed since the last build; nothing was started."""
    DEPLOYED = "deployed"
    ALREADY_DEPLOYED = "already_deployed"
    """The version is there already; nothing was started."""
    EXECUTED = "executed"


DONE: Mapping[Work, WorkOutcome] = {
    Work.BUILD: WorkOutcome.BUILT,
    Work.DEPLOY: WorkOutcome.DEPLOYED,
    Work.EXECUTE: WorkOutcome.EXECUTED,
}
NOTHING_STARTED: Mapping[Work, WorkOutcome] = {
    Work.BUILD: WorkOutcome.NO_CHANGES,
    Work.DEPLOY: WorkOutcome.ALREADY_DEPLOYED,
}
"""What an answer of 200 means; a utility run has no such answer."""


class RequestState(StrEnum):
    """Where a workflow request stands (FlexDeploy reference, section 4.2)."""

    INITIATED = "INITIATED"
    PENDING_APPROVAL = "PENDING_APPROVAL"
    """A person has to approve it; that can take days."""
    SCHEDULED = "SCHEDULED"
    """It runs later: it has a start time, or the deployment window is closed."""
    READY = "READY"
    SUBMITTED = "SUBMITTED"
    """Handed to execution; work in progress still shows this."""
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    ABORTED = "ABORTED"
    """A user ended it while it ran."""
    REJECTED = "REJECTED"
    """An approval was rejected, or the scheduled task was cancelled; it never ran."""
    UNKNOWN = "UNKNOWN"
    """A word that is not known here. Waited on and reported by name, never read as an end."""

    @classmethod
    def of(cls, text: str) -> RequestState:
        """Read the vendor's word, whatever its letter case and whether it has blanks or underscores."""
        plain = "_".join(text.replace("-", " ").replace("_", " ").upper().split())
        return next((one for one in cls if one.value == plain), cls.UNKNOWN)


WAITING = frozenset({RequestState.PENDING_APPROVAL, RequestState.SCHEDULED})
SUCCEEDED = frozenset({RequestState.COMPLETED})
FAILED = frozenset({RequestState.FAILED, RequestState.ABORTED, RequestState.REJECTED})
ENDED = SUCCEEDED | FAILED
ACTIVE = frozenset(RequestState) - ENDED

JOB_STATES: Mapping[RequestState, JobState] = {
    RequestState.INITIATED: JobState.QUEUED,
    RequestState.PENDING_APPROVAL: JobState.WAITING,
    RequestState.SCHEDULED: JobState.WAITING,
    RequestState.READY: JobState.QUEUED,
    RequestState.SUBMITTED: JobState.RUNNING,
    RequestState.COMPLETED: JobState.SUCCEEDED,
    RequestState.FAILED: JobState.FAILED,
    RequestState.ABORTED: JobState.CANCELLED,
    # A person's no, also where we have rejected it for a person: nobody can tell the two apart.
    RequestState.REJECTED: JobState.FAILED,
    RequestState.UNKNOWN: JobState.UNKNOWN,
}


_PART = re.compile(r"\d+ ([A-Za-z][A-Za-z _-]*)")


def in_one_word(states: str) -> str:
    """Return how a job ended in one word, where its state tells that of each workflow request: failed where one failed;
    rejected where all were, so that nothing ran; else aborted: people ended it in part. Any other text as it is.

    >>> in_one_word("12009 FAILED, 12010 REJECTED"), in_one_word("12009 COMPLETED, 12010 REJECTED"), in_one_word("FAILED")
    ('failed', 'aborted', 'FAILED')
    """
    parts = [_PART.fullmatch(part) for part in states.split(", ")]
    found = {RequestState.of(part[1]) for part in parts if part is not None}
    if None in parts or not found <= ENDED:
        return states
    if len(found) > 1:
        found = {RequestState.FAILED} & found or {RequestState.ABORTED}
    return found.pop().lower()


def broken(field: str, problem: str, advice: str = "") -> Rejected:
    """Return the error for a parameter that FlexDeploy would not understand, or would understand wrong.

    :param problem: what is wrong with it, as the rest of a sentence
    """
    return Rejected(
        f"{field} {problem}",
        vendor=VENDOR,
        advice=f"Nothing was sent. {advice or 'Correct this parameter of the task, then clear the task.'}",
    )
