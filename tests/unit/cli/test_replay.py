"""``nightshift replay``: first what would change, then, after a question, exactly that."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from nightshift.lake.delta import NightTable
from nightshift.lake.extract import ASKED
from nightshift.lake.store import Lake
from tests.published import land, publish_night
from tests.unit.cli.conftest import Run

NIGHTS = ["2026-11-18", "2026-11-19", "2026-11-20"]


@pytest.fixture(autouse=True)
def published(lake: Lake) -> None:
    for night in NIGHTS:
        publish_night(lake, "flexnet/entitlement", night)


def version_of(lake: Lake) -> int:
    now = NightTable(lake, "flexnet", "entitlement").snapshot()
    assert now is not None
    return now.version


def rows_of(lake: Lake) -> dict[str, int]:
    now = NightTable(lake, "flexnet", "entitlement").snapshot()
    assert now is not None
    return now.nights()


def replay(run: Run, *more: str) -> tuple[int, str]:
    found = run("replay", "flexnet/entitlement", "--from", NIGHTS[0], "--to", NIGHTS[-1], *more)
    assert "Traceback" not in found.output
    return found.exit_code, found.stdout


def test_what_is_the_same_is_told_and_nothing_is_written(run: Run, lake: Lake) -> None:
    before = version_of(lake)
    code, shown = replay(run, "--apply", "--yes")
    assert code == 0
    assert shown.count("to the last value") == 3
    assert version_of(lake) == before


def test_a_rehearsal_tells_and_changes_nothing(run: Run, lake: Lake) -> None:
    asyncio.run(land(lake, "flexnet/entitlement", NIGHTS[1], rows=15, extract="second"))
    before = version_of(lake)
    code, shown = replay(run, "--json")
    assert code == 4
    told = json.loads(shown)
    assert told["applied"] is False
    (changed,) = [night for one in told["extracts"] for night in one["nights"] if night["changes"]]
    assert (changed["night"], changed["rows"], changed["rows_now"]) == (NIGHTS[1], 12, 15)
    assert changed["columns"]["id"]["before"] == {"values": 12, "least": "0", "greatest": "9", "total": None}
    assert version_of(lake) == before


def test_only_what_differs_is_published_and_only_after_a_yes(run: Run, lake: Lake) -> None:
    asyncio.run(land(lake, "flexnet/entitlement", NIGHTS[1], rows=15, extract="second"))
    before = version_of(lake)
    refused = run("replay", "flexnet", "--from", NIGHTS[0], "--to", NIGHTS[-1], "--apply")
    assert refused.exit_code == 1
    assert "--yes" in refused.stderr
    assert version_of(lake) == before
    code, shown = replay(run, "--apply", "--yes")
    assert code == 0
    assert "published" in shown
    assert (version_of(lake), rows_of(lake)[NIGHTS[1]]) == (before + 1, 15)
    assert replay(run)[0] == 0


def test_an_older_extract_never_replaces_a_newer_one(run: Run, lake: Lake, tmp_path: Path) -> None:
    publish_night(lake, "flexnet/entitlement", NIGHTS[0], rows=20, extract="newest-1")
    folder = tmp_path / "lake/raw/flexnet/entitlement" / f"night={NIGHTS[0]}"
    (folder / "newest-1/manifest.json").unlink()
    code, shown = replay(run, "--apply", "--yes")
    assert code == 0
    assert "stays" in shown
    assert rows_of(lake)[NIGHTS[0]] == 20


@pytest.mark.parametrize("broken", [False, True])
def test_a_night_whose_file_is_gone_from_the_table_comes_back(
    run: Run, lake: Lake, tmp_path: Path, broken: bool
) -> None:
    (file,) = (tmp_path / "lake" / "tables" / "flexnet" / "entitlement").glob(f"night={NIGHTS[1]}/*.parquet")
    file.write_bytes(b"PAR1") if broken else file.unlink()
    code, shown = replay(run, "--json")
    told = [night for one in json.loads(shown)["extracts"] for night in one["nights"]]
    assert (code, [bool(night["unread"]) for night in told]) == (4, [False, True, False])
    code, shown = replay(run, "--apply", "--yes")
    assert code == 0
    assert "gone or broken" in shown
    code, shown = replay(run)
    assert (code, shown.count("to the last value")) == (0, 3)


def test_a_night_that_is_lost_and_of_which_only_an_older_extract_is_landed_is_not_fine(
    run: Run, lake: Lake, tmp_path: Path
) -> None:
    publish_night(lake, "flexnet/entitlement", NIGHTS[0], rows=20, extract="newest-1")
    folder = f"flexnet/entitlement/night={NIGHTS[0]}"
    (tmp_path / "lake/raw" / folder / "newest-1/manifest.json").unlink()
    for file in (tmp_path / "lake/tables" / folder).glob("*.parquet"):
        file.unlink()
    before = version_of(lake)
    code, shown = replay(run, "--apply", "--yes")
    assert (code, version_of(lake)) == (1, before)
    assert "Extract the night again" in " ".join(shown.split())


def test_a_night_that_is_refused_is_named_and_the_others_are_done(run: Run, lake: Lake, config: Path) -> None:
    asyncio.run(land(lake, "flexnet/entitlement", NIGHTS[1], rows=15, extract="second"))
    asyncio.run(land(lake, "flexnet/entitlement", NIGHTS[2], rows=0, extract="second"))
    (config / "reports.yaml").write_text(
        "flexnet:\n  reports: [{name: entitlement, key: [id], checks: {not_empty: true}}]\n"
    )
    code, shown = replay(run, "--apply", "--yes")
    assert code == 1
    assert "not_empty" in shown
    assert rows_of(lake) == {NIGHTS[0]: 12, NIGHTS[1]: 15, NIGHTS[2]: 12}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("replay", "flexnet/entitelment", "--from", NIGHTS[0]), "did you mean"),
        (("replay", "flexnet/entitlement"), "first night"),
        (("replay", "flexnet/entitlement", "--from", "18.11."), "YYYY-MM-DD"),
        (("replay", "flexnet/entitlement", "--from", NIGHTS[1], "--to", NIGHTS[0]), "before"),
    ],
)
def test_a_command_that_cannot_be_meant_is_refused(words: tuple[str, ...], told: str, run: Run) -> None:
    found = run(*words)
    assert found.exit_code == 2
    assert told in found.stderr


def test_nights_of_which_nothing_is_landed_are_not_known(run: Run) -> None:
    found = run("replay", "flexnet/entitlement", "--from", "2020-01-01")
    assert found.exit_code == 3
    assert "Nothing is landed" in found.stderr


def test_nights_of_which_nothing_is_landed_are_counted_and_no_reason_to_fail(run: Run, lake: Lake) -> None:
    publish_night(lake, "flexnet/device", NIGHTS[2])
    # An extract that was begun and never completed is not landed.
    folder = Path(lake.url.removeprefix("file://")) / "raw/flexnet/entitlement/night=2026-11-21/begun"
    folder.mkdir(parents=True)
    (folder / "page-1.json").write_text("[]")
    words = ("replay", "flexnet", "--from", "2026-11-17", "--to", "2026-11-21")
    found = run(*words, "--json")
    assert found.exit_code == 0
    assert json.loads(found.stdout)["left_out"] == [
        {"report": "flexnet/entitlement", "count": 2, "first": "2026-11-17", "last": "2026-11-21"},
        {"report": "flexnet/device", "count": 4, "first": "2026-11-17", "last": "2026-11-21"},
    ]
    shown = run(*words).stdout
    assert "flexnet/entitlement: nothing complete is landed of 2 of these nights (2026-11-17 to 2026-11-21)" in shown
    assert json.loads(replay(run, "--json")[1])["left_out"] == []


def test_nights_are_not_replayed_by_what_was_right_before_a_mistake(run: Run, lake: Lake, config: Path) -> None:
    assert replay(run)[0] == 0
    (config / "reports.yaml").write_text(
        "flexnet:\n  reports: [{name: entitlement, key: [id], chekcs: {not_empty: true}}]\nexago: {}\n"
    )
    before = version_of(lake)
    found = run("replay", "flexnet/entitlement", "--from", NIGHTS[0], "--to", NIGHTS[-1], "--apply", "--yes")
    assert (found.exit_code, found.stdout, version_of(lake)) == (1, "", before)
    assert "did you mean 'checks'?" in found.stderr
    assert "put it right. Nothing was changed." in found.stderr


def test_a_mistake_of_another_source_stops_no_replay(run: Run, config: Path) -> None:
    with (config / "reports.yaml").open("a") as file:
        file.write("exago: {reprots: []}\nsomething: {}\n")
    assert replay(run)[0] == 0


def test_what_was_asked_for_as_something_else_is_refused_by_name_unless_somebody_says_so(run: Run, lake: Lake) -> None:
    notes = {ASKED: "0" * 64}
    asyncio.run(land(lake, "flexnet/entitlement", "2026-11-21", extract="other", notes=notes))
    asked = ("replay", "flexnet/entitlement", "--from", "2026-11-21", "--json")
    found = run(*asked, "--apply", "--yes")
    assert found.exit_code == 1
    (told,) = json.loads(found.stdout)["extracts"]
    assert "asked for as something else than reports.yaml asks for now (connection flexnet_default)" in told["refused"]
    assert "2026-11-21" not in rows_of(lake)
    assert run(*asked, "--any-request", "--apply", "--yes").exit_code == 0
    assert rows_of(lake)["2026-11-21"] == 12
