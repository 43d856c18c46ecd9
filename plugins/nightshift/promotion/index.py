"""What each record of an application tells in short, kept beside them, so that nobody has to read a thousand to know what runs.

The index is derived and is believed no further than to what it was made of. It names every record with the mark that the
store gave its content (the ETag). Whoever wants to know lists the folder, reads the records that are new or have another
mark, and leaves out those that are gone; then writes the index again. So it is right whoever wrote it last and however many
did so at once, it is made anew where it is missing or cannot be read, and a promotion costs a read or two.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from nightshift.lake.errors import Damaged
from nightshift.promotion.effects import build_of, deployed, passed
from nightshift.promotion.progress import ended_in_doubt
from nightshift.promotion.record import Record, Running, Version

if TYPE_CHECKING:
    from nightshift.promotion.store import Listed, Records

log = logging.getLogger(__name__)

FORMAT = 1
AT_ONCE = 100
"""Records that are read at the same time; after each such lot the index is written, so that a long first look loses little."""


class Deployment(msgspec.Struct, frozen=True, array_like=True):
    """What a promotion brought to a stage.

    :param stage: the stage
    :param id: id of the version
    :param name: its name
    :param since: when it was there
    """

    stage: str
    id: int
    name: str | None
    since: datetime

    @property
    def version(self) -> Version:
        """The version."""
        return Version(id=self.id, name=self.name)


class Told(msgspec.Struct, frozen=True, array_like=True):
    """What one record tells, in short.

    :param mark: the mark of the content that it was read from
    :param run_id: the run
    :param night: its night
    :param opened: when it first looked for its turn
    :param closed: when it ended
    :param outcome: how
    :param turn: number of its turn
    :param deployed: what it brought to each stage last
    :param passed: stage and id of each version that got through the stage
    :param doubts: stages whose deployment by it is not known to have ended well, each with when it began
    :param built: the version that it built itself: id, name, and when
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
    doubts: tuple[tuple[str, datetime], ...]
    built: Deployment | None

    @classmethod
    def of(cls, record: Record, mark: str) -> Told:
        """Return what a record tells.

        :param mark: the mark of the content that it was read from
        """
        build = build_of(record)
        return cls(
            mark=mark, run_id=record.run_id, night=record.night, opened=record.opened, closed=record.closed,
            outcome=None if record.outcome is None else str(record.outcome), turn=record.turn,
            deployed=tuple(_deployment(stage, one.version, one.since) for stage, one in deployed(record).items()),
            passed=tuple((stage, version.id) for stage, version in passed(record)),
            doubts=tuple((step.stage, step.started) for step in ended_in_doubt(record) if step.stage is not None),
            built=None if build is None or build.version is None else _deployment("", build.version, build.ended or build.started),
        )  # fmt: skip


class _Kept(msgspec.Struct, frozen=True):
    format: int
    told: dict[str, Told]


@dataclass(frozen=True)
class Index:
    """What all records of an application tell, and which of them cannot be read.

    :param told: what each tells, the one that was changed last first
    :param damaged: those that cannot be read, each with when it was changed
    """

    told: tuple[Told, ...] = ()
    damaged: tuple[tuple[datetime, Damaged], ...] = field(default=())

    def whole(self) -> tuple[Told, ...]:
        """Return what all records tell.

        :raises Damaged: one cannot be read
        """
        for _, error in self.damaged:
            raise error
        return self.told


async def read_index(records: Records) -> Index:
    """Return what the records of an application tell, and keep it.

    Lists the folder, and reads the index and the records that have changed since it was written.

    :param records: of the application
    """
    listed = {one.name: one for one in await records.listed()}
    kept = _decoded(await records.read_beside())
    told = {name: one for name, one in kept.items() if name in listed and one.mark == listed[name].mark}
    changed = sorted(listed.keys() - told.keys(), key=lambda name: listed[name].changed, reverse=True)
    damaged: list[tuple[datetime, Damaged]] = []
    for first in range(0, len(changed), AT_ONCE):
        lot = changed[first : first + AT_ONCE]
        for name, found in zip(lot, await asyncio.gather(*(_read(records, listed[name]) for name in lot)), strict=True):
            if isinstance(found, Damaged):
                damaged.append((listed[name].changed, found))
            elif found is not None:
                told[name] = found
        await _keep(records, told)
    if not changed and told.keys() != kept.keys():
        await _keep(records, told)
    order = sorted(told, key=lambda name: (listed[name].changed, name), reverse=True)
    return Index(tuple(told[name] for name in order), tuple(damaged))


async def _read(records: Records, one: Listed) -> Told | Damaged | None:
    try:
        record = await records.read_named(one.name)
    except Damaged as error:
        return error
    return None if record is None else Told.of(record, one.mark)


async def _keep(records: Records, told: Mapping[str, Told]) -> None:
    try:
        await records.write_beside(msgspec.json.encode(_Kept(FORMAT, dict(told))))
    except Exception as error:
        # Whoever looks next reads the same records again.
        log.warning("The index of the promotions could not be written: %s", type(error).__name__)


def _decoded(text: bytes | None) -> dict[str, Told]:
    if text is None:
        return {}
    try:
        kept = msgspec.json.decode(text, type=_Kept)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return kept.told if kept.format == FORMAT else {}


def _deployment(stage: str, version: Version, since: datetime) -> Deployment:
    return Deployment(stage, version.id, version.name, since)


def newest_told(told: Iterable[Told]) -> dict[str, Running]:
    """Return stage → what runs there, by what records tell; of two of the same moment that of the record changed last."""
    found: dict[str, tuple[Deployment, str]] = {}
    for one in told:
        for there in one.deployed:
            if there.stage not in found or found[there.stage][0].since < there.since:
                found[there.stage] = (there, one.run_id)
    return {
        stage: Running(version=there.version, since=there.since, run_id=run_id)
        for stage, (there, run_id) in found.items()
    }


def doubted(told: Iterable[Told]) -> dict[str, str]:
    """Return stage → the run whose deployment there is in doubt: the newest one, where none ended well since."""
    told = list(told)
    running, found = newest_told(told), dict[str, tuple[datetime, str]]()
    for one in told:
        for stage, began in one.doubts:
            if stage in running and running[stage].since >= began:
                continue
            if stage not in found or found[stage][0] < began:
                found[stage] = (began, one.run_id)
    return {stage: run_id for stage, (_, run_id) in found.items()}
