"""``python -m tests.faults``: the whole matrix, by ``make faults``; a line for each cell that is not as it should be.

``--only``: operators, by the beginning of their names. ``--jobs``: processes. ``--minutes``: begin nothing more after
so long; the proof says how much of the matrix was done. ``--verbose``: a line for every cell.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed

import tests.conftest  # noqa: F401 - a home of its own for Airflow, no setting of the user's
from tests.faults.lots import PARTS, lot, quietly
from tests.faults.matrix import Ended, Length, Verdict
from tests.faults.scenes import SCENES, Scene

NO_CALL = "no call that it makes is one that the fault is for"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Every fault against every operator.")
    parser.add_argument("--only", nargs="*", default=[""])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=None)
    parser.add_argument("--verbose", action="store_true")
    given = parser.parse_args()
    scenes = [scene for scene in SCENES if scene.name.startswith(tuple(given.only))]
    began = time.monotonic()
    cells, broken, share = run([one for one in scenes if not one.silent], given.jobs, given.minutes, given.verbose)
    took = time.monotonic() - began
    met = [one for one in cells if one.verdict is not Verdict.NEVER]
    print(*broken, sep="\n")
    print(
        f"{len(cells)} meetings, {len(met)} met, {len(broken)} not as they should be, {share:.0%} of the matrix, "
        f"{took:.0f} s"
    )
    if given.only == [""]:
        _prove(cells, broken, share, took)
    return bool(broken)


def run(
    scenes: Sequence[Scene], jobs: int, minutes: float | None = None, verbose: bool = False
) -> tuple[list[Ended], list[str], float]:
    """Let all operators meet all faults, in processes of their own; return also which part of it was done."""
    cells: list[Ended] = []
    broken: list[str] = []
    lots = [(scene.name, part) for part in range(PARTS) for scene in scenes]
    ends = None if minutes is None else time.monotonic() + 60 * minutes
    done = 0
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=quietly) as pool:
        waiting = iter(lots)
        running = {pool.submit(lot, *one) for _, one in zip(range(jobs + 1), waiting, strict=False)}
        while running:
            ended = next(as_completed(running))
            running.discard(ended)
            came, wrong = ended.result()
            done += 1
            cells += came
            broken += wrong
            for one in came if verbose else ():
                error = one.error and f" {one.error}: {one.message[:200]}"
                print(f"{one.scene} {one.trouble} {one.length} {one.call}: {one.verdict}{error}", flush=True)
            for line in wrong:
                print(line, flush=True)
            if (ends is None or time.monotonic() < ends) and (one := next(waiting, None)) is not None:
                running.add(pool.submit(lot, *one))
    return cells, broken, done / len(lots)


def _cell(ended: Sequence[Ended]) -> str:
    """Return what a cell shows: what came of the fault once, and for good."""
    came: dict[Length, list[str]] = defaultdict(list)
    for one in ended:
        if one.verdict is not Verdict.NEVER:
            came[one.length].append(one.error or str(one.verdict))
    shown = [", ".join(sorted(set(came[length]))) for length in Length if came[length]]
    if not shown:
        return "cannot meet" if ended else ""
    return " → ".join(dict.fromkeys(shown))


def _prove(cells: Sequence[Ended], broken: Sequence[str], share: float, took: float) -> None:
    from benchmarks.proofs import Figure, Proof, Table, keep

    met = [one for one in cells if one.verdict is not Verdict.NEVER]
    refused = [one for one in met if one.verdict is Verdict.REFUSED]
    again = [one for one in refused if one.after == "recovered"]
    tables = []
    for vendor in dict.fromkeys(scene.vendor for scene in SCENES):
        names = [scene.name for scene in SCENES if scene.vendor == vendor and not scene.silent]
        here = [one for one in cells if one.scene in names]
        rows = tuple(
            (
                trouble,
                *(_cell([one for one in here if (one.scene, one.trouble) == (name, trouble)]) for name in names),
            )
            for trouble in dict.fromkeys(one.trouble for one in here)
        )
        tables.append(Table(title=f"{vendor}: once → for good", head=("fault", *names), rows=rows))
    summary = []
    for scene in SCENES:
        if scene.silent:
            summary.append((scene.name, "0", "0", "0", "0", "", "", f"meets none: {scene.silent}"))
            continue
        here = [one for one in cells if one.scene == scene.name]
        never = sorted({one.trouble for one in here} - {one.trouble for one in met if one.scene == scene.name})
        counts = [sum(one.verdict is verdict for one in here) for verdict in Verdict]
        if not (here_met := [one for one in here if one.verdict is not Verdict.NEVER]):
            continue
        longest = max(here_met, key=lambda one: one.seconds)
        summary.append(
            (
                scene.name,
                *map(str, counts[:3]),
                str(counts[3]),
                f"{longest.seconds:.0f} s ({longest.trouble})",
                str(max(one.tries for one in here)),
                f"{', '.join(never)}: {NO_CALL}" if never else "",
            )
        )
    head = ("operator", *map(str, Verdict), "longest until the end", "most tries", "cannot meet, and why")
    tables.insert(0, Table(title="By operator", head=head, rows=tuple(summary)))
    keep(
        Proof(
            name="faults",
            title="Fault matrix",
            command="make faults",
            says=(
                "Every fault that each stand-in knows, against every operator and sensor of its vendor: once at each "
                "call that the operator makes, and for good at all of them. The pairs are enumerated from the "
                "stand-ins' faults and the operators that the rooms declare; what cannot meet is what no call took up. "
                "Judged by the vendor's ledger, the landing and the table that is published of it: the same as "
                "undisturbed, or an error of ours that says last what to do, with nothing half landed, nothing done "
                "twice, no secret of the connection in it or in the log. Then the vendor is well again and the task "
                "is cleared. Time is that of the task with the default retries: waits of the client, and of Airflow "
                f"between tries; they are run through at 50 times their speed. {took:.0f} seconds."
            ),
            figures=(
                Figure(what="of the matrix", value=f"{share:.0%}", target="100%", met=share >= 1),
                Figure(what="meetings", value=f"{len(met):,}"),
                Figure(what="recovered", value=f"{sum(one.verdict is Verdict.RECOVERED for one in met):,}"),
                Figure(what="refused with a typed error and advice", value=f"{len(refused):,}"),
                Figure(what="of these, right after a clear once the vendor was well", value=f"{len(again):,}"),
                Figure(what="not as they should be", value=str(len(broken)), target="0", met=not broken),
            ),
            tables=tuple(tables),
            found=FOUND,
        )
    )


FOUND: tuple[str, ...] = ()

if __name__ == "__main__":
    sys.exit(main())
