"""One universe: a loop, a network, a time and a trace, all of one seed."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import random
from collections.abc import Coroutine
from contextvars import Context
from random import Random
from typing import Any, TypeVar

from tests.simulation.world.clock import WorldClock
from tests.simulation.world.loop import SimLoop
from tests.simulation.world.network import Network
from tests.simulation.world.patches import Current
from tests.simulation.world.store import Seam

T = TypeVar("T")
COLLECT_EVERY = 8
"""Universes after which the collector runs, between two of them."""


ENDS = "everything ends"


class Broken(AssertionError):
    """A promise was broken.

    :param promise: which
    """

    def __init__(self, promise: str, how: str) -> None:
        super().__init__(f"{promise}: {how}")
        self.promise = promise


class TooLong(Broken):
    """A universe did not come to its end."""


class Universe:
    """What a world runs in.

    :param seed: of everything that happens in it
    :param clock: the time, moved by it
    """

    buried = 0

    def __init__(self, seed: int, clock: WorldClock) -> None:
        self.seed = seed
        self.random = Random(f"{seed} world")
        self.entropy = Random(f"{seed} entropy")
        self.clock = clock
        self.trace: list[str] = []
        self._digest = hashlib.sha256()
        self.loop = SimLoop(Random(f"{seed} order"), clock.show)
        self.network = Network(self.loop, Random(f"{seed} network"), lambda ill: self.note(f"network: {ill}"))
        self.store = Seam()
        self.variables: Any = None
        self.is_over = False

    def note(self, what: str) -> None:
        """Write a line of the trace."""
        line = f"{self.loop.time():.6f} {what}"
        self._digest.update(line.encode() + b"\n")
        self.trace.append(line)

    @property
    def digest(self) -> str:
        """What tells this trace from any other."""
        return self._digest.hexdigest()[:16]

    def run(self, story: Coroutine[Any, Any, T], *, within: float) -> T:
        """Run a story to its end.

        :param within: virtual seconds
        :raises TooLong: it has none
        """
        before = random.getstate()
        was_on = gc.isenabled()
        # What the collector would find is finalised at an hour of its own.
        gc.disable()
        random.seed(self.seed)
        Current.universe = self
        try:
            # In a context of its own: code that is let go of may leave that of a dead process behind.
            return Context().run(self.loop.run_until_complete, self._bounded(story, within))
        finally:
            self.is_over = True
            self._bury()
            Current.universe = None
            random.setstate(before)
            if was_on:
                gc.enable()

    def _bury(self) -> None:
        """Let go of what never came to its end, before anything else lives; what its ``finally`` says is not heard."""
        self.loop.leave()
        Universe.buried += 1
        if Universe.buried % COLLECT_EVERY == 0:
            gc.collect()
        self.loop.leave()
        self.loop.close()

    async def _bounded(self, story: Coroutine[Any, Any, T], within: float) -> T:
        try:
            async with asyncio.timeout(within):
                return await story
        except TimeoutError:
            raise TooLong(ENDS, f"not within {within:.0f} s") from None
