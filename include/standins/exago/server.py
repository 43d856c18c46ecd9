"""The stand-in of Exago's REST web service: who calls, and what there is at which path."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from include.standins.exago.access import Access
from include.standins.exago.auth import NotKnown, caller
from include.standins.exago.failing import Failing
from include.standins.exago.faulty import FAULTS
from include.standins.exago.folders import Folders
from include.standins.exago.live_tree import LiveTree
from include.standins.exago.paths import WordRouter
from include.standins.exago.reports import Reports
from include.standins.exago.switches import REST_KEY, USER_ID, ExagoSwitches, WrongAuth
from include.standins.routing import Refused, Request, Route

JSON = "application/json"
_SID_IN_PATH = re.compile(r"(/sessions/)[^/]+", re.IGNORECASE)


class ExagoStandIn(Failing):
    """An Exago with one tree for all users; see :class:`ExagoSwitches` and :mod:`~include.standins.exago.faulty`.

    ``live`` is the tree: ``live.paths()``, ``live.other_user("create", "Sales/New")``; ``access.open_sessions()`` how
    many sessions are open. Effects in the ledger: ``folder_created`` ``folder_renamed`` (``to``) ``folder_deleted``
    with the path as key, ``other_user`` (``do``, ``to``), ``report_executed`` (``type``, ``error``, ``rows``),
    ``session_made`` and ``session_ended`` (``how``: client, time, calls, fault) with the session's number as key. No
    session id is in the ledger.
    """

    name = "exago"
    signs_in: ClassVar[Mapping[str, Any]] = {"login": USER_ID, "password": REST_KEY}
    root = "/ExagoWebApi"
    switches_type = ExagoSwitches
    fault_kinds = FAULTS
    secret_query = frozenset({"sid", "Sid", "SID"})

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.live = LiveTree(self)
        self.access = Access(self, self.live)
        self._router = WordRouter(self.root, self._operations(), lambda: self.switches.words_case_sensitive)

    def routes(self) -> Sequence[Route]:
        """Return nothing: the operations are routed by :class:`WordRouter`, which takes words in any letter case."""
        return ()

    def _operations(self) -> Sequence[Route]:
        access, within = self.access, self.access.within
        folders, reports = Folders(self, self.live), Reports(self, self.live)
        return [
            Route("POST", "/rest/sessions", access.without(access.make)),
            Route("DELETE", "/rest/sessions/{sid}", access.without(access.end)),
            Route("PATCH", "/rest/storagemgmt", within(access.change_identity)),
            Route("GET", "/rest/reports/list", within(reports.tree)),
            Route("POST", "/rest/reports/execute/{type}", within(reports.execute)),
            Route("POST", "/rest/folders/rename", within(folders.rename)),
            Route("POST", "/rest/folders/{name*}", within(folders.create)),
            Route("DELETE", "/rest/folders/{name*}", within(folders.delete)),
        ]

    def shown_path(self, request: Request) -> str:
        return _SID_IN_PATH.sub(r"\1***", request.path)

    def authenticate(self, request: Request) -> str:
        """Return the REST user of a call whose headers are as they have to be.

        :raises Refused: REST is off; a header is missing; nobody known, which is a 500 here unless a switch says 401
        """
        switches = self.switches
        if not switches.rest_enabled:
            raise Refused(self.page(500))
        for name in ("Content-Type", "Accept"):
            if JSON not in request.headers.get(name, "").lower():
                raise Refused(self.failure(400, f"The header {name} has to be {JSON}."))
        try:
            return caller(request, switches, self.clock.now())
        except NotKnown as unknown:
            status = 401 if switches.wrong_auth is WrongAuth.UNAUTHORIZED else 500
            raise Refused(self.failure(status, str(unknown))) from None
