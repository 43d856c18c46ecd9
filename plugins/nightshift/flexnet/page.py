"""One page of a report as it came: its rows are counted and its header read, nothing else (FlexNet reference, sections
3.3 and 3.5).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from nightshift.errors import BadResponse
from nightshift.fields import whole_number
from nightshift.flexnet.not_the_report import complaint, doubt, instead
from nightshift.flexnet.source import FLEXNET
from nightshift.http.bodies import NotJson, decoded
from nightshift.lake.csv_text import RecordCounter, marked
from nightshift.lake.spec import CsvSpec, PublishSpec

LINK_KEYS = ("nextPageURL", "nextPageUrl", "nextPage")
ROW_COUNT_KEYS = ("recordCount", "totalRecords", "totalRecordCount", "recordsCount", "totalCount", "totalElements")
PAGE_COUNT_KEYS = ("totalPages", "pageCount", "totalPageCount", "pagesCount", "numberOfPages")

_QUOTES = (
    "Nothing was published. Set csv: {quote: …} for the report if its fields stand in other quotes, or have the vendor "
    "write a quote inside of a field twice. Then clear the task: the pages landed before it are kept."
)

_NO_ROWS = (
    "Nothing was published. If the rows are under another name, set data_key for the report in reports.yaml. Else the "
    "vendor may leave them out where there are none: mode: interactive has it count them. Then clear the task."
)

csv.field_size_limit(1 << 27)


@dataclass(frozen=True, kw_only=True)
class PageNames:
    """Names that the vendor does not publish; the first that is present counts.

    :param data: key of the rows
    :param row_count: keys in ``header`` of the number of rows of the whole report
    :param page_count: keys in ``header`` of the number of pages
    :param link: keys in ``header`` of the next page's URL
    """

    data: str = PublishSpec().data_key
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
    :param header: of CSV, the line of column names
    :param open_end: of CSV, whether the last line has no line end
    :param charset: character set that it was read in
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
    header: tuple[str, ...] = ()
    open_end: bool = False
    charset: str = "utf-8"

    @property
    def page_count(self) -> int | None:
        """Pages of the whole report, counted with the page size that the server really used; ``None``: not known.

        A row count that equals the rows of this page may be a count of this page alone, and tells nothing.
        """
        if self.total_pages is not None:
            return self.total_pages
        return -(-self.whole_rows // self.rows) if self.whole_rows and self.rows else None

    @property
    def whole_rows(self) -> int | None:
        """Rows of the whole report, where this page's count cannot be one of this page alone; ``None``: not known."""
        told = self.total_rows
        return told if told is not None and (told > self.rows or told == self.rows == 0) else None

    @property
    def is_last_by_link(self) -> bool:
        """Whether the header has the key of the next page's link and nothing in it: the vendor says that this is the
        last page.
        """
        return self.has_link and self.next_url is None

    @property
    def totals(self) -> tuple[int | None, int | None]:
        """Rows and pages of the whole report, as this page says."""
        return self.total_rows, self.total_pages


def read_json_page(
    number: int, body: bytes, names: PageNames, *, path: str, key: tuple[str, ...] = (), charset: str = ""
) -> ReportPage:
    """Read a JSON page: an object with ``header`` and the rows under the data key, or a bare list of rows. The data key
    may be missing where the header counts no rows.

    :param key: columns that identify a row; they are read, all others passed over
    :param charset: character set that the answer names, for the message: JSON is UTF-8
    :raises BadResponse: not JSON in UTF-8, cut off, nested too deep, without rows where rows belong, or without any
        and with words of an error
    """
    try:
        header, rows, has_keys = decoded(lambda text: _read(text, names.data, key), body, charset)
    except NotJson as wrong:
        said = complaint(body, names.data)
        raise bad_page(number, path, f"{wrong}; it begins {body[:80]!r}", detail=said) from None
    total_rows, total_pages = _count(header, names.row_count), _count(header, names.page_count)
    counts_none = 0 in (total_rows, total_pages)
    if rows is None and not counts_none:
        problem = f"has no {names.data!r}, and no count of 0 rows; it begins {body[:80]!r}"
        raise bad_page(number, path, problem, detail=complaint(body, names.data), advice=_NO_ROWS)
    content = rows or []
    if not content and (said := complaint(body, names.data, counts_none=counts_none)):
        raise bad_page(number, path, "has no rows, and tells of an error", detail=said)
    if content and not has_keys and not all(bytes(row)[:1] == b"{" for row in (content[0], content[-1])):
        raise bad_page(number, path, f"has rows that are no objects, such as {bytes(content[-1])[:80]!r}")
    link = next((name for name in names.link if name in header), None)
    return ReportPage(
        number=number,
        body=body,
        rows=len(content),
        content=content,
        has_keys=has_keys,
        total_rows=total_rows,
        total_pages=total_pages,
        next_url=(str(header[link]) or None) if link and header[link] is not None else None,
        has_link=link is not None,
    )


def _read(body: bytes, data_key: str, key: tuple[str, ...]) -> tuple[Mapping[str, Any], Sequence[Any] | None, bool]:
    if key:
        try:
            header, rows = _decoder(data_key, key)(body)
            if rows is None:
                return header, None, True
            keys = list(map(msgspec.structs.astuple, rows))
            if not keys or any(None not in one for one in (keys[0], keys[-1])):
                return header, keys, True
        except msgspec.ValidationError:
            # A key that is an object or a list; the text of the rows will do.
            pass
    return *_decoder(data_key, ())(body), False


def read_csv_page(
    number: int,
    body: bytes,
    header: Sequence[str] | None,
    *,
    path: str,
    charset: str = "utf-8",
    delimiter: str = ",",
    quote: str = '"',
    key: tuple[str, ...] = (),
    columns: Collection[str] = (),
    open_end: bool = True,
    content_type: str = "",
) -> ReportPage:
    """Read a CSV page: rows are counted with a CSV reader, a header line is not a row, on whatever page it stands.

    :param header: the header line of the first page, or ``None`` for the first page
    :param key: columns that identify a row, all of which the header line of the first page has to have
    :param columns: names of further columns; without a key it has to have one of them
    :param open_end: whether the last line may be without its line end, as on the first page
    :param content_type: media type that the answer names
    :raises BadResponse: not text of the character set, not CSV, cut within its last record, or not the report
    """
    charset, mark = marked(body, charset)
    try:
        text = body[mark:].decode(charset)
    except UnicodeDecodeError as error:
        raise bad_page(number, path, f"is not CSV in {charset} ({error}); it begins {body[:80]!r}") from None
    records, wrong = _records(text, delimiter, quote)
    names, problem, advice = list(header or ()), "", ""
    if records and (header is None or _is_header(records[0], header)):
        names, records = records[0], records[1:]
        if header is None:
            spec = CsvSpec.model_validate({"delimiter": delimiter, "quote": quote, "repeated_names": "number"})
            problem, advice = doubt(text, names, spec, key, columns, content_type)
    elif what := instead(text):
        problem = f"is {what} where CSV is due"
    if problem:
        raise bad_page(number, path, f"{problem}; it begins {body[:80]!r}", advice=advice)
    if wrong:
        raise bad_page(number, path, wrong, advice=_QUOTES)
    is_open = bool(text) and text[-1] not in "\r\n"
    if problem := _cut(records, names, is_open and not open_end):
        raise bad_page(number, path, f"is cut: {problem}")
    keys = _keys_of(records, names, key)
    return ReportPage(
        number=number,
        body=body,
        rows=len(records),
        content=records if keys is None else keys,
        has_keys=keys is not None,
        header=tuple(names),
        open_end=is_open,
        charset=charset,
    )


def _records(text: str, delimiter: str, quote: str, *, strict: bool = True) -> tuple[list[list[str]], str]:
    """Return the records of a CSV text, and what stops the reader in the one behind them; lines of blanks are none.

    A lenient reader goes on behind a quote that closes too early, and takes the lines after it for one field. Blanks
    alone may stand there, as at the publish.
    """
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote, strict=strict)
    records: list[list[str]] = []
    wrong = ""
    try:
        records.extend(filter(None, lines))
    except csv.Error as error:
        counter = RecordCounter(quote.encode(), delimiter.encode(), is_start=False, watchful=True)
        counter.feed(text.encode())
        if strict and counter.misquoted is None and not counter.inside_quotes:
            return _records(text, delimiter, quote, strict=False)
        where = f"in its record {len(records) + 1}, up to line {lines.line_num} ({error})"
        is_open = "end of data" in str(error)
        wrong = f"is cut: a quote is open at its end, {where}" if is_open else f"is not CSV {where}"
    if any(len(record) > 1 for record in records):
        records = [record for record in records if len(record) > 1 or record[0].strip(" \t")]
    return records, wrong


def _is_header(record: Sequence[str], header: Sequence[str]) -> bool:
    """Say whether a page's first line names columns, as the reader of the landed pages does: by the names it knows."""
    known = {name.strip() for name in header} - {""}
    found = sum(name.strip() in known for name in record)
    return found > 0 and found * 2 >= sum(map(bool, record))


def _cut(records: Sequence[Sequence[str]], header: Sequence[str], open_end: bool) -> str:
    """Return what shows that the last record is not whole, or an empty text."""
    columns = len(header)
    while columns and not header[columns - 1].strip():
        columns -= 1
    if records and len(records[-1]) < columns:
        return f"its last record has {len(records[-1])} of {columns} fields"
    return "its last line has no line end, and that of page 1 has one" if open_end else ""


def _keys_of(
    records: Sequence[Sequence[str]], header: Sequence[str], key: tuple[str, ...]
) -> list[tuple[str, ...]] | None:
    if not key or not set(key) <= set(header):
        return None
    at = [header.index(name) for name in key]
    try:
        return [tuple(record[place] for place in at) for record in records]
    except IndexError:
        return None


class Unsteady(BadResponse):
    """Pages that do not belong together: the walk cannot go on, only start over."""


class Astray(BadResponse):
    """A page that leads to another one than the next, or is one that came before: it, or the one before it, may be
    another page than was asked for.
    """


class Missing(BadResponse):
    """A page that the vendor has promised, or that may be there, is refused, again and again."""


def bad_page(number: int, path: str, problem: str, kind: type[BadResponse] = BadResponse, **more: Any) -> BadResponse:
    """Return the error for a page that cannot be used."""
    advice = more.pop("advice", "") or (
        "Nothing was published. Ask for this page by hand and compare, then clear the task: the pages landed before it "
        "are kept."
    )
    about: dict[str, Any] = {"method": "GET", "path": path, "status": 200, "advice": advice, **more}
    return kind(f"page {number} {problem}", vendor=FLEXNET.name, **about)


@lru_cache(maxsize=32)
def _decoder(data_key: str, key: tuple[str, ...]) -> Callable[[bytes], tuple[Mapping[str, Any], list[Any] | None]]:
    """Return a function that reads the header and the rows of a page, as keys, or without a key as their text; ``None``
    where the data key is missing.
    """
    row: Any = msgspec.Raw
    if key:
        names = [f"key_{n}" for n in range(len(key))]
        fields = [(name, str | int | float | bool | None, None) for name in names]
        row = msgspec.defstruct("Key", fields, rename=dict(zip(names, key, strict=True)), gc=False)
    parts: list[tuple[str, Any] | tuple[str, Any, Any]] = [
        ("rows", list[row] | None | msgspec.UnsetType, msgspec.UNSET),
        ("header", dict[str, Any] | None, None),
    ]
    page = msgspec.defstruct("Page", parts, rename={"rows": data_key})
    bare, keyed = msgspec.json.Decoder(list[row]).decode, msgspec.json.Decoder(page).decode

    def decode(body: bytes) -> tuple[Mapping[str, Any], list[Any] | None]:
        if body.lstrip()[:1] == b"[":
            return {}, bare(body)
        found: Any = keyed(body)
        return found.header or {}, None if found.rows is msgspec.UNSET else found.rows or []

    return decode


def _count(header: Mapping[str, Any], keys: tuple[str, ...]) -> int | None:
    for key in keys:
        value = header.get(key)
        if isinstance(value, str):
            value = whole_number(value)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
    return None
