from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from pathlib import Path

import deltalake
import pytest

from nightshift.lake import maintenance
from nightshift.lake.delta import CHECKPOINT_EVERY, NightTable, published_night
from nightshift.lake.recent import LOOKED_AT, recent_night
from nightshift.lake.spec import PublishSpec
from nightshift.lake.store import Lake
from nightshift.lake.tables import publish
from tests.unit.lake.conftest import NIGHT, land_night

NIGHTS = [(date.fromisoformat(NIGHT) + timedelta(days=number)).isoformat() for number in range(LOOKED_AT + 3)]
NEVER = "2020-01-01"
Change = Callable[[Lake, str], Awaitable[object]]


async def brought(lake: Lake, night: str, rows: int = 2, extract: str = "first") -> None:
    finished = f"{night}T0{2 if extract == 'first' else 3}:00:00+00:00"
    pages = [[{"id": number, "day": night} for number in range(rows)]]
    manifest = await land_night(lake, pages, night=night, extract=extract, finished=finished)
    publish(lake, manifest, PublishSpec())


def told(lake: Lake, night: str) -> tuple[object, object]:
    table = NightTable(lake, "flexnet", "entitlement")
    snapshot = table.snapshot()
    assert snapshot is not None
    recent = recent_night(lake, "flexnet", "entitlement", night)
    whole = snapshot.published("flexnet", "entitlement", night)
    assert published_night(lake, "flexnet", "entitlement", night) == whole
    return recent, whole


async def test_it_says_of_every_night_what_the_table_says_or_nothing(lake: Lake) -> None:
    for night in NIGHTS:
        await brought(lake, night)
        assert told(lake, night)[0] is not None
    found = [told(lake, night) for night in NIGHTS]
    assert all(recent in (None, whole) for recent, whole in found)
    assert all(recent is not None for recent, _ in found[-LOOKED_AT:])
    assert found[0][0] is None
    assert told(lake, NEVER) == (None, None)
    assert len(NIGHTS) > CHECKPOINT_EVERY


async def test_a_night_without_rows_and_one_that_was_published_again(lake: Lake) -> None:
    await brought(lake, NIGHTS[0], rows=0)
    await brought(lake, NIGHTS[1])
    await brought(lake, NIGHTS[1], rows=5, extract="second")
    for night, rows in ((NIGHTS[0], 0), (NIGHTS[1], 5)):
        recent, whole = told(lake, night)
        assert recent == whole
        assert whole is not None
        assert whole.rows == rows  # type: ignore[attr-defined]


def opened(lake: Lake) -> deltalake.DeltaTable:
    return deltalake.DeltaTable(lake.table_url("flexnet", "entitlement"))


async def rows_deleted(lake: Lake, night: str) -> None:
    opened(lake).delete(f"night = '{night}' AND id = 0")


async def all_deleted(lake: Lake, night: str) -> None:
    opened(lake).delete()


async def rewritten(lake: Lake, night: str) -> None:
    opened(lake).optimize.z_order(["id"])


@pytest.mark.parametrize("change", [rows_deleted, all_deleted, rewritten])
async def test_a_night_that_another_engine_has_changed_since_is_left_to_the_table(lake: Lake, change: Change) -> None:
    await brought(lake, NIGHTS[0])
    await change(lake, NIGHTS[0])
    recent, whole = told(lake, NIGHTS[0])
    assert recent is None
    assert whole is not None


async def test_what_another_engine_did_to_other_nights_says_nothing_of_this_one(lake: Lake) -> None:
    for night in NIGHTS[:2]:
        await brought(lake, night)
    await rows_deleted(lake, NIGHTS[0])
    recent, whole = told(lake, NIGHTS[1])
    assert recent == whole is not None
    assert maintenance.compact(lake, "flexnet", "entitlement").nights == ()


def test_a_file_that_was_removed_without_a_word_on_its_night_may_be_of_this_one(lake: Lake) -> None:
    asyncio.run(brought(lake, NIGHTS[0]))
    log = Path(lake.url.removeprefix("file://"), "tables/flexnet/entitlement/_delta_log")
    version = len(list(log.glob("*.json")))
    remove = {"path": "ab/part-0.parquet", "dataChange": True, "deletionTimestamp": 1}
    (log / f"{version:020d}.json").write_text(json.dumps({"remove": remove}))
    assert recent_night(lake, "flexnet", "entitlement", NIGHTS[0]) is None


def test_no_table_is_none(lake: Lake) -> None:
    assert recent_night(lake, "flexnet", "entitlement", NIGHT) is None
    assert published_night(lake, "flexnet", "entitlement", NIGHT) is None
    assert not Path(lake.url.removeprefix("file://"), "tables").exists()
