"""Rows: paging, windows, filters, the same rows each time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from include.standins.flexnet import KEYS
from tests.contract.standins.client import Site, ask, basic

SITES = Callable[..., Site]
DAY: dict[str, Any] = {"dateFrom": "2026-11-20", "dateTo": "2026-11-21"}


def keys(rows: list[dict[str, Any]], group: str = "device") -> list[str]:
    return [row[KEYS[group]] for row in rows]


# Paging, 4.2.


@pytest.mark.parametrize("limit", [1200, 500, 499, 401, 1199, 2500])
def test_pages_add_up_whatever_their_size(shared_site: Site, limit: int) -> None:
    whole = shared_site.rows("device", limitRecords=2500, **DAY)
    pages = shared_site.walk("device", limitRecords=limit, **DAY)
    assert [row for page in pages for row in page] == whole
    assert len(whole) == 1200
    assert {len(page) for page in pages[:-1]} <= {limit}


def test_the_links_lead_through_all_pages_and_back(shared_site: Site) -> None:
    answer = shared_site.get(
        "device", mode="interactive", limitRecords=500, query={"deviceName": {"$con": "h"}}, **DAY
    ).json
    assert answer["header"]["previousPageURL"] is None
    seen, forward = [len(answer["data"])], []
    while link := answer["header"]["nextPageURL"]:
        answer = ask(link, headers={"Authorization": basic("nightshift", "standin-flexnet")}).json
        forward.append(answer["header"]["previousPageURL"])
        seen.append(len(answer["data"]))
    assert seen == [500, 500, 200]
    assert "pageNumber=1" in forward[0]
    assert "query=%7B" in forward[0]


def test_interactive_mode_counts(shared_site: Site) -> None:
    header = shared_site.get("device", mode="interactive", limitRecords=500, pageNumber=3, **DAY).json["header"]
    assert (header["recordCount"], header["totalPages"], header["pageNumber"], header["nextPageURL"]) == (
        1200,
        3,
        3,
        None,
    )


def test_batch_mode_does_not_count(shared_site: Site) -> None:
    assert set(shared_site.get("device", **DAY).json["header"]) == {"previousPageURL", "nextPageURL"}


# The same rows each time.


def digest(site: Site, **parameters: Any) -> str:
    bodies = (
        site.get("entitlement", pageNumber=n, limitRecords=400, format="csv", **parameters).body for n in (3, 1, 2)
    )
    return hashlib.sha256(b"".join(bodies)).hexdigest()


def test_two_sites_of_one_seed_have_the_same_bytes(site_with: SITES) -> None:
    first, second, other = site_with(seed=11), site_with(seed=11), site_with(seed=12)
    second.walk("entitlement", pastDays=5, limitRecords=700)
    assert digest(first, **DAY) == digest(second, **DAY) != digest(other, **DAY)


def test_a_day_is_the_same_however_it_is_reached(site: Site) -> None:
    day = site.rows("user", limitRecords=2500, **DAY)
    wide = site.rows("user", limitRecords=2500, dateFrom="2026-11-18", dateTo="2026-11-22")
    assert wide[800:1200] == day
    site.vendor.clock.advance(10 * 86_400)
    assert site.rows("user", limitRecords=2500, **DAY) == day


def test_today_grows_with_each_refresh_and_the_future_is_empty(site: Site) -> None:
    today = {"dateFrom": "2026-11-22", "dateTo": "2026-11-23", "limitRecords": 2500}
    noon = site.rows("account", **today)
    assert len(noon) == 150
    site.vendor.clock.advance(2.9 * 3600)
    assert site.rows("account", **today) == noon
    site.vendor.clock.advance(0.2 * 3600)
    later = site.rows("account", **today)
    assert (len(later), later[:150]) == (187, noon)
    assert site.rows("account", dateFrom="2026-11-23", dateTo="2026-11-30") == []


# Windows, 4.1.


def days(rows: list[dict[str, Any]]) -> list[str]:
    return sorted({row["LastModified"][:10] for row in rows})


def test_past_days_and_a_range_that_overrides_it(shared_site: Site) -> None:
    assert days(shared_site.rows("account", limitRecords=2500, pastDays=2)) == [
        "2026-11-20",
        "2026-11-21",
        "2026-11-22",
    ]
    assert days(shared_site.rows("account", pastDays=9, **DAY)) == ["2026-11-20"]


def test_history_goes_back_further_than_thirty_days(shared_site: Site) -> None:
    assert days(shared_site.rows("account", dateFrom="2025-01-01", dateTo="2025-01-02")) == ["2025-01-01"]


# Filters, 3.2.


def picked(site: Site, group: str, query: dict[str, Any]) -> list[dict[str, Any]]:
    return site.rows(group, limitRecords=2500, query=query, **DAY)


OPERATORS: list[tuple[str, dict[str, Any], Callable[[dict[str, Any]], bool]]] = [
    ("user", {"displayName": {"$eq": "Ada Turing"}}, lambda r: r["DisplayName"] == "Ada Turing"),
    ("user", {"displayName": {"$ne": "Ada Turing"}}, lambda r: r["DisplayName"] != "Ada Turing"),
    ("user", {"displayName": {"$sw": "Noa 🌙"}}, lambda r: r["DisplayName"].startswith("Noa 🌙")),
    ("user", {"email": {"$ew": "@a.example"}}, lambda r: r["Email"].endswith("@a.example")),
    ("user", {"displayName": {"$con": "D'S"}}, lambda r: "D'S" in r["DisplayName"]),
    ("user", {"accountName": {"$in": ["Acme Industries", "x"]}}, lambda r: r["AccountName"] == "Acme Industries"),
    ("user", {"accountName": {"$nin": ["Acme Industries"]}}, lambda r: r["AccountName"] != "Acme Industries"),
    ("usage", {"quantity": {"$gt": 32}}, lambda r: r["quantity"] > 32),
    ("usage", {"quantity": {"$gte": 32}}, lambda r: r["quantity"] >= 32),
    ("usage", {"tokens": {"$lt": 3.5}}, lambda r: r["tokens"] < 3.5),
    ("usage", {"quantity": {"$lte": 5, "$gt": 3}}, lambda r: 3 < r["quantity"] <= 5),
    ("usage", {"quantity": {"$btw": [3, 5]}}, lambda r: 3 <= r["quantity"] <= 5),
    ("usage", {"attributes.project": {"$eq": "PRJ-07"}}, lambda r: r["attributes"]["project"] == "PRJ-07"),
    (
        "account",
        {"lastUpdated": {"$btw": ["2026-11-20 06:00:00.000", "2026-11-20 12:00:00.000"]}},
        lambda r: "2026-11-20 06:00" <= r["LastModified"] <= "2026-11-20 12:00",
    ),
    (
        "account",
        {"lastUpdated": {"$btw": [1795154400000, 1795176000000]}},
        lambda r: "2026-11-20 06:00" <= r["LastModified"] <= "2026-11-20 12:00",
    ),
    (
        "entitlement",
        {"accountName": {"$sw": "Comma,"}},
        lambda r: r["CustomersAndPartners"]["EndCustomerAccountName"].startswith("Comma,"),
    ),
    (
        "user",
        {"accountName": {"$sw": "A"}, "email": {"$con": "1"}},
        lambda r: r["AccountName"].startswith("A") and "1" in r["Email"],
    ),
    (
        "user",
        {"accountName": {"$sw": "A"}, "$or": {"email": {"$ew": "@a.example"}, "displayName": {"$con": "Grace"}}},
        lambda r: (
            r["AccountName"].startswith("A") and (r["Email"].endswith("@a.example") or "Grace" in r["DisplayName"])
        ),
    ),
    (
        "user",
        {"$or": {"$and": {"email": {"$ew": "@a.example"}, "displayName": {"$con": "Ada"}}, "userName": {"$con": "77"}}},
        lambda r: (r["Email"].endswith("@a.example") and "Ada" in r["DisplayName"]) or "77" in r["UserName"],
    ),
]


@pytest.mark.parametrize(("group", "query", "fits"), OPERATORS, ids=[str(query) for _, query, _ in OPERATORS])
def test_each_operator_picks_its_rows(
    shared_site: Site, group: str, query: dict[str, Any], fits: Callable[[dict[str, Any]], bool]
) -> None:
    everything = [row for page in shared_site.walk(group, limitRecords=2500, **DAY) for row in page]
    expected = [row for row in everything if fits(row)]
    assert 0 < len(expected) < len(everything)
    found = [row for page in shared_site.walk(group, limitRecords=2500, query=query, **DAY) for row in page]
    assert found == expected


@pytest.mark.parametrize(
    "query",
    [
        {"nope": {"$eq": 1}},
        {"accountID": {"$like": "x"}},
        {"accountID": "x"},
        {"accountID": {}},
        {"accountID": {"$eq": {"a": 1}}},
        {"accountID": {"$sw": 1}},
        {"accountID": {"$in": "x"}},
        {"accountID": {"$gt": "x"}},
        {"lastUpdated": {"$btw": [1]}},
        {"lastUpdated": {"$btw": ["x", "y"]}},
        {"$and": [{"accountID": {"$eq": "x"}}]},
        {"$or": "x"},
        {"City": {"$eq": "x"}},
    ],
)
def test_a_wrong_query_is_refused(shared_site: Site, query: dict[str, Any]) -> None:
    assert shared_site.get("account", query=query).status == 400


def test_filtered_rows_are_paged(shared_site: Site) -> None:
    query = {"accountName": {"$ne": "Acme Industries"}}
    pages = shared_site.walk("user", limitRecords=100, query=query, **DAY)
    assert [row for page in pages for row in page] == picked(shared_site, "user", query)
    assert shared_site.get("user", mode="interactive", query=query, **DAY).json["header"]["recordCount"] == sum(
        map(len, pages)
    )


# Millions of rows.


def test_ten_million_rows_are_served_from_anywhere(site_with: SITES) -> None:
    site = site_with(rows_a_day={"usage": 10_000_000})
    pages = {
        n: site.get("usage", mode="interactive", limitRecords=1000, pageNumber=n, **DAY).json
        for n in (1, 6, 5000, 10_000, 10_001)
    }
    assert pages[1]["header"]["totalPages"] == 10_000
    assert [len(page["data"]) for page in pages.values()] == [1000, 1000, 1000, 1000, 0]
    assert keys(pages[10_000]["data"], "usage")[-1] == "USE-20261120-9999999"
    assert keys(pages[6]["data"], "usage")[0] == "USE-20261120-005000"
    assert len(pages[1]["data"][0]) == 20
    first, again = pages[1]["data"][0], pages[6]["data"][0]
    assert {**first, "usageId": ""} == {**again, "usageId": ""}, "above 5,000 a day rows repeat but for the key"
