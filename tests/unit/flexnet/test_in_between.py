"""What stands between a worker and FlexNet, and what it makes of an answer: judged by the ledger and the landing."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.standins import Fault, FaultKind
from include.standins.flexnet import FlexNetStandIn, FlexNetSwitches
from nightshift.errors import BadResponse, Unreachable
from nightshift.http.timing import Backoff
from tests.unit.flexnet.bench import ROWS, Bench


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(Backoff.__init__, "__defaults__", (5, 0.001, 15.0, None))
    monkeypatch.setenv("NIGHTSHIFT_LAKE", str(tmp_path / "lake"))
    return tmp_path / "lake"


def test_a_page_of_csv_whose_gzip_ends_with_a_record_is_asked_for_again_and_never_landed(lake: Path) -> None:
    """Nothing but the missing end of its gzip tells that half of it is not there."""
    with FlexNetStandIn(switches=FlexNetSwitches(rows_a_day=ROWS)) as vendor:
        bench = Bench(vendor, lake, format="csv", page_size=500)
        landed = bench.run()
        [whole] = bench.bodies(landed)
        half = whole.index(b"\n", len(whole) // 2) + 1
        vendor.faults.add(Fault(kind=FaultKind.CUT_GZIP, query={"limitRecords": "500"}, times=None, at_bytes=half))
        vendor.ledger.clear()
        bench.api.clear()
        run = bench.run()
        assert isinstance(run.error, Unreachable)
        assert "broke off before the end of its gzip" in str(run.error)
        assert bench.fetched() == {"1": 5}
    assert [path.parent.name for path in lake.rglob("page-*")] == [landed.result["extract"]]


def test_a_redirect_that_loses_the_dates_is_not_followed_to_the_rows_of_another_day(lake: Path) -> None:
    """The rows that FlexNet has for a request without parameters are its own idea of a day."""
    with FlexNetStandIn(switches=FlexNetSwitches(rows_a_day=ROWS)) as vendor:
        moved = Fault(kind=FaultKind.STATUS, status=301, headers={"Location": "/data/api/v1/report/usage"}, times=None)
        vendor.faults.add(moved, when=lambda request: "dateFrom" in request.query)
        run = Bench(vendor, lake).run()
    assert isinstance(run.error, BadResponse)
    assert "leaves out what the request asks for: mode, format, limitRecords, dateFrom, dateTo" in str(run.error)
    assert "host of the Airflow connection" in str(run.error)
    assert [entry.status for entry in vendor.ledger.requests(path="/report/usage$")] == [301]
    assert list(lake.rglob("page-*")) == []
