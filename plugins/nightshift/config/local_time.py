"""When it is a local time: where a clock change leaves one out, at the change; where it comes twice, the first or the
second time.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo


def instant(local: datetime, zone: tzinfo, *, fold: int) -> datetime:
    """Return when it is that local time, in UTC.

    :param local: without a zone
    :param fold: which of two instants, 0 the first and 1 the second, where the local time comes twice
    """
    instants = [local.replace(tzinfo=zone, fold=one).astimezone(UTC) for one in (0, 1)]
    return instants[fold] if instants[0] <= instants[1] else _change(instants[1], instants[0], zone)


def _change(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """Return the first second after ``before`` in UTC from which on the zone has the offset that it has at
    ``after``.
    """
    old = before.astimezone(zone).utcoffset()
    while (span := (after - before) // timedelta(seconds=1)) > 1:
        middle = before + timedelta(seconds=span // 2)
        if middle.astimezone(zone).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after
