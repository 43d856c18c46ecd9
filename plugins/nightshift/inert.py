"""What a person configures is what is sent: no value of ``reports.yaml`` or ``promotions.yaml`` is a template.

An operator's templated fields are for those who write DAGs. In a DAG that is made of a configuration file, a value with
``{{ conn.… }}`` in it would put a secret of any connection into a request, for whoever may edit that file.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, XComArg


def render_outputs_only(dag: DAG) -> None:
    """Let the tasks of a DAG render only what other tasks return; all else stays as it was given."""
    for task in dag.tasks:
        fields = [name for name in task.template_fields if _is_output(getattr(task, name, None))]
        task.template_fields = tuple(fields)


def _is_output(value: Any) -> bool:
    """Whether a value is what another task returns."""
    return isinstance(value, XComArg)
