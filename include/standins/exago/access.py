"""Sessions and the storage identity, as the API makes, shows, changes and ends them (1.3, 1.4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from include.standins.calls import Call, Handler, Refused, Reply
from include.standins.exago import faulty
from include.standins.exago.failing import LOST_SESSION, Failing
from include.standins.exago.live_tree import LiveTree
from include.standins.exago.sessions import Session, Sessions
from include.standins.exago.switches import Version

InSession = Callable[[Call, Session], Awaitable[Reply]]


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

        async def served(call: Call) -> Reply:
            self.arriving(call)
            return await handler(call, self.session(call, call.query.get("sid", "")))

        return served

    def without(self, handler: Handler) -> Handler:
        """Make a handler that needs no session."""

        async def served(call: Call) -> Reply:
            self.arriving(call)
            return await handler(call)

        return served

    def arriving(self, call: Call) -> None:
        """Let pass what happens before a call is served: time, and other users."""
        self._live.count_call()
        for fault in call.faults:
            if fault.kind == faulty.OTHER_USER:
                self._live.other_user(**fault.detail, sink=call.effect)
        with self._vendor.locked():
            self._expire()

    def session(self, call: Call, sid: str) -> Session:
        """Return an open session, and count its use.

        :raises Refused: 500: there is no such session, or no longer
        """
        switches = self._vendor.switches
        session = self._sessions.find(sid)
        if session and call.fault(faulty.SESSION_DIES):
            self._end(session, "fault")
            session = None
        if session and switches.session_calls is not None and session.calls >= switches.session_calls:
            self._end(session, "calls")
            session = None
        if session is None:
            raise Refused(self._vendor.failure(500, LOST_SESSION))
        session.calls, session.used = session.calls + 1, self._vendor.clock.elapsed()
        return session

    async def make(self, call: Call) -> Reply:
        """Answer ``POST /rest/sessions``."""
        config = call.query.get("config")
        if config is not None and config not in self._vendor.switches.configs:
            raise Refused(self._vendor.failure(500, "Unable to load configuration"))
        properties = self._properties(call)
        with self._vendor.locked():
            session = self._sessions.make(self._vendor.clock.elapsed())
        session.properties.update(properties)
        call.effect("session_made", str(session.number))
        location = f"{self._vendor.public_url}/rest/sessions/{session.sid}"
        return Reply.json(201, session.told(self._vendor.switches.session_id_key), Location=location)

    async def every(self, call: Call) -> Reply:
        """Answer ``GET /rest/sessions``."""
        key = self._vendor.switches.session_id_key
        return Reply.json(200, [session.told(key) for session in self._sessions.every()])

    async def show(self, call: Call) -> Reply:
        """Answer ``GET /rest/sessions/{sid}``."""
        return Reply.json(200, self.session(call, call.parts["sid"]).told(self._vendor.switches.session_id_key))

    async def change(self, call: Call) -> Reply:
        """Answer ``PATCH /rest/sessions/{sid}``."""
        session = self.session(call, call.parts["sid"])
        session.properties.update(self._properties(call))
        return Reply(204, content_type="")

    async def end(self, call: Call) -> Reply:
        """Answer ``DELETE /rest/sessions/{sid}``."""
        self._end(self.session(call, call.parts["sid"]), "client", call)
        return Reply(204, content_type="")

    async def open_in_browser(self, call: Call) -> Reply:
        """Answer ``AppUrl``, at the web application: once, and the session is a user's from then on."""
        session = self._sessions.of_page(call.query.get("d", ""))
        if session is None:
            return self._vendor.page(404, "This session is no longer there.")
        self._end(session, "browser", call)
        return self._vendor.page(200, "Exago")

    async def identity(self, call: Call, session: Session) -> Reply:
        """Answer ``GET /rest/StorageMgmt``."""
        self._has_identity()
        return Reply.json(200, session.identity)

    async def replace_identity(self, call: Call, session: Session) -> Reply:
        """Answer ``PUT /rest/StorageMgmt``."""
        self._has_identity()
        session.identity = self._properties(call)
        return Reply(204, content_type="")

    async def change_identity(self, call: Call, session: Session) -> Reply:
        """Answer ``PATCH /rest/StorageMgmt``."""
        self._has_identity()
        session.identity.update(self._properties(call))
        return Reply(204, content_type="")

    def _has_identity(self) -> None:
        if self._vendor.switches.version is Version.V2019:
            raise Refused(self._vendor.error(404, "There is nothing at this path."))

    def _properties(self, call: Call) -> dict[str, Any]:
        return self._vendor.parsed(call, dict[str, Any]) if call.body else {}

    def _expire(self) -> None:
        for session in self._sessions.over(self._vendor.clock.elapsed(), self._vendor.switches):
            self._vendor.ledger.effect("session_ended", str(session.number), {"how": "time"})

    def _end(self, session: Session, how: str, call: Call | None = None) -> None:
        with self._vendor.locked():
            self._sessions.end(session)
        self._vendor.ledger.effect("session_ended", str(session.number), {"how": how}, call.number if call else 0)
