"""The stand-in of FlexDeploy's REST API: who calls, what there is at which path, and what users do meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from include.standins.flexdeploy import shown
from include.standins.flexdeploy.asking import Asking
from include.standins.flexdeploy.bodies import Wrong
from include.standins.flexdeploy.engine import Engine
from include.standins.flexdeploy.faulty import FAULTS, NULL_POINTER
from include.standins.flexdeploy.package_api import PackageApi
from include.standins.flexdeploy.people import person_of
from include.standins.flexdeploy.planted import documented, planted
from include.standins.flexdeploy.release_api import Snapshots
from include.standins.flexdeploy.request_api import RequestApi, TaskApi
from include.standins.flexdeploy.running import Running, Source
from include.standins.flexdeploy.second_api import SecondApi
from include.standins.flexdeploy.site_api import ProjectApi, TopologyApi
from include.standins.flexdeploy.starting import Building, Deploying
from include.standins.flexdeploy.switches import ErrorBody, FlexDeploySwitches
from include.standins.flexdeploy.users import Users
from include.standins.routing import Handler, Refused, Request, Response, Route
from include.standins.sockets import HTML

TICK_SECONDS = 0.05


class FlexDeployStandIn(Users):
    """FlexDeploy as Flexagon runs it; see :class:`FlexDeploySwitches` and :mod:`~include.standins.flexdeploy.switches`.

    ``url`` ends with the context path. People are :data:`~people.PEOPLE`; projects, environments and so on are in :mod:`~planted`. What users
    do is in :class:`~users.Users`: approve, reject, abort, commit, start something of their own; ``runs_in`` says what really runs.

    Effects in the ledger: ``build_made``, ``deploy_made``, ``utility_run`` (key: the request; all that it was asked for), ``build_unneeded``,
    ``deploy_unneeded`` (200, nothing started), ``request_moved`` (each state), ``request_ended`` (key: the request; status, project, environment, version),
    ``version_live`` (key: the environment's code; project, instance, package, version, request), ``approval_decided``, ``schedule_cancelled``, ``schedule_run``,
    ``request_aborted``, ``package_changed``, ``package_deleted``, ``snapshot_made``, ``environment_changed``, ``target_changed``.
    """

    name = "flexdeploy"
    root = "/flexdeploy"
    switches_type = FlexDeploySwitches
    fault_kinds = FAULTS

    def __init__(self, **options: Any) -> None:
        self.asking = Asking(self)
        self._calling = 0
        self._ticking: asyncio.Task[None] | None = None
        super().__init__(**options)

    def routes(self) -> Sequence[Route]:
        """Make the site, and return all operations: they depend on switches, which are there only now."""
        self.site = documented() if self.switches.documented_site else planted()
        self.source = Source(self.site)
        self.running = Running(self.site)
        self.engine = Engine(self.site, self.running, lambda: self.switches, self._done)
        self.building, self.deploying = Building(self, self.asking), Deploying(self, self.asking)
        self.snapshots, self.requests = Snapshots(self, self.asking), RequestApi(self, self.asking)
        self.topology = TopologyApi(self, self.asking)
        apis = (
            ProjectApi(self, self.asking), self.requests, TaskApi(self, self.asking), PackageApi(self, self.asking),
            self.topology, self.snapshots, SecondApi(self, self.asking),
        )  # fmt: skip
        return [route for api in apis for route in api.routes()]

    async def started(self) -> None:
        """Let time pass: requests go on, and the ledger has it, without anybody asking."""
        self._ticking = asyncio.create_task(self._tick())

    async def stopped(self) -> None:
        """End the passing of time."""
        if self._ticking:
            self._ticking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticking

    async def _tick(self) -> None:
        while True:
            try:
                self.settle()
            except Exception:  # noqa: BLE001, RUF100 -- a bug here has to come up as one of a handler does
                self._bugs.append(traceback.format_exc())
                return
            await asyncio.sleep(TICK_SECONDS)

    # The way of a call.

    def authenticate(self, request: Request) -> str:
        """Return the user's name.

        :raises Refused: 401 for wrong credentials, 403 for a user without access
        """
        person = person_of(request.headers.get("Authorization", ""), tokens=self.switches.tokens)
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
            found = shown.kept(rows, list(request.query.items()), self.switches.unknown_parameters)
        except Wrong as error:
            raise Refused(self.error(400, str(error))) from None
        return Response.json(200, shown.shaped(found, self.switches.lists))

    def error(self, status: int, text: str) -> Response:
        """Return an error in the shape of the switch ``error_body``."""
        match self.switches.error_body:
            case ErrorBody.TEXT:
                return Response.text(status, text)
            case ErrorBody.JSON:
                return Response.json(status, {"message": text})
            case ErrorBody.HTML:
                return Response.text(status, HTML.format(title=text), "text/html; charset=utf-8")
            case ErrorBody.EMPTY:
                return Response(status, content_type="")
            case ErrorBody.NULL_POINTER:
                return _null_pointer(status)

    def _done(self, kind: str, key: str, /, **detail: Any) -> None:
        self.ledger.effect(kind, key, detail, self._calling)


def _null_pointer(status: int) -> Response:
    return Response.text(status, NULL_POINTER)
