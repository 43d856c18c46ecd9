"""A night that was fetched before it was over: it is there, and not whole, wherever somebody asks."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pendulum
import pytest
from airflow.sdk import DAG

from nightshift.lake.commit_note import begun_at
from nightshift.lake.extract import BEGUN, Manifest
from nightshift.lake.history import NightEntry
from nightshift.lake.spec import PublishSpec
from nightshift.lake.store import Lake
from nightshift.nights import index
from nightshift.nights.cells import CellState, FailureKind, NightFailure
from nightshift.nights.index import record_failure, record_published
from nightshift.nights.publish import PublishNightOperator
from nightshift.nights.ready import Waiting, published_report
from nightshift.nights.whole import is_whole, why_not_whole
from nightshift.promotion.reports_seen import seen
from nightshift.promotion.rules.night import lacking
from tests.execution_api import FakeExecutionApi
from tests.published import land, publish_night

NIGHT = "2026-11-20"
SAME_DAY = date(2026, 11, 20)
"""The day of the night itself: what is extracted then is extracted before it is over."""
REPORT = "flexnet/usage"
LOS_ANGELES = ZoneInfo("America/Los_Angeles")


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setenv("NIGHTSHIFT_LAKE", str(tmp_path / "lake"))
    return Lake.from_url(str(tmp_path / "lake"))


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path))
    monkeypatch.setenv("NIGHTSHIFT_KEPT", str(tmp_path / "kept"))
    in_zone(tmp_path, "UTC")
    return tmp_path


def in_zone(config: Path, zone: str) -> None:
    (config / "reports.yaml").write_text(f"flexnet: {{timezone: {zone}, reports: [{{name: usage}}]}}\n")


def event_of(lake: Lake, extract: str, began: date | None) -> list[str]:
    """Publish the night as the task does; return the nights of which the application is told."""
    asyncio.run(land(lake, REPORT, NIGHT, extract=extract, began=began))
    landed = {"source": "flexnet", "report": "usage", "night": NIGHT, "extract": extract}
    with DAG("d", schedule=None, start_date=pendulum.datetime(2026, 1, 1)):
        task: Any = PublishNightOperator(
            task_id="publish",
            extract=landed,
            spec=PublishSpec(key=("id",)).model_dump(mode="json"),
            source="flexnet",
            report="usage",
            waiting=Waiting({"portal": (REPORT,)}),
        )
    run = FakeExecutionApi().run(task)
    assert run.state == "success", run.error
    events = run.message.outlet_events
    return [one["partition_key"] for one in events if one["dest_asset_key"]["name"] == "ready/portal"]


def test_a_night_wakes_a_promotion_only_once_it_came_home_whole(lake: Lake) -> None:
    assert event_of(lake, "forced", SAME_DAY) == []
    assert event_of(lake, "scheduled", None) == [NIGHT]


def test_a_promotion_of_a_night_that_is_not_whole_is_refused_and_told_what_to_do(lake: Lake) -> None:
    publish_night(lake, REPORT, NIGHT, began=SAME_DAY)
    (why,) = lacking(seen(lake, [REPORT], NIGHT))
    assert "flexnet/usage is not sound (whole: it was fetched from 2026-11-20 23:00 UTC on" in why
    assert "the night is over in UTC at 2026-11-21 00:00 UTC; the run of the night brings it home whole" in why
    publish_night(lake, REPORT, NIGHT, extract="scheduled")
    assert lacking(seen(lake, [REPORT], NIGHT)) == []


def test_the_zone_in_force_decides(lake: Lake, config: Path) -> None:
    """What came at 23:00 UTC of the night's own day is whole in Tokyo, and not in Los Angeles."""
    publish_night(lake, REPORT, NIGHT, began=SAME_DAY)
    in_zone(config, "Asia/Tokyo")
    found = published_report(lake, REPORT, NIGHT)
    assert found is not None
    assert found.sound
    in_zone(config, "America/Los_Angeles")
    found = published_report(lake, REPORT, NIGHT)
    assert found is not None
    assert not found.sound


def test_the_grid_has_a_word_for_it_and_a_later_failure_wins(lake: Lake) -> None:
    publish_night(lake, REPORT, NIGHT, began=SAME_DAY)
    record_published(lake, "flexnet", "usage", [NIGHT])
    ask: dict[str, Any] = {"nights": [NIGHT], "sources": {"flexnet": ["usage"]}}
    assert index.read(lake, **ask).cell("flexnet", "usage", NIGHT).state is CellState.PUBLISHED
    grid = index.read(lake, **ask, zones={"flexnet": ZoneInfo("UTC")})
    cell = grid.cell("flexnet", "usage", NIGHT)
    assert (cell.state, cell.rows, cell.is_good) == (CellState.EARLY, 12, False)
    assert "fetched from 2026-11-20 23:00 UTC on" in grid.reports["flexnet", "usage"].why_early(NIGHT)
    failure = NightFailure(kind=FailureKind.DRIFT, text="lost", at="2100-01-01T00:00:00+00:00")
    record_failure(lake, "flexnet", "usage", NIGHT, failure)
    grid = index.read(lake, **ask, zones={"flexnet": ZoneInfo("UTC")})
    assert grid.cell("flexnet", "usage", NIGHT).state is CellState.DRIFTED


@pytest.mark.parametrize(
    ("begun", "finished", "seconds", "found"),
    [
        ("2026-11-20T23:00:00+00:00", "2026-11-21T04:00:00+00:00", 1.0, "2026-11-20T23:00:00+00:00"),
        ("", "2026-11-21T04:00:00+00:00", 7200.0, "2026-11-21T02:00:00+00:00"),
        ("", "2026-11-21T04:00:00+00:00", -7200.0, "2026-11-21T04:00:00+00:00"),
        (None, "2026-11-21T04:00:00+00:00", None, "2026-11-21T04:00:00+00:00"),
        (None, None, 5.0, None),
    ],
)
def test_what_a_table_of_an_earlier_release_tells_is_enough(
    begun: str | None, finished: str | None, seconds: float | None, found: str | None
) -> None:
    moment = None if found is None else datetime.fromisoformat(found)
    assert begun_at(begun, finished, seconds) == moment
    entry = NightEntry(1, 1, 1, 1, finished=finished, seconds=seconds, begun=begun)
    assert entry.began == moment


@pytest.mark.parametrize(
    ("began", "zone", "whole"),
    [
        (datetime(2026, 11, 21, tzinfo=UTC), ZoneInfo("UTC"), True),
        # The clocks of two workers differ by seconds.
        (datetime(2026, 11, 20, 23, 59, 55, tzinfo=UTC), ZoneInfo("UTC"), True),
        (datetime(2026, 11, 20, 23, 59, tzinfo=UTC), ZoneInfo("UTC"), False),
        (datetime(2026, 11, 21, 7, 59, tzinfo=UTC), LOS_ANGELES, False),
        (datetime(2026, 11, 21, 8, 0, tzinfo=UTC), LOS_ANGELES, True),
        (None, LOS_ANGELES, True),
        (datetime(2026, 11, 20, tzinfo=UTC), None, True),
    ],
)
def test_whole_is_what_began_when_the_night_was_over(
    began: datetime | None, zone: ZoneInfo | None, whole: bool
) -> None:
    assert is_whole(NIGHT, began, zone) is whole
    assert bool(why_not_whole(NIGHT, began, zone)) is not whole


def test_an_extract_holds_what_the_vendor_had_when_it_was_asked(lake: Lake) -> None:
    """A file that the vendor made before it was fetched, and rows that were worked out of another extract."""

    def begun(**more: Any) -> str:
        at = {"started": "2026-11-21T05:00:00+00:00", "finished": "2026-11-21T06:00:00+00:00", **more}
        manifest: Manifest = asyncio.run(land(lake, REPORT, NIGHT, extract=f"x{len(str(more))}"))
        return manifest.model_copy(update=at).begun

    assert begun() == "2026-11-21T05:00:00+00:00"
    assert begun(finished="2026-11-20T22:00:00+00:00") == "2026-11-20T22:00:00+00:00"
    assert begun(notes={BEGUN: "2026-11-20T21:00:00+00:00"}) == "2026-11-20T21:00:00+00:00"


def test_a_look_back_tells_what_the_table_had_before(lake: Lake) -> None:
    """The night of a look-back that was not whole before is one that its application is told of."""
    from nightshift.lake.tables import Publishing

    publish_night(lake, REPORT, NIGHT, began=SAME_DAY)
    later = asyncio.run(land(lake, REPORT, "2026-11-21"))
    spec = PublishSpec(key=("id",), night_column="day", nights=(NIGHT, "2026-11-21"))
    publishing = Publishing(lake, later, spec)
    publishing.opened()
    assert publishing.known == {NIGHT: datetime(2026, 11, 20, 23, 0, 5, tzinfo=UTC)}
