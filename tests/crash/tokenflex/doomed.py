"""One attempt of a Token Flex task in a process of its own, which a test kills or which stands still where it is told
to.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tests.crash.workers import freeze
from tests.execution_api import FakeExecutionApi
from tests.file_store import FileStore
from tests.unit.tokenflex.export_tasks import download_task, request_task
from tests.unit.tokenflex.vendor import TOKEN


def api_of(folder: Path, url: str) -> FakeExecutionApi:
    """The same Airflow for the killed attempt and those after it: its state store and its lake are on disk."""
    os.environ["NIGHTSHIFT_LAKE"] = str(folder / "lake")
    extra = json.dumps({"auth": "bearer", "token": TOKEN, "requests_per_minute": 6000})
    connection = {"conn_type": "tokenflex", "host": url, "extra": extra}
    return FakeExecutionApi(
        connections={"tokenflex_default": connection}, max_tries=3, task_store=FileStore(folder / "store")
    )


def freeze_at(point: str) -> None:
    """Let this process stand still at a point, once.

    :param point: ``authorize`` (between the intent and the request), ``body`` (connected, the body about to be written)
        or ``answer`` (before the answer is noted)
    """
    from nightshift.http.transport import TimelyBody
    from nightshift.tokenflex.hook import TokenFlexHook

    points = {
        "authorize": (TokenFlexHook, "authorize"),
        "body": (TimelyBody, "write_with_length"),
        "answer": (TokenFlexHook, "create_export"),
    }
    kind, name = points[point]
    ordinary, calls = getattr(kind, name), []

    async def standing_still(self: Any, *args: Any) -> Any:
        calls.append(name)
        # The first authorize is that of ready(), before there is an intent.
        due = len(calls) == (2 if point == "authorize" else 1)
        done = await ordinary(self, *args) if point == "answer" else None
        if due:
            freeze()
        return done if point == "answer" else await ordinary(self, *args)

    setattr(kind, name, standing_still)


def request(folder: Path, url: str, point: str | None = None) -> None:
    """Ask for an export; what came of it is written to ``ended``."""
    if point is not None:
        freeze_at(point)
    run = api_of(folder, url).run(request_task())
    (folder / "ended").write_text(run.state)


def download(folder: Path, url: str, key: str) -> None:
    """Fetch a file in parts of a mebibyte."""
    from nightshift.lake.landing import ExtractFolder

    (ExtractFolder.open_stream.__kwdefaults__ or {})["part_bytes"] = 1 << 20
    api_of(folder, url).run(download_task(key))
