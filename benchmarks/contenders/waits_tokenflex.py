"""Nightshift: waits for exports at Token Flex, where one call answers for all of them, five calls a minute."""

from __future__ import annotations

import json
import os

from benchmarks.contenders.triggerer import loop_of_this_process

job, loop = loop_of_this_process()
os.environ["AIRFLOW_CONN_TOKENFLEX_DEFAULT"] = json.dumps(
    {"conn_type": "tokenflex", "host": job["origin"], "extra": {"auth": "bearer", "token": "bench"}}
)

from benchmarks.contenders import vendor_waits  # noqa: E402 - reads its settings at import
from benchmarks.jobs import CONTRACT, export_key  # noqa: E402
from nightshift.jobs.adapter import AdapterSpec  # noqa: E402
from nightshift.tokenflex.adapter import TokenFlexExportAdapter  # noqa: E402

vendor_waits.run(loop, AdapterSpec.of(TokenFlexExportAdapter, "tokenflex_default", contract=CONTRACT), export_key)
