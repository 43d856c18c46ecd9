from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.execution_api import FakeExecutionApi  # first: it sets Airflow up
from tests.unit.flexdeploy.deploy_server import DeployServer
from tests.unit.flexdeploy.deploy_tasks import connection


@pytest.fixture
def vendor() -> Iterator[DeployServer]:
    server = DeployServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch, vendor: DeployServer) -> Callable[..., None]:
    """Lead the connection ``flexdeploy_default`` of a hook to the server, with these extras."""

    def to(**extra: Any) -> None:
        given = connection(vendor.url, **extra)
        fields = {name: extra[name] for name in ("host", "login", "password") if name in extra}
        monkeypatch.setenv(
            "AIRFLOW_CONN_FLEXDEPLOY_DEFAULT", json.dumps({**given, "extra": json.loads(given["extra"]), **fields})
        )

    to()
    return to


@pytest.fixture
def api(vendor: DeployServer) -> FakeExecutionApi:
    return FakeExecutionApi(connections={"flexdeploy_default": connection(vendor.url)}, max_tries=2)
