"""What a vendor's handler gets and gives, and which handler a request is for. Path parts are split before they are
decoded, so ``%2F`` and ``%23`` stay inside a part.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any
from urllib.parse import unquote

import msgspec
from multidict import CIMultiDictProxy, MultiDict, MultiMapping

from include.standins.faults import Fault

EffectSink = Callable[[str, str, Mapping[str, Any], int], None]


@dataclass(frozen=True)
class Response:
    """One answer.

    :param status: HTTP status
    :param body: all of it, or an iterable of parts that is read as the client takes them (constant memory)
    :param content_type: value of ``Content-Type``; empty: no such header
    :param headers: further headers
    :param length: ``Content-Length`` of an iterable body; unknown: chunked transfer
    """

    status: int = 200
    _: KW_ONLY
    body: bytes | Iterable[bytes] = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None

    @classmethod
    def json(cls, status: int, value: Any, **headers: str) -> Response:
        """Make an answer of a JSON value; a header ``Retry_After="1"`` is sent as ``Retry-After: 1``."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return cls(status=status, body=msgspec.json.encode(value), headers=named)

    @classmethod
    def text(cls, status: int, text: str, content_type: str = "text/plain; charset=utf-8") -> Response:
        """Make an answer of text, encoded as UTF-8."""
        return cls(status=status, body=text.encode(), content_type=content_type)


class Refused(Exception):
    """Raised by a handler to answer at once.

    :param response: the answer
    """

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


@dataclass(kw_only=True)
class Request:
    """One request, as a handler sees it.

    ``parts`` are the named parts of the route's path and ``parameters`` the query, decoded exactly once; ``body`` is
    whole. ``faults`` are those that are due in this call.
    """

    number: int
    origin: str
    method: str
    path: str
    raw_path: str
    query: MultiMapping[str]
    headers: CIMultiDictProxy[str]
    body: bytes
    connection: int
    parts: dict[str, str] = field(default_factory=dict)
    user: str | None = None
    page: int | None = None
    faults: tuple[Fault, ...] = ()
    sink: EffectSink | None = None

    def fault(self, kind: str) -> Fault | None:
        """Return the fault of the vendor's own kind that is due in this call, if there is one."""
        return next((fault for fault in self.faults if fault.kind == kind), None)

    def effect(self, kind: str, key: str = "", **detail: Any) -> None:
        """Write a side effect into the ledger, at once.

        :param kind: what was done, for instance ``export_created``
        :param key: the id of what it was done to
        :param detail: JSON values; no secrets
        """
        if self.sink:
            self.sink(kind, key, detail, self.number)

    def json(self) -> Any:
        """Return the body as JSON.

        :raises Refused: 400, the body is not JSON
        """
        try:
            return msgspec.json.decode(self.body)
        except msgspec.DecodeError as error:
            raise Refused(Response.json(400, {"message": f"The request body is not JSON: {error}"})) from None

    def basic(self) -> tuple[str, str] | None:
        """Return name and secret of ``Authorization: Basic …``; ``None``: there is none that can be read."""
        scheme, _, encoded = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            name, _, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return name, secret

    def form(self) -> MultiDict[str]:
        """Return a form-encoded body, decoded."""
        pairs = (pair.partition("=") for pair in self.body.decode("latin-1").split("&") if pair)
        return MultiDict(
            (unquote(name.replace("+", " ")), unquote(value.replace("+", " "))) for name, _, value in pairs
        )


Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Route:
    """One operation.

    :param method: ``GET``, ``POST``, …
    :param path: under the vendor's root; ``{name}`` stands for one part between slashes, ``{name*}`` at the end for the
        rest
    :param handler: coroutine function that answers
    :param public: ``True``: answered without :meth:`StandIn.authenticate`
    :param origin: the listener that has the route; empty: the main one
    """

    method: str
    path: str
    handler: Handler
    public: bool = False
    origin: str = ""


_REST = "*}"


@dataclass(frozen=True)
class Found:
    """What a request is for: the route and the decoded parts of its path, or the methods that the path has instead."""

    route: Route | None
    parts: dict[str, str]
    allowed: frozenset[str] = frozenset()


class Router:
    """The routes of a vendor; where two fit, the one with the fixed word goes first.

    :param root: context path in front of every route
    """

    def __init__(self, root: str, routes: Iterable[Route]) -> None:
        pairs = [(route, tuple((root + route.path).split("/"))) for route in routes]
        self._routes = sorted(pairs, key=lambda pair: tuple(part.startswith("{") for part in pair[1]))

    def find(self, origin: str, method: str, raw_path: str) -> Found:
        """Find the route of a request.

        :param origin: name of the listener; empty: the main one
        :param raw_path: the path as it came, still encoded, without the query
        """
        split = raw_path.split("/")
        allowed: set[str] = set()
        for route, pattern in self._routes:
            if route.origin != origin:
                continue
            parts = _fit(pattern, split)
            if parts is None:
                continue
            if route.method == method:
                return Found(route, parts)
            allowed.add(route.method)
        return Found(None, {}, frozenset(allowed))


def _fit(pattern: tuple[str, ...], split: list[str]) -> dict[str, str] | None:
    if pattern[-1].endswith(_REST):
        if len(split) < len(pattern):
            return None
        split = [*split[: len(pattern) - 1], "/".join(split[len(pattern) - 1 :])]
    if len(pattern) != len(split):
        return None
    parts: dict[str, str] = {}
    for expected, given in zip(pattern, split, strict=True):
        if expected.startswith("{"):
            parts[expected.strip("{}*")] = unquote(given)
        elif expected != unquote(given):
            return None
    return parts
