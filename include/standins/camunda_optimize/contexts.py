"""Search contexts, as the search database holds them: they move on when they are read, expire, and are bounded in number."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass

from include.standins.draw import Draw

DOCUMENTED_ID = "FGluY2x1ZGVfY29udGV4dF91dWlkDXF1ZXJ"
"""The one of the vendor's page; the others begin with it."""


@dataclass
class Context:
    """One walk through a report.

    :param number: counts the contexts of the stand-in
    :param total: records there are
    :param size: records a page
    :param ends: the place where the records end, ``total`` unless a fault says otherwise
    :param expires: seconds of the stand-in's clock
    :param position: records that were read
    :param page: number of the page that was read last
    """

    number: int
    report: str
    total: int
    size: int
    ends: int
    expires: float = math.inf
    id: str = ""
    position: int = 0
    page: int = 0
    changes: int = 0


class Contexts:
    """The contexts that are open.

    :param seed: of the ids
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._made = 0
        self._open: dict[str, Context] = {}
        self._old: dict[str, str] = {}

    def __len__(self) -> int:
        return len({context.number for context in self._open.values()})

    def expire(self, now: float) -> list[Context]:
        """Drop the contexts whose time is over, and return them."""
        over = [context for context in self._open.values() if now >= context.expires]
        for context in over:
            self.drop(context)
        return over

    def open(self, report: str, total: int, size: int, *, documented: bool = False) -> Context:
        """Open a context.

        :param documented: give it the id of the vendor's page, if no open context has it
        """
        self._made += 1
        context = Context(self._made, report, total, size, ends=total)
        context.id = DOCUMENTED_ID if documented and DOCUMENTED_ID not in self._open else self._new_id(context)
        self._open[context.id] = context
        return context

    def find(self, name: str) -> Context | None:
        """Return the open context of an id, which may be an older one of it that still works."""
        return self._open.get(self._old.get(name, name))

    def rename(self, context: Context, *, old_works: bool) -> None:
        """Give a context another id."""
        del self._open[context.id]
        old, context.changes = context.id, context.changes + 1
        context.id = self._new_id(context)
        self._open[context.id] = context
        if old_works:
            self._old = {name: context.id if now == old else now for name, now in self._old.items()}
            self._old[old] = context.id

    def drop(self, context: Context) -> None:
        """Forget a context."""
        self._open.pop(context.id, None)
        self._old = {name: now for name, now in self._old.items() if now != context.id}

    def _new_id(self, context: Context) -> str:
        draw = Draw(self._seed, "camunda_optimize", "context", context.number, context.changes)
        tail = base64.b64encode(b"".join(draw.bits().to_bytes(8, "big") for _ in range(5))).decode()
        # Ids are base64: each holds what has to be percent-encoded in a query, so that a client which does not encode is found out.
        return f"{DOCUMENTED_ID}5QW5kRmV0Y2gB+{tail[:-2]}/+=="
