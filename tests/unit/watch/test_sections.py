"""From when on a report is waited for, and what becomes of that when its section cannot be read, or is gone."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from include.standins.webhooks import WebHooksStandIn
from nightshift.lake.store import Lake
from nightshift.nights.cells import FailureKind
from nightshift.watch.incident import Outcome
from nightshift.watch.incidents import read
from nightshift.watch.memory import Memory
from tests.unit.watch.looks import NIGHT
from tests.unit.watch.scene import KNOWN, Look, events, fail, publish


def test_a_report_that_is_new_is_waited_for_from_the_night_underway(look: Look, lake: Lake, folder: Path) -> None:
    (folder / "reports.yaml").write_text("flexnet: {due: '06:00', reports: [{name: usage}]}\n")
    assert look("09:00").exit_code == 0
    assert look("2026-11-29T05:59").exit_code == 0
    (one,) = look("2026-11-29T06:00").open
    assert one.night == "2026-11-28"
    # Nobody waits for it for a while: what was not there then is no trouble afterwards.
    (folder / "reports.yaml").write_text("flexnet: {reports: [{name: usage}]}\n")
    assert look("2026-11-29T07:00").exit_code == 0
    (folder / "reports.yaml").write_text("flexnet: {due: '06:00', reports: [{name: usage}]}\n")
    assert look("2026-12-03T07:00").exit_code == 0
    assert [one.night for one in look("2026-12-04T07:00").open] == ["2026-12-03"]


TREE = "exago: {due: '06:00'}\n"


def forget_kept(folder: Path) -> None:
    """What is kept is not there in a pod that has just begun."""
    shutil.rmtree(folder / "kept", ignore_errors=True)


@pytest.fixture
def waiting(look: Look, lake: Lake, folder: Path, pager: WebHooksStandIn) -> list[str]:
    """Two nights of a report that are missing, and told; their ids."""
    (folder / "reports.yaml").write_text(KNOWN + TREE)
    look("2026-11-26T09:00")
    look("2026-11-27T09:00")
    for report in ("exago/tree", "exago/tree_changes"):
        for night in ("2026-11-26", NIGHT):
            publish(lake, report, night)
    found = look("09:00").open
    assert [(one.night, one.subject.name) for one in found] == [
        ("2026-11-26", "flexnet/usage"),
        (NIGHT, "flexnet/usage"),
    ]
    return [one.id for one in found]


@pytest.mark.parametrize(
    ("text", "is_kept", "told"),
    [
        (TREE, True, "flexnet: is no longer here. What runs of it stands still"),
        (TREE, False, "there is no section flexnet. Put it back, or confirm that it is gone"),
        ("x-shared: {}\n", True, "flexnet: is no longer here. What runs of it stands still"),
        ("x-shared: {}\n", False, "there is no section flexnet. Put it back, or confirm that it is gone"),
        (TREE + KNOWN.replace("name", "nmae"), False, "reports.yaml:2: flexnet"),
        (KNOWN.replace("name", "nmae"), False, "reports.yaml:1: flexnet"),
        ("flexnet: {due: '06:00\n", False, "reports.yaml"),
        (None, False, "reports.yaml"),
    ],
)
def test_of_a_section_that_nobody_can_read_all_stays_as_it_is(
    look: Look, lake: Lake, folder: Path, pager, waiting: list[str], text: str | None, is_kept: bool, told: str
) -> None:
    before, told_before = read(lake), len(events(pager))
    remembered = asyncio.run(Memory(lake).read()).first
    if not is_kept:
        forget_kept(folder)
    (folder / "reports.yaml").unlink()
    if text is not None:
        (folder / "reports.yaml").write_text(text)
    for moment in ("09:05", "2027-01-01T09:00"):
        mistaken = look(moment)
        assert [one.id for one in mistaken.open if one.source == "flexnet"] == waiting
        assert {one.id: one for one in read(lake)}.items() >= {one.id: one for one in before}.items()
        assert mistaken.exit_code == 1
        assert any(one.startswith("could not be looked at: flexnet: ") and told in one for one in mistaken.lines())
        assert asyncio.run(Memory(lake).read()).first.items() >= {"flexnet/usage": remembered["flexnet/usage"]}.items()
        assert not [summary for _, summary in events(pager)[told_before:] if "flexnet" in summary]
    (folder / "reports.yaml").write_text(KNOWN + TREE)
    assert [one.id for one in look("09:10").open] == waiting
    publish(lake, "flexnet/usage")
    assert [one.id for one in look("09:15").open] == waiting[:1]


def test_a_section_that_nobody_can_read_is_no_night_on_time(look: Look, lake: Lake, folder: Path) -> None:
    for report in ("flexnet/usage", "flexnet/user"):
        publish(lake, report)
    assert look("09:00").exit_code == 0
    (folder / "reports.yaml").write_text(TREE)
    for is_kept in (True, False):
        found = look("09:05")
        assert (found.open, found.exit_code, [one.partition(":")[0] for one in found.blind]) == ((), 2, ["flexnet"])
        if is_kept:
            forget_kept(folder)
    (folder / "reports.yaml").write_text("flexnet: {removed: true}\n" + TREE)
    assert (look("09:10").exit_code, look("09:10").blind) == (0, ())
    (folder / "reports.yaml").write_text(TREE)
    assert (look("09:15").exit_code, look("09:15").blind) == (0, ())


def test_what_is_removed_on_purpose_is_no_longer_waited_for(
    look: Look, lake: Lake, folder: Path, pager, waiting
) -> None:
    (folder / "reports.yaml").write_text("flexnet: {removed: true}\n" + TREE)
    over = look("09:05")
    assert (over.open, over.exit_code, over.blind) == ((), 0, ())
    assert {one.outcome for one in read(lake) if one.id in waiting} == {Outcome.DROPPED}
    assert [action for action, _ in events(pager)][-2:] == ["resolve", "resolve"]
    (folder / "reports.yaml").write_text(TREE)
    assert (look("09:10").exit_code, look("09:10").blind) == (0, ())


def test_a_mistake_in_a_section_that_is_kept_changes_nothing(look: Look, lake: Lake, folder: Path, waiting) -> None:
    (folder / "reports.yaml").write_text(KNOWN.replace("name", "nmae") + TREE)
    found = look("09:05")
    assert ([one.id for one in found.open], found.blind) == (waiting, ())
    publish(lake, "flexnet/usage", "2026-11-26")
    assert [one.id for one in look("09:10").open] == waiting[1:]


def test_an_incident_is_not_over_because_its_report_is_waited_for_anew_and_cannot_be_read(
    look: Look, lake: Lake, folder: Path
) -> None:
    (folder / "reports.yaml").write_text("flexnet: {reports: [{name: usage}]}\n")
    publish(lake, "flexnet/usage", "2026-11-26")
    fail(lake, "flexnet/usage", FailureKind.VALUES, "page 1, row 2: 'x' is not int64", "04:05")
    (one,) = look("09:00").open
    root = Path(lake.url.removeprefix("file://"))
    for broken in ("nights/flexnet/usage.json", "tables/flexnet/usage/_delta_log/00000000000000000000.json"):
        (root / broken).write_text("{")
    (folder / "reports.yaml").write_text(KNOWN)
    found = look("09:05")
    assert [each.id for each in found.open] == [one.id]
    assert [each.partition(":")[0] for each in found.blind] == ["flexnet/usage"]


def test_one_that_is_known_is_waited_for_from_the_last_night_on(look: Look, lake: Lake, folder: Path) -> None:
    (folder / "reports.yaml").write_text("flexnet: {due: '06:00', reports: [{name: usage}]}\n")
    publish(lake, "flexnet/usage", "2026-11-20")
    assert [one.night for one in look("09:00").open] == [NIGHT]
