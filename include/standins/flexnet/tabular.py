"""A page of rows as CSV, with all that the reference leaves open as switches."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Sequence
from typing import Any

import msgspec

from include.standins.flexnet.fields import Field
from include.standins.flexnet.switches import CsvEmpty, CsvHeader, CsvNested, CsvQuoting, FlexNetSwitches

Column = tuple[str, tuple[str, ...]]


def columns(fields: Sequence[Field], nested: CsvNested) -> list[Column]:
    """Return the columns: name, and the way to the value in a row."""
    found: list[Column] = []
    for field in fields:
        if field.type not in ("object", "array") or nested is CsvNested.JSON:
            found.append((field.name, (field.name,)))
        elif nested is CsvNested.DOTTED:
            inner = field.inner or {}
            found += [(f"{field.name}.{name}", (field.name, name)) for name in inner] or [(field.name, (field.name,))]
    return found


def rendered(rows: Sequence[bytes], fields: Sequence[Field], page: int, switches: FlexNetSwitches) -> bytes:
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
    shown = columns(fields, switches.csv_nested)
    if page == 1 or switches.csv_header is CsvHeader.EVERY_PAGE:
        writer.writerow([name for name, _ in shown])
    for row in rows:
        values = msgspec.json.decode(row)
        writer.writerow([_cell(values, path, switches.csv_null) for _, path in shown])
    text = out.getvalue() if switches.csv_last_line_ends else out.getvalue().removesuffix(switches.csv_line_end)
    body = text.encode(switches.csv_charset, errors="replace")
    return codecs.BOM_UTF8 + body if switches.csv_bom and switches.csv_charset == "utf-8" else body


def _cell(values: Any, path: tuple[str, ...], null: str) -> Any:
    for name in path:
        values = values.get(name) if isinstance(values, dict) else None
    if values is None:
        return null
    if isinstance(values, bool):
        return "true" if values else "false"
    if isinstance(values, dict | list):
        return msgspec.json.encode(values).decode()
    return values
