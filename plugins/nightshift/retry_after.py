"""What a vendor asks to wait: one reading of ``Retry-After``, and one bound, for everything that waits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite, isnan

LONGEST_WAIT = 3600.0
"""Seconds that a vendor is heeded for, whatever it says; then it is asked again."""

_FIRST_MOMENT = 1e9
"""A number from here on is no wait (of 32 years) but a moment, counted since 1970."""
_UNITS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3), (_FIRST_MOMENT, 1.0))
"""From which number on a moment is counted in nano-, micro-, milliseconds and seconds, and how many make a second."""


def bounded(seconds: float) -> float:
    """Return a wait that can be waited for and added to a date: from 0 to :data:`LONGEST_WAIT`."""
    return 0.0 if isnan(seconds) else min(max(0.0, seconds), LONGEST_WAIT)


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Return the seconds that an answer asks to wait, at most :data:`LONGEST_WAIT`, 0 where they have passed; ``None``
    where it does not say or cannot be understood.

    The standard (RFC 9110 §10.2.3) has whole seconds or an HTTP date. Vendors and proxies also send fractions, a moment
    as seconds or milliseconds since 1970, an ISO date, negative and endless numbers, and the header more than once: the
    longest wait counts.

    :param headers: of the answer
    :param now: an aware time; default: the present
    """
    now = now or datetime.now(UTC)
    waits = [wait for value in _values(headers) for part in _parts(value) if (wait := _wait(part, now)) is not None]
    return bounded(max(waits)) if waits else None


def _values(headers: Mapping[str, str]) -> Iterable[str]:
    every = getattr(headers, "getall", None)
    if every is not None:
        return list(every("Retry-After", ()))
    return [value for name, value in headers.items() if name.lower() == "retry-after"]


def _parts(value: str) -> list[str]:
    """Return the values of a header that a proxy may have joined; a date has a comma of its own."""
    parts = [part.strip() for part in value.split(",")]
    return parts if all(_number(part) is not None for part in parts) else [value.strip()]


def _wait(value: str, now: datetime) -> float | None:
    if (number := _number(value)) is not None:
        for least, in_a_second in _UNITS:
            if number >= least:
                return number / in_a_second - now.timestamp() if isfinite(number) else number
        return number
    try:
        moment = _date(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now.timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _number(value: str) -> float | None:
    digits = value.removeprefix("-").replace(".", "", 1)
    return float(value) if digits.isascii() and digits.isdigit() else None


def _date(value: str) -> datetime:
    return datetime.fromisoformat(value) if value[:4].isdigit() else parsedate_to_datetime(value)
