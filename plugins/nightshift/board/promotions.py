"""Promotions: what is read of the lake for the lanes and for the time line of one application.

An application is shown from one small object (:mod:`nightshift.promotion.standing`) and the records that it cites, so
that a thousand promotions cost no more than ten. What a promotion missed to write there is found by a look at all
records, which goes on beside the answers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

from nightshift.board.answering import trouble
from nightshift.board.configured import Configured
from nightshift.board.lanes import lane_of, promotion_line
from nightshift.board.models import BoardPart, Lane, PromotionLine, Trouble
from nightshift.config.promotions import Application, promotion_dag_of
from nightshift.lake.errors import Damaged
from nightshift.lake.store import Lake
from nightshift.promotion.index import kept_standing, read_index, read_standing
from nightshift.promotion.record import PromotionRecord
from nightshift.promotion.rules.progress import deployed
from nightshift.promotion.standing import Standing
from nightshift.promotion.store import Records
from nightshift.promotion.summary import RecordSummary

FRESH = 120.0
"""Seconds after which all records of an application that is looked at are looked at again."""
PATIENCE = 5.0
"""Seconds that an application nobody has looked at yet is waited for."""
SECONDS = 15.0
"""A lake that takes longer for one application is told to be slow; a page does not hang."""
LOOKS_AT_ONCE = 2
PAUSE = 0.5
"""Seconds before a look that nobody waits for: what is asked for meanwhile goes first."""
READS_AT_ONCE = 64
PAGE = 30


class Promotions:
    """The promotions of one lake, for a process that looks at them again and again."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._looked: dict[str, float] = {}
        self._looks: dict[str, asyncio.Task[Standing]] = {}
        self._looking = asyncio.Semaphore(LOOKS_AT_ONCE)
        self._reading = asyncio.Semaphore(READS_AT_ONCE)
        self._pages: dict[str, dict[str, tuple[str, PromotionRecord]]] = {}
        """Application → run → its record with the mark of its content, of the page that was asked for last."""

    async def lanes(self, config: Configured, dags: Collection[str]) -> tuple[tuple[Lane, ...], tuple[Trouble, ...]]:
        """Return the lanes of the applications whose DAGs are given, in the order of the configuration."""
        shown = {name: one for name, one in config.applications.items() if promotion_dag_of(name) in dags}
        found = await asyncio.gather(
            *(self.lane(name, one, config.mistakes.get(name, "")) for name, one in shown.items())
        )
        return tuple(lane for lane, _ in found), tuple(one for _, troubles in found for one in troubles)

    async def lane(self, name: str, application: Application | None, mistake: str) -> tuple[Lane, tuple[Trouble, ...]]:
        """Return one lane. Never raises: what went wrong is told beside it.

        :param application: what counts of it; ``None``: nothing
        :param mistake: what is wrong with it
        """
        standing, troubles = Standing(), list[Trouble]()
        records: Mapping[str, PromotionRecord] = {}
        try:
            async with asyncio.timeout(SECONDS):
                store = await asyncio.to_thread(Records, self._lake, name)
                standing, records = await self._standing(store, name)
        except Exception as error:
            troubles.append(trouble(BoardPart.PROMOTIONS, error, name))
        troubles += [Trouble(part=BoardPart.PROMOTIONS, of=name, text=text) for text in standing.unread[:1]]
        try:
            lane = lane_of(name, promotion_dag_of(name), application, standing, records)
        except Exception as error:
            troubles.append(trouble(BoardPart.PROMOTIONS, error, name))
            lane = Lane(application=name, dag_id=promotion_dag_of(name), stages=())
        return lane.model_copy(update={"mistake": mistake}), tuple(troubles)

    async def time_line(
        self, name: str, configured: Application | None, before: datetime | None
    ) -> tuple[tuple[PromotionLine, ...], datetime | None, tuple[Trouble, ...]]:
        """Return the promotions of an application that were opened before a moment, the newest first, and the moment
        of the next page.
        """
        stages = {one.label: one for one in configured.stages} if configured is not None else {}
        try:
            async with asyncio.timeout(SECONDS):
                store = await asyncio.to_thread(Records, self._lake, name)
                index = await read_index(store)
                older = sorted(
                    (one for one in index.summaries if before is None or one.opened < before),
                    key=lambda one: one.opened,
                    reverse=True,
                )
                records = await self._page(store, name, older[:PAGE])
        except Exception as error:
            return (), None, (trouble(BoardPart.PROMOTIONS, error, name),)
        lines = tuple(promotion_line(one, stages) for one in records)
        more = older[PAGE - 1].opened if len(older) > PAGE else None
        return lines, more, tuple(trouble(BoardPart.PROMOTIONS, error, name) for _, error in index.damaged[:1])

    async def _standing(self, store: Records, name: str) -> tuple[Standing, Mapping[str, PromotionRecord]]:
        kept = await kept_standing(store)
        if kept is not None:
            records = await self._read(store, kept.cited)
            if not _is_borne_out(kept, records):
                kept = None
        look = self._look(store, name, at_once=kept is None)
        if kept is not None:
            return kept, records
        done, _ = await asyncio.wait([look] if look is not None else [], timeout=PATIENCE)
        if not done:
            raise TimeoutError
        found = done.pop().result()
        return found, await self._read(store, found.cited)

    def _look(self, store: Records, name: str, *, at_once: bool) -> asyncio.Task[Standing] | None:
        """Look at all records of an application, beside what else is done; ``None``: somebody has just done so."""
        look = self._looks.get(name)
        if look is not None and not look.done():
            return look
        if not at_once and time.monotonic() - self._looked.get(name, -FRESH) < FRESH:
            return None
        self._looks[name] = look = asyncio.ensure_future(self._looked_at(store, name, at_once=at_once))
        # What a look that nobody waits for runs into, whoever waits for the next one is told.
        look.add_done_callback(lambda done: done.cancelled() or done.exception())
        return look

    async def _looked_at(self, store: Records, name: str, *, at_once: bool) -> Standing:
        async with self._looking:
            await asyncio.sleep(0.0 if at_once else PAUSE)
            found = await read_standing(store, anew=at_once)
        self._looked[name] = time.monotonic()
        return found

    async def _page(self, store: Records, name: str, asked: Sequence[RecordSummary]) -> list[PromotionRecord]:
        """Return the records of a page; what has not changed since it was read last is not read anew."""
        kept, marks = self._pages.get(name, {}), {one.run_id: one.mark for one in asked}
        same = {run_id: kept[run_id] for run_id, mark in marks.items() if run_id in kept and kept[run_id][0] == mark}
        read = await self._read(store, [run_id for run_id in marks if run_id not in same])
        now = same | {run_id: (marks[run_id], record) for run_id, record in read.items()}
        self._pages[name] = now
        return [now[run_id][1] for run_id in marks if run_id in now]

    async def _read(self, store: Records, run_ids: Sequence[str]) -> dict[str, PromotionRecord]:
        async def one(run_id: str) -> PromotionRecord | None:
            async with self._reading:
                try:
                    return await store.read(run_id)
                except Damaged:
                    return None

        found = zip(run_ids, await asyncio.gather(*map(one, run_ids)), strict=True)
        return {run_id: record for run_id, record in found if record is not None}


def cursor(text: str | None) -> datetime | None:
    """Return the moment of a page of the time line.

    :raises ValueError: it is none
    """
    if text is None:
        return None
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _is_borne_out(standing: Standing, records: Mapping[str, PromotionRecord]) -> bool:
    """Say whether the records themselves tell what was kept of the stages."""
    for stage, kept in standing.stages.items():
        record = records.get(kept.run_id)
        told = deployed(record).get(stage) if record is not None else None
        if told is None or (told.version.id, told.since) != (kept.id, kept.since):
            return False
    return True
