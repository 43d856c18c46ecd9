from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from typing import Any

from airflow.sdk import DAG, BaseAsyncOperator

from tests.crash.workers import LONG, start
from tests.execution_api import FakeExecutionApi


class InAThread(BaseAsyncOperator):
    async def aexecute(self, context: Any) -> None:
        await asyncio.to_thread(time.sleep, 0.1)  # longer than the loop needs to begin to wait for it


def is_warm() -> None:
    assert "tests.crash.warm" in sys.modules


def closes_its_loop() -> None:
    with contextlib.suppress(RuntimeError):  # of Python 3.14, where there is none
        asyncio.get_event_loop().close()


def waits_for_a_thread() -> None:
    with DAG("d", schedule=None):
        assert FakeExecutionApi().run(InAThread(task_id="t")).state == "success"


def ends_well(target: Any) -> bool:
    process = start(target)
    process.join(LONG)
    return bool(process.exitcode == 0)


def test_the_server_of_workers_is_warm() -> None:
    """``multiprocessing`` is silent about a preload that cannot be imported, and each worker then imports Airflow
    anew.
    """
    assert ends_well(is_warm)


def test_no_worker_takes_the_event_loop_of_another() -> None:
    """A loop that the server had made would be one for all: the first worker that closes it takes it from the
    others.
    """
    assert ends_well(closes_its_loop)
    assert ends_well(waits_for_a_thread)
