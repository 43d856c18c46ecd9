from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from include.standins.smtp import LOGIN, PASSWORD, SmtpStandIn
from include.standins.webhooks import BEARER, ROUTING_KEY, WebHooksStandIn

Connect = Callable[..., str]


@pytest.fixture
def hooks() -> Iterator[WebHooksStandIn]:
    with WebHooksStandIn() as standin:
        yield standin


@pytest.fixture
def smtp() -> Iterator[SmtpStandIn]:
    with SmtpStandIn(refuse=frozenset({"gone@example.com"})) as standin:
        yield standin


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Make a connection in the environment, and return its id."""

    def make(name: str, **given: Any) -> str:
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps({"conn_type": "http", **given}))
        return name

    return make


@pytest.fixture
def connected(connect: Connect, hooks: WebHooksStandIn) -> WebHooksStandIn:
    """All four receivers, as a person would connect them."""
    connect("teams_nights", password=hooks.teams_url)
    connect("chat_nights", password=hooks.chat_url)
    connect("pagerduty_nights", host=hooks.url, password=ROUTING_KEY)
    connect("receiver", host=f"{hooks.url}/receiver", password=BEARER)
    return hooks


@pytest.fixture
def mailbox(connect: Connect, smtp: SmtpStandIn) -> SmtpStandIn:
    extra = {"from_email": LOGIN, "disable_ssl": True, "disable_tls": True, "retry_limit": 0, "timeout": 5}
    connect(
        "smtp_default", conn_type="smtp", host="127.0.0.1", port=smtp.port, login=LOGIN, password=PASSWORD, extra=extra
    )
    return smtp
