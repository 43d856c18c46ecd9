"""``nightshift watch``: the look that works while Airflow does not."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from include.standins.webhooks import ROUTING_KEY, WebHooksStandIn
from nightshift.lake.store import Lake
from nightshift.watch.incidents import read
from tests.published import publish_night
from tests.unit.cli.conftest import Run

SINCE = (datetime.now(UTC).date() - timedelta(days=2)).isoformat()


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
    night = date.fromisoformat(SINCE)
    while night < datetime.now(UTC).date():
        publish_night(lake, "flexnet/entitlement", night.isoformat())
        night += timedelta(days=1)
    found = run("watch", "--json")
    assert found.exit_code == 0
    told = json.loads(found.stdout)
    assert told["open"] == []
    assert opened(lake) == []


def test_a_mistake_that_keeps_everybody_from_waiting_is_no_night_on_time(run: Run, config: Path, lake: Lake) -> None:
    (config / "reports.yaml").write_text("flexnet:\n  due: '06:00'\n  reports: [{nmae: entitlement}]\n")
    found = run("watch")
    assert found.exit_code == 2
    assert "did you mean 'name'?" in found.stdout


def test_a_channel_is_tried_by_its_name(run: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with WebHooksStandIn() as hooks:
        given = {"conn_type": "http", "host": hooks.url, "password": ROUTING_KEY}
        monkeypatch.setenv("AIRFLOW_CONN_PAGER", json.dumps(given))
        monkeypatch.setenv("AIRFLOW_CONN_WRONG", json.dumps({**given, "password": "f" * 32}))
        (config / "notify.yaml").write_text(
            "on_call: {to: pagerduty, connection: pager}\nwrong: {to: pagerduty, connection: wrong}\n"
        )
        done = run("watch", "--test", "on_call")
        assert (done.exit_code, list(hooks.alerts.values())) == (0, ["resolved"])
        refused = run("watch", "--test", "wrong")
    assert refused.exit_code == 3
    assert "the channel wrong did not take it: PagerDuty" in refused.stderr
    assert "ffffffff" not in refused.output
    unknown = run("watch", "--test", "oncall")
    assert (unknown.exit_code, "did you mean 'on_call'?" in unknown.stderr) == (3, True)


def opened(lake: Lake) -> list[str]:
    return [one.id for one in read(lake) if one.is_open]
