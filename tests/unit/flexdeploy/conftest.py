from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.execution_api import FakeExecutionApi  # first: it sets Airflow up
from tests.unit.flexdeploy.deploy_tasks import connection
from tests.unit.flexdeploy.vendor import Vendor


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with Vendor() as one:
        yield one


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch, vendor: Vendor) -> Callable[..., None]:
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
def api(vendor: Vendor) -> FakeExecutionApi:
    return FakeExecutionApi(connections={"flexdeploy_default": connection(vendor.url)}, max_tries=2)
