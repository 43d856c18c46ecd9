"""The overview: each part at a glance, and each broken alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nightshift.board.models import Overview
from nightshift.lake.store import Lake
from nightshift.promotion.record import PromotionOutcome, StepKind, StepState
from nightshift.promotion.store import Records
from tests.unit.board.conftest import Runs, browser
from tests.unit.board.records import ONE, TWO, deploy, record, step
from tests.unit.board.test_holds import ASKED, PRESS
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
