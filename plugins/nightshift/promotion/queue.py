"""The wait for the turn: the older night first, one promotion at a time, and whether the one before is really over."""

from __future__ import annotations

import logging
from datetime import datetime
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, NamedTuple

from nightshift.lake.errors import Contended
from nightshift.promotion.doubts import Doubt, doubts_in
from nightshift.promotion.record import PromotionRecord, PromotionStep
from nightshift.promotion.rules.progress import in_flight, is_settled
from nightshift.promotion.servers import OtherServer, asked_of, at_work
from nightshift.promotion.turns import Turn, Turns, Waiter
from nightshift.promotion.vocabulary import JOBS, PromotionOutcome, StepState

if TYPE_CHECKING:
    from airflow.sdk import Context

    from nightshift.config.promotions import Application
    from nightshift.promotion.store import Records

log = logging.getLogger(__name__)

ALIVE = ("queued", "running")


class _Left(NamedTuple):
    """What a run has left at FlexDeploy.

    :param words: what it is
    :param status: of the workflow request; empty: FlexDeploy does not tell
    """

    step: PromotionStep
    words: str
    status: str = ""


class QueuePosition(Enum):
    """Where a run stands in the queue."""

    HAS_TURN = auto()
    WAITS = auto()
    SUPERSEDED = auto()
    """A newer night waits, and takes its place."""


class Queue:
    """The queue of an application, as one of its runs sees it."""

    def __init__(self, context: Context, records: Records, turns: Turns, config: Application) -> None:
        self.records = records
        self.turns = turns
        self.config = config
        self.number: int | None = None
        """Number of the turn, once it is ours."""
        self.opened: datetime | None = None
        """When this run first said that it waits."""
        self.newer: Waiter | None = None
        """The newer night that takes the place of this run."""
        self._context = context

    async def look(self, record: PromotionRecord) -> QueuePosition:
        """Look once, and take the turn if it is there to take."""
        me = await self.turns.enter(Waiter(run_id=record.run_id, night=record.night, opened=record.opened))
        self.opened = me.opened
        others = await self._others(me)
        if self.config.newer == "supersede" and (newer := [one for one in others if one.is_newer_than(me.night)]):
            self.newer = newer[-1]
            log.info("The newer night %s (run %s) takes the place of this one", self.newer.night, self.newer.run_id)
            await self.turns.leave(me.run_id)
            return QueuePosition.SUPERSEDED
        latest = await self.turns.latest()
        if latest is not None and await self._is_mine(latest, me):
            return await self._after(latest, await self.turns.before(latest))
        if latest is not None and not await self._is_free(latest):
            return QueuePosition.WAITS
        older = [one for one in others if one.order < me.order]
        # What it left in doubt itself holds the older ones as well, and only it can end that.
        if older and not (latest is not None and latest.run_id == me.run_id and doubts_in(record)):
            log.info("Waiting: run %s is first", older[0].run_id)
            return QueuePosition.WAITS
        turn = await self.turns.take(me, latest)
        # A run that was cleared may have taken its closed record up again before it could see that the turn is ours.
        return QueuePosition.WAITS if turn is None else await self._after(turn, latest)

    async def _others(self, me: Waiter) -> list[Waiter]:
        """Return the other runs that wait, in their order; the notes of those that have ended are taken away."""
        alive = []
        for one in await self.turns.waiting():
            if one.run_id == me.run_id:
                continue
            if self._is_over(one):
                await self.turns.leave(one.run_id)
            else:
                alive.append(one)
        return alive

    async def _after(self, turn: Turn, before: Turn | None) -> QueuePosition:
        while before is not None:
            if before.run_id != turn.run_id and not await self._is_free(before):
                return QueuePosition.WAITS
            record = await self.records.read(before.run_id)
            if record is not None and record.turn is not None and record.turn >= before.number:
                break
            # Taken and never used: whoever had the turn before that may still be at work.
            before = await self.turns.before(before)
        self.number = turn.number
        return QueuePosition.HAS_TURN

    async def _is_mine(self, turn: Turn, me: Waiter) -> bool:
        """Whether a turn is of this very attempt at the promotion, not of one that has been closed since."""
        if turn.run_id != me.run_id:
            return False
        record = await self.records.read(me.run_id)
        return record is None or record.closed is None or record.turn != turn.number

    async def _is_free(self, turn: Turn) -> bool:
        """Whether the run that had a turn is through with it, and FlexDeploy with all that it was asked for."""
        record = await self.records.read(turn.run_id)
        closed = record is not None and record.closed is not None and record.turn == turn.number
        # One that was given up may have been cleared at that very moment: only Airflow knows.
        by_itself = closed and record is not None and record.outcome is not PromotionOutcome.ABANDONED
        if not by_itself and turn.run_id != self._context["ti"].run_id and not await self._is_idle(turn, closed=closed):
            log.info("Waiting: run %s is underway", turn.run_id)
            return False
        if record is None:
            return True
        left = await self._left(record)
        if left is not None and left.status:
            log.info("Waiting: run %s has ended, but FlexDeploy still works on %s", turn.run_id, left.words)
            return False
        if record.closed is None:
            try:
                await self.records.write(record.close(PromotionOutcome.ABANDONED, _given_up(record)))
            except Contended:
                log.info("Waiting: run %s has just written its record", turn.run_id)
                return False
        if left is not None:
            # Closed by now, so that a person's word can end it.
            log.warning("Waiting: %s: %s.", left.words, Doubt(record.run_id, left.step).words)
            return False
        # Its own doubt holds nobody but others: the step that left it takes it up again, or asks.
        if turn.run_id != self._context["ti"].run_id and (doubts := doubts_in(record)):
            log.warning("Waiting: %s.", "; ".join(Doubt(record.run_id, step).words for step in doubts))
            return False
        return True

    async def _is_idle(self, turn: Turn, *, closed: bool) -> bool:
        """Whether nothing of a run can act: it has ended, or it was cleared and waits for a turn again.

        :param closed: its record is closed, so that this turn is used up and it waits for another one
        """
        if self._is_over(turn):
            return True
        latest = await self.turns.latest()
        waits = any(one.run_id == turn.run_id for one in await self.turns.waiting())
        return waits and latest is not None and (closed or latest.run_id != turn.run_id)

    async def _left(self, record: PromotionRecord) -> _Left | None:
        """Return what of a run has not ended at FlexDeploy, or is not shown there; ``None``: all has ended."""
        for step in in_flight(record):
            try:
                async with asked_of(step, self.config.connection) as hook:
                    found = await at_work(step, hook)
            except OtherServer as error:
                if not is_settled(step):
                    return _Left(step, error.problem)
                continue
            if found is not None:
                number, status = found
                shown = f" ({status})" if status else ", which FlexDeploy does not show"
                return _Left(step, f"workflow request {number} of {step.task}{shown}", status)
        return None

    def _is_over(self, waiter: Waiter) -> bool:
        return is_over(self._context, waiter.run_id)


def _given_up(record: PromotionRecord) -> str:
    """Return why a record is closed by another run, and what nobody knows of it."""
    why = "its run ended in Airflow before it could close its record"
    if lost := [
        step.task for step in record.steps_of(JOBS) if step.state is StepState.STARTED and step.asked is not None
    ]:
        asked = ", ".join(lost)
        why += f"; FlexDeploy may have been asked for {asked}, and no workflow request of it is known: look there"
    return why


def is_over(context: Context, run_id: str) -> bool:
    """Return whether a run of this DAG has ended, or is not there any more."""
    ti: Any = context["ti"]
    return bool(ti.get_dr_count(dag_id=ti.dag_id, run_ids=[run_id], states=list(ALIVE)) == 0)


async def newer_waiting(context: Context, turns: Turns, night: str | None) -> Waiter | None:
    """Return the run of a newer night that waits for its turn, if there is one; the notes of runs that are over are
    taken away.
    """
    for waiter in await turns.waiting():
        if not waiter.is_newer_than(night):
            continue
        if not is_over(context, waiter.run_id):
            return waiter
        await turns.leave(waiter.run_id)
    return None
