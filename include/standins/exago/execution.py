"""What a report yields when it is run: rows that are a pure function of seed, path and place, filtered, sorted and written."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from include.standins.draw import Draw

COLUMNS = ("OrderId", "Region", "Customer", "Amount", "Day", "Remark")
_REGIONS = ("EU", "US", "APAC", "LATAM")
_CUSTOMERS = ("Acme", "Bär & Söhne", "株式会社さくら", 'O\'Neil "Quoted"', "Comma, Ltd", "شركة النيل", "Rocket 🚀")


class Format(StrEnum):
    """Formats of a report; the path names them in any letter case."""

    HTML = "html"
    CSV = "csv"
    PDF = "pdf"
    PDF_SNAPSHOT = "pdfsnapshot"
    RTF = "rtf"
    EXCEL = "excel"
    JSON = "json"


TEXT = frozenset({Format.HTML, Format.CSV, Format.JSON})


class Sort(msgspec.Struct, frozen=True, rename="pascal"):
    """One column to sort by."""

    column_name: str
    entity_name: str = ""
    ascending_flag: bool = True


class Filter(msgspec.Struct, frozen=True, rename="pascal"):
    """One filter; ``operator`` is a number (3.5)."""

    filter_text: str
    operator: int
    values: list[Any] = []
    data_type: str = "string"


class Execution(msgspec.Struct, frozen=True, rename="pascal"):
    """Body of an execution (3.5)."""

    id: str | None = None
    report_path: str | None = None
    data_type: str | None = None
    sorts: list[Sort] = []
    filters: list[Filter] = []


class CannotRun(Exception):
    """The report fails; the text stands in ``ErrorList``."""


_FITS: Mapping[int, Callable[[str, Sequence[str]], bool]] = {
    0: lambda value, given: value == given[0],
    12: lambda value, given: _comparable(given[0]) <= _comparable(value) <= _comparable(given[1]),
    14: lambda value, given: value in given,
    15: lambda value, given: value not in given,
}
"""The operators whose numbers the reference gives: EqualTo, Between, OneOf, NotOneOf."""


def rows(seed: int, path: str, count: int) -> list[dict[str, Any]]:
    """Return the rows of a report."""
    found = []
    for place in range(count):
        draw = Draw(seed, "exago", path, place)
        values = (
            place + 1, draw.choice(_REGIONS), draw.choice(_CUSTOMERS), draw.integer(0, 9_999_999) / 100,
            f"2026-{draw.integer(1, 12):02d}-{draw.integer(1, 28):02d}", draw.choice((None, "", "two\nlines", "50 % off")),
        )  # fmt: skip
        found.append(dict(zip(COLUMNS, values, strict=True)))
    return found


def asked_for(found: list[dict[str, Any]], wanted: Execution) -> list[dict[str, Any]]:
    """Return the rows that the filters keep, sorted.

    :raises CannotRun: a column that is not there, an operator without a known meaning, or values that do not fit it
    """
    for one in wanted.filters:
        column, fits = _column(one.filter_text), _FITS.get(one.operator)
        given = [str(value) for value in one.values]
        if fits is None or len(given) < (2 if one.operator == 12 else 1):
            raise CannotRun(
                f"The filter on {one.filter_text} is not valid: operator {one.operator}, {len(given)} values."
            )
        found = [row for row in found if fits(str(row[column]), given)]
    for sort in reversed(wanted.sorts):
        column = _column(sort.column_name)
        found = sorted(found, key=lambda row: _comparable(str(row[column] or "")), reverse=not sort.ascending_flag)
    return found


def written(found: list[dict[str, Any]], kind: Format) -> str:
    """Return rows as CSV, as HTML or as JSON text; a binary format is a text that says which it is."""
    if kind is Format.JSON:
        return msgspec.json.encode(found).decode()
    if kind is Format.CSV:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow(COLUMNS)
        writer.writerows([row.values() for row in found])
        return text.getvalue()
    if kind is Format.HTML:
        lines = ("".join(f"<td>{html.escape(str(value))}</td>" for value in row.values()) for row in found)
        return f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"
    return f"%{kind.upper()} with {len(found)} rows"


def _column(name: str) -> str:
    column = name.rpartition(".")[2]
    if column == "Id":
        return COLUMNS[0]
    if column not in COLUMNS:
        raise CannotRun(f"There is no column {name}.")
    return column


def _comparable(text: str) -> tuple[int, float, str]:
    try:
        return 0, float(text), ""
    except ValueError:
        return 1, 0.0, text
