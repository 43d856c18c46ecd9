"""The stand-in of Exago as the tests of this room use it: a tree that begins empty, and calls that a script spoils in
order.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import msgspec

from include.standins import Fault, FaultKind
from include.standins.exago import ExagoStandIn, ExagoSwitches, Version
from include.standins.faults import Faults, Hit

SPOILED = {
    "drop": Fault(kind=FaultKind.ACCEPT_THEN_DROP),
    "lost": Fault(kind=FaultKind.RESET),
    "session dies": Fault(kind="session_dies"),
}
VERBS = {
    ("POST", "sessions"): "open",
    ("DELETE", "sessions"): "end",
    ("PATCH", "StorageMgmt"): "identity",
    ("GET", "reports"): "list",
    ("POST", "Reports"): "execute",
    ("POST", "folders"): "create",
    ("DELETE", "folders"): "delete",
}


class Script(Faults):
    """What happens to the calls of each verb, in order, the rest being ordinary: ``drop`` (done, its answer lost),
    ``lost`` (not done), ``session dies``, ``(status, body)`` for another answer; a callable runs first, as another
    user.
    """

    def __init__(self, vendor: Vendor) -> None:
        super().__init__(vendor.fault_kinds)
        self.vendor = vendor
        self.actions: dict[str, list[Any]] = defaultdict(list)
        self.counts: Counter[str] = Counter()
        self.bodies: list[Any] = []

    def due(self, request: Hit) -> tuple[Fault, ...]:
        """Take the next action of the verb, and tell what it spoils."""
        if found := super().due(request):
            return found
        parts = request.path.removeprefix("/ExagoWebApi/rest/").split("/")
        verb = "rename" if parts[1:] == ["rename"] else VERBS.get((request.method, parts[0]), "")
        self.counts[verb] += 1
        if verb in ("rename", "execute", "identity"):
            self.bodies.append(msgspec.json.decode(request.body))  # type: ignore[attr-defined]
        action = self.actions[verb].pop(0) if self.actions[verb] else None
        if callable(action):
            action()
        if verb == "list" and action is None and (late := self.vendor.late_listing()) is not None:
            action = (200, late)
        if verb == "execute" and action is None and self.vendor.report is not None:
            action = (200, msgspec.json.encode(self.vendor.report))
        if isinstance(action, tuple):
            kind = "text/html" if action[1][:1] == b"<" else "application/json"
            return (Fault(kind=FaultKind.STATUS, status=action[0], body=action[1].decode(), content_type=kind),)
        return (SPOILED[action],) if action in SPOILED else ()


class Vendor(ExagoStandIn):
    """An Exago in which a test is another user.

    :ivar report: raw answer of every execution
    :ivar stale: so many listings are those of before
    """

    def __init__(self, **switches: Any) -> None:
        super().__init__(switches=ExagoSwitches(**{"tree": [], "parents_made": True, **switches}))
        self.faults: Script = Script(self)
        self.script, self.counts, self.bodies = self.faults.actions, self.faults.counts, self.faults.bodies
        self.report: Any = None
        self.stale = 0
        self._listed = b""

    def put(self, path: str, kind: str = "advanced") -> None:
        """Make a report, or a folder where the path ends with a slash, with all folders above."""
        folder, _, name = path.rpartition("/")
        if folder:
            self.live.other_user("create", folder)
        if name:
            self.live.other_user("create_report", path, type=kind)

    def move(self, old: str, new: str) -> None:
        """Move a folder or a report."""
        if f"{old}/" in self.paths():
            assert self.live.other_user("rename", old, to=new)
        else:
            assert self.live.other_user("delete_report", old)
            self.put(new)

    def clear(self) -> None:
        """Take everything away."""
        for path in [one for one in self.paths() if "/" not in one.rstrip("/")]:
            self.live.other_user("delete" if path.endswith("/") else "delete_report", path.rstrip("/"))

    def protect(self, path: str) -> None:
        """Make a folder read-only."""
        assert self.live.other_user("protect", path)

    def paths(self) -> set[str]:
        return set(self.live.paths())

    @property
    def changes(self) -> list[str]:
        """What clients have changed, in order."""
        said = {"folder_created": "create", "folder_renamed": "move", "folder_deleted": "delete"}
        found = [one for one in self.ledger.effects() if one.kind in said]
        return [" to ".join([f"{said[one.kind]} {one.key}", *one.detail.values()]) for one in found]

    @property
    def made(self) -> int:
        """How many sessions were opened."""
        return len(self.ledger.effects(kind="session_made"))

    @property
    def open(self) -> int:
        """How many sessions are open."""
        return self.access.open_sessions()

    def sids(self) -> list[str]:
        return list(self.access._open)

    def forget_session(self) -> None:
        """Let the session of the next call be gone."""
        self.faults.add(SPOILED["session dies"])

    def late_listing(self) -> bytes | None:
        if self.stale and self._listed:
            self.stale -= 1
            return self._listed
        self._listed = self.listing()
        return None

    def listing(self) -> bytes:
        return msgspec.json.encode(self.live.listing({}))

    def with_ids(self) -> None:
        self.turn(version=Version.V2021)
