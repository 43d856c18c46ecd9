from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import zstandard

from include.standins import Fault, FaultKind
from nightshift.errors import BadResponse, Rejected, Unreachable
from nightshift.exago.configuration import Exago
from nightshift.exago.operators import ExagoCompareTreesOperator, ExagoReportExtractOperator, ExagoTreeExtractOperator
from nightshift.exago.report import for_night
from nightshift.exago.responses import ReportFailed
from nightshift.lake.landing import Landing
from nightshift.lake.store import Lake
from tests.dying import dying
from tests.execution_api import FakeExecutionApi, TaskRun
from tests.unit.exago.tasks import days_ago, publish, rows, task
from tests.unit.exago.vendor import Vendor

CONFIG = Exago()


@pytest.fixture(autouse=True)
def _some_tree(server: Vendor) -> None:
    server.put("Sales/Daily")
    server.put("Sales/Weekly", "dashboard")
    server.put("Empty/")


def take(api: FakeExecutionApi, night: str | None = None, **given: Any) -> TaskRun:
    api.clear()
    return api.run(task(ExagoTreeExtractOperator, night=night or days_ago(1), **given))


def compare(api: FakeExecutionApi, taken: TaskRun) -> TaskRun:
    return api.run(task(ExagoCompareTreesOperator, night=taken.result["night"], tree_extract=taken.result, task_id="c"))


def page(lake: Path, result: dict[str, Any], number: int) -> bytes:
    landing = Landing(Lake.from_url(str(lake)), "exago", result["report"], result["night"])
    return asyncio.run(landing.extract(result["extract"]).read(number))


def test_the_tree_lands_as_received_and_becomes_a_table(server: Vendor, api: FakeExecutionApi, lake: Path) -> None:
    server.protect("Sales")
    taken = take(api)
    assert taken.state == "success", taken.error
    assert (taken.result["rows"], taken.result["pages"]) == (4, 2)
    assert page(lake, taken.result, 1) == server.listing()
    published = publish(api, taken.result, CONFIG.catalog.tree_spec())
    assert published.state == "success", published.error
    assert sorted(rows(lake, "tree"), key=lambda row: row["path"]) == [
        {
            "path": "Empty",
            "parent": None,
            "name": "Empty",
            "kind": "folder",
            "type": None,
            "read_only": False,
            "role": "Admin",
            "content_id": None,
        },
        {
            "path": "Sales",
            "parent": None,
            "name": "Sales",
            "kind": "folder",
            "type": None,
            "read_only": True,
            "role": "Admin",
            "content_id": None,
        },
        {
            "path": "Sales/Daily",
            "parent": "Sales",
            "name": "Daily",
            "kind": "report",
            "type": "advanced",
            "read_only": False,
            "role": "Admin",
            "content_id": None,
        },
        {
            "path": "Sales/Weekly",
            "parent": "Sales",
            "name": "Weekly",
            "kind": "report",
            "type": "dashboard",
            "read_only": False,
            "role": "Admin",
            "content_id": None,
        },
    ]
    assert server.open == 0


def test_the_session_id_is_not_in_the_lake(server: Vendor, api: FakeExecutionApi, lake: Path) -> None:
    sids: list[str] = []
    server.script["list"] = [lambda: sids.extend(server.sids())]
    taken = take(api)
    manifest = next(lake.rglob("manifest.json")).read_text()
    assert sids
    assert sids[0] not in manifest + page(lake, taken.result, 1).decode() + page(lake, taken.result, 2).decode()


def test_an_empty_tree_and_a_path_that_is_folder_and_report(server: Vendor, api: FakeExecutionApi, lake: Path) -> None:
    server.clear()
    published = publish(api, take(api).result, CONFIG.catalog.tree_spec())
    assert published.state == "success", published.error
    assert rows(lake, "tree") == []
    node = {"name": "A", "leaf_flag": False, "readonly_flag": False, "type": None, "user": "Admin", "entity": []}
    server.script["list"] = [
        (200, json.dumps({"entity": [node, {**node, "leaf_flag": True, "type": "advanced"}]}).encode())
    ]
    published = publish(api, take(api).result, CONFIG.catalog.tree_spec())
    assert published.state == "success", published.error
    assert sorted((row["path"], row["kind"]) for row in rows(lake, "tree")) == [("A", "folder"), ("A", "report")]


def test_what_changed_since_the_last_night(
    server: Vendor, api: FakeExecutionApi, lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = compare(api, take(api, days_ago(2), force=True))
    assert (first.state, first.result["rows"]) == ("success", 0)
    assert publish(api, first.result, CONFIG.catalog.changes_spec()).state == "success"
    server.move("Sales", "Archive")
    server.put("New/r")
    changed = compare(api, take(api))
    assert changed.state == "success", changed.error
    text = f"Since the night {days_ago(2)}: 2 appeared, 3 moved.\nmoved folder Sales → Archive\nappeared folder New"
    assert api.xcoms["c", "changes"] == text
    assert text in capsys.readouterr().out
    published = publish(api, changed.result, CONFIG.catalog.changes_spec())
    assert published.state == "success", published.error
    found = {(row["change"], row["path_before"], row["path"], row["since"]) for row in rows(lake, "tree_changes")}
    assert found == {
        ("moved", "Sales", "Archive", days_ago(2)),
        ("moved", "Sales/Daily", "Archive/Daily", days_ago(2)),
        ("moved", "Sales/Weekly", "Archive/Weekly", days_ago(2)),
        ("appeared", None, "New", days_ago(2)),
        ("appeared", None, "New/r", days_ago(2)),
    }
    again = compare(api, take(api))
    assert publish(api, again.result, CONFIG.catalog.changes_spec()).state == "success"
    assert len(rows(lake, "tree_changes")) == 5


def test_a_past_night_comes_from_the_landing_only(server: Vendor, api: FakeExecutionApi, lake: Path) -> None:
    missing = take(api, days_ago(2))
    assert isinstance(missing.error, Rejected)
    assert "snapshot of the present" in str(missing.error)
    taken = take(api, days_ago(2), force=True)
    requests = len(server.ledger.requests())
    server.clear()
    again = take(api, days_ago(2))
    assert (again.result["extract"], again.result["rows"]) == (taken.result["extract"], 4)
    assert len(server.ledger.requests()) == requests


def test_rows_of_a_past_night_are_worked_out_anew_from_what_was_received(
    server: Vendor, api: FakeExecutionApi, lake: Path
) -> None:
    taken = take(api, days_ago(2), force=True)
    folder = lake / "raw" / "exago" / "tree" / f"night={days_ago(2)}" / taken.result["extract"]
    (folder / "page-00002.json.zst").write_bytes(zstandard.compress(b'{"data": [{"path": "wrong"}]}'))
    again = take(api, days_ago(2))
    assert again.state == "success", again.error
    assert again.result["extract"].startswith(taken.result["extract"] + "-again-")
    published = publish(api, again.result, CONFIG.catalog.tree_spec())
    assert published.state == "success", published.error
    assert len(rows(lake, "tree", days_ago(2))) == 4


FILTER = {"FilterText": "Orders.Day", "Operator": 0, "Values": ["{night:%m/%d/%Y}", "{night}", 7]}


@pytest.mark.parametrize(
    ("form", "content"),
    [
        ("csv", 'a,b\r\n1,"x\ny"\r\n2,\xe4\r\n'),
        ("json", '[{"a": 1, "b": "x\\ny"}, {"a": 2, "b": "ä"}]'),
        ("json", [{"a": 1, "b": "x\ny"}, {"a": 2, "b": "ä"}]),
        ("json", {"data": [{"a": 1, "b": "x\ny"}, {"a": 2, "b": "ä"}]}),
    ],
)
def test_a_report_becomes_a_table(
    server: Vendor, api: FakeExecutionApi, lake: Path, form: str, content: object
) -> None:
    server.report = {"ExecuteData": content, "IsError": False}
    given = {"report": "orders", "path": "Sales/Daily", "format": form, "filters": [FILTER], "night": days_ago(2)}
    run = api.run(task(ExagoReportExtractOperator, **given))
    assert run.state == "success", run.error
    assert run.result["rows"] == 2
    day = datetime.fromisoformat(days_ago(2))
    assert server.bodies[0]["Filters"][0]["Values"] == [day.strftime("%m/%d/%Y"), days_ago(2), 7]
    section = Exago(reports=({"name": "orders", "path": "Sales/Daily", "key": ("a",)},))  # type: ignore[arg-type]
    published = publish(api, run.result, section.reports[0].publish_spec("UTC"))
    assert published.state == "success", published.error
    assert sorted(rows(lake, "orders", days_ago(2)), key=str) == [{"a": 1, "b": "x\ny"}, {"a": 2, "b": "ä"}]


@pytest.mark.parametrize(
    ("content", "is_csv"),
    [("[a],[b]\r\n1,x\r\n", True), ("{3F25},b\r\n1,x\r\n", True), ('{"a": [1]}', False), ("[1, 2]", False)],
)
def test_a_name_in_brackets_is_no_json(server: Vendor, api: FakeExecutionApi, content: str, is_csv: bool) -> None:
    server.report = {"ExecuteData": content, "IsError": False}
    run = api.run(task(ExagoReportExtractOperator, report="orders", path="A", format="csv", night=days_ago(1)))
    assert (run.state == "success", "is JSON where CSV" in str(run.error)) == (is_csv, not is_csv), run.error


@pytest.mark.parametrize(
    "change", [{"path": "Sales/Weekly"}, {"filters": [FILTER]}, {"session": {"Id": "other"}}], ids=str
)
def test_a_complete_extract_of_another_report_is_not_taken(
    server: Vendor,
    api: FakeExecutionApi,
    lake: Path,
    connect: Callable[..., None],
    change: dict[str, Any],
) -> None:
    """Its attempt had written the manifest, and died before Airflow heard of it."""
    server.report = {"ExecuteData": "a\r\n1\r\n", "IsError": False}
    given = {"report": "orders", "path": "Sales/Daily", "format": "csv", "night": days_ago(1)}
    with dying(completed=True):
        assert api.run(task(ExagoReportExtractOperator, **given)).state == "up_for_retry"
    api.clear()
    server.report = {"ExecuteData": "a\r\n2\r\n", "IsError": False}
    if "session" in change:
        connect(extra=change)
    else:
        given |= change
    run = api.run(task(ExagoReportExtractOperator, **given))
    assert run.state == "success", run.error
    assert page(lake, run.result, 1) == b"a\r\n2\r\n"


def test_changes_against_another_tree_are_compared_anew(server: Vendor, api: FakeExecutionApi, lake: Path) -> None:
    compare(api, take(api, days_ago(2), force=True))
    taken = take(api)
    with dying(completed=True):
        assert compare(api, taken).state == "up_for_retry"
    kept = api.task_store["extract"]
    server.put("New/r")
    api.task_store.clear()
    taken = take(api)
    api.task_store["extract"] = kept
    changed = compare(api, taken)
    assert changed.state == "success", changed.error
    assert changed.result["rows"] == 2


def test_an_empty_report_is_a_night_without_rows(server: Vendor, api: FakeExecutionApi, lake: Path) -> None:
    server.report = {"ExecuteData": "", "IsError": False}
    run = api.run(task(ExagoReportExtractOperator, report="orders", path="A", night=days_ago(1)))
    assert (run.state, run.result["rows"]) == ("success", 0)


LINK = "ExecuteExport.aspx?d=0neT1meS1gnature&x=1"


@pytest.mark.parametrize("form", ["csv", "json"])
@pytest.mark.parametrize(
    "content",
    [
        "<html><body>Error</body></html>",
        "<!DOCTYPE html>\n<title>Error, sorry</title>",
        "\r\n<div>\nError\n</div>\n",
        '<?xml version="1.0"?><e/>',
        LINK,
        f"https://bi.example.com/Exago/{LINK}\r\n",
        f'"{LINK}"',
    ],
)
def test_a_page_or_a_link_is_no_report(
    server: Vendor,
    api: FakeExecutionApi,
    lake: Path,
    capsys: pytest.CaptureFixture[str],
    form: str,
    content: str,
) -> None:
    server.report = {"ExecuteData": content, "IsError": False, "DataType": 2}
    run = api.run(task(ExagoReportExtractOperator, report="orders", path="Sales/Daily", night=days_ago(1), format=form))
    assert isinstance(run.error, BadResponse)
    assert "Nothing was landed" in str(run.error)
    assert "S1gnature" not in f"{run.error}{capsys.readouterr()}"
    assert not list(lake.rglob("page-*"))


@pytest.mark.parametrize("content", ["<5 minutes,a\r\n1,2\r\n", "<Region>,Url\r\nEU,https://x.example/a.aspx?b=1\r\n"])
def test_a_column_may_be_called_as_one_likes(server: Vendor, api: FakeExecutionApi, lake: Path, content: str) -> None:
    server.report = {"ExecuteData": content, "IsError": False}
    run = api.run(task(ExagoReportExtractOperator, report="orders", path="Sales/Daily", night=days_ago(1)))
    assert (run.state, run.result["rows"]) == ("success", 1)


@pytest.mark.parametrize(
    ("shown", "given"),
    [
        ("Sales\\Daily", {}),
        ("/Sales/Daily", {}),
        ("Sales\\\\Daily", {}),
        ("", {}),
        (None, {}),
        ("Acme\\Sales\\Daily", {"answered_as": "Acme/Sales/Daily"}),
    ],
)
def test_a_report_is_the_one_that_was_asked_for(
    server: Vendor, api: FakeExecutionApi, lake: Path, shown: str | None, given: dict[str, str]
) -> None:
    server.report = {"ExecuteData": "a\r\n1\r\n", "IsError": False, "ReportPath": shown}
    asked = {"report": "orders", "path": "Sales/Daily", "night": days_ago(1)}
    run = api.run(task(ExagoReportExtractOperator, **asked, **given))
    assert run.state == "success", run.error
    server.report["ReportPath"] = "Sales\\daily"
    api.clear()
    run = api.run(task(ExagoReportExtractOperator, **asked, **given))
    assert isinstance(run.error, BadResponse)
    assert "holds the report 'Sales/daily', not" in str(run.error)
    assert "answered_as" in str(run.error)
    assert len(list(lake.rglob("manifest.json"))) == 1


@pytest.mark.parametrize("lost", [FaultKind.HOLD_ANSWER, FaultKind.ACCEPT_THEN_DROP, FaultKind.STATUS])
def test_a_report_whose_answer_was_lost_is_not_started_again_within_an_attempt(
    server: Vendor, api: FakeExecutionApi, lake: Path, lost: FaultKind
) -> None:
    """It may take longer than is allowed: the server begins anew each time that it is asked."""
    server.faults.add(Fault(kind=lost, path="/Execute/", status=504))
    asked = {"report": "orders", "path": "Sales/Daily", "night": days_ago(1), "seconds": 0.3}
    run = api.run(task(ExagoReportExtractOperator, **asked))
    assert (run.state, type(run.error)) == ("up_for_retry", Unreachable)
    assert "give it more minutes in reports.yaml" in str(run.error)
    assert len(server.ledger.requests(path="/Execute/")) == 1
    assert api.run(task(ExagoReportExtractOperator, **{**asked, "seconds": 30.0})).state == "success"


def test_a_report_that_failed_with_200_is_tried_again_and_lands_nothing(
    server: Vendor, api: FakeExecutionApi, lake: Path
) -> None:
    server.report = {"ExecuteData": "", "IsError": True, "ErrorList": ["no database"]}
    run = api.run(task(ExagoReportExtractOperator, report="orders", path="A", night=days_ago(1)))
    assert isinstance(run.error, ReportFailed)
    assert run.state == "up_for_retry"
    assert "no database" in str(run.error)
    assert not list(lake.rglob("manifest.json"))


def test_a_report_without_the_night_in_it_is_a_snapshot(server: Vendor, api: FakeExecutionApi) -> None:
    run = api.run(task(ExagoReportExtractOperator, report="orders", path="A", night=days_ago(2)))
    assert isinstance(run.error, Rejected)
    assert "{night}" in str(run.error)
    server.report = {"ExecuteData": "a\r\n", "IsError": False}
    assert (
        api.run(task(ExagoReportExtractOperator, report="o", path="A", night=days_ago(2), dated=True)).state
        == "success"
    )


def test_a_slip_in_a_path_is_told_with_the_nearest(server: Vendor, api: FakeExecutionApi) -> None:
    run = api.run(task(ExagoReportExtractOperator, report="orders", night=days_ago(1), path="Sales/Daly"))
    assert "there is no report 'Sales/Daly'; did you mean 'Sales/Daily'?" in str(run.error)
    assert "This user sees: Sales/Daily, Sales/Weekly" in str(run.error)


def test_the_night_in_filters() -> None:
    assert for_night([FILTER, {"FilterText": "x"}], "2026-11-21") == [
        {"FilterText": "Orders.Day", "Operator": 0, "Values": ["11/21/2026", "2026-11-21", 7]},
        {"FilterText": "x"},
    ]
