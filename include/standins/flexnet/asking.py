"""What a call for rows asks for: the parameters of section 3.1, checked as documented."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from include.standins.flexnet.switches import DateTo, FlexNetSwitches, HalfRange, History, ModeCase, PastDays

MOST_DAYS = 30
MOST_RECORDS = 2500
DEFAULT_RECORDS = 500
INT32 = 2**31 - 1
PARAMETERS = frozenset({"mode", "format", "pastDays", "limitRecords", "pageNumber", "dateFrom", "dateTo", "query"})


class Wrong(ValueError):
    """A parameter is wrong; the text is for the caller."""


class Mode(StrEnum):
    """``mode``."""

    BATCH = "batch"
    INTERACTIVE = "interactive"


class Format(StrEnum):
    """``format``."""

    JSON = "json"
    CSV = "csv"


@dataclass(frozen=True)
class Asked:
    """A call for rows: the days from ``first`` to ``last``, both included; no day where ``last`` is before ``first``."""

    mode: Mode
    format: Format
    first: date
    last: date
    limit: int
    page: int
    query: str


def asked(parameters: Mapping[str, str], switches: FlexNetSwitches, now: datetime) -> Asked:
    """Read the parameters of a call.

    :param parameters: as given, decoded; an empty value counts as not given
    :param now: in server time
    :raises Wrong: 400
    """
    given = {name: value for name, value in parameters.items() if value != ""}
    if switches.unknown_parameters_rejected and (unknown := sorted(given.keys() - PARAMETERS)):
        raise Wrong(f"unknown parameter {unknown[0]}")
    mode = _mode(given.get("mode", _default_mode(switches)), switches.mode_case)
    wanted = given.get("format", Format.JSON)
    if wanted not in frozenset(Format):
        raise Wrong("format has to be json or csv")
    past_days = _integer(given, "pastDays", 1, MOST_DAYS, 1)
    limit = _integer(given, "limitRecords", 1, MOST_RECORDS, DEFAULT_RECORDS)
    page = _integer(given, "pageNumber", 1, INT32, 1)
    first, last = _days(given, switches, now.date(), past_days)
    return Asked(mode, Format(wanted), first, last, limit, page, given.get("query", "{}"))


def _default_mode(switches: FlexNetSwitches) -> str:
    return "BATCH" if switches.mode_case is ModeCase.UPPER else "batch"


def _mode(text: str, case: ModeCase) -> Mode:
    taken = {ModeCase.LOWER: text, ModeCase.UPPER: text.swapcase(), ModeCase.ANY: text.lower()}[case]
    if taken not in frozenset(Mode):
        raise Wrong("mode has to be batch or interactive")
    return Mode(taken)


def _integer(given: Mapping[str, str], name: str, low: int, high: int, default: int) -> int:
    text = given.get(name)
    if text is None:
        return default
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        raise Wrong(f"{name} has to be a number")
    value = int(text)
    if not low <= value <= high:
        raise Wrong(f"{name} has to be from {low} to {high}")
    return value


def _days(given: Mapping[str, str], switches: FlexNetSwitches, today: date, past_days: int) -> tuple[date, date]:
    day = timedelta(days=1)
    start, end = _date(given, "dateFrom"), _date(given, "dateTo")
    if (start is None) != (end is None):
        if switches.half_range is HalfRange.REJECTED:
            raise Wrong("dateFrom and dateTo go together")
        if switches.half_range is HalfRange.IGNORED:
            start = end = None
        elif end is None:
            end = today + day if switches.date_to is DateTo.EXCLUSIVE else today
        else:
            start = end - past_days * day
    if start is None or end is None:
        first = (
            today - (past_days - 1) * day if switches.past_days is PastDays.ENDING_TODAY else today - past_days * day
        )
        return first, today - day if switches.past_days is PastDays.CLOSED else today
    if end < start:
        raise Wrong("dateTo is before dateFrom")
    if (end - start).days > MOST_DAYS:
        raise Wrong(f"dateFrom and dateTo are more than {MOST_DAYS} days apart")
    oldest = today - MOST_DAYS * day
    if start < oldest and switches.history is History.REJECTED:
        raise Wrong(f"dateFrom is more than {MOST_DAYS} days ago")
    if switches.history is History.EMPTY:
        start = max(start, oldest)
    return start, end - day if switches.date_to is DateTo.EXCLUSIVE else end


def _date(given: Mapping[str, str], name: str) -> date | None:
    text = given.get(name)
    if text is None:
        return None
    try:
        if len(text) != len("yyyy-MM-dd"):
            raise ValueError(text)
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 -- a day has no zone
    except ValueError:
        raise Wrong(f"{name} has to be a date yyyy-MM-dd") from None
