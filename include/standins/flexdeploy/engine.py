"""The life of workflow requests (section 4): what happens when, played up to the time at which somebody looks.

Nothing here sleeps. :meth:`Engine.settle` plays every event up to a time, in order and each at its own time, so that a
clock that was moved by a night leaves the same traces as a night that passed.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import Any, Final, Protocol

from include.standins.flexdeploy.requests import (
    FINAL,
    Execution,
    ExecutionState,
    Kind,
    State,
    Task,
    TaskKind,
    TaskState,
    Wanted,
    WorkflowRequest,
)
from include.standins.flexdeploy.running import Running
from include.standins.flexdeploy.site import Site
from include.standins.flexdeploy.switches import FlexDeploySwitches, Window


def next_opening(window: Window, at: datetime) -> datetime:
    """Return the first time, not before ``at``, at which a window is open; ``at`` itself where it is open then.

    :param at: aware, UTC
    """
    opens, closes = time.fromisoformat(window.opens), time.fromisoformat(window.closes)
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    for ahead in range(-1, 8):
        day = midnight + timedelta(days=ahead)
        if window.days and day.isoweekday() not in window.days:
            continue
        begins = _on(day, opens)
        ends = _on(day if closes > opens else day + timedelta(days=1), closes)
        if at < ends:
            return max(at, begins)
    raise ValueError(f"the window {window} never opens")


def _on(day: datetime, clock: time) -> datetime:
    return day.replace(hour=clock.hour, minute=clock.minute)


class Sink(Protocol):
    """Takes what was done into the ledger."""

    def __call__(self, kind: str, key: str, /, **detail: Any) -> None:
        """Write an effect."""


_MADE: Final = {Kind.BUILD: "build_made", Kind.DEPLOY: "deploy_made", Kind.UTILITY: "utility_run"}
Step = Callable[[datetime], None]
SOMEBODY = "fdadmin"
"""Who approves where the switch ``approve_after`` says so, and who aborts where a fault does."""


class Engine:
    """All requests and the events that wait; guarded by the stand-in's lock.

    :param site: whose versions are built
    :param running: what a deploy changes
    :param switches: returns the switches as they are
    :param sink: takes effects
    """

    def __init__(self, site: Site, running: Running, switches: Callable[[], FlexDeploySwitches], sink: Sink) -> None:
        self._site = site
        self._running = running
        self._switches = switches
        self._sink = sink
        self._events: list[tuple[datetime, int, WorkflowRequest, int, Step]] = []
        self._order = itertools.count()
        self._request_ids = itertools.count(switches().first_request_id)
        self._ids = itertools.count(50001)
        self._queue: list[WorkflowRequest] = []
        self._at_work: set[int] = set()
        self.requests: dict[int, WorkflowRequest] = {}
        self.executions: dict[int, Execution] = {}
        self.approvals: dict[int, Task] = {}
        self.schedules: dict[int, Task] = {}

    def new_id(self) -> int:
        """Return an id for a task, an execution or a snapshot."""
        return next(self._ids)

    def submit(self, wanted: Wanted, now: datetime) -> WorkflowRequest:
        request = WorkflowRequest(next(self._request_ids), wanted, now)
        self.requests[request.id] = request
        self._sink(_MADE[wanted.kind], str(request.id), **wanted.detail())
        waits = self._switches().initiated_seconds
        if waits > 0:
            self._later(request, now + timedelta(seconds=waits), lambda at: self._gates(request, at))
        else:
            self._gates(request, now)
        return request

    def settle(self, now: datetime) -> None:
        while self._events and self._events[0][0] <= now:
            at, _, request, turn, step = heapq.heappop(self._events)
            if request.turn == turn:
                step(at)
        self._fill(now)

    # What users do.

    def decide(self, task: Task, *, approve: bool, by: str, now: datetime) -> None:
        task.state = TaskState.APPROVED if approve else TaskState.REJECTED
        task.decided_by = by
        self._sink("approval_decided", str(task.id), request=task.request.id, decision=task.state.value, by=by)
        if not approve:
            self._end(task.request, State.REJECTED, now)
        elif all(other.state is TaskState.APPROVED for other in task.request.approvals):
            self._time(task.request, now)

    def cancel(self, task: Task, *, by: str, now: datetime) -> None:
        """Cancel a scheduled task that is pending: the request is REJECTED."""
        task.state, task.decided_by = TaskState.CANCELLED, by
        self._sink("schedule_cancelled", str(task.id), request=task.request.id, by=by)
        self._end(task.request, State.REJECTED, now)

    def run(self, task: Task, *, by: str, now: datetime) -> None:
        """Run a scheduled task that is pending, at once."""
        task.state, task.decided_by = TaskState.COMPLETED, by
        task.request.at_once = True
        self._sink("schedule_run", str(task.id), request=task.request.id, by=by)
        self._time(task.request, now)

    def abort(self, request: WorkflowRequest, *, by: str, now: datetime) -> None:
        """Abort a request that is not over; what its run has done so far stays done."""
        self._sink("request_aborted", str(request.id), by=by, state=request.state.value)
        for execution in request.executions:
            if execution.state is ExecutionState.RUNNING:
                execution.state, execution.end = ExecutionState.ABORTED, now
                execution.aborted_by, execution.aborted_on = by, now
                execution.messages.append(f"Aborted by {by}.")
        self._end(request, State.ABORTED, now)

    # The way to the run.

    def _gates(self, request: WorkflowRequest, at: datetime) -> None:
        """Open the approval tasks, or go on."""
        switches, wanted = self._switches(), request.wanted
        gated = wanted.kind is not Kind.BUILD
        kinds = [TaskKind.ENVIRONMENT] * (switches.approvals.get(wanted.environment.code, 0) if gated else 0)
        if gated and wanted.exception_to_window and self._opening(request, at) > at:
            kinds.append(TaskKind.WINDOW)
        if not kinds:
            return self._time(request, at)
        outside = wanted.tickets or ("CHG0000001",)
        for kind in kinds:
            task = Task(self.new_id(), request, kind, external_id=outside[0] if switches.external_approvals else None)
            request.approvals.append(task)
            self.approvals[task.id] = task
        self._move(request, State.PENDING_APPROVAL)
        if switches.approve_after is not None:
            when = at + timedelta(seconds=switches.approve_after)
            self._later(request, when, lambda then: self._approve_all(request, then))
        return None

    def _approve_all(self, request: WorkflowRequest, at: datetime) -> None:
        for task in request.approvals:
            if task.state is TaskState.PENDING:
                self.decide(task, approve=True, by=SOMEBODY, now=at)

    def _time(self, request: WorkflowRequest, at: datetime) -> None:
        """Wait for the start time and the window, or be ready."""
        due = self._due(request, at)
        for task in request.schedules:
            if task.state is TaskState.PENDING:
                task.state = TaskState.COMPLETED
        if due <= at:
            self._move(request, State.READY)
            ready = at + timedelta(seconds=self._switches().ready_seconds)
            return self._later(request, ready, lambda then: self._enqueue(request, then))
        task = Task(self.new_id(), request, date=due)
        request.schedules.append(task)
        self.schedules[task.id] = task
        self._move(request, State.SCHEDULED)
        return self._later(request, due, lambda then: self._time(request, then))

    def _due(self, request: WorkflowRequest, at: datetime) -> datetime:
        wanted = request.wanted
        if request.at_once:
            return at
        due = max(at, wanted.start) if wanted.start else at
        return due if wanted.kind is Kind.BUILD or wanted.exception_to_window else self._opening(request, due)

    def _opening(self, request: WorkflowRequest, at: datetime) -> datetime:
        window = self._switches().windows.get(request.wanted.environment.code)
        return next_opening(window, at) if window else at

    # The queue and the run.

    def _enqueue(self, request: WorkflowRequest, at: datetime) -> None:
        self._queue.append(request)
        self._fill(at)

    def _fill(self, at: datetime) -> None:
        """Give free threads to those who wait: higher environments first, then priorities, then in order (4.4)."""
        switches = self._switches()
        if not self._queue or len(self._at_work) >= switches.threads:
            return
        self._queue.sort(key=lambda one: (-one.wanted.environment.sort, one.wanted.project.priority, one.id))
        for request in list(self._queue):
            if len(self._at_work) >= switches.threads:
                return
            self._queue.remove(request)
            self._begin(request, at)

    def _begin(self, request: WorkflowRequest, at: datetime) -> None:
        plan = request.wanted.plan
        self._at_work.add(request.id)
        self._move(request, State.SUBMITTED)
        share = timedelta(seconds=plan.seconds / len(request.wanted.instances))
        self._on_instance(request, 0, share, at)
        if plan.aborted_after is not None:
            when = at + timedelta(seconds=plan.aborted_after)
            self._later(request, when, lambda then: self.abort(request, by=SOMEBODY, now=then))

    def _on_instance(self, request: WorkflowRequest, number: int, share: timedelta, at: datetime) -> None:
        instance = request.wanted.instances[number]
        execution = Execution(self.new_id(), request.id, instance, at)
        execution.messages.append(
            f"{request.wanted.kind.value} of {request.wanted.version.name} on {instance.code} started."
        )
        request.executions.append(execution)
        self.executions[execution.id] = execution
        self._later(request, at + share, lambda then: self._instance_done(request, number, share, then))

    def _instance_done(self, request: WorkflowRequest, number: int, share: timedelta, at: datetime) -> None:
        wanted, execution = request.wanted, request.executions[number]
        execution.end = at
        if wanted.plan.fails_after is not None and number >= min(wanted.plan.fails_after, len(wanted.instances) - 1):
            execution.state = ExecutionState.FAILURE
            execution.messages.append(wanted.plan.message)
            return self._end(request, State.FAILED, at)
        execution.state = ExecutionState.SUCCESS
        execution.messages.append(f"{wanted.kind.value} on {execution.instance.code} ended well.")
        if wanted.kind is Kind.DEPLOY:
            self._went_live(request, execution)
        if number + 1 < len(wanted.instances):
            return self._on_instance(request, number + 1, share, at)
        return self._end(request, State.COMPLETED, at)

    def _went_live(self, request: WorkflowRequest, execution: Execution) -> None:
        wanted = request.wanted
        live = self._running.put(
            wanted.project,
            wanted.environment,
            execution.instance,
            wanted.version,
            package=wanted.package,
            request=request.id,
        )
        self._sink(
            "version_live",
            live.environment_code,
            project=live.project,
            projectName=live.project_name,
            environment=live.environment,
            instance=live.instance,
            instanceCode=live.instance_code,
            package=live.package,
            version=live.version,
            versionName=live.version_name,
            request=request.id,
        )

    # The end.

    def _end(self, request: WorkflowRequest, state: State, at: datetime) -> None:
        request.ended = at
        for task in request.open_tasks():
            task.state = TaskState.CANCELLED
        version = request.wanted.version
        if request.wanted.kind is Kind.BUILD:
            version.built = version.active = state is State.COMPLETED
        if request in self._queue:
            self._queue.remove(request)
        self._at_work.discard(request.id)
        self._move(request, state)
        self._fill(at)

    def _move(self, request: WorkflowRequest, state: State) -> None:
        request.turn += 1
        request.state = state
        wanted = request.wanted
        self._sink("request_moved", str(request.id), status=state.value)
        if state in FINAL:
            self._sink(
                "request_ended",
                str(request.id),
                status=state.value,
                type=wanted.kind.value,
                project=wanted.project.id,
                environment=wanted.environment.id,
                version=wanted.version.id,
                versionName=wanted.version.name,
            )

    def _later(self, request: WorkflowRequest, at: datetime, step: Step) -> None:
        heapq.heappush(self._events, (at, next(self._order), request, request.turn, step))
