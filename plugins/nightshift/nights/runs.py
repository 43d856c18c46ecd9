"""The wait for the runs that a range of nights was split into."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

FINAL_STATES = frozenset({"success", "failed"})


class NightRunsTrigger(BaseTrigger):
    """Wait until all runs have ended; one event, run id → state.

    Airflow's own trigger for this asks in a thread, which was seen to block a triggerer for half a minute, and tells
    the state of the first run only.

    :param dag_id: their DAG
    :param run_ids: the runs
    :param interval: seconds between two looks
    """

    def __init__(self, dag_id: str, run_ids: list[str], interval: float = 5.0) -> None:
        super().__init__()
        self.dag_id = dag_id
        self.run_ids = run_ids
        self.interval = interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Name the class and its arguments, in plain JSON types."""
        arguments = {"dag_id": self.dag_id, "run_ids": self.run_ids, "interval": self.interval}
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look again and again; a look that fails says nothing about the runs."""
        states: dict[str, str] = {}
        while True:
            for run_id in self.run_ids:
                if states.get(run_id) not in FINAL_STATES:
                    states[run_id] = await self._state(run_id)
            if all(state in FINAL_STATES for state in states.values()):
                yield TriggerEvent(states)
                return
            await asyncio.sleep(self.interval)

    async def _state(self, run_id: str) -> str:
        from airflow.sdk.execution_time.comms import GetDagRunState
        from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

        answer = await SUPERVISOR_COMMS.asend(GetDagRunState(dag_id=self.dag_id, run_id=run_id))
        state = getattr(answer, "state", None)
        return str(getattr(state, "value", state))
