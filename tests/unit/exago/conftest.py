from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from include.standins.exago import REST_KEY, USER_ID
from tests.execution_api import FakeExecutionApi  # first: it sets Airflow up
from tests.unit.exago.vendor import Vendor


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Vendor]:
    with Vendor() as vendor:
        monkeypatch.setenv("AIRFLOW_CONN_EXAGO_DEFAULT", json.dumps(fields(vendor)))
        yield vendor


@pytest.fixture
def connect(server: Vendor, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Change the connection: its fields, or by ``extra`` its extras."""

    def change(*, extra: dict[str, Any] | None = None, **given: Any) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_EXAGO_DEFAULT", json.dumps({**fields(server), **given, "extra": extra or {}}))

    return change


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NIGHTSHIFT_LAKE", str(tmp_path / "lake"))
    return tmp_path / "lake"


@pytest.fixture
def api(server: Vendor, lake: Path) -> FakeExecutionApi:
    return api_of(server)


def fields(vendor: Vendor) -> dict[str, Any]:
    return {"conn_type": "exago", "host": vendor.url, "login": USER_ID, "password": REST_KEY}


def api_of(vendor: Vendor, **more: Any) -> FakeExecutionApi:
    return FakeExecutionApi(connections={"exago_default": fields(vendor)}, max_tries=5, **more)
