"""What each field of each connection form does: a module a vendor, with its :class:`Form`.

A row says a value of the field, where to look, and what is seen there with it; without it something else is seen. A
vendor's ``ask`` sends what shows the most: its own report, where it is a source of reports, as ``reports.yaml`` says it
when it says no more than it must.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from include.standins import StandIn
from include.standins.ledger import Effect, Entry
from nightshift.errors import VendorError
from nightshift.http.hook import VendorHook

Ask = Callable[[VendorHook], Awaitable[Any]]


@dataclass(frozen=True)
class Seen:
    """What was seen of one use of a connection.

    :param requests: what reached the vendor, as its ledger has it
    :param error: how it ended, where it failed
    :param seconds: how long it took
    :param result: what the client returned
    :param effects: what was done at the vendor
    """

    requests: list[Entry]
    error: VendorError | None
    seconds: float
    result: Any = None
    effects: tuple[Effect, ...] = ()

    @property
    def last(self) -> Entry:
        """The last request."""
        return self.requests[-1]

    def query(self, name: str) -> str | None:
        """Return a parameter of the last request."""
        return dict(self.last.query).get(name)


@dataclass(frozen=True)
class Row:
    """One field.

    :param value: what a person fills in
    :param look: where it shows
    :param seen: what is seen there then
    :param also: further extras, with and without the value
    :param ask: another use of the connection than the form's own
    :param standin: options of the stand-in
    """

    value: Any
    look: Callable[[Seen], Any]
    seen: Any
    also: Mapping[str, Any] = field(default_factory=dict)
    ask: Ask | None = None
    standin: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Elsewhere:
    """A field whose effect a test of its own shows.

    :param test: name of the function
    """

    test: str


@dataclass(frozen=True)
class Form:
    """One vendor's form.

    :param standin: makes the stand-in
    :param connection: of the connection, without host and type
    :param ask: uses the connection
    :param rows: field → what it does
    :param also: extras of every row that names none
    """

    standin: Callable[..., StandIn[Any]]
    connection: Mapping[str, Any]
    ask: Ask
    rows: Mapping[str, Row | Elsewhere]
    also: Mapping[str, Any] = field(default_factory=dict)

    def see(self, row: Row, hook_of: Callable[[StandIn[Any], Mapping[str, Any]], VendorHook], extra: Any) -> Seen:
        """Use the connection with an extra filled in, and return what was seen."""
        import asyncio

        async def use(vendor: StandIn[Any]) -> Any:
            async with hook_of(vendor, {**self.also, **row.also, **extra}) as hook:
                return await (row.ask or self.ask)(hook)

        error, result = None, None
        with self.standin(**row.standin) as vendor:
            began = time.monotonic()
            try:
                result = asyncio.run(use(vendor))
            except VendorError as raised:
                error = raised
            return Seen(
                vendor.ledger.requests(), error, time.monotonic() - began, result, tuple(vendor.ledger.effects())
            )
