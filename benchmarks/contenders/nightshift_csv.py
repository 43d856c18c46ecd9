"""Nightshift: the download of an export as a DAG has it, to a landing on the local disk: the vendor's word for the
export, the signed link, every record counted, every part compressed and hashed, the manifest last.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

job = json.loads(sys.argv[1])
os.environ["NIGHTSHIFT_LAKE"] = f"{job['out']}/lake"
os.environ["AIRFLOW_CONN_TOKENFLEX_DEFAULT"] = json.dumps(
    {"conn_type": "tokenflex", "host": job["origin"], "extra": {"auth": "bearer", "token": "bench"}}
)

from benchmarks.contenders.task_context import context  # noqa: E402 - reads its settings at import
from benchmarks.jobs import CONTRACT, export_key  # noqa: E402
from nightshift.tokenflex.landing_operators import TokenFlexDownloadExportOperator  # noqa: E402

operator = TokenFlexDownloadExportOperator(
    task_id="download", report="usage", night=job["night"], contract=CONTRACT, request_key=export_key(1)
)
print(asyncio.run(operator.aexecute(context())))
