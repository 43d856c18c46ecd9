"""A value of a configuration file is never a template, in no operator of no DAG that is made of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nightshift.sources import SOURCES

ROOT = Path(__file__).resolve().parents[3]
T = "{{ conn.flexdeploy_default.password }}"
REPORTS = f"""
flexnet:
  connection: "{T}"
  reports: [{{name: a, key: ["{T}"], query: {{"{T}": {{$eq: "{T}"}}}}, night_column: "{T}"}}]
tokenflex:
  connection: "{T}"
  contract: "{T}"
  exports:
    - name: b
      category: MANUAL_ADJUSTMENT
      fields: [usageDate, "{T}"]
      metrics: ["{T}"]
      other_names: ["{T}"]
      conditions: [{{field: productName, value: "{T}"}}]
      delete_after: true
camunda_optimize:
  connection: "{T}"
  reports: [{{name: c, report_id: "{T}", key: ["{T}"]}}]
exago:
  connection: "{T}"
  folders: {{declared: ["{T}"]}}
  reports:
    - {{name: d, path: "{T}", filters: [{{text: "{T}", values: ["{T}"]}}], sorts: [{{entity: "{T}", column: "{T}"}}]}}
    - {{name: e, report_id: "{T}", data_key: "{T}"}}
"""
PROMOTIONS = f"""
portal:
  description: "{T}"
  connection: "{T}"
  project: "{T}"
  stream: "{T}"
  build:
    environment: "{T}"
    inputs: {{"{T}": "{T}"}}
    flex_fields: {{"{T}": "{T}"}}
    related_tickets: ["{T}"]
    workflow_version: "{T}"
    package_name: "{T}"
    project_files: [{{path: "{T}"}}]
  packages: [{{name: "{T}"}}]
  stages:
    - environment: "{T}"
      name: TEST
      approval: {{users: ["{T}"]}}
      change_tickets: ["{T}"]
      inputs: {{"{T}": "{T}"}}
      flex_fields: {{"{T}": "{T}"}}
      workflow_version: "{T}"
      before:
      - name: stop
        project: "{T}"
        environment: "{T}"
        inputs: {{"{T}": "{T}"}}
        flex_fields: {{"{T}": "{T}"}}
        workflow_version: "{T}"
      after: [{{name: start, project: "{T}"}}]
      exago: {{connection: "{T}", live: "{T}/l", candidate: "{T}/c", archive: "{T}/a"}}
"""


class Outputs:
    """What other tasks have returned.

    :param task: the task that asks, which Airflow 3.4 looks at
    """

    def __init__(self, task: Any) -> None:
        self.task = task

    def xcom_pull(self, **_: Any) -> dict[str, Any]:
        return dict.fromkeys(("night", "force", "request_key", "where", "stage", "version"), "2026-11-21")


@pytest.fixture(scope="module")
def dags(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    from airflow.dag_processing.dagbag import DagBag

    folder = tmp_path_factory.mktemp("inert")
    (folder / "reports.yaml").write_text(REPORTS)
    (folder / "promotions.yaml").write_text(PROMOTIONS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NIGHTSHIFT_CONFIG", str(folder))
        bag = DagBag(ROOT / "dags")
    assert bag.import_errors == {}
    return dict(bag.dags)


DAGS = (*(source.dag_id for source in SOURCES.values()), "promote_portal")


def holds(value: Any) -> int:
    """How often the template stands in a value."""
    return str(value).count(T)


@pytest.mark.parametrize("dag_id", DAGS)
def test_no_value_of_a_file_is_rendered(dags: dict[str, Any], dag_id: str) -> None:
    dag = dags[dag_id]
    given = 0
    for declared in dag.tasks:
        task = declared.prepare_for_execution()
        before = {name: holds(value) for name, value in vars(task).items()}
        task.render_template_fields(
            {"ti": Outputs(task), "run_id": "r", "expanded_ti_count": None}, dag.get_template_env()
        )
        assert {name: holds(value) for name, value in vars(task).items() if name in before} == before, task.task_id
        given += sum(count for name, count in before.items() if not name.startswith("_"))
    assert given >= 3, "the values never reached the operators, and this test says nothing"


@pytest.mark.parametrize("dag_id", DAGS[:-1])  # a promotion takes everything from its record
def test_what_other_tasks_return_is_rendered(dags: dict[str, Any], dag_id: str) -> None:
    from airflow.sdk import XComArg

    fields = [
        (task.task_id, name)
        for task in dags[dag_id].tasks
        for name, value in vars(task).items()
        if not name.startswith("_") and isinstance(value, XComArg)
    ]
    assert fields
    assert [one for one in fields if one[1] not in dags[dag_id].get_task(one[0]).template_fields] == []
