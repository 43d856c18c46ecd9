"""Loaded once by the server that workers are forked from: what a first task makes Airflow import is there already.

Nothing of it starts a thread or makes an event loop, which all workers would share, and ``deltalake`` is not among it:
it does not outlive a fork.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import obstore.exceptions
import obstore.store
import pytest
from airflow.providers.common.compat import connection
from airflow.sdk import DAG, BaseOperator

from tests.crash.promotion.night import dag_of
from tests.execution_api import FakeExecutionApi

for one in ("exago.promote_operator", "flexnet.operators", "tokenflex.landing_operators", "tokenflex.operators"):
    import_module(f"nightshift.{one}")
loaded = (obstore, connection, pytest)


class Nothing(BaseOperator):
    def execute(self, context: Any) -> None:
        """Do nothing, as a task."""


dag_of()
with DAG("d", schedule=None):
    assert FakeExecutionApi().run(Nothing(task_id="t")).state == "success"
assert "deltalake" not in sys.modules
