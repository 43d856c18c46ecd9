"""One page of a report: JSON, a ``header`` with links and counts around the rows, or CSV."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from include.standins.flexnet.asking import Mode
from include.standins.flexnet.fields import Field
from include.standins.flexnet.switches import (
    BatchHeader,
    CountOf,
    CsvColumns,
    CsvEmpty,
    CsvHeader,
    CsvQuoting,
    FlexNetSwitches,
    LinkForm,
    LinkParameters,
    Missing,
    NoRows,
)


def csv_body(rows: Sequence[bytes], fields: Sequence[Field], page: int, switches: FlexNetSwitches) -> bytes:
    """Return a page as CSV.

    :param rows: JSON objects
    :param page: number of the page, from 1
    """
    if not rows and switches.csv_empty is CsvEmpty.NOTHING:
        return b""
    out = io.StringIO(newline="")
    writer = csv.writer(
        out,
        delimiter=switches.csv_delimiter,
        lineterminator=switches.csv_line_end,
        quoting=csv.QUOTE_ALL if switches.csv_quoting is CsvQuoting.ALL else csv.QUOTE_MINIMAL,
    )
    found = [msgspec.json.decode(row) for row in rows]
    if found and switches.csv_columns is CsvColumns.PAGE:
        fields = [field for field in fields if any(field.name in values for values in found)]
    if page == 1 or switches.csv_header is CsvHeader.EVERY_PAGE:
        writer.writerow([field.name for field in fields])
    for values in found:
        writer.writerow([_cell(values.get(field.name)) for field in fields])
    text = out.getvalue() if switches.csv_last_line_ends else out.getvalue().removesuffix(switches.csv_line_end)
    body = text.encode(switches.csv_charset, errors="replace")
    return codecs.BOM_UTF8 + body if switches.csv_bom and switches.csv_charset == "utf-8" else body


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return msgspec.json.encode(value).decode() if isinstance(value, dict | list) else value


@dataclass(frozen=True)
class Links:
    """Where the links of a page lead.

    :param public_url: the server's root as it knows itself
    :param elsewhere: scheme, host and port of another origin
    :param path: of the request, under the root
    :param parameters: of the request
    """

    public_url: str
    elsewhere: str
    path: str
    parameters: Sequence[tuple[str, str]]

    def to(self, page: int, switches: FlexNetSwitches, *, form: LinkForm | None = None) -> str:
        """Return the link to a page.

        :param form: instead of the switch's
        """
        form = form or switches.link_form
        dropped = {
            LinkParameters.KEPT: {"pageNumber"},
            LinkParameters.WITHOUT_LIMIT: {"pageNumber", "limitRecords"},
            LinkParameters.ONLY_PAGE: {name for name, _ in self.parameters if name != "mode"},
        }[switches.link_parameters]
        kept = [(name, value) for name, value in self.parameters if name not in dropped]
        target = f"{self.path}?{urlencode([*kept, ('pageNumber', str(page))], quote_via=quote)}"
        if form is LinkForm.RELATIVE:
            return target
        if form is LinkForm.OTHER_HOST:
            return self.elsewhere + target
        if form is LinkForm.HTTP:
            return f"http://{urlsplit(self.public_url).netloc}{target}"
        return self.public_url + target


@dataclass(frozen=True)
class Counts:
    """What the header says of the whole; it need not be true when a fault says so."""

    page: int
    pages: int
    records: int
    on_page: int


def header(
    mode: Mode, previous: str | None, following: str | None, counts: Counts, switches: FlexNetSwitches
) -> dict[str, Any] | None:
    """Return the ``header`` object; ``None``: there is none."""
    batch = switches.batch_header if mode is Mode.BATCH else BatchHeader.LINKS_AND_COUNTS
    if batch is BatchHeader.ABSENT:
        return None
    made: dict[str, Any] = {}
    if batch is BatchHeader.EMPTY:
        return made
    if batch is BatchHeader.NO_NEXT:
        following = None
    for name, link in (("previousPageURL", previous), ("nextPageURL", following)):
        if link is not None or switches.last_link is not Missing.ABSENT:
            made[name] = link if link is not None else {Missing.NULL: None, Missing.EMPTY: ""}[switches.last_link]
    if batch is BatchHeader.LINKS_AND_COUNTS:
        records = counts.records if switches.record_count_of is CountOf.ALL_PAGES else counts.on_page
        shown = (
            ("pageNumber", counts.page),
            (switches.page_count_key, counts.pages),
            (switches.record_count_key, records),
        )
        made.update({key: value for key, value in shown if key})
    return made


def json_body(head: dict[str, Any] | None, rows: Iterable[bytes], switches: FlexNetSwitches) -> bytes:
    start, end = b"[", b"]"
    rows = list(rows)
    if not rows and switches.no_rows is not NoRows.LIST:
        found = {"header": head} if head is not None else {}
        return msgspec.json.encode(found | ({switches.data_key: None} if switches.no_rows is NoRows.NULL else {}))
    if switches.data_key:
        start, end = b"{" + msgspec.json.encode(switches.data_key) + b":[", b"]}"
        if head is not None:
            top = b'"header":' + msgspec.json.encode(head)
            start, end = (start, b"]," + top + b"}") if switches.header_last else (b"{" + top + b"," + start[1:], end)
    whole = b"".join((start, b",".join(rows), end))
    if switches.json_charset:
        whole = whole.decode().encode(switches.json_charset, errors="replace")
    return codecs.BOM_UTF8 + whole if switches.json_bom else whole
