"""What a report is asked for with, and the rows that came (Exago reference, section 3.5)."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import msgspec

from nightshift.errors import BadResponse, Rejected
from nightshift.exago.paths import VENDOR, ContentPath
from nightshift.lake.csv_text import column_names
from nightshift.lake.spec import CsvSpec
from nightshift.nesting import UNREADABLE, shallow

Form = Literal["csv", "json"]
FORM: Form = "csv"
DataType = Literal["Data", "Auto"]
DATA_TYPE: DataType = "Data"
DATA_KEY = "data"
NO_ROWS_TEXTS = ("No data qualified", "No data qualified for report", "No data qualified for the report")
"""What the server says of a report without rows, where it does not show an empty one (Exago reference, section 3.5)."""
NO_ROWS_ADVICE = (
    "If these words say that the report has no rows, put them under no_rows_texts of the report in reports.yaml, or "
    "set its No Data Qualify Display Mode in Exago to Show Report."
)
MINUTES = 60.0
"""How long the server may take for a report."""
_PAGE, _TAG = re.compile(rb"<(?:[!?]|html\b)", re.IGNORECASE), re.compile(rb"</?[a-z]", re.IGNORECASE)
_LINK = re.compile(rb"""["']?(?:https?://\S+|[^\s"',;]+\.aspx(?:\?\S*)?)""", re.IGNORECASE)
_LINE = 1 << 16
_NIGHT = re.compile(r"\{night(?::([^{}]*))?\}")


@dataclass(frozen=True, kw_only=True)
class ExecutionRequest:
    """One run of a report.

    :param path: of the report; or ``report_id``, from 2021.1 on: exactly one
    :param form: ``csv`` or ``json``
    :param filters: the vendor's objects; ``Operator`` is a number
    :param sorts: the vendor's objects
    :param data_type: how the report comes; ``None`` leaves the choice to the server
    :param answered_as: path that the server's answer shows for it, where that is not ``path``
    :param no_rows_texts: what the server says, and nothing else, of a report without rows
    :raises Rejected: it is named by both or by neither
    """

    path: ContentPath | None = None
    report_id: str | None = None
    form: Form = FORM
    filters: Sequence[Mapping[str, Any]] = ()
    sorts: Sequence[Mapping[str, Any]] = ()
    data_type: str | None = DATA_TYPE
    answered_as: ContentPath | None = None
    no_rows_texts: Sequence[str] = NO_ROWS_TEXTS

    def __post_init__(self) -> None:
        if (self.path is None) == (self.report_id is None):
            raise Rejected("a report is named by its path or by its id, by one of them", vendor=VENDOR)

    def body(self, separator: str) -> dict[str, Any]:
        """Return the body as the vendor takes it; what is not asked for is left out.

        :param separator: of the server, between the levels of a path
        """
        name = {"Id": self.report_id} if self.path is None else {"ReportPath": self.path.in_body(separator)}
        given = {"DataType": self.data_type, "Filters": list(self.filters), "Sorts": list(self.sorts)}
        return {**name, **{key: value for key, value in given.items() if value}}

    def noted(self) -> dict[str, Any]:
        """Return what the manifest keeps of it."""
        asked = {"filters": list(self.filters), "sorts": list(self.sorts), "data_type": self.data_type}
        return {"report": str(self.path or self.report_id), **asked}


def for_night(filters: Sequence[Mapping[str, Any]], night: str) -> list[dict[str, Any]]:
    """Return filters with ``{night}`` in their values replaced by the night.

    :param filters: the vendor's objects; a value may have ``{night}`` (``2026-11-21``) or ``{night:%m/%d/%Y}``, because
        the server reads days as its own culture writes them
    :param night: ``YYYY-MM-DD``
    """
    day = date.fromisoformat(night)

    def of_night(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return _NIGHT.sub(lambda found: day.strftime(found[1]) if found[1] else night, value)

    return [
        {**one, **{key: [of_night(value) for value in one[key]] for key in one if key == "Values"}} for one in filters
    ]


def names_night(filters: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether a filter depends on the night, so that past nights can be asked for."""
    values = [value for one in filters for value in one.get("Values", ())]
    return any(isinstance(value, str) and _NIGHT.search(value) for value in values)


def says_no_rows(text: str, texts: Sequence[str]) -> bool:
    """Tell whether a text is one of these and nothing else; case, blanks, quotes around it and a full stop at its end
    do not count.
    """
    return _plain(text) in map(_plain, texts)


def _plain(text: str) -> str:
    return " ".join(text.strip(" \t\r\n\"'").removesuffix(".").split()).casefold()


def no_rows(content: bytes) -> str:
    """Say what a report holds that cannot be rows, markup or a link and nothing else; empty where it may be rows."""
    text = content.strip()
    if _PAGE.match(text) or (_TAG.match(text) and text.endswith(b">")):
        return "markup, as of a page"
    return "a link to a file" if _LINK.fullmatch(text) else ""


def json_rows(content: bytes, data_key: str) -> int:
    """Return how many rows a report in JSON has: an array, or an object with the array under ``data_key``.

    :raises BadResponse: neither
    """
    try:
        whole = msgspec.json.decode(shallow(content), type=list[msgspec.Raw] | dict[str, msgspec.Raw])
        rows = whole if isinstance(whole, list) else msgspec.json.decode(whole[data_key], type=list[msgspec.Raw])
    except (*UNREADABLE, KeyError) as error:
        problem = f"it has no {data_key!r}" if isinstance(error, KeyError) else str(error)
        raise BadResponse(
            f"the report is no JSON of rows: {problem}; it begins {_beginning(content)}",
            vendor=VENDOR,
            advice=f"Nothing was taken over. Set data_key of the report in reports.yaml, or ask for csv. {NO_ROWS_ADVICE}",
        ) from None
    return len(rows)


def refuse_no_header(content: bytes, key: Sequence[str], spec: CsvSpec) -> None:
    """Refuse a CSV of a single line that has not all columns of the key: words in the place of a report.

    :raises BadResponse: with the line
    """
    text = io.StringIO(content[:_LINE].decode(errors="replace"), newline="")
    records = [record for record in csv.reader(text, delimiter=spec.delimiter, quotechar=spec.quote) if record]
    names = column_names(records[0], spec.model_copy(update={"repeated_names": "number"})) if records else []
    if len(records) == 1 and not set(key) <= set(names):
        raise BadResponse(
            f"the report has no rows, and its only line is not its header (the key is {', '.join(key)}); it begins "
            f"{_beginning(content)}",
            vendor=VENDOR,
            advice=f"Nothing was landed. {NO_ROWS_ADVICE} If it is the header, correct key in reports.yaml.",
        )


def _beginning(content: bytes) -> str:
    return repr(content[:80].decode(errors="replace"))
