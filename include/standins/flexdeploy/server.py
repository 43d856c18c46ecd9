"""The stand-in of FlexDeploy's REST API: who calls, what there is at which path, and what users do meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from include.standins.flexdeploy.applications import Applications
from include.standins.flexdeploy.engine import Engine
from include.standins.flexdeploy.faulty import FAULTS
from include.standins.flexdeploy.planted import documented, planted
from include.standins.flexdeploy.request_api import RequestApi, TaskApi
from include.standins.flexdeploy.running import Running, Source
from include.standins.flexdeploy.second_api import SecondApi
from include.standins.flexdeploy.service import LOGIN, PASSWORD
from include.standins.flexdeploy.site_api import SiteApi
from include.standins.flexdeploy.starting import Starting
from include.standins.flexdeploy.switches import FlexDeploySwitches
from include.standins.flexdeploy.users import Users
from include.standins.routing import Route

TICK_SECONDS = 0.05


class FlexDeployStandIn(Users):
    """FlexDeploy as Flexagon runs it; see :class:`FlexDeploySwitches` and :mod:`~include.standins.flexdeploy.faulty`.

    ``url`` ends with the context path. People are :data:`~service.PEOPLE`; projects, environments and so on are in
    :mod:`~planted`. What users do is in :class:`~users.Users`: approve, reject, abort, commit, start something of their
    own; ``runs_in`` says what really runs.

    Effects in the ledger: ``build_made``, ``deploy_made``, ``utility_run`` (key: the request; all that it was asked
    for), ``build_unneeded``, ``deploy_unneeded`` (200, nothing started), ``request_moved`` (each state),
    ``request_ended`` (key: the request; status, project, environment, version), ``version_live`` (key: the
    environment's code; project, instance, package, version, request), ``approval_decided``, ``schedule_cancelled``,
    ``schedule_run``, ``request_aborted``, ``probe_answered`` (by what was deployed, see
    :mod:`~include.standins.flexdeploy.applications`).
    """

    name = "flexdeploy"
    signs_in: ClassVar[Mapping[str, Any]] = {"login": LOGIN, "password": PASSWORD}
    root = "/flexdeploy"
    switches_type = FlexDeploySwitches
    fault_kinds = FAULTS

    def __init__(self, **options: Any) -> None:
        self._ticking: asyncio.Task[None] | None = None
        super().__init__(**options)

    def routes(self) -> Sequence[Route]:
        """Make the site, and return all operations: they depend on switches, which are there only now."""
        self.site = documented() if self.switches.documented_site else planted()
        self.source = Source(self.site)
        self.running = Running(self.site)
        self.engine = Engine(self.site, self.running, lambda: self.switches, self._done)
        self.starting = Starting(self)
        requests = RequestApi(self, self.starting)
        apis = (
            SiteApi(self),
            requests,
            TaskApi(self),
            SecondApi(self, self.starting, requests),
            Applications(self),
        )
        return [route for api in apis for route in api.routes()]

    async def started(self) -> None:
        """Let time pass: requests go on, and the ledger has it, without anybody asking."""
        self._ticking = asyncio.create_task(self._tick())

    async def stopped(self) -> None:
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

    def _done(self, kind: str, key: str, /, **detail: Any) -> None:
        self.ledger.effect(kind, key, detail, self._calling)
