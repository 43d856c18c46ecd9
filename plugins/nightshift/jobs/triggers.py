"""The wait for a job: on the worker for a while, then in the triggerer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

from airflow.sdk.exceptions import TaskDeferred
from airflow.triggers.base import BaseTrigger, TriggerEvent

from nightshift.jobs.adapter import AdapterSpec, JobAdapter
from nightshift.jobs.cancel import cancel_by_spec
from nightshift.jobs.instance import state_in, states_of
from nightshift.jobs.poller import follow, look
from nightshift.jobs.state import Scalar, from_json, to_json
from nightshift.jobs.waiting import JobEvent, WaitPlan, Watch

BACKSTOP = timedelta(minutes=10)
"""How much later than ours Airflow's own time-out of a deferral is: it only ends a wait that a triggerer has lost."""
ASK_PAUSES = (1.0, 4.0, 0.0)
"""Seconds after each question how the task stands that was not answered: a triggerer is late with its heartbeat where
Airflow's database or API is.
"""
_LEFT_ALONE = {
    "success": "The task was marked success by a person",
    "deferred": "The task waits still, in another triggerer or for a newer attempt",
}
_GOES_ON = frozenset({"scheduled", "queued", "running"})
"""States of a task that was cleared, or that Airflow has woken with a person's answer."""


class VendorJobTrigger(BaseTrigger):
    """Wait for one job, and fire exactly one event (:class:`nightshift.jobs.waiting.JobEvent`).

    Holds plain JSON only, all times absolute: a triggerer can die and another go on. ``run`` changes nothing at the
    vendor. All triggers of one connection in one triggerer share one poller.

    :param adapter: dotted path of the :class:`nightshift.jobs.adapter.JobAdapter` class.
    :param plan: the :class:`nightshift.jobs.waiting.WaitPlan`, as plain JSON.
    :param cancel_on_kill: cancel the job when a person marks the task failed or clears it.
    """

    def __init__(
        self,
        *,
        adapter: str,
        conn_id: str,
        plan: dict[str, Any],
        options: dict[str, Scalar] | None = None,
        cancel_on_kill: bool = True,
    ) -> None:
        super().__init__()
        self.spec = AdapterSpec(path=adapter, conn_id=conn_id, options=options or {})
        self.plan = from_json(WaitPlan, plan)
        self.cancel_on_kill = cancel_on_kill

    @classmethod
    def of(cls, spec: AdapterSpec, plan: WaitPlan, *, cancel_on_kill: bool) -> VendorJobTrigger:
        """Make one from the models."""
        return cls(
            adapter=spec.path,
            conn_id=spec.conn_id,
            options=dict(spec.options),
            plan=to_json(plan),
            cancel_on_kill=cancel_on_kill,
        )

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Name the class and its arguments, in plain JSON types."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "adapter": self.spec.path,
                "conn_id": self.spec.conn_id,
                "options": dict(self.spec.options),
                "plan": to_json(self.plan),
                "cancel_on_kill": self.cancel_on_kill,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait; fire the one event."""
        event = await follow(self.spec, Watch(self.plan, time.time()), self.log)
        yield TriggerEvent(event.to_event())

    async def on_kill(self) -> None:
        """Cancel the job, because a person marked the task failed or cleared it.

        Airflow calls this as well when a person marks the task *success*, who says that its work counts as done, and
        when another triggerer has taken the wait over from one that was late with its heartbeat, where nobody has done
        anything, and when a person answers a question that the task asked before the job was made. It does not tell
        which of these it was, so the task's state and its question are asked for, and the job is left alone in these
        three; in doubt it is cancelled. Airflow does not call this when a triggerer stops or lets a wait time out.
        """
        job_id = self.plan.job_id
        if not self.cancel_on_kill:
            return
        state = await self._state()
        why = _LEFT_ALONE.get(state, "")
        if state in _GOES_ON and await self._was_answered():
            why = "A person answered a question of the task, which goes on with its job"
        if why:
            self.log.info("%s: job %s is left alone.", why, job_id)
            return
        await cancel_by_spec(self.spec, job_id, "The task was marked failed or cleared while deferred", self.log)

    async def _state(self) -> str:
        """Return how the task stands by now, empty where Airflow does not say."""
        ti = self.task_instance
        if ti is None:
            return ""
        from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

        for pause in ASK_PAUSES:
            try:
                return state_in((await SUPERVISOR_COMMS.asend(states_of(ti))).task_states)
            except Exception:
                self.log.warning("Airflow did not say what became of the task.", exc_info=True)
                await asyncio.sleep(pause)
        return ""

    async def _was_answered(self) -> bool:
        """Whether a question that the task has asked was answered since its job was made: most tasks ask none."""
        from airflow.sdk.execution_time.hitl import get_hitl_detail_content_detail

        try:
            found = await asyncio.to_thread(get_hitl_detail_content_detail, ti_id=self.task_instance.id)
        except Exception as error:
            self.log.info("Airflow tells of no question of the task: %s", type(error).__name__)
            return False
        return bool(found.responded_at is not None and found.responded_at.timestamp() >= self.plan.started)


async def wait_or_defer(task: Any, adapter: JobAdapter, plan: WaitPlan, *, cancel_on_kill: bool) -> JobEvent:
    """Wait on the worker for as long as the task looks, then defer it; one that does not defer waits to the end.

    :param task: an operator or a sensor; it goes on with its method ``resume``
    :param adapter: open
    :param cancel_on_kill: whether the trigger cancels the job when a person ends the task
    """
    event = await look(adapter, Watch(plan, time.time()), task.log, task.look if task.deferrable else None)
    if event is not None:
        return event
    raise TaskDeferred(
        trigger=VendorJobTrigger.of(task.adapter(), plan, cancel_on_kill=cancel_on_kill),
        method_name="resume",
        timeout=timedelta(seconds=max(plan.deadline - time.time(), 0.0)) + BACKSTOP,
    )
