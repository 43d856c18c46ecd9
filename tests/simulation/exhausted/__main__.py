"""``make decisions``: all of it, deeper than in the tests, and the proof."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any
from unittest import mock

from tests.simulation.exhausted import commits, jobs, queues, renewals, submissions
from tests.simulation.exhausted.world import Broken

Mutant = tuple[tuple[Any, str, Any], ...]
FOUND = (
    "A worker that is frozen between the last look and the write of a renewed pair of Token Flex tokens, and thaws "
    "after a person has granted access anew and that grant was renewed, could put the older pair in the place of the "
    "newer one; Variables cannot be written on a condition, so it is not put right but written down in docs/limits.md.",
)


def main() -> int:
    """Enumerate, find the mutants, keep the proof; 1 where a promise was broken or a mutant was not found."""
    rows: list[tuple[str, str, str]] = []
    total = 0
    for what, bound, explore in WORLDS:
        began = time.process_time()
        counts = explore()
        seconds = time.process_time() - began
        for scene, count in counts.items():
            total += count
            rows.append((f"{what}: {scene}" if scene else what, bound, f"{count:,}"))
        print(f"{what} ({bound}): {sum(counts.values()):,} in {seconds:.1f} s", flush=True)
    mutants = [(what, name, "found" if found else "**not found**") for what, name, found in _mutants()]
    for row in mutants:
        print("  ".join(row), flush=True)
    is_met = all(row[2] == "found" for row in mutants)
    _keep(total, rows, mutants, is_met=is_met)
    return 0 if is_met else 1


def _submissions() -> dict[str, int]:
    return {
        "with a list of the vendor's jobs": submissions.explore(faults=2, can_find=True),
        "without one": submissions.explore(faults=2, can_find=False),
    }


WORLDS: tuple[tuple[str, str, Callable[[], Mapping[str, int]]], ...] = (
    ("decide", "every situation", lambda: {"": jobs.run()}),
    ("submit once", "2 faults", _submissions),
    ("renewal", "2 faults", lambda: renewals.explore(faults=2)),
    ("turns", "1 fault, 1 switch", lambda: queues.explore(faults=1, switches=1)),
    ("turns", "2 switches", lambda: queues.explore(faults=0, switches=2)),
    ("commits", "1 fault, 2 switches", lambda: commits.explore(faults=1, switches=2)),
    ("commits", "2 faults, 1 switch", lambda: commits.explore(faults=2, switches=1)),
)


def is_found(changes: Mutant, explore: Callable[[], object]) -> bool:
    """Say whether a world finds what is wrong on purpose."""
    with ExitStack() as stack:
        for target, name, value in changes:
            stack.enter_context(mock.patch.object(target, name, value, create=True))
        try:
            explore()
        except Broken:
            return True
    return False


def _mutants() -> list[tuple[str, str, bool]]:
    def decided(decision: jobs.Decide) -> bool:
        try:
            jobs.run(decision)
        except Broken:
            return True
        return False

    found = [("decide", name, decided(decision)) for name, decision in jobs.MUTANTS.items()]
    for what, mutants, explore in (
        ("renewal", renewals.MUTANTS, lambda: renewals.explore(faults=2)),
        ("turns", queues.MUTANTS, lambda: queues.explore(faults=1, switches=1)),
        ("commits", commits.MUTANTS, lambda: commits.explore(faults=1, switches=2)),
    ):
        found += [(what, name, is_found(changes, explore)) for name, changes in mutants.items()]
    return found


def _keep(total: int, rows: list[tuple[str, str, str]], mutants: list[tuple[str, str, str]], *, is_met: bool) -> None:
    from benchmarks.proofs import Figure, Proof, Table, keep

    keep(
        Proof(
            name="decisions",
            title="Decisions, exhausted",
            command="make decisions",
            says=(
                "Every situation that the decision on a job can be asked about; and for submissions, the renewal of "
                "Token Flex tokens, the turns of promotions and the commits of tables every run of the real code with "
                "up to so many disturbances: a kill or a freeze at each effect, each answer, each write that does not "
                "count or whose answer is lost, and each order of attempts. Enumerated by depth-first search, not "
                "sampled, and judged by promises, not by a second way to decide."
            ),
            figures=(
                Figure(what="situations and runs", value=f"{total:,}"),
                Figure(
                    what="wrong on purpose, and found",
                    value=f"{sum(row[2] == 'found' for row in mutants)} of {len(mutants)}",
                    target="all",
                    met=is_met,
                ),
            ),
            tables=(
                Table(title="What was enumerated", head=("what", "up to", "runs"), rows=tuple(rows)),
                Table(title="Wrong on purpose", head=("what", "how", ""), rows=tuple(mutants)),
            ),
            found=FOUND,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
