"""One run's look at the queue, without Airflow's task runner, so that it can be stopped between two of its steps."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from nightshift.promotion.queue import Queue
from nightshift.promotion.record import PromotionRecord, now
from tests.crash.promotion.night import NAME, Airflow, config


class _Instance:
    """What the queue asks of a task instance."""

    def __init__(self, airflow: Airflow, run: str) -> None:
        self.airflow, self.run_id, self.dag_id = airflow, run, f"promote_{NAME}"

    def get_dr_count(self, *, dag_id: str, run_ids: list[str], states: list[str]) -> int:
        return sum(self.airflow.alive(run) for run in run_ids)


def queue_of(airflow: Airflow, run: str) -> Queue:
    context: Any = {"ti": _Instance(airflow, run)}
    return Queue(context, airflow.records, airflow.turns, config())


async def record_of(airflow: Airflow, run: str) -> PromotionRecord:
    return PromotionRecord(application=NAME, dag_id=f"promote_{NAME}", run_id=run, opened=now(), stages=("DEV", "TEST"))


class Stops:
    """A look that is stopped once: when it has asked whether the run before is over, before it writes that run's
    record, or before it takes the turn.

    :param run: who looks
    :param point: ``is_over``, ``write`` or ``take``
    """

    def __init__(self, airflow: Airflow, run: str, point: str) -> None:
        self.queue = queue_of(airflow, run)
        self.point = point
        self._meanwhile: Callable[[], None] | None = None

    def look(self, record: PromotionRecord, meanwhile: Callable[[], None]) -> str:
        """Look; at the point, do what happens meanwhile. Returns where the run stands then."""
        self._meanwhile = meanwhile
        queue = self.queue
        real_over, real_write, real_take = queue._is_over, queue.records.write, queue.turns.take

        def is_over(waiter: Any) -> bool:
            over = real_over(waiter)
            if self.point == "is_over":
                self._now()
            return over

        async def write(written: Any) -> Any:
            if self.point == "write" and written.run_id != record.run_id:
                self._now()
            return await real_write(written)

        async def take(*args: Any) -> Any:
            if self.point == "take":
                self._now()
            return await real_take(*args)

        queue._is_over = is_over  # type: ignore[method-assign]
        queue.records.write = write  # type: ignore[method-assign]
        queue.turns.take = take  # type: ignore[method-assign]
        try:
            return str(asyncio.run(queue.look(record)).name).lower()
        finally:
            queue._is_over = real_over  # type: ignore[method-assign]
            with contextlib.suppress(AttributeError):
                del queue.records.write, queue.turns.take  # type: ignore[misc]

    def _now(self) -> None:
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile is not None:
            meanwhile()
