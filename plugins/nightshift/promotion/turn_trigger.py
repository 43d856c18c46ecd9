"""The wait of a promotion for its turn, in the triggerer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from nightshift.nights.place import alake_of_this_deployment
from nightshift.promotion.store import Records
from nightshift.promotion.turns import Turns

log = logging.getLogger(__name__)


class TurnTrigger(BaseTrigger):
    """Wait until a run may have its turn, or has to give way; the task then looks for itself.

    It reads three small objects a look. What it cannot see, a run that ended without a word, the task finds when it is
    woken after ``longest``.

    :param application: name of the application
    :param run_id: the run that waits
    :param gives_way: wake the task when a newer night waits
    :param interval: seconds between two looks
    :param longest: seconds after which the task is woken in any case
    """

    def __init__(
        self, application: str, run_id: str, gives_way: bool = False, interval: float = 3.0, longest: float = 300.0
    ) -> None:
        super().__init__()
        self.application = application
        self.run_id = run_id
        self.gives_way = gives_way
        self.interval = interval
        self.longest = longest

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Name the class and its arguments, in plain JSON types."""
        names = ("application", "run_id", "gives_way", "interval", "longest")
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look again and again; a look that fails says nothing."""
        until = time.monotonic() + self.longest
        while time.monotonic() < until:
            await asyncio.sleep(self.interval)
            try:
                if why := await self._reason():
                    yield TriggerEvent({"why": why})
                    return
            except Exception as error:
                log.warning("The turns of %s could not be read: %s", self.application, type(error).__name__)
        yield TriggerEvent({"why": "time to look"})

    async def _reason(self) -> str:
        lake = await alake_of_this_deployment()
        turns = Turns(lake, self.application)
        waiting = await turns.waiting()
        me = next((one for one in waiting if one.run_id == self.run_id), None)
        if me is None:
            return "its note is gone"
        if self.gives_way and any(one.is_newer_than(me.night) for one in waiting):
            return "a newer night waits"
        if waiting[0].run_id != self.run_id:
            return ""
        latest = await turns.latest()
        if latest is None or latest.run_id == self.run_id:
            return "its turn"
        record = await Records(lake, self.application).read(latest.run_id)
        ended = record is not None and record.closed is not None and record.turn == latest.number
        return "its turn" if ended else ""
