"""The clock of a parse: what importing Airflow's SDK costs, then what the DAGs cost, in one process and a moment
apart.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

TOLD = "told.json"


def run(out: Path, dags: Callable[[], Iterable[Any]]) -> None:
    """Import the SDK, make the DAGs, and leave both times and the name of each task.

    :param out: folder of the run
    :param dags: makes the DAGs; imports nothing before it is called
    """
    # Airflow's processor runs from byte code, so this does as well, whatever the environment says.
    sys.dont_write_bytecode = False
    began = time.process_time()
    from airflow.sdk import (  # noqa: F401  # all that DAG files and operators name; each is imported when it is named
        DAG,
        Asset,
        BaseAsyncOperator,
        BaseBranchOperator,
        BaseHook,
        BaseOperator,
        BaseSensorOperator,
        Context,
        CronPartitionTimetable,
        Param,
        PartitionedAssetTimetable,
        TaskGroup,
    )

    sdk = time.process_time() - began
    began = time.process_time()
    made = list(dags())
    spent = time.process_time() - began
    tasks = [f"{dag.dag_id}.{task_id}" for dag in made for task_id in dag.task_ids]
    (out / "tasks.txt").write_text("\n".join(tasks))
    told = {"sdk_s": sdk, "dags_s": spent, "ratio": spent / sdk, "dags": len(made)}
    (out / TOLD).write_text(json.dumps(told))
