"""Lets universes happen: one a seed, in the world that the seed chooses."""

from __future__ import annotations

import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.simulation.world.clock import WorldClock, virtual_time
from tests.simulation.world.harm import WITHIN
from tests.simulation.world.loop import Stuck
from tests.simulation.world.patches import installed
from tests.simulation.world.universe import ENDS, Broken, Universe


def worlds() -> tuple[Any, ...]:
    """Return the worlds, each as often as it is to be chosen."""
    from tests.simulation.world.exports import ExportWorld
    from tests.simulation.world.renewals import RenewalWorld
    from tests.simulation.world.reports import ReportWorld

    return (ExportWorld, RenewalWorld, ReportWorld)


@dataclass(frozen=True)
class Told:
    """What became of a universe.

    :param trouble: the promise that was broken and how; empty: none
    :param digest: of its trace
    """

    seed: int
    world: str
    trouble: str
    promise: str
    digest: str
    trace: tuple[str, ...]
    virtual: float


class Teller:
    """Lets universes happen, one after the other."""

    def __init__(self, clock: WorldClock, folder: Path) -> None:
        self._clock = clock
        self._folder = folder

    def tell(self, seed: int, world: str = "") -> Told:
        """Let the universe of a seed happen.

        :param world: its world; default: as the seed has it
        """
        from nightshift.known_secrets import forget_all

        every = worlds()
        chosen = every[seed % len(every)] if not world else next(one for one in every if one.name == world)
        lake = self._folder / "lake"
        shutil.rmtree(lake, ignore_errors=True)
        os.environ["NIGHTSHIFT_LAKE"] = str(lake)
        forget_all()
        universe = Universe(seed, self._clock)
        trouble = promise = ""
        try:
            universe.run(chosen(universe, lake).story(), within=WITHIN)
        except Broken as error:
            trouble, promise = str(error), error.promise
        except Stuck as error:
            trouble, promise = f"{ENDS}: {error}", ENDS
        except Exception as error:
            trouble, promise = f"{type(error).__name__}: {error}", "the world itself stands"
        return Told(seed, chosen.name, trouble, promise, universe.digest, tuple(universe.trace), universe.loop.time())


@contextmanager
def telling() -> Iterator[Teller]:
    """Be ready to let universes happen in this process of the operating system."""
    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    # What a world's dead say when they are collected is nothing to anybody.
    heard, sys.unraisablehook = sys.unraisablehook, lambda _: None
    folder = Path(tempfile.mkdtemp(prefix="nightshift-universe-", dir=shared))
    try:
        with virtual_time() as clock, installed():
            from tests.simulation.world.reports import prepare

            prepare(clock, folder)
            gc.collect()
            # What is there now stays; a universe's own is soon found.
            gc.freeze()
            yield Teller(clock, folder)
    finally:
        gc.unfreeze()
        sys.unraisablehook = heard
        shutil.rmtree(folder, ignore_errors=True)
