from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pytest

from include.standins import Clock
from include.standins.flexnet import LOGIN, PASSWORD, FlexNetStandIn, FlexNetSwitches

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SMALL = {"account": 45, "entitlement": 30, "usage": 230, "files": 0, "user": 20}


@pytest.fixture
def vendor_with(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., FlexNetStandIn]]:
    """Start a stand-in with these switches, and lead the connection ``flexnet_default`` to it."""
    with ExitStack() as stack:

        def start(*, connection: dict[str, Any] | None = None, **switches: Any) -> FlexNetStandIn:
            switches.setdefault("rows_a_day", SMALL)
            vendor = stack.enter_context(FlexNetStandIn(switches=FlexNetSwitches(**switches), clock=Clock(NOON)))
            connect(monkeypatch, vendor, **(connection or {}))
            return vendor

        yield start


def connect(monkeypatch: pytest.MonkeyPatch, vendor: FlexNetStandIn, **fields: Any) -> None:
    given = {"conn_type": "flexnet", "host": vendor.url, "login": LOGIN, "password": PASSWORD, **fields}
    monkeypatch.setenv("AIRFLOW_CONN_FLEXNET_DEFAULT", json.dumps(given))
