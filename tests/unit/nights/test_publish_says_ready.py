"""What a publish emits once it is done, as Airflow's own task runner sends it to the API server."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pendulum
import pytest
from airflow.sdk import DAG
from deltalake import DeltaTable

from nightshift.lake.spec import PublishSpec
from nightshift.lake.store import Lake
from nightshift.nights.publish import PublishNightOperator
from nightshift.nights.ready import Waiting
from tests.execution_api import FakeExecutionApi, TaskRun
from tests.published import land, publish_night

A, B = "flexnet/a", "flexnet/b"
N1, N2 = "2026-11-20", "2026-11-21"
WAITING = Waiting({"portal": (A, B), "other": (A, "exago/tree")})


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setenv("NIGHTSHIFT_LAKE", str(tmp_path / "lake"))
    return Lake.from_url(str(tmp_path / "lake"))


def task_for(lake: Lake, report: str, night: str, waiting: Waiting = WAITING, *, extract: str = "first") -> Any:
    source, _, name = report.partition("/")
    asyncio.run(land(lake, report, night, extract=extract))
    landed = {"source": source, "report": name, "night": night, "extract": extract}
    with DAG("d", schedule=None, start_date=pendulum.datetime(2026, 1, 1)):
        spec = PublishSpec(key=("id",)).model_dump(mode="json")
        return PublishNightOperator(
            task_id="publish", extract=landed, spec=spec, source=source, report=name, waiting=waiting
        )


def emitted(run: TaskRun) -> dict[str, list[str]]:
    """Return asset → partition keys, of those that Airflow makes events of: the outlets, each with its keys."""
    assert run.state == "success", run.error
    outlets = {one.name for one in run.message.task_outlets}
    found: dict[str, list[str]] = {name: [] for name in outlets}
    for event in run.message.outlet_events:
        assert event["dest_asset_key"]["name"] in outlets
        found[event["dest_asset_key"]["name"]].append(event["partition_key"])
    assert all(found.values()), "an outlet without an event of its own gets one with the night of the run"
    return {name: sorted(keys) for name, keys in found.items()}


def test_an_incomplete_night_wakes_nobody_and_the_publish_that_completes_it_does(lake: Lake) -> None:
    first = task_for(lake, A, N1)
    assert [asset.name for asset in first.outlets] == ["flexnet/a", "ready/other", "ready/portal"]
    assert emitted(FakeExecutionApi().run(first)) == {"flexnet/a": [N1]}
    assert emitted(FakeExecutionApi().run(task_for(lake, B, N2))) == {"flexnet/b": [N2]}
    assert emitted(FakeExecutionApi().run(task_for(lake, B, N1))) == {"flexnet/b": [N1], "ready/portal": [N1]}
    # The operator of the DAG keeps all of its outlets: another attempt may have more to say.
    assert [asset.name for asset in first.outlets] == ["flexnet/a", "ready/other", "ready/portal"]


def test_a_clear_that_changes_nothing_says_it_again(lake: Lake) -> None:
    """A worker may die after the commit and before Airflow was told."""
    publish_night(lake, A, N1)
    api, task = FakeExecutionApi(max_tries=2), task_for(lake, B, N1)
    for already in (False, True):
        run = api.run(task)
        assert run.result["already"] is already
        assert emitted(run) == {"flexnet/b": [N1], "ready/portal": [N1]}


def test_a_night_that_is_not_sound_wakes_nobody(lake: Lake) -> None:
    publish_night(lake, A, N1)
    DeltaTable(lake.table_url("flexnet", "a")).delete("id = '1'")
    assert emitted(FakeExecutionApi().run(task_for(lake, B, N1))) == {"flexnet/b": [N1]}


def test_a_promotions_file_that_cannot_be_read_breaks_no_report(
    lake: Lake, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    broken = Waiting(trouble="/etc/promotions.yaml:3: not valid YAML: found a tab")
    run = FakeExecutionApi().run(task_for(lake, A, N1, broken))
    assert emitted(run) == {"flexnet/a": [N1]}
    told = caplog.text + "".join(capsys.readouterr())
    assert "No application is told of this night" in told
    assert "promotions.yaml:3: not valid YAML: found a tab" in told
