"""How often a band of rows cries for nothing, and how often it sees what is wrong, on two years of seeded nights.

``python -m benchmarks.bands`` prints the table that docs/watch.md shows. Each kind of report is drawn five times; every
night of the two years is judged by what was published before it, from the tenth week on. A night that is refused is
published afterwards, as a person does who has asked the vendor. Faults are judged on every fifth night, and are never
published.
"""

from __future__ import annotations

import argparse
import calendar
import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from nightshift.lake.bands import in_band
from nightshift.lake.spec import Band

SEEDS = 5
NIGHTS = 730
BEGIN = date(2024, 12, 1)
FAULTS = {"empty": 0.0, "a fifth is there": 0.2, "a third is there": 0.34, "three times": 3.0}
EVERY = 5
WARM_UP = 70
"""Nights that are history only: with a season the first five weeks have no verdict."""
RULES = {
    "plain": Band(),
    "weekday": Band(season="weekday", nights=8),
}
_HOLIDAYS = ((1, 1), (4, 3), (4, 6), (5, 1), (5, 14), (10, 3), (12, 24), (12, 25), (12, 26), (12, 31))

Draw = Callable[[date, int, random.Random], float]


def _noise(rng: random.Random, sigma: float = 0.08) -> float:
    return math.exp(rng.gauss(0, sigma))


def _week(day: date) -> float:
    return 0.12 if day.weekday() >= 5 else 1.0


def _is_month_end(day: date) -> bool:
    return day.day == calendar.monthrange(day.year, day.month)[1]


def flat(day: date, number: int, rng: random.Random) -> float:
    """Return the rows of a night of a report that is the same every day."""
    return 10_000 * _noise(rng)


def weekly(day: date, number: int, rng: random.Random) -> float:
    """Return those of one with work days and weekends."""
    return 10_000 * _week(day) * _noise(rng)


def month_ends(day: date, number: int, rng: random.Random) -> float:
    """Return those of one with work days, and four times as much on the last day of a month, whatever day it is."""
    return 40_000 * _noise(rng) if _is_month_end(day) else weekly(day, number, rng)


def growth(day: date, number: int, rng: random.Random) -> float:
    """Return those of one with work days that grows fourfold in two years."""
    return weekly(day, number, rng) * 4 ** (number / NIGHTS)


def holidays(day: date, number: int, rng: random.Random) -> float:
    """Return those of one with work days and ten holidays a year that look like Sundays."""
    rows = weekly(day, number, rng)
    return rows * 0.12 if (day.month, day.day) in _HOLIDAYS and day.weekday() < 5 else rows


def heavy_tails(day: date, number: int, rng: random.Random) -> float:
    """Return those of one that goes up and down by itself: one night in fifteen is off by more than 2.5 times."""
    return 10_000 * _noise(rng, 0.5)


KINDS: Mapping[str, Draw] = {
    "the same every day": flat,
    "work days and weekends": weekly,
    "… and peaks at months' ends": month_ends,
    "… and growth to the fourfold in two years": growth,
    "… and ten holidays a year": holidays,
    "… with the holidays listed": holidays,
    "heavy tails": heavy_tails,
}


@dataclass
class Tally:
    """What came of one rule on one kind of report.

    :param alarms: sound nights that were refused
    :param nights: sound nights
    :param seen: fault → how often it was refused
    :param faults: how often each fault was judged
    """

    alarms: int = 0
    nights: int = 0
    seen: dict[str, int] | None = None
    faults: int = 0

    @property
    def a_year(self) -> float:
        """False alarms in a year of one report."""
        return 365 * self.alarms / self.nights


def judged(rule: Band, draw: Draw, seed: int, tally: Tally) -> None:
    """Judge two years of one report."""
    rng = random.Random(seed)
    history: dict[str, int] = {}
    tally.seen = tally.seen or dict.fromkeys(FAULTS, 0)
    for number in range(NIGHTS):
        day = BEGIN + timedelta(days=number)
        night, rows = day.isoformat(), round(draw(day, number, rng))
        if number >= WARM_UP:
            tally.nights += 1
            tally.alarms += not in_band(rule, night, rows, history)[0]
        if number >= WARM_UP and number % EVERY == 0 and night not in rule.holidays:
            tally.faults += 1
            for name, share in FAULTS.items():
                tally.seen[name] += not in_band(rule, night, round(rows * share), history)[0]
        history[night] = rows


def measured(seeds: int = SEEDS) -> Iterator[tuple[str, str, Tally]]:
    """Yield kind of report, rule, and what came of it."""
    for kind, draw in KINDS.items():
        listed = kind.endswith("listed")
        for name, rule in RULES.items():
            days = [BEGIN + timedelta(days=n) for n in range(NIGHTS)] if listed else []
            known = tuple(day.isoformat() for day in days if (day.month, day.day) in _HOLIDAYS)
            tally = Tally()
            for seed in range(seeds):
                judged(rule.model_copy(update={"holidays": known}), draw, seed, tally)
            yield kind, name, tally


def main() -> None:
    """Print the table, as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bands", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="reports of each kind")
    options = parser.parse_args()
    print(
        f"| rows of a night | band | false alarms a year | {' | '.join(FAULTS)} |\n"
        f"| --- | --- | --- {'| --- ' * len(FAULTS)}|"
    )
    for kind, rule, tally in measured(options.seeds):
        found = " | ".join(f"{100 * (tally.seen or {})[name] / tally.faults:.0f} %" for name in FAULTS)
        print(f"| {kind} | {rule} | {tally.a_year:.1f} | {found} |")


if __name__ == "__main__":
    main()
