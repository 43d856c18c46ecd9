"""A floor: as many DAGs and tasks, of Airflow's own operator that does nothing, one task after the other."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import configuration
from benchmarks.contenders import parse_clock

job = json.loads(sys.argv[1])
settings = job["settings"]


def dags() -> Iterator[Any]:
    """Make the DAGs."""
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG, chain

    sizes = configuration.sizes(reports=settings["reports"], applications=settings["applications"])
    for number, size in enumerate(sizes):
        with DAG(f"dag{number}", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
            chain(*(EmptyOperator(task_id=f"task{index}") for index in range(size)))
        yield dag


parse_clock.run(Path(job["out"]), dags)
