"""Every version of the time that is kept stays readable, whatever a checkpoint has forgotten meanwhile."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import deltalake
import pytest

from nightshift.lake import delta
from nightshift.lake.delta import CHECKPOINT_EVERY, NightTable
from nightshift.lake.maintenance import Removed, vacuum
from nightshift.lake.retention import DELETED_FILES, LOG_ENTRIES, MARK, hold_versions, said
from nightshift.lake.store import Lake
from tests.published import publish_night

DAY = timedelta(days=1)
NOW = datetime.now(UTC)
NIGHT, REPORT = "2026-06-01", "flexnet/entitlement"


@pytest.fixture
def table(lake: Lake) -> NightTable:
    return NightTable(lake, *REPORT.split("/"))


@pytest.fixture
def folder(lake: Lake) -> Path:
    return Path(lake.url.removeprefix("file://"), "tables", REPORT)


@pytest.fixture
def as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables are made as an earlier version made them: what is kept is left to Delta."""
    monkeypatch.setattr(delta, "made_with", dict)


def properties(folder: Path) -> dict[str, str]:
    return dict(deltalake.DeltaTable(str(folder)).metadata().configuration)


def age(path: Path, days: float) -> None:
    at = (NOW - days * DAY).timestamp()
    os.utime(path, (at, at))


def written(folder: Path, version: int, days: float) -> None:
    """Let an entry of the log be of another day."""
    log, at = folder / f"_delta_log/{version:020d}.json", int((NOW - days * DAY).timestamp() * 1000)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    for line in lines:
        if "remove" in line:
            line["remove"]["deletionTimestamp"] = at
        if "commitInfo" in line:
            line["commitInfo"]["timestamp"] = at
    log.write_text("\n".join(map(json.dumps, lines)) + "\n")
    age(log, days)


def more_nights(lake: Lake, month: str, count: int) -> None:
    for day in range(1, count + 1):
        publish_night(lake, REPORT, f"{month}-{day:02d}")


def rows_of(table: NightTable, version: int) -> int:
    then = table.snapshot(version)
    assert then is not None
    return int(then.table.to_pyarrow_dataset().count_rows())


def replaced(lake: Lake, folder: Path, *, days: float) -> Path:
    """Publish a night forty days ago, and replace it later; return the file of the first time."""
    publish_night(lake, REPORT, NIGHT)
    (first,) = folder.glob(f"night={NIGHT}/*.parquet")
    age(first, 40)
    publish_night(lake, REPORT, NIGHT, rows=20, extract="second")
    for version, its in ((0, 40.0), (1, 40.0), (2, days)):
        written(folder, version, its)
    return first


def test_a_table_is_made_to_keep_what_versions_of_thirty_days_need(lake: Lake, folder: Path) -> None:
    publish_night(lake, REPORT, NIGHT)
    assert properties(folder) == {DELETED_FILES: "interval 744 hours", LOG_ENTRIES: "interval 744 hours"}


@pytest.mark.usefixtures("as_before")
def test_a_file_that_a_checkpoint_has_forgotten_stays_for_the_versions_that_have_it(
    lake: Lake, folder: Path, table: NightTable
) -> None:
    first = replaced(lake, folder, days=9)
    more_nights(lake, "2026-07", CHECKPOINT_EVERY)
    log = folder / "_delta_log"
    assert [int(path.name[:20]) for path in log.glob("*.checkpoint.parquet")] == [CHECKPOINT_EVERY]
    hold_versions(table, 30 * DAY, print)
    assert vacuum(lake, "flexnet", "entitlement", 30 * DAY) == Removed()
    assert first.exists()
    size = first.stat().st_size
    written(folder, 2, 31)
    assert vacuum(lake, "flexnet", "entitlement", 30 * DAY) == Removed(1, size)
    assert not first.exists()


def test_a_table_of_ours_remembers_what_was_removed(lake: Lake, folder: Path, table: NightTable) -> None:
    first = replaced(lake, folder, days=9)
    more_nights(lake, "2026-07", CHECKPOINT_EVERY)
    now = table.snapshot()
    assert now is not None
    # What the library would delete, which looks at checkpoints alone.
    assert now.table.vacuum(30 * 24, dry_run=True, full=True, enforce_retention_duration=False) == []
    assert vacuum(lake, "flexnet", "entitlement", 30 * DAY) == Removed()
    assert (first.exists(), rows_of(table, 1)) == (True, 12)


@pytest.mark.usefixtures("as_before")
def test_the_log_is_cut_no_earlier_than_is_kept(lake: Lake, folder: Path, table: NightTable) -> None:
    publish_night(lake, REPORT, NIGHT)
    hold_versions(table, 90 * DAY, print)
    more_nights(lake, "2026-07", CHECKPOINT_EVERY)
    for version in range(CHECKPOINT_EVERY + 1):
        written(folder, version, 60)
    for path in (folder / "_delta_log").glob("*.checkpoint.parquet"):
        age(path, 60)
    more_nights(lake, "2026-08", CHECKPOINT_EVERY)
    assert rows_of(table, 1) == 12


@pytest.mark.usefixtures("as_before")
def test_it_is_set_once_and_only_made_longer(lake: Lake, folder: Path, table: NightTable) -> None:
    publish_night(lake, REPORT, NIGHT)
    said: list[str] = []
    hold_versions(table, 30 * DAY, said.append)
    hold_versions(table, 30 * DAY, said.append)
    hold_versions(table, 7 * DAY, said.append)
    assert said == ["flexnet/entitlement: what its versions need is kept for 744 hours from now on"]
    assert properties(folder) == dict.fromkeys((DELETED_FILES, LOG_ENTRIES, MARK), "interval 744 hours")
    hold_versions(table, 366 * DAY, said.append)
    hold_versions(table, 366 * DAY, said.append)
    assert properties(folder) == dict.fromkeys((DELETED_FILES, LOG_ENTRIES, MARK), "interval 8808 hours")
    assert (now := table.snapshot()) is not None
    assert now.version == 3
    publish_night(lake, REPORT, NIGHT, extract="second", key="other")
    more_nights(lake, "2026-07", CHECKPOINT_EVERY)
    assert properties(folder)[MARK] == "interval 8808 hours"
    assert vacuum(lake, "flexnet", "entitlement", 30 * DAY) == Removed()


def test_what_a_new_table_has_is_ours_to_change(lake: Lake, folder: Path, table: NightTable) -> None:
    publish_night(lake, REPORT, NIGHT)
    hold_versions(table, 30 * DAY, print)
    assert (now := table.snapshot()) is not None
    assert now.version == 1
    hold_versions(table, 90 * DAY, print)
    assert properties(folder) == dict.fromkeys((DELETED_FILES, LOG_ENTRIES, MARK), "interval 2184 hours")


@pytest.mark.parametrize("theirs", ["interval 2 days", "interval 1 week"])
def test_what_another_engine_has_set_is_left_and_told(lake: Lake, folder: Path, table: NightTable, theirs: str) -> None:
    publish_night(lake, REPORT, NIGHT)
    deltalake.DeltaTable(str(folder)).alter.set_table_properties({DELETED_FILES: theirs})
    told: list[str] = []
    hold_versions(table, 90 * DAY, told.append)
    assert f"another engine has set {DELETED_FILES} to '{theirs}'" in told[0]
    assert (properties(folder)[DELETED_FILES], properties(folder)[LOG_ENTRIES]) == (theirs, "interval 2184 hours")
    first = replaced(lake, folder, days=9)
    assert vacuum(lake, "flexnet", "entitlement", 30 * DAY) == Removed()
    assert first.exists()


def test_files_stay_as_long_as_another_engine_has_said(lake: Lake, folder: Path, table: NightTable) -> None:
    first = replaced(lake, folder, days=35)
    deltalake.DeltaTable(str(folder)).alter.set_table_properties({DELETED_FILES: "interval 90 days"})
    assert vacuum(lake, "flexnet", "entitlement", 30 * DAY) == Removed()
    assert first.exists()


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("interval 30 days", 30 * DAY),
        ("interval 1 week", 7 * DAY),
        ("INTERVAL '2' HOURS", timedelta(hours=2)),
        ("10 minutes", timedelta(minutes=10)),
        ("interval 1 month", None),
    ],
)
def test_what_a_property_says(text: str, time: timedelta | None) -> None:
    assert said({LOG_ENTRIES: text}, LOG_ENTRIES) == time
    assert said({}, DELETED_FILES) == 7 * DAY
