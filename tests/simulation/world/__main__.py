"""The command ``make simulate``: universes from fresh seeds, one seed again, or the mutants; see ``--help``."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import secrets
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count, islice
from typing import Any

from tests.simulation.world import hunt

LOT = 20
MINUTES = 20.0


def main() -> int:
    """Let universes happen, and say what was seen; 1 where a promise was broken, or a mutant not found."""
    arguments = _arguments()
    if arguments.seed is not None and arguments.mutants != "only":
        return _one(arguments.seed, arguments.world)
    first = secrets.randbelow(2**40) if arguments.seed is None else arguments.seed
    seen = _fresh(first, arguments) if arguments.mutants != "only" else _Seen()
    rows, missed = _mutants(first, arguments) if arguments.mutants != "no" and not arguments.count else ([], 0)
    if seen.count and rows and not arguments.name:
        _keep(seen, rows, missed, arguments.minutes)
    return 1 if seen.failed or missed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES, help=f"how long (default {MINUTES:.0f})")
    parser.add_argument("--count", type=int, help="so many universes, instead")
    parser.add_argument("--seed", type=int, help="one universe again, with all that happened in it")
    parser.add_argument("--world", default="", help="of a seed: another world than its own")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: all cores)")
    parser.add_argument(
        "--mutants",
        choices=("also", "only", "no"),
        default="also",
        help="switch each safeguard off: do universes find it? (default also, after the fresh ones; from --seed on)",
    )
    parser.add_argument("--name", default="", help="of the mutants, those whose name has this in it")
    return parser.parse_args()


class _Seen:
    """What fresh universes have shown."""

    def __init__(self) -> None:
        self.count = self.failed = 0
        self.seconds = 0.0
        self.virtual = 0.0
        self.first = 0
        self.worlds: Counter[str] = Counter()
        self.harm: Counter[str] = Counter()

    @property
    def rate(self) -> float:
        return 60.0 * self.count / self.seconds if self.seconds else 0.0


def _fresh(first: int, arguments: argparse.Namespace) -> _Seen:
    seen, began = _Seen(), time.monotonic()
    seen.first = first
    until = None if arguments.count else began + 60.0 * arguments.minutes
    seeds: Iterator[int] = count(first) if until else iter(range(first, first + arguments.count))
    spoken = began
    print(f"universes from seed {first} on", flush=True)
    with multiprocessing.get_context("spawn").Pool(arguments.jobs, hunt.begin) as pool:
        while lot := list(islice(seeds, LOT * arguments.jobs)):
            for told in pool.imap_unordered(hunt.told, lot):
                seen.count += 1
                seen.virtual += told.virtual
                seen.worlds[told.world] += 1
                seen.harm.update(hunt.harm_in(told))
                if told.trouble:
                    seen.failed += 1
                    print(f"seed {told.seed} ({told.world}): {told.trouble}", flush=True)
                    print(f"  again: make simulate ARGS='--seed {told.seed}'", flush=True)
            now = time.monotonic()
            seen.seconds = now - began
            if now - spoken > 60.0:
                spoken = now
                print(f"{seen.count} universes, {seen.rate:.0f} a minute, {seen.failed} broken", flush=True)
            if until and now > until:
                break
    days = seen.virtual / 86400.0
    print(
        f"{seen.count} universes in {seen.seconds:.0f} s, {seen.rate:.0f} a minute, {days:.0f} days of their own time; "
        f"{seen.failed} of them broken",
        flush=True,
    )
    return seen


def _mutants(first: int, arguments: argparse.Namespace) -> tuple[list[tuple[str, ...]], int]:
    from tests.simulation.world.mutants import MOST, MUTANTS

    chosen = [number for number, one in enumerate(MUTANTS) if arguments.name in one.name]
    print(f"{len(chosen)} mutants, each from seed {first} on, {MOST} universes at most", flush=True)
    rows: list[tuple[str, ...]] = []
    missed, began = 0, time.monotonic()
    with multiprocessing.get_context("spawn").Pool(arguments.jobs, hunt.begin) as pool:
        for done in [pool.apply_async(hunt.hunted, (number, first, MOST)) for number in chosen]:
            number, after, found, seconds = done.get()
            missed += found is None
            promise, seed = (found.promise, str(found.seed)) if found else ("**not found**", "")
            rows.append((MUTANTS[number].room, MUTANTS[number].name, promise, seed, str(after)))
            print(" | ".join(rows[-1]) + f" | {seconds:.0f} s", flush=True)
    print(f"{len(chosen)} mutants in {time.monotonic() - began:.0f} s, {missed} of them not found", flush=True)
    return rows, missed


def _one(seed: int, world: str) -> int:
    from tests.simulation.world.teller import telling
    from tests.stories.workers import quiet

    quiet()
    with telling() as teller:
        told = teller.tell(seed, world)
    print("\n".join(told.trace))
    print(f"seed {seed}, world {told.world}, {told.virtual:.0f} s of its own time, trace {told.digest}")
    print(told.trouble or "every promise was kept")
    return 1 if told.trouble else 0


def _keep(seen: _Seen, rows: list[tuple[str, ...]], missed: int, minutes: float) -> None:
    from benchmarks.proofs import Figure, Proof, Table, keep

    figures: list[Any] = []
    tables: list[Any] = []
    if seen.count:
        figures += [
            Figure(what="universes", value=f"{seen.count:,}"),
            Figure(what="universes a minute", value=f"{seen.rate:.0f}"),
            Figure(what="of their own time", value=f"{seen.virtual / 86400.0:,.0f} days"),
            Figure(what="promises broken", value=str(seen.failed), target="0", met=not seen.failed),
        ]
        harm = tuple((what, f"{times:,}") for what, times in seen.harm.most_common())
        worlds = tuple((name, f"{times:,}") for name, times in sorted(seen.worlds.items()))
        tables += [
            Table(title="Universes by world", head=("world", "universes"), rows=worlds),
            Table(title="What befell", head=("what", "times"), rows=harm),
        ]
    if rows:
        found = len(rows) - missed
        figures.append(
            Figure(what="mutants found", value=f"{found} of {len(rows)}", target="all, 25 or more", met=not missed)
        )
        head = ("where", "safeguard that was off", "promise broken", "seed", "universes")
        tables.append(Table(title="Mutants", head=head, rows=tuple(rows)))
    keep(
        Proof(
            name="simulation",
            title="Simulated worlds",
            command="make simulate" + ("" if minutes == MINUTES else f" ARGS='--minutes {minutes:g}'"),
            says="The real client, job core, poller, landing, publish and renewal ran against the real stand-ins in "
            "one deterministic world: virtual time, a seeded order of coroutines, a network, a store and an Airflow "
            f"that fail by seed, workers that die, freeze and come back. Universes from seed {seen.first} on, each "
            "judged by the vendors' ledgers, the bytes of the landing and the rows of the tables.",
            figures=tuple(figures),
            tables=tuple(tables),
        )
    )


if __name__ == "__main__":
    sys.exit(main())
