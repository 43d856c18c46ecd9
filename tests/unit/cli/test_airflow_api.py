"""Commands that ask Airflow, against Airflow's own web server in a process of its own: what they see, and who may.

The FlexNet that Airflow tests a connection with is the stand-in; its ledger says that it was really asked.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from include.standins.flexnet import LOGIN, PASSWORD, FlexNetStandIn
from nightshift.cli.airflow_api import AirflowApi, AirflowRefused
from nightshift.jobs.record import RECORD_KEY, RESOLUTION_KEY, TASKS_AT_WORK, JobRecord
from nightshift.jobs.state import Intent, JobState, JobStatus, RunIdentity, to_json
from tests.unit.cli.airflow_server import PEOPLE, Server, serving
from tests.unit.cli.conftest import Run

CONFIG = "flexnet:\n  pool: vendors\n  reports: [{name: entitlement, key: [id]}, {name: device, key: [id]}]\n"
NIGHT = "2026-11-20"
RUN = f"manual__{NIGHT}"
DAG = "flexnet_reports"


@pytest.fixture(scope="module")
def vendor() -> Iterator[FlexNetStandIn]:
    with FlexNetStandIn() as found:
        yield found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, vendor: FlexNetStandIn) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("airflow")
    (folder / "config").mkdir()
    (folder / "config/reports.yaml").write_text(CONFIG)
    with serving(folder / "home", folder / "config", folder / "lake") as found:
        named = {"connection_id": "flexnet_default", "conn_type": "flexnet", "host": vendor.url}
        found.send("POST", "/api/v2/connections", {**named, "login": LOGIN, "password": PASSWORD})
        asked = {"logical_date": None, "dag_run_id": RUN, "partition_key": NIGHT, "conf": {}}
        found.send("PATCH", f"/api/v2/dags/{DAG}", {"is_paused": False})
        found.send("POST", f"/api/v2/dags/{DAG}/dagRuns", asked)
        yield found


@pytest.fixture(autouse=True)
def as_admin(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(server.home.parent / "config"))
    monkeypatch.setenv("NIGHTSHIFT_KEPT", str(server.home / "kept"))
    (server.home.parent / "lake").mkdir(exist_ok=True)
    monkeypatch.setenv("NIGHTSHIFT_LAKE", str(server.home.parent / "lake"))


@contextmanager
def database(server: Server) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(server.home / "airflow.db")) as found, found:
        yield found


def findings(run: Run, *more: str) -> dict[str, dict[str, Any]]:
    found = run("doctor", "--json", *more)
    assert all(secret not in found.output for secret in (*PEOPLE.values(), PASSWORD))
    return {one["about"]: one for one in json.loads(found.stdout)["findings"]}


def test_the_doctor_finds_what_is_wrong_and_says_what_to_do(run: Run, server: Server, vendor: FlexNetStandIn) -> None:
    before = len(vendor.ledger.requests())
    found = findings(run)
    assert run("doctor").exit_code == 1
    levels = {about: one["level"] for about, one in found.items()}
    assert levels["metadatabase"] == levels["conditional writes"] == levels["nightshift in Airflow"] == "ok"
    assert levels["scheduler"] == "bad"
    assert (levels["pool vendors"], found["pool vendors"]["fix"]) == ("bad", "airflow pools import pools.json")
    assert levels["DAGs"] == "ok"
    assert found["half-complete partitions"]["text"] == "0 in Airflow"
    assert levels["connection flexnet_default"] == "ok"
    assert "tested by Airflow's API server" in found["connection flexnet_default"]["text"]
    assert len(vendor.ledger.requests()) > before


@pytest.mark.parametrize(
    ("slots", "deferred", "level"), [(4, True, "ok"), (4, False, "warn"), (0, True, "bad"), (400, True, "ok")]
)
def test_a_pool_that_is_there_is_measured(slots: int, deferred: bool, level: str, run: Run, server: Server) -> None:
    pool = {"name": "vendors", "slots": slots, "include_deferred": deferred}
    server.send("POST", "/api/v2/pools", pool)
    try:
        assert findings(run)["pool vendors"]["level"] == level
    finally:
        server.send("DELETE", "/api/v2/pools/vendors")


def test_half_complete_partitions_are_counted_by_dag(run: Run, server: Server) -> None:
    rows = [(DAG, f"{NIGHT}-{number}", NIGHT, NIGHT) for number in range(500)]
    with database(server) as kept:
        kept.executemany(
            "INSERT INTO asset_partition_dag_run (target_dag_id, partition_key, created_at, updated_at) "
            "VALUES (?, ?, ?, ?)",
            rows,
        )
    try:
        found = findings(run)["half-complete partitions"]
    finally:
        with database(server) as kept:
            kept.execute("DELETE FROM asset_partition_dag_run")
    assert found["level"] == "bad"
    assert f"{DAG} 500" in found["text"]


def test_a_dag_whose_file_is_gone_is_not_there_and_unpaused(run: Run, server: Server) -> None:
    with database(server) as kept:
        kept.execute("UPDATE dag SET is_stale = 1 WHERE dag_id = ?", (DAG,))
    try:
        found = findings(run)
    finally:
        with database(server) as kept:
            kept.execute("UPDATE dag SET is_stale = 0 WHERE dag_id = ?", (DAG,))
    assert (found[f"DAG {DAG}"]["level"], "DAGs" in found) == ("bad", False)
    assert "in no file any more" in found[f"DAG {DAG}"]["text"]


def test_what_one_look_may_not_see_hides_nothing_of_another(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with an auth manager that lets somebody see DAGs, and neither import errors nor what is installed."""
    allowed = AirflowApi.send

    async def send(self: AirflowApi, method: str, path: str, **more: Any) -> Any:
        if path in ("/api/v2/importErrors", "/api/v2/providers"):
            raise AirflowRefused(f"refuses GET {path}: 403", 403)
        return await allowed(self, method, path, **more)

    monkeypatch.setattr(AirflowApi, "send", send)
    found = findings(run)
    assert (found["scheduler"]["level"], found["DAGs"]["level"]) == ("bad", "ok")
    assert found["import errors"]["level"] == found["nightshift in Airflow"]["level"] == "warn"


def test_who_may_little_is_told_so_and_nothing_else_breaks(
    run: Run, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in server.environment("vera").items():
        monkeypatch.setenv(name, value)
    found = findings(run)
    assert found["permissions"]["level"] == "warn"
    assert "see connections (403)" in found["permissions"]["text"]
    assert found["connection flexnet_default"]["level"] == "warn"
    assert found["conditional writes"]["level"] == "ok"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"NIGHTSHIFT_AIRFLOW_PASSWORD": "Wr0ng-password"}, "does not let 'admin' in (401)"),
        ({"NIGHTSHIFT_AIRFLOW_USER": ""}, "lets nobody in without a name (403)"),
        ({"NIGHTSHIFT_AIRFLOW_TOKEN": "no-such-t0ken"}, "refuses GET"),
        ({"NIGHTSHIFT_AIRFLOW_URL": "http://127.0.0.1:9"}, "cannot be asked"),
        ({"NIGHTSHIFT_AIRFLOW_URL": "ftp://x"}, "is no address of Airflow"),
    ],
)
def test_airflow_away_or_unwilling_is_one_sentence_and_a_code(
    changed: dict[str, str], told: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in changed.items():
        monkeypatch.setenv(name, value)
    found = run("jobs")
    assert found.exit_code == 3
    assert found.stderr.startswith("nightshift: ")
    assert told in found.stderr
    assert "Traceback" not in found.output
    assert not any(value in found.output for name, value in changed.items() if name.endswith(("TOKEN", "PASSWORD")))


def test_a_token_of_a_file_is_enough(run: Run, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{server.token()}\n")
    monkeypatch.delenv("NIGHTSHIFT_AIRFLOW_USER")
    monkeypatch.delenv("NIGHTSHIFT_AIRFLOW_PASSWORD")
    assert run("jobs", "--airflow-token-file", str(tmp_path / "token")).exit_code == 0


def task_is(server: Server, task_id: str, state: str | None) -> None:
    with database(server) as found:
        changed = found.execute(
            "UPDATE task_instance SET state = ?, updated_at = datetime('now') WHERE run_id = ? AND task_id = ?",
            (state, RUN, task_id),
        )
        assert changed.rowcount == 1


def forget(server: Server, task_id: str) -> None:
    server.send("DELETE", f"/api/v2/dags/{DAG}/dagRuns/{RUN}/taskInstances/{task_id}/state-store/{RECORD_KEY}")
    task_is(server, task_id, None)
    with database(server) as found:
        found.execute("UPDATE task_instance SET try_number = 0 WHERE task_id = ?", (task_id,))


def keep(server: Server, task_id: str, record: JobRecord) -> None:
    path = f"/api/v2/dags/{DAG}/dagRuns/{RUN}/taskInstances/{task_id}/state-store/{RECORD_KEY}"
    server.send("PUT", path, {"value": to_json(record)})


def intent() -> Intent:
    run = RunIdentity(dag_id=DAG, run_id=RUN, task_id="t")
    return Intent(marker="nightshift-1", generation=1, payload_hash="x", at=1.0, attempt=1, run=run)


def at_work() -> JobRecord:
    return JobRecord(intent=intent(), id="4711", status=JobStatus(id="4711", state=JobState.RUNNING))


def shown(run: Run) -> tuple[int, list[tuple[str, str, bool]]]:
    found = run("jobs", "--json")
    jobs = json.loads(found.stdout)["jobs"]
    return found.exit_code, [(one["task_id"], one["task_state"], one["in_doubt"]) for one in jobs]


@pytest.mark.parametrize("state", sorted(TASKS_AT_WORK))
def test_a_job_of_a_task_in_every_state_of_airflow_that_looks_after_it_is_shown(
    state: str, run: Run, server: Server
) -> None:
    keep(server, "entitlement.publish", at_work())
    task_is(server, "entitlement.publish", state)
    try:
        assert shown(run) == (0, [("entitlement.publish", state, False)])
    finally:
        forget(server, "entitlement.publish")


@pytest.mark.parametrize(
    ("state", "attempts", "seen"),
    [
        (None, 1, (0, [("entitlement.publish", "none", False)])),
        (None, 0, (0, [])),
        ("failed", 0, (1, [("entitlement.publish", "failed", True)])),
        ("upstream_failed", 1, (1, [("entitlement.publish", "upstream_failed", True)])),
        ("removed", 1, (1, [("entitlement.publish", "removed", True)])),
        ("success", 1, (0, [])),
    ],
)
def test_a_job_that_nobody_looks_after_is_in_doubt_and_that_of_a_cleared_task_waits(
    state: str | None, attempts: int, seen: object, run: Run, server: Server
) -> None:
    keep(server, "entitlement.publish", at_work())
    task_is(server, "entitlement.publish", state)
    with database(server) as found:
        found.execute("UPDATE task_instance SET try_number = ? WHERE task_id = 'entitlement.publish'", (attempts,))
    try:
        assert shown(run) == seen
    finally:
        forget(server, "entitlement.publish")


def test_a_job_of_a_dag_whose_file_is_gone_is_shown(run: Run, server: Server) -> None:
    keep(server, "entitlement.publish", at_work())
    task_is(server, "entitlement.publish", "failed")
    with database(server) as found:
        found.execute("UPDATE dag SET is_stale = 1 WHERE dag_id = ?", (DAG,))
    try:
        assert shown(run) == (1, [("entitlement.publish", "failed", True)])
    finally:
        forget(server, "entitlement.publish")
        with database(server) as found:
            found.execute("UPDATE dag SET is_stale = 0 WHERE dag_id = ?", (DAG,))


def test_every_page_is_read_however_short_airflow_makes_it(run: Run, server: Server) -> None:
    """The server gives three of a list at once, so that a list of ours ends on its first page unless all are read."""
    tasks = [f"{report}.{step}" for report in ("entitlement", "device") for step in ("extract", "publish")]
    for task in tasks:
        keep(server, task, at_work())
        task_is(server, task, "deferred")
    try:
        assert sorted(task for task, _, _ in shown(run)[1]) == sorted(tasks)
    finally:
        for task in tasks:
            forget(server, task)


PROMOTIONS = """\
portal:
  project: Licensing/Portal
  stream: main
  build: {environment: DEV}
  stages: [{environment: DEV}]
"""


def test_a_dag_of_the_configuration_that_airflow_does_not_show_makes_it_unknown(
    run: Run, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "reports.yaml").write_text(CONFIG)
    (tmp_path / "promotions.yaml").write_text(PROMOTIONS)
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path))
    monkeypatch.setenv("NIGHTSHIFT_KEPT", str(tmp_path / "kept"))
    found = run("jobs")
    assert (found.exit_code, found.stdout) == (3, "")
    assert "does not show the DAG promote_portal of the configuration" in found.stderr
    assert json.loads(run("jobs", "--json").stdout)["unseen"] == ["promote_portal"]
    keep(server, "entitlement.publish", at_work())
    task_is(server, "entitlement.publish", "failed")
    try:
        doubtful = run("jobs")
        assert doubtful.exit_code == 1
        assert "4711" in doubtful.stdout
        assert "promote_portal" in doubtful.stderr
    finally:
        forget(server, "entitlement.publish")


def test_no_dag_of_ours_is_unknown_too_unless_nothing_asks_for_one(
    run: Run, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with database(server) as found:
        tags = found.execute("SELECT * FROM dag_tag WHERE name = 'nightshift'").fetchall()
        found.execute("DELETE FROM dag_tag WHERE name = 'nightshift'")
    try:
        unknown = run("jobs")
        assert (unknown.exit_code, unknown.stdout) == (3, "")
        assert f"does not show the DAG {DAG}" in unknown.stderr
        (tmp_path / "reports.yaml").write_text("x-none: {}\n")
        monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path))
        assert run("jobs").exit_code == 0
    finally:
        with database(server) as found:
            marks = ", ".join("?" * len(tags[0]))
            found.executemany(f"INSERT INTO dag_tag VALUES ({marks})", tags)


def test_jobs_at_the_vendors_and_a_persons_word_on_one_in_doubt(run: Run, server: Server) -> None:
    status = JobStatus(id="4711", state=JobState.RUNNING, vendor_state="EXECUTING", url="http://vendor.example/4711")
    keep(server, "entitlement.extract", JobRecord(intent=intent(), id="4711", status=status))
    task_is(server, "entitlement.extract", "deferred")
    keep(server, "device.extract", JobRecord(intent=intent(), lost=True))
    task_is(server, "device.extract", "failed")
    found = run("jobs", "--json")
    assert found.exit_code == 1
    listed = [(one["task_id"], one["job"], one["state"], one["in_doubt"]) for one in json.loads(found.stdout)["jobs"]]
    waits = ("entitlement.extract", "4711", "running", False)
    assert sorted(listed) == [("device.extract", None, None, True), waits]
    assert "running (EXECUTING)" in run("jobs").stdout

    keep(server, "device.extract", JobRecord(intent=intent(), refused=True))
    found = run("jobs", "--json")
    assert found.exit_code == 0
    assert [one["task_id"] for one in json.loads(found.stdout)["jobs"]] == ["entitlement.extract"]
    assert len(json.loads(run("jobs", "--failed", "--json").stdout)["jobs"]) == 2

    keep(
        server,
        "device.extract",
        JobRecord(intent=intent(), id="4712", status=JobStatus(id="4712", state=JobState.QUEUED)),
    )
    doubtful = run("jobs")
    assert doubtful.exit_code == 1
    assert "in doubt, last queued" in doubtful.stdout

    word = ("jobs", "resolve", DAG, RUN, "device.extract", "--reason", "seen at the vendor", "--yes")
    assert run(*word, "--adopt", "x", "--over").exit_code == 2
    assert run(*word, "--over").exit_code == 0
    path = f"/api/v2/dags/{DAG}/dagRuns/{RUN}/taskInstances/device.extract"
    told = server.send("GET", f"{path}/state-store/{RESOLUTION_KEY}")["value"]
    assert (told["over"], told["why"]) == (True, "seen at the vendor")
    assert told["by"].startswith("admin (")
    assert server.send("GET", path)["state"] is None
