"""The proofs of speed and of many waits: what a run has measured, beside what it was to be."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import report
from benchmarks.contest import Run
from benchmarks.proofs import Figure, Proof, Table, keep

SAYS = (
    "each contender is a process of its own on one core, the vendor another one on the other core; rounds are "
    "interleaved, figures are medians from outside of the process, net of its start-up, and count only where every "
    "row or byte was found again in what it left"
)

WAITS_SAY = (
    "a process with the loop of a triggerer and nothing but the waits, each with a trigger of its own, as Airflow runs "
    "them; the vendor is another process on the other core and counts what it is asked. Processor is that of the loop, "
    "less what its clock takes; memory grows by the line of least squares through three quarters of the time"
)


def proof(runs: Sequence[Run], arguments: Sequence[str]) -> Proof:
    """Return the proof of these runs: of waits alone one of its own.

    :param arguments: of the command line
    """
    waits = all(run.case.name == "waits" for run in runs)
    return Proof(
        name="waits" if waits else "speed",
        title="Many waits" if waits else "Speed",
        command=" ".join(("python -m benchmarks", *arguments)),
        says=WAITS_SAY if waits else SAYS,
        figures=tuple(
            Figure(what=run.case.name, value=one.seen, target=one.target, met=one.met)
            for run in runs
            for one in run.verdicts
        ),
        tables=tuple(
            Table(title=f"{run.case.name}, {setup.title}", head=head, rows=tuple(rows))
            for run in runs
            for setup in run.case.setups
            for head, *rows in [report.cells(run.case, setup, run.summaries)]
        ),
    )


def kept(runs: Sequence[Run]) -> Path:
    """Keep the proof of these runs, and return its file."""
    return keep(proof(runs, sys.argv[1:]))
