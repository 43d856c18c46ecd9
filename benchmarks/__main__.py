"""The command line: ``python -m benchmarks``, or ``make bench ARGS="--quick"``."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import configuration, report, rows
from benchmarks.before import beside, checkout
from benchmarks.cases.csv import csv
from benchmarks.cases.paged import paged
from benchmarks.cases.parse import parse
from benchmarks.cases.waits import waits
from benchmarks.contest import Case, Run
from benchmarks.environments import CURL, MissingPeer, prepare
from benchmarks.measure import OriginProcess
from benchmarks.rounds import Rounds, Trial
from benchmarks.summary import Summary, summarize

CASES = ("paged", "csv", "waits", "parse")
QUICK_PAGES = 20
QUICK_MB = 64
QUICK_WAITS = "100,500"


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Nightshift side by side with its peers.")
    parser.add_argument("cases", nargs="*", metavar="case", help=f"which benchmarks: {', '.join(CASES)}; default all")
    parser.add_argument("--quick", action="store_true", help="a smoke: small, short, one run, nothing for memory")
    parser.add_argument("--pages", type=int, help="paged: pages of the report (default 1000)")
    parser.add_argument("--rows", type=int, default=1000, help="paged: rows a page, at most 2500")
    parser.add_argument("--fields", type=int, default=len(rows.FIELDS), help="paged: fields a row, at most 20")
    parser.add_argument("--mb", type=int, help="csv: size of the file, MiB (default 512)")
    parser.add_argument("--waits", help="waits: how many at a time, comma-separated (default 100,1000,5000)")
    parser.add_argument("--interval", type=float, help="waits: seconds between two polls of a wait (default 15)")
    parser.add_argument("--minutes", type=float, default=0.0, help="waits: the largest number alone, for so long")
    parser.add_argument("--reports", type=int, default=100, help="parse: reports, 10 or more (default 100)")
    parser.add_argument("--applications", type=int, default=50, help="parse: applications (default 50)")
    parser.add_argument("--runs", type=int, help="times that each contender runs (default 3)")
    parser.add_argument("--only", help="names of contenders, comma-separated")
    parser.add_argument("--setups", help="names of setups, comma-separated")
    parser.add_argument(
        "--against", help="a commit or a checkout of Nightshift that runs beside this one, as the baseline"
    )
    parser.add_argument("--proof", action="store_true", help="keep the figures beside their targets for RESULTS.md")
    parser.add_argument("--scratch", type=Path, help="folder for what is made meanwhile (default: a temporary one)")
    chosen = parser.parse_args(given)
    if strange := set(chosen.cases) - set(CASES):
        parser.error(f"no such case: {', '.join(sorted(strange))}; there is {', '.join(CASES)}")
    if not 1 <= chosen.rows <= rows.MAX_PAGE_ROWS or not 1 <= chosen.fields <= len(rows.FIELDS):
        parser.error(f"--rows is 1 to {rows.MAX_PAGE_ROWS}, --fields 1 to {len(rows.FIELDS)}")
    if chosen.reports < configuration.LEAST_REPORTS or chosen.applications < 0:
        parser.error(f"--reports is {configuration.LEAST_REPORTS} or more, --applications 0 or more")
    chosen.pages = chosen.pages or (QUICK_PAGES if chosen.quick else 1000)
    chosen.mb = chosen.mb or (QUICK_MB if chosen.quick else 512)
    chosen.waits = [
        int(count) for count in (chosen.waits or (QUICK_WAITS if chosen.quick else "100,1000,5000")).split(",")
    ]
    chosen.interval = chosen.interval or (3.0 if chosen.quick else 15.0)
    chosen.runs = chosen.runs or (1 if chosen.quick else 3)
    return chosen


def main() -> int:
    """Run the chosen cases; 1 when a contender failed or left too little or too much, 2 when a choice is wrong."""
    chosen = arguments()
    failed, runs = False, list[Run]()
    with contextlib.ExitStack() as open_:
        scratch = Path(tempfile.mkdtemp(prefix="nightshift-bench-", dir=chosen.scratch))
        open_.callback(shutil.rmtree, scratch, ignore_errors=True)
        cores = sorted(os.sched_getaffinity(0))
        core = cores[0] if len(cores) > 1 else None
        try:
            cases = all_cases(chosen)
            if chosen.against:
                before = open_.enter_context(checkout(chosen.against, scratch / "before"))
                cases = [beside(case, before, chosen.against) for case in cases]
            cases = narrowed(cases, chosen.only, chosen.setups)
            origin = open_.enter_context(OriginProcess(chosen.rows, chosen.fields, core))
            if core is not None:
                os.sched_setaffinity(0, {cores[1]})
            for case in cases:
                done = run(case, origin, scratch, chosen)
                failed |= done.failed
                runs.append(done)
            if chosen.proof:
                from benchmarks.speed import kept  # not before all is measured: the runner's memory is in every figure

                print(f"bench: kept in {kept(runs)}")
        except (LookupError, MissingPeer) as error:
            print(f"bench: {error}", file=sys.stderr)
            return 2
    return 1 if failed else 0


def all_cases(chosen: argparse.Namespace) -> list[Case]:
    """Return the cases that the command line names, all where it names none."""
    large = not chosen.quick
    made = (
        paged(pages=chosen.pages, page_rows=chosen.rows, large=large),
        csv(mb=chosen.mb, large=large),
        waits(counts=chosen.waits, interval=chosen.interval, minutes=chosen.minutes),
        parse(reports=chosen.reports, applications=chosen.applications),
    )
    return [case for case in made if not chosen.cases or case.name in chosen.cases]


def narrowed(cases: Sequence[Case], only: str | None, setups: str | None) -> list[Case]:
    """Return the cases with the named contenders and setups alone; those for which nothing is left are left out.

    :param only: names of contenders, ``None`` for all
    :param setups: names of setups, ``None`` for all
    :raises LookupError: no case has one of that name
    """
    who = _named(only, "contender", [one.name for case in cases for one in case.contenders])
    where = _named(setups, "setup", [one.name for case in cases for one in case.setups])
    cut = [
        replace(
            case,
            contenders=tuple(one for one in case.contenders if one.name in who),
            setups=tuple(one for one in case.setups if one.name in where),
        )
        for case in cases
    ]
    return [case for case in cut if case.contenders and case.setups]


def run(case: Case, origin: OriginProcess, scratch: Path, chosen: argparse.Namespace) -> Run:
    """Run a case, print its tables, write its results."""
    for environment in sorted({step.environment for one in case.contenders for step in one.steps}):
        prepare(environment)
        if environment == CURL and shutil.which(CURL) is None:
            raise MissingPeer("There is no curl on the path; install it, or leave it out with --only.")
    rounds = Rounds(case, origin, chosen.rows, scratch, case.contenders)
    trials: list[Trial] = []
    summaries: list[Summary] = []
    for setup in case.setups:
        for trial in rounds.trials(setup, chosen.runs):
            trials.append(trial)
            print(f"bench: {setup.name} {trial.run} {trial.contender}: {_told(trial)}", flush=True)
        summaries += summarize(case, setup, trials)
        print(f"\n{report.table(case, setup, summaries)}\n", flush=True)
    verdicts = case.verdicts(summaries)
    names = ("pages", "rows", "fields", "mb", "waits", "interval", "minutes", "reports", "applications", "runs")
    path = report.write(case, trials, summaries, verdicts, {name: getattr(chosen, name) for name in names})
    load = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    print(f"{report.verdict_lines(verdicts)}\n\nbench: load {load}; written to {path}")
    return Run(case, summaries, verdicts, any(trial.problem for trial in trials))


def _named(names: str | None, kind: str, there: Sequence[str]) -> set[str]:
    wanted = set(names.split(",")) if names else set(there)
    if strange := wanted - set(there):
        raise LookupError(f"no such {kind}: {', '.join(sorted(strange))}; there is {', '.join(dict.fromkeys(there))}")
    return wanted


def _told(trial: Trial) -> str:
    if trial.problem:
        return f"does not count. {trial.problem}"
    return f"{sum(cost.wall for cost in trial.full):.2f} s, {max(cost.rss_mb for cost in trial.full):.0f} MB"


if __name__ == "__main__":
    sys.exit(main())
