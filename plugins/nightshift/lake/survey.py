"""What the values of a whole extract say about columns whose types nobody knows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from nightshift.lake.csv_pages import CsvTexts
from nightshift.lake.errors import UnreadablePage
from nightshift.lake.json_pages import decoder_of
from nightshift.lake.spec import PublishSpec

_NESTED = frozenset({dict, list})
_TEXTS = {
    "bool": r"(?i)^(true|false)$",
    "int64": r"^-?(0|[1-9][0-9]{0,17})$",
    "float64": r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?$",
}


class Survey:
    """Types by the names of columns; ``empty`` are those that never have a value.

    JSON: ``bool``, ``int64``, ``float64`` (numbers with and without a fraction), ``string``, ``json`` (nested); any other
    mix is ``string`` and holds the values' texts. CSV: ``bool``, ``int64`` and ``float64`` where every value is spelled as
    one (a number with leading zeros is not), else ``string``. Days and time stamps are ``string``, unless ``types`` or
    the vendor's model say more.

    :param spec: how the report is published
    :param is_csv: whether the pages are CSV
    :param report: its name, for messages
    """

    def __init__(self, spec: PublishSpec, is_csv: bool, report: str) -> None:
        self._report = report
        self._seen: dict[str, set[Any]] = {}
        self._csv = CsvTexts(spec.csv, report) if is_csv else None
        self._decode = decoder_of(dict[str, Any], spec.data_key)

    def take(self, pages: Iterable[tuple[int, bytes]]) -> tuple[dict[str, str], tuple[str, ...]]:
        """Read all pages.

        :return: types by column, in the order of appearance; and the columns without a value
        :raises UnreadablePage: a page is not JSON or CSV
        """
        for number, body in pages:
            if self._csv is not None:
                self._take_texts(number, body, self._csv)
            else:
                self._take_json(number, body)
        kind_of = _kind_of_texts if self._csv is not None else _kind_of_values
        types = {name: kind_of(seen) for name, seen in self._seen.items() if seen}
        return types, tuple(name for name, seen in self._seen.items() if not seen)

    def _take_json(self, number: int, body: bytes) -> None:
        try:
            rows = self._decode(body) or ()
        except msgspec.DecodeError as error:
            raise UnreadablePage(
                f"{self._report}: page {number} is not the JSON of rows ({error}). Nothing was published; the landed night "
                "is untouched. Extract the night again if the vendor's answer was cut."
            ) from None
        pairs: dict[tuple[str, type], None] = {}
        for row in rows:
            pairs.update(dict.fromkeys(zip(row, map(type, row.values()), strict=True)))
        for name, kind in pairs:
            seen = self._seen.setdefault(name, set())
            if kind is not type(None):
                seen.add(kind)

    def _take_texts(self, number: int, body: bytes, pages: CsvTexts) -> None:
        for batch in pages.batches(number, body):
            for name, texts in zip(batch.schema.names, batch.columns, strict=True):
                seen = self._seen.setdefault(name, set())
                values = texts.drop_null()
                if len(values) and "string" not in seen:
                    seen.add(_text_kind(values))


def _kind_of_values(seen: set[type]) -> str:
    if seen <= _NESTED:
        return "json"
    if seen == {int, float} or seen == {float}:
        return "float64"
    return {bool: "bool", int: "int64"}.get(next(iter(seen)), "string") if len(seen) == 1 else "string"


def _kind_of_texts(seen: set[str]) -> str:
    if seen == {"int64", "float64"}:
        return "float64"
    return next(iter(seen)) if len(seen) == 1 else "string"


def _text_kind(values: pa.Array) -> str:
    for kind, pattern in _TEXTS.items():
        if pc.all(pc.match_substring_regex(values, pattern)).as_py():
            return kind
    return "string"
