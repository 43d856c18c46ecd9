"""Days and moments out of the vendors' texts: by the column where Arrow is right, by the value where it is not.

A moment is kept as UTC in microseconds. What a table's readers cannot hold (years before 0001 and after 9999 in UTC,
leap seconds, what is finer than a microsecond) is refused, and so is a wall time that the clocks of its zone skip: two
wall times would become one moment. Of an hour that comes twice the first is taken: its text does not say which. Arrow's
own tables of zones end with 2037.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_MS = 86_400_000
SHORTEST_EPOCH = 100_000_000_000
STAMP = pa.timestamp("us", "UTC")
_MICROSECOND = timedelta(microseconds=1)
_FIRST = (datetime.min.replace(tzinfo=UTC) - EPOCH) // _MICROSECOND
_LAST = (datetime.max.replace(tzinfo=UTC) - EPOCH) // _MICROSECOND
_ARROW_KNOWS = (0, (datetime(2037, 1, 1, tzinfo=UTC) - EPOCH) // _MICROSECOND)
_READABLE = "a table's readers know the years 0001 to 9999 in UTC"
_EPOCH_MS = re.compile(r"-?\d{9,}", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MOMENT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d)(?::(\d\d)(?::(\d\d)(?:[.,](\d+))?)?)? ?(Z|z|UTC|[+-]\d\d(?::?\d\d)?)?)?",
    re.ASCII,
)


class Refused(ValueError):
    """A value is refused for a reason that the type alone does not say."""


def days(texts: pa.Array) -> pa.Array:
    """Cast a column of texts, all of them YYYY-MM-DD.

    :raises pyarrow.ArrowInvalid: one is not, or is before the year 0001
    """
    found = texts.cast(pa.date32())
    if len(found) > found.null_count and pc.min(found.view(pa.int32())).as_py() < _FIRST // 1000 // DAY_MS:
        raise pa.ArrowInvalid(_READABLE)
    return found


def moments(texts: pa.Array, zone: str) -> pa.Array:
    """Cast a column of ISO 8601 texts that all name a zone, or all name none.

    :raises pyarrow.ArrowInvalid: they have to be cast one by one, or one is no moment
    """
    try:
        return _readable(texts.cast(STAMP))
    except pa.ArrowInvalid:
        walls = texts.cast(pa.timestamp("us"))
    if zone == "UTC":
        return _readable(walls.cast(STAMP))
    known = _between(walls, *_ARROW_KNOWS)
    found = pc.assume_timezone(
        walls if known is None else pc.if_else(known, walls, None), zone, ambiguous="earliest", nonexistent="raise"
    ).cast(STAMP)
    if known is None:
        return found
    where = ZoneInfo(zone)
    try:
        others = [None if text is None else moment(text, where) for text in pc.if_else(known, None, texts).to_pylist()]
    except (ValueError, OverflowError) as error:
        raise pa.ArrowInvalid(str(error)) from None
    return pc.coalesce(found, pa.array(others, STAMP))


def epoch_ms(values: pa.Array, kind: str) -> pa.Array:
    """Cast epoch milliseconds to time stamps or days.

    :raises pyarrow.ArrowInvalid: too far from now, not a whole day where days are wanted, or of less than twelve
        digits, as seconds and a day written 20261121 are
    """
    if pc.any(pc.less(pc.abs(values), SHORTEST_EPOCH)).as_py():
        raise pa.ArrowInvalid("too short for epoch milliseconds")
    stamps = _readable(values.cast(pa.timestamp("ms", "UTC")).cast(STAMP))
    if kind == "timestamp":
        return stamps
    found = stamps.cast(pa.timestamp("us")).cast(pa.date32())
    # Arrow leaves the time of a day out without a word.
    if pc.any(pc.not_equal(found.cast(STAMP), stamps)).as_py():
        raise pa.ArrowInvalid("it has a time of day")
    return found


def local_days(stamps: pa.Array, zone: str) -> pa.Array:
    """Return the day of each moment in a zone, also in one that Arrow does not find on this machine."""
    stamps = stamps.cast(STAMP)
    known = None if zone == "UTC" else _between(stamps, *_ARROW_KNOWS)
    try:
        local = pc.local_timestamp(stamps.cast(pa.timestamp("us", zone)))
        found = pc.floor_temporal(local, unit="day").cast(pa.date32())
    except pa.ArrowInvalid:
        # Arrow looks for zones in the system alone, Python in tzdata of PyPI as well.
        found, known = pa.nulls(len(stamps), pa.date32()), pa.array([False] * len(stamps), pa.bool_())
    if known is None:
        return found
    where, clock = ZoneInfo(zone), []
    for stamp in pc.if_else(known, None, stamps).to_pylist():
        try:
            clock.append(stamp and stamp.astimezone(where).date())
        except OverflowError:
            clock.append(stamp.date())
    return pc.if_else(known, found, pa.array(clock, pa.date32()))


def day(text: str) -> date:
    """Return the day that a text says: a date, a moment at midnight, or epoch milliseconds of one in UTC.

    :raises ValueError: it says none; :class:`Refused` where the reason is to be given
    """
    if _DAY.fullmatch(text):
        return date.fromisoformat(text)
    if _EPOCH_MS.fullmatch(text):
        found = _from_epoch(text)
        if int(text) % DAY_MS:
            raise Refused("it has a time of day, which would be lost")
        return found.date()
    stamp = _parsed(text)
    if (stamp.hour, stamp.minute, stamp.second, stamp.microsecond) != (0, 0, 0, 0):
        raise Refused("it has a time of day, which would be lost")
    return stamp.date()


def moment(text: str, zone: ZoneInfo) -> datetime:
    """Return the moment that a text says, in UTC: ISO 8601 with or without a zone, or epoch milliseconds. A day without
    a time is its first moment.

    :raises ValueError: it says none; :class:`Refused` where the reason is to be given
    """
    if _EPOCH_MS.fullmatch(text):
        return _from_epoch(text)
    stamp = _parsed(text)
    try:
        if stamp.tzinfo is not None:
            return stamp.astimezone(UTC)
        found = stamp.replace(tzinfo=zone).astimezone(UTC)
    except OverflowError:
        raise Refused(_READABLE) from None
    skipped = found - stamp.replace(tzinfo=UTC) != -_offset(found, zone)
    if skipped and not (_DAY.fullmatch(text) and _is_first(found, stamp.date(), zone)):
        raise Refused(f"the clocks of {zone.key} skip this hour: correct timezone, or keep the text")
    return found


def _is_first(moment_: datetime, of: date, zone: ZoneInfo) -> bool:
    before = (moment_ - _MICROSECOND).astimezone(zone).date()
    return moment_.astimezone(zone).date() == of != before


def _offset(moment_: datetime, zone: ZoneInfo) -> timedelta:
    try:
        return moment_.astimezone(zone).utcoffset() or timedelta(0)
    except OverflowError:
        raise Refused(_READABLE) from None


def _from_epoch(text: str) -> datetime:
    if len(text.lstrip("-0")) < len(str(SHORTEST_EPOCH)):
        raise Refused(
            "epoch milliseconds have twelve digits or more; of fewer it may be seconds: keep the number as int64"
        )
    try:
        return EPOCH + timedelta(milliseconds=int(text))
    except OverflowError:
        raise Refused(_READABLE) from None


def _parsed(text: str) -> datetime:
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise ValueError
    *parts, fraction, offset = found.groups()
    year, month, of_month, hour, minute, second = (int(part or 0) for part in parts)
    if second == 60:
        raise Refused("a leap second has no place in a table")
    if hour == 24:
        raise Refused("24:00 is not an hour: it is 00:00 of the next day")
    if fraction and fraction[6:].strip("0"):
        raise Refused("it is finer than a microsecond")
    if year == 0:
        raise Refused(_READABLE)
    microsecond = int((fraction or "0")[:6].ljust(6, "0"))
    return datetime(year, month, of_month, hour, minute, second, microsecond, _zone(offset))


def _zone(offset: str | None) -> timezone | None:
    if offset is None:
        return None
    if offset in ("Z", "z", "UTC"):
        return UTC
    hours, minutes = int(offset[1:3]), int(offset[3:].lstrip(":") or 0)
    if minutes > 59:
        raise ValueError
    return timezone((1 if offset[0] == "+" else -1) * timedelta(hours=hours, minutes=minutes))


def _between(values: pa.Array, low: int, high: int) -> pa.Array | None:
    """Return which values are inside of a span of microseconds; ``None`` where all are."""
    numbers = values.view(pa.int64())
    ends = pc.min_max(numbers)
    lowest, highest = ends["min"].as_py(), ends["max"].as_py()
    if lowest is None or (lowest >= low and highest < high):
        return None
    return pc.and_(pc.greater_equal(numbers, low), pc.less(numbers, high)).fill_null(True)


def _readable(stamps: pa.Array) -> pa.Array:
    if _between(stamps, _FIRST, _LAST + 1) is not None:
        raise pa.ArrowInvalid(_READABLE)
    return stamps
