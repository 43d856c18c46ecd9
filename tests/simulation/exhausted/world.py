"""What all worlds have in common: a search over all choices, faults that are left, a time of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import ClassVar


class Broken(AssertionError):
    """A promise was broken; the message tells which, and the choices that lead there."""


class Choices:
    """Depth-first search over a tree of choices: the same calls in the same order, each time with the next answers."""

    def __init__(self, path: Sequence[int] = ()) -> None:
        self._path = [(one, one + 1) for one in path]
        self._at = 0

    def pick(self, count: int) -> int:
        """Return one of ``count`` answers."""
        if self._at == len(self._path):
            self._path.append((0, count))
        self._at += 1
        return self._path[self._at - 1][0]

    def advance(self) -> bool:
        """Go on to the next combination; false where there is none."""
        self._at = 0
        while self._path:
            taken, count = self._path.pop()
            if taken + 1 < count:
                self._path.append((taken + 1, count))
                return True
        return False

    @property
    def taken(self) -> tuple[int, ...]:
        """The answers of this run, by which it can be had again."""
        return tuple(one for one, _ in self._path[: self._at])


@dataclass
class DisturbedWorld:
    """What every world has: choices, faults that are left, a time, what happened.

    :param faults: how many may still happen
    """

    choices: Choices
    faults: int
    now: float = 1_000_000.0
    happened: list[str] = field(default_factory=list)

    def fault(self, *kinds: str) -> str:
        """Return what goes wrong here; empty: nothing."""
        if not self.faults:
            return ""
        which = self.choices.pick(len(kinds) + 1)
        if not which:
            return ""
        self.faults -= 1
        self.happened.append(kinds[which - 1])
        return kinds[which - 1]

    def broken(self, what: str) -> Broken:
        """Return the error of a promise that was broken, with the run that leads there."""
        return Broken(f"{what}; choices {self.choices.taken}: {self.happened}")


class Window:
    """A window in which a request may leave, in the time of a world."""

    world: ClassVar[DisturbedWorld]

    def __init__(self, seconds: float) -> None:
        self.seconds, self._ends = seconds, self.world.now + seconds

    @property
    def is_over(self) -> bool:
        """Whether it has closed."""
        return self.world.now >= self._ends


CURRENT: ContextVar[Window] = ContextVar("window")
"""The one that a request is sent within."""


@contextmanager
def sent_within(window: Window) -> Iterator[None]:
    """Send within a window."""
    token = CURRENT.set(window)
    try:
        yield
    finally:
        CURRENT.reset(token)
