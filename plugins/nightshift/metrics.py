"""Numbers for Airflow's own metrics (StatsD, OpenTelemetry, Datadog), by names that stay; nothing where they are off.

They are sent by the tasks on workers, by Airflow's client and under its prefix. A metric never fails a task.
"""

from __future__ import annotations

import logging
from enum import StrEnum
from typing import Any

log = logging.getLogger(__name__)


class Metric(StrEnum):
    """The names; "Metrics and lineage" of the documentation has their units and tags."""

    EXTRACT_ROWS = "nightshift.extract.rows"
    EXTRACT_BYTES = "nightshift.extract.bytes"
    EXTRACT_PAGES = "nightshift.extract.pages"
    EXTRACT_DURATION = "nightshift.extract.duration"
    PUBLISH_ROWS = "nightshift.publish.rows"
    PUBLISH_BYTES = "nightshift.publish.bytes"
    PUBLISH_DURATION = "nightshift.publish.duration"
    PUBLISH_REFUSED = "nightshift.publish.refused"
    HTTP_RETRIES = "nightshift.http.retries"
    HTTP_WAIT = "nightshift.http.wait"
    JOBS = "nightshift.jobs"
    JOBS_DURATION = "nightshift.jobs.duration"


def count(metric: Metric, number: int = 1, **tags: str) -> None:
    """Add to a counter.

    :param tags: dropped by a StatsD without tags
    """
    _send("incr", metric, number, tags)


def took(metric: Metric, seconds: float, **tags: str) -> None:
    """Tell how long something took; it is sent in milliseconds, as Airflow's own times are."""
    _send("timing", metric, seconds * 1000, tags)


def _send(what: str, metric: Metric, number: float, tags: dict[str, Any]) -> None:
    try:
        from airflow.sdk.observability.stats import Stats

        getattr(Stats, what)(str(metric), number, tags=tags)
    except Exception as error:
        log.debug("The metric %s was not sent (%s)", metric, type(error).__name__)
