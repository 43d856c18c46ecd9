"""The DAGs of a night under load, as Airflow parses them."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from benchmarks import load
from benchmarks.contenders import load_dags


def test_each_contender_has_a_task_a_report(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = {
        "reports": 3,
        "out": str(tmp_path),
        "origin": "http://localhost",
        "request": {"mode": "batch"},
        "dlt": "dlt",
    }
    monkeypatch.setenv(load_dags.LOAD, json.dumps(given))
    parsed = runpy.run_path(str(Path(load_dags.__file__)))
    dags = {one.dag_id: len(one.tasks) for one in parsed.values() if isinstance(one, load_dags.DAG)}
    assert dags == {"load_dlt": 3, "load_http": 3, "load_nothing": 3 * load_dags.TASKS_A_REPORT}
    assert {one.dag_id for one in load.CONTENDERS} == {"flexnet_reports", *dags}
