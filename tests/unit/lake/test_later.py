"""A snapshot that is brought up to date is the table as it is now, or there is none."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path

import deltalake
import pytest

from nightshift.lake import objects
from nightshift.lake.delta import CHECKPOINT_EVERY, NightTable
from nightshift.lake.snapshot import Snapshot
from nightshift.lake.spec import PublishSpec
from nightshift.lake.store import Lake
from nightshift.lake.tables import publish
from tests.unit.lake.conftest import NIGHT, land_night


def night(number: int) -> str:
    return (date.fromisoformat(NIGHT) + timedelta(days=number)).isoformat()


async def brought(lake: Lake, number: int, rows: int = 2, *, take: int = 1, **more: object) -> None:
    page = [{"id": one, **more} for one in range(rows)]
    at = {"extract": f"take-{take}", "finished": f"{night(number)}T1{take}:00:00+00:00"}
    publish(lake, await land_night(lake, [page], night=night(number), **at), PublishSpec())


@pytest.fixture
async def table(lake: Lake) -> NightTable:
    await brought(lake, 0)
    return NightTable(lake, "flexnet", "entitlement")


def opened(table: NightTable) -> Snapshot:
    found = table.snapshot()
    assert found is not None
    assert found.mark(night(0)) is not None, "its transactions are read"
    return found


def told(found: Snapshot | None) -> tuple[object, ...]:
    assert found is not None
    marks = [found.mark(night(number)) for number in range(2 * CHECKPOINT_EVERY)]
    return found.version, found.fields, sorted(found.files()), found.nights(), found.sizes(), marks


@pytest.mark.parametrize("commits", [0, 1, 3, CHECKPOINT_EVERY + 2])
async def test_it_is_as_if_it_was_opened_anew(lake: Lake, table: NightTable, commits: int) -> None:
    before = opened(table)
    for number in range(commits):
        # Nights that are replaced, and a column that is new.
        await brought(lake, number, rows=3 + number, take=2, extra=f"{number}")
    later = before.later()
    assert told(later) == told(table.snapshot())
    again = None if later is None else later.later()
    assert told(again) == told(table.snapshot())


async def test_another_engine_may_have_changed_what_it_likes(lake: Lake, table: NightTable) -> None:
    before = opened(table)
    theirs = deltalake.DeltaTable(table.url)
    theirs.alter.add_columns([deltalake.Field("theirs", "string")])
    theirs.alter.set_table_properties({"delta.appendOnly": "true"})
    later = before.later()
    assert told(later) == told(table.snapshot())
    assert later is not None
    assert later.table.metadata().configuration["delta.appendOnly"] == "true"


async def test_a_table_that_was_made_anew_is_opened_anew(lake: Lake, table: NightTable) -> None:
    before = opened(table)
    folder = Path(lake.url.removeprefix("file://"), "tables/flexnet/entitlement")
    shutil.rmtree(folder)
    for number in range(3):
        await brought(lake, number + 5)
    assert before.later() is None
    assert told(table.later(None)) == told(table.snapshot())


async def test_a_table_that_is_gone_is_gone(lake: Lake, table: NightTable) -> None:
    before = opened(table)
    shutil.rmtree(Path(lake.url.removeprefix("file://"), "tables/flexnet/entitlement"))
    assert table.later(before) is None


async def test_where_the_log_was_cut_it_is_opened_anew(lake: Lake, table: NightTable) -> None:
    before = opened(table)
    objects.delete(table.objects(), [f"_delta_log/{before.version:020d}.json"])
    assert before.later() is None


async def test_only_the_version_that_is_asked_for_is_given(lake: Lake, table: NightTable) -> None:
    first = opened(table)
    await brought(lake, 1)
    await brought(lake, 2)
    asked = first.version + 1
    found = table.later(first, asked)
    assert found is not None
    assert (found.version, sorted(found.nights())) == (asked, [night(0), night(1)])


async def test_who_was_brought_up_to_date_says_so_instead_of_something_newer(lake: Lake, table: NightTable) -> None:
    before = opened(table)
    await brought(lake, 1)
    assert before.later() is not None
    assert before.nights() == {night(0): 2}, "what was read stays"
    with pytest.raises(RuntimeError, match="brought up to date"):
        _ = before.table
    assert before.later() is None
