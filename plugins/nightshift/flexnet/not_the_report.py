"""Whether an answer is the report at all: some servers answer with a success, and words of an error, a text, XML or
JSON.

Of rows in JSON the shape is known, not that of an error (FlexNet reference, section 5). What the vendor calls the
columns of CSV is not known (section 3.5).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

import msgspec

from nightshift.http.bodies import BOM, is_json, is_markup, json_object
from nightshift.lake.csv_text import column_names
from nightshift.lake.spec import CsvSpec

NAMES = (
    "Nothing was published. If this is the report, put names of its first line into key, or into types, in "
    "reports.yaml; else ask for the page by hand and look at the vendor's status page. Then clear the task."
)

_ERRORS = ("error", "errors")
_WORDS = ("message", "errorMessage", "errorCode", "detail", "reason")
_FAILED = re.compile(r"error|fail(?:ed|ure)?|[45]\d\d", re.IGNORECASE)
_WELL = re.compile(r"ok|success(?:ful)?|2\d\d", re.IGNORECASE)


def complaint(body: bytes, data_key: str, *, counts_none: bool = False) -> str:
    """Return the vendor's words for what went wrong, in an answer without rows; empty: it tells of nothing.

    What is called an error counts in any case. Where no rows are there, not even none of them (``[]``), any message
    does, unless a status or a count says that all is well.

    :param body: JSON; anything else tells of nothing
    :param data_key: key of the rows
    :param counts_none: whether the vendor counts no rows
    """
    if (answer := json_object(body.removeprefix(BOM))) is None:
        return ""
    parts = [part for part in (answer, answer.get("header")) if isinstance(part, Mapping)]
    told = [part[name] for part in parts for name in _ERRORS if part.get(name)]
    statuses = [str(part["status"]) for part in parts if part.get("status")]
    is_well = counts_none or any(map(_WELL.fullmatch, statuses))
    if answer.get(data_key) is None and not is_well:
        told += [part[name] for part in parts for name in _WORDS if part.get(name)]
        told += filter(_FAILED.fullmatch, statuses)
    return " · ".join(
        dict.fromkeys(said if isinstance(said, str) else msgspec.json.encode(said).decode() for said in told)
    )


def doubt(
    text: str, record: Sequence[str], spec: CsvSpec, key: Sequence[str], columns: Collection[str], content_type: str
) -> tuple[str, str]:
    """Return what is wrong with the first line of a report, which continues "the page …", and what to do.

    A line that has the whole key is a header, whatever else speaks against it; where there is no key, one that has any
    column that is known. Where nothing is known, only what is something else for certain is none.

    :param text: of the page
    :param record: its first line
    :param key: columns that have to be there, as they are written
    :param columns: further ones, as somebody else knows them: case, blanks and punctuation do not count
    :param content_type: media type that the answer names
    :return: two empty texts where nothing is wrong; an empty advice where there is none but the usual one
    """
    names = column_names(record, spec)
    lacking = [name for name in key if name not in names]
    is_known = not set(map(_plain, names)).isdisjoint(map(_plain, (*key, *columns)))
    if not lacking and (key or is_known):
        return "", ""
    if what := instead(text) or _other_type(content_type):
        return f"is {what} where CSV is due", NAMES
    if mark := next(
        (mark for mark in ";\t|," if len(record) == 1 and mark in record[0] and mark != spec.delimiter), ""
    ):
        told = "tab" if mark == "\t" else f"{mark!r}"
        advice = f"Nothing was published. Set csv: {{delimiter: {told}}} for the report, and clear the task."
        return f"has no {spec.delimiter!r} in its first line, and {told} instead", advice
    if is_known:
        return f"has no column {', '.join(map(repr, lacking))}, which the key of the report names", NAMES
    if key or columns:
        known = ", ".join(dict.fromkeys((*key, *columns)))
        return f"has a first line that names none of the report's columns ({known[:200]})", NAMES
    return "", ""


def instead(text: str) -> str:
    """Return what a text is that is no CSV; empty: it may be CSV."""
    return "JSON" if is_json(text) else "XML or HTML" if is_markup(text) else ""


def _other_type(content_type: str) -> str:
    return content_type if re.search(r"[/+](?:json|xml|html)$", content_type) else ""


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()
