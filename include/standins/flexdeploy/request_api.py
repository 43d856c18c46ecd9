"""Build, deploy, execute and what is polled after them (3.3 to 3.6, 3.8)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from include.standins.calls import Call, Reply, Route
from include.standins.flexdeploy import shown
from include.standins.flexdeploy.asking import Asking
from include.standins.flexdeploy.bodies import BuildBody, DeployBody, ExecuteBody
from include.standins.flexdeploy.requests import WorkflowRequest
from include.standins.flexdeploy.switches import AnswerForm, ListKey, Nothing

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

    def build(self, call: Call) -> Reply:
        """Start a build: 201, or 200 where there is nothing new."""
        project = self._asking.project(call)
        made = self._vendor.building.start(call, project, self._asking.body(call, BuildBody))
        return self.started(call, made, "workflowRequests", NO_CHANGES, self._vendor.switches.build_warning_code)

    def deploy(self, call: Call) -> Reply:
        """Start a deploy: 201, or 200 where the version is there already."""
        project = self._asking.project(call)
        made = self._vendor.deploying.deploy(call, project, self._asking.body(call, DeployBody))
        return self.started(call, made, "workflowRequests", ALREADY_THERE, self._vendor.switches.deploy_warning_code)

    def execute(self, call: Call) -> Reply:
        """Start a utility run: 201."""
        project = self._asking.project(call, self._vendor.switches.unknown_project_status)
        made = self._vendor.deploying.execute(call, project, self._asking.body(call, ExecuteBody))
        return self.started(call, made, "wfrequests", "", None)

    def started(self, call: Call, made: list[WorkflowRequest], key: str, text: str, code: str | None) -> Reply:
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
            return Reply.json(200, warning)
        if call.fault("no_id"):
            return Reply.json(201, {**warning, key: []})
        if switches.answer_form is AnswerForm.ID_OBJECT:
            return Reply.json(201, {"workflowRequestId": str(made[0].id)})
        if switches.answer_form is AnswerForm.BARE_ID:
            return Reply.json(201, made[0].id)
        return Reply.json(201, {**warning, key: [shown.request_v1(one, site, switches) for one in made]})

    def one(self, call: Call) -> Reply:
        """Show a request: what is to be polled."""
        found, status = self.polled(call)
        return Reply.json(200, shown.request_v1(found, self._vendor.site, self._vendor.switches, status))

    def polled(self, call: Call) -> tuple[WorkflowRequest, str | None]:
        """Return the request of the path, and the status to show instead of its own.

        :raises Refused: there is none, or it cannot be seen yet
        """
        vendor, text = self._vendor, call.parts["workflowRequestId"]
        found = vendor.engine.requests.get(self._asking.number(text, "workflowRequestId"))
        late = found and (vendor.clock.now() - found.made).total_seconds() < vendor.switches.visible_after
        if found is None or late or call.fault("request_unseen"):
            raise self._asking.refused(vendor.switches.unknown_request_status, f"WorkflowRequest not found [{text}]")
        odd = call.fault("odd_status")
        return found, str(odd.detail["status"]) if odd else None

    def executions(self, call: Call) -> Reply:
        """List executions, filtered by any attribute (the names of the parameters are assumed)."""
        engine, switches = self._vendor.engine, self._vendor.switches
        rows = (shown.execution(run, engine.requests[run.request], switches) for run in engine.executions.values())
        return self._vendor.listed(call, list(rows))

    def execution(self, call: Call) -> Reply:
        """Show an execution."""
        engine, text = self._vendor.engine, call.parts["workflowExecutionId"]
        run = engine.executions.get(self._asking.number(text, "workflowExecutionId"))
        if run is None:
            raise self._asking.refused(404, f"WorkflowExecution not found [{text}]")
        return Reply.json(200, shown.execution(run, engine.requests[run.request], self._vendor.switches))

    def log(self, call: Call) -> Reply:
        """Show the messages of an execution as text."""
        run = self._vendor.engine.executions.get(self._asking.number(call.parts["workflowExecutionId"], "id"))
        if run is None:
            raise self._asking.refused(404, "WorkflowExecution not found")
        return Reply.text(200, "\n".join(run.messages))

    def abort(self, call: Call) -> Reply:
        """Abort a request."""
        found, _ = self.polled(call)
        if found.final:
            raise self._asking.refused(400, f"WorkflowRequest [{found.id}] is {found.state.value}.")
        self._vendor.engine.abort(found, by=call.user or "", now=self._vendor.clock.now())
        return Reply.json(200, shown.request_v1(found, self._vendor.site, self._vendor.switches))
