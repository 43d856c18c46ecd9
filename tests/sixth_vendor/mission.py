"""Run in a copy of the project that has the vendor: all that a night of it takes; prints what it saw as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.execution_api import FakeExecutionApi  # first: it sets Airflow up

NIGHT = "2026-11-21"


def main(project: Path, lake: Path) -> dict[str, Any]:
    import jsonschema
    from airflow import __file__ as airflow
    from airflow.dag_processing.dagbag import DagBag
    from deltalake import DeltaTable

    import nightshift
    from include.local.vendors import standin_connections
    from include.standins.process import vendor_type
    from nightshift.config.reports import source_in_force
    from nightshift.provider import get_provider_info

    info = get_provider_info()
    jsonschema.validate(info, json.loads((Path(airflow).parent / "provider_info.schema.json").read_text()))
    bag = DagBag(project / "dags")
    dag = bag.dags["acme_reports"]
    section = source_in_force("acme")
    assert section is not None
    with vendor_type("acme")() as vendor:
        port = int(vendor.url.rpartition(":")[2])
        api = FakeExecutionApi(connections=standin_connections({"acme": port}), max_tries=1)
        tasks = {name: dag.get_task(f"orders.{name}") for name in ("extract", "publish")}
        for task in tasks.values():
            task.force = False
        tasks["extract"].night = NIGHT
        extract = api.run(tasks["extract"])
        tasks["publish"].extract = extract.result
        publish = api.run(tasks["publish"])
        asked = [dict(one.query) for one in vendor.ledger.requests()]
    # Arrow's threads may still hold a table's files when a process ends right after to_pyarrow_table(): it aborts then.
    rows = DeltaTable(str(lake / "tables" / "acme" / "orders")).to_pyarrow_dataset().count_rows()
    return {
        "provider": nightshift.__file__,
        "reports": [report.name for report in section.listed],
        "import_errors": bag.import_errors,
        "tasks": sorted(dag.task_ids),
        "types": [one["connection-type"] for one in info["connection-types"]],
        "form": next(list(one["conn-fields"]) for one in info["connection-types"] if one["connection-type"] == "acme"),
        "states": [extract.state, publish.state, str(extract.error or publish.error or "")],
        "asked": asked,
        "rows": rows,
    }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]))))
