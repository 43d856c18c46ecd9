"""What the reference documents: operations, parameters, statuses, payloads."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from include.standins import Fault, FaultKind
from include.standins.flexnet import GROUPS, KEYS, PASSWORD, TOKEN
from tests.contract.standins.client import Site, ask, basic

PAYLOADS = Path(__file__).parents[2] / "payloads" / "flexnet"
OPERATIONS = [
    "account",
    "report-types",
    "report-types/account",
    "report-names",
    "report-filters/account",
    "global-filters",
]
SITES = Callable[..., Site]


# Auth, 1.3.


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (basic("nightshift", PASSWORD), 200),
        (f"Bearer {TOKEN}", 200),
        (basic("nightshift", "wrong"), 401),
        (basic("nobody", PASSWORD), 401),
        (basic("clerk", PASSWORD), 403),
        (basic("clerk", "wrong"), 401),
        ("Bearer rna_00", 401),
        ("Basic ???", 401),
        ("Digest x", 401),
        (None, 401),
    ],
)
def test_who_may_call(shared_site: Site, header: str | None, status: int) -> None:
    sent = {"Authorization": header} if header else {}
    answers = {operation: shared_site.get(operation, headers=sent) for operation in OPERATIONS}
    assert {operation: answer.status for operation, answer in answers.items()} == dict.fromkeys(OPERATIONS, status)
    assert not any(PASSWORD.encode() in answer.body for answer in answers.values())


def test_a_token_ends(site_with: SITES) -> None:
    site = site_with(tokens={"rna_aa": "2026-11-22T12:00:01+00:00"}, basic_enabled=False)
    assert site.get("account", headers={"Authorization": "Bearer rna_aa"}).status == 200
    site.vendor.clock.advance(2)
    refused = site.get("account", headers={"Authorization": "Bearer rna_aa"})
    assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, None)
    assert site.get("account").status == 401, "Basic is switched off"


def test_the_ledger_knows_the_user_and_not_the_password(site: Site) -> None:
    site.get("account")
    site.get("account", headers={"Authorization": f"Bearer {TOKEN}"})
    site.get("account", headers={"Authorization": basic("clerk", PASSWORD)})
    entries = site.vendor.ledger.requests()
    assert [entry.user for entry in entries] == ["nightshift", "token 1", "clerk"]
    assert len({entry.credential for entry in entries}) == 3
    assert PASSWORD not in repr(entries)
    assert TOKEN not in repr(entries)


# Operations and statuses, 2 and 5.


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_six_operations(shared_site: Site, operation: str) -> None:
    answer = shared_site.get(operation)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.json["data"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_is_a_get(shared_site: Site, operation: str) -> None:
    answer = ask(
        f"{shared_site.vendor.url}/data/api/v1/report/{operation}",
        method="POST",
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    assert answer.status == 405


@pytest.mark.parametrize(
    "operation",
    ["nope", "report-types/nope", "report-filters/nope", "report-report-names", "report-names/account", "Account"],
)
def test_what_is_not_there(shared_site: Site, operation: str) -> None:
    assert shared_site.get(operation).status == 404


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_documented_status_on_demand(site: Site, operation: str) -> None:
    documented = [400, 401, 403, 404, 500]
    site.vendor.faults.add(*(Fault(kind=FaultKind.STATUS, status=status, path="/report/") for status in documented))
    assert [site.get(operation).status for _ in range(6)] == [*documented, 200]


def test_another_version_by_switch(site_with: SITES) -> None:
    site = site_with(versions=["v1", "v2"])
    assert site.get("account", version="v2").status == 200
    assert site.get("account", version="v3").status == 404


def test_a_group_that_the_tenant_does_not_see(site_with: SITES) -> None:
    site = site_with(groups=["user", "account"])
    assert sorted(site.get("report-names").json["data"]) == ["account", "user"]
    assert site.get("device").status == 404


# Payloads of the page, 3.4.


@pytest.mark.parametrize(
    ("operation", "file"),
    [
        ("report-types", "report_types_all_response_200.json"),
        ("report-types/account", "report_types_group_response_200.json"),
        ("report-names", "report_names_response_200.json"),
        ("report-filters/account", "report_filters_group_response_200.json"),
        ("global-filters", "global_filters_response_200.json"),
    ],
)
def test_the_documented_metadata_sample(site_with: SITES, operation: str, file: str) -> None:
    answer = site_with(metadata="sample").get(operation)
    assert answer.json == json.loads((PAYLOADS / file).read_text())
    assert answer.body == b'{"data":{}}'


def test_the_documented_filter_sample_is_taken(shared_site: Site) -> None:
    sample = json.loads((PAYLOADS / "report_query_filter_account.json").read_text())
    assert shared_site.rows("account", query=sample) == []
    some = shared_site.rows("account")[3]["AccountID"]
    assert [row["AccountID"] for row in shared_site.rows("account", query={"accountId": {"$eq": some}})] == [some]


# Parameters, 3.1.


@pytest.mark.parametrize(
    "parameters",
    [
        {"mode": "batch"},
        {"mode": "INTERACTIVE"},
        {"format": "json"},
        {"format": "csv"},
        {"pastDays": 1},
        {"pastDays": 30},
        {"limitRecords": 1},
        {"limitRecords": 2500},
        {"pageNumber": 1},
        {"pageNumber": 2_000_000},
        {"dateFrom": "2026-10-20", "dateTo": "2026-11-19"},
        {"dateFrom": "2026-11-20", "dateTo": "2026-11-20"},
        {"dateFrom": "2026-11-20", "dateTo": "2026-11-21", "pastDays": 9},
        {"dateFrom": "", "dateTo": ""},
        {"query": "{}"},
        {"somethingElse": 1},
    ],
)
def test_parameters_that_are_right(shared_site: Site, parameters: dict[str, Any]) -> None:
    assert shared_site.get("account", **parameters).status == 200


@pytest.mark.parametrize(
    "parameters",
    [
        {"mode": "fast"},
        {"format": "xml"},
        {"format": "JSON"},
        {"pastDays": 0},
        {"pastDays": 31},
        {"pastDays": "x"},
        {"pastDays": "1.5"},
        {"limitRecords": 0},
        {"limitRecords": 2501},
        {"limitRecords": "-1"},
        {"pageNumber": 0},
        {"pageNumber": "²"},
        {"pageNumber": 2**31},
        {"dateFrom": "2026-11-21", "dateTo": "2026-11-20"},
        {"dateFrom": "2026-10-20", "dateTo": "2026-11-20"},
        {"dateFrom": "20261120", "dateTo": "2026-11-21"},
        {"dateFrom": "2026-W47-1", "dateTo": "2026-11-21"},
        {"dateFrom": "2026-02-30", "dateTo": "2026-03-01"},
        {"dateFrom": "21.11.2026", "dateTo": "2026-11-21"},
        {"query": "{"},
        {"query": "[]"},
        {"query": "7"},
    ],
)
def test_parameters_that_are_wrong(shared_site: Site, parameters: dict[str, Any]) -> None:
    answer = shared_site.get("account", **parameters)
    assert answer.status == 400
    assert answer.json["message"]


def test_the_defaults(shared_site: Site) -> None:
    plain = shared_site.get("usage").json
    assert len(plain["data"]) == 500
    same = shared_site.get(
        "usage", mode="batch", format="json", pastDays=1, limitRecords=500, pageNumber=1, query="{}"
    ).json
    assert plain["data"] == same["data"]


# Groups and fields, 3.6 and 3.7.

ALL_GROUPS = {
    "account",
    "device",
    "served-device",
    "entitlement",
    "fulfillment",
    "product-feature",
    "user",
    "usage",
    "downloads",
    "files",
    "eh",
    "lih",
    "feature",
    "lmodel",
}
FILTERS = {
    "account": "accountID, accountName",
    "user": "userName, displayName, email, accountID, accountName",
    "entitlement": "entitlementID, activationID, productName, partNumber, accountID, accountName",
    "device": "deviceName, deviceID, accountID, accountName, entitlementID, activationID, productName, "
    "partNumber, deviceUserEmail, siteName",
    "served-device": "accountID, accountName, siteName, servedClientHostID",
    "product-feature": "productName, productVersion, featureName, featureVersion",
    "fulfillment": "fulfillmentID, activationID, productName, partNumber, accountID, accountName, hostEntityID",
}


def test_the_fourteen_groups(shared_site: Site) -> None:
    assert set(shared_site.get("report-names").json["data"]) == ALL_GROUPS == set(KEYS)


@pytest.mark.parametrize("group", sorted(ALL_GROUPS))
def test_rows_agree_with_report_types_and_the_key_is_unique(shared_site: Site, group: str) -> None:
    described = shared_site.get(f"report-types/{group}").json["data"][group]
    rows = [row for page in shared_site.walk(group, limitRecords=2500, pastDays=2) for row in page]
    assert len(rows) == GROUPS[group].rows_a_day * 5 // 2
    assert len({row[KEYS[group]] for row in rows}) == len(rows)
    kinds = {
        "string": str,
        "integer": int,
        "double": float,
        "boolean": bool,
        "date": str,
        "timestamp": str,
        "object": dict,
        "array": list,
    }
    for row in rows[:300]:
        assert list(row) == [name for name in described if "." not in name]
        for name, value in row.items():
            assert value is None or type(value) is kinds[described[name]["type"]], name


@pytest.mark.parametrize("group", sorted(FILTERS))
def test_the_published_filter_keys(shared_site: Site, group: str) -> None:
    assert set(shared_site.get(f"report-filters/{group}").json["data"]) == {*FILTERS[group].split(", "), "lastUpdated"}


def test_usage_filters_by_any_field(shared_site: Site) -> None:
    assert set(shared_site.get("report-filters/usage").json["data"]) >= set(
        shared_site.rows("usage", limitRecords=1)[0]
    )


def test_the_account_fields_and_who_links_to_them(shared_site: Site) -> None:
    accounts = shared_site.rows("account", limitRecords=300)
    known = "AccountID AccountName AccountDescription AccountType Address1 Address2 City Country PostalCode"
    known += " ParentAccountIDs"
    assert set(known.split()) <= set(accounts[0])
    assert {row["AccountType"] for row in accounts} == {
        "CUSTOMER",
        "SELF_REGISTERED",
        "CHANNEL_PARTNER",
        "PUBLISHER",
        "UNKNOWN",
    }
    ids = {row["AccountID"] for row in accounts}
    assert {
        row["CustomersAndPartners"]["EndCustomerAccountID"] for row in shared_site.rows("entitlement", limitRecords=900)
    } <= ids
    assert {row["accountId"] for row in shared_site.rows("usage")} <= ids
    names = "".join(row["AccountName"] for row in accounts)
    assert {"🚀", '"', "\n", "ח", "株"} <= set(names)
