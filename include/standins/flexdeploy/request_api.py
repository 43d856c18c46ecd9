"""Build, deploy, execute, what is polled after them, and the tasks that hold them (3.3 to 3.6, 3.8, 4.4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from include.standins.flexdeploy import shown
from include.standins.flexdeploy.bodies import BuildBody, DeployBody, ExecuteBody
from include.standins.flexdeploy.requests import Task, TaskState, WorkflowRequest
from include.standins.flexdeploy.service import Service
from include.standins.flexdeploy.starting import Starting
from include.standins.flexdeploy.switches import AnswerForm, ListKey, Nothing
from include.standins.routing import Request, Response, Route

NO_CHANGES = "No changes were found in source control, so nothing was built."
ALREADY_THERE = "The version is deployed already, and force was not given."


class RequestApi:
    """Handlers of v1."""

    def __init__(self, vendor: Service, starting: Starting) -> None:
        self._vendor = vendor
        self._starting = starting

    def routes(self) -> Sequence[Route]:
        """Return the operations; one to abort a request only where a switch has its path."""
        served, abort = self._vendor.served, self._vendor.switches.abort_path
        routes = [
            Route("POST", "/rest/v1/project/{id}/build", served(self._build)),
            Route("POST", "/rest/v1/project/{id}/deploy", served(self._deploy)),
            Route("POST", "/rest/v1/project/{id}/execute", served(self._execute)),
            Route("GET", "/rest/v1/workflowrequest/{workflowRequestId}", served(self._one)),
            Route("GET", "/rest/v1/workflowexecution", served(self._executions)),
        ]
        if abort:
            routes += [Route(method, abort, served(self._abort)) for method in ("PUT", "POST")]
        return routes

    def _build(self, request: Request) -> Response:
        """Start a build: 201, or 200 where there is nothing new."""
        project = self._vendor.project(request)
        made = self._starting.build(request, project, self._vendor.body(request, BuildBody))
        return self.started(request, made, "workflowRequests", NO_CHANGES, "NO_CHANGES")

    def _deploy(self, request: Request) -> Response:
        """Start a deploy: 201, or 200 where the version is there already."""
        project = self._vendor.project(request)
        made = self._starting.deploy(request, project, self._vendor.body(request, DeployBody))
        return self.started(request, made, "workflowRequests", ALREADY_THERE, "ALREADY_DEPLOYED")

    def _execute(self, request: Request) -> Response:
        """Start a utility run: 201."""
        project = self._vendor.project(request, self._vendor.switches.unknown_project_status)
        made = self._starting.execute(request, project, self._vendor.body(request, ExecuteBody))
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

    def _one(self, request: Request) -> Response:
        found, status = self.polled(request)
        return Response.json(200, shown.request_v1(found, self._vendor.site, self._vendor.switches, status))

    def polled(self, request: Request) -> tuple[WorkflowRequest, str | None]:
        """Return the request of the path, and the status to show instead of its own.

        :raises Refused: there is none, or it cannot be seen yet
        """
        vendor, text = self._vendor, request.parts["workflowRequestId"]
        found = vendor.engine.requests.get(self._vendor.number(text, "workflowRequestId"))
        late = found and (vendor.clock.now() - found.made).total_seconds() < vendor.switches.visible_after
        if found is None or late or request.fault("request_unseen"):
            raise self._vendor.refused(vendor.switches.unknown_request_status, f"WorkflowRequest not found [{text}]")
        odd = request.fault("odd_status")
        return found, str(odd.detail["status"]) if odd else None

    def _executions(self, request: Request) -> Response:
        """List executions, filtered by any attribute (the names of the parameters are assumed)."""
        engine, switches = self._vendor.engine, self._vendor.switches
        rows = (shown.execution(run, engine.requests[run.request], switches) for run in engine.executions.values())
        return self._vendor.listed(request, list(rows))

    def _abort(self, request: Request) -> Response:
        found, _ = self.polled(request)
        if found.final:
            raise self._vendor.refused(400, f"WorkflowRequest [{found.id}] is {found.state.value}.")
        self._vendor.engine.abort(found, by=request.user or "", now=self._vendor.clock.now())
        return Response.json(200, shown.request_v1(found, self._vendor.site, self._vendor.switches))


class TaskApi:
    """Handlers of tasks."""

    def __init__(self, vendor: Service) -> None:
        self._vendor = vendor

    def routes(self) -> Sequence[Route]:
        """Return the operations, those with an assumed path where the switches have them."""
        served, switches = self._vendor.served, self._vendor.switches
        routes = [
            Route("GET", "/rest/v1/tasks/approval", served(self._approvals)),
            Route("GET", "/rest/v1/tasks/approval/{taskId}", served(self._approval)),
            Route("PUT", "/rest/v1/tasks/approval/reject/{taskId}", served(self._decide(approve=False))),
            Route("GET", "/rest/v1/tasks/scheduled", served(self._schedules)),
            Route("GET", "/rest/v1/tasks/scheduled/{taskId}", served(self._schedule)),
        ]
        if switches.approve_path:
            routes.append(Route("PUT", switches.approve_path, served(self._decide(approve=True))))
        for path, handler in ((switches.run_path, self._run), (switches.cancel_path, self._cancel)):
            if path:
                routes += [Route(method, path, served(handler)) for method in ("PUT", "POST")]
        return routes

    def _approvals(self, request: Request) -> Response:
        return self._vendor.listed(request, [shown.approval(task) for task in self._vendor.engine.approvals.values()])

    def _approval(self, request: Request) -> Response:
        return Response.json(200, shown.approval(self._task(request, self._vendor.engine.approvals)))

    def _decide(self, *, approve: bool) -> Callable[[Request], Response]:
        def decide(request: Request) -> Response:
            vendor = self._vendor
            task = self._pending(request, vendor.engine.approvals)
            if task.external_id:
                raise self._vendor.refused(400, f"Task [{task.id}] is decided in the external system.")
            vendor.engine.decide(task, approve=approve, by=request.user or "", now=vendor.clock.now())
            return Response.json(200, shown.approval(task))

        return decide

    def _schedules(self, request: Request) -> Response:
        return self._vendor.listed(request, [shown.schedule(task) for task in self._vendor.engine.schedules.values()])

    def _schedule(self, request: Request) -> Response:
        return Response.json(200, shown.schedule(self._task(request, self._vendor.engine.schedules)))

    def _run(self, request: Request) -> Response:
        task = self._pending(request, self._vendor.engine.schedules)
        self._vendor.engine.run(task, by=request.user or "", now=self._vendor.clock.now())
        return Response.json(200, shown.schedule(task))

    def _cancel(self, request: Request) -> Response:
        task = self._pending(request, self._vendor.engine.schedules)
        self._vendor.engine.cancel(task, by=request.user or "", now=self._vendor.clock.now())
        return Response.json(200, shown.schedule(task))

    def _task(self, request: Request, tasks: dict[int, Task]) -> Task:
        text = request.parts["taskId"]
        task = tasks.get(self._vendor.number(text, "taskId"))
        if task is None:
            raise self._vendor.refused(404, f"Task not found [{text}]")
        return task

    def _pending(self, request: Request, tasks: dict[int, Task]) -> Task:
        task = self._task(request, tasks)
        if task.state is not TaskState.PENDING:
            raise self._vendor.refused(400, f"Task [{task.id}] is {task.state.value} already.")
        return task
