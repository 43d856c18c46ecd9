"""What a person has done to a task that is being ended. Airflow only ends it; what it was ended for has to be asked.

Told apart are: marked success (the job is left alone, a person says that its work counts as done), replaced by a newer
attempt (the job is that attempt's), and all else: marked failed, cleared, a worker that ends (the job is cancelled). Not
told apart is who ended it: a run that was marked success marks its tasks, too. Where Airflow does not answer in
:data:`ANSWER_WITHIN`, the task counts as marked failed.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from nightshift.jobs.poller import Log
from nightshift.jobs.record import is_refused_to_this_attempt
from nightshift.jobs.state import StateStore

if TYPE_CHECKING:
    from airflow.sdk.execution_time.comms import GetTaskStates

ANSWER_WITHIN = 2.0
"""Seconds; a supervisor kills its task some 5 s after it told it to end, and the job has to be cancelled before."""
ENDED_KEY = "nightshift_ended"
"""Key of the task state store that an attempt writes when it is told to end, to learn whether it still may."""


def states_of(ti: Any) -> GetTaskStates:
    """Return the question how a task stands."""
    from airflow.sdk.execution_time.comms import GetTaskStates

    return GetTaskStates(dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=ti.map_index)


def is_success(task_states: Mapping[str, Mapping[str, Any]]) -> bool:
    """Tell from the answer whether the task was marked success."""
    states = [str(getattr(state, "value", state)) for tasks in task_states.values() for state in tasks.values()]
    return bool(states) and all(state == "success" for state in states)


def spared(ti: Any, store: StateStore, log: Log) -> str:
    """Return why the job of a task that is told to end on a worker is left alone; empty where it is to be cancelled.

    Called from a signal handler's thread: what it interrupted may hold the line to Airflow, so it waits for no longer than
    :data:`ANSWER_WITHIN`.

    :param ti: the task instance
    :param store: its task state store
    """

    def ask() -> str:
        from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

        if is_success(SUPERVISOR_COMMS.send(states_of(ti)).task_states):
            return "The task was marked success by a person"
        try:
            store.set(ENDED_KEY, ti.try_number)
        except Exception as error:
            if is_refused_to_this_attempt(error):
                return "A newer attempt of this task has taken over"
            raise
        return ""

    return _within(ANSWER_WITHIN, ask, log)


def _within(seconds: float, ask: Callable[[], str], log: Log) -> str:
    told: list[str] = []

    def run() -> None:
        try:
            told.append(ask())
        except BaseException as error:
            log.log(logging.WARNING, f"Airflow did not say what became of the task ({type(error).__name__}).")

    thread = threading.Thread(target=run, name="ask for the mark", daemon=True)
    thread.start()
    thread.join(seconds)
    return told[0] if told else ""
