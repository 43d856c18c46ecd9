"""From the vendors' texts to values of a type: by the column where that goes, by the value where it does not.

Nothing is lost in silence: a text that is not exactly a value of the type is an error, never null.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from nightshift.lake.spec import decimal_of

INT64 = range(-(1 << 63), 1 << 63)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_MS = 86_400_000
SHORTEST_EPOCH = 100_000_000
_UTC = pa.timestamp("us", "UTC")
_ARROW = {
    "string": pa.string(), "json": pa.string(), "int64": pa.int64(), "float64": pa.float64(), "bool": pa.bool_(),
    "date": pa.date32(), "timestamp": _UTC,
}  # fmt: skip


class Misfit(Exception):
    """A value does not fit.

    :param index: its place in the column, from 0
    :param text: the value
    :param why: what is wrong with it, where more than the type is to be said
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

    :param texts: strings, null where there is no value
    :param kind: the column type
    :param zone: zone of time stamps that name none; of an hour that comes twice the first is taken
    :param empty_as_null: an empty text is no value, but where the type is text
    :raises Misfit: a text is not a value of the type
    """
    if kind in ("string", "json"):
        return texts
    if empty_as_null:
        texts = pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)
    for attempt in (_stamps_with_zone, _stamps_without) if kind == "timestamp" else (_plainly,):
        try:
            return attempt(texts, kind, zone)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            continue
    return by_value(texts.to_pylist(), kind, zone, empty_as_null)


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
            raise Misfit(index, text, str(error) if type(error) is ValueError and error.args[1:] else "") from None
    return pa.array(found, arrow_type(kind))


def from_raw(raws: Sequence[msgspec.Raw | None], kind: str, zone: str, empty_as_null: bool) -> pa.Array:
    """Cast a column of JSON values, each the vendor's own text; see :func:`from_text`."""
    if kind == "json":
        return pa.array(
            [None if raw is None or bytes(raw) == b"null" else str(raw, "utf-8") for raw in raws], pa.string()
        )
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


def epoch_ms(values: pa.Array, kind: str) -> pa.Array:
    """Cast epoch milliseconds to time stamps or days.

    :raises pyarrow.ArrowInvalid: too far from now, not a whole day where days are wanted, or of less than nine digits, as a
        day written 20261121 is
    """
    if pc.any(pc.less(pc.abs(values), SHORTEST_EPOCH)).as_py():
        raise pa.ArrowInvalid("too short for epoch milliseconds")
    stamps = values.cast(pa.timestamp("ms", "UTC"))
    if kind == "timestamp":
        return stamps.cast(_UTC)
    return stamps.cast(pa.timestamp("ms")).cast(pa.date32())


def _plainly(texts: pa.Array, kind: str, zone: str) -> pa.Array:
    digits = decimal_of(kind)
    if digits and not pc.all(pc.match_substring_regex(texts, _plain_decimal(*digits))).as_py():
        raise pa.ArrowInvalid("Arrow loses digits of what is finer than the scale in silence")
    return texts.cast(arrow_type(kind))


def _plain_decimal(precision: int, scale: int) -> str:
    fraction = rf"(\.[0-9]{{1,{scale}}})?" if scale else ""
    return rf"^-?[0-9]{{1,{precision}}}{fraction}$"


def _stamps_with_zone(texts: pa.Array, kind: str, zone: str) -> pa.Array:
    return texts.cast(_UTC)


def _stamps_without(texts: pa.Array, kind: str, zone: str) -> pa.Array:
    naive = texts.cast(pa.timestamp("us"))
    if zone == "UTC":
        return naive.cast(_UTC)
    return pc.assume_timezone(naive, zone, ambiguous="earliest", nonexistent="latest").cast(_UTC)


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
        "date": _date,
        "timestamp": lambda text: _timestamp(text, zone),
    }
    return casters[kind]


def _refuse(why: str) -> ValueError:
    return ValueError(why, "told")


def _number(text: str) -> Decimal:
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?", text, re.ASCII):
        raise ValueError
    return Decimal(text)


def _int64(text: str) -> int:
    number = _number(text)
    if not -20 < number.adjusted() < 20 or number != int(number):
        raise ValueError
    if int(number) not in INT64:
        raise _refuse("it is beyond 64 bits")
    return int(number)


def _float64(text: str) -> float:
    if text.lower() in ("nan", "inf", "-inf"):
        return float(text)
    found = float(_number(text))
    if found in (float("inf"), float("-inf")):
        raise _refuse("it is beyond 64 bits")
    return found


def _decimal(text: str, precision: int, scale: int) -> Decimal:
    with localcontext() as exact:
        exact.prec = 76
        number = _number(text)
        scaled = number.quantize(Decimal(1).scaleb(-scale))
    if scaled != number or len(scaled.as_tuple().digits) > precision:
        raise _refuse("it has more digits")
    return scaled


def _bool(text: str) -> bool:
    try:
        return {"true": True, "false": False, "1": True, "0": False}[text.lower()]
    except KeyError:
        raise ValueError from None


def _date(text: str) -> date:
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        return date.fromisoformat(text)
    if re.fullmatch(r"-?\d{9,}", text, re.ASCII):
        if int(text) % DAY_MS:
            raise _refuse("it has a time of day, which would be lost")
        return (EPOCH + timedelta(milliseconds=int(text))).date()
    stamp = _stamp(text)
    if stamp.time() != datetime.min.time():
        raise _refuse("it has a time of day, which would be lost")
    return stamp.date()


def _timestamp(text: str, zone: ZoneInfo) -> datetime:
    if re.fullmatch(r"-?\d{9,}", text, re.ASCII):
        return EPOCH + timedelta(milliseconds=int(text))
    stamp = _stamp(text)
    return (stamp if stamp.tzinfo else stamp.replace(tzinfo=zone)).astimezone(UTC)


def _stamp(text: str) -> datetime:
    if not re.match(r"\d{4}-\d{2}-\d{2}", text):
        raise ValueError
    if re.search(r"[.,]\d{6}\d*[1-9]", text):
        raise _refuse("it is finer than a microsecond")
    return datetime.fromisoformat(
        re.sub(r" (?=Z$|[+-]\d{2}:?\d{2}$)| UTC$", lambda found: "Z" if "UTC" in found[0] else "", text)
    )
