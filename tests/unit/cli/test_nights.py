"""``nightshift nights``: the grid as the lake proves it."""

from __future__ import annotations

import json
import sys
from datetime import date, datetime, tzinfo
from pathlib import Path
from typing import Self

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
    assert "flexnet/device" in run("nights", "--nights", "1", "--until", "2026-11-21", "--problems").stdout


def test_a_night_that_was_fetched_before_it_was_over_is_not_whole(run: Run, config: Path, lake: Lake) -> None:
    publish_night(lake, "flexnet/entitlement", "2026-11-21", began=date(2026, 11, 21))
    found = run("nights", "--nights", "2", "--until", "2026-11-21", "--json")
    (told,) = (one for one in json.loads(found.stdout)["reports"] if one["report"] == "flexnet/entitlement")
    assert [one["state"] for one in told["nights"]] == ["published", "early"]
    assert found.exit_code == 1
    shown = run("nights", "--nights", "2", "--until", "2026-11-21").stdout
    assert "◐ early" in shown
    assert "flexnet/entitlement, night 2026-11-21: it was fetched from 2026-11-21 23:00 UTC on" in shown


def test_it_is_well_as_long_as_it_is_not_due(
    run: Run, config: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    (config / "reports.yaml").write_text(REPORTS.replace("flexnet:", 'flexnet:\n  due: "06:00"'))
    for report in ("entitlement", "device"):
        publish_night(lake, f"flexnet/{report}", "2026-11-21", began=date(2026, 11, 21))
    at("2026-11-22T05:00:00+00:00", monkeypatch)
    assert run("nights").exit_code == 0
    at("2026-11-22T06:00:00+00:00", monkeypatch)
    assert run("nights").exit_code == 1


def at(moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromisoformat(moment).astimezone(tz)

    monkeypatch.setattr(sys.modules["nightshift.cli.nights"], "datetime", Clock)


TWO_ZONES = """\
flexnet: {timezone: America/Los_Angeles, due: "06:00", reports: [{name: entitlement, key: [id]}]}
exago: {timezone: Asia/Tokyo}
"""


@pytest.mark.parametrize("count", ["4", "1"])
def test_a_report_is_judged_by_its_own_newest_night_not_by_that_of_another_zone(
    count: str, run: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (config / "reports.yaml").write_text(TWO_ZONES)
    # In Tokyo the 22nd is over, in Los Angeles the 21st is the last one, and it was due at 14:00 UTC.
    at("2026-11-22T16:30:00+00:00", monkeypatch)
    found = run("nights", "--nights", count, "--json")
    told = {one["report"]: one for one in json.loads(found.stdout)["reports"]}["flexnet/entitlement"]
    assert told["nights"][-1]["night"] == "2026-11-22"
    assert told["nights"][-1]["state"] == "never"
    assert (told["newest"]["night"], told["newest"]["state"]) == ("2026-11-21", "late")
    assert found.exit_code == 1
    shown = run("nights", "--nights", count, "--problems").stdout
    assert "flexnet/entitlement" in shown
    assert "late" in shown
    # Before that it is not late.
    at("2026-11-22T13:30:00+00:00", monkeypatch)
    assert run("nights", "--nights", count).exit_code == 0


def test_the_rows_of_the_newest_are_those_of_the_night_that_is_over_there(
    run: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (config / "reports.yaml").write_text(TWO_ZONES)
    at("2026-11-21T16:30:00+00:00", monkeypatch)
    shown = run("nights", "--nights", "2").stdout
    (line,) = [one for one in shown.splitlines() if one.startswith("flexnet/entitlement")]
    assert line.split()[1:] == ["■", "·", "12"]


def test_a_night_to_come_is_not_asked_for_in_the_place_of_the_newest(
    run: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (config / "reports.yaml").write_text(REPORTS.replace("flexnet:", 'flexnet:\n  due: "06:00"'))
    at("2026-11-22T12:00:00+00:00", monkeypatch)
    found = run("nights", "--nights", "1", "--until", "2026-12-24", "--json")
    assert found.exit_code == 1
    assert json.loads(found.stdout)["nights"] == ["2026-11-21"]


def test_a_source_that_a_mistake_leaves_out_is_told(run: Run, config: Path) -> None:
    (config / "reports.yaml").write_text("flexnet:\n  reports: [{nmae: entitlement}]\nexago: {}\n")
    for words in (SHOWN, ("nights", "rebuild-index")):
        found = run(*words, "--json")
        assert found.exit_code == 1
        assert "did you mean 'name'?" in json.loads(found.stdout)["mistakes"][0]
        assert "did you mean 'name'?" in run(*words).stdout
    # Of another source that one is not asked for.
    assert run(*SHOWN, "--source", "exago").exit_code == 0
    assert run(*SHOWN, "--source", "flexnet").exit_code == 1


def test_a_section_that_is_gone_or_a_file_that_is_not_there_is_told(run: Run, config: Path) -> None:
    assert run(*SHOWN).exit_code == 0
    (config / "reports.yaml").write_text("exago: {}\n")
    gone = run(*SHOWN)
    assert (gone.exit_code, "flexnet: is no longer here" in gone.stdout) == (1, True)
    (config / "reports.yaml").unlink()
    missing = run(*SHOWN)
    assert missing.exit_code == 1
    assert "reports.yaml" in missing.stdout
    assert "flexnet/device" in missing.stdout


def test_a_source_that_nobody_configured_is_refused_by_name(run: Run, config: Path) -> None:
    found = run("nights", "--source", "exago")
    assert found.exit_code == 2
    assert "'exago' is not in reports.yaml" in found.stderr
    (config / "reports.yaml").write_text("x-nothing: {}\n")
    assert "has no source" in run("nights").stdout


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


@pytest.mark.parametrize("until", ["0001-01-05", "9999-12-31"])
def test_a_night_that_nothing_can_reckon_with_is_no_night(run: Run, until: str) -> None:
    for words in (("nights", "--until", until), ("replay", "flexnet/entitlement", "--from", until)):
        refused = run(*words)
        assert refused.exit_code == 2
        assert "is no night of the years 1900 to 2200" in refused.output
