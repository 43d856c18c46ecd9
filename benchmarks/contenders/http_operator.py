"""Airflow's own HttpOperator with a ``pagination_function``; its filter writes the rows as NDJSON."""

from __future__ import annotations

import json
import os
import sys
from typing import Any
from urllib.parse import parse_qsl, urlsplit

job = json.loads(sys.argv[1])
os.environ["AIRFLOW_CONN_HTTP_DEFAULT"] = json.dumps({"conn_type": "http", "host": job["origin"]})

from airflow.providers.http.operators.http import HttpOperator  # noqa: E402 - reads its settings at import

ENDPOINT = "data/api/v1/report/entitlement"


def following(response: Any) -> dict[str, Any] | None:
    """Return what to ask for next, or ``None`` after the last page."""
    link = response.json()["header"]["nextPageURL"]
    return {"endpoint": ENDPOINT, "data": dict(parse_qsl(urlsplit(link).query))} if link else None


def write(responses: list[Any]) -> int:
    """Write the rows of all pages and return how many there are."""
    count = 0
    with open(f"{job['out']}/rows.ndjson", "w") as file:
        for response in responses if isinstance(responses, list) else [responses]:
            for row in response.json()["data"]:
                file.write(json.dumps(row, separators=(",", ":")) + "\n")
                count += 1
    return count


extract = HttpOperator(
    task_id="extract",
    method="GET",
    endpoint=ENDPOINT,
    data=job["request"],
    pagination_function=following,
    response_filter=write,
)
print(extract.execute({}))
