"""What becomes of an attempt at one of its changes: it is killed, stands still, or loses the lake."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from typing import Any

import obstore
import obstore.exceptions

from nightshift.flexdeploy.adapter import FlexDeployAdapter
from nightshift.jobs import triggers
from nightshift.promotion.store import Records
from nightshift.promotion.turns import Turns

CHANGING = (
    (Records, "write"),
    (Turns, "take"),
    (Turns, "enter"),
    (Turns, "leave"),
    (FlexDeployAdapter, "submit"),
    (FlexDeployAdapter, "cancel"),
)
"""What changes the lake or FlexDeploy."""
LAKE_CALLS = ("get_async", "put_async", "delete_async", "list", "head", "put")
"""What our code calls of the client of object stores."""


class Fate(StrEnum):
    """What becomes of an attempt at one of its changes."""

    KILLED_BEFORE = "killed before"
    KILLED_AFTER = "killed after"
    FROZEN_BEFORE = "frozen before"
    FROZEN_AFTER = "frozen after"
    SLOW_BEFORE = "slow before"
    """It stands still while the story goes on around it, and then goes on itself; Airflow has not given it up."""
    SLOW_AFTER = "slow after"
    LAKE_AWAY = "lake away"
    """From a call on, the lake cannot be reached by this attempt."""


FROZEN = frozenset({Fate.FROZEN_BEFORE, Fate.FROZEN_AFTER})
SLOW = frozenset({Fate.SLOW_BEFORE, Fate.SLOW_AFTER})


class Lost(BaseException):
    """The attempt was killed."""


class Life:
    """Counts what an attempt changes, and ends or stops it at one of these changes.

    :param fate: what becomes of it, and at which change: its number, or the name of the call; ``None``: it lives
    """

    def __init__(self, fate: tuple[Fate, int | str] | None = None) -> None:
        self.fate = fate
        self.changes = 0
        self.lake_calls = 0
        self.dead = False
        self.frozen, self.thawed = threading.Event(), threading.Event()

    def before(self, call: str) -> None:
        if self.dead:
            raise Lost
        self.changes += 1
        if self._is(Fate.KILLED_BEFORE, call):
            self._die()
        if self._is(Fate.FROZEN_BEFORE, call) or self._is(Fate.SLOW_BEFORE, call):
            self._stand_still()

    def after(self, call: str) -> None:
        if self._is(Fate.KILLED_AFTER, call):
            self._die()
        if self._is(Fate.FROZEN_AFTER, call) or self._is(Fate.SLOW_AFTER, call):
            self._stand_still()

    def lake(self) -> None:
        """Count a call of the lake."""
        self.lake_calls += 1
        if self.fate is not None and self.fate[0] is Fate.LAKE_AWAY and self.lake_calls >= int(self.fate[1]):
            raise obstore.exceptions.GenericError("the lake is away")

    def _is(self, fate: Fate, call: str) -> bool:
        return self.fate in ((fate, self.changes), (fate, call))

    def _die(self) -> None:
        self.dead = True
        raise Lost

    def _stand_still(self) -> None:
        self.fate = None
        self.frozen.set()
        self.thawed.wait()


LIFE: ContextVar[Life | None] = ContextVar("life", default=None)


POLLS = [0]
"""How often FlexDeploy was asked how work stands, by triggers."""


async def _no_look(*_: Any, **__: Any) -> None:
    """Look at work on a worker for no time at all: each wait is a trigger's, in steps of the story."""


@contextmanager
def mortal() -> Iterator[None]:
    """Let every change of the lake and of FlexDeploy be one at which an attempt can end."""
    real = [(owner, name, getattr(owner, name)) for owner, name in CHANGING]
    status = FlexDeployAdapter.status

    async def counted(self: Any, ids: Any) -> Any:
        try:
            return await status(self, ids)
        finally:
            POLLS[0] += 1

    def mortal_one(call: str, change: Callable[..., Any]) -> Callable[..., Any]:
        async def changed(*args: Any, **kwargs: Any) -> Any:
            if (life := LIFE.get()) is None:
                return await change(*args, **kwargs)
            life.before(call)
            answer = await change(*args, **kwargs)
            life.after(call)
            return answer

        return changed

    def reached(call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **kwargs: Any) -> Any:
            if (life := LIFE.get()) is not None:
                life.lake()
            return call(*args, **kwargs)

        return called

    for owner, name, change in real:
        setattr(owner, name, mortal_one(name, change))
    calls = {name: getattr(obstore, name) for name in LAKE_CALLS}
    for name, call in calls.items():
        setattr(obstore, name, reached(call))
    look = triggers.look
    FlexDeployAdapter.status, triggers.look = counted, _no_look  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        FlexDeployAdapter.status, triggers.look = status, look  # type: ignore[method-assign]
        for name, call in calls.items():
            setattr(obstore, name, call)
        for owner, name, change in real:
            setattr(owner, name, change)
