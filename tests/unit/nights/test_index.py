"""The index of the nights: it says what the tables prove, whatever became of its own objects."""

from __future__ import annotations

import asyncio
import shutil
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from nightshift.lake.history import history_of
from nightshift.lake.spec import PublishSpec
from nightshift.lake.store import Lake
from nightshift.lake.tables import publish
from nightshift.nights.cells import CellState, FailureKind, NightFailure
from nightshift.nights.index import NightIndex, is_unpublished, read, rebuild, record_failure, record_published
from nightshift.nights.ready import published_report
from tests.unit.lake.conftest import land_night
from tests.unit.nights.publishing import published

SOURCES = {"flexnet": ["entitlement"]}
FIRST = date(2026, 11, 2)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.from_url(str(tmp_path / "lake"))


def night(number: int) -> str:
    return (FIRST + timedelta(days=number)).isoformat()


async def states(lake: Lake, *nights: str) -> list[CellState]:
    grid = await NightIndex(lake).read(nights=nights, sources=SOURCES)
    return [grid.cell("flexnet", "entitlement", one).state for one in nights]


def kept(lake: Lake) -> Path:
    return Path(lake.url.removeprefix("file://")) / "nights/flexnet/entitlement.json"


async def test_a_night_is_what_its_table_says(lake: Lake) -> None:
    await published(lake, night(0), 3)
    await published(lake, night(1), 0, checks={"not_empty": False})
    grid = await NightIndex(lake).read(nights=[night(0), night(1), night(2)], sources=SOURCES)
    first, empty, never = (grid.cell("flexnet", "entitlement", night(number)) for number in range(3))
    assert (first.state, first.rows, first.version, first.extract) == (CellState.PUBLISHED, 3, 1, "first")
    assert (first.seconds, first.checks > 0, first.is_good) == (600.0, True, True)
    assert (empty.state, empty.rows) == (CellState.EMPTY, 0)
    assert (never.state, never.rows, never.is_good) == (CellState.NEVER, None, False)


async def test_a_night_of_its_own_that_is_published_again_is_rebuilt(lake: Lake) -> None:
    await published(lake, night(0), 3)
    await published(lake, night(0), 4, extract="second")
    grid = await NightIndex(lake).read(nights=[night(0)], sources=SOURCES)
    cell = grid.cell("flexnet", "entitlement", night(0))
    assert (cell.state, cell.rows, cell.entry and cell.entry.replaced) == (CellState.REBUILT, 4, 1)


async def test_rows_are_compared_with_those_of_the_same_weekday(lake: Lake) -> None:
    for week, rows in enumerate((10, 30, 20)):
        await published(lake, night(7 * week), rows)
    await published(lake, night(20), 7)
    grid = await NightIndex(lake).read(nights=[night(21)], sources=SOURCES)
    row = grid.reports["flexnet", "entitlement"]
    assert row.usual(night(21)) == (20.0, 3)
    assert row.usual(night(22)) == (None, 0)
    assert row.last_good(night(21)) == night(20)


@pytest.mark.parametrize("damage", ["gone", "garbage", "another table's", "a letter", "behind"])
async def test_whatever_became_of_the_index_it_says_what_the_table_proves(lake: Lake, damage: str) -> None:
    await published(lake, night(0), 3)
    before = kept(lake).read_bytes()
    await published(lake, night(1), 5)
    match damage:
        case "gone":
            kept(lake).unlink()
        case "garbage":
            kept(lake).write_bytes(b"{]")
        case "another table's":
            kept(lake).write_bytes(kept(lake).read_bytes().replace(b"entitlement", b"entitlemenz"))
        case "a letter":
            kept(lake).write_bytes(kept(lake).read_bytes().replace(night(1).encode(), night(2).encode()))
        case "behind":
            kept(lake).write_bytes(before)
    assert await states(lake, night(0), night(1), night(2)) == ["published", "published", "never"]
    written = kept(lake).read_text()
    assert (f'"{night(1)}":' in written, f'"{night(2)}":' in written) == (True, False), "it was written"


async def test_no_table_no_green_cell(lake: Lake) -> None:
    await published(lake, night(0), 3)
    folder = Path(lake.url.removeprefix("file://")) / "tables/flexnet/entitlement"
    shutil.rmtree(folder)
    assert await states(lake, night(0)) == ["never"]
    assert not kept(lake).exists()
    await published(lake, night(1), 2)
    assert await states(lake, night(0), night(1)) == ["never", "published"], "another table under the same name"


async def test_what_changed_the_table_from_outside_is_seen(lake: Lake) -> None:
    from deltalake import DeltaTable

    await published(lake, night(0), 3)
    await published(lake, night(1), 3)
    DeltaTable(lake.table_url("flexnet", "entitlement")).delete(f"id = '{night(0)}-1'")
    assert await states(lake, night(0), night(1)) == ["unsound", "published"]


async def test_a_rebuild_says_the_same_as_all_the_publishing_did(lake: Lake) -> None:
    for number, rows in enumerate((3, 0, 4)):
        await published(lake, night(number), rows, checks={"not_empty": False})
    await published(lake, night(0), 5, extract="second")
    by_publishing = kept(lake).read_bytes()
    kept(lake).unlink()
    rebuilt = await asyncio.to_thread(rebuild, lake, "flexnet", "entitlement")
    assert kept(lake).read_bytes() == by_publishing
    assert rebuilt is not None
    assert list(rebuilt.nights) == [night(0), night(1), night(2)]


async def test_two_that_publish_at_once_lose_nothing(lake: Lake) -> None:
    await asyncio.gather(*(published(lake, night(number), number + 1) for number in range(6)))
    assert await states(lake, *map(night, range(6))) == ["published"] * 6


async def test_nights_whose_log_was_cleaned_up_are_told_by_the_table(lake: Lake) -> None:
    from deltalake import DeltaTable

    for number, rows in enumerate((3, 0, 4)):
        await published(lake, night(number), rows, index=False, checks={"not_empty": False})
    table = DeltaTable(lake.table_url("flexnet", "entitlement"))
    table.create_checkpoint()
    log = Path(lake.url.removeprefix("file://")) / "tables/flexnet/entitlement/_delta_log"
    for version in range(table.version()):
        (log / f"{version:020d}.json").unlink()
    found = await asyncio.to_thread(history_of, lake, "flexnet", "entitlement")
    assert found is not None
    assert {one: (entry.rows, entry.version, entry.extract) for one, entry in found.nights.items()} == {
        night(0): (3, 1, None),
        night(1): (0, 2, None),
        night(2): (4, 3, "first"),
    }
    assert await states(lake, night(0), night(1), night(2)) == ["published", "empty", "published"]


async def test_a_failure_is_told_until_the_night_is_published(lake: Lake) -> None:
    drift = NightFailure(FailureKind.DRIFT, "a column is lost", at="2026-11-03T05:00:00+00:00")
    other = NightFailure(FailureKind.CHECKS, "not unique", at="2026-11-03T05:00:00+00:00")
    await asyncio.to_thread(record_failure, lake, "flexnet", "entitlement", night(0), drift)
    await asyncio.to_thread(record_failure, lake, "flexnet", "entitlement", night(1), other)
    assert await states(lake, night(0), night(1), night(2)) == ["drifted", "failed", "never"]
    await published(lake, night(0), 3)
    assert await states(lake, night(0), night(1)) == ["published", "failed"]
    assert not kept(lake).with_suffix("").joinpath(f"failed-{night(0)}.json").exists()


async def test_a_failure_after_the_publish_takes_nothing_away(lake: Lake) -> None:
    await published(lake, night(0), 3)
    later = NightFailure(FailureKind.DRIFT, "a column is lost", at="2099-01-01T00:00:00+00:00")
    await asyncio.to_thread(record_failure, lake, "flexnet", "entitlement", night(0), later)
    grid = await NightIndex(lake).read(nights=[night(0)], sources=SOURCES)
    cell = grid.cell("flexnet", "entitlement", night(0))
    assert (cell.state, cell.failure) == (CellState.PUBLISHED, later)


async def test_a_table_that_cannot_be_read_is_told_and_hides_no_other(lake: Lake) -> None:
    await published(lake, night(0), 3)
    log = Path(lake.url.removeprefix("file://")) / "tables/flexnet/broken/_delta_log"
    log.mkdir(parents=True)
    (log / f"{0:020d}.json").write_text("{]")
    grid = await NightIndex(lake).read(nights=[night(0)], sources={"flexnet": ["entitlement", "broken"]})
    assert grid.cell("flexnet", "entitlement", night(0)).state is CellState.PUBLISHED
    assert grid.cell("flexnet", "broken", night(0)).state is CellState.UNPROVEN
    assert "cannot be read" in grid.reports["flexnet", "broken"].trouble


async def test_an_index_that_cannot_be_written_fails_no_publish(lake: Lake) -> None:
    await published(lake, night(0), 3, index=False)
    folder = kept(lake).parent
    folder.parent.mkdir(parents=True)
    folder.write_text("a file where the folder would be")
    await asyncio.to_thread(record_published, lake, "flexnet", "entitlement", [night(0)])
    folder.unlink()
    assert await states(lake, night(0)) == ["published"]


def test_reading_makes_no_folder_of_a_report(lake: Lake) -> None:
    assert read(lake, nights=[night(0)], sources=SOURCES).cell("flexnet", "entitlement", night(0)).state == "never"
    assert list(Path(lake.url.removeprefix("file://")).iterdir()) == []


async def test_the_last_schema_change_is_told_with_its_night(lake: Lake) -> None:
    await published(lake, night(0), 2)
    manifest = await land_night(lake, [[{"id": "x", "value": "y", "more": 1}]], night=night(1))
    await asyncio.to_thread(publish, lake, manifest, PublishSpec(key=("id",)))
    grid = await NightIndex(lake).read(nights=[night(0)], sources=SOURCES)
    entry = grid.reports["flexnet", "entitlement"].entry(night(1))
    assert entry is not None
    assert entry.added == ("more",)


def lately(days: int) -> str:
    return (datetime.now(UTC).date() - timedelta(days=days)).isoformat()


async def unpublished(lake: Lake, day: str) -> bool:
    return await asyncio.to_thread(is_unpublished, lake, "flexnet", "entitlement", day)


async def test_that_a_night_is_not_there_is_proved_by_the_index_only_while_the_table_bears_it_out(lake: Lake) -> None:
    assert not await unpublished(lake, lately(1)), "there is no index"
    await published(lake, lately(3), 3)
    await published(lake, lately(2), 0, checks={"not_empty": False})
    assert await unpublished(lake, lately(1))
    assert not await unpublished(lake, lately(2)), "it is there, without a row"
    assert not await unpublished(lake, lately(40)), "of so long ago nothing is proved"
    await published(lake, lately(1), 3, index=False)
    assert not await unpublished(lake, lately(1)), "the table has changed since"
    assert not await unpublished(lake, lately(0)), "nothing else is believed of it either"
    kept(lake).write_bytes(b"{}")
    assert not await unpublished(lake, lately(0))


async def test_whether_a_night_is_published_is_asked_of_the_table_where_the_index_proves_nothing(lake: Lake) -> None:
    await published(lake, lately(2), 3)
    await published(lake, lately(1), 3, index=False)
    look = partial(published_report, lake, is_likely=False)
    assert await asyncio.to_thread(look, "flexnet/entitlement", lately(1)) is not None
    assert await asyncio.to_thread(look, "flexnet/entitlement", lately(0)) is None
