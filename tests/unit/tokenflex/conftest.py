from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.execution_api import FakeExecutionApi  # first: it sets Airflow up
from tests.unit.tokenflex.records import at_once
from tests.unit.tokenflex.sign_in import SignInVendor
from tests.unit.tokenflex.vendor import TOKEN, Vendor


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with Vendor() as one:
        yield one


@pytest.fixture
def connection(vendor: Vendor) -> dict[str, str]:
    extra = {"auth": "bearer", "token": TOKEN, "requests_per_minute": 6000}
    return {
        "conn_type": "tokenflex",
        "host": vendor.url,
        "login": "client-id",
        "password": "client-secret-815",
        "extra": json.dumps(extra),
    }


@pytest.fixture
def hook_connection(monkeypatch: pytest.MonkeyPatch, connection: dict[str, str]) -> None:
    monkeypatch.setenv(
        "AIRFLOW_CONN_TOKENFLEX_DEFAULT", json.dumps({**connection, "extra": json.loads(connection["extra"])})
    )


@pytest.fixture
def api(connection: dict[str, str]) -> FakeExecutionApi:
    return FakeExecutionApi(connections={"tokenflex_default": connection}, max_tries=3)


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NIGHTSHIFT_LAKE", str(tmp_path / "lake"))
    return tmp_path / "lake"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[SignInVendor]:
    at_once(monkeypatch.setattr)
    with SignInVendor() as one:
        yield one


@pytest.fixture(autouse=True)
def no_held_tokens() -> Iterator[None]:
    from nightshift.tokenflex import auth

    auth.forget()
    yield
    auth.forget()
