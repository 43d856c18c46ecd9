"""Many nights of many reports at once, in a real Airflow: ``python -m benchmarks.backfill``.

Last night comes by the schedule, the nights before it by one backfill. Each night of each report has to be in its
table, with all of its rows, and the last ten nights must not cost more to publish than the first ten.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.load import PAGE_ROWS, Watched, airflow_of, await_dag, scheduled
from benchmarks.measure import OriginProcess
from benchmarks.proofs import Figure, Proof, keep
from include.local.rest import Api

DAG = "flexnet_reports"
TENTH = 10
FINAL = frozenset({"success", "failed"})
LONGEST = 3 * 3600.0
MOST_GROWTH = 1.3


@dataclass(frozen=True)
class Filled:
    """What a backfill has cost and left.

    :param states: night → how its run ended
    :param missing: nights of reports that are not in their tables with all of their rows
    :param publish: seconds of a publish, the mean of the first ten nights and of the last ten
    """

    wall: float
    cpu: float
    largest_mb: float
    sum_mb: float
    states: Mapping[str, str]
    missing: Sequence[str]
    publish: tuple[float, float]


def main(given: Sequence[str] | None = None) -> int:
    """Fill the nights; 1 where one is missing or has lost a row."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backfill", description=__doc__)
    parser.add_argument("--nights", type=int, default=90, help=f"{2 * TENTH} or more")
    parser.add_argument("--reports", type=int, default=20)
    parser.add_argument(
        "--rows", type=int, default=PAGE_ROWS, help=f"rows a night of a report, in pages of {PAGE_ROWS}"
    )
    parser.add_argument("--parallelism", type=int, default=4, help="tasks at a time")
    parser.add_argument("--runs", type=int, default=4, help="nights at a time")
    parser.add_argument("--no-keep", action="store_true", help="do not write the proof")
    chosen = parser.parse_args(given)
    if chosen.rows < PAGE_ROWS or chosen.rows % PAGE_ROWS or chosen.nights < 2 * TENTH:
        parser.error(f"--rows is a multiple of {PAGE_ROWS}, --nights {2 * TENTH} or more")
    scratch = Path(tempfile.mkdtemp(prefix="nightshift-backfill-"))
    try:
        filled = fill(chosen, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    proof = proof_of(filled, chosen)
    for figure in proof.figures:
        print(figure)
    print(*filled.missing[:10], sep="\n")
    if not chosen.no_keep:
        print(f"backfill: kept in {keep(proof)}")
    return int(bool(filled.missing))


def fill(chosen: argparse.Namespace, scratch: Path) -> Filled:
    """Run the backfill, and look at what it left."""
    with OriginProcess(PAGE_ROWS, 20, None) as origin:
        origin.control({"pages": chosen.rows // PAGE_ROWS})
        with airflow_of(chosen, scratch, origin.url) as airflow:
            api = airflow.api
            await_dag(airflow, DAG)
            api.unpause(DAG)
            run = api.wait(DAG, scheduled(airflow, DAG), timeout=LONGEST)
            newest = date.fromisoformat(run["partition_key"])
            nights = [(newest - timedelta(days=back)).isoformat() for back in range(chosen.nights, 0, -1)]
            began = time.monotonic()
            with Watched(airflow) as watched:
                asked = {"dag_id": DAG, "from_date": f"{nights[0]}T00:00:00Z", "to_date": f"{nights[-1]}T00:00:00Z"}
                api.call("POST", "/api/v2/backfills", {**asked, "max_active_runs": chosen.runs})
                runs = _ended(airflow.api, nights)
                wall = time.monotonic() - began
            ends = nights[:TENTH], nights[-TENTH:]
            first, last = (fmean(_publish_seconds(airflow.api, runs, lot)) for lot in ends)
    return Filled(
        wall=wall,
        cpu=watched.cpu,
        largest_mb=watched.largest,
        sum_mb=watched.most,
        states={night: one["state"] for night, one in runs.items()},
        missing=_missing(scratch / "lake" / "tables" / "flexnet", [*nights, newest.isoformat()], chosen),
        publish=(first, last),
    )


def _ended(api: Api, nights: Sequence[str]) -> dict[str, dict[str, Any]]:
    until = time.monotonic() + LONGEST
    while time.monotonic() < until:
        runs: dict[str, dict[str, Any]] = {}
        for offset in range(0, len(nights), 100):
            runs |= {one["partition_key"]: one for one in api.runs(DAG, run_type="backfill", offset=str(offset))}
        if set(runs) == set(nights) and {one["state"] for one in runs.values()} <= FINAL:
            return runs
        time.sleep(5)
    raise RuntimeError(f"the backfill of {len(nights)} nights has not ended within {LONGEST:.0f} s")


def _publish_seconds(api: Api, runs: Mapping[str, Mapping[str, Any]], nights: Sequence[str]) -> list[float]:
    tasks = [task for night in nights for task in api.tasks(DAG, runs[night]["dag_run_id"])]
    return [float(one["duration"]) for one in tasks if one["task_id"].endswith(".publish") and one["duration"]]


def _missing(tables: Path, nights: Sequence[str], chosen: argparse.Namespace) -> list[str]:
    import pyarrow as pa
    from deltalake import DeltaTable

    found = []
    for table in sorted(tables.iterdir()):
        rows: dict[str, int] = {}
        for one in pa.table(DeltaTable(str(table)).get_add_actions(flatten=True)).to_pylist():
            night = str(next(value for name, value in one.items() if name.startswith("partition.")))
            rows[night] = rows.get(night, 0) + one["num_records"]
        found += [
            f"{table.name}, {night}: {rows.get(night)} rows" for night in nights if rows.get(night) != chosen.rows
        ]
    there = len(list(tables.iterdir()))
    return found + [f"a table of {chosen.reports} is not there"] * (chosen.reports - there)


def proof_of(filled: Filled, chosen: argparse.Namespace) -> Proof:
    """Return the proof."""
    done, wanted = sum(state == "success" for state in filled.states.values()), chosen.nights * chosen.reports
    (first, last) = filled.publish
    growth = last / first
    figures = (
        Figure(
            what="nights whose run ended well", value=str(done), target=str(chosen.nights), met=done == chosen.nights
        ),
        Figure(
            what="nights of reports that lack, or lack a row",
            value=str(len(filled.missing)),
            target="0",
            met=not filled.missing,
        ),
        Figure(
            what="a publish of the last ten nights by one of the first ten",
            value=f"{growth:.2f}",
            target=f"{MOST_GROWTH} at most",
            met=growth <= MOST_GROWTH,
        ),
        Figure(what="wall", value=f"{filled.wall:.0f} s, {60 * wanted / filled.wall:.0f} nights of reports a minute"),
        Figure(what="processor of all of Airflow", value=f"{filled.cpu:.0f} s, {filled.cpu / wanted:.2f} s for each"),
        Figure(what="memory", value=f"{filled.largest_mb:.0f} MB the largest process, {filled.sum_mb:.0f} MB all"),
    )
    return Proof(
        name="backfill",
        title="A backfill",
        command=f"python -m benchmarks.backfill --nights {chosen.nights} --reports {chosen.reports} --rows {chosen.rows}",
        says=(
            f"{chosen.nights} nights of {chosen.reports} reports of {chosen.rows:,} rows by one backfill, in a real Airflow "
            f"with LocalExecutor, {chosen.parallelism} tasks and {chosen.runs} nights at a time; what is in the tables is "
            "counted night by night."
        ),
        figures=figures,
    )


if __name__ == "__main__":
    sys.exit(main())
