"""What users of the vendor's web interface do meanwhile: for tests in the same process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
from multidict import CIMultiDict, CIMultiDictProxy, MultiDict

from include.standins.flexdeploy.bodies import BuildBody, DeployBody, ExecuteBody
from include.standins.flexdeploy.requests import Execution, Kind, State, Task, TaskState, WorkflowRequest
from include.standins.flexdeploy.running import Live
from include.standins.flexdeploy.service import Service
from include.standins.flexdeploy.site import Environment, Project, Version
from include.standins.flexdeploy.starting import Starting
from include.standins.routing import Refused, Request

USER = "fdadmin"


class Users(Service):
    """A stand-in, from the side of people. Every method first lets happen what is due by its clock."""

    starting: Starting

    def state(self, request: int) -> State:
        """Return the state of a request.

        :raises KeyError: no such request
        """
        return self._at(request).state

    def executions(self, request: int) -> list[Execution]:
        """Return the executions of a request, one an instance, as far as they have begun.

        :raises KeyError: no such request
        """
        return list(self._at(request).executions)

    def _at(self, request: int) -> WorkflowRequest:
        self.settle()
        return self.engine.requests[request]

    def runs_in(self, environment: str | int) -> list[Live]:
        """Return what really runs in an environment, by project, instance, package.

        :param environment: its code or its id
        :raises KeyError: no such environment
        """
        self.settle()
        with self.locked():
            return self.running.in_environment(self._environment(environment))

    def _environment(self, wanted: str | int) -> Environment:
        found = next((one for one in self.site.environments if wanted in (one.id, one.code)), None)
        if found is None:
            raise KeyError(wanted)
        return found

    def swap_codes(self, one: str, other: str) -> None:
        """Let an administrator give two environments each other's code; what runs in them stays there.

        :raises KeyError: no such environment
        """
        with self.locked():
            codes = {self._environment(one).id: other, self._environment(other).id: one}
            self.site.environments[:] = [
                replace(each, code=codes.get(each.id, each.code)) for each in self.site.environments
            ]

    def purge(self, request: int) -> None:
        """Let an administrator take a request out of the server's history: it is not found any more.

        :raises ValueError: it is not over
        """
        with self.locked():
            if not self._at(request).final:
                raise ValueError(f"request {request} is {self.engine.requests[request].state.value}")
            del self.engine.requests[request]

    def newest_version(self, project: int) -> Version:
        """Return the newest version of a project that was built well.

        :raises KeyError: it has none
        """
        self.settle()
        found = next((one for one in self.site.versions_of(project) if one.built), None)
        if found is None:
            raise KeyError(project)
        return found

    def approve(self, request: int, *, by: str = USER) -> None:
        """Approve all open approval tasks of a request.

        :raises ValueError: there is none
        """
        self._decide_tasks(request, approve=True, by=by)

    def reject(self, request: int, *, by: str = USER) -> None:
        """Reject the first open approval task of a request.

        :raises ValueError: there is none
        """
        self._decide_tasks(request, approve=False, by=by)

    def _decide_tasks(self, request: int, *, approve: bool, by: str) -> None:
        with self.locked():
            for task in self._open(request, lambda one: one.approvals)[: None if approve else 1]:
                self.engine.decide(task, approve=approve, by=by, now=self.clock.now())

    def cancel_schedule(self, request: int, *, by: str = USER) -> None:
        """Cancel the scheduled task of a request.

        :raises ValueError: there is none
        """
        with self.locked():
            task = self._open(request, lambda one: one.schedules)[0]
            self.engine.cancel(task, by=by, now=self.clock.now())

    def run_schedule(self, request: int, *, by: str = USER) -> None:
        """Run the scheduled task of a request now.

        :raises ValueError: there is none
        """
        with self.locked():
            task = self._open(request, lambda one: one.schedules)[0]
            self.engine.run(task, by=by, now=self.clock.now())

    def _open(self, request: int, tasks: Callable[[WorkflowRequest], list[Task]]) -> list[Task]:
        found = self._at(request)
        pending = [task for task in tasks(found) if task.state is TaskState.PENDING]
        if not pending:
            raise ValueError(f"request {request} is {found.state.value} and has no such task")
        return pending

    def abort(self, request: int, *, by: str = USER) -> None:
        """Abort a request, at whatever point it is.

        :raises ValueError: it is over
        """
        with self.locked():
            found = self._at(request)
            if found.final:
                raise ValueError(f"request {request} is {found.state.value}")
            self.engine.abort(found, by=by, now=self.clock.now())

    def commit(self, project: int, stream: int | None = None) -> None:
        """Let somebody commit to a project.

        :param stream: default: its first one
        :raises KeyError: no such project
        """
        with self.locked():
            self.source.commit(project, stream or self._project(project).streams[0].id)

    def _project(self, project: int) -> Project:
        found = self.site.project(project)
        if found is None:
            raise KeyError(project)
        return found

    def start_as_user(self, kind: Kind, project: int, *, by: str = USER, **body: Any) -> list[int]:
        """Let a user of the web interface, or ``cipoller``, build, deploy or execute; return the requests.

        :param body: as for the API
        :raises ValueError: it is refused, says how
        """
        request = Request(
            number=0,
            origin="",
            method="POST",
            path="",
            raw_path="",
            query=MultiDict(),
            headers=CIMultiDictProxy(CIMultiDict()),
            body=msgspec.json.encode(body),
            connection=0,
            user=by,
            sink=self.ledger.effect,
        )
        owner = self._project(project)
        with self.locked():
            self.settle()
            try:
                match kind:
                    case Kind.BUILD:
                        made = self.starting.build(request, owner, self.body(request, BuildBody))
                    case Kind.DEPLOY:
                        made = self.starting.deploy(request, owner, self.body(request, DeployBody))
                    case Kind.UTILITY:
                        made = self.starting.execute(request, owner, self.body(request, ExecuteBody))
            except Refused as refused:
                raise ValueError(f"{refused.response.status}: {refused.response.body!r}") from None
        return [request.id for request in made]
