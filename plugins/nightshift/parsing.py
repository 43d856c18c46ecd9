"""What every DAG that is made of the configuration keeps to while its file is parsed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from airflow.sdk import DAG, XComArg, get_parsing_context
from airflow.sdk.definitions.param import ParamsDict

if TYPE_CHECKING:
    from airflow.sdk import Param


def in_task() -> bool:
    """Return whether a DAG file is parsed for a task that begins: it needs its DAG, also where its section is gone
    since.
    """
    return bool(get_parsing_context().dag_id)


def render_outputs_only(dag: DAG) -> None:
    """Let the tasks of a DAG render only what other tasks return; all else stays as it was given.

    Templated fields are for those who write DAGs. A value of ``reports.yaml`` or ``promotions.yaml`` with ``{{ conn.…
    }}`` in it would put a secret of any connection into a request, for whoever may edit that file.
    """
    for task in dag.tasks:
        fields = [name for name in task.template_fields if isinstance(getattr(task, name, None), XComArg)]
        task.template_fields = tuple(fields)


def give_form(dag: DAG, form: Mapping[str, Param]) -> None:
    """Give a DAG its form, once all its tasks are declared.

    Airflow copies the form of a DAG into each task that is declared after it, once for each class that the task's class
    is made of, and checks it against its schema each time the DAG is parsed: for fifty promotions that is most of their
    parsing. A run reads the form from the DAG all the same, and what a person fills in is checked when the run is made.

    :param dag: with all its tasks
    :param form: field → its declaration, each with a default that fits
    """
    object.__setattr__(dag, "params", ParamsDict(dict(form)))
