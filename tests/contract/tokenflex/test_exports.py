"""From the request to the table, with Airflow's own task runner, whatever the vendor's dialect and whatever breaks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from include.standins import Fault, FaultKind
from include.standins.tokenflex import BEARER, TokenFlexStandIn, vendor_fault
from include.standins.tokenflex.switches import Columns, Header, Quoting
from nightshift.lake.landing import Landing
from nightshift.lake.store import Lake
from nightshift.tokenflex.configuration import UsageExport
from nightshift.tokenflex.landing_operators import TokenFlexDownloadExportOperator, TokenFlexPublishExportOperator
from nightshift.tokenflex.sensors import TokenFlexExportSensor
from tests.contract.tokenflex.conftest import CONTRACT, airflow
from tests.execution_api import FakeExecutionApi, TaskRun
from tests.unit.tokenflex.export_tasks import QuickRequest

StartVendor = Callable[..., TokenFlexStandIn]
NIGHT = (datetime.now(UTC).date() - timedelta(days=8)).isoformat()
EXPORT = UsageExport(
    name="sessions",
    category="DESKTOP_PRODUCT",
    look_back=2,
    metrics=("tokensConsumed", "usageHours"),
    fields=("usageDate", "userName", "productName", "chargedItemID", "sessionStartDate"),
)


def request(api: FakeExecutionApi) -> TaskRun:
    with DAG("d", schedule=None):
        task = QuickRequest(
            task_id="request",
            contract=CONTRACT,
            night=NIGHT,
            look_back=2,
            fields=EXPORT.fields,
            metrics=EXPORT.metrics,
            categories=EXPORT.category,
            file_name="sessions",
        )
    return api.run(task)


def wait(api: FakeExecutionApi, key: str) -> TaskRun:
    api.task_store.clear()
    with DAG("d", schedule=None):
        task = TokenFlexExportSensor(task_id="wait", contract=CONTRACT, request_key=key, poll_first=0.05, poll_cap=0.1)
    return api.run(task, follow=True)


def download(api: FakeExecutionApi, key: str) -> TaskRun:
    with DAG("d", schedule=None):
        task = TokenFlexDownloadExportOperator(
            task_id="download",
            contract=CONTRACT,
            request_key=key,
            report="sessions",
            night=NIGHT,
            look_back=2,
            fields=EXPORT.fields,
            metrics=EXPORT.metrics,
        )
    return api.run(task)


def publish(api: FakeExecutionApi, extract: Any) -> TaskRun:
    spec = EXPORT.publish_spec("UTC").model_dump(mode="json")
    with DAG("d", schedule=None):
        task = TokenFlexPublishExportOperator(
            task_id="publish", extract=extract, spec=spec, report="sessions", look_back=2
        )
    return api.run(task)


def ready(api: FakeExecutionApi) -> str:
    requested = request(api)
    assert requested.state == "success", requested.error
    waited = wait(api, requested.result["request_key"])
    assert waited.state == "success", waited.error
    return str(requested.result["request_key"])


def landed(lake: Path, extract: Any) -> bytes:
    async def read() -> bytes:
        folder = Landing(Lake.from_url(str(lake)), "tokenflex", "sessions", NIGHT).extract(extract["extract"])
        return b"".join([await folder.read(entry.number) for entry in (await folder.manifest()).entries])

    return asyncio.run(read())


DIALECTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "windows": {"csv_bom": True, "csv_crlf": True, "csv_quoting": Quoting.ALL, "csv_columns": Columns.REVERSED},
    "hard": {"csv_hard_text": True, "csv_final_newline": False, "csv_extra_column": True},
    "kept by Autodesk's script": {
        "csv_line_delimiter": True,
        "csv_quoting": Quoting.EXPORT,
        "csv_dates": "%Y-%m-%d 00:00:00",
    },
    "titles": {"csv_header": Header.TITLES, "csv_columns": Columns.METRICS_FIRST},
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_table_has_each_night_of_the_look_back_typed_whatever_the_dialect(
    vendor_with: StartVendor, lake: Path, dialect: str
) -> None:
    from deltalake import DeltaTable

    vendor = vendor_with(**DIALECTS[dialect])
    api = airflow(vendor)
    key = ready(api)
    extract = download(api, key)
    assert extract.state == "success", extract.error
    assert landed(lake, extract.result) == vendor.file_of(key)
    run = publish(api, extract.result)
    assert run.state == "success", run.error
    table = DeltaTable(str(lake / "tables" / "tokenflex" / "sessions")).to_pyarrow_table()
    assert table.num_rows == extract.result["rows"] > 100
    assert len(set(table["night"].to_pylist())) == 3
    kinds = {field.name.replace(" ", "").lower(): str(field.type) for field in table.schema}
    assert kinds["usagedate"] == "date32[day]"
    assert kinds["tokensconsumed"] == kinds["usagehours"] == "double"
    assert kinds["sessionstartdate"] == "string"


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind=FaultKind.ACCEPT_THEN_DROP, method="POST", path="/requests$"),
        Fault(kind=FaultKind.DROP_BEFORE, method="POST", path="/requests$"),
        vendor_fault("error_after", method="POST", path="/requests$", status=500),
        vendor_fault("list_late", seconds=0.2),
    ],
    ids=["answer lost", "request lost", "500 after it was taken", "listed late"],
)
def test_one_export_is_made_whatever_becomes_of_the_request(vendor_with: StartVendor, fault: Fault) -> None:
    vendor = vendor_with()
    vendor.faults.add(fault)
    api = airflow(vendor)
    run = request(api)
    # Only of a request that never arrived does the list say nothing: the next attempt asks, when no late entry can
    # come.
    assert (run.state == "up_for_retry") == (fault.kind is FaultKind.DROP_BEFORE), run.error
    if run.state == "up_for_retry":
        run = request(api)
    assert run.state == "success", run.error
    assert [effect.key for effect in vendor.ledger.effects(kind="export_created")] == [run.result["request_key"]]


def test_a_full_queue_is_waited_for_without_a_worker(vendor_with: StartVendor) -> None:
    vendor = vendor_with(queue_limit=1, processing_seconds=60)
    assert request(airflow(vendor)).state == "success"
    api = airflow(vendor)
    api.run_id = "another"
    assert request(api).state == "deferred"
    vendor.clock.advance(120)
    assert request(api).state == "success"


def test_an_export_in_error_is_tried_again_at_the_vendor(vendor_with: StartVendor) -> None:
    vendor = vendor_with()
    vendor.faults.add(vendor_fault("export_error"))
    api = airflow(vendor)
    ready(api)
    assert len(vendor.ledger.effects(kind="export_created")) == 1


@pytest.mark.parametrize(
    "faults",
    [
        [vendor_fault("url_expired")],
        [
            vendor_fault("range_ignored", times=2),
            Fault(kind=FaultKind.RESET_BODY, method="GET", origin="download", at_bytes=2000),
        ],
        [vendor_fault("url_dies"), Fault(kind=FaultKind.RESET_BODY, method="GET", origin="download", at_bytes=3000)],
        [Fault(kind=FaultKind.RESET_BODY, method="GET", origin="download", at_bytes=2000)],
    ],
    ids=["link ended", "no ranges", "link ended in mid-file", "broken off"],
)
def test_the_file_comes_whole_whatever_breaks(vendor_with: StartVendor, lake: Path, faults: list[Fault]) -> None:
    vendor = vendor_with()
    api = airflow(vendor)
    key = ready(api)
    for fault in faults:
        vendor.faults.add(fault)
    run = download(api, key)
    assert run.state == "success", run.error
    assert landed(lake, run.result) == vendor.file_of(key)


def test_a_token_that_ends_in_the_middle_is_replaced(
    vendor_with: StartVendor, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor = vendor_with()
    monkeypatch.delenv("AIRFLOW_CONN_TOKENFLEX_DEFAULT")
    api = airflow(vendor, auth="two_legged", login="nightshift-service", password="standin-tokenflex-service")
    key = ready(api)
    vendor.faults.add(vendor_fault("access_ends", path="/requests/"))
    run = download(api, key)
    assert run.state == "success", run.error
    assert [one.status for one in vendor.ledger.requests(path="/requests/")][-2:] == [401, 200]


def test_no_secret_is_in_any_record(vendor_with: StartVendor, lake: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    api = airflow(vendor_with())
    download(api, ready(api))
    everything = (
        caplog.text
        + str(api.xcoms)
        + str(dict(api.task_store))
        + str(api.rendered)
        + "".join(path.read_text() for path in lake.rglob("manifest.json"))
    )
    assert BEARER not in everything
    assert "Signature" not in everything
