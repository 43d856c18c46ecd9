from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from nightshift.lake.commit_note import transaction
from nightshift.lake.delta import CHECKPOINT_EVERY, NightTable
from nightshift.lake.spec import PublishSpec
from nightshift.lake.store import Lake
from nightshift.lake.tables import publish
from nightshift.lake.transactions import transactions_at
from tests.unit.lake.conftest import NIGHT, land_night

COMMITS = CHECKPOINT_EVERY + 3
NIGHTS = [(date.fromisoformat(NIGHT) + timedelta(days=number)).isoformat() for number in range(COMMITS)]
NAMES = [transaction(night, what) for night in NIGHTS for what in ("", "rows", "version", "finished")]


@pytest.fixture
async def table(lake: Lake) -> NightTable:
    for number, night in enumerate(NIGHTS):
        publish(lake, await land_night(lake, [[{"id": number}]], night=night), PublishSpec())
    return NightTable(lake, "flexnet", "entitlement")


def log_of(lake: Lake) -> Path:
    return Path(lake.url.removeprefix("file://"), "tables/flexnet/entitlement/_delta_log")


async def test_they_are_those_that_the_library_finds_one_by_one(lake: Lake, table: NightTable) -> None:
    newest = table.snapshot()
    assert newest is not None
    known = transactions_at(table.objects(), newest.version)
    assert known == {name: newest.table.transaction_version(name) for name in NAMES}
    assert len(known) == len(NAMES)
    before = table.snapshot(newest.version - 1)
    assert before is not None
    assert before.mark(NIGHTS[-2]) is not None
    assert before.mark(NIGHTS[-1]) is None


async def test_a_checkpoint_is_written_now_and_then(lake: Lake, table: NightTable) -> None:
    assert [int(path.name[:20]) for path in log_of(lake).glob("*.checkpoint.parquet")] == [CHECKPOINT_EVERY]


async def test_of_a_version_before_the_checkpoint_the_library_is_asked(lake: Lake, table: NightTable) -> None:
    assert transactions_at(table.objects(), CHECKPOINT_EVERY - 2) is None
    old = table.snapshot(CHECKPOINT_EVERY - 2)
    assert old is not None
    assert old.mark(NIGHTS[0]) is not None
    assert old.mark(NIGHTS[-1]) is None


@pytest.mark.parametrize(
    "hint", [b"{", b'{"version":10,"size":1,"parts":2}', b'{"version":10,"size":1,"v2Checkpoint":{}}']
)
async def test_a_checkpoint_of_another_form_is_left_to_the_library(lake: Lake, table: NightTable, hint: bytes) -> None:
    (log_of(lake) / "_last_checkpoint").write_bytes(hint)
    newest = table.snapshot()
    assert newest is not None
    assert newest.mark(NIGHTS[0]) is not None
    assert newest.mark(NIGHTS[-1]) is not None


async def test_a_log_without_its_beginning_is_left_to_the_library(lake: Lake, table: NightTable) -> None:
    (log_of(lake) / "_last_checkpoint").unlink()
    (log_of(lake) / f"{0:020d}.json").unlink()
    newest = table.snapshot()
    assert newest is not None
    assert transactions_at(table.objects(), newest.version) is None
    assert newest.mark(NIGHTS[0]) is not None


async def test_a_checkpoint_that_cannot_be_read_is_left_to_the_library(lake: Lake, table: NightTable) -> None:
    newest = table.snapshot()
    assert newest is not None
    (log_of(lake) / f"{CHECKPOINT_EVERY:020d}.checkpoint.parquet").unlink()
    assert transactions_at(table.objects(), newest.version) is None
