from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.crash import workers


@pytest.fixture(autouse=True)
def no_worker_is_left() -> Iterator[None]:
    yield
    workers.end_all()
