from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.execution_api import FakeExecutionApi  # first: it sets Airflow up
from tests.unit.jobs.job_server import JobServer


@pytest.fixture
def vendor() -> Iterator[JobServer]:
    server = JobServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def api(vendor: JobServer) -> FakeExecutionApi:
    return FakeExecutionApi(connections={"acme": {"conn_type": "http", "host": vendor.url}}, max_tries=2)
