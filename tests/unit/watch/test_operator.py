"""The task of the DAG, in Airflow's own task runner: it returns what it has found, and fails where it was blind."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException

from nightshift.lake.store import Lake
from nightshift.watch.incidents import Incidents, read
from nightshift.watch.operator import WatchOperator
from tests.execution_api import FakeExecutionApi
from tests.published import publish_night

FIRST = (datetime.now(UTC).date() - timedelta(days=3)).isoformat()


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setenv("NIGHTSHIFT_KEPT", str(tmp_path / "kept"))
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path))
    monkeypatch.setenv("NIGHTSHIFT_LAKE", str(tmp_path / "lake"))
    report = {"name": "usage", "since": FIRST}
    section = {"settle_hours": 0, "due": "00:01", "reports": [report]}
    (tmp_path / "reports.yaml").write_text(json.dumps({"flexnet": section}))
    return Lake.from_url(str(tmp_path / "lake"))


def look():
    with DAG("nightshift_watch", schedule=None):
        task = WatchOperator(task_id="look")
    return FakeExecutionApi(dag_id="nightshift_watch").run(task)


def test_it_returns_what_is_open(lake: Lake) -> None:
    done = look()
    assert done.state == "success", done.error
    found = [one.id for one in read(lake)]
    assert len(found) >= 2
    assert done.result["open"] == done.result["changed"] == found
    again = look()
    assert (again.result["open"], again.result["changed"]) == (done.result["open"], [])


def test_it_fails_where_it_sees_nothing(lake: Lake, tmp_path: Path) -> None:
    publish_night(lake, "flexnet/usage", FIRST)
    (tmp_path / "lake/tables/flexnet/usage/_delta_log/00000000000000000000.json").write_text("{")
    done = look()
    assert done.state == "failed"
    assert "1 could not be looked at: flexnet/usage" in str(done.error)


def test_it_fails_where_an_incident_cannot_be_read_or_was_not_written(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look()
    (first, *_) = read(lake)
    (tmp_path / "lake/incidents" / first.id / "r000001.json").write_text("{")
    done = look()
    assert done.state == "failed"
    assert f"1 could not be looked at: incidents/{first.id}: it cannot be read" in str(done.error)

    async def refused(self: Incidents, incident: Any) -> bool:
        return False

    monkeypatch.setattr(Incidents, "write", refused)
    for one in (tmp_path / "lake/incidents").iterdir():
        shutil.rmtree(one)
    done = look()
    assert (done.state, isinstance(done.error, AirflowFailException)) == ("failed", False)
    assert "No incident tells of what is wrong: flexnet/usage, night" in str(done.error)
