"""The extracting task with its vendor, its lake and its logical task, as Airflow runs it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pendulum
from airflow.sdk import DAG

from include.standins import Fault, FaultKind
from include.standins.flexnet import LOGIN, PASSWORD, FlexNetStandIn
from nightshift.flexnet.operators import FlexNetExtractOperator
from nightshift.lake.landing import Landing, Manifest
from nightshift.lake.store import Lake
from tests.execution_api import FakeExecutionApi, TaskRun

TODAY = datetime.now(UTC).date()
NIGHT = (TODAY - timedelta(days=2)).isoformat()
ROWS = {"usage": 430, "files": 0}


class Bench:
    """One vendor, one lake, one logical task."""

    def __init__(self, vendor: FlexNetStandIn, lake: Path, **given: Any) -> None:
        self.vendor = vendor
        self.lake = lake
        fields = {
            "conn_type": "flexnet",
            "host": vendor.url,
            "login": LOGIN,
            "password": given.pop("password", PASSWORD),
        }
        self.api = FakeExecutionApi(connections={"flexnet_default": fields}, max_tries=2)
        self.given: dict[str, Any] = {"report": "usage", "night": NIGHT, "page_size": 50, "key": ["usageId"]}
        self.configure(**given)

    def configure(self, **given: Any) -> None:
        """Have the task ask for something else from now on."""
        self.given |= given
        with DAG("d", schedule=None, start_date=pendulum.datetime(2026, 1, 1)):
            self.task = FlexNetExtractOperator(task_id="extract", **self.given)

    def connect(self, **fields: Any) -> None:
        """Have the connection lead elsewhere from now on."""
        self.api.connections["flexnet_default"] |= fields

    def interrupted(self, page: int = 6) -> None:
        """Run an attempt that dies at a page; those before it are landed."""
        self.vendor.faults.add(Fault(kind=FaultKind.STATUS, status=503, retry_after="600", page=page))
        run = self.run()
        assert (run.state, "503" in str(run.error)) == ("up_for_retry", True), run.error
        self.vendor.faults.clear()
        self.api.clear()

    def run(self, **how: Any) -> TaskRun:
        return self.api.run(self.task, **how)

    def manifest(self, run: TaskRun) -> Manifest:
        told = run.result
        return asyncio.run(
            Landing(Lake.from_url(str(self.lake)), "flexnet", told["report"], told["night"]).manifest(told["extract"])
        )

    def bodies(self, run: TaskRun) -> list[bytes]:
        """Return the pages as they are landed."""
        manifest = self.manifest(run)
        folder = Landing(Lake.from_url(str(self.lake)), "flexnet", manifest.report, manifest.night).extract(
            manifest.extract
        )

        async def read() -> list[bytes]:
            return [await folder.read(entry.number) for entry in manifest.entries]

        return asyncio.run(read())

    def rows(self, run: TaskRun) -> list[dict[str, Any]]:
        return [row for body in self.bodies(run) for row in json.loads(body)["data"]]

    def fetched(self) -> Counter[str]:
        """How often each page was asked for in the walks, the vendor's other answers left out."""
        asked = [dict(r.query) for r in self.vendor.ledger.requests(path="/report/usage$")]
        return Counter(query["pageNumber"] for query in asked if query["limitRecords"] != "1")


def assert_each_row_once(bench: Bench, run: TaskRun, rows: int = ROWS["usage"]) -> None:
    assert run.state == "success", run.error
    landed = bench.rows(run)
    assert len(landed) == rows
    assert len({row["usageId"] for row in landed}) == rows
