"""What a report group is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from include.standins.flexnet.fields import Field, Maker


@dataclass(frozen=True)
class Group:
    """One report.

    :param name: stands in the path
    :param key: the field that is unique over all days
    :param prefix: of the key's values
    :param rows_a_day: how many rows a whole day has
    :param fields: in order, the key first
    :param filters: filter key → field (``A.B`` inside an object); ``None``: every field is a filter key
    """

    name: str
    key: str
    prefix: str
    rows_a_day: int
    fields: tuple[Field, ...]
    filters: Mapping[str, str] | None = None


def _typed(kind: str) -> Callable[[str, Maker], Field]:
    return lambda name, make: Field(name, kind, make)


text, number, real, flagged = _typed("string"), _typed("integer"), _typed("double"), _typed("boolean")
dated, moment, listed = _typed("date"), _typed("timestamp"), _typed("array")


def key(name: str) -> Field:
    """Return the key field; its values are made of day and index."""
    return Field(name, "string", None)
