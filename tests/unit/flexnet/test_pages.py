"""The ends of walks against the stand-in, over real sockets; judged by the rows and by the vendor's ledger."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from include.standins import Fault, FaultKind
from include.standins.flexnet import faulty
from include.standins.flexnet.switches import BatchHeader, BeyondLast, CountOf, Missing
from nightshift.errors import BadResponse, Rejected, Unreachable
from nightshift.flexnet.hook import FlexNetHook
from nightshift.flexnet.page import Astray, Unsteady
from nightshift.flexnet.page import Missing as Promised
from tests.unit.flexnet.walks import AFTER, NIGHT, VendorWith, asked, assert_all, walk

REFUSALS = (400, 404, 406, 409, 410, 413, 422)
SILENT = {"batch_header": BatchHeader.ABSENT}
COUNTED = {"batch_header": BatchHeader.LINKS_AND_COUNTS}


@pytest.mark.parametrize("status", REFUSALS)
@pytest.mark.parametrize(
    ("mode", "switches"),
    [("batch", {}), ("batch", COUNTED), ("interactive", {}), ("interactive", {"page_count_key": ""})],
    ids=str,
)
async def test_a_promised_page_that_is_refused_once_is_asked_for_again(
    vendor_with: VendorWith, mode: str, switches: dict[str, Any], status: int
) -> None:
    vendor = vendor_with(Fault(kind=FaultKind.STATUS, status=status, page=3), **switches)
    assert_all(await walk(mode=mode))
    assert asked(vendor) == {1: 1, 2: 1, 3: 2, 4: 1, 5: 1}


@pytest.mark.parametrize("mode", ["batch", "interactive"])
@pytest.mark.parametrize("status", REFUSALS)
async def test_a_promised_page_that_stays_refused_is_an_error_that_may_be_tried_again(
    vendor_with: VendorWith, status: int, mode: str
) -> None:
    vendor = vendor_with(Fault(kind=FaultKind.STATUS, status=status, page=3, times=None))
    with pytest.raises(
        Promised, match=r"page 3 is refused .*, though (page 2 links to it|the vendor counts 5 pages)"
    ) as caught:
        await walk(mode=mode)
    assert caught.value.status == status
    assert isinstance(caught.value, BadResponse)
    assert asked(vendor)[3] == 5


@pytest.mark.parametrize("status", [400, 404, 410, 422])
@pytest.mark.parametrize("form", ["json", "csv"])
async def test_a_page_that_nobody_promised_and_that_is_refused_in_the_middle_is_no_end(
    vendor_with: VendorWith, status: int, form: str
) -> None:
    vendor = vendor_with(Fault(kind=FaultKind.STATUS, status=status, page=3), **SILENT)
    assert_all(await walk(format=form))
    assert asked(vendor)[3] == 2
    vendor.faults.add(Fault(kind=FaultKind.STATUS, status=status, page=3, times=None))
    with pytest.raises(Unsteady, match=f"page 3 is refused with {status}, and page 4 has 50 rows"):
        await walk(format=form)


@pytest.mark.parametrize("status", [404, 400])
async def test_a_server_that_restarts_and_refuses_everything_for_a_while_ends_nothing(
    vendor_with: VendorWith, status: int
) -> None:
    vendor_with(Fault(kind=FaultKind.STATUS, status=status, after=2, times=None), **SILENT)
    with pytest.raises(Promised, match=r"page 2 is refused .*, though it came a moment ago"):
        await walk(format="csv")


@pytest.mark.parametrize("beyond", [BeyondLast.EMPTY, BeyondLast.NOT_FOUND, BeyondLast.REJECTED, BeyondLast.LAST_AGAIN])
@pytest.mark.parametrize("form", ["json", "csv"])
@pytest.mark.parametrize("rows", [230, 101, 120])
async def test_an_end_that_nobody_says_is_confirmed(
    vendor_with: VendorWith, beyond: BeyondLast, form: str, rows: int
) -> None:
    vendor = vendor_with(**SILENT, beyond_last=beyond, rows=rows)
    assert_all(await walk(format=form), rows)
    last = -(-rows // 50)
    assert asked(vendor) == {**dict.fromkeys(range(1, last), 1), last: 2, last + 1: 2, last + 2: 1}


@pytest.mark.parametrize("form", ["json", "csv"])
@pytest.mark.parametrize("header", [BatchHeader.ABSENT, BatchHeader.NO_NEXT, BatchHeader.LINKS], ids=str)
@pytest.mark.parametrize("rows", [1, 2, 30, 50, 100])
async def test_a_last_page_as_long_as_the_first_that_comes_again_is_the_end_where_a_page_over_it_shows_it(
    vendor_with: VendorWith, form: str, header: BatchHeader, rows: int
) -> None:
    vendor = vendor_with(batch_header=header, beyond_last=BeyondLast.LAST_AGAIN, rows=rows)
    assert_all(await walk(format=form), rows)
    is_told = form == "json" and header is BatchHeader.LINKS and rows == 100
    sizes = Counter(dict(r.query)["limitRecords"] for r in vendor.ledger.requests())
    assert sizes.total() == -(-rows // 50) + (0 if is_told else 5)
    assert len(sizes) == 2 - is_told


@pytest.mark.parametrize(("form", "switches"), [("json", SILENT), ("json", {}), ("csv", SILENT)], ids=str)
@pytest.mark.parametrize("rows", [3, 50, 230])
async def test_a_server_that_ignores_the_page_number_is_told_from_one_that_gives_the_last_page_again(
    vendor_with: VendorWith, form: str, switches: dict[str, Any], rows: int
) -> None:
    vendor_with(Fault(kind=faulty.PAGE_IGNORED, times=None), rows=rows, **switches)
    with pytest.raises(Astray, match=r"page 2 (repeats page 1|links to page 2)") as caught:
        await walk(format=form)
    if form == "csv" or switches:
        size = min(rows, 50) - 1
        assert f"Page {-(-min(rows, 50) // size)} of {size} rows a page, which tells the end" in str(caught.value)


@pytest.mark.parametrize(("form", "header"), [("json", "absent"), ("json", "no_next"), ("csv", "links")])
@pytest.mark.parametrize("rows", [0, 1, 30, 50, 100, 120])
async def test_a_server_that_fails_beyond_the_last_page_has_the_end_shown_by_a_page_over_it(
    vendor_with: VendorWith, form: str, header: str, rows: int
) -> None:
    vendor = vendor_with(batch_header=header, beyond_last=BeyondLast.FAILED, rows=rows)
    assert_all(await walk(format=form), rows)
    failed = [entry for entry in vendor.ledger.requests() if entry.status == 500]
    is_told = rows == 0 and header == "no_next"
    assert len(failed) == (0 if is_told else 5), "it is asked for to the last attempt, and no page behind it is"


@pytest.mark.parametrize("form", ["json", "csv"])
async def test_a_server_that_fails_at_a_page_in_the_middle_ends_nothing(vendor_with: VendorWith, form: str) -> None:
    vendor_with(Fault(kind=FaultKind.STATUS, status=500, page=3, query={"limitRecords": "50"}, times=None), **SILENT)
    with pytest.raises(Promised, match="has to have 2 and has 49: the 100 rows that came may not be all") as caught:
        await walk(format=form)
    assert caught.value.status == 500
    vendor_with(Fault(kind=FaultKind.STATUS, status=500, after=2, times=None), **SILENT)
    with pytest.raises(Unreachable):
        await walk(format=form)


@pytest.mark.parametrize("page", range(1, 7))
@pytest.mark.parametrize("form", ["json", "csv"])
@pytest.mark.parametrize("kind", [FaultKind.EMPTY_200, FaultKind.HTML_200, FaultKind.TRUNCATED, faulty.PAGE_CUT])
async def test_one_bad_page_that_is_called_a_success_ends_nothing(
    vendor_with: VendorWith, kind: str, form: str, page: int
) -> None:
    vendor = vendor_with(Fault(kind=kind, page=page), **SILENT)
    assert_all(await walk(format=form))
    assert asked(vendor)[page] >= 2


@pytest.mark.parametrize("keep", [1, 20])
async def test_a_page_that_was_short_before_others_came_is_noticed(vendor_with: VendorWith, keep: int) -> None:
    for page in (1, 2, 4, 5):
        vendor_with(Fault(kind=faulty.PAGE_CUT, page=page, detail={"keep": keep}), **SILENT)
        with pytest.raises(Unsteady, match=r"was not whole|when it was asked for again"):
            await walk(format="csv")


@pytest.mark.parametrize("missing", [1, 2, 3, 8, 40])
@pytest.mark.parametrize("page", [1, 3, 5])
async def test_a_csv_page_that_is_cut_within_its_last_record_is_fetched_again(
    vendor_with: VendorWith, missing: int, page: int
) -> None:
    vendor = vendor_with(Fault(kind=faulty.TAIL_CUT, page=page, detail={"bytes": missing}), csv_line_end="\n")
    if page == 1 and missing == 1:
        with pytest.raises(Unsteady, match="had no line end at its end"):
            await walk(format="csv")
    else:
        assert_all(await walk(format="csv"))
        assert asked(vendor)[page] >= 2


async def test_csv_whose_last_line_never_ends_is_read(vendor_with: VendorWith) -> None:
    vendor = vendor_with(csv_last_line_ends=False)
    assert_all(await walk(format="csv"))
    assert asked(vendor)[1] == 2


@pytest.mark.parametrize("mode", ["batch", "interactive"])
async def test_a_promised_page_that_comes_empty_is_asked_for_again(vendor_with: VendorWith, mode: str) -> None:
    vendor = vendor_with(Fault(kind=faulty.PAGE_CUT, page=3, times=2))
    assert_all(await walk(mode=mode))
    assert asked(vendor)[3] == 3


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        ("batch", "3 times without rows, and page 4 has rows"),
        ("interactive", "3 times without rows, though the vendor counts"),
    ],
)
async def test_a_promised_page_that_stays_empty_before_others_is_an_error(
    vendor_with: VendorWith, mode: str, says: str
) -> None:
    vendor_with(Fault(kind=faulty.PAGE_CUT, page=3, times=None))
    with pytest.raises(Unsteady, match=says):
        await walk(mode=mode)


async def test_links_that_never_end_end_with_two_pages_without_rows(vendor_with: VendorWith) -> None:
    vendor = vendor_with(Fault(kind=faulty.NEXT_ELSEWHERE, times=None))
    assert_all(await walk())
    assert asked(vendor) == {**dict.fromkeys(range(1, 6), 1), 6: 3, 7: 1}


async def test_a_count_that_is_too_low_ends_nothing_while_pages_link_on(vendor_with: VendorWith) -> None:
    vendor_with(Fault(kind=faulty.TOTALS_OFF, times=None, detail={"add": -130}))
    assert_all(await walk(mode="interactive"))


async def test_a_count_that_is_reached_is_not_believed_without_a_word_about_the_next_page(
    vendor_with: VendorWith,
) -> None:
    vendor = vendor_with(
        Fault(kind=faulty.TOTALS_OFF, times=None, detail={"add": -130}), extra={"link_keys": ["nowhere"]}
    )
    assert_all(await walk(mode="interactive"))
    assert asked(vendor)[6] >= 1


async def test_a_link_that_is_lost_is_not_believed_while_a_count_promises_more(vendor_with: VendorWith) -> None:
    for lost in (1, 2, 4):
        vendor_with(Fault(kind=faulty.LINK_LOST, page=lost, times=None))
        assert_all(await walk(mode="interactive"))
        assert_all(await walk(mode="interactive", in_flight=1))


@pytest.mark.parametrize(
    "switches",
    [
        {"last_link": Missing.ABSENT},
        {"page_count_key": ""},
        {"record_count_key": ""},
        {"record_count_of": CountOf.THIS_PAGE},
    ],
    ids=str,
)
@pytest.mark.parametrize("extra", [{}, {"link_keys": ["nowhere"]}], ids=["links", "blind"])
async def test_whatever_is_said_every_row_comes_once(
    vendor_with: VendorWith, switches: dict[str, Any], extra: dict[str, Any]
) -> None:
    vendor = vendor_with(extra=extra, **switches)
    assert_all(await walk(mode="interactive"))
    assert sum(asked(vendor).values()) <= 5 + 4


async def test_the_vendors_word_costs_no_request_more(vendor_with: VendorWith) -> None:
    for mode in ("batch", "interactive"):
        vendor = vendor_with()
        assert_all(await walk(mode=mode))
        assert asked(vendor) == dict.fromkeys(range(1, 6), 1)


async def test_a_link_that_leaves_pages_out_is_an_error(vendor_with: VendorWith) -> None:
    vendor_with(Fault(kind=faulty.NEXT_LOOPS, page=2, detail={"to": 5}))
    with pytest.raises(BadResponse, match="links to page 5 as the next one: pages between them would be left out"):
        await walk()


async def test_json_in_another_character_set_is_refused_with_its_name(vendor_with: VendorWith) -> None:
    vendor_with(json_charset="iso-8859-1")
    with pytest.raises(BadResponse, match=r"not in UTF-8, as JSON has to be .* calls itself iso-8859-1"):
        await walk()
    vendor_with(json_bom=True)
    async with FlexNetHook() as hook:
        page = await hook.report_page(hook.request_of("usage", date_from=NIGHT, date_to=AFTER, page_size=50))
        assert page.rows == 50


@pytest.mark.parametrize("charset", ["cp1252", "utf-16", "iso-8859-1"])
async def test_csv_is_read_in_the_character_set_that_the_answer_names(vendor_with: VendorWith, charset: str) -> None:
    vendor_with(csv_charset=charset)
    assert_all(await walk(format="csv"))
    vendor_with(csv_charset="utf-8", extra={"charset": "utf-32"})
    with pytest.raises(BadResponse, match="not CSV in utf-32"):
        await walk(format="csv")
    vendor_with(extra={"charset": "klingon"})
    with pytest.raises(Rejected, match="charset is 'klingon'"):
        await walk(format="csv")


@pytest.mark.parametrize(("mode", "asks"), [("interactive", 1), ("batch", 2)])
async def test_an_empty_report_is_counted_as_such_or_asked_for_twice(
    vendor_with: VendorWith, mode: str, asks: int
) -> None:
    vendor = vendor_with(rows=0)
    assert await walk(mode=mode) == []
    assert asked(vendor) == {1: asks}
    once = vendor_with(Fault(kind=faulty.PAGE_CUT, page=1), rows=3)
    assert_all(await walk(mode=mode), 3)
    assert asked(once)[1] >= 2


async def test_pages_beyond_the_last_are_all_answered_alike(vendor_with: VendorWith) -> None:
    vendor_with(Fault(kind=FaultKind.STATUS, status=404, page=5, times=2), **SILENT)
    with pytest.raises(Unsteady, match="page 5 is refused with 404, and page 6, which is beyond it, has no rows"):
        await walk()


@pytest.mark.parametrize("status", [406, 409, 413])
@pytest.mark.parametrize("beyond", [BeyondLast.EMPTY, BeyondLast.NOT_FOUND, BeyondLast.REJECTED])
async def test_a_page_beyond_the_last_that_is_refused_otherwise_once_costs_no_walk(
    vendor_with: VendorWith, status: int, beyond: BeyondLast
) -> None:
    fault = Fault(kind=FaultKind.STATUS, status=status, page=4)
    vendor = vendor_with(fault, rows=150, beyond_last=beyond, **SILENT)
    assert_all(await walk(), 150)
    assert asked(vendor)[4] >= 2


@pytest.mark.parametrize("form", ["json", "csv"])
@pytest.mark.parametrize("rows", [50, 100, 150, 230])
async def test_a_full_page_behind_which_all_are_refused_is_the_last_where_a_page_over_the_end_shows_it(
    vendor_with: VendorWith, form: str, rows: int
) -> None:
    vendor = vendor_with(**SILENT, beyond_last=BeyondLast.REJECTED, rows=rows)
    assert_all(await walk(format=form), rows)
    sizes = Counter(dict(r.query)["limitRecords"] for r in vendor.ledger.requests())
    assert sizes == {"50": -(-rows // 50) + 4, **({"49": 1} if rows % 50 == 0 else {})}


@pytest.mark.parametrize("form", ["json", "csv"])
@pytest.mark.parametrize("switches", [SILENT, {"batch_header": BatchHeader.NO_NEXT}], ids=["silent", "no link ever"])
async def test_rows_that_the_vendor_gives_no_more_of_are_no_end(
    vendor_with: VendorWith, form: str, switches: dict[str, Any]
) -> None:
    vendor = vendor_with(**switches, row_cap=150)
    with pytest.raises(Promised, match=r"page 4 is refused .* the 150 rows that came may not be all") as caught:
        await walk(format=form)
    assert "Page 4 of 49 rows a page, which tells the end, has to have 3 and is refused with 400" in str(caught.value)
    assert "The result window is too large, rows go up to 150." in caught.value.detail
    assert "narrow it with query" in caught.value.advice
    assert asked(vendor)[4] == 2 + 3


async def test_rows_behind_a_page_that_is_refused_are_seen_on_the_page_over_the_end(vendor_with: VendorWith) -> None:
    refused = [
        Fault(kind=FaultKind.STATUS, status=400, from_page=4, query={"limitRecords": "50"}, times=None),
        Fault(kind=FaultKind.STATUS, status=404, query={"limitRecords": "49"}),
    ]
    vendor_with(*refused, **SILENT)
    with pytest.raises(Promised, match="has to have 3 and has 49: the 150 rows that came may not be all"):
        await walk()
    vendor_with(*refused, **SILENT, rows=150)
    assert_all(await walk(), 150)


async def test_rows_that_are_counted_are_all_where_pages_beyond_them_are_refused(vendor_with: VendorWith) -> None:
    vendor = vendor_with(**COUNTED, extra={"link_keys": ["nowhere"]}, rows=150, row_cap=150)
    assert_all(await walk(), 150)
    assert asked(vendor) == {1: 1, 2: 1, 3: 1, 4: 1}


@pytest.mark.parametrize("beyond", [BeyondLast.EMPTY, BeyondLast.NOT_FOUND])
@pytest.mark.parametrize("rows", [130, 150])
async def test_the_second_page_beyond_the_last_may_be_beyond_what_the_vendor_gives(
    vendor_with: VendorWith, beyond: BeyondLast, rows: int
) -> None:
    vendor = vendor_with(**SILENT, beyond_last=beyond, rows=rows, row_cap=200)
    assert_all(await walk(), rows)
    assert sum(asked(vendor).values()) == 3 + 4 + (rows == 150)


@pytest.mark.parametrize(
    ("rows", "beyond", "requests"),
    [
        (230, BeyondLast.EMPTY, 5 + 4),
        (230, BeyondLast.REJECTED, 5 + 4),
        (50, BeyondLast.EMPTY, 1 + 4),
        (50, BeyondLast.NOT_FOUND, 1 + 4 + 1),
        (30, BeyondLast.EMPTY, 1 + 2),
        (30, BeyondLast.REJECTED, 1 + 4 + 1),
    ],
)
async def test_a_header_that_never_has_a_link_ends_nothing(
    vendor_with: VendorWith, rows: int, beyond: BeyondLast, requests: int
) -> None:
    vendor = vendor_with(batch_header=BatchHeader.NO_NEXT, beyond_last=beyond, rows=rows)
    assert_all(await walk(), rows)
    assert sum(asked(vendor).values()) == requests


@pytest.mark.parametrize("kind", [FaultKind.STATUS, faulty.PAGE_CUT])
async def test_nor_does_it_where_the_server_caps_its_pages_and_the_second_is_lost_once(
    vendor_with: VendorWith, kind: str
) -> None:
    vendor_with(Fault(kind=kind, status=400, page=2), batch_header=BatchHeader.NO_NEXT, page_cap=20)
    assert_all(await walk())


@pytest.mark.parametrize("mode", ["batch", "interactive"])
@pytest.mark.parametrize("rows", [230, 250, 50, 30])
async def test_a_count_of_each_page_ends_nothing_either(vendor_with: VendorWith, mode: str, rows: int) -> None:
    switches = {**COUNTED, "record_count_of": CountOf.THIS_PAGE, "page_count_key": "", "rows": rows}
    vendor_with(Fault(kind=faulty.LINK_LOST, times=None), **switches)
    assert_all(await walk(mode=mode), rows)


@pytest.mark.parametrize(("mode", "rows"), [("interactive", 30), ("interactive", 50), ("batch", 130), ("batch", 100)])
async def test_what_the_vendor_says_of_a_report_costs_no_request_more(
    vendor_with: VendorWith, mode: str, rows: int
) -> None:
    vendor = vendor_with(rows=rows)
    assert_all(await walk(mode=mode), rows)
    assert asked(vendor) == dict.fromkeys(range(1, -(-rows // 50) + 1), 1)
