"""Faults on demand: declared, counted, the same each time."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, Protocol

import msgspec


class Hit(Protocol):
    """What of a request decides whether a fault is for it."""

    method: str
    origin: str
    path: str
    page: int | None

    @property
    def query(self) -> Mapping[str, str]:
        """The query, decoded."""


Predicate = Callable[[Any], bool]


class FaultKind(StrEnum):
    """What can go wrong with any vendor.

    ``STATUS``: ``status`` (and ``retry_after``, ``body``, ``content_type``, ``headers``) instead of the answer; 502 has
    an HTML body. ``HTML_200``, ``EMPTY_200``: success without data. ``WRONG_CONTENT_TYPE``: the true body under
    ``content_type``. ``RESET``: request lost, TCP reset. ``DROP_BEFORE``: request lost, connection closed in order.
    ``ACCEPT_THEN_DROP``: request **done**, answer lost, TCP reset. ``RESET_BODY``: reset after ``at_bytes`` of the
    body. ``TRUNCATED``: ``at_bytes`` of the body, with a Content-Length that agrees: valid HTTP, broken JSON.
    ``SHORT_BODY``: ``at_bytes``, then closed, against a Content-Length that promises all; ``SHORT_CHUNKED``: the same
    in chunks, no last chunk. ``DRIP``: ``chunk_bytes`` every ``seconds``. ``DELAY``: ``seconds`` before anything is
    done. ``DELAY_ANSWER``: request **done**, then ``seconds``. ``OVERSIZE``: white space in front of the body until it
    has ``size_bytes``. ``BAD_GZIP``: said to be gzip and is not. ``CUT_GZIP``: ``at_bytes`` of the body as gzip that
    does not end, with a Content-Length that agrees. ``HOLD``: request lost, no answer. ``HOLD_ANSWER``: request
    **done**, no answer. ``HOLD_BODY``: ``at_bytes`` of the body, no more. Each until the client leaves, or
    :meth:`StandIn.release`: then the connection ends, but a held answer is sent.
    """

    STATUS = "status"
    HTML_200 = "html_200"
    EMPTY_200 = "empty_200"
    WRONG_CONTENT_TYPE = "wrong_content_type"
    RESET = "reset"
    DROP_BEFORE = "drop_before"
    ACCEPT_THEN_DROP = "accept_then_drop"
    RESET_BODY = "reset_body"
    TRUNCATED = "truncated"
    SHORT_BODY = "short_body"
    SHORT_CHUNKED = "short_chunked"
    DRIP = "drip"
    DELAY = "delay"
    DELAY_ANSWER = "delay_answer"
    OVERSIZE = "oversize"
    BAD_GZIP = "bad_gzip"
    HOLD = "hold"
    HOLD_ANSWER = "hold_answer"
    HOLD_BODY = "hold_body"
    CUT_GZIP = "cut_gzip"


UNDONE = frozenset(
    {
        FaultKind.STATUS,
        FaultKind.HTML_200,
        FaultKind.EMPTY_200,
        FaultKind.RESET,
        FaultKind.DROP_BEFORE,
        FaultKind.HOLD,
    }
)
"""Kinds with which the vendor's handler does not run: nothing is done at the vendor."""

SLOW = frozenset({FaultKind.DELAY, FaultKind.DELAY_ANSWER})
"""Kinds that go together with another one in the same call."""

ANSWERS = frozenset(FaultKind) - SLOW
"""Kinds that decide the answer: one of them a call."""


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault and the calls that it is for. What is not given matches every call.

    :param kind: a :class:`FaultKind`, or one of the vendor's own kinds
    :param method: HTTP method
    :param path: regular expression, searched in the decoded path (without the query)
    :param page: the page that the call asks for, as the vendor counts; ``from_page``: that page and all after it
    :param query: query parameters that have to have these values
    :param origin: the listener; default any
    :param times: how many calls it hits; ``None``: all
    :param after: how many matching calls pass before it
    :param detail: arguments of a vendor's own kind
    """

    kind: str
    method: str | None = None
    path: str | None = None
    page: int | None = None
    from_page: int | None = None
    query: dict[str, str] = {}
    origin: str | None = None
    times: int | None = 1
    after: int = 0
    status: int = 500
    retry_after: str | None = None
    headers: dict[str, str] = {}
    content_type: str = "text/html"
    body: str | None = None
    at_bytes: int = 20
    chunk_bytes: int = 1
    seconds: float = 0.01
    size_bytes: int = 0
    detail: dict[str, Any] = {}

    def fits(self, request: Hit) -> bool:
        """Tell whether the fault is for a call, whatever the counts."""
        return (
            (self.method is None or self.method == request.method)
            and (self.origin is None or self.origin == request.origin)
            and (self.path is None or re.search(self.path, request.path) is not None)
            and (self.page is None or self.page == request.page)
            and (self.from_page is None or (request.page is not None and request.page >= self.from_page))
            and all(request.query.get(name) == value for name, value in self.query.items())
        )


def own_fault(fits: Mapping[str, Mapping[str, str]], kind: str, **given: Any) -> Fault:
    """Return one of a vendor's own faults, for the calls on which it has a meaning: a fault counts all that it fits.

    :param fits: kind → fields of :class:`Fault`
    :param given: further fields, which go first
    :raises KeyError: no such kind
    """
    return msgspec.convert({"kind": kind, **fits[kind], **given}, Fault)


class _Waiting:
    """A fault with its counts."""

    def __init__(self, fault: Fault, when: Predicate | None) -> None:
        self.fault = fault
        self.when = when
        self.seen = 0
        self.fired = 0

    def due(self, request: Hit) -> bool:
        if not self.fault.fits(request) or (self.when and not self.when(request)):
            return False
        self.seen += 1
        if self.seen <= self.fault.after or (self.fault.times is not None and self.fired >= self.fault.times):
            return False
        self.fired += 1
        return True


class Faults:
    """The faults that wait for their calls; safe to use from any thread.

    :param own_kinds: the vendor's own kinds, next to :class:`FaultKind`
    """

    def __init__(self, own_kinds: Iterable[str] = ()) -> None:
        self._kinds = frozenset(own_kinds) | frozenset(FaultKind)
        self._lock = threading.Lock()
        self._waiting: list[_Waiting] = []

    def add(self, *faults: Fault, when: Predicate | None = None) -> None:
        """Let faults wait.

        :param faults: in the order in which they are tried
        :param when: a further condition, any predicate of the call
        :raises ValueError: no such kind, or a path that is no regular expression
        """
        for fault in faults:
            if fault.kind not in self._kinds:
                raise ValueError(f"no fault {fault.kind!r}; there are {', '.join(sorted(self._kinds))}")
            try:
                re.compile(fault.path or "")
            except re.error as error:
                raise ValueError(f"the path {fault.path!r} of a fault is no regular expression: {error}") from None
        with self._lock:
            self._waiting += [_Waiting(fault, when) for fault in faults]

    def clear(self) -> None:
        with self._lock:
            self._waiting.clear()

    def fired(self) -> list[Mapping[str, Any]]:
        """Return all faults with their counts: ``fault``, ``seen`` (matching calls), ``fired``."""
        with self._lock:
            return [{"fault": msgspec.to_builtins(w.fault), "seen": w.seen, "fired": w.fired} for w in self._waiting]

    def due(self, request: Hit) -> tuple[Fault, ...]:
        """Return the faults of a call: at most one that decides the answer, any number of slow ones and of the vendor's
        own.
        """
        with self._lock:
            if not self._waiting:
                return ()
            taken: list[Fault] = []
            answered = False
            for waiting in self._waiting:
                decides = waiting.fault.kind in ANSWERS
                if decides and answered:
                    continue
                if waiting.due(request):
                    taken.append(waiting.fault)
                    answered = answered or decides
            return tuple(taken)
