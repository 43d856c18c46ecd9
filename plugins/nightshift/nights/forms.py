"""How a DAG gets its form in the Airflow UI, cheaply."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from airflow.sdk.definitions.param import ParamsDict

if TYPE_CHECKING:
    from airflow.sdk import DAG, Param


def give_form(dag: DAG, form: Mapping[str, Param]) -> None:
    """Give a DAG its form, once all its tasks are declared.

    Airflow copies the form of a DAG into each task that is declared after it, once for each class that the task's class
    is made of, and checks it against its schema each time the DAG is parsed: for fifty promotions that is most of their
    parsing. A run reads the form from the DAG all the same, and what a person fills in is checked when the run is made.

    :param dag: with all its tasks
    :param form: field → its declaration, each with a default that fits
    """
    object.__setattr__(dag, "params", ParamsDict(dict(form)))
