"""Approval tasks and scheduled tasks: the only way to stop what has not run yet (3.8, 4.4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from include.standins.calls import Call, Reply, Route
from include.standins.flexdeploy import shown
from include.standins.flexdeploy.asking import Asking
from include.standins.flexdeploy.requests import Task
from include.standins.flexdeploy.states import TaskState

if TYPE_CHECKING:
    from include.standins.flexdeploy.server import FlexDeployStandIn


class TaskApi:
    """Handlers of tasks.

    :param vendor: the stand-in
    :param asking: its lookups
    """

    def __init__(self, vendor: FlexDeployStandIn, asking: Asking) -> None:
        self._vendor = vendor
        self._asking = asking

    def routes(self) -> Sequence[Route]:
        """Return the operations, those with an assumed path where the switches have them."""
        served, switches = self._vendor.served, self._vendor.switches
        routes = [
            Route("GET", "/rest/v1/tasks/approval", served(self.approvals)),
            Route("GET", "/rest/v1/tasks/approval/{taskId}", served(self.approval)),
            Route("PUT", "/rest/v1/tasks/approval/reject/{taskId}", served(self._decide(approve=False))),
            Route("GET", "/rest/v1/tasks/scheduled", served(self.schedules)),
            Route("GET", "/rest/v1/tasks/scheduled/{taskId}", served(self.schedule)),
        ]
        if switches.approve_path:
            routes.append(Route("PUT", switches.approve_path, served(self._decide(approve=True))))
        for path, handler in ((switches.run_path, self.run), (switches.cancel_path, self.cancel)):
            if path:
                routes += [Route(method, path, served(handler)) for method in ("PUT", "POST")]
        return routes

    def approvals(self, call: Call) -> Reply:
        """List approval tasks; without a filter all of them."""
        switches = self._vendor.switches
        return self._vendor.listed(
            call, [shown.approval(task, switches) for task in self._vendor.engine.approvals.values()]
        )

    def approval(self, call: Call) -> Reply:
        """Show an approval task."""
        return Reply.json(200, shown.approval(self._task(call, self._vendor.engine.approvals), self._vendor.switches))

    def _decide(self, *, approve: bool) -> Callable[[Call], Reply]:
        def decide(call: Call) -> Reply:
            """Approve or reject."""
            vendor = self._vendor
            task = self._pending(call, vendor.engine.approvals)
            if task.external_id:
                raise self._asking.refused(400, f"Task [{task.id}] is decided in the external system.")
            vendor.engine.decide(task, approve=approve, by=call.user or "", now=vendor.clock.now())
            return Reply.json(200, shown.approval(task, vendor.switches))

        return decide

    def schedules(self, call: Call) -> Reply:
        """List scheduled tasks."""
        switches = self._vendor.switches
        return self._vendor.listed(
            call, [shown.schedule(task, switches) for task in self._vendor.engine.schedules.values()]
        )

    def schedule(self, call: Call) -> Reply:
        """Show a scheduled task."""
        return Reply.json(200, shown.schedule(self._task(call, self._vendor.engine.schedules), self._vendor.switches))

    def run(self, call: Call) -> Reply:
        """Run a scheduled task now."""
        task = self._pending(call, self._vendor.engine.schedules)
        self._vendor.engine.run(task, by=call.user or "", now=self._vendor.clock.now())
        return Reply.json(200, shown.schedule(task, self._vendor.switches))

    def cancel(self, call: Call) -> Reply:
        """Cancel a scheduled task."""
        task = self._pending(call, self._vendor.engine.schedules)
        self._vendor.engine.cancel(task, by=call.user or "", now=self._vendor.clock.now())
        return Reply.json(200, shown.schedule(task, self._vendor.switches))

    def _task(self, call: Call, tasks: dict[int, Task]) -> Task:
        text = call.parts["taskId"]
        task = tasks.get(self._asking.number(text, "taskId"))
        if task is None:
            raise self._asking.refused(404, f"Task not found [{text}]")
        return task

    def _pending(self, call: Call, tasks: dict[int, Task]) -> Task:
        task = self._task(call, tasks)
        if task.state is not TaskState.PENDING:
            raise self._asking.refused(400, f"Task [{task.id}] is {task.state.value} already.")
        return task
