"""Reports without rows, in the server's words: judged by the landing and by the table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from include.standins.exago.switches import NoRows
from nightshift.exago.configuration import Exago
from nightshift.exago.operators import ExagoReportExtractOperator
from nightshift.exago.report import NO_ROWS_TEXTS, says_no_rows
from tests.execution_api import FakeExecutionApi, TaskRun
from tests.unit.exago.tasks import days_ago, publish, rows, task
from tests.unit.exago.vendor import Vendor

PATH = "Sales/Daily"
WAYS_OUT = ("under no_rows_texts of the report in reports.yaml", "No Data Qualify Display Mode in Exago to Show Report")


@pytest.fixture(autouse=True)
def _the_report(server: Vendor) -> None:
    server.put(PATH)


def extract(api: FakeExecutionApi, **given: Any) -> TaskRun:
    api.clear()
    asked = {"report": "orders", "path": PATH, "night": days_ago(1), "key": ["OrderId"]}
    return api.run(task(ExagoReportExtractOperator, **{**asked, **given}))


@pytest.mark.parametrize("form", ["csv", "json"])
@pytest.mark.parametrize("shape", list(NoRows))
def test_a_night_without_rows_is_one_whatever_the_server_makes_of_it(
    server: Vendor, api: FakeExecutionApi, lake: Path, form: str, shape: NoRows
) -> None:
    report = {"name": "orders", "path": PATH, "format": form, "key": ("OrderId",)}
    [spec] = Exago(reports=(report,)).reports  # type: ignore[arg-type]
    server.turn(no_rows=shape, report_rows={PATH: 3})
    full = extract(api, format=form)
    assert publish(api, full.result, spec.publish_spec("UTC")).state == "success"
    assert len(rows(lake, "orders")) == 3
    server.turn(report_rows={PATH: 0})
    empty = extract(api, format=form)
    assert empty.state == "success", empty.error
    assert empty.result["rows"] == 0
    published = publish(api, empty.result, spec.publish_spec("UTC"))
    assert published.state == "success", published.error
    assert rows(lake, "orders") == []


@pytest.mark.parametrize(("form", "shape"), [("csv", "error"), ("csv", "text"), ("json", "error"), ("json", "text")])
def test_other_words_are_told_with_what_leads_out(
    server: Vendor, api: FakeExecutionApi, lake: Path, form: str, shape: str
) -> None:
    words = "Es wurden keine Daten gefunden, die den Filtern entsprechen"
    server.turn(no_rows=shape, no_rows_words=words, report_rows={PATH: 0})
    run = extract(api, format=form)
    assert run.state == "up_for_retry"
    assert words in str(run.error)
    assert all(way in str(run.error) for way in WAYS_OUT)
    assert not list(lake.rglob("page-*"))
    assert extract(api, format=form, no_rows_texts=[words]).result["rows"] == 0


@pytest.mark.parametrize(
    "answer",
    [
        {"IsError": True, "ErrorList": ["No data qualified for the report.", "The connection timed out."]},
        {"IsError": True, "ErrorList": ["No data qualified for the report: the connection timed out"]},
        {"IsError": True, "ErrorList": []},
        {"IsError": True, "ErrorList": ["No data qualified."], "ExecuteData": "OrderId\r\n1\r\n"},
        {"IsError": False, "ExecuteData": "No data qualified, as the connection timed out"},
    ],
    ids=str,
)
def test_no_error_hides_behind_the_words(
    server: Vendor, api: FakeExecutionApi, lake: Path, answer: dict[str, Any]
) -> None:
    server.report = answer
    run = extract(api)
    assert run.state == "up_for_retry"
    assert not list(lake.rglob("manifest.json"))


@pytest.mark.parametrize(
    "answer",
    [
        {"IsError": True, "ErrorList": [{"Message": "No data qualified for report"}], "ExecuteData": ""},
        {"IsError": True, "ErrorList": "NO DATA QUALIFIED"},
        {"IsError": False, "ErrorList": ["No data qualified."], "ExecuteData": None},
        {"IsError": False, "ExecuteData": '"No data qualified for the report."\r\n'},
    ],
    ids=str,
)
def test_the_words_may_come_in_any_of_these_places(
    server: Vendor, api: FakeExecutionApi, lake: Path, answer: dict[str, Any]
) -> None:
    server.report = answer
    run = extract(api)
    assert run.state == "success", run.error
    assert (run.result["rows"], run.result["pages"]) == (0, 0)


def test_rows_stay_rows_beside_the_words(server: Vendor, api: FakeExecutionApi, lake: Path) -> None:
    server.report = {"IsError": False, "ErrorList": ["No data qualified."], "ExecuteData": "OrderId\r\n1\r\n"}
    assert extract(api).result["rows"] == 1


@pytest.mark.parametrize("content", ["OrderId\r\n", "Region, OrderId ,Region", '"OrderId","Day"\r\n'])
def test_a_header_alone_is_a_report_without_rows(
    server: Vendor, api: FakeExecutionApi, lake: Path, content: str
) -> None:
    server.report = {"IsError": False, "ExecuteData": content}
    assert extract(api).result["rows"] == 0
    server.report = {"IsError": False, "ExecuteData": "Region\r\n"}
    assert extract(api, key=[]).result["rows"] == 0


def test_the_words_are_compared_whole() -> None:
    assert all(says_no_rows(f" {text.upper()}. \r\n", NO_ROWS_TEXTS) for text in NO_ROWS_TEXTS)
    assert not says_no_rows("No data", NO_ROWS_TEXTS)
    assert not says_no_rows("No data qualified for the report", ())
