"""The stand-in of Camunda Optimize: who may call, how errors look, and all operations but the export."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from include.standins.camunda_optimize import (
    ASSIGNEES,
    COLLECTION,
    COMBINED,
    DASHBOARD,
    INVOICES,
    MONTHS,
    TOKEN,
    TOTAL,
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


async def test_forms_by_switch(vendor: CamundaOptimizeStandIn) -> None:
    vendor.turn(auth_forms=["query"])
    assert (await ask(vendor, "GET", ONE_PAGE))[0] == 401
    assert (await ask(vendor, "GET", f"{ONE_PAGE}&access_token={TOKEN}", headers={}))[0] == 200


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
    status, found, headers = await ask(vendor, "DELETE", "/api/public/report/none")
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
    assert (await ask(vendor, "GET", f"/api/public/dashboard?collectionId={COLLECTION}"))[1] == [{"id": DASHBOARD}]
    for what in ("report", "dashboard"):
        assert (await ask(vendor, "GET", f"/api/public/{what}"))[0] == 400
        assert (await ask(vendor, "GET", f"/api/public/{what}?collectionId=none"))[:2] == (200, [])
    vendor.turn(unknown_collection=404)
    assert (await ask(vendor, "GET", "/api/public/report?collectionId=none"))[0] == 404


async def test_definitions(vendor: CamundaOptimizeStandIn) -> None:
    path = "/api/public/export/report/definition/json"
    status, found, _ = await ask(vendor, "POST", path, [COMBINED])
    assert status == 200
    assert [one["id"] for one in found] == [COMBINED, MONTHS, ASSIGNEES]
    assert (await ask(vendor, "POST", path, [INVOICES, "none"]))[0] == 404
    assert (await ask(vendor, "POST", path, {"ids": []}))[0] == 400
    assert (await ask(vendor, "POST", path, []))[:2] == (200, [])
    vendor.turn(definitions_status=204)
    assert (await ask(vendor, "POST", path, [INVOICES]))[:2] == (204, "")


async def test_definitions_of_a_dashboard_hold_its_reports(vendor: CamundaOptimizeStandIn) -> None:
    _, found, _ = await ask(vendor, "POST", "/api/public/export/dashboard/definition/json", [DASHBOARD])
    assert [one["id"] for one in found] == [DASHBOARD, INVOICES, MONTHS, TOTAL]


async def test_import_of_what_was_exported(vendor: CamundaOptimizeStandIn) -> None:
    _, exported, _ = await ask(vendor, "POST", "/api/public/export/dashboard/definition/json", [DASHBOARD])
    path = f"/api/public/import?collectionId={COLLECTION}"
    status, made, _ = await ask(vendor, "POST", path, exported)
    assert status == 200
    assert [one["entityType"] for one in made] == ["dashboard", "report", "report", "report"]
    _, again, _ = await ask(vendor, "POST", "/api/public/export/dashboard/definition/json", [made[0]["id"]])
    assert [one["name"] for one in again] == [one["name"] for one in exported]
    assert {one["id"] for one in again} == {one["id"] for one in made}
    assert len(vendor.ledger.effects(kind="entity_imported")) == 4
    assert (await ask(vendor, "POST", "/api/public/import?collectionId=none", exported))[0] == 404


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"sourceIndexVersion": 7}, 400),
        ({"exportEntityType": "process"}, 400),
        ({"data": {"processDefinitionKey": "unknown"}}, 404),
    ],
)
async def test_import_is_all_or_nothing(vendor: CamundaOptimizeStandIn, change: Mapping[str, Any], status: int) -> None:
    _, exported, _ = await ask(vendor, "POST", "/api/public/export/report/definition/json", [INVOICES, MONTHS])
    exported[1].update(change)
    assert (await ask(vendor, "POST", "/api/public/import", exported))[0] == status
    assert not vendor.ledger.effects()


async def test_deleting_a_report_takes_it_out_everywhere(vendor: CamundaOptimizeStandIn) -> None:
    for report in (TOTAL, MONTHS):
        assert (await ask(vendor, "DELETE", f"/api/public/report/{report}"))[:2] == (204, "")
        assert (await ask(vendor, "DELETE", f"/api/public/report/{report}"))[0] == 404
    assert [one.detail["alerts"] for one in vendor.ledger.effects(kind="report_deleted")] == [2, 0]
    assert vendor.catalog.dashboards[DASHBOARD].reports == (INVOICES,)
    assert vendor.catalog.reports[COMBINED].parts == (ASSIGNEES,)
    export = f"/api/public/export/report/{TOTAL}/result/json?limit=1&paginationTimeout=60"
    assert (await ask(vendor, "GET", export))[0] == 404


async def test_deleting_a_dashboard_leaves_its_reports(vendor: CamundaOptimizeStandIn) -> None:
    assert (await ask(vendor, "DELETE", f"/api/public/dashboard/{DASHBOARD}"))[0] == 204
    assert (await ask(vendor, "DELETE", f"/api/public/dashboard/{DASHBOARD}"))[0] == 404
    assert (await ask(vendor, "GET", ONE_PAGE))[0] == 200


async def test_sharing_and_labels(vendor: CamundaOptimizeStandIn) -> None:
    assert (await ask(vendor, "POST", "/api/public/share/disable"))[0] == 204
    assert vendor.catalog.sharing is False
    assert (await ask(vendor, "POST", "/api/public/share/enable"))[0] == 204
    assert vendor.catalog.sharing is True
    labels = {
        "definitionKey": "invoice",
        "labels": [{"variableName": "amount", "variableType": "Double", "variableLabel": "Σ"}],
    }
    assert (await ask(vendor, "POST", "/api/public/variables/labels", labels))[0] == 204
    assert (await ask(vendor, "POST", "/api/public/variables/labels", {"labels": []}))[0] == 400
    assert [one.kind for one in vendor.ledger.effects()] == [
        "sharing_disabled",
        "sharing_enabled",
        "variables_labelled",
    ]


def event(name: str, **changes: Any) -> dict[str, Any]:
    return {"specversion": "1.0", "id": name, "source": "shop", "type": "order", "traceid": "t1"} | changes


async def test_events(vendor: CamundaOptimizeStandIn) -> None:
    path = "/api/ingestion/event/batch"
    assert (await ask(vendor, "POST", path, [event("1"), event("2")]))[0] == 204
    assert (await ask(vendor, "POST", path, [event("2", source="new")]))[0] == 204
    assert {name: one["source"] for name, one in vendor.ingestion.events.items()} == {"1": "shop", "2": "new"}
    for broken in (event("3", traceid=None), event("3", specversion="0.3"), {}):
        assert (await ask(vendor, "POST", path, [event("4"), broken]))[0] == 400
    assert "4" not in vendor.ingestion.events
    vendor.turn(ingestion_enabled=False)
    assert (await ask(vendor, "POST", path, [event("5")]))[0] == 403


async def test_events_are_limited(vendor: CamundaOptimizeStandIn) -> None:
    vendor.clock.fix(datetime(2026, 11, 22, tzinfo=UTC))
    vendor.turn(ingestion_a_minute=2)
    path = "/api/ingestion/event/batch"
    for _ in range(2):
        assert (await ask(vendor, "POST", path, [event("1")]))[0] == 204
    vendor.clock.advance(20)
    status, _, headers = await ask(vendor, "POST", path, [event("1")])
    assert (status, headers["Retry-After"]) == (429, "40")
    vendor.clock.advance(40)
    assert (await ask(vendor, "POST", path, [event("1")]))[0] == 204


async def test_variables(vendor: CamundaOptimizeStandIn) -> None:
    one = {
        "id": "7",
        "name": "amount",
        "type": "Double",
        "value": None,
        "processInstanceId": "i",
        "processDefinitionKey": "k",
    }
    assert (await ask(vendor, "POST", "/api/ingestion/variable", [one]))[0] == 204
    assert (await ask(vendor, "POST", "/api/ingestion/variable", [{**one, "name": ""}]))[0] == 400
    assert (await ask(vendor, "POST", "/api/ingestion/variable", [one], headers={}))[0] == 401
    assert len(vendor.ingestion.variables) == 1
