"""The stand-in of Token Flex as the tests of this room use it: files of their own, exports in a state, calls that are
spoiled.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import msgspec

from include.standins import Entry, Fault, FaultKind
from include.standins.tokenflex import BEARER, RateLimit, TokenFlexStandIn, TokenFlexSwitches, vendor_fault
from include.standins.tokenflex.exports import NEVER, Export

CONTRACT = "110000917988"
TOKEN = BEARER
CSV = b"usageDate,productName,userName,tokensConsumed\n"
SPOILED = {"drop": FaultKind.RESET, "drop_after": FaultKind.ACCEPT_THEN_DROP}
WHERE = {
    "create": ("POST", "/requests$"),
    "list": ("GET", "/requests$"),
    "get": ("GET", "/requests/"),
    "delete": ("DELETE", "/requests/"),
    "contracts": ("GET", "/contract$"),
    "query": ("GET", "/query/"),
}


class File:
    """A file as the download host sends it.

    :param content: all of it
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.length = len(content)
        self.etag = hashlib.sha256(content).hexdigest()[:32]

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Give the bytes from ``start`` up to and without ``stop``."""
        yield self.content[start:stop]


class Vendor(TokenFlexStandIn):
    """A Token Flex that is quick, and knows no limit of requests."""

    def __init__(self, **switches: Any) -> None:
        quick = {"processing_seconds": 0.2, "rate_limit": RateLimit.OFF, **switches}
        super().__init__(switches=TokenFlexSwitches(**quick))
        self._file = CSV + b"2026-11-21,AutoCAD,ann,1.5\n2026-11-21,Revit,bob,2\n"
        self.downloads.make = lambda export: File(self._file)  # type: ignore[assignment, method-assign, return-value]

    @property
    def file(self) -> bytes:
        """What the file of every export holds."""
        return self._file

    @file.setter
    def file(self, content: bytes) -> None:
        self._file = content
        for export in self.exports.all():
            export.file = None

    def add(self, *, name: str = "made elsewhere", at: datetime | None = None, **state: Any) -> Export:
        """Have an export that somebody else has asked for, ready where nothing else is said.

        :param at: when it was asked for
        :param state: attributes of the export, and ``ready``: seconds until it is
        """
        made = self.add_from_elsewhere({"fields": ["usageDate"], "downloadFileName": name})
        made.ready = made.made + timedelta(seconds=min(state.pop("ready", 0), NEVER))
        if at is not None:
            made.made = at
        for field, value in state.items():
            setattr(made, field, value)
        return made

    def fault(self, where: str, *what: Any) -> None:
        """Spoil the next calls of a kind, in order: a status, ``(status, headers, body)``, ``drop`` or
        ``drop_after``.
        """
        method, path = WHERE[where]
        for one in what:
            if isinstance(one, str):
                self.faults.add(Fault(kind=SPOILED[one], method=method, path=path))
                continue
            status, headers, body = one if isinstance(one, tuple) else (one, {}, {})
            text = body if isinstance(body, str) else msgspec.json.encode(body).decode()
            kind = "text/html" if isinstance(body, str) else "application/json"
            self.faults.add(
                Fault(
                    kind=FaultKind.STATUS,
                    method=method,
                    path=path,
                    status=status,
                    headers=headers,
                    body=text,
                    content_type=kind,
                )
            )

    def breaks(self, *at: int) -> None:
        """Let the next downloads break off after so many bytes."""
        self.faults.add(*(Fault(kind=FaultKind.SHORT_BODY, origin="download", at_bytes=one) for one in at))

    def refuses_links(self, times: int | None) -> None:
        """Let so many links be refused as ended; ``None``: all."""
        self.faults.add(vendor_fault("url_expired", times=times))

    def forget(self) -> None:
        """Have no export any more."""
        for export in self.exports.all():
            self.exports.remove(export)

    def keys(self) -> list[str]:
        """The exports that are there."""
        return list(self.live_exports())

    def payloads(self) -> list[dict[str, Any]]:
        """What was asked for with the exports that are there."""
        made = {one.key: one.detail["payload"] for one in self.ledger.effects(kind="export_created")}
        return [made[key] for key in self.keys() if key in made]

    @property
    def deleted(self) -> list[str]:
        return [one.key for one in self.ledger.effects(kind="export_deleted")]

    @property
    def retries(self) -> int:
        return len(self.ledger.effects(kind="export_retried"))

    @property
    def seen(self) -> list[Entry]:
        """The requests to the API."""
        return self.ledger.requests(origin="")

    @property
    def downloads_seen(self) -> list[Entry]:
        return self.ledger.requests(origin="download")

    def count(self, method: str, ending: str = "") -> int:
        return len(self.ledger.requests(method=method, path=f"{ending}$", origin=""))
