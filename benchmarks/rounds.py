"""Run a case: every contender of a setup in turn, again and again, each time in an empty folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.contest import NOTHING, Case, Contender, Job, Setup
from benchmarks.environments import ROOT, environ_of
from benchmarks.measure import Cost, Failed, OriginProcess, measure

NIGHT = "2026-11-21"
TOLD = "told.json"
"""File in the folder of a run in which a program leaves figures that cannot be seen from outside."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One contender, one time.

    :param full: cost of each step for the whole of the setup
    :param small: cost of each step for the small run that shows the start-up; empty where there is none
    :param problem: why the trial does not count; empty when it does
    """

    setup: str
    contender: str
    run: int
    full: tuple[Cost, ...] = ()
    small: tuple[Cost, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Rounds:
    """All trials of a case, one at a time.

    :param case: what to run
    :param origin: the vendor
    :param page_rows: rows a page of that vendor
    :param scratch: empty folder for all that is made meanwhile
    :param contenders: the chosen ones
    """

    case: Case
    origin: OriginProcess
    page_rows: int
    scratch: Path
    contenders: Sequence[Contender]

    def trials(self, setup: Setup, runs: int) -> Iterator[Trial]:
        """Yield the trials of a setup, interleaved: every contender once, then every one again."""
        chosen = [one for one in self.contenders if setup.contenders is None or one.name in setup.contenders]
        for run in range(1, 1 + (1 if setup.once else runs)):
            for contender in chosen:
                yield self._trial(setup, contender, run)

    def _trial(self, setup: Setup, contender: Contender, run: int) -> Trial:
        trial = Trial(setup=setup.name, contender=contender.name, run=run)
        try:
            if setup.small_units is not None:
                trial = replace(trial, small=self._once(contender, setup.small, setup.small_units))
            return replace(trial, full=self._once(contender, setup.settings, setup.units))
        except Failed as failure:
            return replace(trial, problem=str(failure))

    def _once(self, contender: Contender, settings: Mapping[str, float], units: int) -> tuple[Cost, ...]:
        out = self.scratch / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        settings = {**settings, "page_rows": self.page_rows}
        job = Job(origin=self.origin.url, settings=settings, out=out)
        self.origin.control(settings)
        costs = []
        try:
            for step in contender.steps:
                os.sync()
                cost = measure(
                    step.command_line(job, encoded(job)),
                    log=self.scratch / f"{contender.name}-{step.name}.log",
                    origin=self.origin,
                    environ=environ_of(step.environment, self.scratch / f"airflow-{step.environment}", step.root),
                )
                told = out / TOLD
                costs.append(replace(cost, told=json.loads(told.read_bytes())) if told.is_file() else cost)
                self._check(step.sink, out, units)
        finally:
            shutil.rmtree(out, ignore_errors=True)
        return tuple(costs)

    def _check(self, sink: str, out: Path, units: int) -> None:
        if sink == NOTHING:
            return
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.verify", sink, str(out)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Failed(f"What it left cannot be read as {sink}: {done.stderr[-1000:]}")
        found = json.loads(done.stdout)
        if found != {"units": units, "distinct": units}:
            raise Failed(
                f"It left {found['units']} {self.case.unit}, {found['distinct']} of them distinct, "
                f"where {units} belong."
            )


def encoded(job: Job) -> str:
    """Return a job as its script takes it, with the parameters of the vendor's request for the first page."""
    request = {
        "mode": "interactive",
        "limitRecords": job.settings["page_rows"],
        "dateFrom": NIGHT,
        "dateTo": NIGHT,
        "pageNumber": 1,
    }
    return json.dumps({**asdict(job), "out": str(job.out), "night": NIGHT, "request": request})
