"""One attempt of a task in a process of its own, and adapters that die with it at a chosen moment."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

from tests.execution_api import FakeExecutionApi, FileStore  # first: it sets Airflow up
from tests.unit.jobs.job_server import AcmeAdapter
from tests.unit.jobs.job_tasks import AcmeOperator, job_task


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DiesBeforeAsking(AcmeAdapter):
    async def submit(self, intent: Any, payload: Any) -> Any:
        die()


class DiesWithTheAnswer(AcmeAdapter):
    async def submit(self, intent: Any, payload: Any) -> Any:
        await super().submit(intent, payload)
        die()


class DiesWithTheResult(AcmeAdapter):
    async def result(self, status: Any) -> Any:
        await super().result(status)
        die()


def api_of(url: str, folder: Path) -> FakeExecutionApi:
    store = FileStore(folder / "store")
    return FakeExecutionApi(connections={"acme": {"conn_type": "http", "host": url}}, max_tries=2, task_store=store)


def attempt(url: str, folder: Path, number: int, **options: Any) -> None:
    """Run one attempt; what comes of it is written to ``attempt-<number>.json``."""
    run = api_of(url, folder).run(job_task(**options), try_number=number)
    answer = {"state": str(run.state), "result": run.result, "error": str(run.error or "")}
    (folder / f"attempt-{number}.json").write_text(json.dumps(answer))


def attempt_that_dies_unreported(url: str, folder: Path, number: int) -> None:
    """Die when the task is done and before Airflow hears of it."""
    task: AcmeOperator = job_task(look=5.0)
    task._post_execute_hook = lambda *_: die()
    api_of(url, folder).run(task, try_number=number)


def wait_in_a_triggerer(url: str, folder: Path) -> None:
    """Run the trigger that another process has left in ``trigger.json``; its event goes to ``event.json``."""
    from airflow.sdk._shared.module_loading import import_string

    path, kwargs = json.loads((folder / "trigger.json").read_text())
    trigger = import_string(path)(**kwargs)

    async def first() -> Any:
        return (await anext(trigger.run())).payload

    import asyncio

    with api_of(url, folder).comms():
        (folder / "event.json").write_text(json.dumps(asyncio.run(first())))
