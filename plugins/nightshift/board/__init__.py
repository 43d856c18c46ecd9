"""The board: nights, promotions, jobs and connections at a glance, inside of the Airflow UI."""

from __future__ import annotations

MOUNT = "/nightshift/board"
"""Where the board is, under the root of the Airflow API server."""
