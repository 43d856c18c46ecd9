"""Whether a stage is frozen, since when and until when, and whether a person has overridden that."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain

from nightshift.config.freezes import LONGEST, Freeze
from nightshift.local_time import instant
from nightshift.promotion.record import FreezeOverride

Span = tuple[datetime, datetime]
"""From an instant to another, in UTC, without the second one."""


@dataclass(frozen=True)
class FreezeNow:
    """A freeze that has begun, and not ended."""

    freeze: Freeze
    since: datetime
    until: datetime

    @property
    def words(self) -> str:
        """What is frozen until when, and why, in one line."""
        return f"frozen until {self.until:%Y-%m-%d %H:%M} UTC ({self.freeze.name}: {self.freeze.reason})"


def frozen_at(freezes: Iterable[Freeze], at: datetime) -> tuple[FreezeNow, ...]:
    """Return the freezes that are in force at an instant.

    :param at: an aware time
    """
    found = ((one, span) for one in freezes for span in spans([one], at, at))
    return tuple(FreezeNow(freeze, since, until) for freeze, (since, until) in found if since <= at < until)


def overridden(frozen: FreezeNow, overrides: Iterable[FreezeOverride], *, stage: str, terms: str) -> bool:
    """Tell whether a person has overridden a freeze: this one, for this stage and these terms, who is named still."""
    return any(
        (one.freeze, one.since, one.stage, one.terms) == (frozen.freeze.name, frozen.since, stage, terms)
        and {one.person, one.name} & set(frozen.freeze.override)
        for one in overrides
    )


def spans(freezes: Iterable[Freeze], first: datetime, last: datetime) -> list[Span]:
    """Return when any of them is in force, in order; those that touch are one.

    :param first: what is over by then may be left out
    :param last: what begins after it may be left out
    """
    merged: list[Span] = []
    for since, until in sorted(chain.from_iterable(_spans(one, first, last) for one in freezes)):
        if merged and since <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], until))
        else:
            merged.append((since, until))
    return merged


def _spans(freeze: Freeze, first: datetime, last: datetime) -> list[Span]:
    if freeze.ends is not None:
        return [freeze.span]
    length = freeze.duration or timedelta()
    # What has begun so long ago may still go on, and what goes on may come again before it is over.
    slack = LONGEST + length + timedelta(days=1)
    starts = freeze.recurrence.starts(_local(first, freeze) - slack, _local(last, freeze) + slack)
    return [(instant(one, freeze.zone, fold=0), _end(one, length, freeze)) for one in starts]


def _local(at: datetime, freeze: Freeze) -> datetime:
    return at.astimezone(freeze.zone).replace(tzinfo=None)


def _end(start: datetime, length: timedelta, freeze: Freeze) -> datetime:
    """Return the end of what begins at a local time: days by the calendar, the rest by the clock."""
    rest = length - timedelta(days=length.days)
    return instant(start + timedelta(days=length.days), freeze.zone, fold=0 if rest else 1) + rest
