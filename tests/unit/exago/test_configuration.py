"""The section ``exago`` of reports.yaml, and the DAG that is made of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nightshift.exago.configuration import Exago
from nightshift.settings import ConfigError, read_section
from tests.execution_api import FakeExecutionApi, httpx

DAGS = Path(__file__).resolve().parents[3] / "dags"
FULL = """
exago:
  timezone: Europe/Berlin
  list_lag: 60
  folders: {declared: [Sales/Daily, 'Ops\\Night']}
  reports:
    - name: orders
      path: Sales/Orders
      key: [OrderId]
      night_column: Day
      filters: [{text: Orders.Day, operator: 12, type: date, values: ["{night:%m/%d/%Y}", "{night}"]}]
      sorts: [{entity: Orders, column: Id}]
    - {name: holdings, report_id: "7", format: json, data_type: null, minutes: 5}
"""


def section(folder: Path, text: str) -> Exago | None:
    (folder / "reports.yaml").write_text(text)
    return read_section("exago", Exago, folder=folder)


def dag_of(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    from airflow.dag_processing.dagbag import DagBag

    (folder / "reports.yaml").write_text(text)
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(folder))
    bag = DagBag(DAGS / "exago_catalog.py")
    assert bag.import_errors == {}
    return bag.dags.get("exago_catalog")


def test_nothing_but_the_connection_is_needed(tmp_path: Path) -> None:
    found = section(tmp_path, "exago:\n  connection: exago_default\n")
    assert found is not None
    assert (found.connection, found.branches) == ("exago_default", ("tree",))


def test_a_full_section(tmp_path: Path) -> None:
    found = section(tmp_path, FULL)
    assert found is not None
    assert found.branches == ("tree", "folders", "orders", "holdings")
    one = found.reports[0]
    assert one.filters[0].as_sent() == {
        "FilterText": "Orders.Day",
        "DataType": "date",
        "Operator": 12,
        "Values": ["{night:%m/%d/%Y}", "{night}"],
    }
    assert one.sorts[0].as_sent() == {"EntityName": "Orders", "ColumnName": "Id", "AscendingFlag": True}
    spec = one.publish_spec(found.timezone)
    assert (spec.key, spec.night_column, spec.timezone) == (("OrderId",), "Day", "Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("exago:\n  reports:\n  - {name: a}\n", "by path or by report_id"),
        ("exago:\n  reports:\n  - {name: a, path: x, report_id: y}\n", "by one of them"),
        ("exago:\n  reports:\n  - {name: tree, path: x}\n", "give the report another name"),
        ("exago:\n  reports:\n  - {name: a, path: x}\n  - {name: a, path: y}\n", "listed twice"),
        ("exago:\n  reports:\n  - {name: a, path: x, formt: csv}\n", "did you mean 'format'"),
        ("exago:\n  folders: {declared: [A//B]}\n", "'A//B' is not the path of a folder"),
        ("exago:\n  folders: {declared: []}\n", "exago.folders.declared"),
    ],
)
def test_a_mistake_is_told(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as raised:
        section(tmp_path, text)
    assert words in str(raised.value)
    assert "reports.yaml:" in str(raised.value)


def test_without_a_section_there_is_no_dag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert dag_of(tmp_path, "flexnet:\n  reports: []\n", monkeypatch) is None


def test_the_dag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    dag = dag_of(tmp_path, FULL, monkeypatch)
    assert set(dag.task_ids) == {
        "night",
        "folders",
        "tree.extract",
        "tree.publish",
        "tree.changes.compare",
        "tree.changes.publish",
        "orders.extract",
        "orders.publish",
        "holdings.extract",
        "holdings.publish",
    }
    assert {asset.name for task in dag.tasks for asset in task.outlets} == {
        "exago/tree",
        "exago/tree_changes",
        "exago/orders",
        "exago/holdings",
    }
    assert dag.get_task("orders.extract").horizon_days is None
    assert dag.get_task("holdings.extract").horizon_days == 1
    for task in dag.tasks:
        assert task.doc_md, task.task_id
        assert task.execution_timeout is not None, task.task_id
        assert task.retries >= 1, task.task_id
    text = DagSerialization.to_dict(dag)
    assert DagSerialization.to_dict(dag_of(tmp_path, FULL, monkeypatch)) == text
    assert DagSerialization.from_dict(json.loads(json.dumps(text))).dag_id == "exago_catalog"


class Skipping(FakeExecutionApi):
    """Keeps which tasks were skipped."""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("skip-downstream"):
            self.skipped = json.loads(request.content)["tasks"]
        return super().__call__(request)


@pytest.mark.parametrize("chosen", ["tree", "orders", "folders"])
def test_a_person_chooses_what_of_a_night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen: str) -> None:
    dag = dag_of(tmp_path, FULL, monkeypatch)
    api = Skipping(conf={"reports": [chosen], "night": "2026-11-20"}, dag_id="exago_catalog")
    run = api.run(dag.get_task("night"))
    assert run.state == "success", run.error
    names = [task if isinstance(task, str) else task[0] for task in api.skipped]
    assert {name.split(".")[0] for name in names} == {"tree", "folders", "orders", "holdings"} - {chosen}
