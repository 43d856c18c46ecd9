"""The nights that have to be there, by the configuration and the clock alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from nightshift.config.due import Due
from nightshift.config.reports import Source
from nightshift.fields import night_of
from nightshift.local_time import DAY, end_of, last_night
from nightshift.sources import SOURCES

LOOK_BACK = 14
"""Nights that are watched, the last one among them; one that is older is given up."""


@dataclass(frozen=True)
class WatchedReport:
    """A report of the configuration, as far as the watch cares.

    :param source: its section of ``reports.yaml``
    :param name: its name
    :param timezone: the zone whose midnight ends a night
    :param due: by when a night has to be there; ``None``: nobody waits for it
    :param since: the first night that has to be there, where the configuration says so
    :param dag_id: the DAG that brings it home
    :param group: its task group in that DAG
    :param pool: the pool of its tasks
    """

    source: str
    name: str
    timezone: str
    due: Due | None
    since: str | None
    dag_id: str
    group: str
    pool: str = "default_pool"

    @property
    def report(self) -> str:
        """``<source>/<report>``."""
        return f"{self.source}/{self.name}"

    def newest(self, now: datetime) -> date:
        """Return the last night that is over."""
        return last_night(ZoneInfo(self.timezone), now)

    def due_for(self, night: date) -> datetime | None:
        """Return when a night has to be there, in UTC; ``None``: nobody waits for it."""
        return None if self.due is None else self.due.after(end_of(night, ZoneInfo(self.timezone)))


@dataclass(frozen=True)
class ExpectedNight:
    """A night of a report that is over.

    :param of: the report
    :param night: the night
    :param due: when it has to be there, in UTC; ``None``: nobody waits for it
    """

    of: WatchedReport
    night: str
    due: datetime | None

    @property
    def key(self) -> tuple[str, str]:
        """Report and night."""
        return self.of.report, self.night


def watched_reports(sources: Mapping[str, Source]) -> tuple[WatchedReport, ...]:
    """Return the reports that count.

    :param sources: the sections of ``reports.yaml`` that count
    """
    return tuple(
        WatchedReport(
            source=name,
            name=report,
            timezone=source.timezone,
            due=source.due_of(report),
            since=source.since_of(report),
            dag_id=SOURCES[name].dag_id,
            group=group,
            pool=source.pool,
        )
        for name, source in sources.items()
        for report, group in source.groups.items()
    )


def first_night(report: WatchedReport, now: datetime, *, is_known: bool) -> str:
    """Return the first night that has to be there of a report that is seen for the first time.

    Of one that has brought nights home before it is the last night that is over, so that the first look tells whether
    that is there. One that is new is not late with nights from before it was written down: it begins with the night
    that is underway.

    :param is_known: whether the lake has any night of it
    """
    newest = report.newest(now)
    return (newest if is_known else newest + DAY).isoformat()


def expected_nights(
    reports: Iterable[WatchedReport], first: Mapping[str, str], now: datetime
) -> tuple[ExpectedNight, ...]:
    """Return the nights that are over and have to be there, of each report in order.

    :param first: ``<source>/<report>`` → its first night, where the configuration does not say so
    """
    return tuple(
        ExpectedNight(report, night.isoformat(), report.due_for(night))
        for report in reports
        for night in _nights(report, first, now)
    )


def nights_told(
    reports: Iterable[WatchedReport], told: Iterable[tuple[str, str]], now: datetime
) -> tuple[ExpectedNight, ...]:
    """Return nights of which something wrong is known, as nights that nobody waits for: one from before its report got
    a ``due`` is not over by that.

    :param told: reports and nights; those that are not watched are left out
    """
    wanted = set(told)
    return tuple(
        ExpectedNight(report, night.isoformat(), None)
        for report in reports
        for night in _nights(report, {report.report: date.min.isoformat()}, now)
        if (report.report, night.isoformat()) in wanted
    )


def first_watched(reports: Iterable[WatchedReport], now: datetime) -> str | None:
    """Return the first night that is looked at; ``None`` where there is no report."""
    newest = [report.newest(now) for report in reports]
    return (min(newest) - (LOOK_BACK - 1) * DAY).isoformat() if newest else None


def _nights(report: WatchedReport, first: Mapping[str, str], now: datetime) -> Iterator[date]:
    newest = report.newest(now)
    begins = report.since or first.get(report.report)
    night = newest - (LOOK_BACK - 1) * DAY
    if begins is None:
        return
    night = max(night, night_of(begins))
    while night <= newest:
        yield night
        night += DAY
