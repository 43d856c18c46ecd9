"""kill -9 in the middle of an extract; then the automatic retry."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from include.standins import Fault, FaultKind
from include.standins.flexnet import LOGIN, PASSWORD, FlexNetStandIn, FlexNetSwitches
from nightshift.flexnet.operators import FlexNetExtractOperator
from nightshift.lake.store import Lake
from tests.crash.workers import kill, start, until
from tests.execution_api import FakeExecutionApi
from tests.file_store import FileStore

NIGHT = (datetime.now(UTC).date() - timedelta(days=2)).isoformat()
ROWS = 430
COMPARED = ("1", "5")
"""What is landed is compared with once more: its first and its last page."""


@pytest.fixture
def vendor():
    with FlexNetStandIn(switches=FlexNetSwitches(rows_a_day={"usage": ROWS})) as running:
        yield running


def attempt(url: str, folder: Path, number: int, in_flight: int) -> Any:
    """Run one attempt in this process, with a lake and a state store that outlive it."""
    os.environ["NIGHTSHIFT_LAKE"] = str(folder / "lake")
    connection = {"conn_type": "flexnet", "host": url, "login": LOGIN, "password": PASSWORD}
    api = FakeExecutionApi(
        connections={"flexnet_default": connection}, max_tries=2, task_store=FileStore(folder / "store")
    )
    with DAG("d", schedule=None):
        task = FlexNetExtractOperator(
            task_id="extract", report="usage", night=NIGHT, page_size=50, key=["usageId"], pages_in_flight=in_flight
        )
    return api.run(task, try_number=number)


def walked(vendor: FlexNetStandIn) -> Counter[str]:
    asked = [dict(request.query) for request in vendor.ledger.requests(path="/report/usage$")]
    return Counter(query["pageNumber"] for query in asked if query["limitRecords"] != "1")


@pytest.mark.parametrize("in_flight", [1, 4])
def test_a_killed_extract_goes_on_where_it_stopped(
    vendor: FlexNetStandIn, tmp_path: Path, in_flight: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHTSHIFT_LAKE", str(tmp_path / "lake"))
    vendor.faults.add(Fault(kind=FaultKind.DELAY, page=6, seconds=60))
    worker = start(attempt, vendor.url, tmp_path, 1, in_flight)
    landed = tmp_path / "lake" / "raw" / "flexnet" / "usage" / f"night={NIGHT}"
    until(lambda: len(list(landed.glob("*/page-*.json.zst"))) >= 5, "five pages are landed")
    kill(worker)
    assert not list(landed.glob("*/manifest.json"))
    vendor.faults.clear()
    time.sleep(0.5)  # what was on its way when the worker died arrives all the same
    before = walked(vendor)
    again = attempt(vendor.url, tmp_path, 2, in_flight)
    assert again.state == "success", again.error
    assert len(list(landed.iterdir())) == 1
    now = walked(vendor) - Counter(COMPARED)
    twice = {page for page, count in now.items() if count > 1}
    in_the_air = set(before) - {str(n) for n in range(1, 6)}
    assert twice <= in_the_air
    assert len(twice) <= in_flight
    assert_published_once(tmp_path / "lake", again.result["extract"])


def assert_published_once(lake: Path, extract: str) -> None:
    from deltalake import DeltaTable

    from nightshift.lake.landing import Landing
    from nightshift.lake.spec import PublishSpec
    from nightshift.lake.tables import publish

    manifest = asyncio.run(Landing(Lake.from_url(str(lake)), "flexnet", "usage", NIGHT).manifest(extract))
    publish(Lake.from_url(str(lake)), manifest, PublishSpec(key=("usageId",)))
    rows = DeltaTable(str(lake / "tables" / "flexnet" / "usage")).to_pyarrow_table().to_pylist()
    assert len(rows) == len({row["usageId"] for row in rows}) == ROWS
