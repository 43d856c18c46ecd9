"""The customers of the stand-in: contracts, the people who sign in, and the customer's own categories (reference
3.6).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from include.standins.draw import Draw


@dataclass(frozen=True)
class Contract:
    """One Token Flex contract; the last day counts."""

    number: str
    name: str
    starts: date
    ends: date
    tokens_a_year: int = 250_000

    def year_of(self, day: date) -> int:
        """Return the contract year of a day: 1, 2, …, counted from the contract's first day."""
        passed = day.year - self.starts.year
        return passed + (1 if (day.month, day.day) >= (self.starts.month, self.starts.day) else 0)

    def years(self) -> list[tuple[int, date, date]]:
        """Return number, first and last day of each contract year."""
        starts = [self.starts.replace(year=self.starts.year + n) for n in range(self.year_of(self.ends))]
        ends = [date.fromordinal(start.toordinal() - 1) for start in starts[1:]]
        return [(n, start, end) for n, (start, end) in enumerate(zip(starts, [*ends, self.ends], strict=True), 1)]

    def listed(self, today: date) -> dict[str, Any]:
        return {
            "contractName": self.name,
            "contractNumber": self.number,
            "contractStartDate": self.starts.isoformat(),
            "contractEndDate": self.ends.isoformat(),
            "isActive": self.starts <= today <= self.ends,
        }

    def detailed(self, today: date) -> dict[str, Any]:
        """Return the contract with its years; the consumed tokens are a snapshot of their own, not the sum of the
        usage.
        """
        years = []
        for number, start, end in self.years():
            days = max(0, min((today - start).days, (end - start).days + 1))
            consumed = self.tokens_a_year * days * 9 // 3650
            years.append(
                {
                    "year": number,
                    "startDate": start.isoformat(),
                    "endDate": end.isoformat(),
                    "provisionedTokens": self.tokens_a_year,
                    "consumedTokens": float(consumed),
                    "remainingTokens": float(self.tokens_a_year - consumed),
                    "multiyearTokensAtStart": 0,
                    "multiyearConsumedTokens": 0,
                }
            )
        return {**self.listed(today), "multiyearProvisionedTokens": 0, "contractYears": years}


@dataclass(frozen=True)
class Person:
    """Somebody who can sign in. Without the admin role the contract list is empty (5.3)."""

    name: str
    admin: bool


CONTRACTS: Final = (
    Contract("110000917988", "Standin Engineering EBA", date(2016, 2, 1), date(2030, 1, 31)),
    Contract("110000411502", "Standin Engineering EBA (2013)", date(2013, 2, 1), date(2016, 1, 31), 90_000),
)
"""An active contract, whose number is the documented one, and an expired one."""

PEOPLE: Final = (
    Person("admin@standin.example", admin=True),
    Person("lead@standin.example", admin=True),
    Person("reader@standin.example", admin=False),
)

CATEGORY_NAMES: Final = ("Geo", "Department", "", "Kostenträger", "プロジェクト", "", "Geo", "", "Cost Center", "")
"""Ten slots; some are empty, one name is there twice, some are not ASCII (section 2)."""

_VALUES: Final[dict[int, tuple[str, ...]]] = {
    1: ("EMEA", "AMER", "APAC"),
    2: ("Structures", "Roads, Bridges", "Water", "R&D", "Façades"),
    4: ("4711 Größe", "4712 Straße", "4713", ""),
    5: ("東京駅", "Elbphilharmonie", "مشروع"),
    7: ("DE", "FR", "US", "JP"),
    9: ('CC-100 "old"', "CC-200", "CC-300"),
}


def own_names() -> tuple[tuple[str, str], ...]:
    """Return name → ``customFieldN`` of the categories that have one; a name that is there twice means the first
    slot.
    """
    slots = [(name, f"customField{n}") for n, name in enumerate(CATEGORY_NAMES, 1) if name]
    return tuple(dict(reversed(slots)).items())


def custom_values(seed: int, user: int) -> tuple[str, ...]:
    draw = Draw(seed, "tokenflex", "custom", user)
    return tuple(draw.choice(_VALUES[slot]) if slot in _VALUES else "" for slot in range(1, 11))


def unique_custom_values(slot: int) -> list[str]:
    """Return all values of one custom field, sorted."""
    return sorted(value for value in _VALUES.get(slot, ()) if value)


def contract(number: str) -> Contract | None:
    return next((one for one in CONTRACTS if one.number == number), None)
