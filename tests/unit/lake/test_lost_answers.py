"""A commit whose answer is lost: whoever finds it counts it, whatever came after it, and no file that a version names
is ever deleted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import deltalake
import pytest
from deltalake.exceptions import CommitFailedError

from nightshift.lake import delta
from nightshift.lake.delta import NightTable
from nightshift.lake.errors import Contended, Damaged, SchemaDrift
from nightshift.lake.extract import Manifest
from nightshift.lake.spec import PublishSpec
from nightshift.lake.store import Lake
from nightshift.lake.tables import publish
from tests.published import land, publish_night

REPORT, BEFORE, NIGHT = "flexnet/entitlement", "2026-05-31", "2026-06-01"
SPEC = PublishSpec(key=("id",))


@pytest.fixture
def manifest(lake: Lake) -> Manifest:
    publish_night(lake, REPORT, BEFORE)
    return asyncio.run(land(lake, REPORT, NIGHT))


@pytest.fixture
def folder(lake: Lake) -> Path:
    return Path(lake.url.removeprefix("file://"), "tables", REPORT)


Lose = Callable[..., None]


@pytest.fixture
def lose(monkeypatch: pytest.MonkeyPatch) -> Lose:
    """Lose the answers to commits, as the library tells it that sent an entry again and was refused because of itself."""
    write = deltalake.DeltaTable.create_write_transaction

    def losing(then: Callable[[], object] = lambda: None, *, times: int = 1, late: bool = False) -> None:
        calls: list[int] = []

        def lost(self: deltalake.DeltaTable, *args: object, **more: object) -> None:
            calls.append(1)
            if len(calls) > times:
                return write(self, *args, **more)  # type: ignore[arg-type]
            if not late:
                write(self, *args, **more)  # type: ignore[arg-type]
                monkeypatch.setattr(deltalake.DeltaTable, "create_write_transaction", write)
                then()
                monkeypatch.setattr(deltalake.DeltaTable, "create_write_transaction", lost)
            raise CommitFailedError("Failed to commit transaction: 0")

        monkeypatch.setattr(deltalake.DeltaTable, "create_write_transaction", lost)

    return losing


def assert_whole(lake: Lake, folder: Path) -> None:
    """No version names a file that is gone."""
    table = NightTable(lake, *REPORT.split("/"))
    newest = table.snapshot()
    assert newest is not None
    for version in range(newest.version + 1):
        then = table.snapshot(version)
        assert then is not None
        assert [path for path, _ in then.files() if not (folder / path).exists()] == []


@pytest.mark.parametrize("rows", [12, 0])
def test_of_the_last_attempt_it_is_found(
    lake: Lake, folder: Path, lose: Lose, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_night(lake, REPORT, BEFORE)
    monkeypatch.setattr(delta, "ATTEMPTS", 1)
    landed = asyncio.run(land(lake, REPORT, NIGHT, rows=rows))
    spec = PublishSpec(key=("id",), schema_rules={"allow_lost_columns": ["id"]})
    lose()
    done = publish(lake, landed, spec)
    assert (done.already, done.version, done.nights) == (False, 2, {NIGHT: rows})
    assert_whole(lake, folder)


def test_it_is_found_under_what_another_engine_has_changed_since(
    lake: Lake, folder: Path, manifest: Manifest, lose: Lose
) -> None:
    def constrain() -> None:
        deltalake.DeltaTable(str(folder)).alter.add_constraint({"there": "id is not null"})

    lose(constrain)
    done = publish(lake, manifest, SPEC)
    assert (done.already, done.version, done.nights) == (False, 2, {NIGHT: 12})
    assert_whole(lake, folder)


def test_it_is_found_under_a_newer_extract_and_its_files_stay(
    lake: Lake, folder: Path, manifest: Manifest, lose: Lose
) -> None:
    lose(lambda: publish_night(lake, REPORT, NIGHT, rows=20, extract="newest-1"))
    done = publish(lake, manifest, SPEC)
    assert (done.already, done.version, done.nights) == (False, 2, {NIGHT: 12})
    assert_whole(lake, folder)
    assert publish(lake, manifest, SPEC).kept.keys() == {NIGHT}


def test_files_of_an_entry_that_may_still_come_to_count_are_left_to_maintenance(
    lake: Lake, folder: Path, manifest: Manifest, lose: Lose, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delta, "ATTEMPTS", 2)
    lose(times=2, late=True)
    with pytest.raises(Contended):
        publish(lake, manifest, SPEC)
    assert len(list(folder.glob(f"night={NIGHT}/*.parquet"))) == 1
    assert publish(lake, manifest, SPEC).nights == {NIGHT: 12}
    assert_whole(lake, folder)


def test_files_that_are_part_of_nothing_for_certain_are_withdrawn(lake: Lake, folder: Path, manifest: Manifest) -> None:
    def say(line: str) -> None:
        if "files are in place" in line:
            deltalake.DeltaTable(str(folder)).alter.add_constraint({"there": "id is not null"})

    with pytest.raises(SchemaDrift):
        publish(lake, manifest, SPEC, say=say)
    assert list(folder.glob(f"night={NIGHT}/*.parquet")) == []


def test_a_night_whose_file_is_gone_is_not_called_published_but_published_again(
    lake: Lake, folder: Path, manifest: Manifest
) -> None:
    publish(lake, manifest, SPEC)
    (file,) = folder.glob(f"night={NIGHT}/*.parquet")
    file.unlink()
    said: list[str] = []
    done = publish(lake, manifest, SPEC, say=said.append)
    assert (done.already, done.nights) == (False, {NIGHT: 12})
    assert any(f"{file.name} is gone" in line for line in said)
    assert len(list(folder.glob(f"night={NIGHT}/*.parquet"))) == 1
    assert publish(lake, manifest, SPEC).already


def test_a_newer_extract_whose_file_is_gone_is_told_by_the_older_one(
    lake: Lake, folder: Path, manifest: Manifest
) -> None:
    publish_night(lake, REPORT, NIGHT, rows=20, extract="newest-1")
    for file in folder.glob(f"night={NIGHT}/*.parquet"):
        file.unlink()
    with pytest.raises(
        Damaged, match=r"newer extract of 2026-06-01 .* is gone.*Clear the publish of that newer extract"
    ):
        publish(lake, manifest, SPEC)
