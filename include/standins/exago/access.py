"""REST sessions and the storage identity: made, used, lost, ended (1.3, 1.4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from include.standins.draw import Draw
from include.standins.exago import faulty
from include.standins.exago.failing import LOST_SESSION, Failing
from include.standins.exago.live_tree import LiveTree
from include.standins.exago.switches import ExagoSwitches, Version
from include.standins.routing import Handler, Refused, Request, Response


def _identity() -> dict[str, Any]:
    return {
        "IsAdmin": True,
        "Identities": {},
        "ReportListCacheEnabled": True,
        "ReportListCacheTimeout": 60,
        "DefaultAccessFlags": 65_535,
    }


@dataclass
class Session:
    """One session.

    :param sid: the secret that identifies it
    :param number: what the ledger calls it
    :param page: secret of its ``AppUrl``
    :param properties: whatever the client set
    :param identity: storage identity and its list cache (1.4)
    """

    sid: str
    number: int
    page: str
    made: float
    used: float
    calls: int = 0
    properties: dict[str, Any] = field(default_factory=dict)
    identity: dict[str, Any] = field(default_factory=_identity)

    def told(self, id_key: str) -> dict[str, Any]:
        """Return the session as JSON."""
        return {
            id_key: self.sid,
            "AppUrl": f"ExagoHome.aspx?d={self.page}&showerrordetail=true",
            **self.properties,
        }


class Sessions:
    """The sessions that are open.

    :param seed: of the ids
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._made = 0
        self._open: dict[str, Session] = {}

    def __len__(self) -> int:
        return len(self._open)

    def make(self, now: float) -> Session:
        """Open a session."""
        self._made += 1
        draw = Draw(self._seed, "exago", "session", self._made)
        session = Session(draw.uuid(), self._made, draw.hexadecimal(16), now, now)
        self._open[session.sid] = session
        return session

    def every(self) -> list[Session]:
        """Return all sessions, oldest first."""
        return list(self._open.values())

    def find(self, sid: str) -> Session | None:
        """Return the session of an id, if it is open."""
        return self._open.get(sid)

    def of_page(self, page: str) -> Session | None:
        """Return the session whose ``AppUrl`` this is."""
        return next((session for session in self._open.values() if session.page == page), None)

    def end(self, session: Session) -> None:
        """End a session."""
        self._open.pop(session.sid, None)

    def over(self, now: float, switches: ExagoSwitches) -> list[Session]:
        """End the sessions whose time is over, and return them."""
        ended = [
            session
            for session in self._open.values()
            if now - (session.used if switches.session_sliding else session.made) >= switches.session_seconds
        ]
        for session in ended:
            self.end(session)
        return ended


InSession = Callable[[Request, Session], Awaitable[Response]]


class Access:
    """The sessions of a stand-in, and the way of every call through one of them.

    :param vendor: the stand-in
    :param live: its tree, which other users change before a call is served
    """

    def __init__(self, vendor: Failing, live: LiveTree) -> None:
        self._vendor = vendor
        self._live = live
        self._sessions = Sessions(vendor.seed)

    def open_sessions(self) -> int:
        """Return how many sessions are open."""
        with self._vendor.locked():
            self._expire()
            return len(self._sessions)

    def within(self, handler: InSession) -> Handler:
        """Make a handler that needs the session of the parameter ``sid``."""

        async def served(request: Request) -> Response:
            self.arriving(request)
            response = await handler(request, self.session(request, request.query.get("sid", "")))
            self._others(request, late=True)
            return response

        return served

    def without(self, handler: Handler) -> Handler:
        """Make a handler that needs no session."""

        async def served(request: Request) -> Response:
            self.arriving(request)
            return await handler(request)

        return served

    def arriving(self, request: Request) -> None:
        """Let pass what happens before a call is served: time, and other users."""
        self._live.count_call()
        self._others(request, late=False)
        with self._vendor.locked():
            self._expire()

    def _others(self, request: Request, *, late: bool) -> None:
        for fault in request.faults:
            if fault.kind == faulty.OTHER_USER and bool(fault.detail.get("late")) == late:
                change = {name: value for name, value in fault.detail.items() if name != "late"}
                self._live.other_user(**change, sink=request.effect)

    def session(self, request: Request, sid: str) -> Session:
        """Return an open session, and count its use.

        :raises Refused: 500: there is no such session, or no longer
        """
        switches = self._vendor.switches
        session = self._sessions.find(sid)
        if session and request.fault(faulty.SESSION_DIES):
            self._end(session, "fault")
            session = None
        if session and switches.session_calls is not None and session.calls >= switches.session_calls:
            self._end(session, "calls")
            session = None
        if session is None:
            raise Refused(self._vendor.failure(500, LOST_SESSION))
        session.calls, session.used = session.calls + 1, self._vendor.clock.elapsed()
        return session

    async def make(self, request: Request) -> Response:
        """Answer ``POST /rest/sessions``."""
        config = request.query.get("config")
        if config is not None and config not in self._vendor.switches.configs:
            raise Refused(self._vendor.failure(500, "Unable to load configuration"))
        properties = self._properties(request)
        with self._vendor.locked():
            session = self._sessions.make(self._vendor.clock.elapsed())
        session.properties.update(properties)
        request.effect("session_made", str(session.number))
        location = f"{self._vendor.public_url}/rest/sessions/{session.sid}"
        return Response.json(201, session.told(self._vendor.switches.session_id_key), Location=location)

    async def every(self, request: Request) -> Response:
        """Answer ``GET /rest/sessions``."""
        key = self._vendor.switches.session_id_key
        return Response.json(200, [session.told(key) for session in self._sessions.every()])

    async def show(self, request: Request) -> Response:
        """Answer ``GET /rest/sessions/{sid}``."""
        return Response.json(
            200, self.session(request, request.parts["sid"]).told(self._vendor.switches.session_id_key)
        )

    async def change(self, request: Request) -> Response:
        """Answer ``PATCH /rest/sessions/{sid}``."""
        session = self.session(request, request.parts["sid"])
        session.properties.update(self._properties(request))
        return Response(204, content_type="")

    async def end(self, request: Request) -> Response:
        """Answer ``DELETE /rest/sessions/{sid}``."""
        self._end(self.session(request, request.parts["sid"]), "client", request)
        return Response(204, content_type="")

    async def open_in_browser(self, request: Request) -> Response:
        """Answer ``AppUrl``, at the web application: once, and the session is a user's from then on."""
        session = self._sessions.of_page(request.query.get("d", ""))
        if session is None:
            return self._vendor.page(404, "This session is no longer there.")
        self._end(session, "browser", request)
        return self._vendor.page(200, "Exago")

    async def identity(self, request: Request, session: Session) -> Response:
        """Answer ``GET /rest/StorageMgmt``."""
        self._has_identity()
        return Response.json(200, session.identity)

    async def replace_identity(self, request: Request, session: Session) -> Response:
        """Answer ``PUT /rest/StorageMgmt``."""
        self._has_identity()
        session.identity = self._properties(request)
        return Response(204, content_type="")

    async def change_identity(self, request: Request, session: Session) -> Response:
        """Answer ``PATCH /rest/StorageMgmt``."""
        self._has_identity()
        session.identity.update(self._properties(request))
        return Response(204, content_type="")

    def _has_identity(self) -> None:
        if self._vendor.switches.version is Version.V2019:
            raise Refused(self._vendor.error(404, "There is nothing at this path."))

    def _properties(self, request: Request) -> dict[str, Any]:
        return self._vendor.parsed(request, dict[str, Any]) if request.body else {}

    def _expire(self) -> None:
        for session in self._sessions.over(self._vendor.clock.elapsed(), self._vendor.switches):
            self._vendor.ledger.effect("session_ended", str(session.number), {"how": "time"})

    def _end(self, session: Session, how: str, request: Request | None = None) -> None:
        with self._vendor.locked():
            self._sessions.end(session)
        self._vendor.ledger.effect("session_ended", str(session.number), {"how": how}, request.number if request else 0)
