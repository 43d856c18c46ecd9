"""What runs in each stage, told from the records alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from nightshift.promotion.record import CHANGES_A_STAGE, Kind, Record, Running, State, Step, Version

if TYPE_CHECKING:
    from nightshift.promotion.store import Records

CLOCK_SKEW = timedelta(minutes=5)
"""By how much the clocks of workers and of the object store may differ."""


def deployed(record: Record) -> dict[str, Running]:
    """Return stage → what this promotion brought there last."""
    found: dict[str, Running] = {}
    for step in record.steps:
        if step.kind in CHANGES_A_STAGE and step.state is State.DONE and step.stage and step.version and step.ended:
            was = found.get(step.stage)
            if was is None or was.since <= step.ended:
                found[step.stage] = Running(version=step.version, since=step.ended, run_id=record.run_id)
    return found


def newest(records: Iterable[Record]) -> dict[str, Running]:
    """Return stage → what runs there, of all these promotions."""
    found: dict[str, Running] = {}
    for record in records:
        for stage, running in deployed(record).items():
            if stage not in found or found[stage].since < running.since:
                found[stage] = running
    return found


async def running(records: Records, stages: Collection[str], *, but: str | None = None) -> dict[str, Running | None]:
    """Return stage → what runs there; ``None`` where no record tells of a deployment.

    Reads as few records as it can: the newest first, until no older one can matter.

    :param records: of the application
    :param stages: labels of the stages
    :param but: leave out the record of this run
    """
    read: list[Record] = []
    async for record, changed in records.newest_first():
        found = newest(read)
        if all(stage in found and found[stage].since > changed + CLOCK_SKEW for stage in stages):
            break
        if record.run_id != but:
            read.append(record)
    found = newest(read)
    return {stage: found.get(stage) for stage in stages}


def built(record: Record) -> Version | None:
    """Return the version that this promotion built itself."""
    step = _build(record)
    return None if step is None else step.version


def _build(record: Record) -> Step | None:
    done = (step for step in record.steps_of({Kind.BUILD}) if step.state is State.DONE)
    return next((step for step in done if step.version is not None), None)


def _ended(step: Step) -> datetime:
    return step.ended or step.started


async def last_built(records: Records, *, but: str | None = None) -> Version | None:
    """Return the version that the application's promotions built last.

    :param but: leave out the record of this run
    """
    last: Step | None = None
    async for record, changed in records.newest_first():
        if last is not None and _ended(last) > changed + CLOCK_SKEW:
            break
        step = _build(record)
        if record.run_id != but and step is not None and (last is None or _ended(last) < _ended(step)):
            last = step
    return None if last is None else last.version
