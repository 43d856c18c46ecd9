"""Attempts that are run step by step, each from one effect to the next: dead, frozen and thawed where the search
wants.

An attempt is a greenlet, so that synchronous code is stopped in the middle as well as coroutines are.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar
from unittest import mock

from greenlet import GreenletExit, getcurrent, greenlet

from tests.simulation.exhausted.world import Broken, Choices

T = TypeVar("T")
MOST_STEPS = 2000


def effect(name: str) -> None:
    """Be at an effect: here the attempt may be left for good, or for a while."""
    parent = getcurrent().parent
    if parent is not None:
        parent.switch(name)


def drive(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that waits for nothing but effects."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    raise AssertionError("a coroutine waits for an event loop")


class Actor(Generic[T]):
    """One attempt.

    :param name: of what it is an attempt
    :param work: what it does
    """

    def __init__(self, name: str, work: Callable[[], T]) -> None:
        self.name = name
        self.result: T | None = None
        self.error: Exception | None = None
        self.at = ""
        self._work = work
        self._greenlet = greenlet(self._run)

    @property
    def is_over(self) -> bool:
        """Whether nothing of it runs any more."""
        return bool(self._greenlet.dead)

    def is_one_of(self, greenlets: Collection[Any]) -> bool:
        """Whether what ran at some effect was this attempt."""
        return self._greenlet in greenlets

    def step(self) -> None:
        """Go on to the next effect."""
        said = self._greenlet.switch()
        self.at = said if isinstance(said, str) else ""

    def finish(self) -> None:
        """Go on to the end."""
        for _ in range(MOST_STEPS):
            if self.is_over:
                return
            self.step()
        raise Broken(f"{self.name} does not end; it is at {self.at}")

    def kill(self) -> None:
        """Leave it for good, where it is."""
        if not self.is_over and self._greenlet:
            self._greenlet.throw(GreenletExit)

    def _run(self) -> None:
        try:
            self.result = self._work()
        except Broken:
            raise
        except Exception as error:
            self.error = error


def explore(run_one: Callable[[Choices], object], *, most: int | None = None) -> int:
    """Try all runs and return how many there were.

    :param most: at most so many; the proof of a mutant needs no more than the first that is broken
    :raises Broken: one broke a promise
    """
    choices, count = Choices(), 0
    before = logging.root.manager.disable
    logging.disable()
    try:
        while most is None or count < most:
            run_one(choices)
            count += 1
            if not choices.advance():
                break
    finally:
        logging.disable(before)
    return count


@contextmanager
def patched(*changes: tuple[Any, str, Any]) -> Iterator[None]:
    """Put something else in the place of attributes for a while: object, name, value."""
    patches = [mock.patch.object(target, name, value) for target, name, value in changes]
    for one in patches:
        one.start()
    try:
        yield
    finally:
        for one in reversed(patches):
            one.stop()
