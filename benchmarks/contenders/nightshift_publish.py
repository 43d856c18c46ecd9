"""Nightshift, second task: the publishing operator as a DAG has it, from the landing to the Delta table."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

job = json.loads(sys.argv[1])
os.environ["NIGHTSHIFT_LAKE"] = f"{job['out']}/lake"

from benchmarks.contenders.task_context import context as attempt  # noqa: E402
from nightshift.lake.spec import PublishSpec  # noqa: E402 - reads its settings at import
from nightshift.nights.publish import PublishNightOperator  # noqa: E402

operator = PublishNightOperator(
    task_id="publish",
    extract=json.loads(Path(job["out"], "extract.json").read_text()),
    spec=PublishSpec(key=("EntitlementID",)).model_dump(mode="json"),
    source="flexnet",
    report="entitlement",
)
event = SimpleNamespace(extra=None, add_partitions=lambda keys: None)
context: Any = {**attempt(), "outlet_events": {operator.asset: event}}
print(operator.execute(context))
