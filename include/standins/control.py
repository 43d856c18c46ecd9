"""The control origin: the ledger, the faults and the switches of a stand-in, for other processes, over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

import msgspec

from include.standins.clock import Clock
from include.standins.faults import Fault, Faults
from include.standins.ledger import Ledger
from include.standins.routing import Response
from include.standins.switches import Switches

DEFAULT_LIMIT = 1000


class Controlled(Protocol):
    """What the control origin turns."""

    clock: Clock
    ledger: Ledger
    faults: Faults
    latency: float

    @property
    def switches(self) -> Switches:
        """The vendor's switches."""

    def turn(self, **changes: Any) -> None:
        """Turn switches."""

    def release(self) -> None:
        """Let held answers go."""

    def described(self) -> dict[str, Any]:
        """Say what this is."""


class Control:
    """Answers the paths under ``/_standin``; every mistake of the caller is a 400 that says what is wrong.

    :param vendor: the stand-in
    """

    def __init__(self, vendor: Controlled) -> None:
        self._vendor = vendor

    async def answer(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> Response:
        """Answer one request.

        :param path: what follows ``/_standin``
        """
        try:
            value = msgspec.json.decode(body) if body else {}
            return Response.json(200, self._do(f"{method} /{path.strip('/')}", dict(query), value))
        except LookupError:
            return Response.json(404, {"message": f"no {method} {path} here; see the docstring of include.standins"})
        except (ValueError, TypeError, msgspec.MsgspecError) as error:
            return Response.json(400, {"message": str(error)})

    def _do(self, what: str, query: dict[str, str], value: Any) -> Any:
        vendor = self._vendor
        match what:
            case "GET /":
                return vendor.described()
            case "GET /requests":
                limit, filters = _filters(query, numbers=("status", "since"))
                return vendor.ledger.requests(**filters)[-limit:]
            case "GET /effects":
                limit, filters = _filters(query, numbers=("since",))
                return vendor.ledger.effects(**filters)[-limit:]
            case "GET /stats":
                return vendor.ledger.stats()
            case "DELETE /ledger":
                vendor.ledger.clear()
            case "GET /faults":
                return vendor.faults.fired()
            case "POST /faults":
                listed = value if isinstance(value, list) else [value]
                vendor.faults.add(*msgspec.convert(listed, list[Fault]))
                return vendor.faults.fired()
            case "DELETE /faults":
                vendor.faults.clear()
                vendor.release()
            case "POST /release":
                vendor.release()
            case "GET /switches":
                return vendor.switches
            case "PATCH /switches":
                vendor.turn(**value)
                return vendor.switches
            case "PUT /latency":
                vendor.latency = float(_the(value, "seconds"))
            case "GET /clock":
                return {"now": vendor.clock.now().isoformat()}
            case "POST /clock":
                _turn_clock(vendor.clock, value)
                return {"now": vendor.clock.now().isoformat()}
            case _:
                raise LookupError(what)
        return {}


def _filters(query: dict[str, str], numbers: tuple[str, ...]) -> tuple[int, dict[str, Any]]:
    limit = int(query.pop("limit", DEFAULT_LIMIT))
    return limit, {name: int(text) if name in numbers else text for name, text in query.items()}


def _the(value: Any, name: str) -> Any:
    if not isinstance(value, dict) or name not in value:
        raise ValueError(f"the body has to be a JSON object with {name!r}")
    return value[name]


def _turn_clock(clock: Clock, value: Any) -> None:
    if "set" in value:
        clock.fix(datetime.fromisoformat(value["set"]))
    elif value.get("real"):
        clock.run()
    else:
        clock.advance(float(_the(value, "advance")))
