"""Whether a night is published and sound, told by the lake."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable

from nightshift.lake.store import Lake
from nightshift.promotion.record import ReportSeen
from nightshift.promotion.reports_seen import seen
from nightshift.promotion.rules.night import lacking
from tests.published import publish_night

REPORT = "tokenflex/usage"
N1, N2, N3 = "2026-11-19", "2026-11-20", "2026-11-21"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.from_url(str(tmp_path / "lake"))


def look(lake: Lake, night: str | None) -> ReportSeen:
    [found] = seen(lake, [REPORT], night)
    return found


def test_a_night_that_was_never_published_is_missing(lake: Lake) -> None:
    assert look(lake, N2) == ReportSeen(name=REPORT)
    publish_night(lake, REPORT, N1)
    publish_night(lake, REPORT, N3)
    found = look(lake, N2)
    assert found == ReportSeen(name=REPORT)
    assert lacking([found]) == [f"{REPORT} is not published for it"]


def test_a_night_is_found_with_its_numbers_and_what_each_check_saw(lake: Lake) -> None:
    for night in (N1, N2, N3):
        publish_night(lake, REPORT, night)
    found = look(lake, N2)
    assert (found.night, found.rows, found.table_version, found.failed) == (N2, 12, 2, ())
    assert found.checks["not_empty"] == "12 rows to publish"
    assert found.published is not None
    assert timedelta(0) <= datetime.now(UTC) - found.published < timedelta(minutes=1)
    assert lacking([found]) == []


def test_of_a_republished_night_the_newest_counts(lake: Lake) -> None:
    publish_night(lake, REPORT, N2)
    publish_night(lake, REPORT, N2, rows=99, extract="second")
    assert look(lake, N2).rows == 99


def test_without_a_night_the_newest_one(lake: Lake) -> None:
    assert look(lake, None).published is None
    for night in (N3, N1, N2):
        publish_night(lake, REPORT, night)
    assert look(lake, None).night == N3


def test_a_night_that_something_else_has_changed_reads_as_failed(lake: Lake) -> None:
    publish_night(lake, REPORT, N2)
    DeltaTable(lake.table_url("tokenflex", "usage")).delete("id = '3'")
    found = look(lake, N2)
    assert found.failed == ("unchanged",)
    [why] = lacking([found])
    assert why.startswith(f"{REPORT} is not sound (unchanged: 12 rows were published, the table has 11 now")


def test_a_table_that_is_not_ours_opens_no_gate(lake: Lake) -> None:
    """Another engine wrote rows of the night: they were never checked."""
    import pyarrow as pa
    from deltalake import write_deltalake

    rows = pa.table({"id": [1, 2], "night": pa.array([N2, N2]).cast(pa.date32())})
    write_deltalake(lake.table_url("tokenflex", "usage"), rows, partition_by=["night"])
    for night in (N2, None):
        assert look(lake, night).published is None
