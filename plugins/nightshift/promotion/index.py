"""What the records of an application tell: what runs in each stage, what got through it, what was built.

A summary of each record is kept beside them, so that nobody has to read a thousand. It is derived, and believed no
further than to what it was made of: it names every record with the mark that the store gave its content (the ETag).
Whoever wants to know lists the folder, reads the records that are new or have another mark, leaves out those that are
gone, and writes it again. So it is right whoever wrote it last; what is decided, is decided on the record itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from nightshift.lake.errors import Damaged
from nightshift.nesting import UNREADABLE
from nightshift.promotion.doubts import Doubt
from nightshift.promotion.record import Order, PromotionRecord, Running, Version, place
from nightshift.promotion.rules.delivery import Delivery, deliveries_of
from nightshift.promotion.rules.progress import all_ended_in_doubt, build_of, built, deployed, ended_in_doubt, passed
from nightshift.promotion.standing import Standing, standing_of
from nightshift.promotion.timeline import Timeline, timeline_of

if TYPE_CHECKING:
    from nightshift.promotion.store import Listed, Records


log = logging.getLogger(__name__)

FORMAT = 4
TIMELINE = "timeline"
"""Name of the object beside the index that holds what has happened in each stage, for the figures."""
STANDING = "standing"
"""Name of the object beside the index that says how it stands with each stage, for the board."""
AT_ONCE = 100
"""Records that are read at the same time; after each such lot the index is written, so that a long first look loses
little.
"""


class Deployment(msgspec.Struct, frozen=True, array_like=True):
    """What a promotion brought to a stage.

    :param order: of the step that brought it
    """

    stage: str
    id: int
    name: str | None
    since: datetime
    order: Order | None

    @property
    def version(self) -> Version:
        """The version."""
        return Version(id=self.id, name=self.name)

    @property
    def place(self) -> tuple[bool, Order, datetime]:
        """By what it is ordered."""
        return place(self.order, self.since)


class RecordSummary(msgspec.Struct, frozen=True, array_like=True):
    """What one record tells, in short.

    :param mark: the mark of the content that it was read from
    :param passed: stage and id of each version that got through the stage
    :param doubts: stages whose deployment by it is not known to have ended well, each with its order and when it began
    :param built: the version that it built itself: id, name, and when
    :param build_began: when that build began
    :param deliveries: what it brought to each stage and how that is judged, for the figures
    :param verdicts: id of each version that was checked, and what a check said of it
    """

    mark: str
    run_id: str
    night: str | None
    opened: datetime
    closed: datetime | None
    outcome: str | None
    turn: int | None
    deployed: tuple[Deployment, ...]
    passed: tuple[tuple[str, int], ...]
    doubts: tuple[tuple[str, Order | None, datetime], ...]
    built: Deployment | None
    build_began: datetime | None
    deliveries: tuple[Delivery, ...]
    verdicts: tuple[tuple[int, str], ...]

    @classmethod
    def of(cls, record: PromotionRecord, mark: str) -> RecordSummary:
        """Return what a record tells.

        :param mark: the mark of the content that it was read from
        """
        build = build_of(record)
        return cls(
            mark=mark,
            run_id=record.run_id,
            night=record.night,
            opened=record.opened,
            closed=record.closed,
            outcome=None if record.outcome is None else str(record.outcome),
            turn=record.turn,
            deployed=tuple(
                _deployment(stage, one.version, one.since, one.order) for stage, one in deployed(record).items()
            ),
            passed=tuple((stage, version.id) for stage, version in passed(record)),
            doubts=tuple(
                (step.stage, step.order, step.started) for step in ended_in_doubt(record) if step.stage is not None
            ),
            built=None
            if build is None or build.version is None
            else _deployment("", build.version, build.ended or build.started, build.order),
            build_began=None if build is None else build.started,
            deliveries=tuple(deliveries_of(record)),
            verdicts=tuple(sorted({(one.version.id, str(one.word)) for one in record.verdicts})),
        )


class _KeptSummaries(msgspec.Struct, frozen=True):
    format: int
    summaries: dict[str, RecordSummary]


@dataclass(frozen=True)
class Index:
    """What all records of an application tell, and which of them cannot be read.

    :param summaries: what each tells, the one that was changed last first
    :param damaged: those that cannot be read, each with when it was changed
    :param made_of: digest of the names and marks of all records; empty: some were not read
    """

    summaries: tuple[RecordSummary, ...] = ()
    damaged: tuple[tuple[datetime, Damaged], ...] = field(default=())
    made_of: str = ""

    def whole(self) -> tuple[RecordSummary, ...]:
        """Return what all records tell.

        :raises Damaged: one cannot be read
        """
        for _, error in self.damaged:
            raise error
        return self.summaries


async def read_index(records: Records) -> Index:
    """Return what the records of an application tell, and keep it.

    Lists the folder, and reads the index and the records that have changed since it was written.
    """
    return await _index_of(records, {one.name: one for one in await records.listed()})


async def _index_of(records: Records, listed: Mapping[str, Listed]) -> Index:
    kept = _decoded(await records.read_beside())
    summaries = {name: one for name, one in kept.items() if name in listed and one.mark == listed[name].mark}
    changed = sorted(listed.keys() - summaries.keys(), key=lambda name: listed[name].changed, reverse=True)
    damaged: list[tuple[datetime, Damaged]] = []
    for first in range(0, len(changed), AT_ONCE):
        lot = changed[first : first + AT_ONCE]
        for name, found in zip(lot, await asyncio.gather(*(_read(records, listed[name]) for name in lot)), strict=True):
            if isinstance(found, Damaged):
                damaged.append((listed[name].changed, found))
            elif found is not None:
                summaries[name] = found
        await _save(records, summaries)
    if not changed and summaries.keys() != kept.keys():
        await _save(records, summaries)
    made_of = _digest(listed.values()) if summaries.keys() == listed.keys() else ""
    if changed or summaries.keys() != kept.keys():
        unread = [str(error) for _, error in damaged]
        await _save_timeline(records, timeline_of(summaries.values(), unread))
        await _save_standing(records, _standing(list(summaries.values()), unread, made_of))
    order = sorted(summaries, key=lambda name: (listed[name].changed, name), reverse=True)
    return Index(tuple(summaries[name] for name in order), tuple(damaged), made_of)


async def keep_index(records: Records) -> None:
    """Bring what is kept of the records up to date, for whoever shows it; where that fails, it is done when it is
    read.
    """
    try:
        await read_index(records)
    except Exception as error:
        log.warning("The index of the promotions could not be brought up to date: %s", type(error).__name__)


async def read_timeline(records: Records, *, as_kept: bool = False) -> Timeline:
    """Return what has happened in each stage of an application.

    :param as_kept: believe what was kept when somebody last read the index, and list nothing
    """
    if as_kept and (kept := await records.read_beside(TIMELINE)) and (found := Timeline.from_json(kept)):
        return found
    index = await read_index(records)
    timeline = timeline_of(index.summaries, (str(error) for _, error in index.damaged))
    if as_kept:
        await _save_timeline(records, timeline)
    return timeline


async def read_standing(records: Records, *, anew: bool = False) -> Standing:
    """Return how it stands with an application, from all its records; it is kept for :func:`kept_standing`.

    What is kept is told again where it was made of the very records that are there now, and nobody changed it since.

    :param anew: something speaks against what is kept: it is made anew
    """
    listed = {one.name: one for one in await records.listed()}
    kept = await kept_standing(records)
    if kept is not None and kept.made_of and not anew and kept == _sealed(kept, _digest(listed.values())):
        return kept
    index = await _index_of(records, listed)
    standing = _standing(index.summaries, [str(error) for _, error in index.damaged], index.made_of)
    if standing != kept:
        await _save_standing(records, standing)
    return standing


async def kept_standing(records: Records) -> Standing | None:
    """Return how it stood with an application when somebody last read its index; ``None``: nobody has. One small
    object.
    """
    kept = await records.read_beside(STANDING)
    return None if kept is None else Standing.from_json(kept)


def _standing(summaries: Sequence[RecordSummary], unread: Iterable[str], made_of: str) -> Standing:
    return _sealed(standing_of(summaries, doubted(summaries), unread), made_of)


def _sealed(standing: Standing, made_of: str) -> Standing:
    """Return a standing with the digest of itself and of the records that it was made of."""
    plain = msgspec.structs.replace(standing, made_of="")
    seal = hashlib.sha256(made_of.encode() + plain.to_json()).hexdigest() if made_of else ""
    return msgspec.structs.replace(plain, made_of=seal)


def _digest(listed: Iterable[Listed]) -> str:
    """Return what tells one state of the records of an application from another, as it is told by this release."""
    marks = [str(FORMAT), *sorted(f"{one.name}\n{one.mark}" for one in listed)]
    return hashlib.sha256("\n".join(marks).encode()).hexdigest()


async def _read(records: Records, one: Listed) -> RecordSummary | Damaged | None:
    try:
        record = await records.read_named(one.name)
    except Damaged as error:
        return error
    return None if record is None else RecordSummary.of(record, one.mark)


async def _save(records: Records, summaries: Mapping[str, RecordSummary]) -> None:
    try:
        await records.write_beside(msgspec.json.encode(_KeptSummaries(FORMAT, dict(summaries))))
    except Exception as error:
        # Whoever looks next reads the same records again.
        log.warning("The index of the promotions could not be written: %s", type(error).__name__)


async def _save_timeline(records: Records, timeline: Timeline) -> None:
    await _save_beside(records, timeline.to_json(), TIMELINE)


async def _save_standing(records: Records, standing: Standing) -> None:
    await _save_beside(records, standing.to_json(), STANDING)


async def _save_beside(records: Records, text: bytes, what: str) -> None:
    try:
        await records.write_beside(text, what)
    except Exception as error:
        log.warning("The %s of the promotions could not be written: %s", what, type(error).__name__)


def _decoded(text: bytes | None) -> dict[str, RecordSummary]:
    if text is None:
        return {}
    try:
        kept = msgspec.json.decode(text, type=_KeptSummaries)
    except UNREADABLE:
        return {}
    return kept.summaries if kept.format == FORMAT else {}


def _deployment(stage: str, version: Version, since: datetime, order: Order | None) -> Deployment:
    return Deployment(stage, version.id, version.name, since, order)


def newest_running(summaries: Iterable[RecordSummary]) -> dict[str, Running]:
    """Return stage → what runs there, by what records tell: what was brought there last, by the turns in which that
    began, by time where the release before kept none; of two of the same moment that of the record changed last.
    """
    found: dict[str, tuple[Deployment, str]] = {}
    for one in summaries:
        for there in one.deployed:
            if there.stage not in found or found[there.stage][0].place < there.place:
                found[there.stage] = (there, one.run_id)
    return {
        stage: Running(version=there.version, since=there.since, run_id=run_id, order=there.order)
        for stage, (there, run_id) in found.items()
    }


def doubted(summaries: Iterable[RecordSummary]) -> dict[str, str]:
    """Return stage → the run whose deployment there is in doubt: the newest one, where none ended well since."""
    return {stage: run_ids[0] for stage, run_ids in _all_doubted(summaries).items()}


def _all_doubted(summaries: Iterable[RecordSummary]) -> dict[str, list[str]]:
    """Return stage → the runs whose deployments there are in doubt, the newest first, where none ended well since."""
    summaries = list(summaries)
    running, found = newest_running(summaries), dict[str, list[tuple[tuple[bool, Order, datetime], str]]]()
    for one in summaries:
        for stage, order, began in one.doubts:
            at = place(order, began)
            if stage not in running or place(running[stage].order, running[stage].since) < at:
                found.setdefault(stage, []).append((at, one.run_id))
    # Of two of the same moment that of the record changed last, which comes first.
    newest = {stage: sorted(lot, key=lambda one: one[0], reverse=True) for stage, lot in found.items()}
    return {stage: [run_id for _, run_id in lot] for stage, lot in newest.items()}


CLOCK_SKEW = timedelta(minutes=5)
"""By how much the clocks of workers and of the object store may differ."""


async def running(records: Records, stages: Collection[str], *, but: str | None = None) -> dict[str, Running | None]:
    """Return stage → what runs there; ``None`` where no record tells of a deployment.

    :raises Damaged: a record that may tell otherwise cannot be read
    """
    index = await read_index(records)
    found = newest_running(one for one in index.summaries if one.run_id != but)
    summaries = {stage: await _borne_out(records, stage, found.get(stage)) for stage in stages}
    _refuse_damage(index, [None if one is None else one.since for one in summaries.values()])
    return summaries


async def _borne_out(records: Records, stage: str, summaries: Running | None) -> Running | None:
    """Return what the index tells of a stage, as the record itself has it."""
    if summaries is None:
        return None
    record = await records.read(summaries.run_id)
    return None if record is None else deployed(record).get(stage)


def _refuse_damage(index: Index, since: Collection[datetime | None]) -> None:
    """Refuse to tell anything where a record that cannot be read may tell something newer.

    :raises Damaged: one may
    """
    for changed, error in index.damaged:
        if any(one is None or one <= changed + CLOCK_SKEW for one in since):
            raise error


async def doubts_at(records: Records, *, but: str | None = None, whole: bool = False) -> dict[str, Doubt]:
    """Return stage → the deployment there that is not known to have ended well, where none ended well since, as its own
    record has it.

    :param whole: with those of other promotions before it of which that is true as well, see :attr:`Doubt.before`
    """
    found: dict[str, Doubt] = {}
    summaries = (one for one in (await read_index(records)).summaries if one.run_id != but)
    for stage, run_ids in _all_doubted(summaries).items():
        for run_id in reversed(run_ids) if whole else run_ids[:1]:
            record = await records.read(run_id)
            for step in all_ended_in_doubt(record, stage) if record is not None else ():
                found[stage] = Doubt(run_id, step, found.get(stage))
    return found


async def has_passed(records: Records, stage: str, version_id: int) -> bool:
    """Return whether a version got through a stage, by any promotion of the application.

    :raises Damaged: no record says so, and one cannot be read
    """
    index = await read_index(records)
    for one in index.summaries:
        if (stage, version_id) in one.passed:
            record = await records.read(one.run_id)
            if record is not None and (stage, version_id) in {(name, version.id) for name, version in passed(record)}:
                return True
    index.whole()
    return False


async def last_built(records: Records, *, but: str | None = None) -> Version | None:
    """Return the version that the application's promotions built last.

    :raises Damaged: a record that may tell otherwise cannot be read
    """
    index = await read_index(records)
    builds = [(one.built, one.run_id) for one in index.summaries if one.built is not None and one.run_id != but]
    last = max(builds, key=lambda one: one[0].place, default=None)
    _refuse_damage(index, [None if last is None else last[0].since])
    record = None if last is None else await records.read(last[1])
    return None if record is None else built(record)
