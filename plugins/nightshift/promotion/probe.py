"""One request to what was deployed, by the client of all vendors: same origin, limits, time-outs, typed errors."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from nightshift.errors import AuthFailed, BadResponse, Forbidden, RateLimited, Unreachable
from nightshift.http.client_settings import SHARED_EXTRAS
from nightshift.http.credentials import extras_of
from nightshift.http.hook import VendorHook
from nightshift.promotion.rules.probe import judged

if TYPE_CHECKING:
    from nightshift.config.verification import Probe
    from nightshift.promotion.record import Version

MAX_BYTES = 1 << 20
"""Largest answer that is looked at."""
NOT_HEADERS = frozenset({"cert", "stream", "max_redirects", "check_response", "allow_redirects", "tcp_keep_alive"})
"""Extras that Airflow's own HTTP hook takes for settings; of all others of a connection of the type ``http`` it makes
headers.
"""
_SEEN = (Unreachable, RateLimited, BadResponse, AuthFailed, Forbidden)
"""What an answer, or none, may mean; another error is a mistake of ours, which says nothing about what was deployed."""


class ProbeHook(VendorHook):
    """The client of a probe. One try is one request: the tries of the probe are counted in its task.

    :param probe: where it asks
    """

    vendor = "Probe"

    def __init__(self, probe: Probe) -> None:
        seconds = probe.timeout.total_seconds()
        limits: dict[str, Any] = {"timeout": seconds, "connect_timeout": seconds, "read_timeout": seconds}
        super().__init__(probe.connection or "no connection", attempts=1, **limits)
        self._url = None if probe.url is None else urlsplit(probe.url)
        self.path = probe.path or _path_of(probe.url or "")

    async def resolved(self) -> Any:
        """Return the connection: Airflow's, or what the address alone says."""
        if self._url is not None:
            root = f"{self._url.scheme}://{self._url.netloc}"
            return SimpleNamespace(host=root, port=None, schema=None, login=None, password=None, extra=None)
        connection = await super().resolved()
        extras = extras_of(connection, vendor=self.vendor)
        shared = {name: value for name, value in extras.items() if name in SHARED_EXTRAS}
        if connection.conn_type == "http":
            more = {name: value for name, value in extras.items() if name not in SHARED_EXTRAS | NOT_HEADERS}
            shared["headers"] = {**_mapping(more.pop("headers", {})), **more, **_mapping(shared.get("headers"))}
        found = copy.copy(connection)
        found.extra = json.dumps(shared)
        return found


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _path_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"


async def ask(probe: Probe, version: Version) -> tuple[bool, int | None, str]:
    """Ask once; return whether it is as it has to be, the status of the answer, and what was seen.

    :param version: the version that was deployed
    :raises VendorError: nothing can be asked: there is no such connection, say, or its host is none
    """
    try:
        async with ProbeHook(probe) as hook:
            answer = await hook.request(
                "GET", hook.path, ok=range(100, 600), max_bytes=MAX_BYTES, accept=_accepted(probe), expect_json=False
            )
            body = answer.json() if probe.expect and answer.status == probe.status else None
    except _SEEN as error:
        return False, error.status, f"{error.problem}{f' (status {error.status})' if error.status else ''}"
    fits, words = judged(probe, version, answer.status, body)
    return fits, answer.status, words


def _accepted(probe: Probe) -> str:
    # With */* a page is an answer like any other, whose status is looked at.
    return "application/json, */*" if probe.expect else "*/*"
