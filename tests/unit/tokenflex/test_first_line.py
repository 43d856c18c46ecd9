"""The first line of a usage file, whose words the vendor does not publish: a good file is never refused for good."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.sdk import DAG

from include.standins import Fault, FaultKind
from nightshift.errors import BadResponse
from nightshift.tokenflex.configuration import UsageExport
from nightshift.tokenflex.landing_operators import TokenFlexPublishExportOperator
from tests.execution_api import FakeExecutionApi
from tests.unit.tokenflex.export_tasks import NIGHT, download_task
from tests.unit.tokenflex.vendor import Vendor

ASKED = {"fields": ["usageDate", "userName", "customField1"], "metrics": ["tokensConsumed"]}
OWN_NAME = b"usageDate,userName,Geo,tokensConsumed"
OTHER_WORDS = b"Date,User,Tokens\n2026-11-21,ann,1.5\n"


def test_a_header_alone_without_a_line_end_is_believed_when_it_comes_twice(
    vendor: Vendor, api: FakeExecutionApi, lake: Path
) -> None:
    """A night without usage, with a category under the customer's own name."""
    vendor.file = OWN_NAME
    run = api.run(download_task(vendor.add().key, **ASKED))
    assert run.state == "success", run.error
    assert (run.result["rows"], run.result["bytes"]) == (0, len(OWN_NAME))
    assert [one.status for one in vendor.downloads_seen] == [200, 200]


@pytest.mark.parametrize("cut", [OWN_NAME[:-3], OWN_NAME + b"X"])
def test_a_header_that_comes_otherwise_the_second_time_is_fetched_anew(
    vendor: Vendor, api: FakeExecutionApi, lake: Path, cut: bytes
) -> None:
    key = vendor.add().key
    vendor.file = whole = OWN_NAME + b"\r\n2026-11-21,ann,EU,1.5\r\n"
    fault = Fault(kind=FaultKind.STATUS, origin="download", status=200, body=cut.decode(), content_type="text/csv")
    vendor.faults.add(fault)
    assert isinstance(api.run(download_task(key, **ASKED)).error, BadResponse)
    assert list(lake.rglob("manifest.json")) == []
    run = api.run(download_task(key, **ASKED))
    assert (run.result["rows"], run.result["bytes"]) == (1, len(whole))


def test_a_file_of_other_words_is_let_through_by_naming_one_of_its_columns(
    vendor: Vendor, api: FakeExecutionApi, lake: Path
) -> None:
    from deltalake import DeltaTable

    export = UsageExport(
        name="desktop",
        fields=("usageDate", "userName"),
        metrics=("tokensConsumed",),
        types={"Date": "date"},
        night_column="Date",
        look_back=1,
    )
    vendor.file, key = OTHER_WORDS, vendor.add().key
    refused = api.run(download_task(key))
    assert isinstance(refused.error, BadResponse)
    assert "where these are its columns, name one of them in types" in str(refused.error)
    extract = api.run(download_task(key, columns=["date"], look_back=1, where=export.usage(NIGHT).where))
    assert extract.state == "success", extract.error
    with DAG("d", schedule=None):
        spec = export.publish_spec("UTC").model_dump(mode="json")
        publish = TokenFlexPublishExportOperator(
            task_id="publish", extract=extract.result, spec=spec, report="desktop", look_back=1
        )
    run = api.run(publish)
    assert run.state == "success", run.error
    rows = DeltaTable(str(lake / "tables" / "tokenflex" / "desktop")).to_pyarrow_table().to_pylist()
    assert [(str(row["night"]), str(row["Date"]), row["User"]) for row in rows] == [(NIGHT, NIGHT, "ann")]
