"""Loaded once by the server that processes are forked from: what a first task makes Airflow import is there already."""

from __future__ import annotations

from typing import Any

import obstore.exceptions
import obstore.store
from airflow.providers.common.compat import connection
from airflow.sdk import BaseAsyncOperator

from nightshift.exago import hook
from tests.execution_api import FakeExecutionApi
from tests.unit.exago import tasks

loaded = (hook, obstore, connection)


class Nothing(BaseAsyncOperator):
    async def aexecute(self, context: Any) -> None:
        """Do nothing, as a task."""


assert FakeExecutionApi().run(tasks.task(Nothing)).state == "success"
