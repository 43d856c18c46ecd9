"""What Airflow's context says about the attempt that runs."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk import RetryAction, conf

from nightshift.jobs.state import RunIdentity

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context


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
