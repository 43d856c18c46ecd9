"""The wait for the runs that a range of nights was split into."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

log = logging.getLogger(__name__)

GONE = "deleted"
"""State of a run that is not there any more."""
FINAL_STATES = frozenset({"success", "failed", GONE})


class NightRunsTrigger(BaseTrigger):
    """Wait until runs have ended; one event, run id → state of each.

    Airflow's own trigger for this asks in a thread, which was seen to block a triggerer for half a minute, and tells
    the state of the first run only.

    :param dag_id: their DAG
    :param run_ids: the runs; with what is known of their states already, if anything is
    :param interval: seconds between two looks
    :param enough: runs that have to have ended; default: all
    """

    def __init__(
        self,
        dag_id: str,
        run_ids: Iterable[str] | Mapping[str, str],
        interval: float = 5.0,
        enough: int | None = None,
    ) -> None:
        super().__init__()
        self.dag_id = dag_id
        self.states = dict(run_ids) if isinstance(run_ids, Mapping) else dict.fromkeys(run_ids, "")
        self.interval = interval
        self.enough = len(self.states) if enough is None else enough

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Name the class and its arguments, in plain JSON types."""
        arguments = {
            "dag_id": self.dag_id,
            "run_ids": self.states,
            "interval": self.interval,
            "enough": self.enough,
        }
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look again and again; a look that fails says nothing about the runs."""
        states = dict(self.states)
        while True:
            for run_id, state in states.items():
                if state not in FINAL_STATES:
                    states[run_id] = await self._state(run_id) or state
            if sum(state in FINAL_STATES for state in states.values()) >= self.enough:
                yield TriggerEvent(states)
                return
            await asyncio.sleep(self.interval)

    async def _state(self, run_id: str) -> str:
        """Return the state of a run; empty: Airflow does not tell just now."""
        from airflow.sdk.exceptions import AirflowRuntimeError
        from airflow.sdk.execution_time.comms import DagRunStateResult, GetDagRunState
        from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

        try:
            answer = await SUPERVISOR_COMMS.asend(GetDagRunState(dag_id=self.dag_id, run_id=run_id))
        except AirflowRuntimeError as error:
            if (error.error.detail or {}).get("status_code") == 404:
                return GONE
            log.warning("Airflow does not tell the state of run %s: %s", run_id, error)
            return ""
        return str(answer.state.value) if isinstance(answer, DagRunStateResult) else ""
