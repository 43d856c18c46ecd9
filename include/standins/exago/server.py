"""The stand-in of Exago's REST web service: who calls, and what there is at which path."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from include.standins.exago import faulty
from include.standins.exago.access import Access
from include.standins.exago.auth import NotKnown, caller
from include.standins.exago.batch import Batch
from include.standins.exago.failing import Failing
from include.standins.exago.folders import Folders
from include.standins.exago.live_tree import LiveTree
from include.standins.exago.paths import WEB_APP, WordRouter
from include.standins.exago.reports import Reports
from include.standins.exago.schedules import Schedules
from include.standins.exago.switches import REST_KEY, USER_ID, ExagoSwitches, WrongAuth
from include.standins.routing import Refused, Request, Route

JSON = "application/json"
_SID_IN_PATH = re.compile(r"(/sessions/)[^/]+", re.IGNORECASE)


class ExagoStandIn(Failing):
    """An Exago with one tree for all users; see :class:`ExagoSwitches` and :data:`faulty.KINDS`.

    ``live`` is the tree: ``live.paths()``, ``live.other_user("create", "Sales/New")``; ``access.open_sessions()`` how many sessions are open;
    ``web_app`` the base of ``AppUrl`` and of export URLs. Effects in the ledger: ``folder_created`` ``folder_renamed`` (``to``) ``folder_deleted`` with the
    path as key, ``other_user`` (``do``, ``to``), ``report_executed`` (``type``, ``error``, ``rows``), ``session_made`` and ``session_ended`` (``how``: client,
    time, calls, browser, fault) with the session's number as key, ``schedules_flushed``. No session id is in the ledger.
    """

    name = "exago"
    signs_in: ClassVar[Mapping[str, Any]] = {"login": USER_ID, "password": REST_KEY}
    root = "/ExagoWebApi"
    switches_type = ExagoSwitches
    fault_kinds = faulty.KINDS
    secret_query = frozenset({"sid", "Sid", "SID", "d"})
    side_origins = ("web_app",)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.live = LiveTree(self)
        self.access = Access(self, self.live)
        self._schedules = Schedules(self)
        self._reports = Reports(self, self.live)
        self._router = WordRouter(self.root, self._operations(), lambda: self.switches.words_case_sensitive)
        self._batch = Batch(self, self._router)

    @property
    def web_app(self) -> str:
        """Base of the URLs in ``AppUrl`` and ``ExecuteData``."""
        return self.origin("web_app") + WEB_APP

    def routes(self) -> Sequence[Route]:
        """Return nothing: the operations are routed by :class:`WordRouter`, which takes words in any letter case."""
        return ()

    def _operations(self) -> Sequence[Route]:
        access, within, without = self.access, self.access.within, self.access.without
        folders, reports, schedules = Folders(self, self.live), self._reports, self._schedules
        routes = [
            Route("POST", "/rest/sessions", without(access.make)),
            Route("GET", "/rest/sessions", without(access.every)),
            Route("GET", "/rest/sessions/{sid}", without(access.show)),
            Route("PATCH", "/rest/sessions/{sid}", without(access.change)),
            Route("DELETE", "/rest/sessions/{sid}", without(access.end)),
            Route("GET", "/rest/storagemgmt", within(access.identity)),
            Route("PUT", "/rest/storagemgmt", within(access.replace_identity)),
            Route("PATCH", "/rest/storagemgmt", within(access.change_identity)),
            Route("GET", "/rest/reports/list", within(reports.tree)),
            Route("POST", "/rest/reports/execute/{type}", within(reports.execute)),
            Route("POST", "/rest/folders/rename", within(folders.rename)),
            Route("POST", "/rest/folders/{name*}", within(folders.create)),
            Route("DELETE", "/rest/folders/{name*}", within(folders.delete)),
            Route("POST", "/rest/batch", within(lambda request, session: self._batch.run(request, session))),
            Route("GET", "/ExagoHome.aspx", access.open_in_browser, public=True, origin="web_app"),
            Route("GET", "/ExecuteExport.aspx", reports.export, public=True, origin="web_app"),
        ]
        for base in ("/rest/schedulesv2", "/rest/schedules"):
            routes += [
                Route("GET", base, within(schedules.every)),
                Route("POST", f"{base}/flush", within(schedules.flush)),
                Route("GET", f"{base}/{{id}}", within(schedules.one)),
                Route("GET", f"{base}/{{id}}/filters", within(schedules.part)),
                Route("GET", f"{base}/{{id}}/parameters", within(schedules.part)),
            ]
        return routes

    def shown_path(self, request: Request) -> str:
        """Return the path without a session id."""
        return _SID_IN_PATH.sub(r"\1***", request.path)

    def authenticate(self, request: Request) -> str:
        """Return the REST user of a call whose headers are as they have to be.

        :raises Refused: REST is off; a header is missing; nobody known, which is a 500 here unless a switch says 401
        """
        switches = self.switches
        if not switches.rest_enabled:
            raise Refused(self.page(500))
        if switches.headers_required:
            for name in ("Content-Type", "Accept"):
                if JSON not in request.headers.get(name, "").lower():
                    raise Refused(self.failure(switches.headers_status, f"The header {name} has to be {JSON}."))
        try:
            return caller(request, switches, self.clock.now())
        except NotKnown as unknown:
            status = 401 if switches.wrong_auth is WrongAuth.UNAUTHORIZED else 500
            raise Refused(self.failure(status, str(unknown))) from None
