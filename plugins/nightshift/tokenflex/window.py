"""Which nights one export is for."""

from __future__ import annotations

from datetime import date, timedelta


def first_night(night: str, look_back: int) -> str:
    """Return the first of the nights that an export is for.

    :param night: the last one, ``YYYY-MM-DD``
    :param look_back: nights before it, 0 or more
    """
    return (date.fromisoformat(night) - timedelta(days=look_back)).isoformat()


def nights_of(night: str, look_back: int) -> tuple[str, ...]:
    """Return the nights that one export is for, in order.

    >>> nights_of("2026-03-01", 1)
    ('2026-02-28', '2026-03-01')
    """
    first = date.fromisoformat(first_night(night, look_back))
    return tuple((first + timedelta(days=number)).isoformat() for number in range(look_back + 1))
