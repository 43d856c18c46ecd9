"""Attempts that go on with what one before them has landed; judged by the vendor's ledger and by the landing."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from include.standins import Fault, FaultKind
from include.standins.flexnet import LOGIN, PASSWORD, faulty
from include.standins.routing import Request
from nightshift.errors import Unreachable
from tests.dying import dying
from tests.unit.flexnet.bench import NIGHT, ROWS, Bench, assert_each_row_once

AFTER = (date.fromisoformat(NIGHT) + timedelta(days=1)).isoformat()
REGION = {"group": "usage", "change": "added", "field": "Region", "since": "2020-01-01"}
COMPARED = {1, 5}
"""The pages that an attempt asks for once more which goes on behind page 5."""


def test_a_retry_goes_on_behind_the_pages_that_are_landed(bench) -> None:
    b = bench(mode="batch")
    b.vendor.faults.add(Fault(kind=FaultKind.STATUS, status=503, retry_after="600", page=6))
    first = b.run()
    assert first.state == "up_for_retry"
    assert isinstance(first.error, Unreachable)
    assert f"connection flexnet_default, report usage, night {NIGHT}, page 6)" in str(first.error)
    second = b.run(try_number=2)
    assert_each_row_once(b, second)
    assert b.fetched() == {str(n): 2 if n == 6 or n in COMPARED else 1 for n in range(1, 10)}


@pytest.mark.parametrize(
    ("change", "rows"),
    [
        ({"query": {"usageId": {"$ew": "7"}}}, 43),
        ({"page_size": 45}, 430),
        ({"mode": "interactive"}, 430),
        ({"format": "csv"}, 430),
        ({"date_to": "exclusive"}, 430),
        ({"window_overlap_days": 1}, 1290),
    ],
    ids=str,
)
def test_pages_of_another_request_are_not_gone_on_with(
    bench, change: dict[str, Any], rows: int, capsys: pytest.CaptureFixture[str]
) -> None:
    b = bench(mode="batch", pages_in_flight=1)
    b.interrupted()
    before = b.fetched()["1"]
    b.configure(**change)
    run = b.run(try_number=2)
    assert run.state == "success", run.error
    assert run.result["rows"] == rows
    assert b.fetched()["1"] == before + 1
    assert "The interrupted attempt asked for something else; the extract begins again" in capsys.readouterr().out
    assert {path.parent.name for path in b.lake.rglob("page-*")} == {run.result["extract"]}, "nothing of it is left"


@pytest.mark.parametrize("what", ["site", "login", "version"])
def test_pages_of_another_site_or_user_are_not_gone_on_with(bench, what: str) -> None:
    b = bench(switches={"logins": {LOGIN: PASSWORD, "other": PASSWORD}, "versions": ["v1", "v2"]}, mode="batch")
    b.interrupted()
    if what == "site":
        b.vendor = bench(switches={"rows_a_day": {"usage": 120}}).vendor
    b.connect(**{"site": {"host": b.vendor.url}, "login": {"login": "other"}, "version": {}}[what])
    if what == "version":
        b.connect(extra=json.dumps({"api_version": "v2"}))
    b.vendor.ledger.clear()
    run = b.run(try_number=2)
    assert_each_row_once(b, run, 120 if what == "site" else 430)
    assert b.fetched()["1"] == 1


def test_what_changes_nothing_of_the_request_does_not_begin_again(bench) -> None:
    b = bench(mode="batch", query={"usageId": {"$con": "-"}})
    b.interrupted()
    b.configure(key=[], pages_in_flight=3, timezone="Europe/Berlin")
    assert_each_row_once(b, b.run(try_number=2))
    assert b.fetched() == {str(n): 2 if n == 6 or n in COMPARED else 1 for n in range(1, 10)}


@pytest.mark.parametrize(("hours", "asked"), [(2.9, 1), (3.1, 2)])
def test_pages_of_before_a_refresh_are_not_mixed_with_those_after_it(bench, hours: float, asked: int) -> None:
    b = bench(mode="batch")
    b.interrupted()
    b.api.task_store["extract"]["begun"] = (datetime.now(UTC) - timedelta(hours=hours)).isoformat()
    assert_each_row_once(b, b.run(try_number=2))
    assert b.fetched()["2"] == asked


@pytest.mark.parametrize("changed", [False, True])
def test_a_complete_extract_is_taken_only_where_it_is_of_this_request(bench, changed: bool) -> None:
    """Its attempt had written the manifest, and died before Airflow heard of it."""
    b = bench(query={"usageId": {"$ew": "7"}}, mode="batch")
    with dying(completed=True):
        assert b.run().state == "up_for_retry"
    b.api.clear()
    first = b.api.task_store["extract"]["extract"]
    b.vendor.ledger.clear()
    if changed:
        b.configure(query={"usageId": {"$ew": "8"}})
    run = b.run(try_number=2)
    assert run.state == "success", run.error
    assert {row["usageId"][-1] for row in b.rows(run)} == {"8" if changed else "7"}
    assert (run.result["extract"] != first, bool(b.fetched())) == (changed, changed)
    assert len(list(b.lake.rglob("manifest.json"))) == 1 + changed, "what was complete stays"


def test_a_clear_after_success_fetches_the_night_anew(bench) -> None:
    b = bench()
    first = b.run()
    b.api.clear()
    second = b.run(try_number=2)
    assert first.result["extract"] != second.result["extract"]
    assert set(b.fetched().values()) == {2}
    assert first.result["sha256"] == second.result["sha256"]


def test_totals_that_changed_since_the_landed_pages_start_the_walk_over(bench) -> None:
    b = bench(mode="interactive", pages_in_flight=1)
    b.vendor.faults.add(Fault(kind=FaultKind.STATUS, status=503, retry_after="600", page=6))
    assert b.run().state == "up_for_retry"
    b.vendor.turn(rows_a_day={"usage": 440})
    run = b.run(try_number=2)
    assert_each_row_once(b, run, 440)
    assert b.fetched()["2"] == 2


def test_a_landed_page_that_was_another_one_does_not_stop_the_retries(bench) -> None:
    """The vendor ignored the page number once: what is landed as page 3 links to page 2, at every retry."""
    b = bench(mode="batch", pages_in_flight=1)
    b.vendor.faults.add(Fault(kind=faulty.PAGE_IGNORED, page=3, times=1))
    first = b.run()
    assert first.state == "up_for_retry"
    assert "page 3 links to page 2 as the next one: a loop" in str(first.error)
    assert_each_row_once(b, b.run(try_number=2))


@pytest.mark.parametrize("mode", ["batch", "interactive"])
def test_a_page_that_an_earlier_attempt_was_promised_and_that_is_gone_starts_the_walk_over(bench, mode: str) -> None:
    b = bench(mode=mode, pages_in_flight=1, switches={"beyond_last": "not_found"})
    b.vendor.faults.add(Fault(kind=FaultKind.STATUS, status=503, retry_after="600", page=5))
    assert b.run().state == "up_for_retry"
    b.vendor.turn(rows_a_day={"usage": 180})
    run = b.run(try_number=2)
    assert_each_row_once(b, run, 180)
    assert b.fetched()["2"] == 2


def test_a_promised_page_that_stays_refused_fails_the_attempt_and_keeps_the_pages_before_it(bench) -> None:
    b = bench(mode="batch")
    b.vendor.faults.add(Fault(kind=FaultKind.STATUS, status=404, page=6, times=5))
    first = b.run()
    assert first.state == "up_for_retry"
    assert "page 6 is refused" in str(first.error)
    assert_each_row_once(b, b.run(try_number=2))
    assert b.fetched() == {str(n): 6 if n == 6 else 2 if n in COMPARED else 1 for n in range(1, 10)}


@pytest.mark.parametrize(("form", "mode"), [("json", "batch"), ("json", "interactive"), ("csv", "batch")])
@pytest.mark.parametrize("key", [["usageId"], []], ids=["key", "no key"])
@pytest.mark.parametrize("detail", [{"delete": 1}, {"insert": 1, "delete": 1}], ids=str)
def test_a_report_that_was_refreshed_between_two_attempts_is_fetched_anew(
    bench, form: str, mode: str, key: list[str], detail: dict[str, int]
) -> None:
    b = bench(format=form, mode=mode, key=key, pages_in_flight=1)
    b.interrupted()
    b.vendor.faults.add(Fault(kind=faulty.ROWS_SHIFT, times=None, detail=detail))
    run = b.run(try_number=2)
    assert run.state == "success", run.error
    assert b.fetched()["2"] == 2, "nothing of the first attempt is taken"
    again = Bench(b.vendor, b.lake, **b.given)
    now = again.run()
    assert b.bodies(run) == again.bodies(now)
    assert run.result["rows"] == ROWS["usage"] + detail.get("insert", 0) - detail.get("delete", 0)


@pytest.mark.parametrize(("form", "where"), [("json", "every_page"), ("csv", "every_page"), ("csv", "first_page")])
def test_a_column_that_came_between_two_attempts_is_there_in_all_rows(bench, form: str, where: str) -> None:
    b = bench(switches={"csv_header": where}, format=form, mode="batch")
    b.interrupted()
    b.vendor.turn(drift=[REGION])
    run = b.run(try_number=2)
    assert run.state == "success", run.error
    assert b.fetched()["2"] == 2
    if form == "json":
        assert all("Region" in row for row in b.rows(run))
    else:
        assert b"Region" in b.bodies(run)[0].partition(b"\n")[0]


@pytest.mark.parametrize("number", [1, 5])
def test_a_page_to_compare_with_that_cannot_be_read_any_more_has_all_fetched_anew(bench, number: int) -> None:
    b = bench(mode="batch")
    b.interrupted()
    [landed] = b.lake.rglob(f"page-0000{number}.json.zst")
    landed.write_bytes(b"no zstd")
    assert_each_row_once(b, b.run(try_number=2))
    assert b.fetched()["2"] == 2


def test_a_column_that_comes_in_the_middle_of_a_walk_over_csv_has_it_start_over(bench) -> None:
    b = bench(format="csv")

    def refreshed(request: Request) -> bool:
        b.vendor.turn(drift=[REGION])
        return False

    b.vendor.faults.add(Fault(kind=FaultKind.DELAY, page=4), when=refreshed)
    run = b.run()
    assert run.state == "success", run.error
    assert all(b"Region" in body.partition(b"\n")[0] for body in b.bodies(run))
    assert b.fetched() == {"1": 3, "2": 2, "3": 2, "4": 2, **dict.fromkeys("5678", 1), "9": 2, "10": 2, "11": 1}


def test_a_vendor_whose_csv_has_the_columns_of_each_page_is_asked_for_page_1_once_and_believed(bench) -> None:
    """The column is there from the day after the night on."""
    comes = {**REGION, "since": AFTER}
    b = bench(switches={"csv_columns": "page", "drift": [comes]}, format="csv", window_overlap_days=1)
    run = b.run()
    assert run.state == "success", run.error
    assert run.result["rows"] == 3 * ROWS["usage"]
    headers = [b"Region" in body.partition(b"\n")[0] for body in b.bodies(run)]
    assert (headers[0], headers[-1]) == (False, True)
    assert b.fetched()["1"] == 2
