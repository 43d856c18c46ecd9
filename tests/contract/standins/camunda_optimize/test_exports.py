"""The stand-in of Camunda Optimize: walks through a report, page by page, and everything that can go wrong with one."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import aiohttp
import pytest
from yarl import URL

from include.standins import Fault, FaultKind
from include.standins.camunda_optimize import (
    AGGREGATED,
    ASSIGNEES,
    COMBINED,
    DURATION,
    EMPTY,
    INVOICES,
    MONTHS,
    ORDERS,
    TOKEN,
    TOTAL,
    CamundaOptimizeStandIn,
)

EXAMPLES = Path(__file__).parents[4] / "include" / "standins" / "camunda_optimize" / "examples"
LOST = 500


class Asker:
    """A plain client of the export."""

    def __init__(self, vendor: CamundaOptimizeStandIn, session: aiohttp.ClientSession) -> None:
        self.vendor = vendor
        self.session = session

    async def get(self, report: str, **query: Any) -> tuple[int, Any]:
        asked = {"limit": "1000", "paginationTimeout": "60"} | {name: str(value) for name, value in query.items()}
        asked = {name: value for name, value in asked.items() if value != "None"}
        url = f"{self.vendor.url}/api/public/export/report/{report}/result/json"
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with self.session.get(url, params=asked, headers=headers) as response:
            return response.status, await response.json()

    async def page(self, report: str, **query: Any) -> Any:
        status, body = await self.get(report, **query)
        assert status == 200, body
        return body

    async def walk(self, report: str, limit: int = 1000) -> list[Any]:
        pages = [await self.page(report, limit=limit)]
        while pages[-1]["data"]:
            pages.append(await self.page(report, limit=limit, searchRequestId=pages[-1]["searchRequestId"]))
        return pages


@pytest.fixture
async def asker() -> AsyncIterator[Asker]:
    async with CamundaOptimizeStandIn() as vendor, aiohttp.ClientSession() as session:
        yield Asker(vendor, session)


def ids(pages: list[Any]) -> list[str]:
    return [record["processInstanceId"] for page in pages for record in page["data"]]


def example(name: str) -> Any:
    return json.loads((EXAMPLES / f"report_result_{name}_page_response_200.json").read_text(encoding="utf-8"))


async def test_documented_pages(asker: Asker) -> None:
    asker.vendor.turn(documented_sample=True)
    first = await asker.page(INVOICES, limit=2)
    assert first == example("first")
    assert list(first) == list(example("first"))
    following = await asker.page(INVOICES, limit=2, searchRequestId=first["searchRequestId"])
    assert following == example("next")
    assert list(following["data"][0]) == list(example("next")["data"][0])


async def test_documented_report_to_its_end(asker: Asker) -> None:
    asker.vendor.turn(documented_sample=True)
    pages = await asker.walk(INVOICES, limit=2)
    assert [page["numberOfRecordsInResponse"] for page in pages] == [2, 2, 2, 2, 2, 1, 0]
    assert len(set(ids(pages))) == 11


async def test_walk_brings_every_record_once(asker: Asker) -> None:
    pages = await asker.walk(ORDERS, limit=5000)
    assert [page["numberOfRecordsInResponse"] for page in pages] == [5000, 5000, 2000, 0]
    assert {page["totalNumberOfRecords"] for page in pages} == {12_000}
    assert {page["searchRequestId"] for page in pages} == {pages[0]["searchRequestId"]}
    assert len(set(ids(pages))) == 12_000
    assert pages[-1]["data"] == []
    starts = [record["startDate"] for page in pages for record in page["data"]]
    assert starts == sorted(starts, reverse=True)


async def test_page_size_is_that_of_the_first_call(asker: Asker) -> None:
    first = await asker.page(INVOICES, limit=7)
    second = await asker.page(INVOICES, limit=500, searchRequestId=first["searchRequestId"])
    assert second["numberOfRecordsInResponse"] == 7


async def test_report_without_records(asker: Asker) -> None:
    page = await asker.page(EMPTY)
    assert (page["numberOfRecordsInResponse"], page["totalNumberOfRecords"], page["data"]) == (0, 0, [])
    assert page["searchRequestId"]


async def test_records_hold_what_a_reader_must_survive(asker: Asker) -> None:
    records = [record for page in await asker.walk(INVOICES) for record in page["data"]]
    running = [record for record in records if record["endDate"] is None]
    assert running
    assert all(record["duration"] is None for record in running)
    ended = [record for record in records if record["endDate"]]
    assert all(record["startDate"].endswith("+0200") and record["endDate"] >= record["startDate"] for record in ended)
    assert {type(record["tenantId"]) for record in records} == {str, type(None)}
    assert any(record["variables"] == {} for record in records)
    assert any("customer.address.city" in record["variables"] for record in records)
    assert any("東京" in json.dumps(record, ensure_ascii=False) for record in records)
    assert any("%" in str(record["businessKey"]) for record in records)
    assert any("\n" in str(record["businessKey"]) for record in records)


@pytest.mark.parametrize(
    ("switches", "seen"),
    [
        ({"running_end": "absent"}, lambda record: "endDate" not in record and "duration" not in record),
        ({"utc_offset": "+0000"}, lambda record: record["startDate"].endswith("+0000")),
        ({"utc_offset": "-0530"}, lambda record: record["startDate"].endswith("-0530")),
        ({"instance_ids": "digits"}, lambda record: record["processInstanceId"].isdigit()),
        (
            {"object_variables": "nested"},
            lambda record: "city" in record["variables"].get("customer", {}).get("address", {}),
        ),
        ({"object_variables": "empty_string"}, lambda record: record["variables"].get("customer") == ""),
    ],
)
async def test_switches_of_records(asker: Asker, switches: Mapping[str, Any], seen: Any) -> None:
    before = await asker.page(INVOICES, limit=200)
    assert not any(seen(record) for record in before["data"])
    asker.vendor.turn(**switches)
    after = await asker.page(INVOICES, limit=200)
    assert any(seen(record) for record in after["data"])


async def test_same_moment_in_every_zone(asker: Asker) -> None:
    def moments(page: Any) -> list[datetime]:
        return [datetime.strptime(record["startDate"], "%Y-%m-%dT%H:%M:%S.%f%z") for record in page["data"]]

    here = await asker.page(INVOICES)
    asker.vendor.turn(utc_offset="-0530")
    assert moments(await asker.page(INVOICES)) == moments(here)


async def test_same_seed_same_bytes_and_other_seed_other_bytes() -> None:
    async def first_page(seed: int) -> bytes:
        async with CamundaOptimizeStandIn(seed=seed) as vendor, aiohttp.ClientSession() as session:
            url = f"{vendor.url}/api/public/export/report/{ORDERS}/result/json?limit=50&paginationTimeout=60"
            async with session.get(url, headers={"Authorization": TOKEN}) as response:
                return await response.read()

    assert await first_page(7) == await first_page(7)
    assert await first_page(7) != await first_page(8)


async def test_millions_of_records(asker: Asker) -> None:
    asker.vendor.turn(rows={"bulk": 2_000_000})
    page = await asker.page("bulk", limit=10_000)
    assert page["totalNumberOfRecords"] == 2_000_000
    assert len(set(ids([page]))) == 10_000
    asker.vendor.faults.add(Fault(kind="ends_early", page=2, detail={"at": 10_003}))
    page = await asker.page("bulk", limit=10_000, searchRequestId=page["searchRequestId"])
    assert page["numberOfRecordsInResponse"] == 3


@pytest.mark.parametrize(
    "query",
    [
        {"limit": None},
        {"paginationTimeout": None},
        {"limit": "x"},
        {"paginationTimeout": "1.5"},
        {"limit": -1},
        {"limit": 10_001},
        {"paginationTimeout": 59},
        {"limit": ""},
    ],
)
async def test_invalid_properties(asker: Asker, query: Mapping[str, Any]) -> None:
    status, body = await asker.get(INVOICES, **query)
    assert status == 400
    assert set(body) == {"errorCode", "errorMessage", "detailedMessage", "reportDefinition"}
    assert body["errorCode"] == "badRequestError"


async def test_bounds_themselves_are_valid(asker: Asker) -> None:
    assert (await asker.page(ORDERS, limit=10_000, paginationTimeout=60))["numberOfRecordsInResponse"] == 10_000


async def test_defaults_of_the_code(asker: Asker) -> None:
    asker.vendor.turn(parameters="defaulted")
    asker.vendor.clock.fix(datetime(2026, 11, 22, tzinfo=UTC))
    first = await asker.page(INVOICES, limit=None, paginationTimeout=None)
    assert first["numberOfRecordsInResponse"] == 1000
    asker.vendor.clock.advance(119)
    await asker.page(INVOICES, limit=None, paginationTimeout=None, searchRequestId=first["searchRequestId"])
    asker.vendor.clock.advance(121)
    assert (await asker.get(INVOICES, searchRequestId=first["searchRequestId"]))[0] == LOST


async def test_limit_zero(asker: Asker) -> None:
    assert (await asker.get(INVOICES, limit=0))[0] == 500


async def test_unknown_report(asker: Asker) -> None:
    status, body = await asker.get("no-such-report")
    assert (status, body["errorCode"]) == (404, "notFoundError")


@pytest.mark.parametrize(("status", "code"), [(400, "badRequestError"), (404, "notFoundError"), (500, "serverError")])
async def test_context_expires(asker: Asker, status: int, code: str) -> None:
    asker.vendor.turn(lost_context_status=status)
    first = await asker.page(INVOICES)
    asker.vendor.clock.advance(60)
    got, body = await asker.get(INVOICES, searchRequestId=first["searchRequestId"])
    assert (got, body["errorCode"]) == (status, code)
    assert asker.vendor.exports.open_contexts() == 0
    assert asker.vendor.ledger.effects(kind="context_expired")[0].detail["position"] == 1000


async def test_each_request_renews_the_context(asker: Asker) -> None:
    name = (await asker.page(ORDERS, limit=10))["searchRequestId"]
    for _ in range(5):
        asker.vendor.clock.advance(59)
        await asker.page(ORDERS, limit=10, searchRequestId=name)
    asker.vendor.clock.advance(59)
    await asker.page(ORDERS, limit=10, searchRequestId=name, paginationTimeout=600)
    asker.vendor.clock.advance(599)
    await asker.page(ORDERS, limit=10, searchRequestId=name)


async def test_id_that_was_never_given_and_id_of_another_report(asker: Asker) -> None:
    assert (await asker.get(INVOICES, searchRequestId="FGluY2x1"))[0] == LOST
    name = (await asker.page(ORDERS))["searchRequestId"]
    assert (await asker.get(INVOICES, searchRequestId=name))[0] == LOST


async def test_id_has_to_be_encoded(asker: Asker) -> None:
    name = (await asker.page(ORDERS))["searchRequestId"]
    assert {"+", "/", "="} <= set(name)
    path = f"/api/public/export/report/{ORDERS}/result/json?limit=1&paginationTimeout=60"
    url = f"{asker.vendor.url}{path}&searchRequestId={name}"
    async with asker.session.get(URL(url, encoded=True), headers={"Authorization": TOKEN}) as response:
        assert response.status == LOST


async def test_id_changes_in_the_middle(asker: Asker) -> None:
    asker.vendor.turn(id_changes_every=2)
    pages = await asker.walk(ORDERS, limit=2000)
    names = [page["searchRequestId"] for page in pages]
    assert [a == b for a, b in itertools.pairwise(names)] == [True, False, True, False, True, False]
    assert len(set(ids(pages))) == 12_000
    assert (await asker.get(ORDERS, searchRequestId=names[0]))[0] == LOST


async def test_old_id_can_go_on(asker: Asker) -> None:
    asker.vendor.turn(id_changes_every=1, old_id_valid=True)
    first = await asker.page(ORDERS, limit=10)
    name = first["searchRequestId"]
    seen = [first, *[await asker.page(ORDERS, limit=10, searchRequestId=name) for _ in range(3)]]
    assert len({page["searchRequestId"] for page in seen}) == 4
    assert len(set(ids(seen))) == 40
    assert asker.vendor.exports.open_contexts() == 1


async def test_contexts_are_bounded(asker: Asker) -> None:
    asker.vendor.turn(open_contexts=3)
    for _ in range(3):
        await asker.page(ORDERS, limit=1)
    status, body = await asker.get(ORDERS, limit=1)
    assert (status, "[3]" in body["detailedMessage"]) == (500, True)
    assert (await asker.get(MONTHS))[0] == 200, "an aggregated report needs no context"
    asker.vendor.turn(too_many_contexts_status=429)
    assert (await asker.get(ORDERS, limit=1))[0] == 429
    asker.vendor.clock.advance(60)
    assert (await asker.get(ORDERS, limit=1))[0] == 200


async def test_context_stays_open_after_the_end(asker: Asker) -> None:
    pages = await asker.walk(INVOICES)
    assert asker.vendor.exports.open_contexts() == 1
    assert (await asker.page(INVOICES, searchRequestId=pages[-1]["searchRequestId"]))["data"] == []


# Reports that are not raw data.


async def test_list_comes_at_once_with_a_message(asker: Asker) -> None:
    body = await asker.page(ASSIGNEES, limit=1000)
    assert "searchRequestId" not in body
    assert (body["numberOfRecordsInResponse"], len(body["data"])) == (1500, 1500)
    assert body["message"]
    assert "message" not in await asker.page(ASSIGNEES, limit=1500)
    asker.vendor.turn(message_told=False, report_id_told=False)
    assert set(await asker.page(ASSIGNEES)) == {"numberOfRecordsInResponse", "totalNumberOfRecords", "data"}


async def test_groups_of_groups(asker: Asker) -> None:
    body = await asker.page(AGGREGATED)
    assert len(body["data"]) == 12
    assert {one["key"] for one in body["data"][0]["value"]} == {"approve", "pay"}


async def test_single_number_and_no_number(asker: Asker) -> None:
    body = await asker.page(TOTAL, limit=0)
    assert isinstance(body["data"], float)
    assert (body["numberOfRecordsInResponse"], body["totalNumberOfRecords"]) == (1, 1)
    body = await asker.page(DURATION)
    assert (body["numberOfRecordsInResponse"], "data" in body) == (0, False)
    asker.vendor.turn(null_data="null")
    assert (await asker.page(DURATION))["data"] is None


async def test_combined_report_is_refused(asker: Asker) -> None:
    status, body = await asker.get(COMBINED)
    assert (status, "cannot be exported as Json" in body["detailedMessage"]) == (400, True)


# Faults.


async def test_page_that_was_lost_cannot_be_read_again(asker: Asker) -> None:
    first = await asker.page(INVOICES)
    asker.vendor.faults.add(Fault(kind=FaultKind.ACCEPT_THEN_DROP, page=2))
    query = urlencode({"limit": 1000, "paginationTimeout": 60, "searchRequestId": first["searchRequestId"]})
    url = f"{asker.vendor.url}/api/public/export/report/{INVOICES}/result/json?{query}"
    # Not with aiohttp, which repeats a GET by itself when the connection breaks.
    with pytest.raises(OSError):
        await asyncio.to_thread(urlopen, Request(url, headers={"Authorization": TOKEN}))
    following = await asker.page(INVOICES, searchRequestId=first["searchRequestId"])
    assert following["numberOfRecordsInResponse"] == 500, "the third page: the second is gone"
    read = asker.vendor.ledger.effects(kind="page_read")
    assert [(one.detail["page"], one.detail["first"]) for one in read] == [(1, 0), (2, 1000), (3, 2000)]


async def test_context_lost(asker: Asker) -> None:
    asker.vendor.faults.add(Fault(kind="context_lost", page=2))
    first = await asker.page(INVOICES)
    for _ in range(2):
        assert (await asker.get(INVOICES, searchRequestId=first["searchRequestId"]))[0] == LOST
    assert len(await asker.walk(INVOICES)) == 4


async def test_id_changes_once_and_goes_missing(asker: Asker) -> None:
    asker.vendor.faults.add(Fault(kind="id_changes", page=2), Fault(kind="id_missing", page=3))
    first = await asker.page(ORDERS)
    second = await asker.page(ORDERS, searchRequestId=first["searchRequestId"])
    assert second["searchRequestId"] != first["searchRequestId"]
    assert "searchRequestId" not in await asker.page(ORDERS, searchRequestId=second["searchRequestId"])


async def test_page_again(asker: Asker) -> None:
    asker.vendor.faults.add(Fault(kind="page_again", page=2))
    pages = await asker.walk(INVOICES)
    assert [page["numberOfRecordsInResponse"] for page in pages] == [1000, 1000, 1000, 500, 0]
    assert len(set(ids(pages))) == 2500


async def test_search_that_is_dropped_on_the_way(asker: Asker) -> None:
    asker.vendor.faults.add(Fault(kind="search_dropped", page=2, detail={"grows": 3}))
    first = await asker.page(INVOICES)
    again = await asker.page(INVOICES, searchRequestId=first["searchRequestId"])
    assert (first["totalNumberOfRecords"], again["totalNumberOfRecords"]) == (2500, 2503)
    assert again["searchRequestId"] != first["searchRequestId"]
    assert ids([again])[3:] == ids([first])[:-3]
    following = await asker.page(INVOICES, searchRequestId=first["searchRequestId"])
    assert ids([following])[0] not in ids([first]), "the fault was for one call"


async def test_total_that_changes(asker: Asker) -> None:
    asker.vendor.faults.add(Fault(kind="total_changes", from_page=2, times=None, detail={"add": -7}))
    pages = await asker.walk(INVOICES)
    assert [page["totalNumberOfRecords"] for page in pages] == [2500, 2493, 2493, 2493]


async def test_walk_that_ends_early(asker: Asker) -> None:
    asker.vendor.faults.add(Fault(kind="ends_early", page=2, detail={"at": 1500}))
    pages = await asker.walk(INVOICES)
    assert [page["numberOfRecordsInResponse"] for page in pages] == [1000, 500, 0]
    assert {page["totalNumberOfRecords"] for page in pages} == {2500}


async def test_count_off_and_bad_value(asker: Asker) -> None:
    asker.vendor.faults.add(
        Fault(kind="count_off"), Fault(kind="bad_value", detail={"row": 3, "field": "duration", "value": "long"})
    )
    page = await asker.page(INVOICES)
    assert (page["numberOfRecordsInResponse"], len(page["data"])) == (1001, 1000)
    assert page["data"][3]["duration"] == "long"
    assert (await asker.page(INVOICES))["data"][3]["duration"] != "long"
