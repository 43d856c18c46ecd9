"""What parsing the DAGs loads: Airflow parses every file again and again, and no client or table library is needed for
it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LAST = "promotion.py"
HEAVY = frozenset(
    {"aiohttp", "requests", "urllib3", "httpx", "httpx2", "pyarrow", "deltalake", "obstore", "zstandard", "duckdb"}
)
REPORTS = """
flexnet: {reports: [{name: entitlement, key: [EntitlementID]}, {name: device}]}
tokenflex:
  contract: "1"
  exports:
    - {name: desktop, category: DESKTOP_PRODUCT, fields: [usageDate], metrics: [tokensConsumed], delete_after: true}
    - {name: cloud, category: CLOUD_PRODUCT, fields: [usageDate], metrics: [tokensConsumed]}
camunda_optimize: {reports: [{name: invoices, report_id: one}, {name: orders, report_id: two}]}
exago: {folders: {declared: [Nightly/In]}, reports: [{name: users, path: Nightly/Users}]}
"""
APPLICATIONS = """
portal: &portal
  project: Folder/Portal
  stream: main
  after: [flexnet/entitlement, tokenflex/desktop, exago/tree]
  build: {environment: DEV}
  stages:
    - environment: DEV
      before: [{name: stop, project: Ops/Stop}]
    - environment: TEST
      approval: {hours: 24}
      window: {timezone: Europe/Berlin, opens: "22:00", closes: "04:00"}
      exago: {live: Reports/Live, candidate: Reports/Next, archive: Reports/Old}
shop: {<<: *portal, project: Folder/Shop}
mistake: {project: 7}
"""
PARSE = """
import json, pathlib, runpy, sys
from airflow.sdk import (
    DAG, Asset, BaseAsyncOperator, BaseBranchOperator, BaseHook, BaseOperator, BaseSensorOperator, Context,
    CronPartitionTimetable, Param, PartitionedAssetTimetable, TaskGroup,
)
told = {}
for path in sorted(pathlib.Path("dags").glob("*.py"), key=lambda path: (path.name == sys.argv[1], path.name)):
    before = set(sys.modules)
    runpy.run_path(str(path))
    told[path.name] = sorted(set(sys.modules) - before)
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What each file loads besides Airflow's SDK, in an interpreter of its own."""
    folder = tmp_path_factory.mktemp("config")
    (folder / "reports.yaml").write_text(REPORTS)
    (folder / "promotions.yaml").write_text(APPLICATIONS)
    path = os.pathsep.join(map(str, (ROOT, ROOT / "plugins")))
    environ = {**os.environ, "PYTHONPATH": path, "NIGHTSHIFT_CONFIG": str(folder), "NIGHTSHIFT_LAKE": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", PARSE, LAST], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return told


def test_every_file_declares_its_tasks(loaded: dict[str, list[str]]) -> None:
    """Else nothing here says anything."""
    rooms = {name.split(".")[1] for names in loaded.values() for name in names if name.startswith("nightshift.")}
    assert rooms >= {"flexnet", "tokenflex", "camunda_optimize", "exago", "flexdeploy", "promotion", "jobs", "lake"}


def test_no_client_and_no_table_library(loaded: dict[str, list[str]]) -> None:
    found = {name for names in loaded.values() for name in names if name.partition(".")[0] in HEAVY}
    assert not found


def test_no_hook_and_no_adapter(loaded: dict[str, list[str]]) -> None:
    ours = [name for names in loaded.values() for name in names if name.startswith("nightshift.")]
    vendors = [name for name in ours if name.endswith((".hook", ".adapter")) and name != "nightshift.jobs.adapter"]
    assert vendors == []
    assert not [name for names in loaded.values() for name in names if name.startswith("airflow.providers.http")]


def test_no_trigger_where_airflow_itself_needs_none(loaded: dict[str, list[str]]) -> None:
    """Airflow's operator for approvals, in promotions, loads its own."""
    waits = [name for file, names in loaded.items() for name in names if file != LAST and "trigger" in name]
    assert [name for name in waits if not name.startswith("airflow.sdk.")] == []
