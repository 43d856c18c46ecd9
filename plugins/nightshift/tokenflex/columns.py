"""The columns of a landed usage file, by the names in its header (Token Flex reference, section 3.8)."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence

from nightshift.errors import BadResponse
from nightshift.lake import csv_text
from nightshift.lake.spec import Column, CsvSpec
from nightshift.tokenflex.vocabulary import FIELDS, METRICS, VENDOR, plain

TYPES: Mapping[str, str] = {
    "usageDate": "date",
    "usageMonth": "date",
    "transactionDate": "date",
    "contractYear": "int64",
    "uniqueProducts": "int64",
    "uniqueUsers": "int64",
    "useCount": "int64",
    "tokensConsumed": "float64",
    "usageMinutes": "float64",
    "usageHours": "float64",
    "quantity": "float64",
}
"""Column types; whatever is not here is text."""
WALL_TIMES = frozenset({"sessionStartDate", "sessionEndDate"})
"""Times without a zone: the license server's own wall clock, whose offset is in ``licenseServerTimeZoneOffset`` of the
same row, so that no column of moments can hold them. Text by default; as ``timestamp`` they are read in the time zone
of the configuration, and a table that has them so keeps that."""

_BY_PLAIN_NAME = {name.lower(): name for name in FIELDS | METRICS}


def column_type(column: str) -> str:
    """Return the type of a CSV column by its name, however it is spelled; text where the name is not known."""
    return TYPES.get(_BY_PLAIN_NAME.get(plain(column), column), "string")


def header_of(body: bytes, dialect: CsvSpec) -> list[str]:
    """Return the column names in the header of a usage file; none where it is empty.

    A customer's own categories may have one name, or none (reference, section 2): they are told apart by their place
    here, and whether they may be published so is for the publishing task to say.

    :param body: the beginning of the file
    :param dialect: how it is written
    :raises BadResponse: it is not text in the configured character set, or not CSV
    """
    try:
        return csv_text.header_of(body, dialect.model_copy(update={"repeated_names": "number"}))
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadResponse(
            f"the header of the usage file cannot be read ({type(error).__name__})",
            vendor=VENDOR,
            advice="Set charset, delimiter and quote under csv of this export in reports.yaml, then clear this task.",
        ) from None


def columns_of(header: Iterable[str]) -> list[Column]:
    """Return the columns of a file with their types, by name in any spelling; an unknown name is text."""
    wall = {plain(name) for name in WALL_TIMES}
    return [Column(name=name, type=column_type(name), default=plain(name) in wall) for name in header if name]


def missing(header: Sequence[str], asked: Sequence[str]) -> list[str]:
    """Return the fields and metrics that were asked for and are no column of the file, whatever its spelling."""
    there = {plain(name) for name in header}
    return [name for name in asked if plain(name) not in there]


def named(header: Sequence[str], names: Iterable[str]) -> bool:
    """Say whether one of these names is a column of the file, whatever its spelling."""
    return not {plain(name) for name in header}.isdisjoint(map(plain, names))


def no_usage(header: Sequence[str]) -> BadResponse:
    """Return the error for a file whose first line names nothing of what was asked for.

    :param header: the names in it
    """
    names = ", ".join(header)
    return BadResponse(
        "the first line of the usage file names none of the fields and metrics that were asked for",
        vendor=VENDOR,
        detail=names,
        advice="It is no usage file, or one without a header line, whose first line would be lost; nothing of it is "
        "published. Where it is one and is only read wrong, set charset, delimiter and quote under csv of this export "
        "in reports.yaml; where these are its columns, name one of them in types of this export. Then clear this task: "
        "it asks for the file again.",
    )


def is_cut(
    first: bytes, last: bytes, dialect: CsvSpec, *, header: Sequence[str], rows: int, lost: Sequence[str]
) -> bool:
    """Say whether a usage file ends in the middle of its last line, although all came that the host had promised.

    :param first: the first part of the file
    :param last: the last one, which may be the first
    :param header: what :func:`header_of` has found in the first
    :param rows: rows in the file; none: its last line is its header
    :param lost: what :func:`missing` has found
    """
    charset, mark = csv_text.marked(first, dialect.charset)
    last = last[mark:] if last is first else last
    if not rows:
        return bool(lost) and not last.decode(charset, "ignore").endswith(("\r", "\n"))
    try:
        return csv_text.breaks_off(last, charset, dialect, len(header))
    except csv.Error:
        return False  # the publish says where, with the row


def cut_off() -> BadResponse:
    """Return the error for a file that ends in the middle of a line."""
    return BadResponse(
        "the usage file ends in the middle of a line",
        vendor=VENDOR,
        advice="What lies between this worker and the download host has cut it. Nothing of it is published. Look at the "
        "proxy there, then clear this task: it asks for the file again.",
    )


def column_named(header: Sequence[str], name: str) -> str:
    """Return the column that is meant by a name, in the file's own spelling; the name itself where there is none."""
    return next((column for column in header if plain(column) == plain(name)), name)
