"""What every DAG of the project keeps to, read from the DAGs as Airflow parses them."""

from __future__ import annotations

import socket
from datetime import timedelta
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FILES = sorted((ROOT / "dags").glob("*.py"))


@pytest.fixture(scope="module")
def bag():
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(ROOT / "dags")


@pytest.fixture(scope="module")
def tasks(bag):
    found = [task for dag in bag.dags.values() for task in dag.tasks]
    assert found
    return found


def test_all_files_import(bag) -> None:
    assert bag.import_errors == {}
    assert len(bag.dags) >= len(FILES)


def test_every_dag_has_an_owner_tags_a_description_and_limits(bag) -> None:
    for dag in bag.dags.values():
        assert dag.owner == "nightshift", dag.dag_id
        assert "nightshift" in dag.tags, dag.dag_id
        assert dag.doc_md, dag.dag_id
        assert dag.dagrun_timeout, dag.dag_id
        assert dag.catchup is False, dag.dag_id


def test_every_task_has_retries_a_time_out_and_a_description(tasks) -> None:
    for task in tasks:
        where = f"{task.dag_id}.{task.task_id}"
        assert task.retries >= 1, where
        assert task.execution_timeout is not None, where
        assert task.execution_timeout <= timedelta(hours=12), where
        assert task.doc_md, where
        assert task.retry_policy is not None, where


def test_every_dag_survives_serialization_and_is_the_same_each_time_it_is_parsed(bag) -> None:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.serialization.serialized_objects import DagSerialization

    again = DagBag(ROOT / "dags")
    for dag_id, dag in bag.dags.items():
        first = DagSerialization.to_dict(dag)
        assert DagSerialization.to_dict(again.dags[dag_id]) == first
        assert DagSerialization.from_dict(first).dag_id == dag_id


def test_parsing_opens_no_connection_and_reads_no_airflow_connection_or_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk import BaseHook, Variable

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a DAG file reached outside while it was parsed")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(BaseHook, "get_connection", refuse)
    monkeypatch.setattr(Variable, "get", refuse)
    bag = DagBag(ROOT / "dags")
    assert bag.import_errors == {}
    assert bag.dags


def test_parsing_does_not_load_the_heavy_libraries() -> None:
    import subprocess
    import sys

    code = (
        "import sys, pathlib, runpy\n"
        f"sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'plugins')!r}]\n"
        f"[runpy.run_path(str(file)) for file in sorted(pathlib.Path({str(ROOT / 'dags')!r}).glob('*.py'))]\n"
        "print(sorted({'pyarrow', 'deltalake', 'obstore', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_a_mistake_in_the_configuration_is_the_dags_import_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.dag_processing.dagbag import DagBag

    (tmp_path / "reports.yaml").write_text("flexnet:\n  reports:\n    - name: a\n      page_sise: 3\n")
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path))
    errors = DagBag(ROOT / "dags").import_errors
    assert [Path(file).name for file in errors] == ["flexnet_reports.py"]
    assert "reports.yaml:4: flexnet.reports[0].page_sise: unknown field; did you mean 'page_size'?" in next(
        iter(errors.values())
    )
