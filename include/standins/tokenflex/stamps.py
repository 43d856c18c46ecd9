"""Time stamps as the vendor writes and reads them (reference 3.3)."""

from __future__ import annotations

from datetime import UTC, datetime

from include.standins.tokenflex.switches import Stamps


def written(at: datetime, style: Stamps, *, expiry: bool = False) -> str:
    """Write a time stamp.

    The documented examples have 6, 5 or 3 fraction digits, as if zeros at the end were cut off, and one expiry has no ``Z``: here, by the
    microsecond, a third of the stamps is cut to milliseconds and every other expiry loses its zone.

    :param at: an aware time
    :param style: the switch
    :param expiry: ``downloadUrlExpireDate``
    """
    plain = at.astimezone(UTC).replace(tzinfo=None)
    match style:
        case Stamps.REGULAR:
            return f"{plain.isoformat(timespec='microseconds')}Z"
        case Stamps.NO_ZONE:
            return plain.isoformat(timespec="microseconds")
        case Stamps.OFFSET:
            return f"{plain.isoformat(timespec='milliseconds')}+00:00"
        case Stamps.SECONDS:
            return f"{plain.isoformat(timespec='seconds')}Z"
        case Stamps.IRREGULAR:
            text = plain.isoformat(timespec="milliseconds" if plain.microsecond % 3 == 1 else "microseconds")
            head, _, fraction = text.partition(".")
            zone = "" if expiry and plain.microsecond % 2 else "Z"
            return f"{head}.{fraction.rstrip('0').ljust(3, '0')}{zone}"


def read(text: str) -> datetime:
    """Read a date or a time stamp of a query parameter; no zone is UTC.

    :raises ValueError: neither
    """
    at = datetime.fromisoformat(text.strip())
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
