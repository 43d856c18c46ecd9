"""The DAGs of a night under load: dlt and HttpOperator with a task a report, and as many tasks that do nothing.

Nightshift's own is ``dags/flexnet_reports.py``. What is asked for is in the environment: ``NIGHTSHIFT_LOAD``, JSON.
"""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from airflow.providers.http.operators.http import HttpOperator
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG

LOAD = "NIGHTSHIFT_LOAD"
TASKS_A_REPORT = 2
"""Of Nightshift: extract and publish."""


def following(response: Any) -> dict[str, Any] | None:
    """Return what to ask for next, or ``None`` after the last page."""
    parts = urlsplit(response.json()["header"]["nextPageURL"] or "")
    return {"endpoint": parts.path.lstrip("/"), "data": dict(parse_qsl(parts.query))} if parts.query else None


def writer(path: Path) -> Any:
    """Return a filter that writes the rows of all pages to a file."""

    def write(responses: Any) -> int:
        count = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as file:
            for response in responses if isinstance(responses, list) else [responses]:
                for row in response.json()["data"]:
                    file.write(json.dumps(row, separators=(",", ":")) + "\n")
                    count += 1
        return count

    return write


def nothing() -> None:
    """Do nothing."""


def declare(load: dict[str, Any], into: dict[str, Any]) -> None:
    """Declare the DAGs.

    :param load: ``reports``, ``out``, ``origin``, ``request``, ``dlt`` (the command of dlt, one argument short)
    :param into: the names of the file that Airflow parses
    """
    settings = {"catchup": False, "dagrun_timeout": timedelta(hours=2), "max_active_tasks": 128}
    with DAG("load_dlt", schedule=None, **settings) as into["load_dlt"]:
        for number in range(load["reports"]):
            job = {"origin": load["origin"], "out": f"{load['out']}/dlt/{number:03d}", "request": load["request"]}
            BashOperator(task_id=f"report_{number:03d}", bash_command=f"{load['dlt']} '{json.dumps(job)}'")
    with DAG("load_http", schedule=None, **settings) as into["load_http"]:
        for number in range(load["reports"]):
            HttpOperator(
                task_id=f"report_{number:03d}",
                http_conn_id="load_http",
                method="GET",
                endpoint="data/api/v1/report/entitlement",
                data=load["request"],
                pagination_function=following,
                response_filter=writer(Path(load["out"], "http", f"{number:03d}.ndjson")),
            )
    with DAG("load_nothing", schedule=None, **settings) as into["load_nothing"]:
        for number in range(load["reports"]):
            before = None
            for step in range(TASKS_A_REPORT):
                task = PythonOperator(task_id=f"report_{number:03d}.{step}", python_callable=nothing)
                before = task if before is None else before >> task


if LOAD in os.environ:
    declare(json.loads(os.environ[LOAD]), globals())
