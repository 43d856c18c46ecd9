"""One attempt of a task of the vendor Acme in a process of its own, and its adapters that die or stand still with
it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.crash import workers
from tests.crash.workers import die, frozen_by
from tests.execution_api import FakeExecutionApi
from tests.file_store import FileStore
from tests.unit.jobs.acme import AcmeAdapter
from tests.unit.jobs.job_tasks import AcmeOperator, job_task


class DiesBeforeAsking(workers.DiesBeforeAsking, AcmeAdapter):
    pass


class DiesWithTheAnswer(workers.DiesWithTheAnswer, AcmeAdapter):
    pass


class DiesWithTheResult(workers.DiesWithTheResult, AcmeAdapter):
    pass


class FreezesBeforeAsking(workers.FreezesBeforeAsking, AcmeAdapter):
    pass


class FreezesInReady(workers.FreezesInReady, AcmeAdapter):
    pass


class FreezesWithTheAnswer(workers.FreezesWithTheAnswer, AcmeAdapter):
    pass


class FreezesInTheLook(workers.FreezesInTheLook, AcmeAdapter):
    pass


def api_of(url: str, folder: Path) -> FakeExecutionApi:
    store = FileStore(folder / "store")
    return FakeExecutionApi(connections={"acme": {"conn_type": "http", "host": url}}, max_tries=2, task_store=store)


def once_at(point: str) -> Any:
    """Return what is true once: at "before" or "after" the save of the "intent" or of the "id"."""
    left = [point]

    def due(when: str, saved: Any) -> bool:
        saves = "id" if saved.get("id") else "intent" if saved.get("intent") and not saved.get("refused") else ""
        if left != [f"{when} {saves}"]:
            return False
        left.clear()
        return True

    return due


def attempt(url: str, folder: Path, number: int, freeze_at: str = "", **options: Any) -> None:
    """Run one attempt; what comes of it is written to ``attempt-<number>.json``."""
    api = api_of(url, folder)
    if freeze_at:
        frozen_by(api, once_at(freeze_at))
    run = api.run(job_task(**options), try_number=number)
    answer = {"state": run.state, "result": run.result, "error": str(run.error or "")}
    (folder / f"attempt-{number}.json").write_text(json.dumps(answer))


def attempt_that_dies_unreported(url: str, folder: Path, number: int) -> None:
    """Die when the task is done and before Airflow hears of it."""
    task: AcmeOperator = job_task(look=5.0)
    task._post_execute_hook = lambda *_: die()
    api_of(url, folder).run(task, try_number=number)


def wait_in_a_triggerer(url: str, folder: Path) -> None:
    """Run the trigger that another process has left."""
    workers.wait_in_a_triggerer(api_of(url, folder), folder)


def retry(url: str, folder: Path, number: int = 2, **options: Any) -> Any:
    """Run a further attempt in this process, to its end."""
    return api_of(url, folder).run(job_task(**options), try_number=number, follow=True)
