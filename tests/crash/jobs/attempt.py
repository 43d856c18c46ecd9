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


class Freezing(FakeExecutionApi):
    """Airflow of an attempt that is frozen where it saves: ``at`` is "before" or "after", and "intent" or "id"."""

    at: str = ""

    def _task_state(self, method: str, path: str, body: Any) -> Any:
        saved = body["value"] if method == "PUT" else {}
        saves = "id" if saved.get("id") else "intent" if saved.get("intent") and not saved.get("refused") else ""
        if self.at == f"before {saves}":
            self.at = freeze() or ""
        answer = super()._task_state(method, path, body)
        if self.at == f"after {saves}":
            self.at = freeze() or ""
        return answer


def attempt(url: str, folder: Path, number: int, freeze_at: str = "", **options: Any) -> None:
    """Run one attempt; what comes of it is written to ``attempt-<number>.json``."""
    api = api_of(url, folder)
    if freeze_at:
        api.__class__ = Freezing
        api.at = freeze_at  # type: ignore[attr-defined]
    run = api.run(job_task(**options), try_number=number)
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


def freeze() -> None:
    """Stop like a worker whose machine stands still; a test lets it go on."""
    os.kill(os.getpid(), signal.SIGSTOP)


class FreezesBeforeAsking(AcmeAdapter):
    async def submit(self, intent: Any, payload: Any) -> Any:
        freeze()
        return await super().submit(intent, payload)


class FreezesInReady(AcmeAdapter):
    async def ready(self) -> None:
        freeze()


class FreezesWithTheAnswer(AcmeAdapter):
    async def submit(self, intent: Any, payload: Any) -> Any:
        made = await super().submit(intent, payload)
        freeze()
        return made


class FreezesInTheLook(AcmeAdapter):
    async def find(self, intent: Any) -> Any:
        found = await super().find(intent)
        freeze()
        return found
