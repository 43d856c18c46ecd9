"""The extracting task as Airflow runs it, against the stand-in; judged by the vendor's ledger, the landing and the
table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pendulum
import pytest
from airflow.sdk import DAG

from include.standins import Fault, FaultKind
from include.standins.camunda_optimize import (
    AGGREGATED,
    ASSIGNEES,
    COMBINED,
    DURATION,
    EMPTY,
    INVOICES,
    TOKEN,
    TOTAL,
    CamundaOptimizeStandIn,
    CamundaOptimizeSwitches,
    faulty,
)
from nightshift.camunda_optimize.hook import NO_SEARCH
from nightshift.camunda_optimize.operators import CamundaOptimizeExtractOperator
from nightshift.camunda_optimize.page import ContextLost
from nightshift.errors import AuthFailed, BadResponse, NotFound, Rejected
from nightshift.lake.spec import PublishSpec
from nightshift.nights.publish import PublishNightOperator
from tests.dying import dying
from tests.execution_api import FakeExecutionApi, TaskRun

ROWS = 2_500


class Flow:
    """One report, its extract and its table."""

    def __init__(self, vendor: CamundaOptimizeStandIn, lake: Path, token: str = TOKEN) -> None:
        self.vendor = vendor
        self.lake = lake
        connection = {"conn_type": "camunda_optimize", "host": vendor.url, "password": token}
        self.api = FakeExecutionApi(connections={"camunda_optimize_default": connection}, max_tries=2)

    def extract(self, report_id: str = INVOICES, night: str = "", **given: Any) -> TaskRun:
        night = night or (datetime.now(UTC).date() - timedelta(days=1)).isoformat()
        with DAG("d", schedule=None, start_date=pendulum.datetime(2026, 1, 1)):
            task = CamundaOptimizeExtractOperator(
                task_id="extract", report="invoices", report_id=report_id, night=night, **{"limit": 400, **given}
            )
        return self.api.run(task)

    def publish(self, extract: TaskRun, **spec: Any) -> TaskRun:
        assert extract.state == "success", extract.error
        as_json = PublishSpec(**spec).model_dump(mode="json")
        with DAG("d", schedule=None, start_date=pendulum.datetime(2026, 1, 1)):
            task = PublishNightOperator(
                task_id="publish", extract=extract.result, spec=as_json, source="camunda_optimize", report="invoices"
            )
        return self.api.run(task)

    def rows(self) -> list[dict[str, Any]]:
        from deltalake import DeltaTable

        return DeltaTable(str(self.lake / "tables" / "camunda_optimize" / "invoices")).to_pyarrow_table().to_pylist()


@pytest.fixture
def flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Flow]]:
    monkeypatch.setenv("NIGHTSHIFT_LAKE", str(tmp_path / "lake"))
    with ExitStack() as stack:

        def start(*, token: str = TOKEN, **switches: Any) -> Flow:
            vendor = CamundaOptimizeStandIn(switches=CamundaOptimizeSwitches(**switches))
            return Flow(stack.enter_context(vendor), tmp_path / "lake", token)

        yield start


def assert_whole(flow: Flow, extract: TaskRun, rows: int = ROWS) -> None:
    published = flow.publish(extract, key=("processInstanceId",))
    assert published.state == "success", published.error
    found = flow.rows()
    assert len(found) == len({row["processInstanceId"] for row in found}) == rows


def test_every_record_comes_once_and_pages_are_asked_for_one_after_the_other(flow) -> None:
    f = flow()
    assert_whole(f, f.extract())
    stats = f.vendor.ledger.stats()
    assert stats.max_in_flight == 1
    # Seven pages with records, and the documented end: one without.
    assert stats.by_status == {"200": 8}


def test_dates_are_utc_and_variables_become_columns_where_they_are_named(flow) -> None:
    f = flow()
    extract = f.extract()
    run = f.publish(extract, types={"startDate": "timestamp"}, promote={"variables": {"orderId": "string"}})
    assert run.state == "success", run.error
    row = f.rows()[0]
    assert row["startDate"].tzinfo is not None
    assert isinstance(row["variables"], str)
    assert "variables_orderId" in row


@pytest.mark.parametrize(
    "switches",
    [
        {"id_changes_every": 2},
        {"id_changes_every": 1},
        {"report_id_told": False, "message_told": False},
        {"null_data": "null"},
    ],
    ids=str,
)
def test_whatever_the_version_every_record_comes_once(flow, switches: dict[str, Any]) -> None:
    f = flow(**switches)
    assert_whole(f, f.extract())


def test_a_complete_extract_of_another_report_is_not_taken(flow) -> None:
    """Its attempt had written the manifest, and died before Airflow heard of it."""
    f = flow()
    with dying(completed=True):
        assert f.extract(EMPTY).state == "up_for_retry"
    f.api.clear()
    assert_whole(f, f.extract())


@pytest.mark.parametrize("status", [400, 404, 500])
def test_a_lost_context_starts_the_export_over(flow, status: int) -> None:
    f = flow(lost_context_status=status)
    f.vendor.faults.add(Fault(kind=faulty.CONTEXT_LOST, page=6))
    assert_whole(f, f.extract())
    assert len(f.vendor.ledger.requests(status=status)) == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind=FaultKind.ACCEPT_THEN_DROP, page=4),
        Fault(kind=FaultKind.RESET_BODY, page=4),
        Fault(kind=FaultKind.TRUNCATED, page=4),
        Fault(kind=FaultKind.STATUS, status=503, page=4),
        Fault(kind=FaultKind.HTML_200, page=4),
        Fault(kind=faulty.PAGE_AGAIN, page=3),
        Fault(kind=faulty.TOTAL_CHANGES, page=4),
        Fault(kind=faulty.ID_MISSING, page=3),
        Fault(kind=faulty.COUNT_OFF, page=3),
    ],
    ids=lambda fault: str(fault.kind),
)
def test_a_page_that_may_be_lost_is_never_asked_for_again(flow, fault: Fault) -> None:
    f = flow()
    f.vendor.faults.add(fault)
    assert_whole(f, f.extract())
    firsts = [request for request in f.vendor.ledger.requests() if "searchRequestId" not in dict(request.query)]
    assert len(firsts) == 2


def test_an_export_that_never_adds_up_fails_after_a_few_times_and_publishes_nothing(flow) -> None:
    f = flow()
    f.vendor.faults.add(Fault(kind=faulty.ENDS_EARLY, times=None, detail={"at": 900}))
    run = f.extract()
    assert run.state == "up_for_retry"
    assert isinstance(run.error, ContextLost)
    assert f"of {ROWS} records" in str(run.error)
    firsts = [request for request in f.vendor.ledger.requests() if "searchRequestId" not in dict(request.query)]
    assert len(firsts) == 4


@pytest.mark.parametrize(
    ("report_id", "rows"), [(ASSIGNEES, 1_500), (TOTAL, 1), (AGGREGATED, 12), (EMPTY, 0), (DURATION, 0)]
)
def test_reports_that_are_not_raw_data_land_as_what_they_are(flow, report_id: str, rows: int) -> None:
    f = flow()
    extract = f.extract(report_id)
    assert extract.state == "success", extract.error
    published = f.publish(extract)
    assert published.state == "success", published.error
    assert published.result["rows"] == rows
    assert len(f.vendor.ledger.requests()) == 1


def test_a_combined_report_is_refused_with_words(flow) -> None:
    f = flow()
    run = f.extract(COMBINED)
    assert run.state == "failed"
    assert isinstance(run.error, Rejected)
    assert "combined report" in str(run.error)


def test_a_wrong_token_and_a_wrong_report_fail_at_once(flow) -> None:
    wrong = flow(token="not-the-token").extract()
    assert isinstance(wrong.error, AuthFailed)
    assert "not-the-token" not in str(wrong.error)
    missing = flow(rows={}).extract("nothing")
    assert isinstance(missing.error, NotFound)
    elsewhere = flow(rows={}).extract("../nothing")
    assert isinstance(elsewhere.error, Rejected)
    assert (wrong.state, missing.state, elsewhere.state) == ("failed", "failed", "failed")


def test_a_past_night_of_a_snapshot_is_refused_unless_it_is_landed(flow) -> None:
    f = flow()
    past = (datetime.now(UTC).date() - timedelta(days=5)).isoformat()
    refused = f.extract(night=past)
    assert refused.state == "failed"
    assert "snapshot of the present" in str(refused.error)
    assert "night_column" in str(refused.error)
    assert not f.vendor.ledger.requests()
    f.extract(night=past, force=True)
    f.vendor.ledger.clear()
    landed = f.extract(night=past)
    assert landed.state == "success"
    assert not f.vendor.ledger.requests()
    assert f.extract(night=past, dated=True).state == "success"


def walks(flow: Flow) -> int:
    return len([r for r in flow.vendor.ledger.requests() if "searchRequestId" not in dict(r.query)])


@pytest.mark.parametrize(("most", "looks"), [(10, 3), (400, 2), (1_000, 2), (2_499, 1), (None, 0)])
def test_a_total_that_is_capped_ends_nothing_and_is_told(flow, most: int | None, looks: int) -> None:
    f = flow(most_total=most)
    extract = f.extract()
    assert_whole(f, extract)
    assert walks(f) == 1
    published = f.publish(extract, key=("processInstanceId",))
    asked = [dict(r.query).get("searchRequestId") for r in f.vendor.ledger.requests()]
    # As the search is seen to be heeded, at most each time that twice as many records came.
    assert (len(asked) - asked.count(NO_SEARCH), asked.count(NO_SEARCH)) == (9 if most else 8, looks)
    assert published.state == "success"


@pytest.mark.parametrize("add", [-2_500, -1, 1, 7_500])
def test_a_total_that_is_always_wrong_is_told_where_it_is_lower_and_a_failure_where_it_promises_more(
    flow, add: int
) -> None:
    f = flow()
    f.vendor.faults.add(Fault(kind=faulty.TOTAL_CHANGES, times=None, detail={"add": add}))
    run = f.extract()
    if add < 0:
        assert_whole(f, run)
        assert walks(f) == 1
    else:
        assert isinstance(run.error, ContextLost)
        assert f"{ROWS} of {ROWS + add} records came" in str(run.error)
        assert run.state == "up_for_retry"


@pytest.mark.parametrize(("strict", "began"), [(True, 2), (False, 1)])
def test_a_total_that_moves_counts_as_promised_where_the_report_is_strict(flow, strict: bool, began: int) -> None:
    f = flow()
    f.vendor.faults.add(Fault(kind=faulty.TOTAL_CHANGES, page=3, detail={"add": 5}))
    assert_whole(f, f.extract(strict=strict))
    assert walks(f) == began


@pytest.mark.parametrize(
    ("page", "moves", "most"),
    [
        (page, moves, most)
        for page in (1, 2, 5, 7)
        for moves in (False, True)
        for most in (None, 10)
        # The last records, lost by the server itself where no count tells of them, are beyond what anybody can see.
        if not (page == 7 and moves and most)
    ],
)
def test_a_page_without_records_in_the_middle_ends_nothing(flow, page: int, moves: bool, most: int | None) -> None:
    f = flow(most_total=most)
    f.vendor.faults.add(Fault(kind=faulty.PAGE_EMPTY, page=page, detail={"moves": moves}))
    assert_whole(f, f.extract())


@pytest.mark.parametrize("kind", [FaultKind.HTML_200, FaultKind.EMPTY_200, FaultKind.TRUNCATED, FaultKind.STATUS])
def test_a_first_page_that_is_no_page_is_asked_for_again_within_the_walk(flow, kind: FaultKind) -> None:
    f = flow()
    f.vendor.faults.add(Fault(kind=kind, status=503, page=1, times=2))
    run = f.extract()
    assert_whole(f, run)
    assert walks(f) == 3


@pytest.mark.parametrize("null", ["null", "absent"])
def test_a_value_that_is_null_is_an_empty_night(flow, null: str) -> None:
    f = flow(null_data=null)
    extract = f.extract(DURATION)
    published = f.publish(extract)
    assert published.state == "success", published.error
    assert (published.result["rows"], len(f.vendor.ledger.requests())) == (0, 1)


@pytest.mark.parametrize(("most", "page", "began"), [(None, 7, 1), (400, 2, 2), (None, 3, 2)])
def test_a_page_without_a_cursor_is_the_last_only_where_the_count_is_met(
    flow, most: int | None, page: int, began: int
) -> None:
    f = flow(most_total=most)
    f.vendor.faults.add(Fault(kind=faulty.ID_MISSING, page=page))
    assert_whole(f, f.extract())
    assert walks(f) == began


@pytest.mark.parametrize("most", [None, 300])
def test_a_search_that_is_dropped_on_the_way_has_an_end_where_the_report_changes_with_every_page(
    flow, most: int | None
) -> None:
    f = flow(most_total=most)
    f.vendor.faults.add(Fault(kind=faulty.SEARCH_DROPPED, times=None, detail={"grows": 7}))
    run = f.extract()
    assert isinstance(run.error, BadResponse)
    assert not isinstance(run.error, ContextLost)
    pages = 1 if most else 7
    assert f"page {pages} makes it {pages * 400} of " in str(run.error)
    assert "pass on the parameter searchRequestId" in str(run.error)
    assert len(f.vendor.ledger.requests()) == pages + 1
    assert list(f.lake.rglob("manifest.json")) == []


def test_a_search_that_is_dropped_now_and_then_starts_the_export_over(flow) -> None:
    f = flow()
    f.vendor.faults.add(Fault(kind=faulty.SEARCH_DROPPED, page=4))
    assert_whole(f, f.extract())
    assert len([r for r in f.vendor.ledger.requests() if r.page == 1]) == 2


@pytest.mark.parametrize("status", [400, 404, 500])
def test_what_the_vendor_says_of_a_lost_page_is_told(flow, status: int) -> None:
    f = flow(lost_context_status=status)
    f.vendor.faults.add(Fault(kind=faulty.CONTEXT_LOST, page=2, times=None))
    error = f.extract().error
    assert isinstance(error, ContextLost)
    assert "No search context found for this id" in error.detail
    assert f'The answer says: "{error.detail}"' in str(error)
    assert TOKEN not in str(error)
