"""The same nights, brought home and published by the same operators with nothing in their way: the tables must be
equal.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nightshift.lake.store import Lake
from tests.cluster.carriers import Carrier
from tests.cluster.world import World


def tables_differ(world: World, lake: Lake, carriers: Sequence[Carrier], folder: Path) -> None:
    """Write to each run of reports what its night has in the table that an undisturbed one has not, or lacks."""
    for one in carriers:
        if one.application or one.state != "success":
            continue
        here, there = rows_of(lake, one), rows_of(undisturbed(world, one, folder), one)
        if here != there:
            more, less = (here - there).total(), (there - here).total()
            one.broken.append(f"the table has {more} rows too many and {less} too few of {there.total()}")
        elif not there and one.flow != "exago":
            one.broken.append("the undisturbed table has no rows: nothing is compared")


def undisturbed(world: World, one: Carrier, folder: Path) -> Lake:
    """Bring the night of a run home into a lake of its own; return that."""
    os.environ |= {"NIGHTSHIFT_CONFIG": str(world.config), "NIGHTSHIFT_KEPT": str(folder / "kept")}
    before = os.environ["NIGHTSHIFT_LAKE"]
    os.environ["NIGHTSHIFT_LAKE"] = str(folder / f"{one.number}")
    try:
        from nightshift.nights.flow import nightly_dag
        from tests.execution_api import FakeExecutionApi

        dag = nightly_dag(one.flow, doc_md=None)
        assert dag is not None
        xcoms: dict[tuple[str, str], Any] = {}
        for name in ("night", "request", "wait", "download", "extract", "publish"):
            if not dag.has_task(one.task_id(name)):
                continue
            api = FakeExecutionApi(
                connections=world.connections(),
                xcoms=xcoms,
                dag_id=one.dag_id,
                run_id=f"undisturbed-{one.number}",
                conf=one.conf(),
                partition_key=one.night,
                logical_date=None,
            )
            task = dag.get_task(one.task_id(name))
            if name == "night":
                xcoms |= {("night", "night"): one.night, ("night", "force"): False}
                continue
            if name == "wait":
                task.poll_first = 0.5
            done = api.run(task, follow=True)
            assert done.state == "success", (name, done.state, done.error)
            xcoms = api.xcoms
        return Lake.from_url(os.environ["NIGHTSHIFT_LAKE"])
    finally:
        os.environ["NIGHTSHIFT_LAKE"] = before


def rows_of(lake: Lake, one: Carrier) -> Counter[str]:
    """Return the rows of a run's night, counted."""
    from deltalake import DeltaTable

    table = DeltaTable(lake.table_url(one.flow, one.report), storage_options=lake.table_options())
    found = table.to_pyarrow_table(partitions=[("night", "=", str(one.night))]).to_pylist()
    return Counter(json.dumps(row, default=str, sort_keys=True) for row in found)
