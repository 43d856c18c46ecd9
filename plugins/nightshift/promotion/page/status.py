"""How it stands with an application's promotions, read from its newest records."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowNotFoundException

from nightshift.errors import VendorError
from nightshift.lake.errors import LakeError
from nightshift.nights.place import lake_of_this_deployment
from nightshift.promotion.doubts import Doubt, doubts_of
from nightshift.promotion.index import Index, RecordSummary, doubts_in_records, newest_running, read_index
from nightshift.promotion.record import PromotionRecord, PromotionStep, Running, StepState
from nightshift.promotion.store import Records
from nightshift.promotion.turns import Turns
from nightshift.redaction import redact

if TYPE_CHECKING:
    from nightshift.lake.store import Lake

log = logging.getLogger(__name__)

UNDERWAY = 20
"""Promotions that have not ended, shown at most; a DAG has 16 runs at most."""
SECONDS = 15.0
"""A lake that takes longer than this for one application is told to be slow; a page does not hang."""
_OURS = (LakeError, VendorError, AirflowNotFoundException, ValueError)


@dataclass(frozen=True)
class ApplicationStatus:
    """What the records of one application tell.

    :param running: stage → what runs there; ``None`` where no record tells of a deployment
    :param doubts: stage → its newest deployment, where that did not end well
    :param holds: work that FlexDeploy may or may not have done: nothing begins before somebody says how it ended
    :param records: the newest ones, by when they were opened, newest first
    :param trouble: why some of it may be missing; empty: nothing is
    """

    application: str
    stages: tuple[str, ...] = ()
    running: dict[str, Running | None] = field(default_factory=dict)
    doubts: dict[str, PromotionStep] = field(default_factory=dict)
    holds: tuple[Doubt, ...] = ()
    records: tuple[PromotionRecord, ...] = ()
    trouble: str = ""
    description: str = ""

    @property
    def underway(self) -> list[PromotionRecord]:
        """The promotions that have not ended: the one that has its turn, then those that wait for theirs."""
        return sorted(
            (one for one in self.records if one.closed is None), key=lambda one: (one.turn is None, one.opened)
        )

    @property
    def last(self) -> PromotionRecord | None:
        """The promotion that ended last."""
        ended = [one for one in self.records if one.closed is not None]
        return max(ended, key=lambda one: one.closed or one.opened, default=None)


async def open_lake() -> Lake:
    """Return the lake, from within the API server: its connection is read from the metadata database, which blocks."""
    return await asyncio.to_thread(lake_of_this_deployment)


async def read_status(
    lake: Lake,
    application: str,
    stages: Collection[str],
    *,
    newest_records: int,
    description: str = "",
    seconds: float = SECONDS,
) -> ApplicationStatus:
    """Read how it stands with one application. Never raises: what went wrong is its ``trouble``.

    Reads the index of the records, those that have changed since it was written, and those that are shown: a number
    that does not
    grow with the age of the application.

    :param stages: labels of its stages; empty where the configuration cannot be read: then those of the records
    """
    index, shown, trouble = Index(), list[PromotionRecord](), ""
    doubts, holds = dict[str, PromotionStep](), list[Doubt]()
    try:
        async with asyncio.timeout(seconds):
            store = await asyncio.to_thread(Records, lake, application)
            index = await read_index(store)
            shown = await _read(store, _to_show(index.summaries, newest_records))
            doubts = await doubts_in_records(store, index.summaries)
            holds = await doubts_of(store, await asyncio.to_thread(Turns, lake, application))
    except Exception as error:
        trouble = trouble_of(error)
    running = {**_running_before(shown), **newest_running(index.summaries)}
    labels = tuple(stages) or _labels(shown)
    underway = {one.run_id for one in shown if one.closed is None}
    return ApplicationStatus(
        application=application,
        stages=labels,
        running={stage: running.get(stage) for stage in labels},
        doubts={stage: step for stage, step in doubts.items() if stage in labels},
        holds=tuple(one for one in holds if one.run_id not in underway or one.step.state is StepState.FAILED),
        records=tuple(sorted(shown, key=lambda one: one.opened, reverse=True)),
        trouble=trouble or (trouble_of(index.damaged[0][1]) if index.damaged else ""),
        description=description,
    )


def _to_show(found: Sequence[RecordSummary], newest_records: int) -> list[str]:
    """Return the runs to show: the newest, those that have not ended, and the one that ended last."""
    by_age = sorted(found, key=lambda one: one.opened, reverse=True)
    last = max((one for one in found if one.closed), key=lambda one: one.closed or one.opened, default=None)
    wanted = [*by_age[:newest_records], *[one for one in by_age if one.closed is None][:UNDERWAY]]
    return list(dict.fromkeys(one.run_id for one in (*wanted, *([last] if last else []))))


async def _read(store: Records, run_ids: Iterable[str]) -> list[PromotionRecord]:
    found = await asyncio.gather(*(store.read(run_id) for run_id in run_ids))
    return [one for one in found if one is not None]


def trouble_of(error: Exception) -> str:
    """Return an error of the lake for a person; what others' errors say goes to the log alone, it may name a key."""
    if isinstance(error, TimeoutError):
        return (
            "The lake did not answer in time. Nothing is lost; try again, and look at the network and at "
            "NIGHTSHIFT_LAKE."
        )
    if isinstance(error, _OURS):
        return redact(str(error))
    log.error("The lake of the promotions cannot be read", exc_info=error)
    return (
        f"The lake cannot be read ({type(error).__name__}); the log of the API server says why. Nothing is lost: "
        "promotions go on without this page. Look at NIGHTSHIFT_LAKE and at the connection that it names."
    )


def _running_before(records: Iterable[PromotionRecord]) -> dict[str, Running]:
    """Return what ran when these promotions began, for stages whose records were taken away since."""
    found: dict[str, Running] = {}
    for record in records:
        for stage, running in record.before.items():
            if running is not None and (stage not in found or found[stage].since < running.since):
                found[stage] = running
    return found


def _labels(records: Iterable[PromotionRecord]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(stage for record in records for stage in (*record.before, *record.stages)))
