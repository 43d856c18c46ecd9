"""Whether the first line of CSV is the header of a report: some servers answer with a text, XML or JSON and a success.
What the vendor calls the columns of CSV is not known (FlexNet reference, section 3.5).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from nightshift.instead import is_json, is_markup
from nightshift.lake.csv_text import column_names
from nightshift.lake.spec import CsvSpec

NAMES = (
    "Nothing was published. If this is the report, put names of its first line into key, or into types, in "
    "reports.yaml; else ask for the page by hand and look at the vendor's status page. Then clear the task."
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
