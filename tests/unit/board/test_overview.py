"""The overview: each part at a glance, and each broken alone."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nightshift.board.models import CellNote, CellState, NightsGrid, Overview, ReportRow
from nightshift.board.overview import night_tile
from nightshift.lake.store import Lake
from nightshift.promotion.store import Records
from nightshift.promotion.vocabulary import PromotionOutcome, StepKind, StepState
from nightshift.tokenflex.oauth import TokenPair
from nightshift.tokenflex.tokens import Grant, Part, encode, key_of
from tests.unit.board.conftest import Runs, browser
from tests.unit.board.records import ONE, TWO, deploy, record, step
from tests.unit.board.test_line import ASKED, PRESS
from tests.unit.board.test_nights import FAILED, night
from tests.unit.nights.publishing import published


async def overview(client: Any) -> Overview:
    answer = await client.get("api/overview")
    assert answer.status_code == 200, answer.text
    return Overview.model_validate_json(answer.content)


async def test_anonymous_gets_nothing(app: Any, lake: Lake) -> None:
    async with browser(app) as client:
        assert (await client.get("api/overview")).status_code == 401


async def test_all_at_a_glance(ada: Any, lake: Lake, runs: Runs) -> None:
    await published(lake, night(), 3)
    runs.add("flexnet_reports", night(), {**FAILED, "usage.extract": "failed"}, state="failed")
    records = Records(lake, "portal")
    await records.write(record(1, deploy("DEV", ONE, 61, StepState.FAILED), outcome=PromotionOutcome.FAILED))
    approve = step("TEST.approve", StepKind.APPROVAL, 130, StepState.STARTED)
    await records.write(record(2, deploy("DEV", TWO, 121), approve, outcome=None, version=TWO))
    await ada.post("api/holds", json={**ASKED, "application": None}, headers=PRESS)
    found = await overview(ada)
    assert found.night is not None
    assert (found.night.night, found.night.reports, found.night.states) == (
        night(),
        3,
        {"published": 1, "failed": 1, "never": 1},
    )
    assert found.promotions is not None
    assert (found.promotions.under_way, [one.kind for one in found.promotions.waiting]) == (1, ["approval"])
    assert found.promotions.failed == ("portal",)
    assert found.line is not None
    assert (found.line.moving, len(found.line.holds), found.user) == (False, 1, "ada")
    assert (found.jobs, found.incidents_open, found.troubles) == (0, 0, ())
    assert [(one.kind, one.allowed) for one in found.presses] == [("hold", True)]


async def test_an_empty_lake_is_no_trouble(ada: Any, lake: Lake) -> None:
    found = await overview(ada)
    assert (found.troubles, found.line and found.line.moving) == ((), True)
    assert found.connections_failing == ("flexnet_default", "camunda_optimize_default", "flexdeploy_default")


async def test_a_broken_lake_breaks_its_own_parts(ada: Any, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSHIFT_LAKE", "ftp://nowhere/lake")
    found = await overview(ada)
    assert (found.night, found.promotions, found.line, found.figures, found.incidents_open) == (None,) * 5
    assert found.jobs == 0, "Airflow's own tables are there"
    parts = {one.part for one in found.troubles}
    assert {"nights", "promotions", "figures", "incidents", "holds"} <= parts
    assert all("NIGHTSHIFT_LAKE" in one.text for one in found.troubles)
    answer = await ada.get("api/nights")
    assert (answer.status_code, answer.json()["title"]) == (503, "Broken")
    assert "NIGHTSHIFT_LAKE" in answer.json()["detail"]


async def test_a_folder_that_cannot_be_read_is_told(ada: Any, lake: Lake, tmp_path: Path) -> None:
    await published(lake, night(), 3)
    (tmp_path / "lake" / "promotions").write_text("a file where a folder would be")
    found = await overview(ada)
    assert found.night is not None
    assert {one.part for one in found.troubles} == {"promotions", "figures"}


NOW = datetime(2026, 11, 27, 20, tzinfo=UTC)
"""Tokyo and London have a day more behind them than Los Angeles has."""
ZONES = {"east": "Asia/Tokyo", "west": "America/Los_Angeles"}
EARLY, DUE = NOW - timedelta(hours=9), NOW - timedelta(hours=5)


def row(source: str, *cells: tuple[CellState, datetime | None]) -> ReportRow:
    """A report with its last three nights: how each stands, and since when it was late."""
    there = (CellState.PUBLISHED, CellState.UNSOUND)
    return ReportRow(
        source=source,
        report="usage",
        dag_id="x",
        states=tuple(state for state, _ in cells),
        rows=tuple(3 if state in there else None for state, _ in cells),
        shade=(None,) * len(cells),
        notes={NIGHTS[at]: CellNote(late_since=since) for at, (_, since) in enumerate(cells) if since},
    )


NIGHTS = ("2026-11-25", "2026-11-26", "2026-11-27")
GOOD, LATE, NEVER = (CellState.PUBLISHED, None), (CellState.LATE, DUE), (CellState.NEVER, None)


@pytest.mark.parametrize(
    ("rows", "states", "late", "oldest"),
    [
        ([row("east", GOOD, GOOD, GOOD), row("west", GOOD, LATE, NEVER)], {"published": 1, "late": 1}, DUE, NIGHTS[1]),
        ([row("east", GOOD, GOOD, LATE), row("west", GOOD, GOOD, NEVER)], {"published": 1, "late": 1}, DUE, NIGHTS[1]),
        ([row("west", GOOD, GOOD, NEVER), row("west", LATE, GOOD, NEVER)], {"published": 2}, None, None),
        ([row("east", GOOD, GOOD, (CellState.PUBLISHED, EARLY))], {"published": 1}, None, None),
        ([row("east", GOOD, GOOD, (CellState.UNSOUND, EARLY))], {"unsound": 1}, None, None),
        (
            [row("east", GOOD, GOOD, (CellState.PUBLISHED, EARLY)), row("east", GOOD, GOOD, (CellState.FAILED, DUE))],
            {"published": 1, "failed": 1},
            DUE,
            None,
        ),
    ],
)
def test_each_report_counts_with_its_own_newest_night(
    rows: list[ReportRow], states: dict[str, int], late: datetime | None, oldest: str | None
) -> None:
    """What came late is there: nothing is late since it was due."""
    grid = NightsGrid(now=NOW, nights=NIGHTS, newest=NIGHTS[-1], timezones=ZONES, reports=tuple(rows))
    found = night_tile(grid)
    assert found is not None
    assert (found.reports, found.states, found.late_since, found.oldest) == (len(rows), states, late, oldest)
    assert found.night == (NIGHTS[-1] if any(one.source == "east" for one in rows) else NIGHTS[1])


async def test_a_night_that_is_over_elsewhere_is_nobodys_fault(ada: Any, lake: Lake, config: Path) -> None:
    (config / "reports.yaml").write_text(
        "flexnet: {timezone: Etc/GMT+12, reports: [{name: entitlement}]}\n"
        "camunda_optimize: {timezone: Pacific/Kiritimati, reports: [{name: secret, report_id: r}]}\n"
    )
    (west, east) = ((datetime.now(UTC) + timedelta(hours=hours, days=-1)).date().isoformat() for hours in (-12, 14))
    await published(lake, west, 3)
    found = (await overview(ada)).night
    assert found is not None
    assert (found.oldest, found.night, found.states) == (west, east, {"published": 1, "never": 1})


DAYS = 86400.0


@pytest.mark.parametrize(
    ("extra", "lapses", "wanted"),
    [
        ({}, None, "never"),
        ({}, -DAYS, "ended"),
        ({}, 0.5 * DAYS, "ends_soon"),
        ({"auth": "nonsense"}, None, "unreadable"),
        ({}, 14 * DAYS, None),
        ({"token": "t"}, None, None),
    ],
)
async def test_a_sign_in_that_somebody_is_needed_for_is_at_a_glance(
    ada: Any,
    lake: Lake,
    config: Path,
    monkeypatch: pytest.MonkeyPatch,
    extra: dict[str, str],
    lapses: float | None,
    wanted: str | None,
) -> None:
    (config / "reports.yaml").write_text(
        'tokenflex: {contract: "1", exports: [{name: usage, category: DESKTOP_PRODUCT, metrics: [tokensConsumed]}]}\n'
    )
    connection = {"conn_type": "tokenflex", "host": "http://127.0.0.1:1", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_TOKENFLEX_DEFAULT", json.dumps(connection))
    if lapses is not None:
        now = time.time()
        pair = TokenPair(access_token="a", refresh_token="r", issued=now, ends=now + 3600, lapses=now + lapses)
        grant = Grant(grant_id="g", granted_by="ada", granted_at=now, scope="s", pair=pair)
        monkeypatch.setenv(f"AIRFLOW_VAR_{key_of('tokenflex_default', Part.GRANT).upper()}", encode(grant))
    found = await overview(ada)
    assert found.sign_ins is not None
    assert [(one.connection, one.state) for one in found.sign_ins] == (
        [("tokenflex_default", wanted)] if wanted else []
    )
