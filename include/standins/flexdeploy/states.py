"""The vocabularies of section 4: states of workflow requests, of executions and of tasks."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class State(StrEnum):
    """State of a workflow request (4.2)."""

    INITIATED = "INITIATED"
    PENDING_APPROVAL = "PENDING_APPROVAL"
    SCHEDULED = "SCHEDULED"
    READY = "READY"
    SUBMITTED = "SUBMITTED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    ABORTED = "ABORTED"
    REJECTED = "REJECTED"


FINAL: Final = frozenset({State.COMPLETED, State.FAILED, State.ABORTED, State.REJECTED})
"""States that a request never leaves."""


class Kind(StrEnum):
    """What a workflow request does; the value is the execution's ``workflowType``."""

    BUILD = "BUILD"
    DEPLOY = "DEPLOY"
    UTILITY = "UTILITY"


class ExecutionState(StrEnum):
    """State of an execution: another vocabulary, in mixed case (4.3). ``ABORTED`` is assumed."""

    RUNNING = "Running"
    SUCCESS = "Success"
    FAILURE = "Failure"
    ABORTED = "Aborted"


class TaskState(StrEnum):
    """State of an approval task or a scheduled task; all but ``PENDING`` are assumed."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"


class TaskKind(StrEnum):
    """Who has to approve: the environment's approver, or the window approver (4.4)."""

    ENVIRONMENT = "environment"
    WINDOW = "window"
