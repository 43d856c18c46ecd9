"""What things cost: processor time, and what was asked of the store."""

from __future__ import annotations

import http.client
import json
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import fmean, median

from benchmarks.year.counted_store import COUNTS, SIZES

KINDS = ("requests", "bytes read", "listed")
"""What is compared: every request of any kind, the bytes of what was read, the names in what was listed."""


@dataclass(frozen=True)
class Cost:
    """What one thing cost.

    :param cpu: seconds of this process, all threads
    :param asked: what was asked of the store, by kind
    """

    cpu: float
    asked: dict[str, int]


class Store:
    """The counts of a store.

    :param port: of it
    """

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def counts(self) -> dict[str, int]:
        """Return what was asked for since the store began."""
        return dict(self._get(COUNTS))

    def sizes(self, prefix: str) -> dict[str, tuple[int, int]]:
        """Return folder → objects and bytes."""
        return {folder: (count, size) for folder, (count, size) in self._get(f"{SIZES}?prefix={prefix}").items()}

    def _get(self, path: str) -> dict[str, int]:
        self._connection.request("GET", path)
        found: dict[str, int] = json.loads(self._connection.getresponse().read())
        return found


@dataclass
class Costs:
    """What each thing cost in each night.

    :param nights: the nights that are measured
    """

    store: Store
    nights: frozenset[int]
    found: dict[str, dict[int, list[Cost]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))

    @contextmanager
    def of(self, what: str, night: int) -> Iterator[None]:
        """Measure one thing, where its night is measured."""
        if night not in self.nights:
            yield
            return
        before, began = self.store.counts(), time.process_time()
        yield
        cpu, after = time.process_time() - began, self.store.counts()
        asked = {kind: after.get(kind, 0) - before.get(kind, 0) for kind in after}
        self.found[what][night].append(Cost(cpu, asked))

    def mean(self, what: str, nights: Iterable[int], kind: str) -> float | None:
        """Return what it cost in these nights: the mean of what is counted, the median of processor time, each night
        alike; ``None`` where it was not there.
        """
        costs = [one for night in nights for one in self.found[what].get(night, ())]
        if not costs:
            return None
        if kind == "cpu":
            return median(one.cpu for one in costs)
        return fmean(one.asked.get(kind, 0) for one in costs)
