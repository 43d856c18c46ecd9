"""Whatever the sizes, the counts and the faults of an export: all records are landed, or the walk fails by name."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from include.standins import Fault, FaultKind
from include.standins.camunda_optimize import TOKEN, CamundaOptimizeStandIn, CamundaOptimizeSwitches, faulty
from nightshift.camunda_optimize.hook import CamundaOptimizeHook
from nightshift.camunda_optimize.walk import ResultWalk
from nightshift.errors import VendorError
from nightshift.lake.landing import Landing
from nightshift.lake.store import Lake

NIGHT = "2026-11-20"
REPORT = "property"
PASSING = (
    Fault(kind=FaultKind.STATUS, status=503),
    Fault(kind=FaultKind.STATUS, status=404),
    Fault(kind=FaultKind.HTML_200),
    Fault(kind=FaultKind.EMPTY_200),
    Fault(kind=FaultKind.TRUNCATED, at_bytes=30),
    Fault(kind=FaultKind.ACCEPT_THEN_DROP),
    Fault(kind=faulty.PAGE_EMPTY),
    Fault(kind=faulty.PAGE_AGAIN),
    Fault(kind=faulty.CONTEXT_LOST),
    Fault(kind=faulty.ID_CHANGES),
    Fault(kind=faulty.ID_MISSING),
    Fault(kind=faulty.COUNT_OFF),
    Fault(kind=faulty.TOTAL_CHANGES, detail={"add": 3}),
    Fault(kind=faulty.TOTAL_CHANGES, detail={"add": -3}),
)


@pytest.fixture(scope="module")
def vendor() -> Iterator[CamundaOptimizeStandIn]:
    with (
        CamundaOptimizeStandIn(switches=CamundaOptimizeSwitches(open_contexts=100_000)) as running,
        pytest.MonkeyPatch.context() as patch,
    ):
        fields = {"conn_type": "camunda_optimize", "host": running.url, "password": TOKEN}
        patch.setenv("AIRFLOW_CONN_CAMUNDA_OPTIMIZE_DEFAULT", json.dumps(fields))
        yield running


async def walked(lake: Lake, extract: str, limit: int, strict: bool) -> list[str]:
    folder = Landing(lake, "camunda_optimize", REPORT, NIGHT).extract(extract)
    async with CamundaOptimizeHook() as hook:
        hook.backoff.first = 0.0
        walk = ResultWalk(hook, folder, hook.request_of(REPORT, limit=limit), strict=strict)
        await walk.run()
        bodies: list[dict[str, Any]] = [json.loads(await folder.read(entry.number)) for entry in walk.entries]
    assert walk.total in (None, sum(entry.rows for entry in walk.entries))
    return [row["processInstanceId"] for body in bodies for row in body["data"]]


numbers = count()


@given(
    rows=st.integers(0, 40),
    limit=st.integers(1, 15),
    most=st.sampled_from([None, None, 5, 10]),
    strict=st.booleans(),
    faults=st.lists(st.tuples(st.sampled_from(PASSING), st.integers(1, 6)), max_size=2, unique_by=lambda one: one[1]),
)
@example(rows=6, limit=5, most=5, strict=False, faults=[(Fault(kind=faulty.ID_MISSING), 1)])
@example(rows=11, limit=5, most=10, strict=True, faults=[(Fault(kind=faulty.ID_MISSING), 2)])
@example(rows=11, limit=5, most=10, strict=True, faults=[(Fault(kind=faulty.PAGE_EMPTY), 3)])
@settings(max_examples=100, suppress_health_check=list(HealthCheck))
def test_all_records_or_a_named_failure(
    vendor: CamundaOptimizeStandIn,
    tmp_path_factory: pytest.TempPathFactory,
    rows: int,
    limit: int,
    most: int | None,
    strict: bool,
    faults: list[tuple[Fault, int]],
) -> None:
    vendor.turn(rows={REPORT: rows}, most_total=most)
    vendor.faults.clear()
    for fault, page in faults:
        vendor.faults.add(
            Fault(kind=fault.kind, page=page, status=fault.status, at_bytes=fault.at_bytes, detail=fault.detail)
        )
    lake = Lake.from_url(str(tmp_path_factory.getbasetemp() / "lake"))
    try:
        found = asyncio.run(walked(lake, f"x{next(numbers)}", limit, strict))
    except VendorError as error:
        event(type(error).__name__)
        assert faults
        return
    event("all")
    assert (len(found), len(set(found))) == (rows, rows)
