"""A night that was published before it was over, and its own run never came: who waits for it is told."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from nightshift.lake.store import Lake
from nightshift.watch.airflow import NightRun
from nightshift.watch.incident import IncidentKind, Outcome
from nightshift.watch.once import WatchResult, watch_once
from tests.unit.watch.looks import NIGHT, at
from tests.unit.watch.scene import publish


class Paused:
    def run_of(self, dag_id: str, night: str, timezone: str) -> NightRun:
        return NightRun(paused=True)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NIGHTSHIFT_KEPT", str(tmp_path / "kept"))
    (tmp_path / "reports.yaml").write_text(
        f"flexnet: {{due: '06:00', reports: [{{name: usage, since: {NIGHT}}}, {{name: user, since: {NIGHT}}}]}}\n"
    )
    return tmp_path


def test_it_is_told_when_it_is_due_and_closed_when_it_came_home_whole(lake: Lake, folder: Path) -> None:
    def look(now: str, airflow: Paused | None = None) -> WatchResult:
        return watch_once(lake, by="dag", folder=folder, now=at(now), airflow=airflow, channels={})

    for report in ("usage", "user"):
        publish(lake, f"flexnet/{report}", began=date.fromisoformat(NIGHT))
    assert look("05:59").open == ()
    (told,) = look("06:00").open
    assert (told.kind, len(told.members)) == (IncidentKind.EARLY, 2)
    assert (
        "flexnet: 2 reports, night 2026-11-27, are not whole: published before it was over" in look("06:01").lines()[0]
    )
    assert f"Trigger flexnet_reports with the partition key {NIGHT}" in told.press
    assert look("06:05", Paused()).open[0].kind is IncidentKind.PAUSED
    for report in ("usage", "user"):
        publish(lake, f"flexnet/{report}", extract="scheduled")
    result = look("06:10")
    assert (result.open, result.exit_code) == ((), 0)


def test_one_that_is_too_long_ago_never_came_as_a_whole(lake: Lake, folder: Path) -> None:
    for report in ("usage", "user"):
        publish(lake, f"flexnet/{report}", began=date.fromisoformat(NIGHT))
    watch_once(lake, by="dag", folder=folder, now=at("06:00"), channels={})
    from nightshift.watch.incidents import read

    watch_once(lake, by="dag", folder=folder, now=at("2026-12-20T07:00:00"), channels={})
    (early,) = (one for one in read(lake) if one.night == NIGHT)
    assert early.outcome is Outcome.EXPIRED
    assert early.updates[-1].text.endswith("never came as a whole")
