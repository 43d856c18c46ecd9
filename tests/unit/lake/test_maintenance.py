"""What care of a table and its landing deletes, and what it never does."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import deltalake
import pyarrow as pa
import pytest

from nightshift.lake.delta import NightTable
from nightshift.lake.landing import Landing
from nightshift.lake.maintenance import LandingRules, Removed, compact, tidy_landing, vacuum
from nightshift.lake.snapshot import Snapshot
from nightshift.lake.spec import PublishSpec
from nightshift.lake.store import Lake
from nightshift.lake.tables import publish
from tests.published import land, publish_night

DAY = timedelta(days=1)
NOW = datetime.now(UTC)
NIGHT = "2026-06-01"
MONTH = LandingRules(superseded=30 * DAY)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    found = Lake.from_url(str(tmp_path))
    publish_night(found, "flexnet/entitlement", NIGHT)
    return found


@pytest.fixture
def table(tmp_path: Path, lake: Lake) -> Path:
    return tmp_path / "tables/flexnet/entitlement"


def now_in(lake: Lake) -> Snapshot:
    found = NightTable(lake, "flexnet", "entitlement").snapshot()
    assert found is not None
    return found


def age(path: Path, days: float) -> None:
    at = (NOW - days * DAY).timestamp()
    os.utime(path, (at, at))


def ids(lake: Lake) -> list[str]:
    return sorted(now_in(lake).table.to_pyarrow_dataset().to_table()["id"].to_pylist())


def scatter(table: Path, files: int = 6) -> None:
    """Append as another engine does, a small file each time."""
    for number in range(files):
        rows = pa.table({"id": [f"x{number}"], "night": pa.array([NIGHT]).cast(pa.date32())})
        deltalake.write_deltalake(str(table), rows, mode="append")


def test_small_files_become_one_and_every_row_stays(lake: Lake, table: Path) -> None:
    scatter(table)
    before, mark = ids(lake), now_in(lake).mark(NIGHT)
    done = compact(lake, "flexnet", "entitlement")
    assert (done.nights, done.files_before, done.files_now) == ((NIGHT,), 7, 1)
    assert (ids(lake), now_in(lake).mark(NIGHT)) == (before, mark)
    assert compact(lake, "flexnet", "entitlement").nights == ()


def test_a_night_is_published_again_after_its_files_were_put_together(lake: Lake, table: Path) -> None:
    scatter(table)
    compact(lake, "flexnet", "entitlement")
    published = publish(lake, asyncio.run(land(lake, "flexnet/entitlement", NIGHT)), PublishSpec(key=("id",)))
    assert published.nights == {NIGHT: 12}
    assert len(ids(lake)) == 12


def test_a_publish_that_comes_between_wins_and_nothing_of_it_is_lost(
    lake: Lake, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scatter(table)
    opened = NightTable.snapshot
    looks: list[int] = []

    def snapshot(self: NightTable, version: int | None = None) -> Snapshot | None:
        found = opened(self, version)
        looks.append(1)
        if len(looks) == 2:
            monkeypatch.setattr(NightTable, "snapshot", opened)
            publish_night(lake, "flexnet/entitlement", NIGHT, rows=20, extract="second")
        return found

    monkeypatch.setattr(NightTable, "snapshot", snapshot)
    done = compact(lake, "flexnet", "entitlement")
    assert now_in(lake).nights() == {NIGHT: 20}
    assert (done.files_before, done.given_up) == (0, ())


def test_a_retention_that_would_take_files_from_a_reader_is_refused(lake: Lake) -> None:
    with pytest.raises(ValueError, match="7 days at least"):
        vacuum(lake, "flexnet", "entitlement", timedelta(days=6, hours=23))


def test_only_what_no_version_of_the_retention_has_is_deleted(lake: Lake, table: Path) -> None:
    (first,) = [path for path, _ in now_in(lake).files()]
    publish_night(lake, "flexnet/entitlement", NIGHT, rows=20, extract="second")
    dead, young = (table / f"night={NIGHT}" / name for name in ("dead.parquet", "young.parquet"))
    for orphan in (dead, young):
        orphan.write_bytes(b"x" * 100)
    age(dead, 40)
    assert vacuum(lake, "flexnet", "entitlement", 30 * DAY, dry_run=True) == Removed(1, 100)
    assert dead.exists()
    assert vacuum(lake, "flexnet", "entitlement", 30 * DAY) == Removed(1, 100)
    assert (dead.exists(), young.exists(), (table / first).exists()) == (False, True, True)
    log = table / "_delta_log/00000000000000000002.json"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    for line in lines:
        if "remove" in line:
            line["remove"]["deletionTimestamp"] = int((NOW - 40 * DAY).timestamp() * 1000)
    log.write_text("\n".join(map(json.dumps, lines)) + "\n")
    assert vacuum(lake, "flexnet", "entitlement", 30 * DAY).objects == 1
    assert not (table / first).exists()
    assert (now_in(lake).nights(), len(ids(lake))) == ({NIGHT: 20}, 20)


def test_a_publish_after_a_vacuum_finds_everything(lake: Lake) -> None:
    vacuum(lake, "flexnet", "entitlement", 30 * DAY)
    publish_night(lake, "flexnet/entitlement", "2026-06-02")
    assert now_in(lake).nights() == {NIGHT: 12, "2026-06-02": 12}


class Shelf:
    """The landing of one night."""

    def __init__(self, lake: Lake, root: Path) -> None:
        self.lake = lake
        self.folder = root / f"raw/flexnet/entitlement/night={NIGHT}"

    def put(self, extract: str, *, days: float, complete: bool = True) -> None:
        asyncio.run(land(self.lake, "flexnet/entitlement", NIGHT, extract=extract))
        if not complete:
            (self.folder / extract / "manifest.json").unlink()
        self.age(extract, days)

    def age(self, extract: str, days: float) -> None:
        for path in (self.folder / extract).iterdir():
            age(path, days)

    def there(self) -> set[str]:
        return {one.name for one in self.folder.iterdir() if any(one.iterdir())} if self.folder.exists() else set()

    def tidy(self, rules: LandingRules = MONTH, *, dry_run: bool = False) -> Removed:
        return tidy_landing(self.lake, "flexnet", "entitlement", rules, at=NOW, dry_run=dry_run)


@pytest.fixture
def shelf(lake: Lake, tmp_path: Path) -> Shelf:
    found = Shelf(lake, tmp_path)
    found.age("first", 100)
    return found


def test_the_extract_that_the_table_has_and_the_newest_one_stay_whatever_their_age(shelf: Shelf) -> None:
    """By their names: ``finished`` is later, the longer the name is."""
    shelf.put("old", days=90)
    shelf.put("newest-1", days=80)
    assert shelf.tidy(dry_run=True).names == (f"{NIGHT}/old",)
    assert shelf.there() == {"old", "first", "newest-1"}
    removed = shelf.tidy()
    assert (removed.objects, removed.names) == (2, (f"{NIGHT}/old",))
    assert removed.bytes > 0
    assert shelf.there() == {"first", "newest-1"}
    assert asyncio.run(Landing(shelf.lake, "flexnet", "entitlement", NIGHT).latest()) is not None


def test_what_is_young_is_damaged_or_is_all_there_is_stays(shelf: Shelf) -> None:
    shelf.put("old", days=29)
    shelf.put("odd", days=90)
    (shelf.folder / "odd/manifest.json").write_text("{")
    shelf.age("odd", 90)
    assert shelf.tidy() == Removed()
    alone = Shelf(shelf.lake, shelf.folder)
    alone.folder = shelf.folder.parent / "night=2026-06-02"
    asyncio.run(land(shelf.lake, "flexnet/entitlement", "2026-06-02", extract="half"))
    (alone.folder / "half/manifest.json").unlink()
    alone.age("half", 90)
    assert shelf.tidy() == Removed()
    assert alone.there() == {"half"}


def test_what_a_kill_has_left_of_an_extract_goes_the_next_time(shelf: Shelf) -> None:
    shelf.put("old", days=90, complete=False)
    assert shelf.tidy().names == (f"{NIGHT}/old",)
    assert shelf.there() == {"first"}


@pytest.mark.parametrize(("days", "gone"), [(400, False), (100, True)])
def test_a_night_goes_only_when_it_is_old_and_the_table_has_it(shelf: Shelf, days: int, gone: bool) -> None:
    rules = LandingRules(superseded=30 * DAY, nights=days * DAY)
    assert bool(shelf.tidy(rules).names) is gone
    assert (shelf.there() == set()) is gone


@pytest.fixture
def old_night(shelf: Shelf) -> LandingRules:
    """A night of which keep_landing lets the published extract go, and nothing else does."""
    return LandingRules(nights=100 * DAY)


def test_a_newer_extract_that_was_never_published_stays_and_the_published_one_goes(
    shelf: Shelf, old_night: LandingRules
) -> None:
    shelf.put("old", days=99)
    shelf.put("newest-1", days=80)
    assert set(shelf.tidy(old_night).names) == {f"{NIGHT}/first", f"{NIGHT}/old"}
    assert shelf.there() == {"newest-1"}


def test_an_extract_that_may_be_at_work_stays_whatever_the_rules_say(shelf: Shelf, old_night: LandingRules) -> None:
    shelf.put("half", days=1, complete=False)
    shelf.put("old", days=1.9)
    assert shelf.tidy(old_night).names == (f"{NIGHT}/first",)
    assert shelf.there() == {"half", "old"}


def test_one_that_was_worked_on_after_the_published_one_and_never_completed_is_newer(
    shelf: Shelf, old_night: LandingRules
) -> None:
    """A page of the first one came before it was finished, on the night itself."""
    shelf.put("before", days=0, complete=False)
    shelf.put("after", days=100, complete=False)
    for path in (shelf.folder / "before").iterdir():
        at = datetime.fromisoformat(f"{NIGHT}T23:00:00+00:00").timestamp()
        os.utime(path, (at, at))
    assert set(shelf.tidy(old_night).names) == {f"{NIGHT}/before", f"{NIGHT}/first"}
    assert shelf.there() == {"after"}


def test_what_a_kill_has_left_of_the_published_extract_goes_the_next_time(
    shelf: Shelf, old_night: LandingRules
) -> None:
    (shelf.folder / "first/manifest.json").unlink()
    assert shelf.tidy(old_night).names == (f"{NIGHT}/first",)


def test_without_its_log_entry_a_night_is_told_by_its_time(shelf: Shelf, old_night: LandingRules, table: Path) -> None:
    deltalake.DeltaTable(str(table)).create_checkpoint()
    for version in range(2):
        (table / f"_delta_log/{version:020d}.json").unlink()
    shelf.put("newest-1", days=80)
    shelf.put("other", days=80)
    assert shelf.tidy(old_night) == Removed()
    for path in (shelf.folder / "other").iterdir():
        path.unlink()
    assert shelf.tidy(old_night).names == (f"{NIGHT}/first",)


def test_an_old_night_whose_file_is_gone_from_the_table_stays(
    shelf: Shelf, old_night: LandingRules, table: Path
) -> None:
    (file,) = table.glob(f"night={NIGHT}/*.parquet")
    file.unlink()
    assert shelf.tidy(old_night) == Removed()
    assert shelf.there() == {"first"}


def test_an_old_night_that_somebody_changed_in_the_table_stays(shelf: Shelf, table: Path) -> None:
    scatter(table, 1)
    assert shelf.tidy(LandingRules(nights=100 * DAY)) == Removed()
    assert shelf.there() == {"first"}


@pytest.mark.parametrize("rules", [{"superseded": timedelta(hours=47)}, {"nights": 6 * DAY}])
def test_rules_that_would_take_what_is_worked_on_are_refused(rules: dict[str, timedelta]) -> None:
    with pytest.raises(ValueError):
        LandingRules(**rules)
