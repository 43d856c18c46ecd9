from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from include.standins.tokenflex import BEARER, RateLimit, TokenFlexStandIn, TokenFlexSwitches
from tests.execution_api import FakeExecutionApi

CONTRACT = "110000917988"


@pytest.fixture
def vendor_with(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., TokenFlexStandIn]]:
    """Start a stand-in with these switches, and lead the connection ``tokenflex_default`` to it."""
    with ExitStack() as stack:

        def start(**switches: Any) -> TokenFlexStandIn:
            quick = {
                "processing_seconds": 0.2,
                "rate_limit": RateLimit.OFF,
                "query_seconds": 0.1,
                "query_queued_seconds": 0.05,
            }
            vendor = stack.enter_context(TokenFlexStandIn(switches=TokenFlexSwitches(**{**quick, **switches})))
            monkeypatch.setenv("AIRFLOW_CONN_TOKENFLEX_DEFAULT", json.dumps(connection(vendor)))
            return vendor

        yield start


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NIGHTSHIFT_LAKE", str(tmp_path / "lake"))
    return tmp_path / "lake"


def connection(vendor: TokenFlexStandIn, auth: str = "bearer", **fields: str) -> dict[str, Any]:
    extra = {"auth": auth, "token": BEARER, "requests_per_minute": 6000}
    return {"conn_type": "tokenflex", "host": vendor.url, "extra": extra, **fields}


def airflow(vendor: TokenFlexStandIn, **fields: str) -> FakeExecutionApi:
    given = connection(vendor, **fields)
    return FakeExecutionApi(
        connections={"tokenflex_default": {**given, "extra": json.dumps(given["extra"])}}, max_tries=3
    )
