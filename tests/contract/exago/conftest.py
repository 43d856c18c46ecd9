from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from include.standins.exago import REST_KEY, USER_ID, ExagoStandIn, ExagoSwitches
from tests.execution_api import FakeExecutionApi

Start = Callable[..., ExagoStandIn]


@pytest.fixture
def vendor_with(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start a stand-in with these switches, and lead the connection ``exago_default`` to it."""
    with ExitStack() as stack:

        def start(*, extra: dict[str, Any] | None = None, **switches: Any) -> ExagoStandIn:
            vendor = stack.enter_context(ExagoStandIn(switches=ExagoSwitches(**switches)))
            given = {"conn_type": "exago", "host": vendor.url, "login": USER_ID, "password": REST_KEY}
            monkeypatch.setenv("AIRFLOW_CONN_EXAGO_DEFAULT", json.dumps({**given, "extra": extra or {}}))
            return vendor

        yield start


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NIGHTSHIFT_LAKE", str(tmp_path / "lake"))
    return tmp_path / "lake"


@pytest.fixture
def api(lake: Path) -> FakeExecutionApi:
    return FakeExecutionApi(max_tries=5)
