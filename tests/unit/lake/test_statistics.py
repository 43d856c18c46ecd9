"""The bounds in a table's log: exact or not there, and what a reader gets by them."""

from __future__ import annotations

import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nightshift.lake.delta import NightTable
from nightshift.lake.statistics import COLUMNS, LONGEST_TEXT, statistics_of
from nightshift.lake.store import Lake
from tests.published import publish_night

NAN = float("nan")


def told(column: pa.Array, *, group: int = 2) -> dict[str, Any]:
    file = io.BytesIO()
    pq.write_table(pa.table({"x": column}), file, row_group_size=group)
    return dict(json.loads(statistics_of(file)))


@pytest.mark.parametrize(
    ("column", "bounds"),
    [
        (pa.array(["b", "a", "ö", None]), ("a", "ö")),
        (pa.array(["a", "b" * LONGEST_TEXT]), ("a", "b" * LONGEST_TEXT)),
        (pa.array(["a", "b" * (LONGEST_TEXT + 1)]), None),
        (pa.array([3, None, 9223372036854775807]), (3, 9223372036854775807)),
        (pa.array([1.5, -0.25, 2.0]), (-0.25, 2.0)),
        (pa.array([1.5, NAN, 2.0]), None),
        (pa.array([1.5, float("inf")]), None),
        (pa.array([Decimal("1.50"), Decimal("-2.00")], pa.decimal128(38, 2)), (-2.0, 1.5)),
        (pa.array([Decimal("1"), Decimal("12345678901234567")], pa.decimal128(38, 0)), None),
        (pa.array([Decimal(f"1{'0' * 28}1"), Decimal("1")], pa.decimal128(38, 0)), None),
        (pa.array([Decimal(f"5{'0' * 30}"), Decimal(0)], pa.decimal128(38, 0)), (0, 5 * 10**30)),
        (pa.array([date(2026, 11, 2), date(1999, 1, 1)]), ("1999-01-01", "2026-11-02")),
        (
            pa.array([datetime(2026, 11, 2, 1, 2, 3, 4, UTC)], pa.timestamp("us", "UTC")),
            ("2026-11-02T01:02:03.000004Z", "2026-11-02T01:02:03.000004Z"),
        ),
        (pa.array([True, False]), None),
        (pa.array([None, None], pa.string()), None),
        (pa.array([None, None, 5, None], pa.int64()), (5, 5)),
    ],
)
def test_a_bound_is_exact_or_not_there(column: pa.Array, bounds: tuple[Any, Any] | None) -> None:
    found = told(column)
    assert found["numRecords"] == len(column)
    assert found["nullCount"] == {"x": column.null_count}
    assert (found["minValues"].get("x"), found["maxValues"].get("x")) == (bounds or (None, None))


def test_the_key_has_bounds_wherever_it_stands() -> None:
    file = io.BytesIO()
    pq.write_table(pa.table({f"c{number}": [number] for number in range(COLUMNS + 10)}), file)
    last = f"c{COLUMNS + 9}"
    assert last not in json.loads(statistics_of(file))["minValues"]
    found = json.loads(statistics_of(file, [last, "not there"]))["minValues"]
    assert found[last] == COLUMNS + 9
    assert len(found) == COLUMNS


def test_readers_find_the_same_rows_with_the_bounds_as_without(tmp_path: Path) -> None:
    """By engines that skip files: the one that has the value is read, and the answer from the log alone is right."""
    lake = Lake.from_url(str(tmp_path))
    for day, rows in ((1, 3), (2, 30), (3, 7)):
        publish_night(lake, "flexnet/entitlement", f"2026-11-{day:02d}", rows=rows)
    table = NightTable(lake, "flexnet", "entitlement")
    snapshot = table.snapshot()
    assert snapshot is not None
    bounds = pa.table(snapshot.table.get_add_actions(flatten=True)).to_pylist()
    assert sorted((file["min.id"], file["max.id"]) for file in bounds) == [("0", "2"), ("0", "6"), ("0", "9")]
    frame = polars.scan_delta(table.url.removeprefix("file://"))
    assert frame.filter(polars.col("id") == "29").collect()["night"].to_list() == [date(2026, 11, 2)]
    assert frame.select(polars.col("id").max()).collect().item() == "9"
    dataset = snapshot.table.to_pyarrow_dataset()
    found = duckdb.sql("SELECT count(*), min(id), max(id) FROM dataset WHERE id > '28'").fetchall()
    assert found == [(12, "29", "9")]
    assert dataset.count_rows() == 40
