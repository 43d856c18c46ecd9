"""What the values of a whole extract say about columns whose types nobody knows: of what sort they are, how many
digits they need.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from nightshift.lake.casts import BOOL, INT64, NUMBER, SURE_DIGITS, Fractions, joined, same_number
from nightshift.lake.csv_pages import CsvTexts
from nightshift.lake.json_pages import decoder_of, unreadable
from nightshift.lake.spec import MOST_DIGITS, PublishSpec
from nightshift.lake.spelling import Spelling
from nightshift.nesting import UNREADABLE

_OF_SORT: dict[str, Callable[[bytes], list[Any]]] = {
    "string": msgspec.json.Decoder(list[str | None]).decode,
    "number": msgspec.json.Decoder(list[int | float | None]).decode,
    "bool": msgspec.json.Decoder(list[bool | None]).decode,
}
_BY_FIRST_BYTE = {b'"': "string", b"{": "json", b"[": "json", b"t": "bool", b"f": "bool", b"n": "null"}


@dataclass
class _Seen:
    """What a column's values were so far.

    :param sorts: ``bool``, ``number``, ``string`` and ``json``, the last found last
    :param digits: of its numbers
    :param fractions: how its numbers were written behind the point; CSV only
    """

    sorts: dict[str, None] = field(default_factory=dict)
    digits: Digits | None = None
    fractions: Fractions = field(default_factory=Fractions)

    def take(self, sort: str, digits: Digits | None = None) -> None:
        self.sorts.pop(sort, None)
        self.sorts[sort] = None
        if digits is not None:
            self.digits = digits if self.digits is None else self.digits | digits

    @property
    def kind(self) -> str:
        if len(self.sorts) > 1:
            return "string"
        sort = next(iter(self.sorts))
        return self.digits.kind if sort == "number" and self.digits is not None else sort

    @property
    def kind_of_texts(self) -> str:
        """The type of a CSV column: texts that differ are values that differ, or they stay texts."""
        return "string" if self.fractions.ambiguous else self.kind


class Survey:
    """``types`` by the names of columns; ``empty`` are those that never have a value.

    JSON: ``bool``, ``string``, ``json`` (nested) and numbers: ``int64``, ``float64`` with fractions where a float says
    every digit, else ``decimal(38,s)``; any other mix, and numbers with more digits, is ``string`` and holds the
    values' texts. CSV: ``bool`` and numbers where every value is spelled as one and no two of them without an exponent
    are one number (1.1 beside 1.10 are not numbers, nor is one with leading zeros; a column of the key is a whole
    number or text), else ``string``. Days and time stamps are ``string``, unless ``types`` or the vendor's model say
    more.
    """

    def __init__(
        self,
        spec: PublishSpec,
        is_csv: bool,
        report: str,
        rows: Mapping[int, int] = MappingProxyType({}),
        spelling: Spelling | None = None,
    ) -> None:
        self._report = report
        self._rows = rows
        self._key = frozenset(spec.key)
        self.types: dict[str, str] = {}
        self.empty: tuple[str, ...] = ()
        self._seen: dict[str, _Seen] = {}
        self._spelling = spelling or Spelling()
        self._csv = CsvTexts(spec.csv, report, self._spelling) if is_csv else None
        self._data_key = spec.data_key
        self._decode = decoder_of(dict[str, msgspec.Raw], spec.data_key)

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
        self.types = {name: self._kind(name, seen) for name, seen in self._seen.items() if seen.sorts}
        self.empty = tuple(name for name, seen in self._seen.items() if not seen.sorts)
        return self.types, self.empty

    @property
    def names(self) -> Collection[str]:
        """Every column that a row or a header has."""
        return self._seen.keys()

    @property
    def digits(self) -> dict[str, Digits]:
        """What the numbers need, by column; of a column with other values too there is no telling."""
        return {
            name: seen.digits for name, seen in self._seen.items() if seen.digits is not None and len(seen.sorts) == 1
        }

    def _kind(self, name: str, seen: _Seen) -> str:
        if self._csv is None:
            return seen.kind
        kind = seen.kind_of_texts
        return "string" if name in self._key and seen.digits is not None and not seen.digits.spelled_whole else kind

    def _take_json(self, number: int, body: bytes) -> None:
        try:
            rows = self._decode(body) or ()
        except UNREADABLE as error:
            raise unreadable(self._report, number, body, self._data_key, error) from None
        for name, raws in _columns(rows):
            _take_values(self._seen.setdefault(self._spelling.of(name), _Seen()), raws)

    def _take_texts(self, number: int, body: bytes, pages: CsvTexts) -> None:
        for batch in pages.batches(number, body, self._rows.get(number)):
            for name, texts in zip(batch.schema.names, batch.columns, strict=True):
                seen = self._seen.setdefault(name, _Seen())
                values = texts.drop_null()
                if len(values) and "string" not in seen.sorts:
                    _take_spellings(seen, values)
        for name in pages.header:
            self._seen.setdefault(name, _Seen())


def _columns(rows: Sequence[dict[str, msgspec.Raw]]) -> Iterator[tuple[str, Sequence[msgspec.Raw]]]:
    """Yield the values of each column, rows of one shape at a time."""
    shapes: dict[tuple[str, ...], list[dict[str, msgspec.Raw]]] = {}
    for row in rows:
        shapes.setdefault(tuple(row), []).append(row)
    for names, alike in shapes.items():
        yield from zip(names, zip(*map(dict.values, alike), strict=True), strict=True)


def _take_values(seen: _Seen, raws: Sequence[msgspec.Raw]) -> None:
    body = joined(raws)
    inside = b"[%b]" % body
    for sort in dict.fromkeys((*reversed(seen.sorts), *_OF_SORT)):
        try:
            values = _OF_SORT[sort](inside) if sort in _OF_SORT else [None]
        except msgspec.DecodeError:
            continue
        if sort == "json" or values.count(None) == len(values):
            continue
        seen.take(sort, _digits(body.split(b",")) if sort == "number" else None)
        return
    numbers = []
    for raw in raws:
        text = bytes(raw).strip()
        sort = _BY_FIRST_BYTE.get(text[:1], "number")
        if sort == "number":
            numbers.append(text)
        elif sort != "null":
            seen.take(sort)
    if numbers:
        seen.take("number", _digits(numbers))


def _digits(numbers: Sequence[bytes]) -> Digits:
    return digits_of(pa.array([text for text in numbers if text != b"null"], pa.binary()).cast(pa.string()))


def _take_spellings(seen: _Seen, values: pa.Array) -> None:
    if pc.all(pc.match_substring_regex(values, BOOL)).as_py():
        seen.take("bool")
    elif pc.all(pc.match_substring_regex(values, NUMBER)).as_py():
        seen.take("number", digits_of(values))
        seen.fractions.take(values)
    else:
        seen.take("string")


@dataclass(frozen=True)
class Digits:
    """What holds every number of a column: the union of two is ``|``.

    :param whole: most digits before the point
    :param scale: most digits behind it
    :param spelled_whole: all are written without a point and an exponent
    :param of_64_bits: each is a whole number of 64 bits
    :param of_floats: each is what a float of it says when it is written again
    """

    whole: int = 1
    scale: int = 0
    spelled_whole: bool = True
    of_64_bits: bool = True
    of_floats: bool = True

    def __or__(self, other: Digits) -> Digits:
        return Digits(
            max(self.whole, other.whole),
            max(self.scale, other.scale),
            self.spelled_whole and other.spelled_whole,
            self.of_64_bits and other.of_64_bits,
            self.of_floats and other.of_floats,
        )

    @property
    def kind(self) -> str:
        """The type: ``int64``, ``float64`` where there are fractions, ``decimal(38,s)`` for digits beyond either,
        ``string``.
        """
        if self.spelled_whole and self.of_64_bits:
            return "int64"
        if not self.spelled_whole and self.of_floats:
            return "float64"
        return f"decimal({MOST_DIGITS},{self.scale})" if self.whole + self.scale <= MOST_DIGITS else "string"


def digits_of(texts: pa.Array) -> Digits:
    """Return what numbers need.

    :param texts: numbers as JSON writes them, no nulls; at least one
    """
    long = pc.greater(pc.binary_length(texts), SURE_DIGITS)
    odd = pc.or_(long, pc.match_substring(texts, "e", ignore_case=True))
    found = Digits()
    plain = texts.filter(pc.invert(odd)) if pc.any(odd).as_py() else texts
    if len(plain):
        found = _of_plain(plain)
    if len(plain) < len(texts):
        for text in texts.filter(odd).to_pylist():
            found |= _of_one(text)
    return found


def _of_plain(texts: pa.Array) -> Digits:
    length = pc.subtract(pc.binary_length(texts), pc.starts_with(texts, "-").cast(pa.int32()))
    point = pc.find_substring(texts, ".")
    if pc.max(point).as_py() < 0:
        return Digits(whole=pc.max(length).as_py())
    before = pc.if_else(pc.less(point, 0), length, point)
    behind = pc.if_else(pc.less(point, 0), 0, pc.subtract(pc.subtract(pc.binary_length(texts), point), 1))
    return Digits(pc.max(before).as_py(), pc.max(behind).as_py(), spelled_whole=False, of_64_bits=False)


def _of_one(text: str) -> Digits:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return Digits(MOST_DIGITS + 1, 0, False, False, False)
    exponent = number.as_tuple().exponent
    scale = max(0, -exponent) if isinstance(exponent, int) and not number.is_zero() else 0
    spelled_whole = text.lstrip("-").isdigit()
    return Digits(
        max(1, number.adjusted() + 1),
        scale,
        spelled_whole,
        spelled_whole and number.adjusted() < len(str(INT64.stop)) and int(number) in INT64,
        same_number(float(number), text),
    )
