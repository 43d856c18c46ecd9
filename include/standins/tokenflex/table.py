"""The rows that a request selects: sessions as they are, or groups with their metrics (reference 3.7)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

from include.standins.tokenflex.asked import Asked
from include.standins.tokenflex.catalogue import AT, FIELDS, Category
from include.standins.tokenflex.contracts import Contract
from include.standins.tokenflex.switches import TokenFlexSwitches
from include.standins.tokenflex.usage import HUNDREDTHS, Usage, UsageDay, UsageRow

_PRODUCT, _USER = AT["productName"], AT["userName"]
_MONTH, _DATE, _YEAR, _CATEGORY = AT["usageMonth"], AT["usageDate"], AT["contractYear"], AT["usageCategory"]


@dataclass(frozen=True)
class Source:
    """Where the rows of a request come from.

    :param as_of: the vendor's day: what has arrived by then counts
    """

    usage: Usage
    contract: Contract
    switches: TokenFlexSwitches
    as_of: date


def decimal(hundredths: int) -> str:
    """Write a number of hundredths as the vendor writes tokens: ``60.0``, ``0.25``."""
    return str(hundredths / HUNDREDTHS)


def selected(source: Source, asked: Asked) -> Iterator[UsageDay]:
    """Give the days on which there are matching rows, oldest first, each with these rows alone."""
    contract = source.contract
    last = min(contract.ends, source.as_of - timedelta(days=1))
    for number in range(contract.starts.toordinal(), last.toordinal() + 1):
        day = date.fromordinal(number)
        for category in asked.categories or tuple(Category):
            if asked.test(_outline(contract, category, day), True) is not False:
                found = matching(source, asked, category, day)
                if found.rows:
                    yield found


def _outline(contract: Contract, category: Category, day: date) -> list[str]:
    values = [""] * len(FIELDS)
    values[_MONTH] = day.replace(day=1).isoformat()
    values[_DATE] = day.isoformat()
    values[_YEAR] = str(contract.year_of(day))
    values[_CATEGORY] = category.value
    return values


def matching(source: Source, asked: Asked, category: Category, day: date) -> UsageDay:
    whole = source.usage.day(source.contract, category, day, source.switches)
    age = (source.as_of - day).days
    fits = [row.arrives <= age and asked.test(row.values, False) is True for row in whole.rows]
    rows = tuple(row for row, fit in zip(whole.rows, fits, strict=True) if fit)
    return UsageDay(day, category, rows, whole.copies, sum(fits[: whole.rest]))


def values_of(row: UsageRow, columns: tuple[str, ...]) -> list[str]:
    """Return the fields of a row; a field that the stand-in does not know is empty."""
    return [row.values[AT[name]] if name in AT else "" for name in columns]


def session_metrics(row: UsageRow, metrics: tuple[str, ...]) -> list[str]:
    group = _Group()
    group.add(row, 1)
    return group.metrics(metrics)


@dataclass
class _Group:
    hundredths: int = 0
    minutes: int = 0
    uses: int = 0
    quantity: int = 0
    users: set[str] = field(default_factory=set)
    products: set[str] = field(default_factory=set)

    def add(self, row: UsageRow, times: int) -> None:
        self.hundredths += row.hundredths * times
        self.minutes += row.minutes * times
        self.uses += row.uses * times
        self.quantity += row.quantity * times
        self.users.add(row.values[_USER])
        self.products.add(row.values[_PRODUCT])

    def metrics(self, names: tuple[str, ...]) -> list[str]:
        made = {
            "uniqueProducts": str(len(self.products)),
            "uniqueUsers": str(len(self.users)),
            "tokensConsumed": decimal(self.hundredths),
            "usageMinutes": str(self.minutes),
            "usageHours": str(round(self.minutes / 60, 2)),
            "useCount": str(self.uses),
            "quantity": str(self.quantity),
        }
        return [made.get(name, "") for name in names]


def grouped(source: Source, asked: Asked) -> list[list[str]]:
    """Return one row for each combination of the fields, sorted by it: the fields as asked, then the metrics.

    Without fields there is one row, the total; nothing where nothing matches.
    """
    groups: dict[tuple[str, ...], _Group] = {}
    for day in selected(source, asked):
        for index, row in enumerate(day.rows):
            times = day.copies + (1 if index < day.rest else 0)
            key = tuple(values_of(row, asked.columns))
            group = groups.get(key)
            if group is None:
                group = groups[key] = _Group()
            group.add(row, times)
    return [[*key, *groups[key].metrics(asked.metrics)] for key in sorted(groups)]
