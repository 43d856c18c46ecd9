"""kill -9 in the middle of an extract; then the automatic retry."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from include.standins import Fault, FaultKind
from include.standins.flexnet import LOGIN, PASSWORD, FlexNetStandIn, FlexNetSwitches
from nightshift.lake.store import Lake

ROOT = Path(__file__).resolve().parents[3]
NIGHT = (datetime.now(UTC).date() - timedelta(days=2)).isoformat()
ROWS = 430

ATTEMPT = """
import json, sys
from pathlib import Path
import pendulum
from airflow.sdk import DAG
from nightshift.flexnet.operators import FlexNetExtractOperator
from tests.execution_api import FakeExecutionApi, FileStore
url, store, night, number, in_flight, login, password = sys.argv[1:]
api = FakeExecutionApi(connections={"flexnet_default": {"conn_type": "flexnet", "host": url, "login": login, "password": password}}, max_tries=2, task_store=FileStore(Path(store)))
with DAG("d", schedule=None, start_date=pendulum.datetime(2026, 1, 1)):
    task = FlexNetExtractOperator(task_id="extract", report="usage", night=night, page_size=50, key=["usageId"], pages_in_flight=int(in_flight))
run = api.run(task, try_number=int(number))
assert run.state == "success", run.error
print(json.dumps(run.result))
"""


@pytest.fixture
def vendor():
    with FlexNetStandIn(switches=FlexNetSwitches(rows_a_day={"usage": ROWS})) as running:
        yield running


def attempt(vendor: FlexNetStandIn, tmp_path: Path, number: int, in_flight: int) -> subprocess.Popen[str]:
    environment = {**os.environ, "NIGHTSHIFT_LAKE": str(tmp_path / "lake"), "PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}"}
    arguments = [vendor.url, str(tmp_path / "store"), NIGHT, str(number), str(in_flight), LOGIN, PASSWORD]
    return subprocess.Popen(
        [sys.executable, "-c", ATTEMPT, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def walked(vendor: FlexNetStandIn) -> Counter[str]:
    asked = [dict(request.query) for request in vendor.ledger.requests(path="/report/usage$")]
    return Counter(query["pageNumber"] for query in asked if query["limitRecords"] != "1")


@pytest.mark.parametrize("in_flight", [1, 4])
def test_a_killed_extract_goes_on_where_it_stopped(vendor: FlexNetStandIn, tmp_path: Path, in_flight: int) -> None:
    vendor.faults.add(Fault(kind=FaultKind.DELAY, page=6, seconds=60))
    killed = attempt(vendor, tmp_path, 1, in_flight)
    landed = tmp_path / "lake" / "raw" / "flexnet" / "usage" / f"night={NIGHT}"
    until = time.monotonic() + 60
    while len(list(landed.glob("*/page-*.json.zst"))) < 5:
        assert killed.poll() is None, killed.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert not list(landed.glob("*/manifest.json"))
    vendor.faults.clear()
    before = walked(vendor)
    again = attempt(vendor, tmp_path, 2, in_flight)
    out, err = again.communicate(timeout=120)
    assert again.returncode == 0, err
    assert len(list(landed.iterdir())) == 1
    twice = {page for page, count in walked(vendor).items() if count > 1}
    in_the_air = set(before) - {str(n) for n in range(1, 6)}
    assert twice <= in_the_air
    assert len(twice) <= in_flight
    assert_published_once(tmp_path / "lake", out)


def assert_published_once(lake: Path, told: str) -> None:
    import asyncio
    import json

    from deltalake import DeltaTable

    from nightshift.lake.landing import Landing
    from nightshift.lake.spec import PublishSpec
    from nightshift.lake.tables import publish

    described = json.loads(told.strip().splitlines()[-1])
    manifest = asyncio.run(Landing(Lake.from_url(str(lake)), "flexnet", "usage", NIGHT).manifest(described["extract"]))
    publish(Lake.from_url(str(lake)), manifest, PublishSpec(key=("usageId",)))
    rows = DeltaTable(str(lake / "tables" / "flexnet" / "usage")).to_pyarrow_table().to_pylist()
    assert len(rows) == len({row["usageId"] for row in rows}) == ROWS
