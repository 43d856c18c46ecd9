"""One attempt of a FlexDeploy task in a process of its own, and adapters that die with it at a chosen moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nightshift.flexdeploy.adapter import FlexDeployAdapter
from tests.crash import workers
from tests.crash.workers import die
from tests.execution_api import FakeExecutionApi
from tests.file_store import FileStore
from tests.unit.flexdeploy.deploy_tasks import connection, task


class DiesBeforeAsking(workers.DiesBeforeAsking, FlexDeployAdapter):
    pass


class DiesWithTheAnswer(workers.DiesWithTheAnswer, FlexDeployAdapter):
    pass


class DiesWithTheResult(workers.DiesWithTheResult, FlexDeployAdapter):
    pass


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
    """Run the trigger that another process has left."""
    workers.wait_in_a_triggerer(api_of(url, folder), folder)
