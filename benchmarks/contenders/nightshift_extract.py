"""Nightshift, first task: the extracting operator as a DAG has it, to a landing on the local disk."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

job = json.loads(sys.argv[1])
os.environ["NIGHTSHIFT_LAKE"] = f"{job['out']}/lake"
os.environ["AIRFLOW_CONN_FLEXNET_DEFAULT"] = json.dumps(
    {"conn_type": "flexnet", "host": job["origin"], "login": "bench", "password": "bench"}
)

from benchmarks.contenders.task_context import context  # noqa: E402
from nightshift.flexnet.operators import FlexNetExtractOperator  # noqa: E402 - reads its settings at import

operator = FlexNetExtractOperator(
    task_id="extract",
    report="entitlement",
    night=job["night"],
    key=["EntitlementID"],
    page_size=job["settings"]["page_rows"],
)
extract = asyncio.run(operator.aexecute(context()))
Path(job["out"], "extract.json").write_text(json.dumps(extract))
print(extract)
