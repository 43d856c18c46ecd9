"""What every DAG that is made of the configuration keeps to while its file is parsed."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, XComArg, get_parsing_context


def in_task() -> bool:
    """Return whether a DAG file is parsed for a task that begins: it needs its DAG, also where its section is gone since."""
    return bool(get_parsing_context().dag_id)


def render_outputs_only(dag: DAG) -> None:
    """Let the tasks of a DAG render only what other tasks return; all else stays as it was given.

    Templated fields are for those who write DAGs. A value of ``reports.yaml`` or ``promotions.yaml`` with ``{{ conn.… }}`` in it
    would put a secret of any connection into a request, for whoever may edit that file.
    """
    for task in dag.tasks:
        fields = [name for name in task.template_fields if _is_output(getattr(task, name, None))]
        task.template_fields = tuple(fields)


def _is_output(value: Any) -> bool:
    """Whether a value is what another task returns."""
    return isinstance(value, XComArg)
