"""What is landed was asked for as something else than the configuration asks for now: nobody takes it for that."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pendulum
import pytest
from airflow.sdk import DAG

from nightshift.camunda_optimize.operators import CamundaOptimizeExtractOperator
from nightshift.lake.extract import ASKED
from nightshift.lake.landing import Landing
from nightshift.lake.store import Lake
from nightshift.nights.extract import ExtractOperator
from nightshift.nights.flow import nightly_dag
from nightshift.nights.replay import publishers
from tests.execution_api import FakeExecutionApi, TaskRun
from tests.published import land

NIGHT = "2026-01-20"
RIGHT, WRONG = "e6c5abb1-6a18-44e7-8480-d562d511ba62", "0a54f0b2-77c5-4a58-9d28-51b5a1b60005"


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setenv("NIGHTSHIFT_LAKE", str(tmp_path / "lake"))
    return Lake.from_url(str(tmp_path / "lake"))


def extracting(report_id: str, **more: Any) -> CamundaOptimizeExtractOperator:
    with DAG("d", schedule=None, start_date=pendulum.datetime(2026, 1, 1)):
        return CamundaOptimizeExtractOperator(
            task_id="extract", report="invoices", night=NIGHT, report_id=report_id, **more
        )


def landed(lake: Lake, extract: str, report_id: str = "", **more: Any) -> None:
    """Land an extract as the operator would have; without a report, as an earlier release did."""
    notes = {ASKED: extracting(report_id, **more).asked_now()} if report_id else {}
    asyncio.run(land(lake, "camunda_optimize/invoices", NIGHT, extract=extract, notes=notes))


def fetched(report_id: str = RIGHT) -> TaskRun:
    return FakeExecutionApi().run(extracting(report_id))


def test_the_newest_extract_of_what_is_asked_for_is_taken_not_a_newer_one_of_another_report(lake: Lake) -> None:
    landed(lake, "a", RIGHT)
    landed(lake, "bb", WRONG)
    run = fetched()
    assert run.state == "success", run.error
    assert run.result["extract"] == "a"


@pytest.mark.parametrize("other", [{"report_id": WRONG}, {"report_id": RIGHT, "camunda_optimize_conn_id": "test"}])
def test_where_all_that_is_landed_is_of_another_request_the_night_is_refused(lake: Lake, other: dict[str, str]) -> None:
    landed(lake, "a", **other)
    run = fetched()
    assert run.state == "failed"
    told = str(run.error)
    assert "what is landed of it was asked for as something else than reports.yaml asks for now" in told
    assert "connection flexnet_default" in told
    assert f"nightshift replay camunda_optimize/invoices --from {NIGHT} --any-request --apply" in told


def test_what_an_earlier_release_landed_is_taken_and_the_log_says_so(
    lake: Lake, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    landed(lake, "a")
    landed(lake, "bb", WRONG)
    run = fetched()
    assert run.state == "success", run.error
    assert run.result["extract"] == "a"
    assert "does not say what it was asked for" in caplog.text + "".join(capsys.readouterr())


REPORTS = """
flexnet:
  reports: [{name: usage, page_size: 100, query: {UserID: {$lt: "5"}}}]
tokenflex:
  contract: "110000917988"
  exports: [{name: desktop, category: DESKTOP_PRODUCT, fields: [usageDate, productName], metrics: [tokensConsumed]}]
camunda_optimize:
  reports: [{name: invoices, report_id: e6c5abb1-6a18-44e7-8480-d562d511ba62}]
exago:
  reports: [{name: sales, path: Reports/Sales}]
"""


def digests(folder: Path, text: str) -> dict[str, str]:
    (folder / "reports.yaml").write_text(text)
    found = {}
    for name in ("flexnet", "tokenflex", "camunda_optimize", "exago"):
        dag = nightly_dag(name, doc_md=None)
        assert dag is not None
        found |= {f"{name}/{one.report}": one.asked_now() for one in dag.tasks if isinstance(one, ExtractOperator)}
    return found


@pytest.mark.parametrize(
    ("old", "new", "other"),
    [
        ("page_size: 100", "page_size: 200", []),
        ('"5"', '"6"', ["flexnet/usage"]),
        ("[usageDate, productName]", "[productName, usageDate]", []),
        ("metrics: [tokensConsumed]", "metrics: [tokensConsumed], where: x = 1", ["tokenflex/desktop"]),
        ("DESKTOP_PRODUCT", "CLOUD_PRODUCT", ["tokenflex/desktop"]),
        ("e6c5abb1", "f6c5abb1", ["camunda_optimize/invoices"]),
        ("Reports/Sales", "Reports/Other", ["exago/sales"]),
        ("flexnet:\n", "flexnet:\n  connection: test\n", ["flexnet/usage"]),
        ("flexnet:\n", "flexnet:\n  retries: 7\n", []),
    ],
)
def test_what_decides_which_rows_come_is_compared_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, other: list[str]
) -> None:
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path))
    monkeypatch.setenv("NIGHTSHIFT_KEPT", str(tmp_path / "kept"))
    before = digests(tmp_path, REPORTS)
    assert old in REPORTS
    now = digests(tmp_path, REPORTS.replace(old, new))
    assert [name for name in before if before[name] != now[name]] == other


def test_every_publishing_task_knows_its_extracting_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path))
    monkeypatch.setenv("NIGHTSHIFT_KEPT", str(tmp_path / "kept"))
    (tmp_path / "reports.yaml").write_text(REPORTS)
    for name, task in publishers().items():
        assert any(isinstance(one, ExtractOperator) for one in task.upstream_list), name


def test_extracts_are_in_the_order_in_which_they_were_finished(lake: Lake) -> None:
    for name in ("bb", "a", "ccc"):
        landed(lake, name)
    found = asyncio.run(Landing(lake, "camunda_optimize", "invoices", NIGHT).complete())
    assert [one.extract for one in found] == ["ccc", "bb", "a"]
