"""The figures of a release team, from the records of its promotions alone.

The four that DORA asks for (https://dora.dev/guides/dora-metrics/), for each stage:

* **Deployments**: versions that FlexDeploy brought to the stage, or failed to. Not counted: dry runs, what was skipped,
  refused or rejected before it ran, and what was there already. A roll-back is counted apart.
* **Share that failed**: of the deployments that are judged, those whose deployment failed, or whose stage failed after
  it, or that were rolled back.
* **Lead time**: from the start of the build that made a version to the end of its first good deployment to the stage.
  When a change was committed is known to no record: it was at the latest when its build began. A version that no
  promotion built has none.
* **Time to restore**: from the moment at which a stage was known to have failed to the end of the next good deployment
  or roll-back there. Failures that follow each other without a good version between them are one outage.

What is in doubt is told apart, and counts as neither good nor failed.
"""

from __future__ import annotations

import asyncio
import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from nightshift.promotion.index import read_timeline
from nightshift.promotion.rules.delivery import DeliveryVerdict
from nightshift.promotion.summary import RecordSummary
from nightshift.promotion.timeline import Durations, Timeline, timeline_of

if TYPE_CHECKING:
    from nightshift.lake.store import Lake
    from nightshift.promotion.record import PromotionRecord

WEEK = 7 * 86400.0
AT_ONCE = 16
"""Applications whose records are read at the same time."""
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


class _Figure(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Measured(_Figure):
    """One time that was measured.

    :param run_id: the promotion that ended it
    :param version: the version that it ended with
    """

    run_id: str
    version: str
    seconds: float


class Spread(_Figure):
    """Times that were measured, in seconds.

    :param n: how many
    :param median: of an even number, the mean of the two in the middle; ``None``: there are none
    :param p90: the shortest of them that nine of ten do not exceed, never a value in between
    :param made_of: each of them, longest first; empty in the figures of all applications together
    """

    n: int = 0
    median: float | None = None
    p90: float | None = None
    made_of: tuple[Measured, ...] = ()


class StageOutage(_Figure):
    """A stage that failed and has no good version since.

    :param runs: promotions whose deployments failed there, oldest first
    """

    application: str
    since: AwareDatetime
    runs: tuple[str, ...]


class StageFigures(_Figure):
    """The figures of one stage.

    :param deployments: how many there were: good, failed, and those whose stage has not ended
    :param per_week: the same, a week
    :param failed: how many of them failed
    :param failed_share: of those that are judged; ``None``: none is
    :param failed_runs: their promotions; empty in the figures of all applications together
    :param roll_backs: good roll-backs
    :param in_doubt: promotions of which nobody knows how their deployment ended; in no other figure
    :param lead_time: from the start of the build to the end of the version's first good deployment here
    :param without_lead_time: first good deployments of versions that no record tells the build of
    :param time_to_restore: from the failure to the next good version here
    :param not_restored: outages that have not ended
    """

    stage: str
    deployments: int
    per_week: float
    failed: int
    failed_share: float | None
    failed_runs: tuple[str, ...] = ()
    roll_backs: int
    in_doubt: tuple[str, ...] = ()
    lead_time: Spread
    without_lead_time: int
    time_to_restore: Spread
    not_restored: tuple[StageOutage, ...] = ()

    @property
    def words(self) -> str:
        """The figures in one line."""
        share = "" if self.failed_share is None else f" ({self.failed_share:.0%})"
        parts = [
            f"{self.deployments} deployments, {self.per_week:.1f} a week",
            f"{self.failed} failed{share}",
            f"lead time {_spread_words(self.lead_time)}",
            f"restored in {_spread_words(self.time_to_restore)}",
        ]
        if self.roll_backs:
            parts.append(f"{self.roll_backs} rolled back")
        if self.in_doubt:
            parts.append(f"in doubt: {', '.join(self.in_doubt)}")
        parts += [f"not restored since {one.since:%Y-%m-%d %H:%M} UTC ({one.application})" for one in self.not_restored]
        return f"{self.stage}: {'; '.join(parts)}"


class Figures(_Figure):
    """The figures of a release team.

    What counts is what ended from ``since`` on and before ``until``; the records before are looked at for when a
    version was built and whether a stage stood well.

    :param applications: application → its stages, in the order in which they are deployed to
    :param together: stages of the same name, of all applications
    :param unknown: application → why it has no figures: a record of it cannot be read
    """

    since: AwareDatetime
    until: AwareDatetime
    applications: dict[str, tuple[StageFigures, ...]] = Field(default_factory=dict)
    together: tuple[StageFigures, ...] = ()
    unknown: dict[str, str] = Field(default_factory=dict)

    def to_json(self) -> bytes:
        """Return the figures as JSON."""
        return self.model_dump_json().encode()


def figures_of(records: Iterable[PromotionRecord], *, since: datetime, until: datetime) -> Figures:
    """Return the figures of promotions, of one or of several applications.

    :raises ValueError: no time lies between the two
    """
    found: dict[str, list[RecordSummary]] = defaultdict(list)
    for record in records:
        found[record.application].append(RecordSummary.of(record, ""))
    return figures_of_timelines({name: timeline_of(one) for name, one in found.items()}, since=since, until=until)


def figures_of_timelines(
    applications: Mapping[str, Timeline], *, since: datetime, until: datetime, most: int | None = None
) -> Figures:
    """Return the figures of applications, by what has happened in each.

    :param most: so many of the times that a spread is made of are named, the longest ones; default: all
    :raises ValueError: no time lies between the two
    """
    if since >= until:
        raise ValueError(f"figures are of a time: {since.isoformat()} is not before {until.isoformat()}")
    period = _Period(since.timestamp(), until.timestamp())
    whole = {name: one for name, one in sorted(applications.items()) if not one.unread}
    counted = {name: list(_counted(name, one, period)) for name, one in whole.items()}
    together: dict[str, list[_Counted]] = defaultdict(list)
    for stages in counted.values():
        for stage in stages:
            together[stage.label].append(stage)
    return Figures(
        since=since,
        until=until,
        applications={name: tuple(_figures([one], period, most) for one in stages) for name, stages in counted.items()},
        together=tuple(_figures(stages, period, 0) for stages in together.values()),
        unknown={name: one.unread[0] for name, one in sorted(applications.items()) if one.unread},
    )


async def read_figures(
    lake: Lake,
    applications: Iterable[str],
    *,
    since: datetime,
    until: datetime,
    as_kept: bool = False,
    most: int | None = None,
) -> Figures:
    """Return the figures of applications.

    :param as_kept: believe what was kept when a promotion of the application last began or ended, instead of listing
        its records: a read of one object an application
    :param most: see :func:`figures_of_timelines`
    :raises ValueError: no time lies between the two
    """
    from nightshift.promotion.store import Records

    gate = asyncio.Semaphore(AT_ONCE)

    async def one_of(name: str) -> Timeline:
        async with gate:
            return await read_timeline(await asyncio.to_thread(Records, lake, name), as_kept=as_kept)

    names = list(dict.fromkeys(applications))
    found = dict(zip(names, await asyncio.gather(*map(one_of, names)), strict=True))
    return await asyncio.to_thread(figures_of_timelines, found, since=since, until=until, most=most)


@dataclass(frozen=True)
class _Period:
    since: float
    until: float

    @property
    def weeks(self) -> float:
        return (self.until - self.since) / WEEK


@dataclass(frozen=True)
class _Counted:
    """What counts of one stage of one application in a period."""

    label: str
    deployments: int
    open: int
    failed_runs: Sequence[str]
    roll_backs: int
    in_doubt: Sequence[str]
    lead_times: Durations
    restored: Durations
    runs: Sequence[str]
    outages: Sequence[StageOutage]


def _counted(application: str, timeline: Timeline, period: _Period) -> Iterator[_Counted]:
    """Yield what counts of each stage."""
    runs = timeline.runs
    for stage, events in timeline.between(period.since, period.until).items():
        yield _Counted(
            label=stage,
            deployments=len(events.deployed.at),
            open=events.deployed.count(DeliveryVerdict.OPEN),
            failed_runs=[runs[run] for run in events.deployed.runs_of(DeliveryVerdict.FAILED)],
            roll_backs=len(events.rolled_back.at),
            in_doubt=[runs[run] for run in events.doubts.run],
            lead_times=events.lead_times,
            restored=events.restored,
            runs=runs,
            outages=[
                StageOutage(
                    application=application,
                    since=datetime.fromtimestamp(one.since, UTC),
                    runs=tuple(runs[run] for run in one.runs),
                )
                for one in timeline.stretches[stage]
                if one.since < period.until and (one.ended is None or one.ended >= period.until)
            ],
        )


def _figures(stages: Sequence[_Counted], period: _Period, most: int | None) -> StageFigures:
    """Return the figures of a stage.

    :param most: so many of the times that a spread is made of are named; 0: nothing that the figures are made of is
    """
    deployments = sum(stage.deployments for stage in stages)
    failed = [run for stage in stages for run in stage.failed_runs]
    judged = deployments - sum(stage.open for stage in stages)
    return StageFigures(
        stage=stages[0].label,
        deployments=deployments,
        per_week=deployments / period.weeks,
        failed=len(failed),
        failed_share=len(failed) / judged if judged else None,
        failed_runs=() if most == 0 else tuple(failed),
        roll_backs=sum(stage.roll_backs for stage in stages),
        in_doubt=tuple(run for stage in stages for run in stage.in_doubt),
        lead_time=_spread([(stage.runs, stage.lead_times) for stage in stages], most),
        without_lead_time=sum(stage.lead_times.seconds.count(None) for stage in stages),
        time_to_restore=_spread([(stage.runs, stage.restored) for stage in stages], most),
        not_restored=tuple(chain.from_iterable(stage.outages for stage in stages)),
    )


def _spread(measured: Sequence[tuple[Sequence[str], Durations]], most: int | None) -> Spread:
    seconds = sorted(one for _, found in measured for one in found.seconds if one is not None)
    if not seconds:
        return Spread()
    return Spread(
        n=len(seconds),
        median=statistics.median(seconds),
        p90=seconds[math.ceil(0.9 * len(seconds)) - 1],
        made_of=() if most == 0 else tuple(_longest(measured, most)),
    )


def _longest(measured: Sequence[tuple[Sequence[str], Durations]], most: int | None) -> Iterator[Measured]:
    """Yield the longest times; of two that are as long, the older one first."""
    times = [
        (took, runs[run], version)
        for runs, found in measured
        for took, run, version in zip(found.seconds, found.run, found.versions, strict=True)
        if took is not None
    ]
    times.sort(key=itemgetter(0), reverse=True)
    for took, run_id, version in times[:most]:
        yield Measured(run_id=run_id, version=version, seconds=took)


def _spread_words(spread: Spread) -> str:
    if spread.median is None or spread.p90 is None:
        return "unknown (n 0)"
    return f"{duration_words(spread.median)} (p90 {duration_words(spread.p90)}, n {spread.n})"


def duration_words(seconds: float) -> str:
    """Return a duration for people, in its two largest units: ``3 d 4 h``, ``5 h 12 min``, ``40 s``."""
    left, parts = round(seconds), list[str]()
    for size, unit in _UNITS:
        count, left = divmod(left, size)
        if count or parts:
            parts.append(f"{count} {unit}" if count else "")
    return " ".join(part for part in parts[:2] if part) or "0 s"
