"""What every operation of the stand-in needs: who calls, the shapes of errors and lists, and lookups at the site."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec

from include.standins.flexdeploy import shown
from include.standins.flexdeploy.bodies import Body, Coded, Wrong, coded, read
from include.standins.flexdeploy.engine import Engine
from include.standins.flexdeploy.faulty import NULL_POINTER
from include.standins.flexdeploy.requests import Plan
from include.standins.flexdeploy.running import Running, Source
from include.standins.flexdeploy.site import Environment, Instance, Project, Site, Version, Workflow
from include.standins.flexdeploy.switches import ErrorBody, FlexDeploySwitches
from include.standins.routing import Handler, Refused, Request, Response
from include.standins.server import StandIn
from include.standins.sockets import worded

B = TypeVar("B", bound=Body)
LOGIN, PASSWORD = "nightshift", "standin-flexdeploy"
TOKEN = "standin-flexdeploy-token"


@dataclass(frozen=True)
class Person:
    """A user.

    :param password: empty: of a single-sign-on realm, token only
    :param token: empty: made none
    :param token_expired: its token is past its date
    :param sees: may read projects and requests
    :param starts: may build, deploy, execute and decide tasks
    """

    name: str
    password: str = ""
    token: str = ""
    token_expired: bool = False
    sees: bool = True
    starts: bool = True


PEOPLE: Final = (
    Person(LOGIN, PASSWORD, TOKEN),
    Person("fdadmin", "standin-fdadmin"),
    Person("nightshift-sso", token="standin-sso-token"),
    Person("nightshift-reader", "standin-reader", starts=False),
    Person("nightshift-stranger", "standin-stranger", sees=False, starts=False),
    Person("nightshift-expired", token="standin-expired-token", token_expired=True),
)
"""The users; ``fdadmin`` is the one of the vendor's examples."""


def person_of(known: tuple[str, str] | None, *, tokens: bool) -> Person | None:
    """Return whom name and secret stand for, ``None``: nobody.

    :param tokens: API tokens are taken
    """
    name, secret = known or ("", "")
    person = next((one for one in PEOPLE if one.name == name), None)
    if person is None or not secret:
        return None
    right = [person.password] + ([person.token] if tokens and not person.token_expired else [])
    return person if any(one and secrets.compare_digest(one.encode(), secret.encode()) for one in right) else None


FAILURE = "The workflow ended with an error: step deployFiles returned exit code 1."


class Service(StandIn[FlexDeploySwitches]):
    """A FlexDeploy without its operations. Lookups answer by themselves where they find nothing."""

    site: Site
    source: Source
    running: Running
    engine: Engine
    _calling = 0

    def settle(self) -> None:
        """Let happen what is due by the clock; requests and a tick do so too, so this is for tests that read the
        ledger.
        """
        with self.locked():
            self.engine.settle(self.clock.now())

    def authenticate(self, request: Request) -> str:
        """Return the user's name.

        :raises Refused: 401 for wrong credentials, 403 for a user without access
        """
        person = person_of(request.basic(), tokens=self.switches.tokens)
        if person is None:
            raise Refused(self.error(401, "Login failure"))
        if not person.sees or (request.method != "GET" and not person.starts):
            raise Refused(self.error(403, "You do not have access to the resource."))
        return person.name

    def served(self, work: Callable[[Request], Response]) -> Handler:
        """Return a handler that does its work at the present state of things, alone."""

        async def handle(request: Request) -> Response:
            if request.fault("null_pointer"):
                return _null_pointer(500)
            if not (
                self.switches.v1
                if "/rest/v1/" in request.path
                else self.switches.v2
                if "/rest/v2/" in request.path
                else True
            ):
                return self.error(404, "There is nothing at this path.")
            with self.locked():
                self.settle()
                self._calling = request.number
                try:
                    response = work(request)
                finally:
                    self._calling = 0
            return _null_pointer(500) if request.fault("null_pointer_after") else response

        return handle

    def listed(self, request: Request, rows: Sequence[shown.Row]) -> Response:
        """Answer with the rows that fit the query, in the shape of v1 lists.

        :raises Refused: 400, a parameter is unknown and switches refuse that
        """
        try:
            found = shown.kept(rows, list(request.query.items()))
        except Wrong as error:
            raise Refused(self.error(400, str(error))) from None
        return Response.json(200, shown.shaped(found, self.switches.lists))

    def error(self, status: int, text: str) -> Response:
        """Return an error in the shape of the switch ``error_body``."""
        match self.switches.error_body:
            case ErrorBody.JSON:
                return Response.json(status, {"message": text})
            case ErrorBody.NULL_POINTER:
                return _null_pointer(status)
            case plain:
                return worded(plain, status, text)

    def refused(self, status: int, text: str) -> Refused:
        return Refused(self.error(status, text))

    def unfit(self, text: str) -> Refused:
        return self.refused(self.switches.bad_reference_status, text)

    def body(self, request: Request, shape: type[B]) -> B:
        """Return the body of a call.

        :raises Refused: 400, it is not one
        """
        try:
            return read(self._json(request), shape, self.switches.unknown_keys)
        except Wrong as error:
            raise self.refused(400, str(error)) from None

    def _json(self, request: Request) -> Any:
        """Return the JSON of a call.

        :raises Refused: 400
        """
        try:
            return msgspec.json.decode(request.body)
        except msgspec.DecodeError:
            raise self.refused(400, "The request body is not JSON.") from None

    def number(self, text: str, what: str) -> int:
        """Return a number of the path or the query.

        :raises Refused: 400
        """
        try:
            return int(text)
        except ValueError:
            raise self.refused(400, f"{what} [{text}] is not a number.") from None

    def project(self, request: Request, missing: int = 404) -> Project:
        """Return the project of the path.

        :param missing: status where there is none
        :raises Refused: there is none
        """
        project_id = self.number(request.parts["id"], "projectId")
        return self.project_of(project_id, missing)

    def project_of(self, project_id: int, missing: int = 404) -> Project:
        """Return a project by id; parameters and errors as for :meth:`project`."""
        found = self.site.project(project_id)
        if found is None:
            raise self.refused(missing, f"Project [{project_id}] not found.")
        return found

    def flow(self, project: Project, workflow_id: int | None, what: str) -> Workflow:
        """Return the workflow that an active project has for a purpose.

        :raises Refused: 400, the project is not active or has none
        """
        found = self.site.workflow(workflow_id)
        if not project.active or found is None:
            raise self.refused(400, f"Project [{project.id}] is not active, or has no {what} workflow.")
        return found

    def environment(self, environment_id: int) -> Environment:
        """Return an environment.

        :raises Refused: it is not there or not active
        """
        found = self.site.environment(environment_id)
        if found is None or not found.active:
            raise self.unfit(f"Environment [{environment_id}] not found or not active.")
        return found

    def instances(
        self, environment: Environment, allowed: Sequence[int] | None, given: Sequence[int] | None
    ) -> tuple[Instance, ...]:
        """Return the instances to run on.

        :param allowed: those of the project, which are the default as far as the environment has them
        :param given: those that were asked for
        :raises Refused: one does not fit, or none is left
        """
        here = [one for one in allowed or () if one in environment.instances]
        wanted = list(dict.fromkeys(given)) if given else here
        strange = [one for one in wanted if one not in here]
        if strange or not wanted:
            what = f"Instance {strange}" if strange else "Any instance"
            raise self.unfit(f"{what} is not an instance of the project in environment [{environment.id}].")
        found = (self.site.instance(one) for one in wanted)
        return tuple(one for one in found if one)

    def override(self, workflow: Workflow, version: str | None) -> str | None:
        """Return a workflow version that was asked for.

        :raises Refused: the workflow has no such version
        """
        if version and version not in (name for name, _ in workflow.versions):
            raise self.unfit(f"Workflow [{workflow.name}] has no version [{version}].")
        return version or None

    def codes(
        self, workflow: Workflow, inputs: list[Coded] | None, flex_fields: list[Coded] | None
    ) -> tuple[tuple[dict[str, Any], ...], tuple[dict[str, Any], ...]]:
        """Return inputs and FlexFields.

        :raises Refused: 400, one is required and missing, or unknown
        """
        unknown = self.switches.unknown_codes
        try:
            return (
                coded(inputs, workflow.inputs, "input", unknown),
                coded(flex_fields, workflow.flex_fields, "FlexField", unknown),
            )
        except Wrong as error:
            raise self.refused(400, str(error)) from None

    def built(self, project: Project, version_id: int) -> Version:
        """Return a version that was built well.

        :raises Refused: it is not there, another project's, or not built
        """
        found = self.site.version(version_id)
        if found is None or found.project != project.id or not found.built:
            raise self.unfit(f"Project version [{version_id}] of project [{project.id}] not found, or not built.")
        return found

    def plan(self, request: Request, seconds: float, instances: int, package: str | None = None) -> Plan:
        """Return how the run is going to go, as faults have it.

        :param seconds: how long it takes where no fault says so
        :param instances: how many it runs on
        :param package: what it deploys of a partial project
        """
        if takes := request.fault("run_takes"):
            seconds = takes.seconds
        fails, aborted = request.fault("run_fails"), request.fault("run_aborted")
        if fails and fails.detail.get("package", package) != package:
            fails = None
        return Plan(
            seconds=seconds,
            fails_after=min(int(fails.detail.get("after", 0)), instances - 1) if fails else None,
            message=str(fails.detail.get("message", FAILURE)) if fails else "",
            aborted_after=float(aborted.detail.get("after_seconds", seconds / 2)) if aborted else None,
        )


def _null_pointer(status: int) -> Response:
    return Response.text(status, NULL_POINTER)
