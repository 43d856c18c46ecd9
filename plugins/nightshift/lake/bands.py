"""How many rows a night should have, by the nights before it. Pure.

A plain band compares with the median of the nights before. Where work has a week, Sundays look like a loss to it and
Mondays like a doubling; so with ``season: weekday`` a night is compared with the same weekday of the weeks before, and
at the end of a month with the same day before earlier months' ends as well: it is sound where one of both takes it. The
band is never narrower than how far the nights it compares with lie apart themselves.
"""

from __future__ import annotations

import calendar
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median

from nightshift.fields import night_of
from nightshift.lake.spec import Band

MONTHS = 6
"""Months' ends that are compared with, at most."""
FEWEST_MONTHS = 2
"""With fewer known ends of months nobody knows what is too much at one."""
SCATTERS = 3.0
"""How many times its usual distance from the median a night may be away, where that is more than the band allows."""
_SIGMA = 1.4826
"""Median absolute deviation → standard deviation, of a normal distribution."""


@dataclass(frozen=True)
class Expectation:
    """What a night is compared with.

    :param low: fewest rows that are sound
    :param high: most rows that are sound; infinite: nobody knows
    :param words: what was compared, for people
    """

    low: float
    high: float
    words: str

    def takes(self, rows: int) -> bool:
        """Return whether a row count is sound."""
        return self.low <= rows <= self.high


def in_band(rule: Band, night: str, rows: int, history: Mapping[str, int]) -> tuple[bool, str]:
    """Return whether the row count of a night is near what it should be, and the numbers for a person.

    :param night: the night, ``YYYY-MM-DD``
    :param history: night → rows, of every night that is published; later ones are not looked at
    """
    if night in rule.holidays:
        return True, f"{night}: {rows} rows; not judged, it is one of the holidays"
    before = {one: count for one, count in sorted(history.items()) if one < night and one not in rule.holidays}
    expected = _plain(rule, before) if rule.season == "none" else _seasonal(rule, night_of(night), before)
    if isinstance(expected, str):
        return True, f"{night}: not judged, {expected}"
    ok = any(one.takes(rows) for one in expected)
    words = "; or ".join(f"{one.low:g} to {_most(one.high)} expected {one.words}" for one in expected)
    advice = "" if ok else ". If the vendor is right, widen checks.band for this night and publish again"
    return ok, f"{night}: {rows} rows, {words}{advice}"


def _plain(rule: Band, before: Mapping[str, int]) -> list[Expectation] | str:
    counts = list(before.values())[-rule.nights :]
    if len(counts) < rule.history:
        return f"{len(counts)} of {rule.history} earlier nights are there"
    middle = median(counts)
    words = f"after {len(counts)} nights with a median of {middle:g}"
    return [Expectation(rule.low * middle, rule.high * middle, words)]


def _seasonal(rule: Band, night: date, before: Mapping[str, int]) -> list[Expectation] | str:
    """Return what the same weekday and the ends of months tell."""
    to_end = _days_to_end(night)
    is_end = to_end < rule.month_end
    days = [(night_of(one), count) for one, count in before.items()]
    same = [count for one, count in days if one.weekday() == night.weekday() and _days_to_end(one) >= rule.month_end]
    same = same[-rule.nights :]
    if len(same) < rule.history:
        return f"{len(same)} of {rule.history} earlier {calendar.day_name[night.weekday()]}s are there"
    weekday = _around(rule, same, f"after {len(same)} {calendar.day_name[night.weekday()]}s")
    if not is_end:
        return [weekday]
    ends = [count for one, count in days if _days_to_end(one) == to_end][-MONTHS:]
    if len(ends) < FEWEST_MONTHS:
        words = f"{weekday.words}; too few ends of months are there to know what is too much at one"
        return [Expectation(weekday.low, math.inf, words)]
    return [weekday, _around(rule, ends, f"after {len(ends)} ends of months")]


def _around(rule: Band, counts: Sequence[int], words: str) -> Expectation:
    """Return the band around the median, no narrower than the counts lie apart themselves."""
    middle = median(counts)
    spread = math.exp(SCATTERS * _scatter(counts))
    low, high = min(rule.low, 1 / spread) * middle, max(rule.high, spread) * middle
    return Expectation(low, high, f"{words} with a median of {middle:g}")


def _scatter(counts: Iterable[int]) -> float:
    """Return how far counts lie apart, as the standard deviation of their logarithms, robustly."""
    logs = [math.log(count) for count in counts if count > 0]
    if len(logs) < 2:
        return 0.0
    middle = median(logs)
    return _SIGMA * median(abs(one - middle) for one in logs)


def _days_to_end(day: date) -> int:
    return calendar.monthrange(day.year, day.month)[1] - day.day


def _most(high: float) -> str:
    return "any number" if math.isinf(high) else f"{high:g}"
