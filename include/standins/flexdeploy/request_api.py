"""Build, deploy, execute, what is polled after them, and the tasks that hold them (3.3 to 3.6, 3.8, 4.4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from include.standins.flexdeploy import shown
from include.standins.flexdeploy.asking import Asking
from include.standins.flexdeploy.bodies import BuildBody, DeployBody, ExecuteBody
from include.standins.flexdeploy.requests import Task, TaskState, WorkflowRequest
from include.standins.flexdeploy.switches import AnswerForm, ListKey, Nothing
from include.standins.routing import Request, Response, Route

if TYPE_CHECKING:
    from include.standins.flexdeploy.server import FlexDeployStandIn


NO_CHANGES = "No changes were found in source control, so nothing was built."
ALREADY_THERE = "The version is deployed already, and force was not given."


class RequestApi:
    """Handlers of v1.

    :param vendor: the stand-in
    :param asking: its lookups
    """

    def __init__(self, vendor: FlexDeployStandIn, asking: Asking) -> None:
        self._vendor = vendor
        self._asking = asking

    def routes(self) -> Sequence[Route]:
        """Return the operations, those with an undocumented path only where a switch has it."""
        served, abort, log = self._vendor.served, self._vendor.switches.abort_path, self._vendor.switches.log_path
        routes = [
            Route("POST", "/rest/v1/project/{id}/build", served(self.build)),
            Route("POST", "/rest/v1/project/{id}/deploy", served(self.deploy)),
            Route("POST", "/rest/v1/project/{id}/execute", served(self.execute)),
            Route("GET", "/rest/v1/workflowrequest/{workflowRequestId}", served(self.one)),
            Route("GET", "/rest/v1/workflowexecution", served(self.executions)),
            Route("GET", "/rest/v1/workflowexecution/{workflowExecutionId}", served(self.execution)),
        ]
        if abort:
            routes += [Route(method, abort, served(self.abort)) for method in ("PUT", "POST")]
        if log:
            routes.append(Route("GET", log, served(self.log)))
        return routes

    def build(self, request: Request) -> Response:
        """Start a build: 201, or 200 where there is nothing new."""
        project = self._asking.project(request)
        made = self._vendor.building.start(request, project, self._asking.body(request, BuildBody))
        return self.started(request, made, "workflowRequests", NO_CHANGES, self._vendor.switches.build_warning_code)

    def deploy(self, request: Request) -> Response:
        """Start a deploy: 201, or 200 where the version is there already."""
        project = self._asking.project(request)
        made = self._vendor.deploying.deploy(request, project, self._asking.body(request, DeployBody))
        return self.started(request, made, "workflowRequests", ALREADY_THERE, self._vendor.switches.deploy_warning_code)

    def execute(self, request: Request) -> Response:
        """Start a utility run: 201."""
        project = self._asking.project(request, self._vendor.switches.unknown_project_status)
        made = self._vendor.deploying.execute(request, project, self._asking.body(request, ExecuteBody))
        return self.started(request, made, "wfrequests", "", None)

    def started(self, request: Request, made: list[WorkflowRequest], key: str, text: str, code: str | None) -> Response:
        """Answer a POST that started requests, or none.

        :param key: of the list, where no switch says another
        :param text: and ``code``: the warning where nothing was started
        """
        switches, site = self._vendor.switches, self._vendor.site
        if switches.list_key is not ListKey.EXAMPLES:
            key = switches.list_key.value
        warning: dict[str, Any] = {"warningMessage": None if made else text, "warningCode": None if made else code}
        if not made:
            if switches.nothing is not Nothing.ABSENT:
                warning[key] = [] if switches.nothing is Nothing.EMPTY else None
            return Response.json(200, warning)
        if request.fault("no_id"):
            return Response.json(201, {**warning, key: []})
        if switches.answer_form is AnswerForm.ID_OBJECT:
            return Response.json(201, {"workflowRequestId": str(made[0].id)})
        if switches.answer_form is AnswerForm.BARE_ID:
            return Response.json(201, made[0].id)
        return Response.json(201, {**warning, key: [shown.request_v1(one, site, switches) for one in made]})

    def one(self, request: Request) -> Response:
        """Show a request: what is to be polled."""
        found, status = self.polled(request)
        return Response.json(200, shown.request_v1(found, self._vendor.site, self._vendor.switches, status))

    def polled(self, request: Request) -> tuple[WorkflowRequest, str | None]:
        """Return the request of the path, and the status to show instead of its own.

        :raises Refused: there is none, or it cannot be seen yet
        """
        vendor, text = self._vendor, request.parts["workflowRequestId"]
        found = vendor.engine.requests.get(self._asking.number(text, "workflowRequestId"))
        late = found and (vendor.clock.now() - found.made).total_seconds() < vendor.switches.visible_after
        if found is None or late or request.fault("request_unseen"):
            raise self._asking.refused(vendor.switches.unknown_request_status, f"WorkflowRequest not found [{text}]")
        odd = request.fault("odd_status")
        return found, str(odd.detail["status"]) if odd else None

    def executions(self, request: Request) -> Response:
        """List executions, filtered by any attribute (the names of the parameters are assumed)."""
        engine, switches = self._vendor.engine, self._vendor.switches
        rows = (shown.execution(run, engine.requests[run.request], switches) for run in engine.executions.values())
        return self._vendor.listed(request, list(rows))

    def execution(self, request: Request) -> Response:
        """Show an execution."""
        engine, text = self._vendor.engine, request.parts["workflowExecutionId"]
        run = engine.executions.get(self._asking.number(text, "workflowExecutionId"))
        if run is None:
            raise self._asking.refused(404, f"WorkflowExecution not found [{text}]")
        return Response.json(200, shown.execution(run, engine.requests[run.request], self._vendor.switches))

    def log(self, request: Request) -> Response:
        """Show the messages of an execution as text."""
        run = self._vendor.engine.executions.get(self._asking.number(request.parts["workflowExecutionId"], "id"))
        if run is None:
            raise self._asking.refused(404, "WorkflowExecution not found")
        return Response.text(200, "\n".join(run.messages))

    def abort(self, request: Request) -> Response:
        """Abort a request."""
        found, _ = self.polled(request)
        if found.final:
            raise self._asking.refused(400, f"WorkflowRequest [{found.id}] is {found.state.value}.")
        self._vendor.engine.abort(found, by=request.user or "", now=self._vendor.clock.now())
        return Response.json(200, shown.request_v1(found, self._vendor.site, self._vendor.switches))


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

    def approvals(self, request: Request) -> Response:
        """List approval tasks; without a filter all of them."""
        switches = self._vendor.switches
        return self._vendor.listed(
            request, [shown.approval(task, switches) for task in self._vendor.engine.approvals.values()]
        )

    def approval(self, request: Request) -> Response:
        """Show an approval task."""
        return Response.json(
            200, shown.approval(self._task(request, self._vendor.engine.approvals), self._vendor.switches)
        )

    def _decide(self, *, approve: bool) -> Callable[[Request], Response]:
        def decide(request: Request) -> Response:
            """Approve or reject."""
            vendor = self._vendor
            task = self._pending(request, vendor.engine.approvals)
            if task.external_id:
                raise self._asking.refused(400, f"Task [{task.id}] is decided in the external system.")
            vendor.engine.decide(task, approve=approve, by=request.user or "", now=vendor.clock.now())
            return Response.json(200, shown.approval(task, vendor.switches))

        return decide

    def schedules(self, request: Request) -> Response:
        """List scheduled tasks."""
        switches = self._vendor.switches
        return self._vendor.listed(
            request, [shown.schedule(task, switches) for task in self._vendor.engine.schedules.values()]
        )

    def schedule(self, request: Request) -> Response:
        """Show a scheduled task."""
        return Response.json(
            200, shown.schedule(self._task(request, self._vendor.engine.schedules), self._vendor.switches)
        )

    def run(self, request: Request) -> Response:
        """Run a scheduled task now."""
        task = self._pending(request, self._vendor.engine.schedules)
        self._vendor.engine.run(task, by=request.user or "", now=self._vendor.clock.now())
        return Response.json(200, shown.schedule(task, self._vendor.switches))

    def cancel(self, request: Request) -> Response:
        """Cancel a scheduled task."""
        task = self._pending(request, self._vendor.engine.schedules)
        self._vendor.engine.cancel(task, by=request.user or "", now=self._vendor.clock.now())
        return Response.json(200, shown.schedule(task, self._vendor.switches))

    def _task(self, request: Request, tasks: dict[int, Task]) -> Task:
        text = request.parts["taskId"]
        task = tasks.get(self._asking.number(text, "taskId"))
        if task is None:
            raise self._asking.refused(404, f"Task not found [{text}]")
        return task

    def _pending(self, request: Request, tasks: dict[int, Task]) -> Task:
        task = self._task(request, tasks)
        if task.state is not TaskState.PENDING:
            raise self._asking.refused(400, f"Task [{task.id}] is {task.state.value} already.")
        return task
