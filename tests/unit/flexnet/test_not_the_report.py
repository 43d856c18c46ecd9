"""What some servers send with a success in the place of a report: no night is empty for it, and none is emptied."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from deltalake import DeltaTable

from include.standins import Fault, FaultKind
from include.standins.flexnet.switches import CsvEmpty, DateTo, Metadata
from nightshift.errors import BadResponse
from nightshift.lake.spec import PublishSpec
from nightshift.lake.store import Lake
from nightshift.lake.tables import publish
from tests.faults.hurry import hurried
from tests.unit.flexnet.bench import ROWS, Bench
from tests.unit.flexnet.walks import VendorWith, asked, assert_all, walk

CSV = {"format": "csv"}
TEXT = "System is under maintenance"
XML = '<?xml version="1.0"?><fault><reason>no warehouse, sorry</reason></fault>'
TRACE = "java.sql.SQLException: no warehouse\n\tat com.fno.Report.run(Report.java:10)\n"
TWO = "Error: try again later, quota\n"


def instead(body: str, content_type: str = "text/plain", status: int = 200, **which: Any) -> Fault:
    """Return a fault that answers every page of a CSV report with something else."""
    about: dict[str, Any] = {"times": None, "query": CSV, **which}
    return Fault(kind=FaultKind.STATUS, status=status, body=body, content_type=content_type, **about)


JSON = json.dumps({"status": "ERROR", "message": "no warehouse", "data": None})


@pytest.mark.parametrize(
    ("fault", "given", "says"),
    [
        (instead(TEXT), {}, "names none of the report's columns (usageId"),
        (instead(TRACE), {"key": []}, "names none of the report's columns (usageId"),
        (instead(XML, "application/xml"), {}, "is XML or HTML where CSV is due"),
        (instead("", status=202), {}, "unexpected status (GET /data/api/v1/report/usage, status 202"),
        (instead("", status=204), {}, "unexpected status (GET /data/api/v1/report/usage, status 204"),
        (instead(JSON, query={}, path="usage$"), {"format": "json"}, 'The answer says: "no warehouse · ERROR"'),
    ],
    ids=["text", "trace", "xml", "202", "204", "json"],
)
def test_a_night_that_is_published_is_not_emptied_by_an_answer_that_is_no_report(
    bench: Callable[..., Bench], fault: Fault, given: dict[str, Any], says: str
) -> None:
    b = bench(**{**CSV, **given})
    lake, spec = Lake.from_url(str(b.lake)), PublishSpec(key=("usageId",))
    publish(lake, b.manifest(b.run()), spec)
    b.api.clear()
    b.vendor.faults.add(fault)
    with hurried():
        run = b.run(try_number=2)
    assert run.state == "up_for_retry"
    assert says in str(run.error)
    assert len(list(b.lake.rglob("manifest.json"))) == 1
    assert DeltaTable(lake.table_url("flexnet", "usage")).to_pyarrow_table().num_rows == ROWS["usage"]


@pytest.mark.parametrize("body", [TEXT, TWO, TRACE, ""], ids=["text", "two fields", "trace", "nothing"])
@pytest.mark.parametrize("rows", [230, 0])
async def test_where_no_column_is_known_the_vendors_json_says_whether_a_page_without_header_is_empty(
    vendor_with: VendorWith, body: str, rows: int
) -> None:
    """What it says counts, whatever the text: a report with rows is not empty, and one without is."""
    vendor = vendor_with(instead(body), rows=rows)
    if rows or body == TRACE:
        with pytest.raises(
            BadResponse, match=r"page 1 has .*, and the JSON that is to bear it out has (a row|no rows)"
        ):
            await walk(format="csv")
    else:
        assert await walk(format="csv") == ([body.strip().partition(",")[0]] if body else []), "the line of names alone"
    assert [dict(r.query)["format"] for r in vendor.ledger.requests()].count("json") == 1


async def test_a_text_that_comes_as_json_too_is_no_report(vendor_with: VendorWith) -> None:
    vendor_with(instead(TEXT, query={}))
    with pytest.raises(BadResponse, match=r"has 0 rows of 1 columns, and the JSON .* comes not at all"):
        await walk(format="csv")


@pytest.mark.parametrize(
    ("empty", "known", "questions"),
    [
        (CsvEmpty.HEADER, {"key": ("usageId",)}, 0),
        (CsvEmpty.HEADER, {"columns": ("USAGE_ID",)}, 0),
        (CsvEmpty.HEADER, {}, 1),
        (CsvEmpty.NOTHING, {"key": ("usageId",)}, 1),
    ],
)
async def test_a_header_that_is_known_bears_out_an_empty_report(
    vendor_with: VendorWith, empty: CsvEmpty, known: dict[str, Any], questions: int
) -> None:
    vendor = vendor_with(rows=0, csv_empty=empty)
    assert await walk(format="csv", **known) == []
    formats = [dict(r.query)["format"] for r in vendor.ledger.requests()]
    assert (formats.count("json"), formats.count("csv")) == (questions, 5)


async def test_rows_cost_no_question_in_json(vendor_with: VendorWith) -> None:
    vendor = vendor_with()
    assert_all(await walk(format="csv"))
    assert {dict(r.query)["format"] for r in vendor.ledger.requests()} == {"csv"}
    assert asked(vendor) == {1: 1, 2: 1, 3: 1, 4: 1, 5: 2, 6: 2, 7: 1}


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
async def test_another_delimiter_is_told(vendor_with: VendorWith, delimiter: str) -> None:
    vendor_with(csv_delimiter=delimiter)
    with pytest.raises(BadResponse, match="has no ',' in its first line") as caught:
        await walk(format="csv", key=("usageId",))
    advised = "tab" if delimiter == "\t" else repr(delimiter)
    assert f"Set csv: {{delimiter: {advised}}}" in caught.value.advice
    vendor = vendor_with(csv_delimiter=delimiter, extra={"delimiter": delimiter})
    await walk(format="csv", key=("usageId",))
    assert max(asked(vendor)) == 5 + 2


@pytest.mark.parametrize("kind", ["application/octet-stream", "text/plain", "application/vnd.ms-excel"])
async def test_csv_is_taken_whatever_the_vendor_calls_it(vendor_with: VendorWith, kind: str) -> None:
    vendor = vendor_with(csv_type=kind)
    assert_all(await walk(format="csv", key=("usageId",)))
    assert dict(vendor.ledger.requests()[0].headers)["accept"] == "text/csv, */*;q=0.5"
    vendor_with(Fault(kind=FaultKind.HTML_200, times=None), csv_type=kind)
    with pytest.raises(BadResponse, match="is an HTML page"):
        await walk(format="csv", key=("usageId",))


async def test_csv_that_is_called_a_page_is_taken_where_its_header_is_known(vendor_with: VendorWith) -> None:
    vendor_with(csv_type="text/html")
    assert_all(await walk(format="csv", key=("usageId",)))
    with pytest.raises(BadResponse, match="is an HTML page"):
        await walk(format="csv")


async def test_a_page_of_csv_that_is_called_json_is_taken_where_its_header_is_known(vendor_with: VendorWith) -> None:
    vendor_with(csv_type="application/json")
    assert_all(await walk(format="csv", key=("usageId",)))
    with pytest.raises(BadResponse, match="is application/json where CSV is due"):
        await walk(format="csv")


@pytest.mark.parametrize("reading", list(DateTo))
@pytest.mark.parametrize("metadata", [Metadata.NESTED, Metadata.SAMPLE])
def test_a_night_whose_csv_has_no_rows_is_empty_whether_columns_are_known_or_not(
    bench: Callable[..., Bench], reading: DateTo, metadata: Metadata
) -> None:
    switches = {"date_to": reading, "metadata": metadata, "csv_empty": CsvEmpty.NOTHING, "rows_a_day": {"usage": 0}}
    run = bench(switches=switches, key=[], **CSV).run()
    assert (run.state, run.result["rows"]) == ("success", 0)
