"""How many digits the numbers of a column have, and so which type holds each of them exactly."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

import pyarrow as pa
import pyarrow.compute as pc

from nightshift.lake.casts import INT64, SURE_DIGITS, same_number
from nightshift.lake.spec import MOST_DIGITS


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
        """The type: ``int64``, ``float64`` where there are fractions, ``decimal(38,s)`` for digits beyond either, ``string``."""
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
        spelled_whole and int(number) in INT64,
        same_number(float(number), text),
    )
