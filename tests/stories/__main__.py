"""The command ``make stories``: tell stories of promotions from fresh seeds, or one seed again; see ``--help``."""

from __future__ import annotations

import argparse
import multiprocessing
import secrets
import sys
import time
from collections import Counter
from collections.abc import Sequence
from itertools import count, islice
from pathlib import Path

from tests.stories import workers
from tests.stories.shapes import Shape, dag_of

ENDS = ("success", "skipped", "failed", "parked", "lost")
MANY = 300
"""Stories of which some have to end each task well: else they tell less than they seem to."""
PAGE = Path(__file__).resolve().parents[2] / "docs/promotions.md"


def main() -> int:
    """Tell, and say what was seen; 1 where a promise was broken or a story had no end."""
    arguments = _arguments()
    if arguments.seed is not None and not arguments.mutants:
        return _one(arguments.seed)
    first = next((one for one in (arguments.seed, arguments.first) if one is not None), secrets.randbelow(2**40))
    if arguments.mutants:
        return _mutants(first, arguments)
    until = time.monotonic() + 60 * arguments.minutes if arguments.minutes else None
    seeds = count(first) if until else iter(range(first, first + arguments.count))
    told, failed, began = 0, 0, time.monotonic()
    about: Counter[tuple[str, str]] = Counter()
    print(f"telling from seed {first} on", flush=True)
    with multiprocessing.get_context("spawn").Pool(arguments.jobs, workers.begin) as pool:
        while lot := list(islice(seeds, 10 * arguments.jobs)):
            for seed, trouble, ends in pool.imap_unordered(workers.told, lot):
                told += 1
                about.update(ends)
                if trouble:
                    failed += 1
                    print(f"seed {seed}: {trouble}\n  again: make stories ARGS='--seed {seed}'", flush=True)
            if until and time.monotonic() > until:
                break
    took = time.monotonic() - began
    print(f"{told} stories in {took:.0f} s, {failed} of them broken", flush=True)
    tasks = sorted({task for task, _ in about})
    table = [(task, *(f"{about[task, end]:,}" for end in ENDS)) for task in tasks]
    print("\n".join(map(_line, [("task", *ENDS), *table])), flush=True)
    untold = [task for task in dag_of(Shape(prod="asks")).task_ids if not about[task, "success"]]
    if untold:
        print(f"in no story a success: {', '.join(untold)}", flush=True)
    if arguments.keep:
        _keep_told(first, told, took, failed, untold, table)
    return 1 if failed or (untold and told >= MANY) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make stories", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="how many stories, from fresh seeds (default 1000)")
    parser.add_argument("--minutes", type=float, help="as many as there is time for, instead")
    parser.add_argument("--seed", type=int, help="one story again, with all that happened in it; of mutants, the first")
    parser.add_argument("--first", type=int, help="the seed that stories begin with, instead of a fresh one")
    parser.add_argument("--mutants", action="store_true", help="break each promise on purpose: do stories find it?")
    parser.add_argument("--only", default="", help="of the mutants, those whose name has this in it")
    parser.add_argument("--write", action="store_true", help="write what was found of the mutants into the docs")
    parser.add_argument("--keep", action="store_true", help="keep what was seen for benchmarks/RESULTS.md")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default 2)")
    return parser.parse_args()


def _mutants(first: int, arguments: argparse.Namespace) -> int:
    """Break each promise on purpose, and say after how many stories that was seen; 1 where one was not."""
    from tests.stories.mutants import MOST, MUTANTS

    print(f"mutants, each told from seed {first} on until it is found, {MOST} stories at most", flush=True)
    head = ("promise", "what is turned round", "found in story", "seen")
    rows: list[tuple[str, ...]] = []
    chosen = [number for number, one in enumerate(MUTANTS) if arguments.only in one.name]
    missed, began = 0, time.monotonic()
    with multiprocessing.get_context("spawn").Pool(arguments.jobs, workers.begin) as pool:
        hunts = [pool.apply_async(workers.hunted, (number, first)) for number in chosen]
        for hunt in hunts:
            number, found = hunt.get()
            missed += found is None
            after, how = found or ("none", "")
            rows.append((MUTANTS[number].promise, MUTANTS[number].name, str(after), how))
            print(_line(rows[-1]), flush=True)
    print(f"{len(chosen)} mutants in {time.monotonic() - began:.0f} s, {missed} of them not found", flush=True)
    if arguments.write:
        before, mark, rest = PAGE.read_text().partition("<!-- mutants -->\n")
        lines = "\n".join([_line(head), _line(["---"] * len(head)), *map(_line, rows)])
        PAGE.write_text(f"{before}{mark}{lines}\n{rest[rest.index('<!-- /mutants -->') :]}")
    if arguments.keep:
        _keep_mutants(first, rows, missed, head)
    return 1 if missed else 0


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _keep_told(
    first: int, told: int, took: float, failed: int, untold: Sequence[str], rows: Sequence[tuple[str, ...]]
) -> None:
    from benchmarks.proofs import Figure, Proof, Table, keep

    figures = (
        Figure(what="stories", value=f"{told:,}", target="1,000 or more", met=told >= 1000),
        Figure(what="stories with a broken promise or without an end", value=str(failed), target="0", met=not failed),
        Figure(what="tasks that no story ends well", value=str(len(untold)), target="0", met=not untold),
        Figure(what="stories a minute", value=f"{60 * told / took:.0f}"),
    )
    says = (
        f"Promotions of one application or two, from seed {first} on: attempts that are killed, slow or stand still at "
        "any of their writes, lost answers, failed deployments, clears, marks, holds, a freeze, revoked versions, "
        "builds by others, clocks that jump. Judged by FlexDeploy's ledger and by what people said, never by our "
        "record."
    )
    table = Table(title="Stories in which an attempt of a task ended so", head=("task", *ENDS), rows=tuple(rows))
    command = "make stories ARGS=--keep"
    keep(Proof(name="stories", title="Stories", command=command, says=says, figures=figures, tables=(table,)))


def _keep_mutants(first: int, rows: Sequence[tuple[str, ...]], missed: int, head: tuple[str, ...]) -> None:
    from benchmarks.proofs import Figure, Proof, Table, keep

    found = Figure(
        what="broken on purpose and found", value=f"{len(rows) - missed} of {len(rows)}", target="all", met=not missed
    )
    says = f"Each promise broken on purpose, one decision of ours at a time, and told from seed {first} on until seen."
    command = f"make stories ARGS='--mutants --seed {first} --keep'"
    table = Table(title="Decisions turned round", head=head, rows=tuple(rows))
    title = "Stories, with promises broken on purpose"
    keep(Proof(name="mutants", title=title, command=command, says=says, figures=(found,), tables=(table,)))


def _one(seed: int) -> int:
    from tests.stories.teller import telling

    workers.quiet()
    with telling() as teller:
        try:
            story = teller.tell(seed)
        except AssertionError as error:
            print("\n".join(getattr(error, "__notes__", ())))
            print(f"{type(error).__name__}: {error}")
            return 1
    print("\n".join(story.told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
