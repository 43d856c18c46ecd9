"""The vendor's data model, read tolerantly: only "name and type of each data item" is documented (FlexNet reference,
section 3.4).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from nightshift.lake.spec import MOST_DIGITS, Column

NAME_KEYS = ("name", "fieldName", "field", "columnName", "column", "key", "id")
TYPE_KEYS = ("type", "dataType", "datatype", "fieldType", "columnType")
GROUP_KEYS = ("group", "report", "reportName", "name")
LIST_KEYS = ("fields", "columns", "items", "types", "dataItems", "attributes", "data", "dataModel", "model")
IGNORED_KEYS = frozenset({"filters", "filter", "globalFilters"})

_TYPES = {
    "string": "string varchar varchar2 nvarchar char text uuid enum character",
    "int64": "int integer int32 int64 long bigint short smallint tinyint",
    "float64": "float double real float32 float64",
    "bool": "bool boolean",
    "date": "date localdate",
    "timestamp": "timestamp datetime date-time timestamptz localdatetime instant timestamp_ntz timestamp_tz",
    "json": "object array json map list struct variant",
}
_BY_WORD = {word: canonical for canonical, words in _TYPES.items() for word in words.split()}


def column_type(vendor_type: str) -> str | None:
    """Return the column type for the vendor's word for it, or ``None`` for a word that is not known, or that says no
    more than that there are numbers, of any digits (``number``, ``numeric``, ``decimal``): the values then decide.

    >>> column_type("VARCHAR(255)"), column_type("DECIMAL(18,4)"), column_type("number"), column_type("mystery")
    ('string', 'decimal(18,4)', None, None)
    """
    word = vendor_type.strip().lower()
    if decimal := re.fullmatch(r"(?:decimal|numeric|number)\s*\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)", word):
        precision, scale = int(decimal[1]), int(decimal[2] or 0)
        return f"decimal({precision},{scale})" if max(scale, 1) <= precision <= MOST_DIGITS else None
    base = re.split(r"[\s(<\[]", word, maxsplit=1)[0]
    return _BY_WORD.get(base)


def names(body: Any) -> list[str]:
    """Return the report names in an answer of ``report-names``, whatever its shape: names, objects with a name, or an
    object keyed by name.
    """
    data = body.get("data", body) if isinstance(body, Mapping) else body
    if isinstance(data, Mapping):
        listed = [value for value in data.values() if isinstance(value, list)]
        return names(listed[0]) if len(data) == 1 and listed else [str(key) for key in data]
    if isinstance(data, list):
        return [
            str(item) if not isinstance(item, Mapping) else str(_first(item, (*GROUP_KEYS, *NAME_KEYS)) or "")
            for item in data
            if item
        ]
    return []


def columns(body: Any, group: str) -> list[Column] | None:
    """Return the columns of one report out of an answer of ``report-types``.

    :param body: the decoded answer, of all reports or of one
    :param group: the report
    :return: the columns in the vendor's order; ``None`` where the answer names none, as the documented sample does
    """
    data = body.get("data", body) if isinstance(body, Mapping) else body
    found = {column.name: column for column in _columns_of(_part_of(data, group))}
    return list(found.values()) or None


def _part_of(data: Any, group: str) -> Any:
    if isinstance(data, Mapping):
        own = data.get(group)
        return own if isinstance(own, list) or (isinstance(own, Mapping) and not _is_field(own)) else data
    if isinstance(data, list):
        for entry in data:
            if (
                isinstance(entry, Mapping)
                and _first(entry, GROUP_KEYS) == group
                and any(isinstance(v, (list, Mapping)) for v in entry.values())
            ):
                return entry
    return data


def _columns_of(part: Any) -> Iterator[Column]:
    if isinstance(part, list):
        for item in part:
            if isinstance(item, Mapping) and (name := _first(item, NAME_KEYS)) and (kind := _first(item, TYPE_KEYS)):
                yield _column(name, kind)
    elif isinstance(part, Mapping):
        for key in LIST_KEYS:
            inner = part.get(key)
            if isinstance(inner, list) or (isinstance(inner, Mapping) and not _is_field(inner)):
                yield from _columns_of(inner)
                return
        for name, kind in part.items():
            if name in IGNORED_KEYS:
                continue
            if isinstance(kind, str):
                yield _column(name, kind)
            elif isinstance(kind, Mapping) and (word := _first(kind, TYPE_KEYS)):
                yield _column(name, word)


def _is_field(item: Mapping[str, Any]) -> bool:
    """Whether this describes one field, and is not a list of fields under a name that a field could have too."""
    return _first(item, TYPE_KEYS) is not None


def _column(name: str, vendor_type: str) -> Column:
    return Column(name=name, type=column_type(vendor_type), vendor_type=vendor_type)


def _first(item: Mapping[str, Any], keys: tuple[str, ...]) -> str | None:
    return next((item[key] for key in keys if isinstance(item.get(key), str) and item[key]), None)
