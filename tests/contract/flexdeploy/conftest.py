from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from include.standins.flexdeploy import LOGIN, PASSWORD, FlexDeployStandIn, FlexDeploySwitches
from tests.execution_api import FakeExecutionApi

QUICK_SITE = {"ready_seconds": 0.02, "build_seconds": 0.05, "deploy_seconds": 0.05, "utility_seconds": 0.05}


@pytest.fixture
def vendor_with(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., FlexDeployStandIn]]:
    """Start a stand-in with these switches, and lead the connection ``flexdeploy_default`` of a hook to it."""
    with ExitStack() as stack:

        def start(**switches: Any) -> FlexDeployStandIn:
            vendor = stack.enter_context(FlexDeployStandIn(switches=FlexDeploySwitches(**{**QUICK_SITE, **switches})))
            connect(monkeypatch, vendor)
            return vendor

        yield start


def connection(vendor: FlexDeployStandIn, *, extra: dict[str, Any] | None = None, **fields: str) -> dict[str, Any]:
    given = {"conn_type": "flexdeploy", "host": vendor.url, "login": LOGIN, "password": PASSWORD, **fields}
    return {**given, "extra": extra or {}}


def connect(
    monkeypatch: pytest.MonkeyPatch, vendor: FlexDeployStandIn, extra: dict[str, Any] | None = None, **fields: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_FLEXDEPLOY_DEFAULT", json.dumps(connection(vendor, extra=extra, **fields)))


def airflow(run_id: str = "r") -> FakeExecutionApi:
    """Return an Airflow for one task; its connection is that of the environment."""
    return FakeExecutionApi(run_id=run_id, max_tries=2)
