"""One attempt of a task in a process of its own, which a test kills: ``python -m tests.unit.tokenflex.doomed TASK FOLDER URL KEY``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from tests.execution_api import FakeExecutionApi, FileStore
from tests.unit.tokenflex.usage_server import TOKEN


def api_of(folder: Path, url: str) -> FakeExecutionApi:
    """The same Airflow for the killed attempt and those after it: its state store is on disk."""
    extra = json.dumps({"auth": "bearer", "token": TOKEN, "requests_per_minute": 6000})
    connection = {"conn_type": "tokenflex", "host": url, "extra": extra}
    return FakeExecutionApi(
        connections={"tokenflex_default": connection}, max_tries=3, task_store=FileStore(folder / "store")
    )


def main() -> None:
    from nightshift.lake.landing import ExtractFolder
    from tests.unit.tokenflex.export_tasks import download_task, request_task

    kind, folder, url, key = sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4]
    os.environ["NIGHTSHIFT_LAKE"] = str(folder / "lake")
    (ExtractFolder.open_stream.__kwdefaults__ or {})["part_bytes"] = 1 << 20
    api_of(folder, url).run(request_task() if kind == "request" else download_task(key))


if __name__ == "__main__":
    main()
