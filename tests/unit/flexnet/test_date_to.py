"""How the vendor reads ``dateTo``, asked by the task and judged by the vendor's ledger and by the landing."""

from __future__ import annotations

from typing import Any

import pytest

from include.standins import Fault, FaultKind
from include.standins.flexnet.switches import DateTo, NoRows
from tests.unit.flexnet.bench import NIGHT, ROWS, Bench, assert_each_row_once


def probes(b: Bench) -> list[tuple[str, str]]:
    """Mode and format of each question about the window, in order."""
    asked = [dict(request.query) for request in b.vendor.ledger.requests(path="/report/usage$")]
    return [(query["mode"], query["format"]) for query in asked if query["limitRecords"] == "1"]


@pytest.mark.parametrize("form", [{}, {"mode": "batch"}, {"format": "csv"}], ids=str)
def test_a_vendor_that_compares_moments_is_seen_by_its_counts_and_brings_no_night_without_rows(
    bench, form: dict[str, Any]
) -> None:
    b = bench(switches={"midnight_rows": 1}, **form)
    run = b.run()
    assert run.state == "up_for_retry"
    assert "as if dateTo ended with the first moment of its day" in str(run.error)
    assert "set date_to: exclusive, and night_column for each report" in str(run.error)
    assert not list(b.lake.rglob("page-*"))
    b.api.clear()
    b.configure(date_to="exclusive", mode="interactive", format="json")
    assert_each_row_once(b, b.run(), ROWS["usage"] + 1)


def test_nor_does_it_where_no_day_has_rows_of_its_first_moment(bench) -> None:
    b = bench(switches={"midnight_rows": 0})
    run = b.run()
    assert_each_row_once(b, run)
    assert b.manifest(run).window["date_to_is"] == "exclusive"


@pytest.mark.parametrize(
    ("form", "asked"),
    [({}, 3), ({"mode": "batch"}, 3 + 3), ({"format": "csv"}, 3 + 3)],
    ids=str,
)
def test_a_day_that_is_part_costs_one_question_more_and_three_where_they_bring_no_count(
    bench, form: dict[str, Any], asked: int
) -> None:
    b = bench(switches={"date_to": DateTo.INCLUSIVE}, **form)
    run = b.run()
    assert run.result["rows"] == ROWS["usage"]
    assert b.manifest(run).window["date_to_is"] == "inclusive"
    assert len(probes(b)) == asked
    assert probes(b)[3:] == [("interactive", "json")] * (asked - 3)


def test_where_the_vendor_counts_nothing_nothing_speaks_against_it(bench) -> None:
    b = bench(switches={"date_to": DateTo.INCLUSIVE, "record_count_key": ""})
    run = b.run()
    assert_each_row_once(b, run)
    assert b.manifest(run).window["date_to_is"] == "inclusive"
    refusing = bench(switches={"date_to": DateTo.INCLUSIVE}, format="csv")
    refusing.vendor.faults.add(
        Fault(kind=FaultKind.HTML_200, query={"limitRecords": "1", "format": "json"}, times=None)
    )
    assert refusing.run().result["rows"] == ROWS["usage"]


@pytest.mark.parametrize("status", [500, 404, 422])
def test_a_vendor_that_refuses_an_empty_window_is_told_of_with_the_setting_that_leads_out(bench, status: int) -> None:
    b = bench()
    empty = {"dateFrom": NIGHT, "dateTo": NIGHT}
    b.vendor.faults.add(Fault(kind=FaultKind.STATUS, status=status, query=empty, times=None))
    run = b.run()
    assert f"from {NIGHT} to {NIGHT}: if it fails at such a window alone, set date_to in reports.yaml" in str(run.error)
    b.api.clear()
    b.configure(date_to="exclusive")
    assert_each_row_once(b, b.run())


@pytest.mark.parametrize("shape", list(NoRows))
@pytest.mark.parametrize("rows", [0, 120])
def test_an_answer_without_rows_may_leave_them_out_where_none_are_counted(bench, shape: NoRows, rows: int) -> None:
    b = bench(switches={"no_rows": shape, "rows_a_day": {"usage": rows}})
    run = b.run()
    assert run.state == "success", run.error
    assert run.result["rows"] == rows
    batch = bench(switches={"no_rows": shape, "rows_a_day": {"usage": rows}}, mode="batch")
    run = batch.run()
    assert (run.state == "success") is (shape is not NoRows.MISSING)
    if shape is NoRows.MISSING:
        assert "page 1 has no 'data', and no count of 0 rows" in str(run.error)
        assert "set data_key" in str(run.error)
        batch.api.clear()
        batch.configure(mode="interactive")
        assert batch.run().result["rows"] == rows
