"""The task instance that has a job, as Airflow has it: which attempt it is, what a person did to it, and its button.

Of a task that is being ended are told apart: marked success (the job is left alone), replaced by a newer attempt (the
job is that attempt's), and all else (the job is cancelled). Who ended it is not: a run that was marked success marks
its tasks, too.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink, RetryAction, conf

from nightshift.jobs.poller import Log
from nightshift.jobs.record import is_refused_to_this_attempt
from nightshift.jobs.state import RunIdentity, StateStore

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context
    from airflow.sdk.execution_time.comms import GetTaskStates


def seconds(span: timedelta | float) -> float:
    """Read a span that may be given either way.

    :raises ValueError: it is negative.
    """
    value = span.total_seconds() if isinstance(span, timedelta) else float(span)
    if value < 0:
        raise ValueError(f"a span of time cannot be negative: {value}")
    return value


def run_identity(context: Context) -> RunIdentity:
    """Name the logical task that runs.

    Airflow's base URL tells installations apart that run the same DAGs against one vendor account.
    """
    ti = context["ti"]
    return RunIdentity(
        dag_id=ti.dag_id,
        run_id=ti.run_id,
        task_id=ti.task_id,
        map_index=-1 if ti.map_index is None else ti.map_index,
        scope=conf.get("api", "base_url", fallback="") or "",
    )


def last_attempt(task: BaseOperator, context: Context, error: BaseException) -> bool:
    """Tell whether Airflow will not try again after this error."""
    ti = context["ti"]
    if ti.try_number > ti.max_tries:
        return True
    if task.retry_policy is None:
        return False
    decision = task.retry_policy.evaluate(error, ti.try_number, ti.max_tries, context)
    return bool(decision.action is RetryAction.FAIL)


ANSWER_WITHIN = 2.0
"""Seconds; a supervisor kills its task some 5 s after it told it to end, and the job has to be cancelled before."""
ENDED_KEY = "nightshift_ended"
"""Key of the task state store that an attempt writes when it is told to end, to learn whether it still may."""


def states_of(ti: Any) -> GetTaskStates:
    """Return the question how a task stands."""
    from airflow.sdk.execution_time.comms import GetTaskStates

    return GetTaskStates(dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=ti.map_index)


def state_in(task_states: Mapping[str, Mapping[str, Any]]) -> str:
    """Return how the task stands, from the answer; empty where it has no state, as right after a clear."""
    states = {str(getattr(state, "value", state) or "") for tasks in task_states.values() for state in tasks.values()}
    return states.pop() if len(states) == 1 else ""


def spared(ti: Any, store: StateStore, log: Log) -> str:
    """Return why the job of a task that is told to end on a worker is left alone; empty where it is to be cancelled.

    Called from a signal handler's thread: what it interrupted may hold the line to Airflow, so it waits for no longer
    than
    :data:`ANSWER_WITHIN`.
    """

    def fetch() -> str:
        from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

        if state_in(SUPERVISOR_COMMS.send(states_of(ti)).task_states) == "success":
            return "The task was marked success by a person"
        try:
            store.set(ENDED_KEY, ti.try_number)
        except Exception as error:
            if is_refused_to_this_attempt(error):
                return "A newer attempt of this task has taken over"
            raise
        return ""

    return _within(ANSWER_WITHIN, fetch, log)


def _within(seconds: float, fetch: Callable[[], str], log: Log) -> str:
    answers: list[str] = []

    def run() -> None:
        try:
            answers.append(fetch())
        except BaseException as error:
            log.log(logging.WARNING, f"Airflow did not say what became of the task ({type(error).__name__}).")

    thread = threading.Thread(target=run, name="ask for the mark", daemon=True)
    thread.start()
    thread.join(seconds)
    return answers[0] if answers else ""


class JobLink(BaseOperatorLink):
    """The vendor's page of the job of the latest attempt.

    There while the task still waits: the operator pushes it as soon as it knows it. The pages of all attempts are in
    the task state store, in the ``urls`` of ``nightshift_job``. A vendor's room may subclass it for a name of its own.
    """

    name = "Vendor job"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Give the page that the operator has learned; runs on the worker when an attempt ends or defers."""
        return getattr(operator, "job_url", None) or ""

    def push(self, ti: Any, url: str) -> None:
        """Show the page now, while the task runs on."""
        ti.xcom_push(key=self.xcom_key, value=url)
