"""Which run of a night is followed, and the rows of the summary, as Airflow's API tells of its tasks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from include.local import mission
from include.local.mission import Flow, collect, start_run, summary
from include.local.rest import Api
from nightshift.config.reports import model_of

PUBLISHED = {
    "night": "2026-11-20",
    "pages": 2,
    "rows": 1959,
    "landed_bytes": 52472,
    "table_version": 7,
    "checks": [{"name": "key", "ok": True}, {"name": "band", "ok": True}],
}
PAGE = 3
BEYOND = "exago: the tree is a snapshot of the present, and the landing has none for it. With Force, it is taken."


class Airflow:
    """Tasks of one run, what they returned, and the exceptions in their logs."""

    def __init__(self) -> None:
        self.tasks: list[dict[str, Any]] = []
        self.returned: dict[str, Any] = {}
        self.raised: dict[str, tuple[str, str]] = {}
        self.next_run: datetime | None = None
        self.runs: list[list[str]] = []
        self.started: list[str] = []
        self.state = "running"

    def task(self, name: str, state: str) -> None:
        self.tasks.append({"task_id": name, "state": state, "try_number": 2, "duration": 1.25})

    def answer(self, path: str, query: dict[str, list[str]]) -> Any:
        part = unquote(path).partition("/dagRuns/run/")[2].split("/")
        if path == "/auth/token":
            return {"access_token": "token"}
        if path.endswith("/dags/exago_catalog"):
            return {"next_dagrun_run_after": self.next_run and self.next_run.isoformat()}
        if path.endswith("/dagRuns"):
            there = self.runs.pop(0) if len(self.runs) > 1 else self.runs[0]
            scheduled = {"run_type": "scheduled", "state": self.state}
            return {
                "dag_runs": [
                    {"dag_run_id": f"{night}__scheduled__", "partition_key": night, **scheduled} for night in there
                ]
            }
        if part[0] == "taskInstances" and len(part) == 1:
            # An Airflow may give less than it is asked for.
            first = int(query["offset"][0])
            return {"task_instances": self.tasks[first : first + PAGE], "total_entries": len(self.tasks)}
        if part[2:] == ["logs", "2"]:
            error = self.raised.get(part[1])
            detail = {"error_detail": [{"exc_type": error[0], "exc_value": error[1]}]} if error else {}
            return {"content": [{"event": "Task failed", **detail}, {"event": "Task finished"}]}
        return {"value": self.returned[part[1]]} if part[1] in self.returned else None


@pytest.fixture
def airflow() -> Airflow:
    return Airflow()


@pytest.fixture
def api(airflow: Airflow) -> Iterator[Api]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            self.reply(airflow.answer(asked.path, parse_qs(asked.query)))

        do_PATCH = do_GET  # noqa: N815 - so http.server calls it

        def do_POST(self) -> None:
            given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path.endswith("/dagRuns"):
                airflow.started.append(given["partition_key"])
                self.reply({"dag_run_id": given["dag_run_id"]})
            else:
                self.do_GET()

        def reply(self, found: Any) -> None:
            body = json.dumps(found).encode()
            self.send_response(404 if found is None else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield Api(f"http://127.0.0.1:{server.server_port}", "admin", "word")
        server.shutdown()


@pytest.fixture
def flow() -> Flow:
    source = model_of("exago").model_validate({"settle_hours": 0})
    return Flow("exago_catalog", "exago", source, {"tree": "tree", "usage": "usage"}, run_id="run")


def test_a_late_scheduler_is_waited_for_and_the_night_not_run_twice(
    api: Api, airflow: Airflow, flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mission, "SCHEDULED_SECONDS", 0.1)
    night = flow.last_night()
    airflow.next_run = datetime.now(UTC) - timedelta(minutes=1)
    airflow.runs = [[], [], [], [night]]
    assert start_run(api, flow, None) == f"{night}__scheduled__"
    assert airflow.started == []


def test_after_a_midnight_the_scheduler_is_waited_for_in_a_home_that_was_used_before(
    api: Api, airflow: Airflow, flow: Flow
) -> None:
    night = flow.last_night()
    airflow.next_run = datetime.now(UTC) - timedelta(minutes=1)
    airflow.runs = [["2026-11-01"], ["2026-11-01"], ["2026-11-01", night]]
    assert start_run(api, flow, None) == f"{night}__scheduled__"
    assert airflow.started == []


@pytest.mark.parametrize(("state", "started"), [("running", False), ("queued", False), ("success", True)])
def test_a_night_that_the_scheduler_is_at_work_on_is_followed_and_one_that_is_there_is_rebuilt(
    api: Api, airflow: Airflow, flow: Flow, state: str, started: bool
) -> None:
    night = flow.last_night()
    airflow.runs, airflow.state = [[night]], state
    assert ("__manual__" in start_run(api, flow, None)) is started
    assert airflow.started == [night] * started


def test_the_schedulers_run_of_a_night_that_has_not_settled_is_not_followed(
    api: Api, airflow: Airflow, flow: Flow
) -> None:
    """It waits for hours inside of itself."""
    flow.source = model_of("exago").model_validate({"settle_hours": 24})
    airflow.runs = [[flow.last_night()]]
    assert "__manual__" in start_run(api, flow, None)


@pytest.mark.parametrize("next_run", [None, timedelta(hours=3)])
def test_a_night_that_the_scheduler_will_not_run_is_run(
    api: Api, airflow: Airflow, flow: Flow, monkeypatch: pytest.MonkeyPatch, next_run: timedelta | None
) -> None:
    monkeypatch.setattr(mission, "SCHEDULED_SECONDS", 0.1)
    airflow.next_run = next_run and datetime.now(UTC) + next_run
    airflow.runs = [[]]
    assert start_run(api, flow, None).startswith(f"{flow.last_night()}__manual__")
    assert airflow.started == [flow.last_night()]


def test_a_scheduler_that_never_comes_is_not_waited_for_without_end(
    api: Api, airflow: Airflow, flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mission, "SCHEDULED_SECONDS", 0.1)
    monkeypatch.setattr(mission, "OVERDUE_SECONDS", 1.0)
    airflow.next_run = datetime.now(UTC) - timedelta(minutes=1)
    airflow.runs = [[]]
    assert "__manual__" in start_run(api, flow, None)


def test_another_night_than_the_last_is_run_at_once(api: Api, airflow: Airflow, flow: Flow) -> None:
    airflow.next_run = datetime.now(UTC) - timedelta(minutes=1)
    airflow.runs = [[]]
    assert start_run(api, flow, "2026-11-02").startswith("2026-11-02__manual__")


def test_a_published_report_is_a_row_of_numbers(api: Api, airflow: Airflow, flow: Flow) -> None:
    for report in ("tree", "usage"):
        for step in ("extract", "publish"):
            airflow.task(f"{report}.{step}", "success")
        airflow.returned[f"{report}.publish"] = PUBLISHED
    collect(api, flow)
    assert flow.rows[0] == ["exago", "tree", "2026-11-20", "2", "1,959", "52,472", "2.5", "7", "2 passed"]
    assert (flow.sound, flow.published) == (True, ["exago/tree", "exago/usage"])
    assert summary([flow]).splitlines()[0].split()[:3] == ["source", "report", "night"]


def test_no_report_is_missing_behind_the_first_page_of_tasks(api: Api, airflow: Airflow, flow: Flow) -> None:
    flow.reports = {f"r{number}": f"r{number}" for number in range(60)}
    for report in flow.reports:
        for step in ("extract", "publish"):
            airflow.task(f"{report}.{step}", "success")
        airflow.returned[f"{report}.publish"] = PUBLISHED
    collect(api, flow)
    assert [row[6] for row in flow.rows] == ["2.5"] * 60


def test_a_failed_row_says_why_in_the_words_of_the_task(api: Api, airflow: Airflow, flow: Flow) -> None:
    airflow.task("tree.extract", "success")
    airflow.task("tree.publish", "failed")
    airflow.task("usage.extract", "failed")
    airflow.raised["tree.publish"] = ("ChecksFailed", "exago/tree: 3 rows share a key. Nothing was published.")
    collect(api, flow)
    assert [row[-1] for row in flow.rows] == [
        "FAILED: tree.publish: ChecksFailed: exago/tree: 3 rows share a key. Nothing was published.",
        "FAILED: usage.extract, whose log has no exception",
    ]
    assert (flow.sound, flow.published) == (False, [])


def test_what_the_vendor_has_no_more_is_not_fetched_and_no_failure(api: Api, airflow: Airflow, flow: Flow) -> None:
    airflow.task("night", "success")
    airflow.task("usage.extract", "failed")
    airflow.task("tree.changes.compare", "upstream_failed")
    airflow.task("tree.extract", "failed")
    airflow.task("tree.publish", "upstream_failed")
    airflow.raised["tree.extract"] = ("BeyondHorizon", BEYOND)
    flow.reports = {"tree": "tree", "tree_changes": "tree.changes"}
    collect(api, flow)
    told = "not fetched: exago: the tree is a snapshot of the present, and the landing has none for it"
    assert [row[-1] for row in flow.rows] == [told, told]
    assert flow.sound
    assert flow.published == []


def test_a_report_without_any_failed_task_says_what_its_tasks_are(api: Api, airflow: Airflow, flow: Flow) -> None:
    airflow.task("tree.extract", "skipped")
    collect(api, flow)
    assert [row[-1] for row in flow.rows] == ["FAILED: its tasks are skipped", "FAILED: its tasks are not there"]
