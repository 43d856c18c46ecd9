"""What the vendor has said about the page after the last one, as a table."""

from __future__ import annotations

from typing import Any

import pytest

from nightshift.flexnet.ending import NextPage, across, has_more, is_cut_between, next_page
from nightshift.flexnet.page import ReportPage
from nightshift.flexnet.walk import _in_words

LINK = "https://acme.flexnetoperations.com/data/api/v1/report/usage?pageNumber=9"


def page(number: int, rows: int, **more: Any) -> ReportPage:
    content = [f"{number}-{n}" for n in range(rows)]
    return ReportPage(number=number, body=b"", rows=rows, **{"content": content, **more})


LINKED = {"has_link": True, "next_url": LINK}


@pytest.mark.parametrize(
    ("first", "last", "came", "word"),
    [
        # Links alone: batch.
        ({}, {"has_link": True, "next_url": LINK}, 100, NextPage.LINKED),
        (LINKED, {"has_link": True}, 100, NextPage.LAST),
        ({}, {}, 100, NextPage.SILENT),
        # Page 2 came though page 1 had no link: none of them says anything.
        ({}, {"has_link": True}, 100, NextPage.SILENT),
        ({"has_link": True}, {"has_link": True}, 100, NextPage.SILENT),
        ({"has_link": True}, {"has_link": True, "rows": 20}, 70, NextPage.SILENT),
        # Counts alone.
        ({"total_rows": 230}, {}, 100, NextPage.COUNTED),
        ({"total_rows": 230}, {}, 230, NextPage.REACHED),
        ({"total_pages": 5}, {}, 100, NextPage.COUNTED),
        ({"total_pages": 2}, {}, 100, NextPage.SILENT),
        ({"total_rows": 0, "rows": 0}, {}, 0, NextPage.REACHED),
        # A count of the rows of one page says nothing of the report.
        ({"total_rows": 50}, {}, 100, NextPage.SILENT),
        # Rows count more than pages, which are counted with a page size that may not be ours.
        ({"total_rows": 230, "total_pages": 2}, {}, 100, NextPage.COUNTED),
        ({"total_rows": 100, "total_pages": 5}, {}, 100, NextPage.REACHED),
        # Both: a link leads beyond a count that is capped; a missing link and a count that promises more disagree.
        ({"total_rows": 100}, {"has_link": True, "next_url": LINK}, 100, NextPage.LINKED),
        ({"total_rows": 230}, {"has_link": True}, 100, NextPage.SILENT),
        ({"total_pages": 5}, {"has_link": True}, 100, NextPage.SILENT),
        ({"total_rows": 100}, {"has_link": True}, 100, NextPage.LAST),
        ({"total_pages": 2}, {"has_link": True}, 100, NextPage.LAST),
    ],
)
def test_what_is_said_of_the_next_page(first: dict[str, Any], last: dict[str, Any], came: int, word: NextPage) -> None:
    begin = page(1, **{"rows": 50, **first})
    assert next_page(begin, page(2, **{"rows": 50, **last}), came, 50) is word


@pytest.mark.parametrize(
    ("rows", "counts", "word"),
    [
        (50, {}, NextPage.SILENT),
        (50, {"total_rows": 50}, NextPage.SILENT),
        (50, {"total_rows": 50, "total_pages": 1}, NextPage.LAST),
        (20, {}, NextPage.UNLINKED),
        (20, {"total_rows": 20}, NextPage.UNLINKED),
        (20, {"total_pages": 1}, NextPage.LAST),
        (0, {}, NextPage.LAST),
    ],
)
def test_a_first_page_without_link_is_the_last_where_a_count_says_so(
    rows: int, counts: dict[str, int], word: NextPage
) -> None:
    only = page(1, rows, has_link=True, **counts)
    assert next_page(only, only, rows, 50) is word


@pytest.mark.parametrize("page_rows", [1, 2, 3, 7, 50, 2500])
@pytest.mark.parametrize("pages", [1, 2, 3, 4, 6, 12, 60, 2499, 5000])
def test_a_page_of_another_size_reaches_over_the_end(page_rows: int, pages: int) -> None:
    rows = page_rows * pages
    size, number = across(rows, page_rows)
    assert 1 < size <= 2500
    assert (number - 1) * size < rows < number * size
    assert size < page_rows or page_rows < 8


def test_without_a_count_nobody_knows_whether_there_is_more() -> None:
    assert has_more(page(1, 50), page(2, 50), 100) is None


@pytest.mark.parametrize(
    ("first", "last", "now", "cut"),
    [(50, 50, 50, False), (50, 50, 20, False), (50, 20, 1, True), (50, 20, 50, True), (20, 20, 50, True)],
)
def test_only_the_last_page_may_be_shorter(first: int, last: int, now: int, cut: bool) -> None:
    assert is_cut_between(page(1, first), page(2, last), page(3, now)) is cut


@pytest.mark.parametrize(
    ("totals", "said"),
    [((6, 3), "6 rows in 3 pages"), ((6, None), "6 rows"), ((None, 3), "3 pages"), ((None, None), "no count")],
)
def test_a_count_that_the_vendor_does_not_give_is_not_said(totals: tuple[int | None, int | None], said: str) -> None:
    assert _in_words(totals) == said
