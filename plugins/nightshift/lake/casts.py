"""From the vendors' texts to values of a type: by the column where that goes, by the value where it does not.

Nothing is lost in silence: a text that is not exactly a value of the type is an error, never null. Both ways agree on
every text, or both refuse it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nightshift.lake.spec import decimal_of
from nightshift.lake.times import STAMP, Refused, day, days, moment, moments

INT64 = range(-(1 << 63), 1 << 63)
SURE_DIGITS = 15
BOOL = r"(?i)^(true|false)$"
NUMBER = r"^(0|-?[1-9][0-9]*|-?(0|[1-9][0-9]*)(\.[0-9]+([eE][+-]?[0-9]{1,3})?|[eE][+-][0-9]{1,3}))$"
"""How a number is written in texts of which nobody says that they are numbers."""
_NO_VALUE = msgspec.Raw(b"null")
_COMMA = ord(",")
_WORDS = frozenset({"nan", "inf", "infinity"})
_MINUS_ZERO = re.compile(rb"-0[,\]]")
_floats_of = msgspec.json.Decoder(list[float | None]).decode
_ARROW = {
    "string": pa.string(),
    "json": pa.string(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "date": pa.date32(),
    "timestamp": STAMP,
}


class Misfit(Exception):
    """A value does not fit.

    :param index: its place in the column, from 0
    """

    def __init__(self, index: int, text: str, why: str) -> None:
        super().__init__(index, text, why)
        self.index, self.text, self.why = index, text, why


def arrow_type(kind: str) -> pa.DataType:
    """Return the Arrow type of a column type; nested values are text."""
    digits = decimal_of(kind)
    return pa.decimal128(*digits) if digits else _ARROW[kind]


def from_text(texts: pa.Array, kind: str, zone: str, empty_as_null: bool) -> pa.Array:
    """Cast a column of texts.

    A float is taken where it says every digit of the text when it is written again, so 0.1 is and 9007199254740993 is
    not.

    :param zone: zone of time stamps that name none, see :mod:`nightshift.lake.times`
    :raises Misfit: a text is not a value of the type
    """
    if kind in ("string", "json"):
        return texts
    if empty_as_null:
        texts = pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)
    try:
        if kind == "timestamp":
            return moments(texts, zone)
        return days(texts) if kind == "date" else _plainly(texts, kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return by_value(texts.to_pylist(), kind, zone, empty_as_null)


def refuse_respelled(texts: pa.Array, values: pa.Array, *, is_key: bool) -> None:
    """Look for texts that would not have made a column one of numbers, or of true and false, in one of which nobody but
    its values of another night says so.

    A cast takes more: ``12E4`` and ``+4917012`` are numbers to it, ``1`` is true. But an id may have zeros before it,
    007 beside 7 is another one, and a code an E. In the key no two texts may become one number.

    :param values: what the texts were cast to; where it is null nothing is refused
    :raises Misfit: a text is spelled otherwise than a number, or true and false, of which that is known
    """
    if pa.types.is_int64(values.type):
        places = pc.indices_nonzero(pc.not_equal(texts, values.cast(pa.string()))).to_numpy()
    else:
        plain = pc.match_substring_regex(texts, BOOL if pa.types.is_boolean(values.type) else NUMBER)
        places = pc.indices_nonzero(pc.and_(pc.invert(plain), values.is_valid())).to_numpy()
    if not len(places):
        return
    index = int(places[0])
    text = texts[index].as_py()
    if is_key:
        raise Misfit(index, text, "it is of the key, and texts that differ could become one number")
    if re.match(r"-?0[0-9]", text):
        raise Misfit(index, text, "the zeros before it would be lost")
    raise Misfit(index, text, "it may be one, but nobody has said that the column's texts are")


@dataclass
class Fractions:
    """How the numbers of a CSV column are written behind their points.

    :param behind: how many digits they have there
    :param padded: one ends in zeros that say nothing of its value
    :param point_zero: one ends in ``.0``, as a float is written by many
    """

    behind: set[int] = field(default_factory=set)
    padded: bool = False
    point_zero: bool = False

    @property
    def ambiguous(self) -> bool:
        """Whether two texts that differ may be one number: 1.10 beside 1.1, 2.0 beside 2."""
        return len(self.behind) > 1 and (self.padded or (self.point_zero and 0 in self.behind))

    def take(self, texts: pa.Array) -> None:
        """Look at numbers, as :data:`NUMBER` has them, no nulls."""
        points = pc.find_substring(texts, ".")
        if not len(texts) or pc.max(points).as_py() < 0:
            self.behind |= {0} if len(texts) else set()
            return
        behind = pc.if_else(pc.less(points, 0), 0, pc.subtract(pc.subtract(pc.binary_length(texts), points), 1))
        self.behind.update(pc.unique(behind).to_pylist())
        ends = pc.and_(pc.ends_with(texts, "0"), pc.greater(behind, 0))
        if pc.any(ends).as_py():
            ends = pc.and_(ends, pc.invert(pc.match_substring(texts, "e", ignore_case=True)))
            self.padded = self.padded or pc.any(pc.and_(ends, pc.greater(behind, 1))).as_py()
            self.point_zero = self.point_zero or pc.any(pc.and_(ends, pc.equal(behind, 1))).as_py()


def by_value(texts: Sequence[str | None], kind: str, zone: str, empty_as_null: bool) -> pa.Array:
    """Cast a column one value at a time, taking every spelling in which nothing is lost; see :func:`from_text`."""
    cast = _caster(kind, ZoneInfo(zone))
    found: list[Any] = []
    for index, text in enumerate(texts):
        if text is None or (not text and empty_as_null and kind not in ("string", "json")):
            found.append(None)
            continue
        try:
            found.append(cast(text))
        except (ValueError, InvalidOperation, OverflowError) as error:
            raise Misfit(index, text, str(error) if isinstance(error, Refused) else "") from None
    return pa.array(found, arrow_type(kind))


def from_raw(raws: Sequence[msgspec.Raw | None], kind: str, zone: str, empty_as_null: bool) -> pa.Array:
    """Cast a column of JSON values, each the vendor's own text; see :func:`from_text`."""
    if kind == "json":
        return _as_written(raws)
    if kind == "float64" and (floats := _floats(raws)) is not None:
        return floats
    texts = [text_of(raw) for raw in raws]
    if decimal_of(kind):
        return from_text(pa.array(texts, pa.string()), kind, zone, empty_as_null)
    return by_value(texts, kind, zone, empty_as_null)


def text_of(raw: msgspec.Raw | None) -> str | None:
    """Return what a JSON value says as text: a string without its quotes, anything else as the vendor wrote it."""
    text = b"null" if raw is None else bytes(raw).strip()
    if text == b"null":
        return None
    return msgspec.json.decode(text, type=str) if text[:1] == b'"' else text.decode()


def joined(raws: Sequence[msgspec.Raw | None]) -> bytes:
    """Return JSON values as the inside of a list."""
    try:
        return b",".join(raws)  # type: ignore[arg-type]
    except TypeError:
        return b",".join([_NO_VALUE if raw is None else raw for raw in raws])


def _as_written(raws: Sequence[msgspec.Raw | None]) -> pa.Array:
    """Return JSON values as their texts, null as no value, without an object for each."""
    there = [_NO_VALUE if raw is None else raw for raw in raws]
    ends = np.zeros(len(there) + 1, np.int32)
    np.cumsum(np.fromiter(map(len, there), np.int32, len(there)), out=ends[1:])
    texts = pa.StringArray.from_buffers(len(there), pa.py_buffer(ends), pa.py_buffer(b"".join(there)))
    absent = pc.equal(texts, "null")
    return pc.if_else(absent, pa.scalar(None, pa.string()), texts) if pc.any(absent).as_py() else texts


def same_number(value: float, text: str) -> bool:
    """Say whether a float, written again, is the number of this text; the text is known to be one."""
    again = repr(value)
    if again == text or not math.isfinite(value):
        return again == text
    try:
        return Decimal(again) == Decimal(text)
    except InvalidOperation:
        return False


def _floats(raws: Sequence[msgspec.Raw | None]) -> pa.Array | None:
    """Return JSON numbers as floats; ``None`` where one is no number, or no float."""
    inside = b"[%b]" % joined(raws)
    if b"-0" in inside and _MINUS_ZERO.search(inside):
        return None  # the decoder reads a whole number, which has no zero below zero
    try:
        values = _floats_of(inside)
    except msgspec.ValidationError:
        return None
    commas = np.flatnonzero(np.frombuffer(inside, np.uint8) == _COMMA)
    longest = np.diff(commas, prepend=0, append=len(inside) - 1).max() - 1
    if _unsure(longest, inside):
        for value, text in zip(values, inside[1:-1].split(b","), strict=True):
            if value is not None and not same_number(value, text.decode()):
                return None
    return pa.array(values, pa.float64())


def _unsure(longest: int, texts: bytes) -> bool:
    """Say whether a float may lose a digit of a text: none has so far lost one of 15 without an exponent."""
    return longest > SURE_DIGITS or b"e" in texts or b"E" in texts


def _plainly(texts: pa.Array, kind: str) -> pa.Array:
    digits = decimal_of(kind)
    if digits and not pc.all(pc.match_substring_regex(texts, _plain_decimal(*digits))).as_py():
        raise pa.ArrowInvalid("Arrow loses digits of what is finer than the scale in silence")
    found = texts.cast(arrow_type(kind))
    if kind == "int64" and (b"x" in (spelled := _bytes_of(texts)) or b"X" in spelled):
        raise pa.ArrowInvalid("Arrow takes hexadecimal numbers")
    if kind == "float64" and _unsure(pc.max(pc.binary_length(texts)).as_py() or 0, _bytes_of(texts)):
        for index, (value, text) in enumerate(zip(found.to_pylist(), texts.to_pylist(), strict=True)):
            if value is not None and (math.isfinite(value) or not _is_word(text)) and not same_number(value, text):
                raise Misfit(index, text, _rounded(value))
    return found


def _bytes_of(texts: pa.Array) -> bytes:
    """Return the bytes of all texts, maybe with those of their neighbours in the same buffer."""
    held = texts.buffers()[2]
    return held.to_pybytes() if held is not None else b""


def _is_word(text: str) -> bool:
    return text.lower().lstrip("+-") in _WORDS


def _rounded(value: float) -> str:
    return f"a float makes it {value!r}" if math.isfinite(value) else "it is beyond the range of a float"


def _plain_decimal(precision: int, scale: int) -> str:
    whole = precision - scale
    fraction = rf"(\.[0-9]{{1,{scale}}})?" if scale else ""
    return rf"^-?(0|[0-9]{{1,{whole}}}){fraction}$" if whole else rf"^-?0{fraction}$"


def _caster(kind: str, zone: ZoneInfo) -> Callable[[str], Any]:
    digits = decimal_of(kind)
    if digits:
        return lambda text: _decimal(text, *digits)
    casters: dict[str, Callable[[str], Any]] = {
        "string": str,
        "json": str,
        "int64": _int64,
        "float64": _float64,
        "bool": _bool,
        "date": day,
        "timestamp": lambda text: moment(text, zone),
    }
    return casters[kind]


def _number(text: str) -> Decimal:
    if not re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?", text, re.ASCII):
        raise ValueError
    return Decimal(text)


def _int64(text: str) -> int:
    number = _number(text)
    if number.is_zero():
        return 0
    if number.adjusted() > SURE_DIGITS + 4:
        raise Refused("it is beyond 64 bits")
    if number.adjusted() < 0 or number != int(number):
        raise Refused("it has a fraction")
    if int(number) not in INT64:
        raise Refused("it is beyond 64 bits")
    return int(number)


def _float64(text: str) -> float:
    if _is_word(text):
        return float(text)
    number = _number(text)
    found = float(number)
    if not math.isfinite(found) or not same_number(found, text):
        raise Refused(_rounded(found))
    return found


def _decimal(text: str, precision: int, scale: int) -> Decimal:
    number = _number(text)
    if number.adjusted() > precision:
        raise Refused("it has more digits")
    with localcontext() as exact:
        exact.prec = 76
        scaled = number.quantize(Decimal(1).scaleb(-scale))
    if scaled != number or len(scaled.as_tuple().digits) > precision:
        raise Refused("it has more digits")
    return scaled


def _bool(text: str) -> bool:
    try:
        return {"true": True, "false": False, "1": True, "0": False}[text.lower()]
    except KeyError:
        raise ValueError from None
