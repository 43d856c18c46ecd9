"""What has happened in each stage of an application, by time: what the figures of any period are counted from.

It is derived from the summaries of the records and kept beside them, in a form that a server reads at a glance: times
in seconds since the epoch, and runs by their place in one list.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple, Self

import msgspec

from nightshift.nesting import UNREADABLE
from nightshift.promotion.rules.delivery import Delivery, DeliveryKind, DeliveryVerdict

if TYPE_CHECKING:
    from nightshift.promotion.summary import RecordSummary

FORMAT = 2
LONGEST_MONTH = 31 * 86400


class Moments(msgspec.Struct, frozen=True, array_like=True):
    """What has happened, oldest first, a column for each thing that is known of it: columns are read, cut and counted
    many times faster than events.

    :param at: when
    :param run: by which promotion
    """

    at: list[float] = []
    run: list[int] = []

    def between(self, since: float, until: float) -> Self:
        """Return what has happened from one moment on and before another."""
        first, last = bisect_left(self.at, since), bisect_left(self.at, until)
        return type(self)(*(getattr(self, name)[first:last] for name in self.__struct_fields__))

    def then(self, later: Self) -> Self:
        """Return what has happened, with what happened later behind it."""
        return type(self)(*(getattr(self, name) + getattr(later, name) for name in self.__struct_fields__))


class Deployments(Moments, frozen=True, array_like=True):
    """Deployments that are judged, or not yet.

    :param verdicts: a letter for each, see :data:`LETTERS`
    """

    verdicts: str = ""

    def runs_of(self, verdict: DeliveryVerdict) -> list[int]:
        """Return the promotions whose deployments are judged so."""
        letter = LETTERS[verdict]
        if letter not in self.verdicts:
            return []
        return [run for run, one in zip(self.run, self.verdicts, strict=True) if one == letter]

    def count(self, verdict: DeliveryVerdict) -> int:
        """Return how many are judged so."""
        return self.verdicts.count(LETTERS[verdict])


class Durations(Moments, frozen=True, array_like=True):
    """Times that ended at a moment: the lead times of versions, or the outages that versions ended.

    :param versions: with which each ended
    :param seconds: ``None``: the beginning is not known
    """

    versions: list[str] = []
    seconds: list[float | None] = []


LETTERS = {DeliveryVerdict.GOOD: "g", DeliveryVerdict.FAILED: "f", DeliveryVerdict.OPEN: "o"}


class Took(NamedTuple):
    """A time that ended at a moment; see :class:`Durations`."""

    at: float
    run: int
    version: str
    seconds: float | None


class FailedStretch(NamedTuple):
    """A stage that had no good version.

    :param ended: when one was there again; ``None``: none is
    :param runs: promotions whose deployments failed, oldest first
    """

    since: float
    ended: float | None
    runs: tuple[int, ...]


class StageTimeline(msgspec.Struct, frozen=True, array_like=True):
    """What has happened in one stage.

    :param deployed: deployments, but those of which nobody knows how they ended
    :param lead_times: first good deployments of versions, from the start of their builds
    :param restored: good deployments and roll-backs that ended an outage
    :param rolled_back: a version from before was brought back
    :param doubts: a deployment began of which nobody knows how it ended
    """

    deployed: Deployments = Deployments()
    lead_times: Durations = Durations()
    restored: Durations = Durations()
    rolled_back: Moments = Moments()
    doubts: Moments = Moments()

    def between(self, since: float, until: float) -> StageTimeline:
        """Return what has happened from one moment on and before another."""
        return StageTimeline(*(getattr(self, name).between(since, until) for name in self.__struct_fields__))

    def then(self, later: StageTimeline) -> StageTimeline:
        """Return what has happened, with what happened later behind it."""
        return StageTimeline(*(getattr(self, name).then(getattr(later, name)) for name in self.__struct_fields__))


Month = dict[str, StageTimeline]
"""Stage → what has happened there in a month."""


class Timeline(msgspec.Struct, frozen=True):
    """What has happened in each stage of an application.

    :param runs: ids of its promotions, by which they are named elsewhere in it
    :param stretches: stage → when it had no good version; in the order in which stages are deployed to
    :param months: first second of a month, UTC → :data:`Month`, as text: of years, few are ever asked for
    :param unread: why it is not whole: records that cannot be read
    """

    runs: tuple[str, ...] = ()
    stretches: dict[str, tuple[FailedStretch, ...]] = {}
    months: dict[int, msgspec.Raw] = {}
    unread: tuple[str, ...] = ()
    format: int = FORMAT

    def between(self, since: float, until: float) -> dict[str, StageTimeline]:
        """Return stage → what has happened there from one moment on and before another."""
        found = dict.fromkeys(self.stretches, StageTimeline())
        for first, text in sorted(self.months.items()):
            if first < until and first + LONGEST_MONTH > since:
                for stage, events in msgspec.json.decode(text, type=Month).items():
                    found[stage] = found[stage].then(events)
        return {stage: events.between(since, until) for stage, events in found.items()}

    def to_json(self) -> bytes:
        """Return the timeline as the text of its object."""
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, text: bytes) -> Timeline | None:
        """Read a timeline; ``None`` where it cannot be read, or is of another format: it is made anew."""
        try:
            found = msgspec.json.decode(text, type=cls)
        except UNREADABLE:
            return None
        return found if found.format == FORMAT else None


def timeline_of(summaries: Iterable[RecordSummary], unread: Iterable[str] = ()) -> Timeline:
    """Return what the records of one application tell, by time.

    :param unread: why it is not whole
    """
    summaries = sorted(summaries, key=lambda one: (one.opened, one.run_id))
    # Of the newest promotion that went through most of them.
    orders = {tuple(dict.fromkeys(one.stage for one in each.deliveries)): None for each in reversed(summaries)}
    longest = sorted(orders, key=len, reverse=True)
    by_stage: dict[str, list[tuple[int, Delivery]]] = {stage: [] for stage in chain.from_iterable(longest)}
    for number, each in enumerate(summaries):
        for one in each.deliveries:
            by_stage[one.stage].append((number, one))
    built = {
        one.built.id: one.build_began.timestamp()
        for one in summaries
        if one.built is not None and one.build_began is not None
    }
    stretches: dict[str, tuple[FailedStretch, ...]] = {}
    months: dict[int, Month] = defaultdict(dict)
    for stage, deliveries in by_stage.items():
        deliveries.sort(key=lambda one: one[1].at)
        events, stretches[stage] = _stage(deliveries, built)
        for first in sorted({_month(one.at) for _, one in deliveries}):
            months[first][stage] = events.between(first, _month_after(first))
    return Timeline(
        runs=tuple(one.run_id for one in summaries),
        stretches=stretches,
        months={first: msgspec.Raw(msgspec.json.encode(month)) for first, month in sorted(months.items())},
        unread=tuple(unread),
    )


def _month(at: datetime) -> int:
    return int(at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp())


def _month_after(first: int) -> int:
    return _month(datetime.fromtimestamp(first, UTC) + timedelta(days=31))


def _stage(
    deliveries: Sequence[tuple[int, Delivery]], built: Mapping[int, float]
) -> tuple[StageTimeline, tuple[FailedStretch, ...]]:
    restored, stretches = _stretches(deliveries)
    judged = [(run, one) for run, one in deliveries if one.kind is DeliveryKind.DEPLOYED and one.verdict in LETTERS]
    brought_back = [
        (run, one)
        for run, one in deliveries
        if one.kind is DeliveryKind.ROLLED_BACK and one.verdict is DeliveryVerdict.GOOD
    ]
    moments = _moments(judged)
    events = StageTimeline(
        deployed=Deployments(moments.at, moments.run, "".join(LETTERS[one.verdict] for _, one in judged)),
        lead_times=_durations(_lead_times(deliveries, built)),
        restored=_durations(restored),
        rolled_back=_moments(brought_back),
        doubts=_moments([(run, one) for run, one in deliveries if one.verdict is DeliveryVerdict.DOUBT]),
    )
    return events, tuple(stretches)


def _moments(deliveries: Sequence[tuple[int, Delivery]]) -> Moments:
    return Moments([_seconds(one.at) for _, one in deliveries], [run for run, _ in deliveries])


def _durations(found: Iterable[Took]) -> Durations:
    return Durations(*map(list, zip(*found, strict=True)))


def _lead_times(deliveries: Iterable[tuple[int, Delivery]], built: Mapping[int, float]) -> Iterable[Took]:
    """Yield the first good deployment of each version; what was brought back or was there already is none."""
    seen: set[int] = set()
    for run, one in deliveries:
        if one.kind is not DeliveryKind.DEPLOYED or one.verdict is not DeliveryVerdict.GOOD:
            continue
        if one.version_id is None or one.version_id in seen:
            continue
        seen.add(one.version_id)
        at, began = _seconds(one.at), built.get(one.version_id)
        yield Took(at, run, one.version, None if began is None or began > at else at - began)


def _stretches(deliveries: Sequence[tuple[int, Delivery]]) -> tuple[list[Took], list[FailedStretch]]:
    """Return what ended each outage, and the outages.

    Failures without a good version between them are one. A failure that is known only when a newer good version is
    there already was none of what ran.
    """
    restored, found = list[Took](), list[FailedStretch]()
    failures: list[tuple[int, float]] = []
    for run, one in deliveries:
        at = _seconds(one.at)
        if one.verdict is DeliveryVerdict.FAILED:
            failures.append((run, at if one.failed is None else _seconds(one.failed)))
        elif one.verdict is DeliveryVerdict.GOOD:
            if before := [(failed, since) for failed, since in failures if since < at]:
                stretch = _stretch(before, at)
                found.append(stretch)
                restored.append(Took(at, run, one.version, at - stretch.since))
            failures = []
    if failures:
        found.append(_stretch(failures, None))
    return restored, found


def _stretch(failures: Sequence[tuple[int, float]], ended: float | None) -> FailedStretch:
    return FailedStretch(min(since for _, since in failures), ended, tuple(dict.fromkeys(run for run, _ in failures)))


def _seconds(at: datetime) -> float:
    return at.timestamp()
