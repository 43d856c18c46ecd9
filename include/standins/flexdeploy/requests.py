"""Workflow requests and what belongs to them, executions, approval tasks, a scheduled task; and the vocabularies of
their states (section 4).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from include.standins.flexdeploy.site import Environment, Instance, Project, Version


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


@dataclass(frozen=True)
class Plan:
    """How the run of a request is going to go.

    :param seconds: how long it takes, over all instances
    :param fails_after: it fails on the instance after so many that went well; ``None``: it does not
    :param message: what the execution says when it fails
    :param aborted_after: a user aborts it after so many seconds of its run; ``None``: nobody does
    """

    seconds: float
    fails_after: int | None = None
    message: str = ""
    aborted_after: float | None = None


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a client, or a user, asked for, read and found to be possible.

    :param version: the one that a build fills, a deploy brings, or a utility project has
    :param package: name of the package; ``None``: the project is not partial, or all its files
    :param start: not before that time; ``start_text``: as it was given
    :param tickets: of the issue tracker (build) or of change management (deploy)
    :param snapshot: id of the snapshot for which it builds, of ``release``
    """

    kind: Kind
    project: Project
    environment: Environment
    instances: tuple[Instance, ...]
    version: Version
    plan: Plan
    user: str
    package: str | None = None
    all_files: bool = False
    force: bool = False
    exception_to_window: bool = False
    start: datetime | None = None
    start_text: str | None = None
    override: str | None = None
    inputs: tuple[dict[str, Any], ...] = ()
    flex_fields: tuple[dict[str, Any], ...] = ()
    tickets: tuple[str, ...] = ()
    release: int | None = None
    snapshot: int | None = None

    def detail(self) -> dict[str, Any]:
        return {
            "project": self.project.id,
            "projectName": self.project.name,
            "stream": self.version.stream,
            "environment": self.environment.id,
            "environmentCode": self.environment.code,
            "instances": [one.id for one in self.instances],
            "version": self.version.id,
            "versionName": self.version.name,
            "revision": self.version.revision,
            "package": self.package,
            "allFiles": self.all_files,
            "force": self.force,
            "exceptionToWindow": self.exception_to_window,
            "startTime": self.start_text,
            "workflowVersion": self.override,
            "inputs": list(self.inputs),
            "flexFields": list(self.flex_fields),
            "tickets": list(self.tickets),
            "release": self.release,
            "snapshot": self.snapshot,
            "user": self.user,
        }


@dataclass
class Execution:
    """The run of a request on one instance."""

    id: int
    request: int
    instance: Instance
    start: datetime
    state: ExecutionState = ExecutionState.RUNNING
    end: datetime | None = None
    messages: list[str] = field(default_factory=list)
    aborted_by: str | None = None
    aborted_on: datetime | None = None


@dataclass
class Task:
    """An approval task, or the scheduled task (``date`` is set) of a request."""

    id: int
    request: WorkflowRequest
    kind: TaskKind = TaskKind.ENVIRONMENT
    state: TaskState = TaskState.PENDING
    date: datetime | None = None
    external_id: str | None = None
    decided_by: str | None = None


@dataclass
class WorkflowRequest:
    """A request and where it is in its life."""

    id: int
    wanted: Wanted
    made: datetime
    state: State = State.INITIATED
    executions: list[Execution] = field(default_factory=list)
    approvals: list[Task] = field(default_factory=list)
    schedules: list[Task] = field(default_factory=list)
    at_once: bool = False
    """A user ran the scheduled task: neither start time nor window count any more."""
    ended: datetime | None = None
    turn: int = 0
    """Counts the changes of state; an event that was meant for an earlier one is void."""

    @property
    def final(self) -> bool:
        return self.state in FINAL

    def open_tasks(self) -> list[Task]:
        return [task for task in (*self.approvals, *self.schedules) if task.state is TaskState.PENDING]
