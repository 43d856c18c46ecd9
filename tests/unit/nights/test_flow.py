"""Who counts first: the report in ``reports.yaml``, its section, the connection, and then the request's own default."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from include.local.vendors import standin_connections
from include.standins.camunda_optimize import INVOICES
from include.standins.process import vendor_type
from nightshift.nights.flow import nightly_dag
from tests.execution_api import FakeExecutionApi

FLEXNET = "flexnet: {reports: [{name: account%s}]}"
CAMUNDA = f"camunda_optimize: {{%s reports: [{{name: account, report_id: {INVOICES}}}]}}"


@pytest.mark.parametrize(
    ("room", "yaml", "extra", "name", "sent"),
    [
        ("flexnet", FLEXNET % ", page_size: 100", {"page_size": 200}, "limitRecords", "100"),
        ("flexnet", FLEXNET % "", {"page_size": 200}, "limitRecords", "200"),
        ("flexnet", FLEXNET % "", {"page_size": "200"}, "limitRecords", "200"),
        ("flexnet", FLEXNET % "", {}, "limitRecords", "2500"),
        ("flexnet", FLEXNET % ", mode: interactive", {"mode": "batch"}, "mode", "interactive"),
        ("flexnet", FLEXNET % "", {"mode": "batch"}, "mode", "batch"),
        ("flexnet", FLEXNET % "", {}, "mode", "interactive"),
        ("camunda_optimize", CAMUNDA % "limit: 300,", {"limit": 400}, "limit", "300"),
        ("camunda_optimize", CAMUNDA % "", {"limit": 400}, "limit", "400"),
        ("camunda_optimize", CAMUNDA % "", {}, "limit", "10000"),
    ],
)
def test_what_is_asked_of_the_vendor(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    room: str,
    yaml: str,
    extra: dict[str, Any],
    name: str,
    sent: str,
) -> None:
    (tmp_path / "reports.yaml").write_text(yaml)
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path))
    monkeypatch.setenv("NIGHTSHIFT_LAKE", str(tmp_path / "lake"))
    dag = nightly_dag(room, doc_md=None)
    assert dag is not None
    task = dag.get_task("account.extract")
    task.night, task.force = (datetime.now(UTC).date() - timedelta(days=1)).isoformat(), False
    with vendor_type(room)() as vendor:
        connections = standin_connections({room: int(vendor.url.rpartition(":")[2])})
        for fields in connections.values():
            fields["extra"] = json.dumps(extra)
        done = FakeExecutionApi(connections=connections, max_tries=1).run(task)
        assert done.state == "success", done.error
        assert dict(vendor.ledger.requests()[-1].query)[name] == sent


def test_columns_that_the_configuration_names_are_known_of_a_flexnet_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "reports.yaml").write_text(FLEXNET % ", types: {Seats: int64}, night_column: Day, key: [ID]")
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path))
    dag = nightly_dag("flexnet", doc_md=None)
    assert dag is not None
    task: Any = dag.get_task("account.extract")
    assert (task.columns, task.asked["key"]) == (("Seats", "Day"), ("ID",))
