"""The task that takes care of a source's tables and landing, run as Airflow runs it."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from airflow.sdk import DAG
from deltalake import DeltaTable

from nightshift.config.reports import Maintenance
from nightshift.errors import AuthFailed
from nightshift.lake import maintenance
from nightshift.lake.errors import Contended, SchemaDrift
from nightshift.lake.store import Lake
from nightshift.nights.maintenance import MaintenanceOperator, maintenance_dag, take_care
from tests.execution_api import FakeExecutionApi, TaskRun
from tests.published import publish_night

NIGHT = "2026-06-01"
OLD = (datetime.now(UTC) - timedelta(days=90)).timestamp()


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setenv("NIGHTSHIFT_LAKE", str(tmp_path / "lake"))
    found = Lake.from_url(str(tmp_path / "lake"))
    for extract in ("one", "other"):
        publish_night(found, "flexnet/entitlement", NIGHT, extract=extract)
    for path in (tmp_path / "lake/raw").rglob("*"):
        os.utime(path, (OLD, OLD))
    return found


def run(*reports: str, dry_run: bool = False, retries: int = 0) -> TaskRun:
    with DAG("nightshift_maintenance", schedule=None):
        task = MaintenanceOperator(
            task_id="flexnet",
            source="flexnet",
            reports=reports,
            rules=Maintenance().model_dump(mode="json"),
            dry_run=str(dry_run),
            retries=retries,
        )
    return FakeExecutionApi(max_tries=retries).run(task)


def test_what_was_done_is_returned_and_a_dry_run_does_nothing(lake: Lake, tmp_path: Path) -> None:
    folder = tmp_path / f"lake/raw/flexnet/entitlement/night={NIGHT}"
    planned = run("entitlement", dry_run=True)
    assert planned.state == "success"
    assert (folder / "one/manifest.json").exists()
    done = run("entitlement")
    assert done.result == planned.result
    told = done.result["entitlement"]["landing"]
    assert (told["objects"], told["extracts"]) == (2, [f"{NIGHT}/one"])
    assert not (folder / "one/manifest.json").exists()
    assert (folder / "other/manifest.json").exists()


def test_a_table_is_told_how_long_its_versions_are_kept_before_anything_of_it_is_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an earlier version's table, which does not say."""
    monkeypatch.setenv("NIGHTSHIFT_LAKE", str(tmp_path / "lake"))
    with monkeypatch.context() as before:
        before.setattr("nightshift.lake.delta.made_with", dict)
        publish_night(Lake.from_url(str(tmp_path / "lake")), "flexnet/entitlement", NIGHT)

    def kept() -> dict[str, str]:
        return dict(DeltaTable(str(tmp_path / "lake/tables/flexnet/entitlement")).metadata().configuration)

    assert run("entitlement", dry_run=True).state == "success"
    assert kept() == {}
    assert run("entitlement").state == "success"
    assert set(kept().values()) == {"interval 744 hours"}


def test_one_report_that_cannot_be_cared_for_keeps_no_other_from_it(lake: Lake, tmp_path: Path) -> None:
    publish_night(lake, "flexnet/device", NIGHT)
    (tmp_path / "lake/tables/flexnet/device/_delta_log/00000000000000000001.json").write_text("{")
    done = run("device", "entitlement")
    assert done.state == "failed"
    assert "1 of 2 reports" in str(done.error)
    assert "flexnet/device" in str(done.error)
    assert not (tmp_path / f"lake/raw/flexnet/entitlement/night={NIGHT}/one/manifest.json").exists()


def test_incidents_that_cannot_be_cared_for_keep_no_report_from_it_and_are_told(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise OSError("the store is away")

    monkeypatch.setattr("nightshift.lake.maintenance.delete_old_incidents", away)
    done = run("entitlement")
    assert done.state == "failed"
    assert "0 of 1 reports and the incidents of flexnet" in str(done.error)
    assert "the store is away" in str(done.error)
    assert not (tmp_path / f"lake/raw/flexnet/entitlement/night={NIGHT}/one/manifest.json").exists()


STORE_IS_AWAY = OSError("Server returned 503 Service Unavailable")
DRIFT = SchemaDrift("the table cannot be opened as another engine left it")


@pytest.mark.parametrize(
    ("errors", "state", "told"),
    [
        ([STORE_IS_AWAY, None], "up_for_retry", "The task tries again by itself"),
        ([STORE_IS_AWAY, DRIFT], "up_for_retry", "another engine left it"),
        ([DRIFT, None], "failed", "Put right what it says, then clear this task"),
        ([Contended("other writers came first"), None], "up_for_retry", "other writers came first"),
        ([AuthFailed("the password is wrong"), DRIFT], "failed", "2 of 2 reports"),
    ],
)
def test_what_passes_by_itself_is_tried_again_and_the_rest_fails_for_good(
    lake: Lake,
    monkeypatch: pytest.MonkeyPatch,
    errors: list[Exception | None],
    state: str,
    told: str,
) -> None:
    publish_night(lake, "flexnet/device", NIGHT)
    found = dict(zip(("device", "entitlement"), errors, strict=True))
    real = maintenance.vacuum

    def vacuum(lake: Lake, source: str, report: str, keep: timedelta, **more: bool) -> maintenance.Removed:
        if error := found[report]:
            raise error
        return real(lake, source, report, keep, **more)

    monkeypatch.setattr(maintenance, "vacuum", vacuum)
    done = run("device", "entitlement", retries=2)
    assert done.state == state
    assert told in str(done.error)


def test_a_second_run_finds_nothing_to_do_and_says_so(lake: Lake) -> None:
    said: list[str] = []
    rules = Maintenance()
    take_care(lake, "flexnet", "entitlement", rules, dry_run=False, say=said.append)
    assert not any("nothing was to be done" in line for line in said)
    take_care(lake, "flexnet", "entitlement", rules, dry_run=False, say=said.append)
    assert said[-1] == "flexnet/entitlement: nothing was to be done"


def test_the_dag_has_a_task_a_source_and_none_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path))
    monkeypatch.setenv("NIGHTSHIFT_KEPT", str(tmp_path / "kept"))
    assert maintenance_dag(doc_md=None) is None
    (tmp_path / "reports.yaml").write_text(
        "flexnet:\n  maintenance: {keep_landing: 400h}\n  reports: [{name: a}]\n"
        "camunda_optimize:\n  reports: [{name: b, report_id: c}]\n"
    )
    dag = maintenance_dag(doc_md=None)
    assert dag is not None
    tasks = {task.task_id: task for task in dag.tasks}
    assert set(tasks) == {"flexnet", "camunda_optimize"}
    assert (tasks["flexnet"].reports, tasks["flexnet"].rules["keep_landing"]) == (["a"], "400h")
    assert Maintenance.model_validate(tasks["flexnet"].rules).keep_landing == timedelta(hours=400)


@pytest.mark.parametrize("rule", ["keep_versions: 6d", "keep_superseded: 47h", "keep_landing: 1d"])
def test_a_retention_that_would_take_what_is_needed_is_a_mistake(
    rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nightshift.config.reports import mistakes_of_reports

    monkeypatch.setenv("NIGHTSHIFT_KEPT", str(tmp_path / "kept"))
    (tmp_path / "reports.yaml").write_text(f"flexnet:\n  maintenance: {{{rule}}}\n  reports: [{{name: a}}]\n")
    (mistake,) = mistakes_of_reports(tmp_path)
    assert "must be from" in mistake
