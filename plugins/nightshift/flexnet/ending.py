"""Where a report ends: what the vendor has said about the page after this one (FlexNet reference, sections 3.3, 4.2).

Pure: the pages that came go in, a word comes out. A walk ends by the vendor's word, or by an answer without rows that
was confirmed; never by a refusal alone, which may be of a server that gives no more rows of one report, by a page that
comes again, which may be of one that ignores the page number, by a short page or by our own count.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from enum import StrEnum

from nightshift.errors import NotFound, Rejected, Unreachable
from nightshift.flexnet.page import ReportPage

FAILED = 500
BEYOND = frozenset({400, 404, 410, 416, 422, FAILED})
"""Statuses with which a page that nothing promised may be refused because it is beyond the last; with 500 to the last
attempt.
"""


@dataclass(frozen=True, kw_only=True)
class Beyond:
    """How a page was answered that may be beyond the last.

    :param told: in words
    :param refusal: with which it was refused
    :param is_again: whether it was the last page once more
    """

    told: str
    refusal: NotFound | Rejected | Unreachable | None = None
    is_again: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether it came, without rows."""
        return self.refusal is None and not self.is_again

    @property
    def has_failed(self) -> bool:
        """Whether the server failed at it, again and again."""
        return self.refusal is not None and self.refusal.status == FAILED


class NextPage(StrEnum):
    """What the vendor says of the next page.

    ``LINKED``: the page links to it, so it has to be there. ``COUNTED``: a count says that there is more, and no link
    contradicts. ``LAST``: the header says that there is no next page, no count contradicts, and page 1 had a link or a
    count agrees; else the headers of this site may never have one. ``UNLINKED``: a header without a link is all that is
    said, of a page 1 that is short. ``REACHED``: the count of rows is reached, and no header says that this is the last
    page: a count may be capped, so one more page is asked for. ``SILENT``: nobody says anything, or a header without a
    link is all that is said of any other page, a link and a count contradict each other, or pages alone are counted,
    which does not say whether the last one was whole.
    """

    LINKED = "linked"
    COUNTED = "counted"
    LAST = "last"
    UNLINKED = "unlinked"
    REACHED = "reached"
    SILENT = "silent"


def next_page(first: ReportPage, last: ReportPage, rows: int, page_size: int) -> NextPage:
    """Return what is known of the page after the last one that came.

    The rows of the whole report count more than its pages, a link more than both: counts may be capped.

    :param first: the first page
    :param last: the last page that came
    :param rows: rows of all pages that came
    :param page_size: rows that were asked for a page; a server may cap them
    """
    if last.next_url is not None:
        return NextPage.LINKED
    is_more = has_more(first, last, rows)
    if last.has_link and is_more:
        return NextPage.SILENT
    if last.has_link and (is_more is False or first.next_url is not None or not last.rows):
        return NextPage.LAST
    if last.has_link and last is first and last.rows < page_size:
        return NextPage.UNLINKED
    if is_more:
        return NextPage.COUNTED
    return NextPage.SILENT if first.whole_rows is None else NextPage.REACHED


def has_more(first: ReportPage, last: ReportPage, rows: int) -> bool | None:
    """Say whether the vendor's counts promise more than came; ``None`` where it gives none."""
    if first.whole_rows is not None:
        return rows < first.whole_rows
    if first.total_pages is not None:
        return last.number < first.total_pages
    return None


def is_cut_between(first: ReportPage, last: ReportPage, page: ReportPage) -> bool:
    """Say whether a page that no link promised shows that one before it was not whole.

    Pages of one walk have one size, whatever it is; only the last may be shorter.

    :param last: the page before it
    """
    return page.rows > first.rows or last.rows < first.rows


def across(rows: int, page_rows: int) -> tuple[int, int]:
    """Return size and number of a page that reaches over the end of a report, if it has so many rows: the last of them
    are on it, and there is room behind them.

    A server that refuses pages beyond the end, or gives the last one again, has to give this one, and with it any row
    more; one that ignores the page number gives another.

    :param rows: rows that came, at least one
    :param page_rows: rows a page, which the server is known to give
    """
    sizes = itertools.chain(range(page_rows - 1, 1, -1), itertools.count(page_rows + 1))
    size = next(size for size in sizes if rows % size)
    return size, -(-rows // size)


def is_same(last: ReportPage, page: ReportPage) -> bool:
    """Say whether two pages have the same rows."""
    return (
        0 < page.rows == last.rows and page.content[0] == last.content[0] and list(page.content) == list(last.content)
    )
