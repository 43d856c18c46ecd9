from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from include.standins import Clock, Fault
from include.standins.flexnet import LOGIN, PASSWORD, FlexNetStandIn, FlexNetSwitches
from tests.unit.flexnet.bench import ROWS, Bench  # first: it sets Airflow up
from tests.unit.flexnet.walks import VendorWith


@pytest.fixture
def vendor_with(monkeypatch: pytest.MonkeyPatch) -> Iterator[VendorWith]:
    with ExitStack() as stack:

        def start(
            *faults: Fault, extra: dict[str, Any] | None = None, rows: int = 230, **switches: Any
        ) -> FlexNetStandIn:
            switches = {"rows_a_day": {"usage": rows}, **switches}
            clock = Clock(datetime(2026, 11, 22, 12, tzinfo=UTC))
            vendor = stack.enter_context(FlexNetStandIn(switches=FlexNetSwitches(**switches), clock=clock))
            vendor.faults.add(*faults)
            fields = {
                "conn_type": "flexnet",
                "host": vendor.url,
                "login": LOGIN,
                "password": PASSWORD,
                "extra": extra or {},
            }
            monkeypatch.setenv("AIRFLOW_CONN_FLEXNET_DEFAULT", json.dumps(fields))
            return vendor

        yield start


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Bench]]:
    monkeypatch.setenv("NIGHTSHIFT_LAKE", str(tmp_path / "lake"))
    with ExitStack() as stack:

        def make(*, switches: dict[str, Any] | None = None, **given: Any) -> Bench:
            vendor = stack.enter_context(
                FlexNetStandIn(switches=FlexNetSwitches(**{"rows_a_day": ROWS, **(switches or {})}))
            )
            return Bench(vendor, tmp_path / "lake", **given)

        yield make
