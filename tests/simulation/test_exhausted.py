"""Decisions that are enumerated: none breaks a promise, and what is wrong on purpose is found. Deeper: ``make
decisions``."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.simulation.exhausted import commits, jobs, queues, renewals
from tests.simulation.exhausted.__main__ import Mutant, is_found
from tests.simulation.exhausted.world import Broken


def test_every_situation_of_a_job(capsys: pytest.CaptureFixture[str]) -> None:
    count = jobs.run()
    with capsys.disabled():
        print(f"\n{count} situations of a job")
    assert count > 500_000


@pytest.mark.parametrize("decided", jobs.MUTANTS.values(), ids=jobs.MUTANTS.keys())
def test_a_wrong_decision_is_found(decided: jobs.Decide) -> None:
    with pytest.raises(Broken):
        jobs.run(decided)


@pytest.mark.parametrize(
    ("explore", "least"),
    [
        (lambda: renewals.explore(faults=1), 100),
        (lambda: queues.explore(faults=0, switches=1), 50),
        (lambda: commits.explore(faults=1, switches=1), 500),
    ],
    ids=["renewals", "turns", "commits"],
)
def test_every_run_keeps_every_promise(
    explore: Callable[[], dict[str, int]], least: int, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = explore()
    with capsys.disabled():
        print(f"\n{sum(counts.values())} runs: {counts}")
    assert sum(counts.values()) > least


MUTANTS: list[tuple[str, Mutant, Callable[[], object]]] = [
    *((name, changes, lambda: renewals.explore(faults=2)) for name, changes in renewals.MUTANTS.items()),
    *((name, changes, lambda: queues.explore(faults=1, switches=1)) for name, changes in queues.MUTANTS.items()),
    *((name, changes, lambda: commits.explore(faults=1, switches=1)) for name, changes in commits.MUTANTS.items()),
]


@pytest.mark.parametrize(("changes", "explore"), [one[1:] for one in MUTANTS], ids=[one[0] for one in MUTANTS])
def test_what_is_wrong_on_purpose_is_found(changes: Mutant, explore: Callable[[], object]) -> None:
    assert is_found(changes, explore)
