"""REST sessions and the storage identity: made, used, lost, ended (1.3, 1.4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from include.standins.draw import Draw
from include.standins.exago.failing import LOST_SESSION, Failing
from include.standins.exago.live_tree import LiveTree
from include.standins.exago.switches import Version
from include.standins.routing import Handler, Refused, Request, Response


@dataclass
class Session:
    """One session.

    :param sid: the secret that identifies it
    :param number: what the ledger calls it
    :param identity: storage identity and its list cache (1.4)
    """

    sid: str
    number: int
    used: float
    calls: int = 0
    identity: dict[str, Any] = field(default_factory=lambda: {"IsAdmin": True, "ReportListCacheEnabled": True})


InSession = Callable[[Request, Session], Awaitable[Response]]


class Access:
    """The sessions of a stand-in, and the way of every request through one of them.

    :param vendor: the stand-in
    :param live: its tree, which other users change before a request is served, or after it
    """

    def __init__(self, vendor: Failing, live: LiveTree) -> None:
        self._vendor = vendor
        self._live = live
        self._made = 0
        self._open: dict[str, Session] = {}

    def open_sessions(self) -> int:
        with self._vendor.locked():
            self._expire()
            return len(self._open)

    def within(self, handler: InSession) -> Handler:
        """Make a handler that needs the session of the parameter ``sid``."""

        async def served(request: Request) -> Response:
            response = await handler(request, self._session(request, request.query.get("sid", "")))
            self._others(request, late=True)
            return response

        return self.without(served)

    def without(self, handler: Handler) -> Handler:
        """Make a handler that needs no session; before it time passes and other users are at work."""

        async def served(request: Request) -> Response:
            self._live.count_request()
            self._others(request, late=False)
            with self._vendor.locked():
                self._expire()
            return await handler(request)

        return served

    def _others(self, request: Request, *, late: bool) -> None:
        for fault in request.faults:
            if fault.kind == "other_user" and bool(fault.detail.get("late")) == late:
                change = {name: value for name, value in fault.detail.items() if name != "late"}
                self._live.other_user(**change, sink=request.effect)

    def _session(self, request: Request, sid: str) -> Session:
        """Return an open session, and count its use.

        :raises Refused: 500: there is no such session, or no longer
        """
        session, most = self._open.get(sid), self._vendor.switches.session_calls
        if session and request.fault("session_dies"):
            self._end(session, "fault")
            session = None
        if session and most is not None and session.calls >= most:
            self._end(session, "calls")
            session = None
        if session is None:
            raise Refused(self._vendor.failure(500, LOST_SESSION))
        session.calls, session.used = session.calls + 1, self._vendor.clock.elapsed()
        return session

    async def make(self, request: Request) -> Response:
        """Answer ``POST /rest/sessions``: what the client sets comes back with it."""
        config, key = request.query.get("config"), self._vendor.switches.session_id_key
        if config is not None and config not in self._vendor.switches.configs:
            raise Refused(self._vendor.failure(500, "Unable to load configuration"))
        properties = self._properties(request)
        with self._vendor.locked():
            self._made += 1
            draw = Draw(self._vendor.seed, "exago", "session", self._made)
            session = Session(draw.uuid(), self._made, self._vendor.clock.elapsed())
            self._open[session.sid] = session
        request.effect("session_made", str(session.number))
        location = f"{self._vendor.public_url}/rest/sessions/{session.sid}"
        page = f"ExagoHome.aspx?d={draw.hexadecimal(16)}&showerrordetail=true"
        return Response.json(201, {key: session.sid, "AppUrl": page, **properties}, Location=location)

    async def end(self, request: Request) -> Response:
        """Answer ``DELETE /rest/sessions/{sid}``."""
        self._end(self._session(request, request.parts["sid"]), "client", request)
        return Response(204, content_type="")

    async def change_identity(self, request: Request, session: Session) -> Response:
        """Answer ``PATCH /rest/StorageMgmt``."""
        if self._vendor.switches.version is Version.V2019:
            raise Refused(self._vendor.error(404, "There is nothing at this path."))
        session.identity.update(self._properties(request))
        return Response(204, content_type="")

    def _properties(self, request: Request) -> dict[str, Any]:
        return self._vendor.parsed(request, dict[str, Any]) if request.body else {}

    def _expire(self) -> None:
        now, seconds = self._vendor.clock.elapsed(), self._vendor.switches.session_seconds
        for session in [one for one in self._open.values() if now - one.used >= seconds]:
            self._end(session, "time")

    def _end(self, session: Session, how: str, request: Request | None = None) -> None:
        with self._vendor.locked():
            self._open.pop(session.sid, None)
        self._vendor.ledger.effect("session_ended", str(session.number), {"how": how}, request.number if request else 0)
