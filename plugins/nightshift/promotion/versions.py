"""What runs in each stage, what got through it and what was built, told from the records alone.

The index of the records (:mod:`nightshift.promotion.index`) says which of them to look at; what is decided, is decided on
the record itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from nightshift.promotion.effects import built, deployed, passed
from nightshift.promotion.index import Index, Told, doubted, newest_told, read_index
from nightshift.promotion.progress import ended_in_doubt
from nightshift.promotion.record import Running, Step, Version

if TYPE_CHECKING:
    from nightshift.promotion.store import Records

CLOCK_SKEW = timedelta(minutes=5)
"""By how much the clocks of workers and of the object store may differ."""


async def running(records: Records, stages: Collection[str], *, but: str | None = None) -> dict[str, Running | None]:
    """Return stage → what runs there; ``None`` where no record tells of a deployment.

    :param records: of the application
    :param stages: labels of the stages
    :param but: leave out the record of this run
    :raises Damaged: a record that may tell otherwise cannot be read
    """
    index = await read_index(records)
    found = newest_told(one for one in index.told if one.run_id != but)
    told = {stage: await _borne_out(records, stage, found.get(stage)) for stage in stages}
    _heed_damage(index, [None if one is None else one.since for one in told.values()])
    return told


async def _borne_out(records: Records, stage: str, told: Running | None) -> Running | None:
    """Return what the index tells of a stage, as the record itself has it."""
    if told is None:
        return None
    record = await records.read(told.run_id)
    return None if record is None else deployed(record).get(stage)


def _heed_damage(index: Index, since: Collection[datetime | None]) -> None:
    """Refuse to tell anything where a record that cannot be read may tell something newer.

    :raises Damaged: one may
    """
    for changed, error in index.damaged:
        if any(one is None or one <= changed + CLOCK_SKEW for one in since):
            raise error


async def doubts_at(records: Records, *, but: str | None = None) -> dict[str, Step]:
    """Return stage → the deployment there that is not known to have ended well, where none ended well since.

    :param records: of the application
    :param but: leave out the record of this run
    """
    return await doubts_told(records, (one for one in (await read_index(records)).told if one.run_id != but))


async def doubts_told(records: Records, told: Iterable[Told]) -> dict[str, Step]:
    """Return stage → the deployment in doubt, as its own record has it.

    :param told: what the records tell
    """
    found: dict[str, Step] = {}
    for stage, run_id in doubted(told).items():
        record = await records.read(run_id)
        for step in ended_in_doubt(record) if record is not None else ():
            if step.stage == stage:
                found[stage] = step
    return found


async def has_passed(records: Records, stage: str, version_id: int) -> bool:
    """Return whether a version got through a stage, by any promotion of the application.

    :raises Damaged: no record says so, and one cannot be read
    """
    index = await read_index(records)
    for one in index.told:
        if (stage, version_id) in one.passed:
            record = await records.read(one.run_id)
            if record is not None and (stage, version_id) in {(name, version.id) for name, version in passed(record)}:
                return True
    index.whole()
    return False


async def last_built(records: Records, *, but: str | None = None) -> Version | None:
    """Return the version that the application's promotions built last.

    :param but: leave out the record of this run
    :raises Damaged: a record that may tell otherwise cannot be read
    """
    index = await read_index(records)
    builds = [(one.built.since, one) for one in index.told if one.built is not None and one.run_id != but]
    last = max(builds, key=lambda one: one[0], default=None)
    _heed_damage(index, [None if last is None else last[0]])
    record = None if last is None else await records.read(last[1].run_id)
    return None if record is None else built(record)
