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
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from nightshift.promotion.index import RecordSummary, read_index
from nightshift.promotion.rules.delivery import Delivery, DeliveryKind, DeliveryVerdict

if TYPE_CHECKING:
    from nightshift.lake.store import Lake
    from nightshift.promotion.record import PromotionRecord

WEEK = timedelta(days=7)
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

    What counts is what ended from ``since`` on and before ``until``; the records before are looked at for when a version
    was built and whether a stage stood well.

    :param applications: application → its stages, in the order in which they are deployed to
    :param together: stages of the same name, of all applications
    """

    since: AwareDatetime
    until: AwareDatetime
    applications: dict[str, tuple[StageFigures, ...]] = Field(default_factory=dict)
    together: tuple[StageFigures, ...] = ()

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
    return figures_of_summaries(found, since=since, until=until)


def figures_of_summaries(
    applications: Mapping[str, Iterable[RecordSummary]], *, since: datetime, until: datetime
) -> Figures:
    """Return the figures of applications of which the index tells.

    :raises ValueError: no time lies between the two
    """
    if since >= until:
        raise ValueError(f"figures are of a time: {since.isoformat()} is not before {until.isoformat()}")
    period = _Period(since, until)
    found = {name: _measure(name, summaries, period) for name, summaries in sorted(applications.items())}
    together: dict[str, list[_Stage]] = defaultdict(list)
    for stages in found.values():
        for stage in stages:
            together[stage.label].append(stage)
    return Figures(
        since=since,
        until=until,
        applications={name: tuple(_figures([stage], period) for stage in stages) for name, stages in found.items()},
        together=tuple(_figures(stages, period, is_sum=True) for stages in together.values()),
    )


async def read_figures(lake: Lake, applications: Iterable[str], *, since: datetime, until: datetime) -> Figures:
    """Return the figures of applications, by the indices of their records.

    :raises Damaged: a record cannot be read; figures without it would be wrong
    """
    from nightshift.promotion.store import Records

    gate = asyncio.Semaphore(AT_ONCE)

    async def one_of(name: str) -> tuple[RecordSummary, ...]:
        async with gate:
            return (await read_index(await asyncio.to_thread(Records, lake, name))).whole()

    names = list(dict.fromkeys(applications))
    found = await asyncio.gather(*map(one_of, names))
    by_name = dict(zip(names, found, strict=True))
    return await asyncio.to_thread(figures_of_summaries, by_name, since=since, until=until)


@dataclass(frozen=True)
class _Period:
    since: datetime
    until: datetime

    def __contains__(self, at: datetime) -> bool:
        return self.since <= at < self.until

    @property
    def weeks(self) -> float:
        return (self.until - self.since) / WEEK


@dataclass(frozen=True)
class _Stage:
    """What counts of one stage of one application."""

    label: str
    delivered: Sequence[tuple[str, Delivery]]
    """Run and delivery, of the period."""
    lead_times: Sequence[Measured]
    without_lead_time: int
    restored: Sequence[Measured]
    outages: Sequence[StageOutage]


def _measure(application: str, summaries: Iterable[RecordSummary], period: _Period) -> list[_Stage]:
    """Return what counts of each stage, in the order of the newest promotion that went through most of them."""
    summaries = sorted(summaries, key=lambda one: one.opened)
    built = {
        one.built.id: one.build_began for one in summaries if one.built is not None and one.build_began is not None
    }
    orders = {tuple(dict.fromkeys(one.stage for one in each.deliveries)): None for each in reversed(summaries)}
    longest = sorted(orders, key=len, reverse=True)
    by_stage: dict[str, list[tuple[str, Delivery]]] = {label: [] for label in chain.from_iterable(longest)}
    for each in summaries:
        for one in each.deliveries:
            if one.at < period.until:
                by_stage[one.stage].append((each.run_id, one))
    return [_stage(application, label, found, built, period) for label, found in by_stage.items()]


def _stage(
    application: str,
    label: str,
    deliveries: list[tuple[str, Delivery]],
    built: Mapping[int, datetime],
    period: _Period,
) -> _Stage:
    deliveries.sort(key=lambda one: one[1].at)
    lead_times, without = _lead_times(deliveries, built, period)
    restored, outages = _outages(application, deliveries, period)
    return _Stage(
        label=label,
        delivered=[one for one in deliveries if one[1].at in period],
        lead_times=lead_times,
        without_lead_time=without,
        restored=restored,
        outages=outages,
    )


def _lead_times(
    deliveries: Iterable[tuple[str, Delivery]], built: Mapping[int, datetime], period: _Period
) -> tuple[list[Measured], int]:
    """Return the lead times of versions whose first good deployment is of the period, and how many have none."""
    seen: set[int] = set()
    found, without = [], 0
    for run_id, one in deliveries:
        if one.kind is not DeliveryKind.DEPLOYED or one.verdict is not DeliveryVerdict.GOOD:
            continue
        if one.version_id is None or one.version_id in seen:
            continue
        seen.add(one.version_id)
        if one.at not in period:
            continue
        began = built.get(one.version_id)
        if began is None or began > one.at:
            without += 1
        else:
            found.append(Measured(run_id=run_id, version=one.version, seconds=(one.at - began).total_seconds()))
    return found, without


def _outages(
    application: str, deliveries: Sequence[tuple[str, Delivery]], period: _Period
) -> tuple[list[Measured], list[StageOutage]]:
    """Return the outages that ended in the period, and the one that has not ended.

    A failure that is known only when a newer good version is there already was none of what ran.
    """
    found: list[Measured] = []
    failures: list[tuple[str, datetime]] = []
    for run_id, one in deliveries:
        if one.verdict is DeliveryVerdict.FAILED:
            failures.append((run_id, one.failed or one.at))
        elif one.verdict is DeliveryVerdict.GOOD:
            began = min((at for _, at in failures if at < one.at), default=None)
            if began is not None and one.at in period:
                seconds = (one.at - began).total_seconds()
                found.append(Measured(run_id=run_id, version=one.version, seconds=seconds))
            failures = []
    failures = [(run_id, at) for run_id, at in failures if at < period.until]
    if not failures:
        return found, []
    since = min(at for _, at in failures)
    runs = tuple(dict.fromkeys(run_id for run_id, _ in failures))
    return found, [StageOutage(application=application, since=since, runs=runs)]


def _figures(stages: Sequence[_Stage], period: _Period, *, is_sum: bool = False) -> StageFigures:
    """Return the figures of a stage; of several applications without what they are made of."""
    delivered = [one for stage in stages for one in stage.delivered]
    deployed = [
        (run_id, one)
        for run_id, one in delivered
        if one.kind is DeliveryKind.DEPLOYED and one.verdict is not DeliveryVerdict.DOUBT
    ]
    failed = [run_id for run_id, one in deployed if one.verdict is DeliveryVerdict.FAILED]
    judged = sum(one.verdict is not DeliveryVerdict.OPEN for _, one in deployed)
    return StageFigures(
        stage=stages[0].label,
        deployments=len(deployed),
        per_week=len(deployed) / period.weeks,
        failed=len(failed),
        failed_share=len(failed) / judged if judged else None,
        failed_runs=() if is_sum else tuple(failed),
        roll_backs=sum(
            one.kind is DeliveryKind.ROLLED_BACK and one.verdict is DeliveryVerdict.GOOD for _, one in delivered
        ),
        in_doubt=tuple(run_id for run_id, one in delivered if one.verdict is DeliveryVerdict.DOUBT),
        lead_time=_spread(chain.from_iterable(stage.lead_times for stage in stages), is_sum=is_sum),
        without_lead_time=sum(stage.without_lead_time for stage in stages),
        time_to_restore=_spread(chain.from_iterable(stage.restored for stage in stages), is_sum=is_sum),
        not_restored=tuple(chain.from_iterable(stage.outages for stage in stages)),
    )


def _spread(measured: Iterable[Measured], *, is_sum: bool) -> Spread:
    found = sorted(measured, key=lambda one: one.seconds, reverse=True)
    if not found:
        return Spread()
    seconds = [one.seconds for one in reversed(found)]
    return Spread(
        n=len(seconds),
        median=statistics.median(seconds),
        p90=seconds[math.ceil(0.9 * len(seconds)) - 1],
        made_of=() if is_sum else tuple(found),
    )


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
