"""The DAGs of the project, as they are, but that a retry comes after seconds, and there are more of them."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

RETRIES = 30
LOOK = 1.0
"""Seconds that a job is looked at on the worker: then it is waited for in the triggerer."""


def impatient(dag: DAG | None) -> DAG:
    """Shorten what a test would wait for."""
    from nightshift.jobs.operators import VendorJobOperator

    assert dag is not None
    for task in dag.tasks:
        task.retries = RETRIES
        task.retry_delay = timedelta(seconds=2)
        if isinstance(task, VendorJobOperator):
            task.look = LOOK
    dag.max_active_runs = 32
    return dag
