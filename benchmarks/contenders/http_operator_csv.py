"""Airflow's own HttpOperator; its filter writes the body to a file."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

job = json.loads(sys.argv[1])
os.environ["AIRFLOW_CONN_HTTP_DEFAULT"] = json.dumps({"conn_type": "http", "host": job["origin"]})

from airflow.providers.http.operators.http import HttpOperator  # noqa: E402 - reads its settings at import


def write(response: Any) -> int:
    """Write the body and return its size."""
    with open(f"{job['out']}/export.csv", "wb") as file:
        return file.write(response.content)


download = HttpOperator(task_id="download", method="GET", endpoint="export.csv", response_filter=write)
print(download.execute({}))
