"""Workers in processes of their own: they die by SIGKILL or stand still by SIGSTOP where a test wants it, others go
on.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nightshift.jobs.adapter import JobAdapter
from tests.execution_api import FakeExecutionApi

PROCESSES = multiprocessing.get_context("forkserver")
# One server for all tests of crashes: what the preload of a later module asks for is not heard any more.
PROCESSES.set_forkserver_preload(["tests.crash.warm"])
STARTED: list[Any] = []
"""The workers of the test that runs."""
LONG = 60.0
"""Seconds in which anything that a test waits for has happened, also on a busy machine."""


# In the worker.


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def freeze() -> None:
    """Stop like a worker whose machine stands still; a test lets it go on.

    The signal goes to the thread that asks for it: sent to the process, it may stop another thread first and this one
    later.
    """
    signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)


class DiesBeforeAsking(JobAdapter):
    async def submit(self, intent: Any, payload: Any) -> Any:
        die()


class DiesWithTheAnswer(JobAdapter):
    async def submit(self, intent: Any, payload: Any) -> Any:
        await super().submit(intent, payload)
        die()


class DiesWithTheResult(JobAdapter):
    async def result(self, status: Any) -> Any:
        await super().result(status)
        die()


class FreezesBeforeAsking(JobAdapter):
    async def submit(self, intent: Any, payload: Any) -> Any:
        freeze()
        return await super().submit(intent, payload)


class FreezesInReady(JobAdapter):
    async def ready(self) -> None:
        freeze()


class FreezesWithTheAnswer(JobAdapter):
    async def submit(self, intent: Any, payload: Any) -> Any:
        made = await super().submit(intent, payload)
        freeze()
        return made


class FreezesInTheLook(JobAdapter):
    async def find(self, intent: Any) -> Any:
        found = await super().find(intent)
        freeze()
        return found


class Freezing(FakeExecutionApi):
    """Airflow of an attempt that stands still at a write of its state store.

    ``freezes`` is asked before and after each write, with "before" or "after" and the value.
    """

    freezes: Callable[[str, Any], bool]

    def _task_state(self, method: str, path: str, body: Any) -> Any:
        saves = method == "PUT"
        if saves and self.freezes("before", body["value"]):
            freeze()
        answer = super()._task_state(method, path, body)
        if saves and self.freezes("after", body["value"]):
            freeze()
        return answer


def frozen_by(api: FakeExecutionApi, freezes: Callable[[str, Any], bool]) -> FakeExecutionApi:
    """Let an attempt stand still where ``freezes`` says so."""
    api.__class__ = Freezing
    api.freezes = freezes  # type: ignore[attr-defined]
    return api


def leave_trigger(api: FakeExecutionApi, message: Any, folder: Path) -> None:
    """Leave the trigger of a deferred task for :func:`wait_in_a_triggerer`."""
    (folder / "trigger.json").write_text(json.dumps(api.trigger(message).serialize()))


def wait_in_a_triggerer(api: FakeExecutionApi, folder: Path) -> None:
    """Run the trigger that another process has left."""
    from airflow.sdk._shared.module_loading import import_string

    path, kwargs = json.loads((folder / "trigger.json").read_text())
    trigger = import_string(path)(**kwargs)

    async def first() -> Any:
        return (await anext(trigger.run())).payload

    with api.comms():
        asyncio.run(first())


# In the test.


def start(target: Callable[..., Any], *args: Any, context: str = "forkserver", **kwargs: Any) -> Any:
    """Start a worker, forked from a server that has loaded what a task needs and done nothing.

    :param context: "spawn" for one that shares nothing with that server
    """
    process: Any = multiprocessing.get_context(context).Process(target=target, args=args, kwargs=kwargs, daemon=True)
    process.start()
    STARTED.append(process)
    return process


def end_all() -> None:
    """Leave no worker behind: one that stands still would never end with the tests."""
    while STARTED:
        process = STARTED.pop()
        process.kill()
        process.join(LONG)


def until(true: Callable[[], Any], what: str = "it has happened", seconds: float = LONG) -> None:
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.005)


def killed(process: Any) -> None:
    """Wait until a worker has died of SIGKILL, by its own hand or by the test's."""
    process.join(LONG)
    assert process.exitcode == -signal.SIGKILL, process.exitcode


def kill(process: Any) -> None:
    process.kill()
    killed(process)


def stands_still(process: Any) -> None:
    """Wait until a worker stands still."""
    stat = Path(f"/proc/{process.pid}/stat")
    until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", "the worker stands still")


def thaw(process: Any) -> None:
    """Let a worker go on to its end."""
    os.kill(process.pid, signal.SIGCONT)
    process.join(LONG)
    assert process.exitcode == 0
