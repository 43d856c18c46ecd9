"""``python -m benchmarks.year``: 400 nights of 20 reports and 10 applications in three quarters of an hour.

Ends with 1 where the last nights cost more than they may, or something is left waiting.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.environments import ROOT
from benchmarks.proofs import Proof, keep
from benchmarks.year import clock
from benchmarks.year.mission import Plan

PROOF = "proof.json"


def main(given: Sequence[str] | None = None) -> int:
    """Let a year pass in a process that has a clock of its own; keep the proof."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.year", description=__doc__)
    parser.add_argument("--nights", type=int, default=400, help="at least 25")
    parser.add_argument("--reports", type=int, default=20)
    parser.add_argument("--applications", type=int, default=10)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--bare", action="store_true", help="no Airflow, no board: only what is asked of the store")
    parser.add_argument("--no-keep", action="store_true", help="do not write the proof")
    chosen = parser.parse_args(given)
    if clock.OFFSET in os.environ:
        return passed(chosen, Path(os.environ[clock.OFFSET]).parent)
    with tempfile.TemporaryDirectory(prefix="nightshift-year-") as scratch:
        folder = Path(scratch)
        clock.Clock(folder / "clock")
        path = os.pathsep.join([str(ROOT / "plugins"), str(ROOT), os.environ.get("PYTHONPATH", "")])
        environment = {**clock.environment(folder), "PYTHONPATH": path}
        command = [sys.executable, "-m", "benchmarks.year", *(sys.argv[1:] if given is None else given)]
        code = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
        if (folder / PROOF).exists() and not (chosen.no_keep or chosen.bare):
            print(f"year: kept in {keep(msgspec.json.decode((folder / PROOF).read_bytes(), type=Proof))}")
        return code


def passed(chosen: argparse.Namespace, folder: Path) -> int:
    """Let the year pass, here; leave the proof in the folder."""
    from benchmarks.year.proof import proof_of
    from benchmarks.year.run import pass_year

    plan = Plan(chosen.nights, chosen.reports, chosen.applications, chosen.seed)
    found = pass_year(plan, folder, say=lambda text: print(f"year: {text}", flush=True), bare=chosen.bare)
    proof = proof_of(found)
    (folder / PROOF).write_bytes(msgspec.json.encode(proof))
    for table in proof.tables:
        print(f"\n{table.title}\n{' | '.join(table.head)}")
        print("\n".join(" | ".join(row) for row in table.rows))
    print()
    for figure in proof.figures:
        print(figure)
    return int(any(figure.met is False for figure in proof.figures))


if __name__ == "__main__":
    sys.exit(main())
