"""``python -m tests.fuzz``: 100,000 made-up inputs by ``make fuzz``; the same ones again for the same seed.

``--count``: inputs. ``--seed``: default a fresh one, which is printed. ``--only``: area or target, such as ``csv`` or
``records.lake``. ``--jobs``: processes. ``--minutes``: stop after so long, with what was done by then. ``--case FILE``:
one kept input again, and nothing else. ``--list``: the targets.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import tests.conftest  # noqa: F401 - a home of its own for Airflow, no setting of the user's
from tests.fuzz.lots import begin, lot, own
from tests.fuzz.runner import Tally, shares, target_of
from tests.fuzz.targets import every_target

LOT = 60
PROVEN = 100_000
COUNT = 102_000
"""Some are left out: where Hypothesis knows no further one for a target."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Made-up inputs, judged by properties.")
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--only", default="")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=None)
    parser.add_argument("--case", type=Path)
    parser.add_argument("--list", action="store_true")
    given = parser.parse_args()
    if given.list:
        print("\n".join(every_target()))
        return 0
    if given.case is not None:
        begin()
        tally = Tally("case")
        own().one(target_of(given.case), given.case.read_bytes(), tally, "a kept case")
        print("\n".join(tally.failed) or f"{given.case}: {', '.join(tally.came)}")
        return bool(tally.failed)
    seed = random.SystemRandom().randrange(1 << 32) if given.seed is None else given.seed
    print(f"seed {seed}: {given.count} inputs, {given.jobs} processes", flush=True)
    began = time.monotonic()
    tallies = run(given.count, seed, given.only, given.jobs, given.minutes)
    took = time.monotonic() - began
    failed = [line for tally in tallies.values() for line in tally.failed]
    for name, tally in tallies.items():
        came = ", ".join(f"{what} {number}" for what, number in tally.came.most_common(6))
        print(f"{name:28} {tally.inputs:7} inputs {1000 * tally.seconds / max(1, tally.inputs):7.2f} ms  {came}")
    print(*failed, sep="\n")
    inputs = sum(tally.inputs for tally in tallies.values())
    print(f"{inputs} inputs in {took:.0f} s, {len(failed)} failed; again: --seed {seed} --count {given.count}")
    if not given.only:
        _prove(tallies, seed, took)
    return bool(failed)


def run(count: int, seed: int, only: str, jobs: int, minutes: float | None) -> dict[str, Tally]:
    """Run all lots; after ``minutes`` no further one is begun."""
    lots: list[tuple[str, int, int, bool]] = []
    for name, (plain, made) in shares(count, only).items():
        lots += [(name, first, min(LOT, plain - first), False) for first in range(0, plain, LOT)]
        lots += [(name, first, min(LOT, made - first), True) for first in range(0, made, LOT)]
    random.Random(seed).shuffle(lots)
    tallies = {name: Tally(name) for name in shares(count, only)}
    ends = None if minutes is None else time.monotonic() + 60 * minutes
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=begin) as pool:
        waiting = iter(lots)
        running = {pool.submit(lot, seed, *one) for _, one in zip(range(jobs + 1), waiting, strict=False)}
        while running:
            done = next(as_completed(running))
            running.discard(done)
            tally = done.result()
            tallies[tally.name].add(tally)
            if (ends is None or time.monotonic() < ends) and (one := next(waiting, None)) is not None:
                running.add(pool.submit(lot, seed, *one))
    return tallies


def _prove(tallies: dict[str, Tally], seed: int, took: float) -> None:
    from benchmarks.proofs import Figure, Proof, Table, keep

    inputs = sum(tally.inputs for tally in tallies.values())
    failed = sum(tally.came["FAILED"] for tally in tallies.values())
    areas: dict[str, Tally] = {}
    for name, tally in tallies.items():
        areas.setdefault(name.partition(".")[0], Tally(name)).add(tally)
    rows = tuple(
        (
            area,
            f"{tally.inputs:,}",
            f"{tally.came['accepted']:,}",
            f"{tally.inputs - tally.came['accepted'] - tally.came['says nothing'] - tally.came['FAILED']:,}",
            f"{tally.came['says nothing']:,}",
            f"{tally.came['FAILED']:,}",
            f"{1000 * tally.seconds / max(1, tally.inputs):.1f}",
        )
        for area, tally in sorted(areas.items())
    )
    keep(
        Proof(
            name="fuzz",
            title="Fuzz and differential",
            command="make fuzz",
            says=(
                "Inputs that Hypothesis makes up, and examples of the vendors and of our own records whose bytes are "
                "changed, are given to everything that reads them: configuration, connections, forms, names, links, "
                "answers over a real socket, pages, CSV dialects, records in the lake; and the two ways of each cast "
                "and of each page decoder are compared. Each input is judged under an audit hook of the interpreter: "
                "accepted, or refused by an error of ours; no file outside of its folder, no connection to another "
                "host, no process, bounded time and memory, and no secret in the message. "
                f"Seed {seed}, {took:.0f} seconds."
            ),
            figures=(
                Figure(what="inputs", value=f"{inputs:,}", target=f"{PROVEN:,}", met=inputs >= PROVEN),
                Figure(what="inputs that brought about what none may", value=str(failed), target="0", met=not failed),
                Figure(what="inputs a second", value=f"{inputs / max(took, 0.001):,.0f}"),
            ),
            tables=(
                Table(
                    title="What came of them",
                    head=("area", "inputs", "accepted", "refused", "said nothing", "failed", "ms each"),
                    rows=rows,
                ),
            ),
            found=FOUND,
        )
    )


FOUND: tuple[str, ...] = (
    "A JSON -0 became 0.0 where it stood in a column of floats beside other numbers, and -0.0 beside texts.",
    "A turn, a note of a run that waits or a claim on folders that could not be read raised a library's error; it is "
    "refused by its place now, with what to do. An object of another name beside the turns did so, too.",
    "A record of who was told of an incident that could not be read kept all incidents from being read; it counts now "
    "for what its name says, so nobody is told twice.",
    "A log entry of a table with a note of another shape raised a library's error; what it said counts as not known.",
    "A number where a night belongs, in what a run is triggered with, raised a TypeError.",
    "A redirect to what is no URL, a character set of signs that no header may have, a report of Exago that is no "
    "UTF-8, and a mapping in the place of a section's name raised errors of libraries.",
    "A text of 100,000 digits with a letter behind it kept a cast of whole numbers busy for hours.",
    "A configuration of 1 MB whose brackets did not close was read for minutes.",
    "Behind a byte order mark, quotes inside of bare CSV fields were looked for three bytes off, so that records were "
    "counted otherwise than they are read.",
    "A value that is known to be secret was quoted where it stood in a page, in a name or in a value of the "
    "configuration.",
)

if __name__ == "__main__":
    sys.exit(main())
