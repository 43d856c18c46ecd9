"""How it stands with an application's promotions, read from its newest records."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowNotFoundException

from nightshift.errors import VendorError
from nightshift.lake.errors import LakeError
from nightshift.nights.place import lake_of_this_deployment
from nightshift.promotion.progress import in_doubt
from nightshift.promotion.record import Record, Running, State, Step
from nightshift.promotion.store import Records
from nightshift.promotion.versions import newest
from nightshift.redaction import redact

if TYPE_CHECKING:
    from nightshift.lake.store import Lake

log = logging.getLogger(__name__)

MOST = 200
"""Records of one application that are read at most, where a stage is not told of in the newest ones."""
SECONDS = 15.0
"""A lake that takes longer than this for one application is told to be slow; a page does not hang."""
_OURS = (LakeError, VendorError, AirflowNotFoundException, ValueError)


@dataclass(frozen=True)
class Standing:
    """What the records of one application tell.

    :param application: its name
    :param stages: labels of its stages, in order
    :param running: stage → what runs there; ``None`` where no record tells of a deployment
    :param doubts: stage → its newest deployment, where that did not end well
    :param records: the newest ones, by when they were opened, newest first
    :param trouble: why some of it may be missing; empty: nothing is
    :param description: of the application
    """

    application: str
    stages: tuple[str, ...] = ()
    running: dict[str, Running | None] = field(default_factory=dict)
    doubts: dict[str, Step] = field(default_factory=dict)
    records: tuple[Record, ...] = ()
    trouble: str = ""
    description: str = ""

    @property
    def underway(self) -> list[Record]:
        """The promotions that have not ended: the one that has its turn, then those that wait for theirs."""
        return sorted(
            (one for one in self.records if one.closed is None), key=lambda one: (one.turn is None, one.opened)
        )

    @property
    def last(self) -> Record | None:
        """The promotion that ended last."""
        ended = [one for one in self.records if one.closed is not None]
        return max(ended, key=lambda one: one.closed or one.opened, default=None)


async def open_lake() -> Lake:
    """Return the lake, from within the API server: its connection is read from the metadata database, which blocks."""
    return await asyncio.to_thread(lake_of_this_deployment)


async def read_standing(
    lake: Lake,
    application: str,
    stages: Collection[str],
    *,
    newest_records: int,
    description: str = "",
    seconds: float = SECONDS,
) -> Standing:
    """Read how it stands with one application. Never raises: what went wrong is its ``trouble``.

    A record also says what ran in each stage when its promotion began, so the newest ones tell of all that came before.

    :param stages: labels of its stages; empty where the configuration cannot be read: then those of the records
    :param newest_records: records to show
    :param description: of the application
    :param seconds: how long the lake may take
    """
    read: list[Record] = []
    trouble = ""
    try:
        async with asyncio.timeout(seconds):
            store = await asyncio.to_thread(Records, lake, application)
            async for record, _ in store.newest_first():
                read.append(record)
                if len(read) >= newest_records and (set(stages) <= _told_of(read) or len(read) >= MOST):
                    break
    except Exception as error:
        trouble = told(error)
    labels = tuple(stages) or _labels(read)
    running = _running(read)
    return Standing(
        application=application,
        stages=labels,
        running={stage: running.get(stage) for stage in labels},
        doubts=_doubts(read, running),
        records=tuple(sorted(read[:newest_records], key=lambda one: one.opened, reverse=True)),
        trouble=trouble,
        description=description,
    )


def told(error: Exception) -> str:
    """Return an error of the lake for a person; what others' errors say goes to the log alone, it may name a key."""
    if isinstance(error, TimeoutError):
        return "The lake did not answer in time. Nothing is lost; try again, and look at the network and at NIGHTSHIFT_LAKE."
    if isinstance(error, _OURS):
        return redact(str(error))
    log.error("The lake of the promotions cannot be read", exc_info=error)
    return (
        f"The lake cannot be read ({type(error).__name__}); the log of the API server says why. Nothing is lost: promotions go on "
        "without this page. Look at NIGHTSHIFT_LAKE and at the connection that it names."
    )


def _told_of(records: Iterable[Record]) -> set[str]:
    """Stages of which these records tell all: no older record can know better."""
    return {stage for record in records for stage in record.before} | set(newest(records))


def _running(records: Iterable[Record]) -> dict[str, Running]:
    found = newest(records)
    for record in records:
        for stage, running in record.before.items():
            if running is not None and (stage not in found or found[stage].since < running.since):
                found[stage] = running
    return found


def _doubts(records: Iterable[Record], running: dict[str, Running]) -> dict[str, Step]:
    found: dict[str, Step] = {}
    for record in records:
        for step in in_doubt(record):
            if step.stage is None or (step.state is State.STARTED and record.closed is None):
                continue
            after = running.get(step.stage)
            was = found.get(step.stage)
            if (after is None or after.since < step.started) and (was is None or was.started < step.started):
                found[step.stage] = step
    return found


def _labels(records: Iterable[Record]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(stage for record in records for stage in (*record.before, *record.stages)))
