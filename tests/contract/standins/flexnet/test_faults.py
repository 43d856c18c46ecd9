"""FlexNet's own faults: what a refreshed warehouse or a wrong server does."""

from __future__ import annotations

from typing import Any

import pytest

from include.standins import Fault
from include.standins.flexnet import KEYS
from tests.contract.standins.client import Site, ask

DAY: dict[str, Any] = {"dateFrom": "2026-11-20", "dateTo": "2026-11-21", "mode": "interactive", "limitRecords": 100}


def page(site: Site, number: int) -> dict[str, Any]:
    found = site.get("account", pageNumber=number, **DAY).json
    assert isinstance(found, dict)
    return found


def keys(page: dict[str, Any]) -> list[str]:
    return [row[KEYS["account"]][-6:] for row in page["data"]]


def numbers(start: int, stop: int) -> list[str]:
    return [f"{n:06d}" for n in range(start, stop)]


def test_a_next_link_that_loops(site: Site) -> None:
    site.vendor.faults.add(Fault(kind="next_loops", times=None))
    assert page(site, 2)["header"]["nextPageURL"].endswith("pageNumber=2")
    assert page(site, 3)["header"]["nextPageURL"].endswith("pageNumber=3"), "even the last page has one"
    site.vendor.faults.clear()
    site.vendor.faults.add(Fault(kind="next_loops", page=3, detail={"to": 1}))
    assert page(site, 3)["header"]["nextPageURL"].endswith("pageNumber=1")


def test_a_next_link_to_another_host(site: Site) -> None:
    site.vendor.faults.add(Fault(kind="next_elsewhere", page=1))
    link = page(site, 1)["header"]["nextPageURL"]
    assert link.startswith(site.vendor.origin("elsewhere") + "/data/api/v1/report/account?")
    assert ask(link).status == 401
    assert ask(link, headers={"Authorization": "Bearer leaked"}).status == 401
    assert [entry.credential is None for entry in site.vendor.ledger.requests(origin="elsewhere")] == [True, False]


def test_a_server_that_ignores_the_page_number(site: Site) -> None:
    site.vendor.faults.add(Fault(kind="page_ignored", times=None))
    assert page(site, 3)["data"] == page(site, 1)["data"]


def test_rows_that_come_between_two_pages(site: Site) -> None:
    site.vendor.faults.add(Fault(kind="rows_shift", after=1, times=None, detail={"insert": 7}))
    first, second = page(site, 1), page(site, 2)
    assert keys(first) == numbers(0, 100)
    assert keys(second) == numbers(93, 193), "seven rows come twice"
    assert (first["header"]["recordCount"], second["header"]["recordCount"]) == (300, 307)
    assert keys(page(site, 1))[:7] == numbers(300, 307)
    assert keys(page(site, 4)) == numbers(293, 300)


def test_rows_that_go_between_two_pages_and_nobody_can_tell(site: Site) -> None:
    site.vendor.faults.add(
        Fault(kind="rows_shift", from_page=2, times=None, detail={"delete": 7, "constant_totals": True})
    )
    pages = [page(site, n) for n in (1, 2, 3)]
    seen = [key for one in pages for key in keys(one)]
    assert seen == numbers(0, 100) + numbers(107, 300), "seven rows are lost"
    assert {one["header"]["recordCount"] for one in pages} == {300}


def test_rows_in_another_order(site: Site) -> None:
    site.vendor.faults.add(
        Fault(
            kind="rows_shift",
            from_page=2,
            times=None,
            detail={"insert": 1, "delete": 1, "reorder": True, "constant_totals": True},
        )
    )
    assert keys(page(site, 2)) == numbers(100, 200)[::-1]
    assert keys(page(site, 3)) == [*numbers(1, 100)[::-1], "000300"]
    assert page(site, 2)["header"]["recordCount"] == 300


@pytest.mark.parametrize(("add", "records", "pages"), [(1, 301, 4), (-150, 150, 2)])
def test_totals_that_are_wrong(site: Site, add: int, records: int, pages: int) -> None:
    site.vendor.faults.add(Fault(kind="totals_off", after=1, detail={"add": add}))
    assert page(site, 1)["header"]["recordCount"] == 300
    second = page(site, 2)
    assert (second["header"]["recordCount"], second["header"]["totalPages"], len(second["data"])) == (
        records,
        pages,
        100,
    )


def test_a_value_that_does_not_cast(site: Site) -> None:
    site.vendor.faults.add(
        Fault(kind="bad_value", times=None, detail={"row": 105, "field": "LastModified", "value": "soon"})
    )
    assert [row["LastModified"] for row in page(site, 2)["data"]].index("soon") == 5
    assert keys(page(site, 2)) == numbers(100, 200)


def test_a_row_that_comes_twice(site: Site) -> None:
    site.vendor.faults.add(Fault(kind="duplicate_row", times=None, detail={"row": 3}))
    last = page(site, 4)
    assert (last["data"], last["header"]["recordCount"]) == ([page(site, 1)["data"][3]], 301)
    site.vendor.faults.clear()
    site.vendor.faults.add(
        Fault(kind="duplicate_row", times=None, detail={"row": 3, "at": 150, "changes": {"City": "elsewhere"}})
    )
    second = page(site, 2)["data"]
    assert second[50] == {**page(site, 1)["data"][3], "City": "elsewhere"}
    assert keys(page(site, 3))[0] == "000199"


def test_no_fault_stays_in_the_kept_pages(site: Site) -> None:
    before = page(site, 1)
    site.vendor.faults.add(
        Fault(kind="duplicate_row", detail={"row": 3, "at": 0}),
        Fault(kind="bad_value", after=1, detail={"field": "City", "value": 1}),
    )
    assert keys(page(site, 1))[:2] == ["000003", "000000"]
    assert page(site, 1)["data"][0]["City"] == 1
    assert page(site, 1) == before
