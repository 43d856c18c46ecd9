"""What Airflow says of the runs and tasks of a DAG; asked for on the worker only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import Context

ALIVE = ("queued", "running")
BAD = frozenset({"failed", "upstream_failed"})


def is_over(context: Context, run_id: str) -> bool:
    """Return whether a run of this DAG has ended, or is not there any more."""
    ti: Any = context["ti"]
    return bool(ti.get_dr_count(dag_id=ti.dag_id, run_ids=[run_id], states=list(ALIVE)) == 0)


def failed_tasks(context: Context) -> list[str]:
    """Return the ids of the tasks of this run that have failed."""
    ti: Any = context["ti"]
    states = ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id]).get(ti.run_id, {})
    return sorted(task for task, state in states.items() if str(state) in BAD)
