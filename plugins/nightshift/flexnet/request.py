"""A report request of the Data Access API, refused here when the vendor would refuse it (FlexNet reference, sections
3.1, 3.2 and 4.1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import msgspec

from nightshift.errors import Rejected
from nightshift.flexnet.query import WrongQuery, check_query
from nightshift.flexnet.source import FLEXNET

RESERVED_GROUPS = frozenset({"report-names", "report-types", "report-filters", "global-filters"})
MODES = frozenset({"batch", "interactive"})
FORMATS = frozenset({"json", "csv"})
MAX_PAGE_SIZE = 2500
MAX_PAST_DAYS = 30
MAX_SPAN_DAYS = 30
MAX_PAGES = 1_000_000
USUAL: Mapping[str, Any] = {"mode": "interactive", "format": "json"}
"""How a report is asked for where nobody says, besides what :class:`ReportRequest` has: pages that are counted come
side by side.
"""


def refuse(parameter: str, problem: str, *, group: str = "") -> Rejected:
    """Return the error for a parameter that is refused before anything is sent."""
    path = f"/report/{group}" if group else "/report"
    advice = "Nothing was sent. Correct the parameter and run again."
    return Rejected(f"{parameter} {problem}", vendor=FLEXNET.name, method="GET", path=path, advice=advice)


@dataclass(frozen=True, kw_only=True)
class ReportRequest:
    """What is asked of one report; the page number is added page by page.

    What is ``None`` is not sent.

    :param group: name of the report, as ``report-names`` gives it
    :param mode: ``interactive`` answers with row and page counts, so that pages come several at a time; ``batch`` may
        not. In either case of letters, sent as given (vendor's default: batch)
    :param format: ``json`` or ``csv`` (vendor's default: json)
    :param past_days: rows of the past 1 to 30 days (vendor's default: 1); not together with dates, which would make the
        vendor ignore it
    :param page_size: rows a page, 1 to 2500 (vendor's default: 500)
    :param date_from: first day, ``yyyy-MM-dd`` in the vendor's server time
    :param date_to: last day; at most 30 days after ``date_from``
    :param query: filter of the group, an object of field → condition
    :param key: columns that identify a row, so that rows are told apart by them; not sent
    :param columns: names of further columns, as far as somebody knows them: the first line of CSV is told from another
        text by them; not sent
    :raises Rejected: a parameter is outside what the vendor documents
    """

    group: str
    mode: str | None = None
    format: str | None = None
    past_days: int | None = None
    page_size: int = MAX_PAGE_SIZE
    date_from: str | None = None
    date_to: str | None = None
    query: Mapping[str, Any] | None = None
    key: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_group(self.group)
        self._one_of("mode", self.mode, MODES)
        self._one_of("format", self.format, FORMATS)
        self._in_range("pastDays", self.past_days, 1, MAX_PAST_DAYS)
        self._in_range("limitRecords", self.page_size, 1, MAX_PAGE_SIZE)
        self._check_window()
        if self.query is not None:
            try:
                check_query(self.query)
            except WrongQuery as wrong:
                raise refuse(f"query.{wrong.place}".rstrip("."), wrong.problem, group=self.group) from None

    @property
    def is_csv(self) -> bool:
        """Whether the answer is CSV."""
        return (self.format or "json").lower() == "csv"

    def params(self, page: int) -> dict[str, str]:
        """Return the query parameters of one page, as text and not yet encoded.

        :param page: page number, 1 or more
        """
        self._in_range("pageNumber", page, 1, MAX_PAGES)
        given = {
            "mode": self.mode,
            "format": self.format,
            "pastDays": self.past_days,
            "limitRecords": self.page_size,
            "dateFrom": self.date_from,
            "dateTo": self.date_to,
            "query": msgspec.json.encode(self.query).decode() if self.query else None,
            "pageNumber": page,
        }
        return {name: str(value) for name, value in given.items() if value is not None}

    def _one_of(self, name: str, value: str | None, valid: frozenset[str]) -> None:
        if value is not None and value.lower() not in valid:
            raise refuse(name, f"is {value!r}; valid: {', '.join(sorted(valid))}", group=self.group)

    def _in_range(self, name: str, value: int | None, low: int, high: int) -> None:
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high):
            raise refuse(name, f"is {value!r}; it has to be a whole number from {low} to {high}", group=self.group)

    def _check_window(self) -> None:
        if (self.date_from is None) != (self.date_to is None):
            raise refuse("dateFrom and dateTo", "go together; give both or neither", group=self.group)
        if self.date_from is None or self.date_to is None:
            return
        if self.past_days is not None:
            problem = "would be ignored by the vendor next to dateFrom and dateTo; give one of the two"
            raise refuse("pastDays", problem, group=self.group)
        first, last = self._day("dateFrom", self.date_from), self._day("dateTo", self.date_to)
        if last < first:
            raise refuse("dateTo", f"({self.date_to}) is before dateFrom ({self.date_from})", group=self.group)
        if (span := (last - first).days) > MAX_SPAN_DAYS:
            problem = f"spans {span} days; the vendor allows {MAX_SPAN_DAYS} a request"
            raise refuse("dateFrom to dateTo", problem, group=self.group)

    def _day(self, name: str, text: str) -> date:
        try:
            if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
                raise ValueError
            return date.fromisoformat(text)
        except (ValueError, TypeError):
            raise refuse(name, f"is {text!r}; it has to be a day as yyyy-MM-dd", group=self.group) from None


def check_group(group: str) -> None:
    """Refuse a group that cannot be one: empty, with characters of a path, or one of the vendor's own path words.

    :raises Rejected: says why
    """
    if group in RESERVED_GROUPS:
        raise refuse("group", f"{group!r} is a word of the vendor's own paths, not a report", group=group)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", group or ""):
        raise refuse("group", f"{group!r} is not a report name; report-names lists them")
