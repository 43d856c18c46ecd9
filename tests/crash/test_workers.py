from __future__ import annotations

import sys

from tests.crash.workers import LONG, start


def look() -> None:
    assert "tests.crash.warm" in sys.modules


def test_the_server_of_workers_is_warm() -> None:
    """``multiprocessing`` is silent about a preload that cannot be imported, and each worker then imports Airflow anew."""
    process = start(look)
    process.join(LONG)
    assert process.exitcode == 0
