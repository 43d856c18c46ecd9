from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nightshift.lake.maintenance import delete_old_incidents
from nightshift.lake.store import Lake

DAY = timedelta(days=1)
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
YEAR = 366 * DAY
OLD, YOUNG = "2025-06-01", "2026-06-01"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "incidents"


def incident(folder: Path, name: str, *objects: str, days: float = 400) -> None:
    for one in objects or ("r000001.json", "r000002.json", "u000001.mail.01.json"):
        path = folder / name / one
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
        at = (NOW - days * DAY).timestamp()
        os.utime(path, (at, at))


def left(folder: Path) -> list[str]:
    return sorted(path.parent.name for path in folder.rglob("r000002.json"))


def test_those_go_of_which_nothing_was_known_for_long(tmp_path: Path, folder: Path) -> None:
    incident(folder, f"{OLD}.flexnet.entitlement.absent")
    incident(folder, f"{OLD}.flexnet.absent.again-2")
    incident(folder, f"{OLD}.tokenflex.usage.absent")
    incident(folder, f"{YOUNG}.flexnet.entitlement.absent")
    incident(folder, f"{OLD}.flexnet.account.altered", days=3)
    incident(folder, "what-is-this")
    kept = left(folder)
    lake = Lake.from_url(str(tmp_path))
    told = delete_old_incidents(lake, "flexnet", YEAR, at=NOW, dry_run=True)
    assert left(folder) == kept
    gone = delete_old_incidents(lake, "flexnet", YEAR, at=NOW)
    assert gone == told
    assert (gone.objects, gone.bytes) == (6, 12)
    assert gone.names == (f"{OLD}.flexnet.absent.again-2", f"{OLD}.flexnet.entitlement.absent")
    assert set(kept) - set(left(folder)) == set(gone.names)
    assert delete_old_incidents(lake, "flexnet", YEAR, at=NOW).objects == 0


def test_an_attempt_that_was_left_of_one_goes_as_well(tmp_path: Path, folder: Path) -> None:
    incident(folder, f"{OLD}.flexnet.entitlement.absent", "u000001.mail.01.json")
    assert delete_old_incidents(Lake.from_url(str(tmp_path)), "flexnet", YEAR, at=NOW).objects == 1


def test_a_short_time_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="90 days at least"):
        delete_old_incidents(Lake.from_url(str(tmp_path)), "flexnet", 30 * DAY, at=NOW)
