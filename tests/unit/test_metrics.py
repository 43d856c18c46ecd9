"""The numbers of tasks as a StatsD hears them on its socket, and nothing where Airflow's metrics are off."""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.observability.metrics import stats_utils
from airflow.sdk.observability.stats import Stats

from include.standins import Fault, FaultKind
from include.standins.flexnet import LOGIN, PASSWORD, FlexNetStandIn, FlexNetSwitches
from nightshift.flexnet.operators import FlexNetExtractOperator
from nightshift.lake.spec import PublishSpec
from nightshift.metrics import Metric, count
from nightshift.nights.publish import PublishNightOperator
from tests.execution_api import FakeExecutionApi, TaskRun
from tests.unit.jobs.acme import Acme
from tests.unit.jobs.job_tasks import job_task

NIGHT = (datetime.now(UTC).date() - timedelta(days=2)).isoformat()
ROWS = 120
DOCS = Path(__file__).resolve().parents[2] / "docs/observability.md"


class StatsD:
    """A UDP socket, and what came to it."""

    def __init__(self, heard: socket.socket) -> None:
        self.socket = heard

    def lines(self) -> list[tuple[str, dict[str, str], float]]:
        found = []
        self.socket.settimeout(0.2)
        while True:
            try:
                text = self.socket.recv(65536).decode()
            except TimeoutError:
                return found
            for line in text.splitlines():
                name, value, _ = re.fullmatch(r"([^:]+):([^|]+)\|(.+)", line).groups()  # type: ignore[union-attr]
                name, *tags = name.split(",")
                if name.startswith("airflow.nightshift."):
                    told = dict(tag.split("=", 1) for tag in tags)
                    found.append((name.removeprefix("airflow."), told, float(value)))


@pytest.fixture
def statsd(monkeypatch: pytest.MonkeyPatch) -> Iterator[StatsD]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as heard:
        heard.bind(("127.0.0.1", 0))
        for name, value in {
            "STATSD_ON": "True",
            "STATSD_HOST": "127.0.0.1",
            "STATSD_PORT": str(heard.getsockname()[1]),
            "STATSD_PREFIX": "airflow",
            "STATSD_INFLUXDB_ENABLED": "True",
        }.items():
            monkeypatch.setenv(f"AIRFLOW__METRICS__{name}", value)
        Stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=False)
        yield StatsD(heard)
        monkeypatch.undo()
        Stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=True)


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., TaskRun]]:
    monkeypatch.setenv("NIGHTSHIFT_LAKE", str(tmp_path / "lake"))
    with FlexNetStandIn(switches=FlexNetSwitches(rows_a_day={"usage": ROWS})) as vendor:
        connection = {"conn_type": "flexnet", "host": vendor.url, "login": LOGIN, "password": PASSWORD}

        def run(fault: Fault | None = None, **spec: Any) -> TaskRun:
            if fault is not None:
                vendor.faults.add(fault)
            with DAG("d", schedule=None):
                extract = FlexNetExtractOperator(task_id="extract", report="usage", night=NIGHT, page_size=50)
            landed = FakeExecutionApi(connections={"flexnet_default": connection}).run(extract)
            assert landed.state == "success", landed.error
            told = PublishSpec(**spec).model_dump(mode="json")
            with DAG("d", schedule=None):
                publish = PublishNightOperator(
                    task_id="publish", extract=landed.result, spec=told, source="flexnet", report="usage"
                )
            return FakeExecutionApi().run(publish)

        yield run


def test_a_night_is_told_in_rows_bytes_pages_and_times(statsd: StatsD, night: Callable[..., TaskRun]) -> None:
    published = night()
    assert published.state == "success"
    heard = statsd.lines()
    assert {tuple(sorted(tags.items())) for name, tags, _ in heard if "http" not in name} == {
        (("report", "usage"), ("source", "flexnet"))
    }
    sums = {name: value for name, _, value in heard}
    assert sums[Metric.EXTRACT_ROWS] == sums[Metric.PUBLISH_ROWS] == ROWS
    assert sums[Metric.EXTRACT_PAGES] == 3
    assert sums[Metric.PUBLISH_BYTES] == published.result["bytes"]
    assert sums[Metric.EXTRACT_DURATION] > 0
    assert sums[Metric.PUBLISH_DURATION] > 0


def test_a_request_that_was_sent_again_is_counted_with_its_wait(statsd: StatsD, night: Callable[..., TaskRun]) -> None:
    assert night(Fault(kind=FaultKind.STATUS, status=503, times=2)).state == "success"
    heard = statsd.lines()
    retries = [(tags, value) for name, tags, value in heard if name == Metric.HTTP_RETRIES]
    assert retries == [({"vendor": "flexnet", "error": "Unreachable"}, 1.0)] * 2
    assert sum(value for name, _, value in heard if name == Metric.HTTP_WAIT) > 0


def test_a_night_that_is_refused_is_told_with_the_error(statsd: StatsD, night: Callable[..., TaskRun]) -> None:
    assert night(types={"usageId": "date"}).state != "success"
    heard = {name: tags for name, tags, _ in statsd.lines()}
    assert heard[Metric.PUBLISH_REFUSED] == {"source": "flexnet", "report": "usage", "error": "CastError"}
    assert Metric.PUBLISH_ROWS not in heard


def test_a_job_is_told_with_its_vendor_and_state(statsd: StatsD) -> None:
    with Acme() as vendor:
        api = FakeExecutionApi(connections={"acme": {"conn_type": "http", "host": vendor.url}})
        assert api.run(job_task(look=5.0)).state == "success"
    told = {name: tags for name, tags, _ in statsd.lines()}
    assert told[Metric.JOBS] == {"vendor": "Acme", "event": "ended", "state": "succeeded"}
    assert told[Metric.JOBS_DURATION] == {"vendor": "Acme", "state": "succeeded"}


def test_where_metrics_are_off_nothing_is_sent_and_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    count(Metric.PUBLISH_ROWS, 5, source="flexnet")
    monkeypatch.setitem(sys.modules, "airflow.sdk.observability.stats", None)
    count(Metric.PUBLISH_ROWS, 5, source="flexnet")


def test_every_metric_is_in_the_docs() -> None:
    assert [str(one) for one in Metric if f"`{one}`" not in DOCS.read_text()] == []
