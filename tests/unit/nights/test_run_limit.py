"""Airflow ends a run that lasts longer than its DAG allows, without a word; so no section may wait for that long."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.standins.camunda_optimize import INVOICES
from nightshift.config.reports import model_of
from nightshift.nights.flow import nightly_dag
from nightshift.sources import SOURCES

EXPORT = {"name": "usage", "category": "DESKTOP_PRODUCT", "fields": ["usageDate"], "metrics": ["tokensConsumed"]}
LEAST: dict[str, dict[str, Any]] = {
    "flexnet": {"reports": [{"name": "entitlement"}]},
    "tokenflex": {"contract": "1", "exports": [{**EXPORT, "delete_after": True}]},
    "camunda_optimize": {"reports": [{"name": "invoices", "report_id": INVOICES}]},
    "exago": {},
}
MOST = {"settle_hours": 24, "export_hours": 168, "queue_hours": 168, "retries": 20}


def waits(dag: Any) -> list[timedelta]:
    """Return what each task may wait, as the task itself has it; a full queue is waited for by each of its tries."""
    found = []
    for task in dag.tasks:
        spans = {
            "settle_hours": timedelta(hours=getattr(task, "settle_hours", 0)),
            "queue_timeout": timedelta(seconds=getattr(task, "queue_timeout", 0)) * (1 + task.retries),
            "timeout": timedelta(seconds=getattr(task, "timeout", None) or 0),
        }
        found.append(sum(spans.values(), timedelta()))
    return found


@pytest.fixture
def dag_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def of(source: str, section: dict[str, Any]) -> Any:
        (tmp_path / "reports.yaml").write_text(yaml.safe_dump({source: section}))
        monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path))
        monkeypatch.setenv("NIGHTSHIFT_LAKE", str(tmp_path / "lake"))
        return nightly_dag(source, doc_md=None)

    return of


@pytest.mark.parametrize("most", [False, True], ids=["by default", "at most"])
@pytest.mark.parametrize("source", SOURCES)
def test_a_run_has_hours_to_work_when_it_has_waited_for_as_long_as_its_section_allows(
    dag_of, source: str, most: bool
) -> None:
    own = {name: value for name, value in MOST.items() if name in model_of(source).model_fields and most}
    dag = dag_of(source, {**LEAST[source], **own})
    assert dag.dagrun_timeout - sum(waits(dag), timedelta()) >= timedelta(hours=20)


@pytest.mark.parametrize("source", SOURCES)
def test_every_task_is_tried_again_as_often_as_its_section_says(dag_of, source: str) -> None:
    assert {task.retries for task in dag_of(source, {**LEAST[source], "retries": 7}).tasks} == {7}
