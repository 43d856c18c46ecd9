"""Which night is the first that began after a deployment, and whether it is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from nightshift.local_time import DAY, begin_of, end_of, last_night
from nightshift.promotion.rules.night import lacking

if TYPE_CHECKING:
    from nightshift.promotion.record import ReportSeen


def first_night(deployed: datetime, zones: Iterable[ZoneInfo]) -> date:
    """Return the first night that began, in every zone, when the deployment had ended.

    :param deployed: an aware time
    """
    return max(_first(deployed, zone) for zone in zones)


def _first(deployed: datetime, zone: ZoneInfo) -> date:
    night = deployed.astimezone(zone).date()
    while begin_of(night, zone) < deployed:
        night += DAY
    return night


def nights_over(first: date, zones: Iterable[ZoneInfo], at: datetime) -> list[date]:
    """Return the nights from the first on that are over in every zone."""
    last = min(last_night(zone, at) for zone in zones)
    return [first + timedelta(days=day) for day in range((last - first).days + 1)]


def judged(
    nights: Sequence[date], look: Callable[[str], Sequence[ReportSeen]], zones: Mapping[str, ZoneInfo]
) -> tuple[date | None, str, Sequence[ReportSeen]]:
    """Return the first of the nights that is complete and sound, what was seen, and its reports.

    :param nights: nights that are over, in order
    :param look: night → its reports, as the lake tells
    :param zones: report → time zone of its nights
    """
    lacks = []
    for night in nights:
        reports = look(night.isoformat())
        if not (missing := lacking(reports)):
            found = ", ".join(
                f"{one.name} {one.rows if one.rows is not None else 'unknown'} rows, version {one.table_version}"
                for one in reports
            )
            return night, f"night {night} ({_zones(zones)}): {found}", reports
        lacks.append(f"night {night} ({_zones(zones)}): {', '.join(missing)}")
    return None, "; ".join(lacks[-3:]), ()


def _zones(zones: Mapping[str, ZoneInfo]) -> str:
    return ", ".join(sorted({zone.key for zone in zones.values()}))


def last_look(first: date, settled: Iterable[tuple[ZoneInfo, timedelta]], within: timedelta) -> datetime:
    """Return by when the first night has to be there: so long after all of its reports can be fetched.

    Counted from the deployment, the time would be over before the night is: that ends one to two days later.

    :param settled: time zone of the nights of each report, and how long after a night's end it is fetched
    """
    return max(end_of(first, zone) + hours for zone, hours in settled) + within


def next_look(first: date, zones: Iterable[ZoneInfo], at: datetime, every: timedelta, last: datetime) -> datetime:
    """Return when to look into the lake next: not before the first night is over, and once more at the very end."""
    over = max(end_of(first, zone) for zone in zones)
    return min(max(at + every, over), last)
