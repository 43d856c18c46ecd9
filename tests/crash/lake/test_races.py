"""Two publishes at once, and publishes that die: each row is there once afterwards. Real processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import pytest

from nightshift.lake.delta import night_rows
from nightshift.lake.store import Lake
from nightshift.lake.tables import publish
from tests.crash.lake.workers import SPEC, publish_all, publish_until
from tests.crash.workers import LONG, PROCESSES, killed, start
from tests.unit.lake.conftest import NIGHT, land_night, read_table

ROWS = 40


def together(lake: Lake, works: Sequence[list[tuple[str, str]]], options: Mapping[str, str] | None = None) -> None:
    barrier = PROCESSES.Barrier(len(works))
    processes = [start(publish_all, lake.url, options, work, barrier) for work in works]
    for process in processes:
        process.join(LONG)
    assert [process.exitcode for process in processes] == [0] * len(works)


async def test_the_same_new_night_by_three_processes_at_once(lake: Lake) -> None:
    for name in "abc":
        await land_night(lake, [[{"id": n, "by": name} for n in range(ROWS)]], extract=name)
    together(lake, [[(NIGHT, name)] for name in "abc"])
    rows = read_table(lake)
    assert Counter(row["id"] for row in rows) == dict.fromkeys(range(ROWS), 1)
    assert len({row["by"] for row in rows}) == 1


async def test_different_nights_of_a_new_table_by_three_processes_at_once(lake: Lake) -> None:
    works = [[(f"2026-11-{10 * tens + day:02d}", "x") for day in range(1, 6)] for tens in range(3)]
    for work in works:
        for night, name in work:
            await land_night(lake, [[{"id": n, f"col_{night[-2]}": n} for n in range(ROWS)]], night=night, extract=name)
    together(lake, works)
    assert night_rows(lake, "flexnet", "entitlement") == {night: ROWS for work in works for night, _ in work}
    rows = read_table(lake)
    assert max(Counter((row["id"], row["night"]) for row in rows).values()) == 1
    assert {len([row for row in rows if row[f"col_{tens}"] is not None]) for tens in range(3)} == {5 * ROWS}


@pytest.mark.parametrize(
    ("line", "rows_after_the_crash"),
    [("40 rows read", 1), ("holds: unique_key", 1), ("1 files are in place", 1), ("Version", ROWS)],
)
async def test_a_publish_that_dies_is_done_again(lake: Lake, line: str, rows_after_the_crash: int) -> None:
    publish(lake, await land_night(lake, [[{"id": 7, "v": "old"}]], extract="old"), SPEC)
    manifest = await land_night(lake, [[{"id": n, "v": "new"} for n in range(ROWS)]], extract="new")
    killed(start(publish_until, lake.url, NIGHT, "new", line))
    assert len(read_table(lake)) == rows_after_the_crash
    again = publish(lake, manifest, SPEC)
    assert again.already is (rows_after_the_crash == ROWS)
    assert sorted(row["id"] for row in read_table(lake)) == list(range(ROWS))
    assert {row["v"] for row in read_table(lake)} == {"new"}


async def test_a_first_publish_that_dies_leaves_no_rows(lake: Lake) -> None:
    manifest = await land_night(lake, [[{"id": n} for n in range(ROWS)]])
    killed(start(publish_until, lake.url, NIGHT, "first", "1 files are in place"))
    assert night_rows(lake, "flexnet", "entitlement") == {}
    assert publish(lake, manifest, SPEC).rows == ROWS
    assert len(read_table(lake)) == ROWS
