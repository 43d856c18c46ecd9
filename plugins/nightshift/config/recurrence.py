"""Rules of what comes again, as RFC 5545 (section 3.3.10) writes them, in local time:
``FREQ=YEARLY;BYMONTH=12;BYDAY=-1FR``.

Of days only: what comes again within a day is no rule here. A rule cannot be asked without end: one that never comes
would be searched for until the calendar's last year.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cached_property
from itertools import takewhile

from dateutil.rrule import rrulestr

from nightshift.fields import nearest

FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY")
_NUMBER = r"[+-]?[1-9]\d{0,2}"
_NUMBERS = rf"{_NUMBER}(,{_NUMBER})*"
_MONTH = r"(0?[1-9]|1[0-2])"
_DAY = r"([+-]?[1-9]\d?)?(MO|TU|WE|TH|FR|SA|SU)"
_PARTS: Mapping[str, str] = {
    "FREQ": "|".join(FREQUENCIES),
    "INTERVAL": r"[1-9]\d{0,2}",
    "COUNT": r"[1-9]\d{0,3}",
    "UNTIL": r"\d{8}(T\d{6}Z?)?",
    "BYMONTH": rf"{_MONTH}(,{_MONTH})*",
    "BYMONTHDAY": _NUMBERS,
    "BYYEARDAY": _NUMBERS,
    "BYWEEKNO": _NUMBERS,
    "BYSETPOS": _NUMBERS,
    "BYDAY": rf"{_DAY}(,{_DAY})*",
    "WKST": "MO|TU|WE|TH|FR|SA|SU",
}
FIRST_YEAR, LAST_YEAR = 2000, 2100
_FAR = 19 * 400
"""Years by which a rule is moved while it is asked. The calendar repeats itself every 400 years, weekdays and all, and
the search ends with its last year, 9999: of a rule that never comes, some 300 years are looked at, not 8,000.
"""


def parts_of(text: str) -> dict[str, str]:
    """Return the parts of a rule.

    :raises ValueError: it is none, or one of more than once a day
    """
    parts: dict[str, str] = {}
    for part in text.strip().upper().removeprefix("RRULE:").rstrip(";").split(";"):
        name, equals, value = part.strip().partition("=")
        if not equals:
            raise ValueError(
                f"{part[:40]!r} is no part of a rule; write for instance FREQ=YEARLY;BYMONTH=12;BYDAY=-1FR"
            )
        if name not in _PARTS:
            raise ValueError(f"{name[:40]!r} is no part of a rule of days{nearest(name, _PARTS)}")
        if name in parts:
            raise ValueError(f"{name} is given twice")
        if not re.fullmatch(_PARTS[name], value, re.ASCII):
            known = nearest(value, FREQUENCIES) if name == "FREQ" else ""
            raise ValueError(f"{name}={value[:40]} is not valid{known}")
        parts[name] = value
    if "FREQ" not in parts:
        raise ValueError("needs FREQ=YEARLY, MONTHLY, WEEKLY or DAILY")
    if "UNTIL" in parts and "COUNT" in parts:
        raise ValueError("has COUNT and UNTIL; keep one")
    return parts


class Recurrence:
    """When something begins, in local time.

    :param rule: as RFC 5545 has it
    :param begins: the first time it may begin, without a zone; its time of the day is that of all
    :param zone: of ``begins``, which an ``UNTIL`` in UTC is brought to
    :raises ValueError: the rule is none
    """

    def __init__(self, rule: str, begins: datetime, zone: tzinfo) -> None:
        self._parts = parts_of(rule)
        self._begins = begins
        self._until = _until(self._parts.pop("UNTIL", ""), zone)

    @cached_property
    def first(self) -> datetime | None:
        """The first start; ``None``: it never comes.

        :raises ValueError: the rule is none after all
        """
        try:
            return next(self._all(self._until), None)
        except (ValueError, OverflowError, IndexError) as error:
            raise ValueError(f"is not a rule: {error}") from None

    def starts(self, first: datetime, last: datetime) -> list[datetime]:
        """Return the starts from the first to the last moment, both among them, in local time."""
        last = last if self._until is None else min(last, self._until)
        return [one for one in self._all(last) if one >= first]

    def _all(self, last: datetime | None) -> Iterator[datetime]:
        text = ";".join(f"{name}={value}" for name, value in self._parts.items())
        rule = rrulestr(text, dtstart=_moved(self._begins, _FAR))
        end = None if last is None else _moved(last, _FAR)
        for one in takewhile(lambda one: end is None or one <= end, rule):
            yield _moved(one, -_FAR)


def _until(text: str, zone: tzinfo) -> datetime | None:
    if not text:
        return None
    try:
        if len(text) == 8:
            # A day alone: all of it.
            return datetime.fromisoformat(text) + timedelta(days=1, seconds=-1)
        until = datetime.fromisoformat(text.removesuffix("Z"))
    except ValueError:
        raise ValueError(f"UNTIL={text} is no day of the calendar") from None
    return until.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None) if text.endswith("Z") else until


def _moved(at: datetime, years: int) -> datetime:
    return at.replace(year=at.year + years)
