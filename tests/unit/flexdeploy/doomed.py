"""One attempt of a task in a process of its own, and adapters that die with it at a chosen moment."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

from nightshift.flexdeploy.adapter import FlexDeployAdapter
from tests.execution_api import FakeExecutionApi, FileStore  # first: it sets Airflow up
from tests.unit.flexdeploy.deploy_tasks import connection, task


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DiesBeforeAsking(FlexDeployAdapter):
    async def submit(self, intent: Any, payload: Any) -> Any:
        die()


class DiesWithTheAnswer(FlexDeployAdapter):
    async def submit(self, intent: Any, payload: Any) -> Any:
        await super().submit(intent, payload)
        die()


class DiesWithTheResult(FlexDeployAdapter):
    async def result(self, status: Any) -> Any:
        await super().result(status)
        die()


def api_of(url: str, folder: Path, **extra: Any) -> FakeExecutionApi:
    """The same Airflow for the killed attempt and those after it: its state store is on disk."""
    return FakeExecutionApi(
        connections={"flexdeploy_default": connection(url, **extra)},
        max_tries=2,
        task_store=FileStore(folder / "store"),
    )


def attempt(
    url: str, folder: Path, kind: str, adapter: type[FlexDeployAdapter] | None, options: dict[str, Any]
) -> None:
    """Run the first attempt of a task."""
    one = task(kind, **options)
    if adapter is not None:
        one.adapter_type = adapter
    api_of(url, folder).run(one, try_number=1)


def attempt_that_dies_unreported(url: str, folder: Path, kind: str) -> None:
    """Die when the task is done and before Airflow hears of it."""
    one = task(kind, look=5.0)
    one._post_execute_hook = lambda *_: die()
    api_of(url, folder).run(one, try_number=1)


def wait_in_a_triggerer(url: str, folder: Path) -> None:
    """Run the trigger that another process has left in ``trigger.json``."""
    import asyncio

    from airflow.sdk._shared.module_loading import import_string

    path, kwargs = json.loads((folder / "trigger.json").read_text())
    trigger = import_string(path)(**kwargs)

    async def first() -> Any:
        return (await anext(trigger.run())).payload

    with api_of(url, folder).comms():
        asyncio.run(first())
