"""Tasks of this room."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG

from nightshift.exago.promote_operator import ExagoPromoteFolderOperator
from nightshift.nights.publish import PublishNightOperator, WatchSchemaOperator
from nightshift.retries import VendorRetryPolicy
from tests.execution_api import FakeExecutionApi, FileStore, TaskRun  # first: it sets Airflow up

NIGHT = "2026-11-21"


def task(kind: type, **given: Any) -> Any:
    with DAG("d", schedule=None):
        return kind(**{"task_id": "t", "retry_policy": VendorRetryPolicy(), **given})


def promotion(**given: Any) -> ExagoPromoteFolderOperator:
    shared = {"live": "App/live", "candidate": "App/next", "archive": "Archive", "night": NIGHT, "list_lag": 0.3}
    return task(ExagoPromoteFolderOperator, **{**shared, **given})


def api_in(folder: Path, connection: dict[str, Any], run_id: str = "r") -> FakeExecutionApi:
    """Everything that outlives a killed attempt is in ``folder``: the state store and the lake."""
    os.environ["NIGHTSHIFT_LAKE"] = str(folder / "lake")
    store = FileStore(folder / "store")
    return FakeExecutionApi(connections={"exago_default": connection}, max_tries=5, task_store=store, run_id=run_id)


def claims_in(lake: Path) -> list[Path]:
    return sorted((lake / "claims").rglob("*.json")) if (lake / "claims").exists() else []


def days_ago(count: int) -> str:
    """Return the night, as it is now: a test may begin right after a midnight."""
    return (datetime.now(UTC).date() - timedelta(days=count)).isoformat()


def publish(api: FakeExecutionApi, extract: dict[str, Any], spec: Any) -> TaskRun:
    text = spec.model_dump(mode="json")
    assert api.run(task(WatchSchemaOperator, extract=extract, spec=text, task_id="w")).state == "success"
    return api.run(
        task(PublishNightOperator, extract=extract, spec=text, source="exago", report=extract["report"], task_id="p")
    )


def rows(lake: Path, report: str, night: str | None = None) -> list[dict[str, Any]]:
    from deltalake import DeltaTable

    table = DeltaTable(str(lake / "tables" / "exago" / report)).to_pyarrow_table()
    return [
        {name: value for name, value in row.items() if name != "night"}
        for row in table.to_pylist()
        if row["night"].isoformat() == (night or days_ago(1))
    ]
