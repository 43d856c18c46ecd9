"""The extracting task as Airflow runs it, against the stand-in; judged by the vendor's ledger and by the landing."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from include.standins import Fault, FaultKind
from include.standins.flexnet import PASSWORD, faulty
from include.standins.flexnet.switches import CountOf, DateTo
from nightshift.errors import AuthFailed, BadResponse, Rejected
from nightshift.lake.extract import ASKED
from nightshift.lake.store import Lake
from nightshift.nights.cells import FailureKind
from nightshift.nights.index import read
from tests.unit.flexnet.bench import NIGHT, ROWS, TODAY, Bench, assert_each_row_once


def notes(b: Bench, run: Any) -> dict[str, str | int]:
    """Return what the manifest says beside what was asked for."""
    return {name: value for name, value in b.manifest(run).notes.items() if name != ASKED}


@pytest.mark.parametrize("reading", list(DateTo))
def test_a_night_lands_with_a_manifest_that_says_all(bench, reading: DateTo) -> None:
    b = bench(switches={"date_to": reading})
    run = b.run()
    assert_each_row_once(b, run)
    manifest = b.manifest(run)
    assert manifest.vendor_totals.rows == manifest.rows == ROWS["usage"]
    assert manifest.pages == manifest.vendor_totals.pages == 9
    assert manifest.window["date_to_is"] == reading
    assert manifest.connection == "flexnet_default"
    assert {column.name for column in manifest.model} >= {"usageId"}
    assert PASSWORD not in manifest.to_json().decode()
    assert run.result | {"seconds": 0} == {
        "source": "flexnet",
        "report": "usage",
        "night": NIGHT,
        "extract": manifest.extract,
        "rows": 430,
        "pages": 9,
        "bytes": manifest.bytes,
        "sha256": manifest.sha256,
        "seconds": 0,
    }


def test_neighbouring_nights_share_no_row_however_date_to_is_read(bench) -> None:
    for reading in DateTo:
        b = bench(switches={"date_to": reading})
        days = [(TODAY - timedelta(days=n)).isoformat() for n in (4, 3)]
        seen: list[str] = []
        for day in days:
            b.task.night = day
            b.api.task_store.clear()
            run = b.run()
            seen += [row["usageId"] for row in b.rows(run)]
        assert len(seen) == len(set(seen)) == 2 * ROWS["usage"]


def test_an_empty_night_is_an_extract_without_rows(bench) -> None:
    b = bench(report="files", key=[])
    run = b.run()
    assert run.state == "success"
    assert (run.result["rows"], run.result["pages"]) == (0, 1)


@pytest.mark.parametrize(
    ("detail", "calls"),
    [({"insert": 3}, 1), ({"delete": 3}, 1), ({"insert": 3, "constant_totals": True}, 6), ({"reorder": True}, 6)],
    ids=str,
)
def test_rows_that_shift_under_the_walk_are_noticed_and_read_again(bench, detail: dict[str, Any], calls: int) -> None:
    b = bench(mode="interactive", pages_in_flight=1)
    b.vendor.faults.add(Fault(kind=faulty.ROWS_SHIFT, from_page=4, times=calls, detail=detail))
    assert_each_row_once(b, b.run())


def test_a_report_that_never_keeps_still_is_tried_again_later(bench) -> None:
    b = bench(mode="interactive", pages_in_flight=1)
    for after in range(0, 12, 2):
        b.vendor.faults.add(Fault(kind=faulty.TOTALS_OFF, page=2, after=after // 2, times=1, detail={"add": after + 1}))
    run = b.run()
    assert run.state == "up_for_retry"
    assert isinstance(run.error, BadResponse)
    assert "kept changing" in str(run.error)


def test_totals_that_are_always_wrong_are_landed_as_told_and_left_to_the_checks(bench) -> None:
    b = bench()
    b.vendor.faults.add(Fault(kind=faulty.TOTALS_OFF, times=None, detail={"add": 7}))
    run = b.run()
    assert run.state == "success"
    assert (b.manifest(run).rows, b.manifest(run).vendor_totals.rows) == (430, 437)
    assert b.fetched()["1"] == 2


@pytest.mark.parametrize("beyond", ["empty", "rejected"])
def test_totals_that_are_always_too_high_where_nothing_links_are_told_with_what_leads_out(bench, beyond: str) -> None:
    b = bench(switches={"beyond_last": beyond})
    b.connect(extra=json.dumps({"link_keys": ["nowhere"]}))
    b.vendor.faults.add(Fault(kind=faulty.TOTALS_OFF, times=None, detail={"add": 70}))
    run = b.run()
    assert run.state == "up_for_retry"
    assert "give row_count_keys and page_count_keys of the connection's extras names that no header has" in str(
        run.error
    )
    b.api.clear()
    b.connect(extra=json.dumps({"link_keys": ["nowhere"], "row_count_keys": ["none"], "page_count_keys": ["none"]}))
    assert_each_row_once(b, b.run())


def test_a_record_count_of_each_page_is_not_taken_for_the_total(bench) -> None:
    b = bench(switches={"record_count_of": CountOf.THIS_PAGE, "page_count_key": ""})
    run = b.run()
    assert_each_row_once(b, run)
    assert b.manifest(run).vendor_totals.rows is None


def test_a_wrong_password_fails_at_once(bench) -> None:
    b = bench(password="certainly-not")
    run = b.run()
    assert run.state == "failed"
    assert isinstance(run.error, AuthFailed)
    assert "certainly-not" not in str(run.error)
    assert len(b.vendor.ledger.requests()) == 1
    told = read(Lake.from_url(str(b.lake)), nights=[NIGHT], sources={"flexnet": ["usage"]}).cell(
        "flexnet", "usage", NIGHT
    )
    assert told.failure is not None, "why the night is not there is told by the lake as well"
    assert (told.failure.kind, told.failure.task_id) == (FailureKind.VENDOR, "extract")
    assert told.failure.text == str(run.error)


def test_a_night_beyond_the_horizon_comes_from_the_landing_or_fails_with_words(bench) -> None:
    b = bench(horizon_days=30, night=(TODAY - timedelta(days=40)).isoformat())
    missing = b.run()
    assert missing.state == "failed"
    assert isinstance(missing.error, Rejected)
    assert "beyond the 30 days" in str(missing.error)
    assert not b.vendor.ledger.requests()
    b.task.force = True
    landed = b.run()
    assert landed.state == "success"
    b.vendor.ledger.clear()
    b.task.force = False
    again = b.run()
    assert again.result["extract"] == landed.result["extract"]
    assert not b.vendor.ledger.requests()


def test_csv_lands_as_it_came(bench) -> None:
    b = bench(format="csv")
    run = b.run()
    assert run.state == "success"
    assert b.manifest(run).format == "csv"
    assert run.result["rows"] == ROWS["usage"]


@pytest.mark.parametrize("form", ["json", "csv"])
@pytest.mark.parametrize("key", [["usageId"], []], ids=["key", "no key"])
def test_rows_that_shift_where_nobody_counts_are_noticed_and_read_again(bench, form: str, key: list[str]) -> None:
    b = bench(switches={"batch_header": "absent"}, mode="batch", format=form, key=key)
    b.vendor.faults.add(Fault(kind=faulty.ROWS_SHIFT, from_page=4, times=3, detail={"insert": 3}))
    run = b.run()
    assert run.state == "success", run.error
    assert run.result["rows"] == ROWS["usage"]
    assert b.fetched()["1"] == 2


def test_rows_that_the_report_has_on_two_pages_are_its_own_when_two_walks_say_so(bench) -> None:
    b = bench(format="csv")
    b.vendor.faults.add(Fault(kind=faulty.DUPLICATE_ROW, times=None, detail={"row": 0}))
    run = b.run()
    assert run.state == "success", run.error
    assert run.result["rows"] == ROWS["usage"] + 1
    assert notes(b, run) == {"rows_on_two_pages": 1}


@pytest.mark.parametrize("form", ["json", "csv"])
@pytest.mark.parametrize("key", [["usageId"], []], ids=["key", "no key"])
def test_walks_that_each_have_as_many_rows_twice_but_others_do_not_agree(bench, form: str, key: list[str]) -> None:
    """Rows of the same place in the order change places between two answers: each walk misses rows, and counts right."""
    b = bench(switches={"ties": 2}, format=form, key=key, page_size=51, pages_in_flight=1)
    run = b.run()
    assert run.state == "up_for_retry"
    assert "kept changing while its pages were read, 3 times: 4 rows came on two pages" in str(run.error)
    assert b.fetched()["1"] == 3
    b.vendor.turn(ties=1)
    assert b.run(try_number=2).result["rows"] == ROWS["usage"]


@pytest.mark.parametrize("given", [{"charset": "cp1252"}, {}], ids=["task", "answer"])
def test_the_character_set_of_csv_is_told_to_publish(bench, given: dict[str, str]) -> None:
    b = bench(switches={"csv_charset": "windows-1252"}, format="csv", **given)
    run = b.run()
    assert run.state == "success", run.error
    assert notes(b, run) == {"charset": "cp1252"}


def test_a_dialect_that_the_task_is_given_counts_more_than_the_answers_word(bench) -> None:
    b = bench(format="csv", charset="utf-16")
    run = b.run()
    assert isinstance(run.error, BadResponse)
    assert "not CSV in utf-16" in str(run.error)
    other = bench(switches={"csv_delimiter": ";"}, format="csv", delimiter=";", quote='"')
    landed = other.run()
    assert landed.result["rows"] == ROWS["usage"]


@pytest.mark.parametrize("reading", list(DateTo))
@pytest.mark.parametrize("day", ["the night", "the day after it"])
def test_rows_that_come_after_an_interrupted_attempt_are_those_of_their_night(bench, reading: DateTo, day: str) -> None:
    """While the first attempt asked, the warehouse had none of the night and none of the day after it."""
    night = TODAY - timedelta(days=2 if day == "the night" else 3)
    comes = {"usageId": {"$con": f"-{TODAY - timedelta(days=2):%Y%m%d}-"}}
    b = bench(switches={"date_to": reading, "rows_a_day": {"usage": 0}}, night=night.isoformat(), query=comes)
    b.vendor.faults.add(Fault(kind=FaultKind.STATUS, status=503, retry_after="600", query={"limitRecords": "50"}))
    assert b.run().state == "up_for_retry"
    assert b.api.task_store["extract"]["plan"] == {}, "nothing was proved"
    b.vendor.turn(rows_a_day={"usage": 120})
    run = b.run(try_number=2)
    assert_each_row_once(b, run, 120 if day == "the night" else 0)


@pytest.mark.parametrize("reading", list(DateTo))
@pytest.mark.parametrize("day", ["the night", "the day after it"])
def test_rows_that_come_once_the_walk_has_begun_are_those_of_their_night(bench, reading: DateTo, day: str) -> None:
    night = TODAY - timedelta(days=2 if day == "the night" else 3)
    comes = {"usageId": {"$con": f"-{TODAY - timedelta(days=2):%Y%m%d}-"}}
    b = bench(switches={"date_to": reading, "rows_a_day": {"usage": 120}}, night=night.isoformat(), query=comes)
    # Neither of the two questions before the walk has rows.
    b.vendor.faults.add(Fault(kind=faulty.ROWS_SHIFT, query={"limitRecords": "1"}, times=2, detail={"delete": 1000}))
    run = b.run()
    assert_each_row_once(b, run, 120 if day == "the night" else 0)
    if day == "the night" or reading is DateTo.INCLUSIVE:
        assert b.manifest(run).window["date_to_is"] == reading
    first = b.fetched()["1"]
    assert first == (2 if reading is DateTo.INCLUSIVE else 1), "a walk over two days is not believed"


def test_rows_of_which_nobody_says_the_day_are_not_believed(bench) -> None:
    b = bench()
    b.vendor.faults.add(Fault(kind=faulty.ROWS_SHIFT, query={"limitRecords": "1"}, times=None, detail={"delete": 1000}))
    run = b.run()
    assert run.state == "up_for_retry"
    assert "430 rows came, and of which day they are is not known" in str(run.error)
    assert not list(b.lake.rglob("manifest.json"))


def test_a_night_without_rows_has_them_whatever_the_reading(bench) -> None:
    b = bench(switches={"rows_a_day": {"usage": 0}})
    run = b.run()
    assert_each_row_once(b, run, 0)
    assert b.manifest(run).window["date_to_is"] == "unknown"


def test_an_empty_answer_about_the_window_is_not_believed_at_once(bench) -> None:
    b = bench(switches={"date_to": DateTo.INCLUSIVE}, format="csv")
    b.vendor.faults.add(Fault(kind=FaultKind.EMPTY_200, query={"limitRecords": "1"}))
    run = b.run()
    assert run.state == "success", run.error
    assert b.manifest(run).window["date_to_is"] == "inclusive"
    assert run.result["rows"] == ROWS["usage"]


def test_a_report_that_the_vendor_does_not_know_is_told_with_those_that_it_knows(
    bench: Callable[..., Bench],
) -> None:
    here = bench(report="usag")
    run = here.run()
    assert run.state == "failed"
    assert "there is no report 'usag'; did you mean 'usage'?" in str(run.error)
    assert "This user sees: " in str(run.error)
    assert "entitlement" in str(run.error)
    assert str(run.error).rstrip("')\"").endswith("then clear the task.")


def test_another_refusal_of_a_report_that_there_is_stays_what_it_is(bench: Callable[..., Bench]) -> None:
    here = bench()
    here.vendor.faults.add(Fault(kind=FaultKind.STATUS, path="/report/usage$", status=400, times=None))
    run = here.run()
    assert run.state == "failed"
    assert "there is no report" not in str(run.error)


def test_the_vendor_judges_an_operator_that_is_not_documented(
    bench: Callable[..., Bench], capsys: pytest.CaptureFixture[str]
) -> None:
    b = bench(query={"usageId": {"$exists": True}})
    run = b.run()
    assert run.state == "failed"
    assert "$exists is not an operator" in str(run.error)
    assert {dict(r.query).get("query") for r in b.vendor.ledger.requests(path="/report/usage$")} == {
        '{"usageId":{"$exists":true}}'
    }
    assert "Not documented, and sent as they are: the operators $exists" in capsys.readouterr().out
