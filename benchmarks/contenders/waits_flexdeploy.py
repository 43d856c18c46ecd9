"""Nightshift: waits for workflow requests at FlexDeploy, where each poll costs a request."""

from __future__ import annotations

import json
import os

from benchmarks.contenders.triggerer import loop_of_this_process

job, loop = loop_of_this_process()
os.environ["AIRFLOW_CONN_FLEXDEPLOY_DEFAULT"] = json.dumps(
    {"conn_type": "flexdeploy", "host": job["origin"], "login": "bench", "password": "bench"}
)

from benchmarks.contenders import vendor_waits  # noqa: E402 - reads its settings at import
from nightshift.flexdeploy.adapter import FlexDeployAdapter  # noqa: E402
from nightshift.jobs.adapter import AdapterSpec  # noqa: E402

vendor_waits.run(loop, AdapterSpec.of(FlexDeployAdapter, "flexdeploy_default"), str)
