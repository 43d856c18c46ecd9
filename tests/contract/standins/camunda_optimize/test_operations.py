"""The stand-in of Camunda Optimize: who may call, how errors look, and all operations but the export."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import pytest

from include.standins.camunda_optimize import (
    ASSIGNEES,
    COLLECTION,
    INVOICES,
    TOKEN,
    CamundaOptimizeStandIn,
)

ONE_PAGE = f"/api/public/export/report/{INVOICES}/result/json?limit=1&paginationTimeout=60"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
async def vendor() -> AsyncIterator[CamundaOptimizeStandIn]:
    async with CamundaOptimizeStandIn() as running:
        yield running


async def ask(
    vendor: CamundaOptimizeStandIn, method: str, path: str, body: Any = None, headers: Mapping[str, str] = BEARER
) -> tuple[int, Any, Mapping[str, str]]:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, vendor.url + path, json=body, headers=headers) as response,
    ):
        found = await response.json() if response.content_type == "application/json" else await response.text()
        return response.status, found, response.headers


@pytest.mark.parametrize(
    ("version", "bearer", "raw", "query"), [("3.7", 200, 200, 200), ("3.9", 200, 401, 401), ("3.10", 200, 401, 401)]
)
async def test_forms_of_the_token(
    vendor: CamundaOptimizeStandIn, version: str, bearer: int, raw: int, query: int
) -> None:
    vendor.turn(version=version)
    assert (await ask(vendor, "GET", ONE_PAGE))[0] == bearer
    assert (await ask(vendor, "GET", ONE_PAGE, headers={"Authorization": TOKEN}))[0] == raw
    assert (await ask(vendor, "GET", f"{ONE_PAGE}&access_token={TOKEN}", headers={}))[0] == query


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (ONE_PAGE, {}),
        (ONE_PAGE, {"Authorization": "Bearer wrong"}),
        (ONE_PAGE, {"Authorization": "Bearer "}),
        (f"{ONE_PAGE}&access_token=wrong", {}),
        (f"{ONE_PAGE}&access_token={TOKEN}", {"Authorization": "Bearer wrong"}),
    ],
)
async def test_wrong_or_no_secret(vendor: CamundaOptimizeStandIn, path: str, headers: Mapping[str, str]) -> None:
    status, body, _ = await ask(vendor, "GET", path, headers=headers)
    assert (status, body["detailedMessage"]) == (401, "Invalid or no secret provided.")


async def test_no_secret_is_configured(vendor: CamundaOptimizeStandIn) -> None:
    vendor.turn(secret=None)
    for headers in (BEARER, {"Authorization": "null"}, {}):
        assert (await ask(vendor, "GET", ONE_PAGE, headers=headers))[0] == 401


async def test_jwt_from_3_10_on(vendor: CamundaOptimizeStandIn) -> None:
    vendor.turn(jwts=["e30.e30.sig"])
    headers = {"Authorization": "Bearer e30.e30.sig"}
    assert (await ask(vendor, "GET", ONE_PAGE, headers=headers))[0] == 401
    vendor.turn(version="3.10")
    assert (await ask(vendor, "GET", ONE_PAGE, headers=headers))[0] == 200
    assert vendor.ledger.requests(user="jwt")


async def test_ledger_keeps_no_token(vendor: CamundaOptimizeStandIn) -> None:
    await ask(vendor, "GET", f"{ONE_PAGE}&access_token={TOKEN}", headers={})
    await ask(vendor, "GET", ONE_PAGE)
    assert TOKEN not in repr(vendor.ledger.requests()) + repr(vendor.ledger.effects())
    assert all(request.credential for request in vendor.ledger.requests())


@pytest.mark.parametrize(
    ("shape", "kind", "body"),
    [("text", "text/plain", "404|not exist"), ("html", "text/html", "<h1>404"), ("empty", "", "^$")],
)
async def test_shapes_of_errors(vendor: CamundaOptimizeStandIn, shape: str, kind: str, body: str) -> None:
    vendor.turn(error_body=shape)
    status, found, headers = await ask(vendor, "GET", ONE_PAGE.replace(INVOICES, "none"))
    assert status == 404
    assert headers.get("Content-Type", "").startswith(kind)
    assert re.search(body, found)


async def test_path_that_is_not_there(vendor: CamundaOptimizeStandIn) -> None:
    assert (await ask(vendor, "GET", f"/api/export/report/{INVOICES}/result/json?limit=1&paginationTimeout=60"))[
        0
    ] == 404
    assert (await ask(vendor, "POST", ONE_PAGE))[0] == 405


async def test_readiness(vendor: CamundaOptimizeStandIn) -> None:
    assert (await ask(vendor, "GET", "/api/readyz", headers={}))[:2] == (200, "")
    assert (await ask(vendor, "GET", "/api/readyz"))[0] == 401
    vendor.turn(ready=False)
    assert (await ask(vendor, "GET", "/api/readyz", headers={}))[:2] == (503, "")


async def test_under_a_context_path() -> None:
    class UnderPath(CamundaOptimizeStandIn):
        root = "/optimize"

    async with UnderPath() as vendor:
        assert vendor.url.endswith("/optimize")
        assert (await ask(vendor, "GET", ONE_PAGE))[0] == 200


async def test_ids_of_a_collection(vendor: CamundaOptimizeStandIn) -> None:
    status, found, _ = await ask(vendor, "GET", f"/api/public/report?collectionId={COLLECTION}")
    assert status == 200
    assert {"id": INVOICES} in found
    assert {"id": ASSIGNEES} not in found
    assert (await ask(vendor, "GET", "/api/public/report"))[0] == 400
    assert (await ask(vendor, "GET", "/api/public/report?collectionId=none"))[:2] == (200, [])
