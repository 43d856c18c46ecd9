"""``python -m tests.faults``: the whole matrix, by ``make faults``; a line for each cell that is not as it should be.

``--only``: operators, by the beginning of their names. ``--jobs``: processes. ``--verbose``: a line for every cell.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import sys
import time
import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed

import tests.conftest  # noqa: F401 - a home of its own for Airflow, no setting of the user's
from tests.faults.matrix import Broken, Ended, Length, Verdict, meet, meetings, undisturbed
from tests.faults.scenes import SCENES, Scene

PARTS = 4
"""Into how many lots the meetings of an operator are divided."""
NO_CALL = "no call that it makes is one that the fault is for"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Every fault against every operator.")
    parser.add_argument("--only", nargs="*", default=[""])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--verbose", action="store_true")
    given = parser.parse_args()
    scenes = [scene for scene in SCENES if scene.name.startswith(tuple(given.only))]
    began = time.monotonic()
    cells, broken = run([scene for scene in scenes if not scene.silent], given.jobs, given.verbose)
    took = time.monotonic() - began
    met = [one for one in cells if one.verdict is not Verdict.NEVER]
    print(*broken, sep="\n")
    print(f"{len(cells)} meetings, {len(met)} met, {len(broken)} not as they should be, {took:.0f} s")
    if given.only == [""]:
        _prove(cells, broken, took)
    return bool(broken)


def run(scenes: Sequence[Scene], jobs: int, verbose: bool = False) -> tuple[list[Ended], list[str]]:
    """Let all operators meet all faults, in processes of their own."""
    cells: list[Ended] = []
    broken: list[str] = []
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_quietly, max_tasks_per_child=4) as pool:
        lots = [pool.submit(_lot, scene.name, part) for part in range(PARTS) for scene in scenes]
        for done in as_completed(lots):
            came, wrong = done.result()
            cells += came
            broken += wrong
            for one in came if verbose else ():
                error = one.error and f" {one.error}: {one.message[:200]}"
                print(f"{one.scene} {one.trouble} {one.length} {one.call}: {one.verdict}{error}", flush=True)
            for line in wrong:
                print(line, flush=True)
    return cells, broken


def _quietly() -> None:
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - what tasks log


def _lot(name: str, part: int) -> tuple[list[Ended], list[str]]:
    scene = next(one for one in SCENES if one.name == name)
    truth = undisturbed(scene)
    cells: list[Ended] = []
    broken: list[str] = []
    for number, (trouble, length, call) in enumerate(meetings(scene)):
        if number % PARTS == part:
            try:
                cells.append(meet(scene, trouble, length, call, truth))
            except Broken as wrong:
                broken.append(str(wrong))
            except Exception as error:  # noqa: BLE001, RUF100 - a line of the report, not its end
                where = f"{name}, {trouble.name} {length} at {call.route if call else 'any call'}"
                broken.append(f"{where}: the harness: {type(error).__name__}: {str(error)[:300]}")
    return cells, broken


def _cell(ended: Iterable[Ended]) -> str:
    """Return what a cell shows: what came of the fault once, and for good."""
    came: dict[Length, list[str]] = defaultdict(list)
    for one in ended:
        if one.verdict is not Verdict.NEVER:
            came[one.length].append(one.error or str(one.verdict))
    shown = [", ".join(sorted(set(came[length]))) for length in Length if came[length]]
    return " → ".join(dict.fromkeys(shown)) if shown else "cannot meet"


def _prove(cells: Sequence[Ended], broken: Sequence[str], took: float) -> None:
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
                *(_cell(one for one in here if (one.scene, one.trouble) == (name, trouble)) for name in names),
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
        longest = max((one for one in here if one.verdict is not Verdict.NEVER), key=lambda one: one.seconds)
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
