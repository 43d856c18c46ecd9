"""The reports that a promotion depends on: whether a night is published and checked, told from Airflow's asset events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from airflow.sdk import Asset

from nightshift.nights.place import report_asset
from nightshift.promotion.record import ReportSeen

PAGE = 100
PAGES = 50


def asset_of(report: str) -> Asset:
    """Return the asset of ``<source>/<report>``."""
    source, _, name = report.partition("/")
    return report_asset(source, name)


def seen(inlet_events: Mapping[Any, Any], reports: Sequence[str], night: str | None) -> list[ReportSeen]:
    """Return each report as it was published for a night; without a night, as it was published last.

    A report is published only after all its checks have passed, so an event of the night is the proof.

    :param inlet_events: of the task's context; the reports' assets have to be inlets of the task
    :param reports: ``<source>/<report>``
    :param night: the night
    """
    return [_report(name, _newest(inlet_events[asset_of(name)], night)) for name in reports]


def missing(reports: Iterable[ReportSeen]) -> list[str]:
    """Return the names of the reports that were not found."""
    return [report.name for report in reports if report.published is None]


def _newest(events: Any, night: str | None) -> Any:
    """Return the newest event of a night, looking back from now in pages to the night itself."""
    # Nothing is published before its night.
    found = events.ascending(False).limit(PAGE)
    if night is not None:
        found = found.after(datetime.combine(date.fromisoformat(night), datetime.min.time(), UTC).isoformat())
    before: datetime | None = None
    for _ in range(PAGES):
        page = list(found if before is None else found.before(before.isoformat()))
        fit = [one for one in page if night is None or _night(one) == night]
        if fit:
            return max(fit, key=lambda one: one.timestamp)
        oldest = min((one.timestamp for one in page), default=None)
        if len(page) < PAGE or oldest == before:
            return None
        before = oldest
    return None


def _night(event: Any) -> str | None:
    return getattr(event, "partition_key", None) or (event.extra or {}).get("night")


def _report(name: str, event: Any) -> ReportSeen:
    if event is None:
        return ReportSeen(name=name)
    extra = event.extra or {}
    checks = {
        one["name"]: one.get("detail") or ("passed" if one["ok"] else "failed") for one in extra.get("checks", ())
    }
    return ReportSeen(
        name=name,
        night=_night(event),
        published=event.timestamp,
        rows=extra.get("rows"),
        table_version=extra.get("table_version"),
        checks=checks,
    )
