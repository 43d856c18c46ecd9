"""The records of raw data reports, a pure function of seed, report and number, made when a page asks for them."""
# ruff: noqa: RUF001 -- text of many scripts is wanted here

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec

from include.standins.camunda_optimize.catalog import Report
from include.standins.camunda_optimize.switches import CamundaOptimizeSwitches, Instances, Missing, ObjectVariables
from include.standins.draw import Draw

DISTINCT = 1_000
"""So many instances start a day; after that the records repeat, but for their id and their dates."""

SLICES_KEPT = 16
RUNNING_EVERY = 7
FIRST_DAY = date(2019, 1, 1)
EXAMPLES = Path(__file__).parent / "examples"
_LONGEST_DAYS = 6
_ID, _START, _END = b"@id@", b"@start@", b"@end@"
_COMPANIES = (
    "Acme",
    "Bär & Söhne GmbH",
    "株式会社さくら",
    'O\'Neil "Quoted"',
    "شركة النيل",
    "Rocket 🚀 Labs",
    "Two\nLines",
    "100 % Pure",
    "חברת אופק",
)
_CITIES = ("Berlin", "Łódź", "São Paulo", "القاهرة", "東京")


_Slice = tuple[bytes, tuple[int, ...], tuple[int, ...]]
_Pattern = tuple[bytes, int, int]
"""A record with holes for its number, the day of its start and the day of its end, and which days those are of
:func:`_days`.
"""


class Records:
    """All records a raw data report can have; instance 0 is the oldest. Dates grow with the number.

    A record costs less than a microsecond; nothing but 1,000 patterns is held, whatever the size of the report.

    :param seed: of the stand-in
    :param report: the report
    :param switches: how records look
    """

    def __init__(self, seed: int, report: Report, switches: CamundaOptimizeSwitches) -> None:
        self._seed = seed
        self._report = report
        self._switches = switches
        self._patterns: list[_Pattern | None] = [None] * DISTINCT
        self._slices: dict[tuple[int, int], _Slice] = {}
        self._offset = _offset(switches.utc_offset)
        self._id = b"%d" if switches.instance_ids is Instances.DIGITS else _prefix(seed, report) + b"%012x"

    def joined(self, first: int, last: int) -> bytes:
        """Return instances ``first`` down to ``last``, both included: JSON objects with commas between them, the newest
        first.
        """
        pieces = []
        number = first
        while number >= last:
            block, place = divmod(number, DISTINCT)
            lowest = max(last, block * DISTINCT)
            days = _days(block)
            text, starts, ends = self._slice(lowest - block * DISTINCT, place)
            holes = zip(
                range(number, lowest - 1, -1), [days[at] for at in starts], [days[at] for at in ends], strict=True
            )
            pieces.append(text % tuple(chain.from_iterable(holes)))
            number = lowest - 1
        return b",".join(pieces)

    def _slice(self, lowest: int, highest: int) -> _Slice:
        """Return the patterns from the highest place down to the lowest, joined: pages of one size need a few of
        these.
        """
        found = self._slices.get((lowest, highest))
        if found is None:
            patterns = [self._patterns[place] or self._pattern(place) for place in range(lowest, highest + 1)]
            self._patterns[lowest : highest + 1] = patterns
            texts, starts, ends = zip(*reversed(patterns), strict=True)
            found = b",".join(texts), starts, ends
            if len(self._slices) >= SLICES_KEPT:
                self._slices.clear()
            self._slices[lowest, highest] = found
        return found

    def _pattern(self, place: int) -> _Pattern:
        draw = Draw(self._seed, "camunda_optimize", self._report.id, place)
        running = place % RUNNING_EVERY == RUNNING_EVERY - 1
        started = timedelta(milliseconds=place * (86_400_000 // DISTINCT) + draw.integer(0, 86_000)) + self._offset
        taken = timedelta(milliseconds=draw.choice((0, 1, draw.integer(2, 60_000), draw.integer(60_000, 518_000_000))))
        ended = None if running else started + taken
        record = self._record(draw, started, ended)
        text = msgspec.json.encode(record).replace(b"%", b"%%")
        text = text.replace(_ID, self._id, 1).replace(_START, b"%b", 1).replace(_END, b"%b", 1)
        # A running instance has no day of its end: a hole of no width takes it.
        return text + (b"%.0b" if ended is None else b""), _day_of(started), _day_of(ended or started)

    def _record(self, draw: Draw, started: timedelta, ended: timedelta | None) -> dict[str, Any]:
        process, prefix = self._report.process, _prefix(self._seed, self._report).decode()
        record: dict[str, Any] = {
            "processDefinitionKey": process,
            "processDefinitionId": f"{process}:{draw.integer(1, 4)}:{prefix}0242ac120003",
            "processInstanceId": _ID.decode(),
            "businessKey": f"{draw.choice(_COMPANIES)} / {draw.integer(1, 99_999):05d}" if draw.chance(0.9) else None,
            "startDate": _START.decode() + _time_of(started) + self._switches.utc_offset,
            "endDate": None,
            "duration": None,
            "engineName": "camunda-bpm",
            "tenantId": draw.choice((None, None, "tenant-a", "tenant-ü")),
            "variables": variables(draw, self._switches),
        }
        if ended is not None:
            record["endDate"] = _END.decode() + _time_of(ended) + self._switches.utc_offset
            record["duration"] = (ended - started) // timedelta(milliseconds=1)
        elif self._switches.running_end is Missing.ABSENT:
            del record["endDate"], record["duration"]
        return record


def variables(draw: Draw, switches: CamundaOptimizeSwitches) -> dict[str, Any]:
    """Draw the variables of an instance: none for some, and of every type for the others (3.3)."""
    if draw.chance(0.1):
        return {}
    plain: dict[str, Any] = {
        "amount": draw.integer(100, 9_999_900) / 100,
        "items": draw.integer(0, 40),
        "approved": draw.choice((True, False, None)),
        "due": f"2026-{draw.integer(1, 12):02d}-{draw.integer(1, 28):02d}T00:00:00.000{switches.utc_offset}",
        "remark": draw.choice(_COMPANIES) + " – 100 %",
    }
    address = {"city": draw.choice(_CITIES), "zip": f"{draw.integer(0, 99_999):05d}"}
    tags = [draw.choice(("vip", "rush", "e-mail", "ручной")) for _ in range(draw.integer(0, 3))]
    match switches.object_variables:
        case ObjectVariables.FLATTENED:
            dotted = {f"customer.address.{name}": value for name, value in address.items()}
            return {**plain, "customer.name": draw.choice(_COMPANIES), **dotted, "tags._listSize": len(tags)}
        case ObjectVariables.NESTED:
            return {**plain, "customer": {"name": draw.choice(_COMPANIES), "address": address}, "tags": tags}
        case ObjectVariables.EMPTY_STRING:
            return {**plain, "customer": "", "tags": ""}


@cache
def documented_records() -> Sequence[bytes]:
    pages = ("report_result_first_page_response_200.json", "report_result_next_page_response_200.json")
    found: list[Mapping[str, Any]] = []
    for name in pages:
        found += json.loads((EXAMPLES / name).read_text(encoding="utf-8"))["data"]
    return tuple(msgspec.json.encode(record) for record in found)


def edited(joined: bytes, row: int, changes: Mapping[str, Any]) -> bytes:
    """Return joined records with some values of one of them changed; ``row`` is its place, the last one if there are
    fewer.
    """
    records = msgspec.json.decode(b"[%b]" % joined, type=list[msgspec.Raw])
    place = min(row, len(records) - 1)
    records[place] = msgspec.Raw(msgspec.json.encode({**msgspec.json.decode(records[place]), **changes}))
    return b",".join(bytes(record) for record in records)


def _prefix(seed: int, report: Report) -> bytes:
    return Draw(seed, "camunda_optimize", report.id, "ids").uuid()[:24].encode()


@cache
def _days(block: int) -> tuple[bytes, ...]:
    """Return the day before a block's day, the day, and the days after it on which an instance can end."""
    day = FIRST_DAY + timedelta(days=block)
    return tuple((day + timedelta(days=n)).isoformat().encode() for n in range(-1, _LONGEST_DAYS + 3))


def _day_of(moment: timedelta) -> int:
    return moment.days + 1


def _time_of(moment: timedelta) -> str:
    at = datetime(2000, 1, 1, tzinfo=UTC) + moment
    return f"T{at:%H:%M:%S}.{at.microsecond // 1000:03d}"


def _offset(text: str) -> timedelta:
    sign = -1 if text.startswith("-") else 1
    return sign * timedelta(hours=int(text[1:3]), minutes=int(text[3:5]))
