"""One year, from the first night to the last, and what it cost."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.environments import ROOT
from benchmarks.year.clock import Clock
from benchmarks.year.costs import Costs, Store
from benchmarks.year.metadata import Bare
from benchmarks.year.mission import Board, Plan, Year, configure, metadata_of, quiet, take_care_of_all

DAY = 86400
TENTH = range(5, 15)
"""The nights whose mean is called that of the tenth."""
CARE_EVERY = 21
"""Nights from one maintenance to the next; it runs each week in life, and does the same."""


@dataclass
class Passed:
    """A year that has passed.

    :param measured: what is compared, in order: name → nights
    :param sizes: nights passed → folder of the lake → objects and bytes; ``log`` is that of the tables, apart
    """

    plan: Plan
    costs: Costs
    measured: dict[str, range]
    seconds: float = 0.0
    promoted: dict[tuple[str, str], int] = field(default_factory=dict)
    pending: dict[str, int] = field(default_factory=dict)
    sizes: dict[int, dict[str, tuple[int, int]]] = field(default_factory=dict)


@contextmanager
def counted_store() -> Iterator[int]:
    """Start a store that counts; yield its port."""
    command = [sys.executable, "-m", "benchmarks.year.counted_store"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as store:
        assert store.stdout is not None
        assert store.stdin is not None
        try:
            yield int(store.stdout.readline())
        finally:
            store.stdin.close()


def windows(nights: int) -> dict[str, range]:
    """Return the nights that are compared: around the tenth, around each hundredth, and the last ten."""
    between = {f"night {night}": range(night - 5, night + 5) for night in range(100, nights - 50, 100)}
    return {"night 10": TENTH, **between, f"night {nights}": range(nights - len(TENTH), nights)}


def pass_year(plan: Plan, folder: Path, *, say: Callable[[str], None], bare: bool = False) -> Passed:
    """Let a year pass.

    :param folder: for what it needs beside the lake; with a clock that the process was started with, it is put forward
    :param bare: without an Airflow and the board: only what is asked of the store
    """
    began, clock = time.monotonic(), Clock(folder / "clock")
    measured = windows(plan.nights)
    with counted_store() as port, quiet():
        configure(folder, plan, port)
        costs = Costs(Store(port), frozenset(night for nights in measured.values() for night in nights))
        passed = Passed(plan, costs, measured)
        metadata = Bare() if bare else metadata_of(plan)
        board = None if bare else Board(costs)
        year = Year(plan, (datetime.now(UTC) - timedelta(days=1)).date(), metadata, costs)
        say(f"ready after {time.monotonic() - began:.0f} s")
        for number in range(plan.nights):
            year.night(number)
            if board is not None and number in costs.nights:
                board.ask(number)
            clock.put_forward(DAY)
            if number % CARE_EVERY == CARE_EVERY - 1 and not bare:
                take_care_of_all(plan)
            if number % 20 == 19 or number == plan.nights - 1:
                say(f"{number + 1} nights after {time.monotonic() - began:.0f} s")
                passed.sizes[number + 1] = sizes(costs.store)
        passed.promoted, passed.pending = year.promoted, metadata.pending()
    passed.seconds = time.monotonic() - began
    return passed


def sizes(store: Store) -> dict[str, tuple[int, int]]:
    """Return folder → objects and bytes; what the tables' logs are made of is not among the tables."""
    found: dict[str, tuple[int, int]] = {}
    for name, (count, size) in store.sizes("lake/").items():
        before = found.get(name, (0, 0))
        found[name] = (before[0] + count, before[1] + size)
    return found
