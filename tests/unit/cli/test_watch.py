"""``nightshift watch``: the look that works while Airflow does not."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nightshift.lake.store import Lake
from nightshift.watch.incidents import read
from tests.published import publish_night
from tests.unit.cli.conftest import Run

TODAY = datetime.now(UTC).date()
SINCE = (TODAY - timedelta(days=2)).isoformat()


@pytest.fixture(autouse=True)
def due(config: Path) -> None:
    (config / "reports.yaml").write_text(
        f"flexnet:\n  due: '00:01'\n  settle_hours: 0\n  reports: [{{name: entitlement, key: [id], since: {SINCE}}}]\n"
    )


def test_a_night_that_never_ran_is_an_incident_and_ends_with_1(run: Run, lake: Lake) -> None:
    found = run("watch", "--json")
    assert found.exit_code == 1
    told = json.loads(found.stdout)
    assert SINCE in [one["night"] for one in told["open"]]
    assert len(opened(lake)) == len(told["open"])
    shown = run("watch")
    assert shown.exit_code == 1
    assert "flexnet/entitlement" in shown.stdout


def test_nights_on_time_end_with_0(run: Run, lake: Lake) -> None:
    run("watch")
    for days in (1, 2):
        publish_night(lake, "flexnet/entitlement", (TODAY - timedelta(days=days)).isoformat())
    found = run("watch", "--json")
    assert found.exit_code == 0
    told = json.loads(found.stdout)
    assert told["open"] == []
    assert opened(lake) == []


def test_a_mistake_that_keeps_everybody_from_waiting_is_no_night_on_time(run: Run, config: Path) -> None:
    (config / "reports.yaml").write_text("flexnet:\n  due: '06:00'\n  reports: [{nmae: entitlement}]\n")
    found = run("watch")
    assert found.exit_code == 2
    assert "did you mean 'name'?" in found.stdout


def opened(lake: Lake) -> list[str]:
    return [one.id for one in read(lake) if one.is_open]
