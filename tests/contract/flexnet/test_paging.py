"""Every row of a report comes exactly once, whatever the vendor leaves open, by the stand-in's rows and ledger."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from include.standins import Fault, FaultKind
from include.standins.flexnet import faulty
from include.standins.flexnet.switches import (
    BatchHeader,
    BeyondLast,
    CountOf,
    CsvEmpty,
    CsvHeader,
    LinkForm,
    LinkParameters,
    Missing,
)
from nightshift.errors import BadResponse, Unreachable
from nightshift.flexnet.hook import FlexNetHook

NIGHT, AFTER = "2026-11-20", "2026-11-21"


async def walk(group: str = "usage", in_flight: int = 4, **given: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    async with FlexNetHook() as hook:
        request = hook.request_of(group, **{"date_from": NIGHT, "date_to": AFTER, "page_size": 50, **given})
        async for page in hook.report_pages(request, in_flight=in_flight):
            if request.is_csv:
                found = list(csv.reader(io.StringIO(page.body.decode("utf-8-sig"), newline="")))
                rows += [{"usageId": record[0]} for record in found if record and record[0] != "usageId"]
            else:
                body = json.loads(page.body)
                rows += body if isinstance(body, list) else body[hook.extra("data_key", "data")]
    return rows


def assert_each_once(rows: list[dict[str, Any]], count: int = 230, key: str = "usageId") -> None:
    assert len(rows) == count
    assert len({row[key] for row in rows}) == count


@pytest.mark.parametrize("mode", ["interactive", "batch", "INTERACTIVE", None])
@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"last_link": Missing.ABSENT},
        {"last_link": Missing.EMPTY},
        {"link_form": LinkForm.RELATIVE},
        {"link_form": LinkForm.HTTP},
        {"link_form": LinkForm.OTHER_HOST},
        {"link_parameters": LinkParameters.ONLY_PAGE},
        {"link_parameters": LinkParameters.WITHOUT_LIMIT},
        {"batch_header": BatchHeader.ABSENT},
        {"batch_header": BatchHeader.EMPTY, "page_cap": 20},
        {"batch_header": BatchHeader.LINKS_AND_COUNTS},
        {"page_cap": 20},
        {"record_count_of": CountOf.THIS_PAGE, "page_count_key": ""},
        {"page_count_key": "", "record_count_key": ""},
        {"page_count_key": ""},
        {"record_count_key": "howMany", "page_count_key": "sheets"},
        {"batch_header": BatchHeader.ABSENT, "beyond_last": BeyondLast.NOT_FOUND, "rows_a_day": {"usage": 250}},
        {"batch_header": BatchHeader.ABSENT, "beyond_last": BeyondLast.REJECTED, "rows_a_day": {"usage": 250}},
        {"header_last": True},
        {"data_key": ""},
    ],
    ids=str,
)
async def test_each_row_comes_once(vendor_with, switches: dict[str, Any], mode: str | None) -> None:
    vendor = vendor_with(**switches)
    assert_each_once(await walk(mode=mode), switches.get("rows_a_day", {"usage": 230})["usage"])
    assert {request.origin for request in vendor.ledger.requests()} == {""}


async def test_another_data_key_is_a_setting(vendor_with) -> None:
    vendor_with(data_key="records", connection={"extra": {"data_key": "records"}})
    assert_each_once(await walk(mode="interactive"))


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"csv_header": CsvHeader.FIRST_PAGE},
        {"csv_bom": True, "csv_line_end": "\n"},
        {"csv_empty": CsvEmpty.NOTHING},
        {"page_cap": 20},
    ],
    ids=str,
)
async def test_csv_is_paged_by_counting_its_rows(vendor_with, switches: dict[str, Any]) -> None:
    vendor_with(**switches)
    assert_each_once(await walk(format="csv"))


async def test_an_empty_report_is_one_page_without_rows(vendor_with) -> None:
    vendor = vendor_with()
    assert await walk("files", mode="interactive") == []
    assert len(vendor.ledger.requests(path="/report/files")) == 1


async def test_pages_come_side_by_side_in_order_and_bounded_on_few_connections(vendor_with) -> None:
    vendor = vendor_with(rows_a_day={"usage": 2000})
    rows = await walk(mode="interactive", in_flight=5)
    assert rows == sorted(rows, key=lambda row: row["usageId"]) or len({row["usageId"] for row in rows}) == 2000
    stats = vendor.ledger.stats()
    assert stats.requests == 40
    assert 2 <= stats.max_in_flight <= 5
    assert stats.connections <= 5


async def test_without_a_page_count_pages_come_one_after_the_other_on_one_connection(vendor_with) -> None:
    vendor = vendor_with()
    await walk(mode="batch", in_flight=5)
    stats = vendor.ledger.stats()
    assert (stats.max_in_flight, stats.connections) == (1, 1)


async def test_landed_pages_are_not_fetched_again(vendor_with) -> None:
    vendor = vendor_with()
    async with FlexNetHook() as hook:
        request = hook.request_of("usage", mode="interactive", date_from=NIGHT, date_to=AFTER, page_size=50)
        whole = [page async for page in hook.report_pages(request)]
        vendor.ledger.clear()

        async def landed(number: int) -> bytes | None:
            return whole[number - 1].body if number in (1, 2, 4) else None

        again = [page async for page in hook.report_pages(request, landed=landed)]
    assert [page.body for page in again] == [page.body for page in whole]
    assert sorted(dict(r.query)["pageNumber"] for r in vendor.ledger.requests()) == ["3", "5"]


@pytest.mark.parametrize(
    ("kind", "detail", "told"),
    [
        (faulty.PAGE_IGNORED, {}, "repeats page 1"),
        (faulty.NEXT_LOOPS, {}, "a loop"),
    ],
)
async def test_a_report_without_end_is_an_error(vendor_with, kind: str, detail: dict[str, Any], told: str) -> None:
    vendor = vendor_with()
    vendor.faults.add(Fault(kind=kind, times=None, detail=detail))
    with pytest.raises(BadResponse, match=told):
        await walk(mode="batch")


async def test_a_link_to_another_host_is_never_followed(vendor_with) -> None:
    vendor = vendor_with()
    vendor.faults.add(Fault(kind=faulty.NEXT_ELSEWHERE, times=None))
    assert_each_once(await walk(mode="batch"))
    assert {request.origin for request in vendor.ledger.requests()} == {""}


@pytest.mark.parametrize(
    "kind", [FaultKind.RESET, FaultKind.RESET_BODY, FaultKind.SHORT_BODY, FaultKind.DROP_BEFORE, FaultKind.DRIP]
)
async def test_a_page_that_breaks_on_the_way_is_fetched_again(vendor_with, kind: FaultKind) -> None:
    vendor = vendor_with()
    vendor.faults.add(Fault(kind=kind, page=3, seconds=0.001, chunk_bytes=4096))
    assert_each_once(await walk(mode="interactive"))


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_a_passing_refusal_is_waited_for(vendor_with, status: int) -> None:
    vendor = vendor_with()
    vendor.faults.add(Fault(kind=FaultKind.STATUS, status=status, page=2, retry_after="0"))
    assert_each_once(await walk(mode="interactive"))
    assert [r.status for r in vendor.ledger.requests(status=status)] == [status]


@pytest.mark.parametrize(("kind", "error"), [(FaultKind.TRUNCATED, BadResponse), (FaultKind.HTML_200, BadResponse)])
async def test_a_page_that_is_no_page_is_an_error_with_its_number_and_path(
    vendor_with, kind: FaultKind, error: type
) -> None:
    vendor = vendor_with()
    vendor.faults.add(Fault(kind=kind, page=2, times=None))
    with pytest.raises(error) as caught:
        await walk(mode="batch")
    assert "/report/usage" in str(caught.value)


async def test_a_vendor_that_asks_for_a_long_wait_is_not_waited_for_on_the_worker(vendor_with) -> None:
    vendor = vendor_with()
    vendor.faults.add(Fault(kind=FaultKind.STATUS, status=503, retry_after="20"))
    with pytest.raises(Unreachable) as caught:
        await walk()
    assert caught.value.retry_after == 20
    assert len(vendor.ledger.requests()) == 1
