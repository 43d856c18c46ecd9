"""The reports that a promotion depends on, as the lake tells of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from nightshift.nights.ready import published_report
from nightshift.promotion.record import ReportSeen

if TYPE_CHECKING:
    from nightshift.lake.published import PublishedNight
    from nightshift.lake.store import Lake

NEWEST = 30
"""Nights of a report that are looked at for the one that was published last, where no night is asked for."""


def seen(lake: Lake, reports: Sequence[str], night: str | None) -> list[ReportSeen]:
    """Return each report as it stands in the lake for a night; without a night, for its newest one. Blocks.

    :param lake: the lake
    :param reports: ``<source>/<report>``
    :param night: the night
    """
    return [_seen(lake, name, night) for name in reports]


def _seen(lake: Lake, name: str, night: str | None) -> ReportSeen:
    from nightshift.lake.delta import night_rows

    if night is not None:
        found = published_report(lake, name, night)
    else:
        source, _, report = name.partition("/")
        nights = sorted(night_rows(lake, source, report), reverse=True)[:NEWEST]
        found = next((one for each in nights if (one := published_report(lake, name, each))), None)
    return ReportSeen(name=name) if found is None else _report(name, found)


def _report(name: str, found: PublishedNight) -> ReportSeen:
    # When it was committed may be lost with an old log; that it was committed is not.
    published = found.published or f"{found.night}T00:00:00+00:00"
    return ReportSeen(
        name=name,
        night=found.night,
        published=datetime.fromisoformat(published),
        rows=found.rows,
        table_version=found.version,
        checks={check.name: check.detail for check in found.checks},
        failed=tuple(check.name for check in found.checks if not check.ok),
    )
