"""A vendor with one thing of each kind, for what all stand-ins have in common."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from include.standins import (
    Refused,
    Request,
    Response,
    Route,
    StandIn,
    Switches,
)
from tests.contract.standins.client import Answer, ask

# Routes and identity.


PINNED = [68, 99, "c"]
ROOT = Path(__file__).resolve().parents[3]
TEXT = b'{"id":"1","text":"' + b"x" * 500 + b'"}'


class ShelfSwitches(Switches, frozen=True, kw_only=True):
    created_status: int = 201
    words: str = "none"


class Shelf(StandIn[ShelfSwitches]):
    """A vendor with one thing of each kind."""

    name = "shelf"
    root = "/shelf"
    switches_type = ShelfSwitches
    fault_kinds = frozenset({"mislaid"})
    secret_query = frozenset({"key"})
    side_origins = ("depot",)

    def routes(self) -> Sequence[Route]:
        return [
            Route("GET", "/item/{id}", self.item),
            Route("GET", "/item/list", self.listed, public=True),
            Route("POST", "/item/{id}", self.put),
            Route("GET", "/file/{path*}", self.file, public=True, origin="depot"),
            Route("GET", "/broken", self.broken, public=True),
        ]

    def authenticate(self, call: Request) -> str:
        if call.query.get("key") != "secret":
            raise Refused(self.error(401, "who are you?"))
        return "keeper"

    def page_of(self, call: Request) -> int | None:
        return int(call.query.get("page", "1"))

    async def item(self, call: Request) -> Response:
        if call.fault("mislaid"):
            return self.error(404, "mislaid")
        return Response(200, body=TEXT if call.parts["id"] == "1" else json.dumps(call.parts).encode())

    async def listed(self, call: Request) -> Response:
        return Response.json(200, self.switches.words)

    async def put(self, call: Request) -> Response:
        call.effect("put", key=call.parts["id"], value=call.json())
        return Response.json(self.switches.created_status, {})

    async def file(self, call: Request) -> Response:
        return Response(200, body=(b"line\n" * 1000 for _ in range(20)), content_type="text/csv", length=100_000)

    async def broken(self, call: Request) -> Response:
        raise ZeroDivisionError("a bug of the stand-in")


def item(shelf: Shelf, name: str = "1", **options: Any) -> Answer:
    return ask(f"{shelf.url}/item/{name}?key=secret", **options)


def control(shelf: Shelf, method: str, path: str, value: Any = None) -> Answer:
    return ask(
        f"{shelf.origin('')}/_standin/{path}", method=method, body=None if value is None else json.dumps(value).encode()
    )
