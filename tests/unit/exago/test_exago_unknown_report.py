"""A report that is not in the tree is told with those that are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from include.local.vendors import standin_connections
from include.standins.exago import ExagoStandIn
from nightshift.exago.operators import ExagoReportExtractOperator
from tests.execution_api import FakeExecutionApi
from tests.unit.exago.tasks import task

NIGHT = (datetime.now(UTC).date() - timedelta(days=1)).isoformat()


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeExecutionApi]:
    monkeypatch.setenv("NIGHTSHIFT_LAKE", str(tmp_path / "lake"))
    with ExagoStandIn() as vendor:
        port = int(vendor.url.partition("://")[2].partition("/")[0].rpartition(":")[2])
        fields = standin_connections({"exago": port})["exago_default"]
        yield FakeExecutionApi(connections={"exago_default": fields})


def test_a_slip_in_a_path_is_told_with_the_nearest(api: FakeExecutionApi) -> None:
    run = api.run(task(ExagoReportExtractOperator, report="orders", night=NIGHT, path="Nowhere/Ordrs"))
    assert run.state == "failed", json.dumps(str(run.error))
    assert "there is no report 'Nowhere/Ordrs'" in str(run.error)
    assert "This user sees: " in str(run.error)
