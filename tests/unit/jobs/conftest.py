from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.execution_api import FakeExecutionApi  # first: it sets Airflow up
from tests.unit.jobs.acme import Acme


@pytest.fixture
def vendor() -> Iterator[Acme]:
    with Acme() as one:
        yield one


@pytest.fixture
def api(vendor: Acme) -> FakeExecutionApi:
    return FakeExecutionApi(connections={"acme": {"conn_type": "http", "host": vendor.url}}, max_tries=2)
