from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from include.standins.scripted import Scripted, scripted
from tests.unit.http.acme import AcmeHook, MakeHook


@pytest.fixture
async def vendor() -> AsyncIterator[Scripted]:
    async with scripted() as one:
        yield one


@pytest.fixture
async def other() -> AsyncIterator[Scripted]:
    async with scripted() as one:
        yield one


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch, vendor: Scripted) -> MakeHook:
    """Make a hook of a connection in the environment; hooks wait hundredths of a second instead of seconds."""

    def make(kind: type[AcmeHook] = AcmeHook, conn: dict[str, Any] | None = None, **overrides: Any) -> AcmeHook:
        given = {"conn_type": "acme", "host": vendor.url, "login": "ann", "password": "swordfish-97", **(conn or {})}
        monkeypatch.setenv("AIRFLOW_CONN_ACME_DEFAULT", json.dumps(given))
        hook = kind(**overrides)
        hook.backoff.first = 0.01
        return hook

    return make
