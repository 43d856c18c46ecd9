"""A vendor that quotes a request in its error, header, body and link, plain, packed or cut: no piece of a secret
gets into a message or a log line, whatever the status."""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from include.standins.exago.switches import USER_ID
from nightshift.errors import VendorError
from nightshift.http.hook import VendorHook
from nightshift.sources import VENDORS
from tests.canaries.search import Search, canary
from tests.canaries.vendors import WAYS, Camunda, Ear, Exago, FlexDeploy, FlexNet, Listening, TokenFlex

STATUSES = (400, 401, 403, 404, 409, 429, 500, 503)
PATHS = {
    "flexnet": "/data/api/v1/report/report-names",
    "tokenflex": "/tokenflex/v1/contract",
    "camunda_optimize": "/api/public/report?collectionId=any",
    "exago": "/rest/reports/list",
    "flexdeploy": "/rest/v1/projects",
}


def _secrets() -> dict[str, dict[str, Any]]:
    """Return vendor → connection, with canaries for all that is secret of it."""
    marked, plain = (lambda: canary()), (lambda: canary(marked=False))
    return {
        "flexnet": {"login": "nightshift", "password": marked(), "extra": {"headers": {"X-Gateway-Key": plain()}}},
        "tokenflex": {"extra": {"auth": "bearer", "token": plain(), "requests_per_minute": 60000}},
        "camunda_optimize": {"password": plain()},
        "exago": {"login": USER_ID, "password": marked()},
        "flexdeploy": {
            "login": "nightshift",
            "password": marked(),
            "extra": {"headers": {"Cookie": f"route={plain()}"}},
        },
    }


def _texts(value: Any) -> Iterator[str]:
    for name, one in value.items():
        if isinstance(one, dict):
            yield from _texts(one)
        elif isinstance(one, str) and name not in ("login", "auth", "conn_type", "host"):
            yield one.removeprefix("route=")


KINDS: dict[str, Callable[..., Listening]] = {
    "flexnet": FlexNet,
    "tokenflex": TokenFlex,
    "camunda_optimize": Camunda,
    "exago": Exago,
    "flexdeploy": FlexDeploy,
}


def _hook(vendor: str) -> VendorHook:
    module, _, name = VENDORS[vendor].named(VENDORS[vendor].hook).rpartition(".")
    hook: VendorHook = getattr(importlib.import_module(module), name)(VENDORS[vendor].default_connection, attempts=1)
    return hook


async def _asked(vendor: str) -> str:
    """Ask once; return all that a person could read of how it went."""
    try:
        async with _hook(vendor) as hook:
            await hook.request("GET", PATHS[vendor])
    except VendorError as error:
        return "\n".join([str(error), repr(error), str(error.detail), str(error.__cause__), str(error.__context__)])
    return "it went well"


@pytest.mark.parametrize("vendor", sorted(KINDS))
def test_no_piece_of_a_secret_comes_back(
    vendor: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fields = _secrets()[vendor]
    ear = Ear()
    caplog.set_level(logging.DEBUG)
    with KINDS[vendor](ear) as standin:  # type: ignore[attr-defined]
        connection = {"conn_type": vendor, "host": standin.url, **fields}
        monkeypatch.setenv(f"AIRFLOW_CONN_{VENDORS[vendor].default_connection.upper()}", json.dumps(connection))
        told = []
        for status in STATUSES:
            for way in range(len(WAYS)):
                standin.statuses, standin.quoted = [status] * 4, way
                said = asyncio.run(_asked(vendor))
                assert str(status) in said, said
                told.append((f"message of {status}, quoted by {WAYS[way].__name__.strip('_')}", said.encode()))
        standin.statuses = []
        told.append(("refused", asyncio.run(_asked(vendor)).encode()))
    told += [(f"log of {record.name}", record.getMessage().encode()) for record in caplog.records]
    canaries = [("a canary", text) for text in _texts(fields)]
    wanted = [*canaries, *((what, value) for value, what in ear.heard.items())]
    assert len(wanted) > len(canaries), "the vendor has heard them"
    assert [str(one) for one in Search(wanted).look(told)] == []
