"""``nightshift promotions``: what the records in the lake tell, in a terminal and for programs."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nightshift.lake.store import Lake
from nightshift.promotion.record import PromotionOutcome, StepState
from nightshift.promotion.store import Records
from tests.unit.cli.conftest import Run
from tests.unit.promotion.records import MINUTE, NEW, OLD, T, deploy, record

PROMOTIONS = """\
portal:
  project: Licensing/Portal
  stream: main
  build: {environment: DEV}
  after: [flexnet/entitlement]
  stages: [{name: DEV, environment: DEV}, {name: TEST, environment: TEST}]
"""
DAYS = ("--days", str((datetime.now(UTC) - T).days + 2))


@pytest.fixture
def records(config: Path, lake: Lake) -> Records:
    (config / "promotions.yaml").write_text(PROMOTIONS)
    return Records(lake, "portal")


def write(records: Records, *steps: object, run_id: str, **more: object) -> None:
    asyncio.run(records.write(record(*steps, run_id=run_id, stages=("DEV", "TEST"), **more)))  # type: ignore[arg-type]


def test_versions_in_stages_what_is_under_way_and_the_figures(records: Records, run: Run) -> None:
    done = {"closed": T + 9 * MINUTE, "outcome": PromotionOutcome.PROMOTED}
    write(records, deploy("DEV", OLD), deploy("TEST", OLD, 3), run_id="first", version=OLD, **done)
    write(records, deploy("DEV", NEW, 20), run_id="second", opened=T + 19 * MINUTE)
    found = run("promotions", *DAYS, "--json")
    assert found.exit_code == 0
    (lane,) = json.loads(found.stdout)["applications"]
    assert [(one["stage"], one["running"]["version"]["name"]) for one in lane["stages"]] == [
        ("DEV", "1.0.2"),
        ("TEST", "1.0.1"),
    ]
    assert [(one["run_id"], one["closed"]) for one in lane["promotions"]] == [("second", None)]
    stages = {one["stage"]: one for one in json.loads(found.stdout)["figures"]["together"]}
    assert (stages["DEV"]["deployments"], stages["TEST"]["deployments"]) == (2, 1)
    shown = run("promotions", *DAYS).stdout
    assert "1.0.2 (id 40001)" in shown
    assert "portal: under way, night 2026-11-20, second" in shown
    assert "TEST: 1 deployments" in shown


def test_a_deployment_in_doubt_is_named_and_ends_with_1(records: Records, run: Run) -> None:
    doubt = deploy("DEV", NEW, 5, StepState.FAILED)
    write(records, doubt, run_id="doubtful", closed=T + 9 * MINUTE, outcome=PromotionOutcome.FAILED)
    found = run("promotions")
    assert found.exit_code == 1
    assert "in doubt by doubtful" in found.stdout


def test_a_record_that_cannot_be_read_is_told(records: Records, run: Run, tmp_path: Path) -> None:
    (tmp_path / "lake/promotions/portal/r.json").write_text("{")
    found = run("promotions", "portal", "--json")
    assert found.exit_code == 1
    assert "r.json" in json.loads(found.stdout)["applications"][0]["unread"][0]


def test_nothing_promoted_yet_is_no_error(records: Records, run: Run) -> None:
    found = run("promotions")
    assert found.exit_code == 0
    assert "portal" in found.stdout
