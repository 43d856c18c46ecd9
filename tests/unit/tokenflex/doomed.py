"""One attempt of a task in a process of its own, which a test kills: ``python -m tests.unit.tokenflex.doomed TASK FOLDER URL KEY``.

The task ``freeze`` is a request that stands still where KEY says, until it gets SIGCONT: ``authorize`` (between the intent
and the request), ``body`` (connected, the body about to be written), ``answer`` (before the answer is noted).
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from tests.execution_api import FakeExecutionApi, FileStore
from tests.unit.tokenflex.usage_server import TOKEN


def api_of(folder: Path, url: str) -> FakeExecutionApi:
    """The same Airflow for the killed attempt and those after it: its state store is on disk."""
    extra = json.dumps({"auth": "bearer", "token": TOKEN, "requests_per_minute": 6000})
    connection = {"conn_type": "tokenflex", "host": url, "extra": extra}
    return FakeExecutionApi(
        connections={"tokenflex_default": connection}, max_tries=3, task_store=FileStore(folder / "store")
    )


def freeze_at(point: str) -> None:
    """Let this process stand still at a point, once."""
    from nightshift.http.transport import TimelyBody
    from nightshift.tokenflex.hook import TokenFlexHook

    kind, name = {
        "authorize": (TokenFlexHook, "authorize"), "body": (TimelyBody, "write_with_length"), "answer": (TokenFlexHook, "create_export"),
    }[point]  # fmt: skip
    ordinary, calls = getattr(kind, name), []

    async def standing_still(self: Any, *args: Any) -> Any:
        calls.append(name)
        # The first authorize is that of ready(), before there is an intent.
        due = len(calls) == (2 if point == "authorize" else 1)
        done = await ordinary(self, *args) if point == "answer" else None
        if due:
            os.kill(os.getpid(), signal.SIGSTOP)
        return done if point == "answer" else await ordinary(self, *args)

    setattr(kind, name, standing_still)


def main() -> None:
    from nightshift.lake.landing import ExtractFolder
    from tests.unit.tokenflex.export_tasks import download_task, request_task

    kind, folder, url, key = sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4]
    os.environ["NIGHTSHIFT_LAKE"] = str(folder / "lake")
    (ExtractFolder.open_stream.__kwdefaults__ or {})["part_bytes"] = 1 << 20
    if kind == "freeze":
        freeze_at(key)
    run = api_of(folder, url).run(download_task(key) if kind == "download" else request_task())
    print(f"ended as {run.state}: {run.error}", flush=True)


if __name__ == "__main__":
    main()
