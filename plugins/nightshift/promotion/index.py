"""What is kept of the records of an application: a summary of each, so that nobody has to read a thousand.
 It is derived, and believed no
further than to what it was made of: it names every record with the mark that the store gave its content (the ETag).
Whoever wants to know lists the folder, reads the records that are new or have another mark, leaves out those that are
gone, and writes it again. So it is right whoever wrote it last; what is decided, is decided on the record itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from nightshift.lake.errors import Damaged
from nightshift.nesting import UNREADABLE
from nightshift.promotion.standing import Standing, standing_of
from nightshift.promotion.summary import RecordSummary, doubted
from nightshift.promotion.timeline import Timeline, timeline_of

if TYPE_CHECKING:
    from nightshift.promotion.store import Listed, Records


log = logging.getLogger(__name__)

FORMAT = 6
TIMELINE = "timeline"
"""Name of the object beside the index that holds what has happened in each stage, for the figures."""
STANDING = "standing"
"""Name of the object beside the index that says how it stands with each stage, for the board."""
AT_ONCE = 100
"""Records that are read at the same time; after each such lot the index is written, so that a long first look loses
little.
"""


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
