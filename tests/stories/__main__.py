"""The command ``make stories``: tell stories of promotions from fresh seeds, or one seed again; see ``--help``."""

from __future__ import annotations

import argparse
import multiprocessing
import secrets
import sys
import time
from itertools import count, islice
from pathlib import Path

from tests.stories import workers

PAGE = Path(__file__).resolve().parents[2] / "docs/promotions.md"


def main() -> int:
    """Tell, and say what was seen; 1 where a promise was broken or a story had no end."""
    arguments = _arguments()
    if arguments.seed is not None and not arguments.mutants:
        return _one(arguments.seed)
    first = secrets.randbelow(2**40) if arguments.seed is None else arguments.seed
    if arguments.mutants:
        return _mutants(first, arguments.jobs, arguments.only, is_written=arguments.write)
    until = time.monotonic() + 60 * arguments.minutes if arguments.minutes else None
    seeds = count(first) if until else iter(range(first, first + arguments.count))
    told, failed, began = 0, 0, time.monotonic()
    print(f"telling from seed {first} on", flush=True)
    with multiprocessing.get_context("spawn").Pool(arguments.jobs, workers.begin) as pool:
        while lot := list(islice(seeds, 10 * arguments.jobs)):
            for seed, trouble in pool.imap_unordered(workers.told, lot):
                told += 1
                if trouble:
                    failed += 1
                    print(f"seed {seed}: {trouble}\n  again: make stories ARGS='--seed {seed}'", flush=True)
            if until and time.monotonic() > until:
                break
    print(f"{told} stories in {time.monotonic() - began:.0f} s, {failed} of them broken", flush=True)
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make stories", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="how many stories, from fresh seeds (default 1000)")
    parser.add_argument("--minutes", type=float, help="as many as there is time for, instead")
    parser.add_argument("--seed", type=int, help="one story again, with all that happened in it")
    parser.add_argument("--mutants", action="store_true", help="break each promise on purpose: do stories find it?")
    parser.add_argument("--only", default="", help="of the mutants, those whose name has this in it")
    parser.add_argument("--write", action="store_true", help="write what was found of the mutants into the docs")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default 2)")
    return parser.parse_args()


def _mutants(first: int, jobs: int, only: str, *, is_written: bool) -> int:
    """Break each promise on purpose, and say after how many stories that was seen; 1 where one was not."""
    from tests.stories.mutants import MOST, MUTANTS

    print(f"mutants, each told from seed {first} on until it is found, {MOST} stories at most", flush=True)
    lines = ["| promise | what is turned round | found in story | seen |", "| --- | --- | --- | --- |"]
    chosen = [number for number, one in enumerate(MUTANTS) if only in one.name]
    missed, began = 0, time.monotonic()
    with multiprocessing.get_context("spawn").Pool(jobs, workers.begin) as pool:
        hunts = [pool.apply_async(workers.hunted, (number, first)) for number in chosen]
        for hunt in hunts:
            number, found = hunt.get()
            missed += found is None
            after, how = found or ("none", "")
            lines.append(f"| {MUTANTS[number].promise} | {MUTANTS[number].name} | {after} | {how} |")
            print(lines[-1], flush=True)
    print(f"{len(chosen)} mutants in {time.monotonic() - began:.0f} s, {missed} of them not found", flush=True)
    if is_written:
        before, mark, rest = PAGE.read_text().partition("<!-- mutants -->\n")
        PAGE.write_text(before + mark + "\n".join(lines) + "\n" + rest[rest.index("<!-- /mutants -->") :])
    return 1 if missed else 0


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
