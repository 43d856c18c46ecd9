"""What a promotion waits for without a worker: its turn, a moment, or a newer night that takes its place."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec
from airflow.triggers.base import BaseTrigger, TriggerEvent

from nightshift.nights.place import alake_of_this_deployment
from nightshift.promotion.holds import holds
from nightshift.promotion.rules.verification import reported_failure
from nightshift.promotion.store import Records
from nightshift.promotion.turns import Turns
from nightshift.settings import PROMOTIONS, ConfigError, config_folder

log = logging.getLogger(__name__)


class Why(StrEnum):
    """Why a wait is over."""

    MOMENT = "moment"
    NEWER_NIGHT = "newer_night"
    CHANGED = "changed"
    """Somebody has held or lifted something, or has changed the configuration."""


class WaitOver(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The one event of a wait."""

    why: Why
    run_id: str | None = None

    @classmethod
    def of(cls, event: Any) -> WaitOver | None:
        """Read an event; ``None``: it is not one of a wait, but a person's answer."""
        try:
            return msgspec.convert(event, cls)
        except msgspec.ValidationError:
            return None


class SupersedeTrigger(BaseTrigger):
    """Wait until a moment, until a newer night waits for its turn, or until what stands in the way changes; one event
    (:class:`WaitOver`).

    A look at the lake that fails says nothing about any of it, and is made again.

    :param night: the night that a newer one takes the place of; ``None``: none does
    :param until: the moment, seconds since the epoch; ``None``: there is none
    :param interval: seconds between two looks
    :param holds: ids of the holds that stood when the wait began; ``None``: nobody looks for holds, nor at the
        configuration
    :param asked: id of the task instance that has asked people meanwhile; an answer that came before the wait had begun
        is its event, as Airflow would have given it
    """

    def __init__(
        self,
        application: str,
        night: str | None,
        until: float | None,
        interval: float = 15.0,
        holds: list[str] | None = None,
        asked: str | None = None,
    ) -> None:
        super().__init__()
        self.application = application
        self.night = night
        self.until = until
        self.interval = interval
        self.holds = holds
        self.asked = asked

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Name the class and its arguments, in plain JSON types."""
        names = ("application", "night", "until", "interval", "holds", "asked")
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look again and again."""
        is_unheard = self.asked is not None
        configured = _configured() if self.holds is not None else None
        while True:
            if is_unheard:
                is_unheard, answered = await self._answered()
                if answered is not None:
                    yield answered
                    return
            if self.until is not None and time.time() >= self.until:
                yield _event(WaitOver(Why.MOMENT))
                return
            if (newer := await self._newer()) is not None:
                yield _event(WaitOver(Why.NEWER_NIGHT, newer))
                return
            if self.holds is not None and (_configured() != configured or await self._held_otherwise(self.holds)):
                # A hold that has ended by itself since the look at the clock has not been lifted.
                is_due = self.until is not None and time.time() >= self.until
                yield _event(WaitOver(Why.MOMENT if is_due else Why.CHANGED))
                return
            left = self.interval if self.until is None else min(self.interval, self.until - time.time())
            await asyncio.sleep(max(0.1, left))

    async def _newer(self) -> str | None:
        if self.night is None:
            return None
        try:
            turns = Turns(await alake_of_this_deployment(), self.application)
            waiting = await turns.waiting()
        except Exception as error:
            log.warning("The turns of %s could not be read: %s", self.application, type(error).__name__)
            return None
        return next((one.run_id for one in waiting if one.is_newer_than(self.night)), None)

    async def _held_otherwise(self, before: list[str]) -> bool:
        try:
            standing = await holds(await alake_of_this_deployment(), application=self.application)
        except Exception as error:
            log.warning("The holds of %s could not be read: %s", self.application, type(error).__name__)
            return False
        return {one.id for one in standing} != set(before)

    async def _answered(self) -> tuple[bool, TriggerEvent | None]:
        """Return the answer that came while the task that asks was still on its worker, or that its worker was lost
        with: Airflow keeps it, and tells nobody. And before it, whether that could not be seen.
        """
        from airflow.sdk.execution_time.hitl import get_hitl_detail_content_detail

        try:
            found = await asyncio.to_thread(get_hitl_detail_content_detail, ti_id=UUID(self.asked or ""))
            if not found.response_received:
                return False, None
        except Exception as error:
            log.warning("The question of %s could not be read: %s", self.application, type(error).__name__)
            return True, None
        user = found.responded_by_user
        return False, TriggerEvent(
            {
                "chosen_options": list(found.chosen_options or []),
                "params_input": found.params_input or {},
                "responded_at": found.responded_at,
                "responded_by_user": None if user is None else {"id": user.id, "name": user.name},
                "timedout": user is None,
            }
        )


def _configured() -> tuple[int, int] | None:
    """Return what tells one content of ``promotions.yaml`` from another, on this machine."""
    try:
        found = (config_folder() / PROMOTIONS).stat()
    except (ConfigError, OSError):
        return None
    return found.st_mtime_ns, found.st_size


def _event(over: WaitOver) -> TriggerEvent:
    return TriggerEvent(msgspec.to_builtins(over))


log = logging.getLogger(__name__)


class TurnTrigger(BaseTrigger):
    """Wait until a run may have its turn, or has to give way; the task then looks for itself.

    It reads three small objects a look. What it cannot see, a run that ended without a word, the task finds when it is
    woken after ``longest``.

    :param supersedable: wake the task when a newer night waits
    :param interval: seconds between two looks
    :param longest: seconds after which the task is woken in any case
    :param gives_way: how waits that 0.1.0 deferred say ``supersedable``
    """

    def __init__(
        self,
        application: str,
        run_id: str,
        supersedable: bool = False,
        interval: float = 3.0,
        longest: float = 300.0,
        gives_way: bool = False,
    ) -> None:
        super().__init__()
        self.application = application
        self.run_id = run_id
        self.supersedable = supersedable or gives_way
        self.interval = interval
        self.longest = longest

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Name the class and its arguments, in plain JSON types."""
        names = ("application", "run_id", "supersedable", "interval", "longest")
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
        if self.supersedable and any(one.is_newer_than(me.night) for one in waiting):
            return "a newer night waits"
        if waiting[0].run_id != self.run_id:
            return ""
        latest = await turns.latest()
        if latest is None or latest.run_id == self.run_id:
            return "its turn"
        record = await Records(lake, self.application).read(latest.run_id)
        ended = record is not None and record.closed is not None and record.turn == latest.number
        return "its turn" if ended else ""


class SoakTrigger(BaseTrigger):
    """Wait until a moment, or until a person reports that what a promotion brought to a stage is bad; the task then
    looks for itself.

    :param until: the moment, seconds since the epoch
    :param interval: seconds between two looks into the record; one that fails says nothing
    """

    def __init__(self, application: str, run_id: str, stage: str, until: float, interval: float = 30.0) -> None:
        super().__init__()
        self.application = application
        self.run_id = run_id
        self.stage = stage
        self.until = until
        self.interval = interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Name the class and its arguments, in plain JSON types."""
        names = ("application", "run_id", "stage", "until", "interval")
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look again and again."""
        while (left := self.until - time.time()) > 0:
            await asyncio.sleep(min(self.interval, left))
            try:
                record = await Records(await alake_of_this_deployment(), self.application).read(self.run_id)
            except Exception as error:
                log.warning("The record of %s could not be read: %s", self.run_id, type(error).__name__)
                continue
            if record is not None and reported_failure(record, self.stage) is not None:
                yield TriggerEvent({"why": "a failure was reported"})
                return
        yield TriggerEvent({"why": "it has soaked"})
