"""Token Flex's nights through a real Airflow: lost answers, killed processes, clears, a backfill. Judged by the
vendor's ledger, the landed bytes and the table.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from include.local.airflow import LocalAirflow
from include.local.rest import FINAL, Api
from include.standins import Effect, Fault, FaultKind, Request
from include.standins.tokenflex import vendor_fault
from nightshift.lake.landing import Landing, Manifest
from nightshift.lake.store import Lake
from tests.flows.conftest import KnownTokenFlex, await_scheduled_run, until

pytestmark = pytest.mark.airflow
DAG = "tokenflex_exports"
EXPORT = "desktop_usage"
LOOK_BACK = 2
CREATE: dict[str, Any] = {"method": "POST", "path": r"/export/[^/]+/requests$"}
LONG = 3600.0


def night(days_ago: int) -> str:
    return (datetime.now(UTC).date() - timedelta(days=days_ago)).isoformat()


def window(the_night: str) -> list[str]:
    last = datetime.fromisoformat(the_night)
    return [f"{last - timedelta(days=back):%Y-%m-%d}" for back in range(LOOK_BACK, -1, -1)]


# What the vendor knows.


def of(the_night: str) -> Any:
    """Return a condition of a fault: only requests for the export of that night."""
    return lambda call: f"{EXPORT} {the_night}".encode() in call.body


def made(vendor: KnownTokenFlex, the_night: str) -> list[Effect]:
    return [
        effect
        for effect in vendor.ledger.effects(kind="export_created")
        if effect.detail["downloadFileName"].startswith(f"{EXPORT} {the_night}")
    ]


def live(vendor: KnownTokenFlex, the_night: str) -> list[str]:
    with vendor.locked():
        return [one.key for one in vendor.exports.all() if one.asked.file_name.startswith(f"{EXPORT} {the_night}")]


def finish(vendor: KnownTokenFlex, key: str) -> None:
    """Let an export be ready now."""
    with vendor.locked():
        next(one for one in vendor.exports.all() if one.key == key).ready = vendor.now()


# What came home.


def landed(lake: Path, the_night: str) -> tuple[Manifest, bytes]:
    async def read() -> tuple[Manifest, bytes]:
        landing = Landing(Lake.from_url(str(lake)), "tokenflex", EXPORT, the_night)
        manifest = await landing.latest()
        assert manifest is not None, f"nothing is landed for {the_night}"
        folder = landing.extract(manifest.extract)
        return manifest, b"".join([await folder.read(entry.number) for entry in manifest.entries])

    return asyncio.run(read())


def rows(lake: Path, nights: list[str]) -> Counter[tuple[str, str, str, float]]:
    from deltalake import DeltaTable

    found = DeltaTable(str(lake / "tables" / "tokenflex" / EXPORT)).to_pyarrow_table().to_pylist()
    assert all(row["night"] == row["usageDate"] for row in found)
    return Counter(
        (row["night"].isoformat(), row["productName"] or "", row["userName"] or "", row["tokensConsumed"])
        for row in found
        if row["night"].isoformat() in nights
    )


def rows_of(file: bytes, nights: list[str]) -> Counter[tuple[str, str, str, float]]:
    return Counter(
        (row["usageDate"], row["productName"], row["userName"], float(row["tokensConsumed"]))
        for row in csv.DictReader(StringIO(file.decode()))
        if row["usageDate"] in nights
    )


def home(vendor: KnownTokenFlex, lake: Path, the_night: str) -> None:
    """Hold the table and the landing of a night against the one export that is at the vendor."""
    [key] = live(vendor, the_night)
    manifest, file = landed(lake, the_night)
    assert manifest.notes["request_key"] == key
    assert file == vendor.file_of(key)
    expected = rows_of(file, window(the_night))
    assert {row[0] for row in expected} == set(window(the_night))
    assert rows(lake, window(the_night)) == expected


def states(api: Api, run_id: str) -> dict[str, str]:
    return {task["task_id"]: task["state"] for task in api.tasks(DAG, run_id)}


def succeeds(api: Api, run_id: str, seconds: float = 300) -> None:
    run = api.wait(DAG, run_id, timeout=seconds)
    assert run["state"] == "success", states(api, run_id)


@dataclass(frozen=True)
class Deferred:
    """A run that waits in the triggerer for its export."""

    night: str
    run_id: str
    key: str


def deferred(api: Api, vendor: KnownTokenFlex, the_night: str) -> Deferred:
    """Start a night whose export takes long, and return when its wait is deferred."""
    vendor.faults.add(vendor_fault("export_takes", seconds=LONG), when=of(the_night))
    run_id = api.trigger(DAG, partition_key=the_night)
    until(lambda: states(api, run_id).get(f"{EXPORT}.wait") == "deferred", f"the wait for {the_night} is deferred")
    [effect] = made(vendor, the_night)
    return Deferred(the_night, run_id, effect.key)


def polled(vendor: KnownTokenFlex, since: int, key: str) -> None:
    """Return when the export was asked for, by itself or with the list of all."""
    path = rf"/export/[^/]+/requests(/{re.escape(key)})?$"
    until(lambda: vendor.ledger.requests(method="GET", path=path, since=since), f"{key} is polled")


def newest_request(vendor: KnownTokenFlex) -> int:
    return max((request.number for request in vendor.ledger.requests()), default=0)


# Processes of this Airflow.


def children() -> dict[int, list[tuple[int, str]]]:
    """Return parent → its processes with their command lines."""
    found: dict[int, list[tuple[int, str]]] = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            pid = int(entry.name)
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            found.setdefault(parent, []).append((pid, line))
    return found


def below(pid: int) -> list[tuple[int, str]]:
    """Return all processes under one, with their command lines."""
    tree, found = children(), []
    waiting = list(tree.get(pid, ()))
    while waiting:
        one = waiting.pop()
        found.append(one)
        waiting += tree.get(one[0], ())
    return found


def kill_with_children(pid: int) -> None:
    for one in [pid, *(child for child, _ in below(pid))]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)


@pytest.fixture(scope="module")
def exports(airflow: LocalAirflow) -> dict[str, Any]:
    """Let the scheduler run the DAG; return its own run for last night."""
    airflow.api.unpause(DAG)
    [run] = await_scheduled_run(airflow.api, DAG, 180)
    return run


@pytest.fixture(scope="session")
def triggerers(airflow: LocalAirflow) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Keep the triggerers that were started in place of a killed one until all tests are over."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        kill_with_children(process.pid)
        process.wait(timeout=10)


@dataclass(frozen=True)
class Accident:
    """What happened to a night, and the run that has to bring it home all the same."""

    night: str
    run_id: str


@pytest.fixture(scope="module")
def accidents(
    airflow: LocalAirflow,
    exports: dict[str, Any],
    tokenflex: KnownTokenFlex,
    triggerers: list[subprocess.Popen[bytes]],
) -> dict[str, Accident]:
    """Start three nights at once and have something happen to each.

    They go on by themselves while other tests run: Airflow takes its time to miss a worker or a triggerer.
    """
    nights = {
        "answer lost": night(11),
        "worker killed": night(21),
        "triggerer killed": night(26),
    }
    tokenflex.faults.add(Fault(kind=FaultKind.ACCEPT_THEN_DROP, **CREATE), when=of(nights["answer lost"]))
    tokenflex.faults.add(
        Fault(kind=FaultKind.DRIP, origin="download", chunk_bytes=64, seconds=0.5),
        when=lambda call: file_for(tokenflex, call, nights["worker killed"]),
    )
    before = newest_request(tokenflex)
    waiting = deferred(airflow.api, tokenflex, nights.pop("triggerer killed"))
    runs = {what: Accident(one, airflow.api.trigger(DAG, partition_key=one)) for what, one in nights.items()}
    polled(tokenflex, before, waiting.key)
    until(lambda: tokenflex.ledger.requests(origin="download", fault="drip"), "the download has begun", 180, 0.1)
    kill_worker(airflow.api, runs["worker killed"])
    triggerers.append(replace_triggerer(airflow))
    finish(tokenflex, waiting.key)
    return {**runs, "triggerer killed": Accident(waiting.night, waiting.run_id)}


def file_for(vendor: KnownTokenFlex, call: Request, the_night: str) -> bool:
    with vendor.locked():
        export = vendor.exports.of_file(call.path.lstrip("/"))
    return export is not None and export.asked.file_name.startswith(f"{EXPORT} {the_night}")


def kill_worker(api: Api, accident: Accident) -> None:
    """Kill the process that runs the download, and the one that watches over it."""
    [task] = [task for task in api.tasks(DAG, accident.run_id) if task["task_id"] == f"{EXPORT}.download"]
    assert task["state"] == "running"
    [worker] = [pid for pid, line in below(os.getpid()) if line.endswith(f"LocalExecutor: {task['id']}")]
    kill_with_children(worker)


def replace_triggerer(airflow: LocalAirflow) -> subprocess.Popen[bytes]:
    """Kill the triggerer, and only then start another."""
    triggerer = next(pid for pid, line in below(os.getpid()) if line.endswith("airflow triggerer"))
    kill_with_children(triggerer)
    with (airflow.home / "triggerer.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "airflow", "triggerer"],
            env=airflow.environment(),
            cwd=airflow.home,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def test_a_night_comes_home_with_one_export(
    exports: dict[str, Any], api: Api, tokenflex: KnownTokenFlex, lake_folder: Path
) -> None:
    assert (exports["state"], exports["partition_key"]) == ("success", night(1)), states(api, exports["dag_run_id"])
    assert len(made(tokenflex, night(1))) == 1
    home(tokenflex, lake_folder, night(1))
    events = api.call(
        "GET", f"/api/v2/assets/events?source_dag_id={DAG}&source_run_id={exports['dag_run_id'].replace('+', '%2B')}"
    )["asset_events"]
    keyed = {event["partition_key"]: event["name"] for event in events}
    assert keyed == dict.fromkeys(window(night(1)), f"tokenflex/{EXPORT}")


def clear(api: Api, run_id: str, task: str) -> None:
    body = {
        "dry_run": False,
        "dag_run_id": run_id,
        "task_ids": [f"{EXPORT}.{task}"],
        "include_downstream": True,
        "only_failed": False,
        "only_running": False,
        "reset_dag_runs": True,
    }
    api.call("POST", f"/api/v2/dags/{DAG}/clearTaskInstances", body)


def test_a_clear_while_deferred_leaves_one_export(
    accidents: object, api: Api, tokenflex: KnownTokenFlex, lake_folder: Path
) -> None:
    waits, asks_again = [deferred(api, tokenflex, one) for one in (night(31), night(36))]
    clear(api, waits.run_id, "wait")
    clear(api, asks_again.run_id, "request")
    finish(tokenflex, waits.key)
    for one in (waits, asks_again):
        succeeds(api, one.run_id)
        home(tokenflex, lake_folder, one.night)
    assert [effect.key for effect in made(tokenflex, waits.night)] == live(tokenflex, waits.night) == [waits.key]
    first, second = [effect.key for effect in made(tokenflex, asks_again.night)]
    assert (first, [second]) == (asks_again.key, live(tokenflex, asks_again.night))
    assert [effect.key for effect in tokenflex.ledger.effects(kind="export_deleted")] == [first]


def test_a_backfill_makes_one_export_a_night(
    exports: object, airflow: LocalAirflow, api: Api, tokenflex: KnownTokenFlex, lake_folder: Path
) -> None:
    nights = [night(days_ago) for days_ago in range(43, 40, -1)]
    airflow.cli(
        "backfill",
        "create",
        "--dag-id",
        DAG,
        "--from-date",
        nights[0],
        "--to-date",
        nights[-1],
        "--max-active-runs",
        "3",
    )

    def ended() -> dict[str, str]:
        found = {run["partition_key"]: run["state"] for run in api.runs(DAG, run_type="backfill")}
        return found if len(found) == len(nights) and set(found.values()) <= FINAL else {}

    assert until(ended, "the backfill has ended", 400) == dict.fromkeys(nights, "success")
    for the_night in nights:
        assert len(made(tokenflex, the_night)) == 1
        home(tokenflex, lake_folder, the_night)


@pytest.mark.parametrize("accident", ["answer lost", "worker killed", "triggerer killed"])
def test_an_accident_makes_no_second_export(
    accident: str, accidents: dict[str, Accident], api: Api, tokenflex: KnownTokenFlex, lake_folder: Path
) -> None:
    one = accidents[accident]
    succeeds(api, one.run_id)
    assert len(made(tokenflex, one.night)) == 1
    home(tokenflex, lake_folder, one.night)


def test_the_accidents_did_happen(accidents: dict[str, Accident], api: Api, tokenflex: KnownTokenFlex) -> None:
    posts = tokenflex.ledger.requests(**CREATE)
    lost = Counter(kind for post in posts for kind in post.faults if post.status is None)
    assert lost == {FaultKind.ACCEPT_THEN_DROP: 1}
    [broken] = tokenflex.ledger.requests(origin="download", fault="drip")
    assert broken.aborted
    for one in accidents.values():
        succeeds(api, one.run_id)
    tries = {
        what: {task["task_id"].rpartition(".")[2]: task["try_number"] for task in api.tasks(DAG, one.run_id)}
        for what, one in accidents.items()
    }
    assert tries["worker killed"]["download"] == 2
    assert tries["answer lost"]["request"] == tries["triggerer killed"]["wait"] == 1
