"""What a request for rows asks for: the parameters of section 3.1, and the ``query`` of 3.2, checked as documented."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec

from include.standins.flexnet.fields import Field, Group
from include.standins.flexnet.switches import DateTo, FlexNetSwitches

MOST_DAYS = 30
MOST_RECORDS = 2500
DEFAULT_RECORDS = 500
INT32 = 2**31 - 1


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
    """A call for rows: the days from ``first`` to ``last``, both included; no day where ``last`` is before
    ``first``.
    """

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
    mode = given.get("mode", Mode.BATCH).lower()
    if mode not in frozenset(Mode):
        raise Wrong("mode has to be batch or interactive")
    wanted = given.get("format", Format.JSON)
    if wanted not in frozenset(Format):
        raise Wrong("format has to be json or csv")
    past_days = _integer(given, "pastDays", 1, MOST_DAYS, 1)
    limit = _integer(given, "limitRecords", 1, MOST_RECORDS, DEFAULT_RECORDS)
    page = _integer(given, "pageNumber", 1, INT32, 1)
    first, last = _days(given, switches, now.date(), past_days)
    return Asked(Mode(mode), Format(wanted), first, last, limit, page, given.get("query", "{}"))


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
        raise Wrong("dateFrom and dateTo go together")
    if start is None or end is None:
        return today - past_days * day, today
    if end < start:
        raise Wrong("dateTo is before dateFrom")
    if (end - start).days > MOST_DAYS:
        raise Wrong(f"dateFrom and dateTo are more than {MOST_DAYS} days apart")
    if switches.midnight_rows is not None:
        return start, end
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


Test = Callable[[Mapping[str, Any]], bool]
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d:\d\d(\.\d{1,6})?Z?)?$")
_TEXT: Mapping[str, Callable[[str, str], bool]] = {
    "$sw": str.startswith,
    "$ew": str.endswith,
    "$con": str.__contains__,
}
_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "$gt": lambda left, right: left > right,
    "$gte": lambda left, right: left >= right,
    "$lt": lambda left, right: left < right,
    "$lte": lambda left, right: left <= right,
}


def filter_keys(group: Group, fields: tuple[Field, ...]) -> dict[str, str]:
    """Return filter key → field of a report; those of the newer groups are not published, so there every field is one.

    :param fields: the report's fields as they are now
    """
    keys = dict(group.filters or {})
    if group.filters is None:
        for field in fields:
            keys[field.name] = field.name
            keys.update({f"{field.name}.{name}": f"{field.name}.{name}" for name in field.inner or {}})
    names = [field.name for field in fields if field.type == "timestamp"]
    if names:
        keys.setdefault("lastUpdated", names[-1])
    return keys


def parsed(text: str, keys: Mapping[str, str]) -> Test | None:
    """Parse a query.

    :param keys: filter key → field
    :return: tells whether a row fits; ``None``: no condition
    :raises Wrong: not a JSON object, an unknown field or operator, or a value of the wrong kind
    """
    try:
        clauses = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise Wrong(f"query is not JSON: {error}") from None
    tests = _clauses(clauses, "query", {key.lower(): field for key, field in keys.items()})
    return _all(tests) if tests else None


def _clauses(clauses: Any, where: str, keys: Mapping[str, str]) -> list[Test]:
    if not isinstance(clauses, dict):
        raise Wrong(f"{where} has to be a JSON object of field and condition")
    tests: list[Test] = []
    for name, condition in clauses.items():
        if name in ("$and", "$or"):
            inner = _clauses(condition, name, keys)
            tests.append(_all(inner) if name == "$and" else _any(inner))
            continue
        field = keys.get(name.lower())
        if field is None:
            raise Wrong(f"{name} is not a filter of this report")
        if not isinstance(condition, dict) or not condition:
            raise Wrong(f"the condition of {name} has to be an object of operator and value")
        tests += [_test(field, operator, value) for operator, value in condition.items()]
    return tests


def _all(tests: list[Test]) -> Test:
    return lambda row: all(test(row) for test in tests)


def _any(tests: list[Test]) -> Test:
    return lambda row: any(test(row) for test in tests)


def _test(field: str, operator: str, value: Any) -> Test:
    path = field.split(".")
    check = _check(operator, value)
    return lambda row: check(_value(row, path))


def _value(row: Any, path: list[str]) -> Any:
    for name in path:
        row = row.get(name) if isinstance(row, dict) else None
    return row


def _check(operator: str, value: Any) -> Callable[[Any], bool]:
    if operator in ("$eq", "$ne"):
        if isinstance(value, dict | list):
            raise Wrong(f"{operator} takes one value")
        return (lambda found: found == value) if operator == "$eq" else (lambda found: found != value)
    if operator in _TEXT:
        if not isinstance(value, str):
            raise Wrong(f"{operator} takes a string")
        fits = _TEXT[operator]
        return lambda found: isinstance(found, str) and fits(found, value)
    if operator in ("$in", "$nin"):
        if not isinstance(value, list):
            raise Wrong(f"{operator} takes an array")
        return (lambda found: found in value) if operator == "$in" else (lambda found: found not in value)
    if operator in _ORDER:
        compare, limit = _ORDER[operator], _comparable(value)
        if limit is None:
            raise Wrong(f"{operator} takes a number")
        return lambda found: (seen := _comparable(found)) is not None and compare(seen, limit)
    if operator == "$btw":
        ends = [_comparable(end) for end in value] if isinstance(value, list) else []
        if len(ends) != 2 or ends[0] is None or ends[1] is None:
            raise Wrong("$btw takes an array of two: epoch milliseconds or YYYY-MM-DD hh:mm:ss.SSS")
        low, high = ends[0], ends[1]
        return lambda found: (seen := _comparable(found)) is not None and low <= seen <= high
    raise Wrong(f"{operator} is not an operator")


def _comparable(value: Any) -> float | None:
    """Return a number as it is and a date or a moment as epoch milliseconds; ``None``: cannot be compared."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str) and _MOMENT.match(value):
        try:
            return datetime.fromisoformat(value.removesuffix("Z")).replace(tzinfo=UTC).timestamp() * 1000
        except ValueError:
            return None
    return None
