"""A lake, a configuration and a pager for whole looks."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from include.standins.webhooks import ROUTING_KEY, WebHooksStandIn
from nightshift.lake.store import Lake
from nightshift.watch.once import WatchResult, watch_once
from tests.unit.watch.looks import at
from tests.unit.watch.scene import Look


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.from_url(str(tmp_path / "lake"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NIGHTSHIFT_KEPT", str(tmp_path / "kept"))
    (tmp_path / "reports.yaml").write_text(
        "flexnet: {due: '06:00', reports: [{name: usage, since: 2026-11-27}, {name: user, since: 2026-11-27}]}\n"
    )
    (tmp_path / "promotions.yaml").write_text(
        "portal: {project: a/b, stream: main, after: [flexnet/usage], build: {environment: DEV},"
        " stages: [{environment: DEV}]}\n"
    )
    return tmp_path


@pytest.fixture
def look(lake: Lake, folder: Path) -> Look:
    def once(now: str | datetime, **more: Any) -> WatchResult:
        moment = at(now) if isinstance(now, str) else now
        return watch_once(lake, by=more.pop("by", "dag"), folder=folder, now=moment, **more)

    return once


@pytest.fixture
def pager(folder: Path, monkeypatch: pytest.MonkeyPatch):
    with WebHooksStandIn() as hooks:
        given = {"conn_type": "http", "host": hooks.url, "password": ROUTING_KEY}
        monkeypatch.setenv("AIRFLOW_CONN_PAGERDUTY_NIGHTS", json.dumps(given))
        (folder / "notify.yaml").write_text("on_call: {to: pagerduty, connection: pagerduty_nights}\n")
        yield hooks
