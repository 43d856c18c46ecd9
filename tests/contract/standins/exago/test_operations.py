"""The stand-in of Exago: who may call, sessions, errors, executions, schedules, batches."""

from __future__ import annotations

import base64
import csv
import hashlib
import hmac
import io
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import aiohttp
import pytest

from include.standins import Fault
from include.standins.exago import REST_KEY, USER_ID, ExagoStandIn, signature

PLAIN = {"Accept": "application/json", "Content-Type": "application/json"}
LOST = (500, {"reason": "setupD is null"})


def basic(text: str) -> dict[str, str]:
    return {**PLAIN, "Authorization": f"Basic {base64.b64encode(text.encode()).decode()}"}


KNOWN = basic(f"{USER_ID}:{REST_KEY}")


@pytest.fixture
async def vendor() -> AsyncIterator[ExagoStandIn]:
    async with ExagoStandIn() as running:
        yield running


async def ask(
    vendor: ExagoStandIn, method: str, path: str, body: Any = None, headers: Mapping[str, str] = KNOWN
) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body)
    async with (
        aiohttp.ClientSession(skip_auto_headers=["Content-Type", "Accept"]) as http,
        http.request(method, f"{vendor.url}/rest/{path}", data=data, headers=headers) as response,
    ):
        kind = response.content_type
        return response.status, await response.json() if kind == "application/json" else await response.text()


async def session(vendor: ExagoStandIn) -> str:
    status, made = await ask(vendor, "POST", "sessions")
    assert status == 201
    return str(made["Id"])


# Who calls.


async def test_basic(vendor: ExagoStandIn) -> None:
    assert (await ask(vendor, "POST", "sessions"))[0] == 201
    for text in (f"{USER_ID}:wrong", f"other:{REST_KEY}", ":"):
        assert await ask(vendor, "POST", "sessions", headers=basic(text)) == (500, {"reason": "Unauthorized"})
    assert await ask(vendor, "POST", "sessions", headers=PLAIN) == (500, {"reason": "Unauthorized"})
    status, body = await ask(vendor, "POST", "sessions", headers={**PLAIN, "Authorization": "Basic abc"})
    assert (status, "Base-64" in body["reason"]) == (500, True)
    vendor.turn(wrong_auth="unauthorized")
    assert (await ask(vendor, "POST", "sessions", headers=PLAIN))[0] == 401
    assert REST_KEY not in repr(vendor.ledger.requests())


async def test_blank_user_and_unsecured_configuration(vendor: ExagoStandIn) -> None:
    vendor.turn(user_id="")
    assert (await ask(vendor, "POST", "sessions", headers=basic(f":{REST_KEY}")))[0] == 201
    vendor.turn(secured=False)
    assert (await ask(vendor, "POST", "sessions", headers={**PLAIN, "Authorization": "Basic Og=="}))[0] == 201


def signed(method: str, path: str, **parts: str) -> dict[str, str]:
    given = {"content_type": PLAIN["Content-Type"], **parts}
    date = {"X-Exago-Date": given["date"]} if given.get("date") else {}
    return {**PLAIN, **date, "Authorization": f"ExagoKey {USER_ID}:{signature(REST_KEY, method, path, **given)}"}


async def test_signature_of_the_reference() -> None:
    text = "GET\n/ExagoWebApi/rest/reports/list\n0\napplication/json\n\ns1\nnow\n"
    by_hand = base64.b64encode(hmac.new(b"key", text.encode(), hashlib.sha256).digest()).decode()
    parts = {"length": "0", "content_type": "application/json", "sid": "s1", "date": "now"}
    assert signature("key", "GET", "/ExagoWebApi/rest/reports/list", **parts) == by_hand


async def test_exago_key(vendor: ExagoStandIn) -> None:
    path = "/ExagoWebApi/rest/sessions"
    for length in ("", "0"):
        assert (await ask(vendor, "POST", "sessions", headers=signed("POST", path, length=length)))[0] == 201
    for wrong in (
        signed("GET", path, length="0"),
        signed("POST", path + "x", length="0"),
        signed("POST", path, length="0", sid="x"),
    ):
        assert await ask(vendor, "POST", "sessions", headers=wrong) == (500, {"reason": "Unauthorized"})
    vendor.turn(auth_types=["basic"])
    assert (await ask(vendor, "POST", "sessions", headers=signed("POST", path, length="0")))[0] == 500


async def test_exago_key_signs_sid_body_and_encoded_path(vendor: ExagoStandIn) -> None:
    sid = await session(vendor)
    body = {"OldName": "Empty", "NewName": "Emptied"}
    path, length = "/ExagoWebApi/rest/folders/rename", str(len(json.dumps(body)))
    headers = signed("POST", path, length=length, sid=sid)
    assert (await ask(vendor, "POST", f"folders/rename?sid={sid}", body, headers))[0] == 200
    headers = signed("POST", path, length="1", sid=sid)
    assert (await ask(vendor, "POST", f"folders/rename?sid={sid}", body, headers))[0] == 500
    encoded, decoded = "/ExagoWebApi/rest/folders/A%20b", "/ExagoWebApi/rest/folders/A b"
    for path in (encoded, decoded):
        assert (await ask(vendor, "POST", f"folders/A%20b?sid={sid}", headers=signed("POST", path, sid=sid)))[0] == 200


async def test_age_of_a_signed_date(vendor: ExagoStandIn) -> None:
    now = datetime(2026, 11, 22, 3, tzinfo=UTC)
    vendor.clock.fix(now)
    for date in (format_datetime(now, usegmt=True), now.isoformat()):
        vendor.clock.fix(now)
        headers = signed("POST", "/ExagoWebApi/rest/sessions", date=date)
        vendor.clock.advance(15 * 60)
        assert (await ask(vendor, "POST", "sessions", headers=headers))[0] == 201
        vendor.clock.advance(1)
        assert (await ask(vendor, "POST", "sessions", headers=headers))[0] == 500
    assert (await ask(vendor, "POST", "sessions", headers=signed("POST", "/ExagoWebApi/rest/sessions", date="soon")))[
        0
    ] == 500


@pytest.mark.parametrize("name", ["Accept", "Content-Type"])
async def test_headers_are_required(vendor: ExagoStandIn, name: str) -> None:
    headers = {key: value for key, value in KNOWN.items() if key != name}
    status, body = await ask(vendor, "POST", "sessions", headers=headers)
    assert (status, name in body["reason"]) == (400, True)


async def test_session_id_is_in_no_entry_of_the_ledger(vendor: ExagoStandIn) -> None:
    sid = await session(vendor)
    for path in (
        f"reports/list?sid={sid}",
        f"reports/list?SID={sid}",
        f"Sessions/{sid}",
        f"sessions%2F{sid}",
        f"sessions/{sid}/x",
    ):
        await ask(vendor, "GET", path)
    assert len(vendor.ledger.requests()) == 6
    assert sid not in repr(vendor.ledger.requests()) + repr(vendor.ledger.effects())


# Sessions.


async def test_life_of_a_session(vendor: ExagoStandIn) -> None:
    async with (
        aiohttp.ClientSession(headers=KNOWN) as http,
        http.post(f"{vendor.url}/rest/sessions", data='{"wrApiAction": "Home"}') as response,
    ):
        made = await response.json()
        sid = made["Id"]
        assert (response.status, response.headers["Location"]) == (201, f"{vendor.url}/rest/sessions/{sid}")
    assert made["AppUrl"].startswith("ExagoHome.aspx?d=")
    assert made["wrApiAction"] == "Home"
    assert (await ask(vendor, "GET", f"reports/list?sid={sid}"))[0] == 200
    assert await ask(vendor, "DELETE", f"sessions/{sid}") == (204, "")
    for method, path in (("GET", f"reports/list?sid={sid}"), ("DELETE", f"sessions/{sid}")):
        assert await ask(vendor, method, path) == LOST
    assert await ask(vendor, "GET", "reports/list") == LOST
    assert vendor.access.open_sessions() == 0
    ended = vendor.ledger.effects(kind="session_ended")
    assert [(one.key, one.detail) for one in ended] == [("1", {"how": "client"})]
    told = repr(vendor.ledger.requests()) + repr(vendor.ledger.effects())
    assert sid not in told
    assert "/sessions/***" in told


async def test_configurations(vendor: ExagoStandIn) -> None:
    assert (await ask(vendor, "POST", "sessions?config=WebReports"))[0] == 201
    unknown = (500, {"reason": "Unable to load configuration"})
    assert await ask(vendor, "POST", "sessions?config=webreports") == unknown
    vendor.turn(session_id_key="id")
    assert "Id" not in (await ask(vendor, "POST", "sessions"))[1]


async def test_session_ends_with_time(vendor: ExagoStandIn) -> None:
    vendor.turn(session_seconds=100)
    sid = await session(vendor)
    for _ in range(2):
        vendor.clock.advance(60)
        assert (await ask(vendor, "GET", f"reports/list?sid={sid}"))[0] == 200
    vendor.clock.advance(100)
    assert vendor.access.open_sessions() == 0
    assert vendor.ledger.effects(kind="session_ended")[0].detail == {"how": "time"}


async def test_session_ends_after_calls_and_by_a_fault(vendor: ExagoStandIn) -> None:
    vendor.turn(session_calls=2)
    sid = await session(vendor)
    assert [(await ask(vendor, "GET", f"reports/list?sid={sid}"))[0] for _ in range(4)] == [200, 200, 500, 500]
    vendor.turn(session_calls=None)
    sid = await session(vendor)
    vendor.faults.add(Fault(kind="session_dies", path="/list", after=1))
    assert [(await ask(vendor, "GET", f"reports/list?sid={sid}"))[0] for _ in range(3)] == [200, 500, 500]
    assert [one.detail["how"] for one in vendor.ledger.effects(kind="session_ended")] == ["calls", "fault"]


# Errors.


@pytest.mark.parametrize(("shape", "expected"), [("json", {"reason": "setupD is null"}), ("text", "setupD is null")])
async def test_shapes_of_errors(vendor: ExagoStandIn, shape: str, expected: Any) -> None:
    vendor.turn(error_body=shape)
    assert await ask(vendor, "GET", "reports/list?sid=none") == (500, expected)


async def test_html(vendor: ExagoStandIn) -> None:
    vendor.turn(error_body="html")
    assert "<h1>setupD is null" in (await ask(vendor, "GET", "reports/list?sid=none"))[1]
    vendor.turn(error_body="json")
    status, body = await ask(vendor, "GET", "raports/list")
    assert (status, "<html>" in body) == (500, True)
    vendor.turn(rest_enabled=False)
    status, body = await ask(vendor, "POST", "sessions")
    assert (status, "<html>" in body) == (500, True)


async def test_wrong_method_and_wrong_path(vendor: ExagoStandIn) -> None:
    assert (await ask(vendor, "PUT", "sessions"))[0] == 400
    assert (await ask(vendor, "GET", "raports/list"))[0] == 500


# Executions.


async def run(vendor: ExagoStandIn, kind: str, **body: Any) -> tuple[int, Any]:
    sid = await session(vendor)
    return await ask(vendor, "POST", f"Reports/Execute/{kind}?sid={sid}", body)


async def test_csv_and_json_agree(vendor: ExagoStandIn) -> None:
    vendor.turn(report_rows={"Sales/Live/Daily": 30})
    status, answer = await run(vendor, "csv", ReportPath="Sales\\Live\\Daily", DataType="Data")
    assert status == 200
    assert list(answer) == ["ReportPath", "ExportType", "DataType", "ExecuteData", "IsError", "ErrorList"]
    assert (answer["ReportPath"], answer["ExportType"], answer["IsError"]) == ("Sales/Live/Daily", "csv", False)
    lines = list(csv.DictReader(io.StringIO(answer["ExecuteData"], newline="")))
    _, answer = await run(vendor, "JSON", ReportPath="Sales\\Live\\Daily")
    rows = json.loads(answer["ExecuteData"])
    assert [line["Customer"] for line in lines] == [row["Customer"] for row in rows]
    assert len(rows) == 30
    vendor.turn(json_result="value")
    assert (await run(vendor, "json", ReportPath="Sales\\Live\\Daily"))[1]["ExecuteData"] == rows
    executed = vendor.ledger.effects(kind="report_executed")
    assert [one.detail["type"] for one in executed] == ["csv", "json", "json"]


async def test_filters_and_sorts(vendor: ExagoStandIn) -> None:
    async def rows(operator: int, values: list[str], column: str = "Region") -> list[Any]:
        body = {
            "ReportPath": "Sales\\Daily",
            "Filters": [
                {"FilterText": f"Orders.{column}", "DataType": "string", "Operator": operator, "Values": values}
            ],
            "Sorts": [{"EntityName": "Orders", "ColumnName": "Id", "AscendingFlag": False}],
        }
        _, answer = await run(vendor, "json", **body)
        assert not answer["IsError"], answer["ErrorList"]
        found: list[Any] = json.loads(answer["ExecuteData"])
        assert [row["OrderId"] for row in found] == sorted((row["OrderId"] for row in found), reverse=True)
        return found

    assert {row["Region"] for row in await rows(14, ["EU", "US"])} == {"EU", "US"}
    assert {row["Region"] for row in await rows(15, ["EU", "US"])} == {"APAC", "LATAM"}
    assert {row["Region"] for row in await rows(0, ["EU"])} == {"EU"}
    assert [row["OrderId"] for row in await rows(12, ["9", "11"], "OrderId")] == [11, 10, 9]


@pytest.mark.parametrize(
    "one",
    [
        {"FilterText": "Orders.None", "Operator": 0, "Values": ["1"]},
        {"FilterText": "Orders.Region", "Operator": 99, "Values": ["1"]},
        {"FilterText": "Orders.OrderId", "Operator": 12, "Values": ["1"]},
    ],
)
async def test_filters_that_make_a_report_fail(vendor: ExagoStandIn, one: Mapping[str, Any]) -> None:
    status, answer = await run(vendor, "json", ReportPath="Sales\\Daily", Filters=[one])
    assert (status, answer["IsError"], len(answer["ErrorList"])) == (200, True, 1)


async def test_operator_has_to_be_a_number(vendor: ExagoStandIn) -> None:
    filters = [{"FilterText": "Orders.Region", "Operator": "OneOf", "Values": ["EU"]}]
    assert (await run(vendor, "json", ReportPath="Sales\\Daily", Filters=filters))[0] == 500


async def test_failure_comes_with_200(vendor: ExagoStandIn) -> None:
    vendor.turn(failing_reports={"Sales/Daily": "The database is asleep."})
    status, answer = await run(vendor, "csv", ReportPath="Sales\\Daily")
    assert (status, answer["IsError"], answer["ErrorList"]) == (200, True, ["The database is asleep."])
    assert answer["ExecuteData"] is None
    vendor.faults.add(Fault(kind="report_fails", path="Execute", detail={"errors": ["a", "b"]}))
    assert (await run(vendor, "csv", ReportPath="Sales\\Live\\Daily"))[1]["ErrorList"] == ["a", "b"]
    assert [one.detail["error"] for one in vendor.ledger.effects(kind="report_executed")] == [True, True]


async def test_reports_that_are_not_there_or_cannot_run(vendor: ExagoStandIn) -> None:
    for path in ("Sales\\None", "Sales\\Candidate\\Board", "R&D + Café #2 (50 %)\\東京 ナイト\\Σ costs"):
        status, answer = await run(vendor, "json", ReportPath=path)
        assert (status, answer["IsError"]) == (200, True)
    liquidity = "Asset Reports\\Financial Holdings\\Liquidity Report"
    assert not (await run(vendor, "json", ReportPath=liquidity))[1]["IsError"]
    assert (await run(vendor, "yaml", ReportPath="Sales\\Daily"))[0] == 500


async def test_exactly_one_of_id_and_path(vendor: ExagoStandIn) -> None:
    vendor.turn(version="2021.1")
    sid = await session(vendor)
    _, tree = await ask(vendor, "GET", f"reports/list?sid={sid}")
    sales = next(node for node in tree["Entity"] if node["name"] == "Sales")
    daily = next(node for node in sales["Entity"] if node["name"] == "Daily")["content_id"]
    assert (await run(vendor, "json", Id=daily))[1]["ReportPath"] == "Sales/Daily"
    assert (await run(vendor, "json", Id=daily, ReportPath="Sales/Daily"))[0] == 400
    assert (await run(vendor, "json"))[0] == 400
    vendor.turn(version="2020.1")
    assert (await run(vendor, "json", Id=daily))[0] == 400


async def test_same_seed_same_rows() -> None:
    async def answer(seed: int) -> Any:
        async with ExagoStandIn(seed=seed) as vendor:
            return (await run(vendor, "csv", ReportPath="Sales\\Daily"))[1]["ExecuteData"]

    assert await answer(7) == await answer(7)
    assert await answer(7) != await answer(8)
