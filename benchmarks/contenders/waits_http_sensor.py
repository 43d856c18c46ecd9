"""Airflow's own HttpSensorTrigger, which takes 404 for "not yet"."""

from __future__ import annotations

import json
import os

from benchmarks.contenders.triggerer import loop_of_this_process

job, loop = loop_of_this_process()
os.environ["AIRFLOW_CONN_HTTP_DEFAULT"] = json.dumps(
    {"conn_type": "http", "host": job["origin"], "login": "bench", "password": "bench"}
)

from airflow.providers.http.triggers.http import HttpSensorTrigger  # noqa: E402 - reads its settings at import


def make(number: int) -> HttpSensorTrigger:
    """Return the wait for a job."""
    return HttpSensorTrigger(endpoint=f"jobs/{number}", poke_interval=job["settings"]["interval_s"])


loop.run(make)
