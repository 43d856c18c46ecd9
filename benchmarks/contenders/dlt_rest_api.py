"""dlt: its ``rest_api`` source to Parquet files, with its own next-link paginator and its defaults otherwise."""

from __future__ import annotations

import json
import os
import sys

job = json.loads(sys.argv[1])
os.environ["DLT_DATA_DIR"] = f"{job['out']}/dlt"
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["RUNTIME__LOG_LEVEL"] = "WARNING"

import dlt  # type: ignore[import-not-found]  # noqa: E402 - in an environment of its own; reads settings at import
from dlt.sources.rest_api import rest_api_source  # type: ignore[import-not-found]  # noqa: E402 - as above

source = rest_api_source(
    {
        "client": {
            "base_url": f"{job['origin']}/data/api/v1/report/",
            "paginator": {"type": "json_link", "next_url_path": "header.nextPageURL"},
        },
        "resources": [
            {
                "name": "entitlement",
                "endpoint": {"path": "entitlement", "params": job["request"], "data_selector": "data"},
                "write_disposition": "replace",
            }
        ],
    }
)
pipeline = dlt.pipeline(
    "bench", destination=dlt.destinations.filesystem(bucket_url=f"file://{job['out']}/table"), dataset_name="bench"
)
pipeline.run(source, loader_file_format="parquet")
print(pipeline.last_trace.last_normalize_info.row_counts)
