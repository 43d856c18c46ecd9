"""``nightshift nights``: the grid as the lake proves it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nightshift.lake.store import Lake
from tests.published import publish_night
from tests.unit.cli.conftest import REPORTS, Run

NIGHTS = ["2026-11-18", "2026-11-19", "2026-11-20"]
SHOWN = ("nights", "--nights", "3", "--until", NIGHTS[-1])


@pytest.fixture(autouse=True)
def published(lake: Lake) -> None:
    for night in NIGHTS:
        publish_night(lake, "flexnet/entitlement", night)
    publish_night(lake, "flexnet/device", NIGHTS[0], rows=3)
    publish_night(lake, "flexnet/device", NIGHTS[2])


def test_every_night_has_its_state_and_rows(run: Run) -> None:
    found = run(*SHOWN, "--json")
    assert found.exit_code == 0
    told = {one["report"]: one["nights"] for one in json.loads(found.stdout)["reports"]}
    assert [one["state"] for one in told["flexnet/device"]] == ["published", "never", "published"]
    assert [one["rows"] for one in told["flexnet/device"]] == [3, None, 12]
    assert [one["state"] for one in told["flexnet/entitlement"]] == ["published"] * 3
    assert told["flexnet/entitlement"][0]["extract"] == "first"


def test_the_terminal_shows_a_sign_a_night(run: Run) -> None:
    shown = run(*SHOWN).stdout
    lines = {line.split()[0]: line.split()[1:] for line in shown.splitlines() if "flexnet/" in line}
    assert lines["flexnet/device"][:4] == ["■", "·", "■", "12"]
    assert "11-18" in shown
    assert "■ published" in shown


def test_a_night_that_is_due_and_not_there_is_late(run: Run, config: Path) -> None:
    (config / "reports.yaml").write_text(REPORTS.replace("flexnet:", 'flexnet:\n  due: "06:00"'))
    found = run("nights", "--nights", "2", "--until", "2026-11-21", "--json")
    assert found.exit_code == 1
    assert [one["state"] for one in json.loads(found.stdout)["reports"][0]["nights"]] == ["published", "late"]
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    assert run("nights", "--nights", "1", "--until", tomorrow).exit_code == 0
    assert "flexnet/device" in run("nights", "--nights", "1", "--until", "2026-11-21", "--problems").stdout


def test_the_index_is_made_anew_from_the_tables(run: Run, tmp_path: Path) -> None:
    index = tmp_path / "lake/nights/flexnet/device.json"
    run(*SHOWN)
    before = index.read_bytes()
    index.write_bytes(b"\x00 damaged")
    found = run("nights", "rebuild-index", "--json")
    assert found.exit_code == 0
    assert {one["report"]: one["nights"] for one in json.loads(found.stdout)["rebuilt"]} == {
        "flexnet/entitlement": 3,
        "flexnet/device": 2,
    }
    assert index.read_bytes() == before


def test_another_source_is_refused_with_the_nearest_name(run: Run) -> None:
    found = run("nights", "--source", "flexnett")
    assert found.exit_code == 2
    assert "flexnet" in found.stderr


def test_a_lake_that_cannot_be_read_is_told_in_a_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSHIFT_LAKE", "ftp://somewhere")
    found = run("nights")
    assert found.exit_code == 3
    assert found.stderr.startswith("nightshift: NIGHTSHIFT_LAKE: a lake cannot be at ftp://")
