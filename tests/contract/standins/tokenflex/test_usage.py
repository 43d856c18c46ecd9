"""Contracts, totals, ad-hoc queries and the process of the Token Flex stand-in."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from include.standins import Clock
from include.standins.tokenflex import BEARER, CLIENTS, RateLimit, TokenFlexStandIn, TokenFlexSwitches, vendor_fault
from tests.contract.standins.client import ask
from tests.contract.standins.tokenflex.client import CONTRACT, DAILY, SESSIONS, Caller

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
QUERY = {name: value for name, value in DAILY.items() if name != "downloadFileName"}


@pytest.fixture
def caller_with() -> Iterator[Callable[..., Caller]]:
    """Start stand-ins whose clock stands at noon of 2026-11-22 and that have no rate limit."""
    started: list[TokenFlexStandIn] = []

    def start(**switches: Any) -> Caller:
        turned = TokenFlexSwitches(**{"rate_limit": RateLimit.OFF, "rows_per_day": 24, "users": 10, **switches})
        started.append(TokenFlexStandIn(clock=Clock(NOON), switches=turned).__enter__())
        return Caller(started[-1])

    yield start
    for vendor in started:
        vendor.__exit__(None, None, None)


@pytest.fixture
def caller(caller_with: Callable[..., Caller]) -> Caller:
    return caller_with()


class TestContracts:
    def test_the_list_and_one_contract(self, caller: Caller) -> None:
        listed = caller.call("GET", "/contract").json
        assert {name for one in listed for name in one} == {
            "contractName",
            "contractNumber",
            "contractStartDate",
            "contractEndDate",
            "isActive",
        }
        assert [(one["contractNumber"], one["isActive"]) for one in listed] == [
            (CONTRACT, True),
            ("110000411502", False),
        ]
        detailed = caller.call("GET", f"/contract/{CONTRACT}").json
        years = detailed["contractYears"]
        assert [year["year"] for year in years] == list(range(1, 15))
        assert (years[0]["startDate"], years[-1]["endDate"]) == ("2016-02-01", "2030-01-31")
        assert all(year["consumedTokens"] + year["remainingTokens"] == year["provisionedTokens"] for year in years)

    def test_categories_and_values(self, caller: Caller) -> None:
        names = caller.call("GET", f"/contract/{CONTRACT}/enrichment").json
        assert len(names) == 10
        assert "" in names
        assert len(set(filter(None, names))) < len(list(filter(None, names)))
        values = caller.call("GET", f"/contract/{CONTRACT}/enrichment/Geo").json
        assert values == ["AMER", "APAC", "EMEA"]
        assert caller.call("GET", f"/contract/{CONTRACT}/enrichment/customField1").json == values
        assert caller.call("GET", f"/contract/{CONTRACT}/enrichment/Planet").status == 400

    def test_values_of_a_field(self, caller: Caller) -> None:
        everything = caller.call("GET", f"/contract/{CONTRACT}/productName").json
        cloud = caller.call("GET", f"/contract/{CONTRACT}/productName", usageCategory="CLOUD_PRODUCT").json
        assert "Revit" in everything
        assert set(cloud) < set(everything)
        assert "Revit" not in cloud
        assert caller.call("GET", f"/contract/{CONTRACT}/productVersion").status == 400
        assert caller.call("GET", f"/contract/{CONTRACT}/userName", usageCategory="CLOUD").status == 400


class TestTotals:
    def test_last_leaves_out_what_there_is_not(self, caller: Caller) -> None:
        items = caller.call("GET", f"/usage/{CONTRACT}/last").json
        last = {(one["usageCategory"], one["chargeCategory"]): one["lastUsageDate"] for one in items}
        assert last["DESKTOP_PRODUCT", "CHARGED"] == "2026-11-21"
        assert ("CLOUD_SERVICE", "N/A") in last
        assert ("CLOUD_SERVICE", "CHARGED") not in last
        assert {one["lastProcessDate"] for one in items} == {"2026-11-22"}


class TestQueries:
    def test_states_and_pages(self, caller: Caller) -> None:
        started = caller.call("POST", f"/usage/{CONTRACT}/query", QUERY).json
        assert started["status"] == "QUEUED"
        assert started["detail_uri"] == f"/tokenflex/v1/usage/{CONTRACT}/query/{started['id']}"
        caller.vendor.clock.advance(0.5)
        assert self.read(caller, started)["status"] == "PROCESSING"
        caller.vendor.clock.advance(0.5)
        result = self.read(caller, started)["result"]
        assert (result["columns"], result["limit"], result["offset"]) == (QUERY["fields"] + QUERY["metrics"], 100, 0)
        rows: list[Any] = []
        while len(rows) < result["total"]:
            page = self.read(caller, started, offset=str(len(rows)), limit="5")["result"]["rows"]
            assert 0 < len(page) <= 5
            rows += page
        assert rows == result["rows"]
        assert all(isinstance(row[3], float) for row in rows)
        assert caller.vendor.ledger.requests(path="/query/")[-1].page == -(-len(rows) // 5)

    def test_any_other_state_is_a_fault(self, caller: Caller) -> None:
        started = caller.call("POST", f"/usage/{CONTRACT}/query", QUERY).json
        caller.vendor.clock.advance(1)
        caller.vendor.faults.add(vendor_fault("query_status", detail={"status": "TIMEOUT"}))
        assert self.read(caller, started) == {**started, "status": "TIMEOUT"}
        assert self.read(caller, started)["status"] == "DONE"

    def test_rules(self, caller: Caller) -> None:
        body = {**SESSIONS, "where": QUERY["where"]}
        refused = caller.call("POST", f"/usage/{CONTRACT}/query", body)
        assert (refused.status, "only exported" in refused.json["Message"]) == (400, True)
        manual = {
            "fields": ["reasonComment", "chargedItemID"],
            "metrics": ["quantity"],
            "usageCategory": ["MANUAL_CONSUMPTION"],
            "where": QUERY["where"].replace("20'", "16'"),
        }
        query = caller.call("POST", f"/usage/{CONTRACT}/query", manual).json
        caller.vendor.clock.advance(1)
        (row,) = self.read(caller, query)["result"]["rows"]
        assert row[:2] == ["agreed by mail", "mc-20261116-00000000-00000"]
        for page in ({"offset": "-1"}, {"limit": "0"}, {"limit": "x"}):
            assert caller.call("GET", f"/usage/{CONTRACT}/query/{query['id']}", **page).status == 400
        assert caller.call("GET", f"/usage/110000411502/query/{query['id']}").status == 400
        assert caller.call("GET", f"/usage/{CONTRACT}/query/unknown").status == 400

    def read(self, caller: Caller, query: dict[str, Any], **page: str) -> dict[str, Any]:
        answer = caller.call("GET", f"/usage/{CONTRACT}/query/{query['id']}", **page)
        assert answer.status == 200
        return dict(answer.json)


def test_every_operation_is_there_with_its_scope(caller: Caller) -> None:
    c = CONTRACT
    export, usage = f"/export/{c}/requests", f"/usage/{c}"
    operations = [
        *(("POST", path) for path in (export, f"{export}/k/retry", f"{export}/k/refreshUrl", f"{usage}/query")),
        *(("GET", path) for path in (export, f"{export}/k", "/contract", f"/contract/{c}", f"{usage}/last")),
        *(("GET", f"/contract/{c}/{what}") for what in ("enrichment", "enrichment/Geo", "userName")),
        ("GET", f"{usage}/query/q"),
        ("DELETE", f"{export}/k"),
    ]
    grants, now = caller.vendor.grants, NOON.timestamp()
    wrong = {
        scope: grants.two_legged(CLIENTS[1], frozenset({scope}), now=now, switches=caller.vendor.switches).access
        for scope in ("data:read", "data:write")
    }
    for method, path in operations:
        needs = "data:write" if method != "GET" and path.startswith("/export/") else "data:read"
        other = Caller(caller.vendor, wrong["data:read" if needs == "data:write" else "data:write"])
        assert other.call(method, path).json["errorCode"] == "AUTH-010", (method, path)
        assert ask(f"{caller.vendor.url}/tokenflex/v1{path}", method=method).status == 401


def test_it_runs_as_a_process_with_its_switches(tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    switches = ["--switch", "tokenflex.rate_limit=off", "--switch", "tokenflex.processing_seconds=0"]
    files = ["--ready-file", str(ready), "--ledger-dir", str(tmp_path)]
    command = [sys.executable, "-m", "include.standins", "--vendor", "tokenflex", *switches, *files]
    root = Path(__file__).parents[4]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            name, url = process.stdout.readline().split()
            assert name == "tokenflex"
            headers = {"Authorization": f"Bearer {BEARER}", "Content-Type": "application/json"}
            base = f"{url}/tokenflex/v1/export/{CONTRACT}/requests"
            made = ask(base, method="POST", headers=headers, body=json.dumps(DAILY).encode()).json
            shown = ask(f"{base}?fromDate=2020-01-01&toDate=2100-01-01", headers=headers).json[0]
            assert (shown["requestKey"], shown["requestStatus"]) == (made["requestKey"], "Download")
            assert ask(shown["downloadUrl"]).status == 200
            described = ask(f"{url}/_standin/").json
            assert described["switches"]["processing_seconds"] == 0
            assert shown["downloadUrl"].startswith(described["origins"]["download"])
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=10) == 0
        finally:
            process.kill()
    assert f'"{made["requestKey"]}"' in (tmp_path / "tokenflex.jsonl").read_text(encoding="utf-8")
