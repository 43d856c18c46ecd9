"""The wait for the turn: the older night first, one promotion at a time, and whether the one before is really over."""

from __future__ import annotations

import logging
from enum import Enum, auto
from typing import TYPE_CHECKING

from include.promotions.progress import in_flight
from include.promotions.record import Outcome, Record
from include.promotions.turns import Turn, Turns, Waiter
from nightshift.errors import NotFound
from nightshift.flexdeploy.hook import FlexDeployHook
from nightshift.flexdeploy.vocabulary import ENDED
from nightshift.promotion.runs import is_over

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.config.promotions import Application
    from include.promotions.store import Records

log = logging.getLogger(__name__)


class Place(Enum):
    """Where a run stands in the queue."""

    HAS_TURN = auto()
    WAITS = auto()
    GAVE_WAY = auto()
    """A newer night waits, and takes its place."""


class Queue:
    """The queue of an application, as one of its runs sees it.

    :param context: of the task that waits
    :param records: of the application
    :param turns: of the application
    :param config: the application
    """

    def __init__(self, context: Context, records: Records, turns: Turns, config: Application) -> None:
        self.records = records
        self.turns = turns
        self.config = config
        self.number: int | None = None
        """Number of the turn, once it is ours."""
        self._context = context

    async def look(self, record: Record) -> Place:
        """Look once, and take the turn if it is there to take.

        :param record: of the run that waits
        """
        me = Waiter(run_id=record.run_id, night=record.night, opened=record.opened)
        await self.turns.enter(me)
        others = [one for one in await self.turns.waiting() if one.run_id != me.run_id and not self._is_over(one)]
        if self.config.newer == "supersede" and (newer := [one for one in others if one.is_newer_than(me.night)]):
            log.info("The newer night %s (run %s) takes the place of this one", newer[-1].night, newer[-1].run_id)
            await self.turns.leave(me.run_id)
            return Place.GAVE_WAY
        latest = await self.turns.latest()
        if latest is not None and await self._is_mine(latest, me):
            return await self._after(latest, await self.turns.before(latest))
        if latest is not None and not await self._is_free(latest):
            return Place.WAITS
        if older := [one for one in others if one.order < me.order]:
            log.info("Waiting: run %s is first", older[0].run_id)
            return Place.WAITS
        turn = await self.turns.take(me, latest)
        # A run that was cleared may have taken its closed record up again before it could see that the turn is ours.
        return Place.WAITS if turn is None else await self._after(turn, latest)

    async def _after(self, turn: Turn, before: Turn | None) -> Place:
        if before is not None and before.run_id != turn.run_id and not await self._is_free(before):
            return Place.WAITS
        self.number = turn.number
        return Place.HAS_TURN

    async def _is_mine(self, turn: Turn, me: Waiter) -> bool:
        """Whether a turn is of this very attempt at the promotion, not of one that has been closed since."""
        if turn.run_id != me.run_id:
            return False
        record = await self.records.read(me.run_id)
        return record is None or record.closed is None or record.turn != turn.number

    async def _is_free(self, turn: Turn) -> bool:
        """Whether the run that had a turn is through with it."""
        record = await self.records.read(turn.run_id)
        if record is not None and record.closed is not None and record.turn == turn.number:
            return True
        if turn.run_id != self._context["ti"].run_id and not self._is_over(turn):
            log.info("Waiting: run %s is underway", turn.run_id)
            return False
        if record is None or record.closed is not None:
            return True
        if working := await self._still_working(record):
            log.info("Waiting: run %s has ended in Airflow, but FlexDeploy still works on %s", turn.run_id, working)
            return False
        await self.records.write(
            record.close(Outcome.ABANDONED, "its run ended in Airflow before it could close its record")
        )
        return True

    async def _still_working(self, record: Record) -> str:
        """Return the workflow requests of a run that was given up which have not ended; empty where all have."""
        if not (steps := in_flight(record)):
            return ""
        async with FlexDeployHook(self.config.connection) as hook:
            for step in steps:
                for number in step.requests:
                    try:
                        request = await hook.workflow_request(number)
                    except NotFound:
                        continue
                    if request.state not in ENDED:
                        return f"workflow request {number} of {step.task} ({request.status})"
        return ""

    def _is_over(self, waiter: Waiter) -> bool:
        return is_over(self._context, waiter.run_id)
