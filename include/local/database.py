"""What Airflow's database of ``make run`` is opened with; Airflow imports it by name in each of its processes."""

from __future__ import annotations

CONNECT_ARGS = {"timeout": 60}
"""Seconds that SQLite waits for a writer: after its usual 5, the scheduler of a busy machine ends with "database is locked"."""
