"""REST sessions: made, used, lost, ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from include.standins.draw import Draw
from include.standins.exago.switches import ExagoSwitches


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
