"""The rows of a group's day, a pure function of seed, group, day and index, made when they are asked for."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import accumulate
from typing import Any, Protocol

import msgspec

from include.standins.draw import Draw
from include.standins.flexnet.fields import BY_TYPE, Field, Group, Place
from include.standins.flexnet.switches import Change, Drift

DISTINCT = 5000
DAYS_KEPT = 96


class Rows(Protocol):
    """A list of rows that need not exist: how many, and some of them as JSON objects."""

    @property
    def count(self) -> int:
        """How many rows there are."""

    def part(self, start: int, stop: int) -> list[bytes]:
        """Return the rows from ``start`` up to, not including, ``stop``, cut to what exists."""


def drifted(group: Group, day: date, drift: Sequence[Drift]) -> tuple[Field, ...]:
    fields = list(group.fields)
    for change in drift:
        if change.group != group.name or day < date.fromisoformat(change.since):
            continue
        if change.change is Change.ADDED:
            fields.append(Field(change.field, change.type, BY_TYPE[change.type]))
        elif change.change is Change.LOST:
            fields = [field for field in fields if field.name != change.field]
        else:
            retyped = Field(change.field, change.type, BY_TYPE[change.type])
            fields = [retyped if field.name == change.field else field for field in fields]
    return tuple(fields)


class Day:
    """A group's rows of one day; there is no end to them, :class:`Window` says how many count.

    :param fields: as they are on that day, the key first
    :param rows_a_day: how many rows the whole day has; spreads the moments of the rows over the day
    """

    def __init__(self, seed: int, group: Group, day: date, fields: tuple[Field, ...], rows_a_day: int) -> None:
        self._seed = seed
        self._group = group
        self._day = day
        self._fields = [(field.name, field.make) for field in fields if field.make]
        self._step = 86_400.0 / max(1, min(rows_a_day, DISTINCT))
        self._head = f'{{"{group.key}":"{group.prefix}-{day:%Y%m%d}-%06d",'.encode()
        self._tails: list[bytes] = []

    def part(self, start: int, stop: int) -> list[bytes]:
        head, tails = self._head, self._tails
        found: list[bytes] = []
        while start < stop:
            place = start % DISTINCT
            many = min(stop - start, DISTINCT - place)
            while len(tails) < place + many:
                tails.append(self._tail(len(tails)))
            ends = tails[place : place + many]
            found += [head % index + end for index, end in enumerate(ends, start)]
            start += many
        return found

    def _tail(self, place: int) -> bytes:
        draw = Draw(self._seed, "flexnet", self._group.name, self._day, place)
        seconds = min(place * self._step + draw.fraction(), 86_399.999)
        at = Place(self._day, datetime.combine(self._day, time()) + timedelta(seconds=seconds))
        return msgspec.json.encode({name: make(draw, at) for name, make in self._fields})[1:]


class Days:
    """The days that were asked for last, of any group."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._kept: OrderedDict[tuple[str, date], Day] = OrderedDict()

    def get(self, group: Group, day: date, drift: Sequence[Drift], rows_a_day: int) -> Day:
        key = (group.name, day)
        if key not in self._kept:
            self._kept[key] = Day(self._seed, group, day, drifted(group, day, drift), rows_a_day)
            while len(self._kept) > DAYS_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def clear(self) -> None:
        self._kept.clear()


class Window:
    """The rows of several days, one day after the other.

    :param days: each with how many of its rows count
    """

    def __init__(self, days: Sequence[tuple[Day, int]]) -> None:
        self._days = days
        self._ends = list(accumulate(count for _, count in days))
        self.count = self._ends[-1] if self._ends else 0

    def part(self, start: int, stop: int) -> list[bytes]:
        stop = min(stop, self.count)
        found: list[bytes] = []
        at = bisect_right(self._ends, start)
        while start < stop:
            begin = self._ends[at - 1] if at else 0
            upto = min(stop, self._ends[at])
            found += self._days[at][0].part(start - begin, upto - begin)
            start, at = upto, at + 1
        return found

    def later(self, count: int) -> list[bytes]:
        """Return rows that come to the last day after those that count, as a refresh brings them."""
        if not self._days:
            return []
        day, rows = self._days[-1]
        return day.part(rows, rows + count)


@dataclass(frozen=True)
class Listed:
    """Rows that do exist."""

    rows: Sequence[bytes]

    @property
    def count(self) -> int:
        return len(self.rows)

    def part(self, start: int, stop: int) -> list[bytes]:
        return list(self.rows[start:stop])


@dataclass(frozen=True)
class Reversed:
    """Rows in the opposite order."""

    base: Rows

    @property
    def count(self) -> int:
        return self.base.count

    def part(self, start: int, stop: int) -> list[bytes]:
        stop = min(stop, self.count)
        return self.base.part(self.count - stop, self.count - start)[::-1] if start < stop else []


@dataclass(frozen=True)
class Tied:
    """Rows of which ``ties`` neighbours at a time have the same place in the order: which of them comes first changes
    with each ``turn``.
    """

    base: Rows
    ties: int
    turn: int

    @property
    def count(self) -> int:
        return self.base.count

    def part(self, start: int, stop: int) -> list[bytes]:
        stop = min(stop, self.count)
        found: list[bytes] = []
        for begin in range(start - start % self.ties, stop, self.ties):
            tied = self.base.part(begin, begin + self.ties)
            first = self.turn % len(tied)
            tied = tied[first:] + tied[:first]
            found += tied[max(0, start - begin) : max(0, stop - begin)]
        return found


@dataclass(frozen=True)
class Spliced:
    """Rows of which ``lost``, from position ``at`` on, are replaced by others."""

    base: Rows
    at: int
    lost: int
    new: Sequence[bytes]

    @property
    def count(self) -> int:
        return self.base.count - self.lost + len(self.new)

    def part(self, start: int, stop: int) -> list[bytes]:
        stop = min(stop, self.count)
        if start >= stop:
            return []
        end = self.at + len(self.new)
        before = self.base.part(start, min(stop, self.at)) if start < self.at else []
        middle = list(self.new[max(0, start - self.at) : max(0, stop - self.at)])
        shift = self.lost - len(self.new)
        after = self.base.part(max(start, end) + shift, stop + shift) if stop > end else []
        return before + middle + after


def edited(row: bytes, changes: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode({**msgspec.json.decode(row), **changes})
