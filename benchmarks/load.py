"""A night of many reports in a real Airflow, beside dlt and HttpOperator: ``python -m benchmarks.load``.

One Airflow for all, with LocalExecutor or the many processes of ``make cluster``; the contenders run one after the
other, with the same parallelism and pool. The origin is the benchmarks' own. What each left behind is counted. As many
tasks that do nothing tell Airflow's own share.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.environments import ROOT, prepare, python_of
from benchmarks.measure import OriginProcess
from benchmarks.proofs import Figure, Proof, Table, keep
from include.local.airflow import LocalAirflow, connection_fields, free_port, session_members
from include.local.cluster.environment import HERE as CLUSTER
from include.local.cluster.environment import cluster_python

PAGE_ROWS = 1000
LOOKS_EVERY = 2.0
LONGEST = 7200.0
OURS = "nightshift"
IDLE = "tasks that do nothing"
TICKS = os.sysconf("SC_CLK_TCK")
SCHEDULER = "scheduler"


@dataclass(frozen=True)
class Contender:
    """Who brings the night home.

    :param dag_id: its DAG
    :param rows: counts what it left behind; ``None``: it brings nothing
    """

    name: str
    dag_id: str
    rows: Callable[[Path], int] | None


@dataclass(frozen=True)
class Seen:
    """What one night cost, of all processes of the Airflow.

    :param wall: seconds from the trigger to the end of the run
    :param cpu: seconds of processor
    :param scheduler_cpu: of which the scheduler's own, without its tasks
    :param largest_mb: peak resident memory of the largest process
    :param sum_mb: peak of all together, what they share counted once
    """

    name: str
    tasks: int
    wall: float
    cpu: float
    scheduler_cpu: float
    largest_mb: float
    sum_mb: float
    rows: int


class Watched:
    """The processes of an Airflow, looked at again and again while the context is open.

    Processor time is that of its stores as well, memory is not: a store in memory holds all that lies in it.
    """

    def __init__(self, airflow: LocalAirflow) -> None:
        self._leaders, self._stores = airflow.leaders, airflow.stores
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.largest = self.most = 0.0

    def __enter__(self) -> Watched:
        self._began = self._cpu()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        after = self._cpu()
        self.cpu = sum(after.values()) - sum(self._began.values())
        self.scheduler_cpu = after.get(SCHEDULER, 0.0) - self._began.get(SCHEDULER, 0.0)

    def _look(self) -> None:
        while not self._ended.wait(LOOKS_EVERY):
            every = [_memory(pid) for pid in session_members(*self._leaders)]
            self.largest = max([self.largest, *(own for own, _ in every)])
            self.most = max(self.most, sum(share for _, share in every))

    def _cpu(self) -> dict[str, float]:
        """Return seconds of processor: of the scheduler itself, and of everything else with the children that ended."""
        found = {SCHEDULER: 0.0, "": 0.0}
        for pid in session_members(*self._leaders, *self._stores):
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                own, ended = sum(map(int, fields[11:13])) / TICKS, sum(map(int, fields[13:15])) / TICKS
                is_scheduler = b"airflow\0scheduler" in Path(f"/proc/{pid}/cmdline").read_bytes()
                found[SCHEDULER if is_scheduler else ""] += own
                found[""] += ended
        return found


def _memory(pid: int) -> tuple[float, float]:
    """Return a process's resident memory, and its share of it where it has it together with others, MiB."""
    with contextlib.suppress(OSError, ValueError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        sizes = {name: int(rest.split()[0]) / 1024 for name, _, rest in (line.partition(":") for line in lines[1:])}
        return sizes.get("Rss", 0.0), sizes.get("Pss", 0.0)
    return 0.0, 0.0


def table_rows(_: Path) -> int:
    """Return the rows in the Delta tables, by the statistics of their files."""
    from deltalake import DeltaTable

    lake, reports = os.environ["NIGHTSHIFT_LAKE"], json.loads(os.environ["NIGHTSHIFT_LOAD"])["reports"]
    options = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    tables = [
        DeltaTable(f"{lake}/tables/flexnet/{name_of(number)}", storage_options=options) for number in range(reports)
    ]
    return sum(sum(one.get_add_actions(flatten=True).column("num_records").to_pylist()) for one in tables)


def parquet_rows(out: Path) -> int:
    """Return the rows in the Parquet files that dlt has written."""
    import pyarrow.parquet as pq

    paths = [path for path in (out / "dlt").rglob("entitlement/*.parquet") if "table" in path.parts]
    return sum(pq.ParquetFile(path).metadata.num_rows for path in paths)


def text_rows(out: Path) -> int:
    """Return the lines that HttpOperator has written."""
    return sum(path.read_bytes().count(b"\n") for path in (out / "http").glob("*.ndjson"))


def name_of(number: int) -> str:
    """Return the name of a report."""
    return f"report{number:03d}"


CONTENDERS = (
    Contender(OURS, "flexnet_reports", table_rows),
    Contender("dlt", "load_dlt", parquet_rows),
    Contender("HttpOperator", "load_http", text_rows),
    Contender(IDLE, "load_nothing", None),
)


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("--reports", type=int, default=100)
    parser.add_argument("--rows", type=int, default=25_000, help="rows a report; 250000 is the night of 25 million")
    parser.add_argument("--parallelism", type=int, default=4, help="tasks at a time, whoever runs them")
    parser.add_argument("--cluster", action="store_true", help="in the Airflow of make cluster, with a lake in its S3")
    parser.add_argument("--only", help="names of contenders, comma-separated")
    parser.add_argument("--scratch", type=Path, help="folder for what is made meanwhile (default: a temporary one)")
    parser.add_argument("--no-keep", action="store_true", help="do not write the proof")
    chosen = parser.parse_args(given)
    if chosen.rows < PAGE_ROWS or chosen.rows % PAGE_ROWS:
        parser.error(f"--rows is a multiple of {PAGE_ROWS}")
    return chosen


def main(given: Sequence[str] | None = None) -> int:
    """Bring the night home by each contender; 1 where one has lost a row."""
    chosen = arguments(given)
    if chosen.cluster and Path(sys.prefix) != CLUSTER:
        python = str(cluster_python())
        os.execv(python, [python, "-m", "benchmarks.load", *(sys.argv[1:] if given is None else given)])
    there = (OURS, IDLE) if chosen.cluster else tuple(one.name for one in CONTENDERS)
    wanted = set(chosen.only.split(",")) if chosen.only else set(there)
    contenders = [one for one in CONTENDERS if one.name in wanted]
    scratch = Path(tempfile.mkdtemp(prefix="nightshift-load-", dir=chosen.scratch))
    began = time.monotonic()
    try:
        if "dlt" in wanted:
            prepare("dlt")
        seen = list(nights(contenders, chosen, scratch))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    proof = proof_of(seen, chosen, time.monotonic() - began)
    for figure in proof.figures:
        print(figure)
    if not chosen.no_keep and {one.name for one in contenders} >= set(there):
        print(f"load: kept in {keep(proof)}")
    return int(any(figure.met is False and "rows" in figure.what for figure in proof.figures))


def nights(contenders: Sequence[Contender], chosen: argparse.Namespace, scratch: Path) -> Iterator[Seen]:
    """Yield what the night cost each contender, one after the other, in one Airflow."""
    with OriginProcess(PAGE_ROWS, 20, None) as origin:
        origin.control({"pages": chosen.rows // PAGE_ROWS})
        with airflow_of(chosen, scratch, origin.url, cluster=chosen.cluster) as airflow:
            for one in contenders:
                seen = night(one, airflow, scratch)
                print(
                    f"load: {seen.name}: {seen.wall:.0f} s, CPU {seen.cpu:.0f} s (scheduler {seen.scheduler_cpu:.0f}), "
                    f"largest {seen.largest_mb:.0f} MB, all {seen.sum_mb:.0f} MB, {seen.rows:,} rows",
                    flush=True,
                )
                yield seen


def airflow_of(chosen: argparse.Namespace, scratch: Path, origin: str, *, cluster: bool = False) -> LocalAirflow:
    """Return the Airflow of all contenders, not started yet."""
    config, dags = scratch / "config", scratch / "dags"
    config.mkdir()
    dags.mkdir()
    shutil.copy(ROOT / "dags" / "flexnet_reports.py", dags)
    (dags / "load.py").write_text("# airflow DAG\nfrom benchmarks.contenders.load_dags import *  # noqa: F403\n")
    reports = [
        {"name": name_of(number), "key": ["EntitlementID"], "page_size": PAGE_ROWS} for number in range(chosen.reports)
    ]
    (config / "reports.yaml").write_text(
        json.dumps({"flexnet": {"settle_hours": 0, "horizon_days": None, "reports": reports}})
    )
    load = {
        "reports": chosen.reports,
        "out": str(scratch),
        "origin": origin,
        "request": {"pageNumber": "1", "limitRecords": str(PAGE_ROWS), "mode": "batch"},
        "dlt": f"{python_of('dlt')} {ROOT / 'benchmarks' / 'contenders' / 'dlt_rest_api.py'}",
    }
    environment = {
        "NIGHTSHIFT_CONFIG": str(config),
        "NIGHTSHIFT_KEPT": str(scratch / "kept"),
        "NIGHTSHIFT_LOAD": json.dumps(load),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_CONN_LOAD_HTTP": json.dumps(connection_fields(conn_type="http", host=origin)),
        "AIRFLOW_CONN_FLEXNET_DEFAULT": json.dumps(
            connection_fields(conn_type="flexnet", host=origin, login="bench", password="bench")
        ),
    }
    home, port = scratch / "airflow", free_port()
    if not cluster:
        environment["NIGHTSHIFT_LAKE"] = str(scratch / "lake")
        return LocalAirflow(home, port, environment, dags=dags, parallelism=chosen.parallelism)
    from include.local.cluster.airflow import ClusterAirflow

    # Two workers, and what publishes has the second one: half of the tasks each.
    return ClusterAirflow(home, port, environment, dags=dags, slots=-(-chosen.parallelism // 2))


def night(one: Contender, airflow: LocalAirflow, scratch: Path) -> Seen:
    """Bring the night home by one contender.

    :raises RuntimeError: its run has not ended well
    """
    api = airflow.api
    await_dag(airflow, one.dag_id)
    began = time.monotonic()
    with Watched(airflow) as watched:
        api.unpause(one.dag_id)
        # Nightshift's own DAG has a schedule: unpaused, it brings last night home by itself, and once is enough.
        run_id = scheduled(airflow, one.dag_id) if one.name == OURS else api.trigger(one.dag_id)
        run = api.wait(one.dag_id, run_id, timeout=LONGEST)
        wall = time.monotonic() - began
    tasks = api.tasks(one.dag_id, run_id)
    if run["state"] != "success":
        broken = [task["task_id"] for task in tasks if task["state"] == "failed"][:3]
        raise RuntimeError(f"{one.name} has not brought the night home: {broken}; see {airflow.home / 'logs'}")
    api.call("PATCH", f"/api/v2/dags/{one.dag_id}", {"is_paused": True})
    rows = _counted(one, airflow, scratch)
    return Seen(one.name, len(tasks), wall, watched.cpu, watched.scheduler_cpu, watched.largest, watched.most, rows)


def scheduled(airflow: LocalAirflow, dag_id: str) -> str:
    """Return the run that the schedule makes of a DAG.

    :raises RuntimeError: it makes none
    """
    until = time.monotonic() + 600
    while time.monotonic() < until:
        found = airflow.api.call("GET", f"/api/v2/dags/{dag_id}/dagRuns")["dag_runs"]
        if found:
            return str(found[0]["dag_run_id"])
        time.sleep(0.5)
    raise RuntimeError(f"{dag_id} was not scheduled; see {airflow.log_file}")


def await_dag(airflow: LocalAirflow, dag_id: str) -> None:
    """Wait until Airflow has a DAG.

    :raises RuntimeError: it cannot be parsed
    """
    until = time.monotonic() + 600
    while time.monotonic() < until:
        found = airflow.api.call("GET", f"/api/v2/dags?dag_id_pattern={dag_id}")
        if found["dags"]:
            return
        if broken := airflow.api.call("GET", "/api/v2/importErrors")["import_errors"]:
            raise RuntimeError(f"{dag_id} cannot be parsed: {broken[0]['stack_trace']}")
        time.sleep(1)
    raise RuntimeError(f"{dag_id} was not parsed; see {airflow.log_file}")


def _counted(one: Contender, airflow: LocalAirflow, scratch: Path) -> int:
    """Count in a process of its own: what counts is no small program."""
    if one.rows is None:
        return 0
    code = f"import sys, pathlib, benchmarks.load as load; print(load.{one.rows.__name__}(pathlib.Path(sys.argv[1])))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(scratch)],
        cwd=ROOT,
        env=airflow.environment(),
        check=True,
        capture_output=True,
        text=True,
    )
    return int(done.stdout)


def proof_of(seen: Sequence[Seen], chosen: argparse.Namespace, seconds: float) -> Proof:
    """Return the proof."""
    expected = chosen.reports * chosen.rows
    by_name = {one.name: one for one in seen}
    idle = by_name.get(IDLE)
    figures = [
        Figure(what=f"rows of {one.name}", value=f"{one.rows:,}", target=f"{expected:,}", met=one.rows == expected)
        for one in seen
        if one is not idle
    ]
    ours = by_name.get(OURS)
    if ours is not None:
        figures += [
            Figure(what="nightshift, wall", value=f"{ours.wall:.0f} s, {ours.rows / ours.wall:,.0f} rows/s"),
            Figure(what="nightshift, largest process", value=f"{ours.largest_mb:.0f} MB"),
            *(
                Figure(what=f"{other.name} / nightshift, wall", value=f"{other.wall / ours.wall:.1f}")
                for other in seen
                if other not in (ours, idle)
            ),
        ]
        if idle is not None:
            figures.append(Figure(what="Airflow's own share of the processor time", value=f"{idle.cpu / ours.cpu:.0%}"))
    rows = tuple(
        (
            one.name,
            str(one.tasks),
            f"{one.wall:.0f}",
            f"{one.cpu:.0f}",
            f"{one.scheduler_cpu:.0f}",
            f"{one.largest_mb:.0f}",
            f"{one.sum_mb:.0f}",
            f"{one.rows / one.wall:,.0f}",
            f"{one.rows / one.cpu:,.0f}",
        )
        for one in seen
    )
    head = ("", "tasks", "wall, s", "CPU, s", "scheduler's, s", "largest, MB", "all, MB", "rows/s", "rows/CPU s")
    where = "LocalExecutor"
    if chosen.cluster:
        where = (
            "two Celery workers in two queues, two schedulers, two triggerers, PostgreSQL, Redis and a lake in an S3 "
            "server (moto's, one request at a time), whose processor time is counted with it"
        )
    return Proof(
        name="load-cluster" if chosen.cluster else "load",
        title="A night under load, on the cluster" if chosen.cluster else "A night under load",
        command=f"python -m benchmarks.load --reports {chosen.reports} --rows {chosen.rows}"
        + (" --cluster" if chosen.cluster else ""),
        says=(
            f"{chosen.reports} reports of {chosen.rows:,} rows, {expected:,} in all, in one real Airflow with {where}, "
            f"{chosen.parallelism} tasks at a time, by each contender in turn: nightshift to Delta tables (extract and "
            "publish), dlt to Parquet in a task a report, HttpOperator to NDJSON in a task a report; as many tasks that "
            "do nothing are what Airflow itself costs. CPU and memory are of all processes of that Airflow; the rows are "
            f"counted in what each left. {seconds:.0f} s in all."
            + ("" if chosen.rows >= 250_000 else " Scaled: the night to design for has 250,000 rows a report.")
        ),
        figures=tuple(figures),
        tables=(Table(title="By contender", head=head, rows=rows),),
    )


if __name__ == "__main__":
    sys.exit(main())
