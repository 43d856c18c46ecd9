"""A plain client for the stand-ins: standard library only, so that nothing of ours is on both sides."""

from __future__ import annotations

import base64
import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from include.standins.flexnet import LOGIN, PASSWORD, FlexNetStandIn


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def basic(login: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{login}:{password}".encode()).decode()


def ask(
    url: str,
    *,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
    timeout: float = 5,
) -> Answer:
    """Send one request on a connection of its own."""
    split = urlsplit(url)
    connection = http.client.HTTPConnection(split.hostname or "", split.port, timeout=timeout)
    try:
        target = split.path + (f"?{split.query}" if split.query else "")
        connection.request(method, target, body=body, headers=headers or {})
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


class Site:
    """A FlexNet stand-in and a user of it."""

    def __init__(self, vendor: FlexNetStandIn) -> None:
        self.vendor = vendor

    def get(
        self, what: str, *, headers: dict[str, str] | None = None, version: str = "v1", **parameters: Any
    ) -> Answer:
        query = urlencode(
            {n: json.dumps(v) if isinstance(v, dict) else v for n, v in parameters.items()}, quote_via=quote
        )
        sent = {"Authorization": basic(LOGIN, PASSWORD)} if headers is None else headers
        return ask(f"{self.vendor.url}/data/api/{version}/report/{what}?{query}", headers=sent)

    def rows(self, what: str, **parameters: Any) -> list[dict[str, Any]]:
        answer = self.get(what, **parameters)
        assert answer.status == 200, answer.body
        data = answer.json["data"]
        assert isinstance(data, list)
        return data

    def walk(self, what: str, **parameters: Any) -> list[list[dict[str, Any]]]:
        """Read pages by number until one is empty."""
        pages: list[list[dict[str, Any]]] = []
        for number in range(1, 100):
            rows = self.rows(what, pageNumber=number, **parameters)
            if not rows:
                return pages
            pages.append(rows)
        raise AssertionError("a walk without an end")
