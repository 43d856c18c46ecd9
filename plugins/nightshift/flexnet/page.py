"""One page of a report as it came: its rows are counted and its header read, nothing else (FlexNet reference, sections
3.3 and 3.5).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from nightshift.errors import BadResponse

LINK_KEYS = ("nextPageURL", "nextPageUrl", "nextPage")
ROW_COUNT_KEYS = ("recordCount", "totalRecords", "totalRecordCount", "recordsCount", "totalCount", "totalElements")
PAGE_COUNT_KEYS = ("totalPages", "pageCount", "totalPageCount", "pagesCount", "numberOfPages")

csv.field_size_limit(1 << 27)


@dataclass(frozen=True, kw_only=True)
class PageNames:
    """Names that the vendor does not publish; the first that is present counts.

    :param data: key of the rows
    :param row_count: keys in ``header`` of the number of rows of the whole report
    :param page_count: keys in ``header`` of the number of pages
    :param link: keys in ``header`` of the next page's URL
    """

    data: str = "data"
    row_count: tuple[str, ...] = ROW_COUNT_KEYS
    page_count: tuple[str, ...] = PAGE_COUNT_KEYS
    link: tuple[str, ...] = LINK_KEYS


@dataclass(frozen=True, kw_only=True)
class ReportPage:
    """One page.

    :param number: page number, from 1
    :param body: the answer as received
    :param rows: rows in it
    :param total_rows: rows of the whole report, where the vendor says so
    :param total_pages: pages of the whole report, where the vendor says so
    :param next_url: the link to the next page; ``None`` where the vendor says there is none
    :param has_link: whether the header has a key for that link at all
    :param content: the rows as something comparable, to notice a page that repeats the one before it: their keys where
        keys were asked for and the rows have them, else their text
    :param has_keys: whether the content is keys
    """

    number: int
    body: bytes
    rows: int
    total_rows: int | None = None
    total_pages: int | None = None
    next_url: str | None = None
    has_link: bool = False
    content: Sequence[Any] = ()
    has_keys: bool = False

    @property
    def page_count(self) -> int | None:
        """Pages of the whole report, counted with the page size that the server really used; ``None``: not known.

        A row count that equals the rows of this page may be a count of this page alone, and tells nothing.
        """
        if self.total_pages is not None:
            return self.total_pages
        if self.total_rows is not None and 0 < self.rows < self.total_rows:
            return -(-self.total_rows // self.rows)
        return None

    @property
    def totals(self) -> tuple[int | None, int | None]:
        """Rows and pages of the whole report, as this page says."""
        return self.total_rows, self.total_pages


def read_json_page(number: int, body: bytes, names: PageNames, *, path: str, key: tuple[str, ...] = ()) -> ReportPage:
    """Read a JSON page: an object with ``header`` and the rows under the data key, or a bare list of rows.

    :param key: columns that identify a row; they are read, all others passed over
    :raises BadResponse: not JSON, cut off, or without rows where rows belong
    """
    try:
        header, content, has_keys = _read(body, names.data, key)
    except msgspec.DecodeError as error:
        raise bad_page(number, path, f"is not the JSON of a report page ({error}); it begins {body[:80]!r}") from None
    link = next((name for name in names.link if name in header), None)
    return ReportPage(
        number=number,
        body=body,
        rows=len(content),
        content=content,
        has_keys=has_keys,
        total_rows=_count(header, names.row_count),
        total_pages=_count(header, names.page_count),
        next_url=(str(header[link]) or None) if link and header[link] is not None else None,
        has_link=link is not None,
    )


def _read(body: bytes, data_key: str, key: tuple[str, ...]) -> tuple[Mapping[str, Any], Sequence[Any], bool]:
    if key:
        try:
            header, rows = _decoder(data_key, key)(body)
            keys = list(map(msgspec.structs.astuple, rows))
            if not keys or any(None not in one for one in (keys[0], keys[-1])):
                return header, keys, True
        except msgspec.ValidationError:
            # A key that is an object or a list; the text of the rows will do.
            pass
    return *_decoder(data_key, ())(body), False


def read_csv_page(
    number: int, body: bytes, header: Sequence[str] | None, *, charset: str, path: str
) -> tuple[ReportPage, list[str]]:
    """Read a CSV page: rows are counted with a CSV reader, a header line is not a row, on whatever page it stands.

    :param header: the header line of the first page, or ``None`` for the first page
    :return: the page, and its header line
    :raises BadResponse: not text of the character set, or not CSV
    """
    try:
        text = body.decode("utf-8-sig" if charset.lower().replace("_", "-") in {"utf-8", "utf8"} else charset)
        records = [record for record in csv.reader(io.StringIO(text, newline=""), strict=True) if record]
    except (UnicodeDecodeError, csv.Error) as error:
        raise bad_page(number, path, f"is not CSV in {charset} ({error}); it begins {body[:80]!r}") from None
    if records and (header is None or records[0] == list(header)):
        header, records = records[0], records[1:]
    return ReportPage(number=number, body=body, rows=len(records), content=records), list(header or ())


def bad_page(number: int, path: str, problem: str) -> BadResponse:
    """Return the error for a page that cannot be used."""
    return BadResponse(
        f"page {number} {problem}", vendor="FlexNet Operations", method="GET", path=path, status=200,
        advice="Pages landed before it are kept; the next attempt goes on from there.",
    )  # fmt: skip


@lru_cache(maxsize=32)
def _decoder(data_key: str, key: tuple[str, ...]) -> Callable[[bytes], tuple[Mapping[str, Any], list[Any]]]:
    """Return a function that reads the header and the rows of a page, as keys, or without a key as their text."""
    row: Any = msgspec.Raw
    if key:
        names = [f"key_{n}" for n in range(len(key))]
        fields = [(name, str | int | float | bool | None, None) for name in names]
        row = msgspec.defstruct("Key", fields, rename=dict(zip(names, key, strict=True)), gc=False)
    parts: list[tuple[str, Any] | tuple[str, Any, Any]] = [
        ("rows", list[row] | None),
        ("header", dict[str, Any] | None, None),
    ]
    page = msgspec.defstruct("Page", parts, rename={"rows": data_key})
    bare, keyed = msgspec.json.Decoder(list[row]).decode, msgspec.json.Decoder(page).decode

    def decode(body: bytes) -> tuple[Mapping[str, Any], list[Any]]:
        if body.lstrip()[:1] == b"[":
            return {}, bare(body)
        found: Any = keyed(body)
        return found.header or {}, found.rows or []

    return decode


def _count(header: Mapping[str, Any], keys: tuple[str, ...]) -> int | None:
    for key in keys:
        value = header.get(key)
        if isinstance(value, str) and value.isdigit():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
    return None
