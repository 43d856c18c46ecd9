"""Words, numbers and times as people write them into a configuration file.

Every scalar is the text that stands in the file, with or without quotes; the model of the section says whether it is a
number, a switch, a day or a text. So ``0110000917``, ``1.10``, ``22:00``, ``no``, ``1_000`` and ``2026-11-21`` need no
quotes where a text is meant, and nothing that YAML 1.1 makes of them can happen. Where a value goes to a vendor as it
is (:data:`Json`), words without quotes are what they are in JSON: numbers, ``true``, ``false``. What Python code gives
instead of a file has to be a text already: a number may have lost what was meant.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)

from nightshift.fields import Name, TimeZone, whole_number

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_SWITCHES = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


_MOST_DIGITS = 1000
"""Of a whole number; Python reads at most some thousands."""


class Plain(str):
    """A word that stands in the file without quotes."""

    __slots__ = ()

    @property
    def value(self) -> str | int | float | bool:
        """What the word is in JSON; a text where JSON has no such word, such as ``007`` or ``.inf``."""
        if self in _SWITCHES:
            return _SWITCHES[self]
        found = _NUMBER.fullmatch(self)
        if found is None:
            return str(self)
        if found[1] is None and found[2] is None:
            return int(self) if len(self) <= _MOST_DIGITS else float("inf")
        return float(self)


def as_json(given: Any) -> Any:
    """Return a value with its plain words as JSON has them.

    :raises ValueError: a number is beyond what JSON's readers hold
    """
    if isinstance(given, Plain):
        value = given.value
        if isinstance(value, float) and value in (float("inf"), float("-inf")):
            raise ValueError("is a number that nobody can hold; write it in quotes where a text is meant")
        return value
    if isinstance(given, dict):
        return {str(name): as_json(value) for name, value in given.items()}
    if isinstance(given, list | tuple):
        return [as_json(value) for value in given]
    return str(given) if isinstance(given, str) else given


def with_whole_numbers(given: Any) -> Any:
    """Return a value in which whole numbers that are written with an exponent have all their digits: ``1e3`` is
    ``1000``.

    For a field that takes whole numbers, which knows no exponents.
    """
    if (
        isinstance(given, Plain)
        and isinstance(value := given.value, float)
        and value.is_integer()
        and abs(value) < 1e15
    ):
        return Plain(int(value))
    return given


Json = Annotated[Any, BeforeValidator(as_json)]
"""A value that goes to a vendor as it is."""


_SWITCH_WORDS = frozenset({"true", "false", "yes", "no", "on", "off"})


def _quoted(given: Any) -> Any:
    if isinstance(given, bool):
        raise ValueError("is a switch where a text is meant; write it in quotes")
    if isinstance(given, int | float):
        raise ValueError("is a number where a text is meant; write it in quotes")
    if isinstance(given, date):
        raise ValueError("is a date where a text is meant; write it in quotes")
    if given is None:
        raise ValueError('has no value; give one ("" is an empty one) or leave it out')
    if not isinstance(given, str):
        raise ValueError("must be one text")
    return given


def _not_blank(given: str) -> str:
    if not given.strip():
        raise ValueError("is blank; leave it out where nothing is meant")
    if given.strip() == "None":
        raise ValueError("is the word None, which YAML takes for a text; leave it out where nothing is meant")
    return given.strip()


def is_switch(given: Any) -> bool:
    """Return whether a value is a switch, or the word for one."""
    return isinstance(given, bool) or (isinstance(given, str) and given.strip().lower() in _SWITCH_WORDS)


def _identifier(given: Any) -> int:
    number = whole_number(given) if isinstance(given, str) else given
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise ValueError("an id is a whole number above 0; a name is not an id")
    return number


def clock_of(given: Any) -> str:
    """Return a time of the day as ``HH:MM``.

    :raises ValueError: it is none; says what to give
    """
    found = re.fullmatch(r"(\d{1,2}):(\d{2})", given, re.ASCII) if isinstance(given, str) else None
    if found is not None and found[0] == "24:00":
        raise ValueError("midnight is 00:00")
    if found is None or int(found[1]) > 23 or int(found[2]) > 59:
        raise ValueError("must be a time of the day, such as 22:00")
    return f"{int(found[1]):02}:{found[2]}"


_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_LONGEST = timedelta(days=366)


def _duration(given: Any) -> timedelta:
    if isinstance(given, timedelta):
        length = given
    else:
        found = re.fullmatch(r"([1-9][0-9]{0,7})([smhd])", given, re.ASCII) if isinstance(given, str) else None
        if found is None:
            raise ValueError("must be a length of time: a whole number of s, m, h or d, such as 30s, 10m, 4h or 2d")
        length = timedelta(seconds=int(found[1]) * _UNITS[found[2]])
    if not timedelta(seconds=1) <= length <= _LONGEST:
        raise ValueError(f"must be from 1s to {duration_text(_LONGEST)}")
    return length


def duration_text(length: timedelta) -> str:
    """Return a length of time as it is written in a file, in the largest unit that holds it exactly: ``90m``."""
    seconds = round(length.total_seconds())
    unit = next(unit for unit, size in _UNITS.items() if seconds % size == 0)
    return f"{seconds // _UNITS[unit]}{unit}"


def lasting(text: str) -> Any:
    """Return the default of a :data:`Duration`, told in the reference as it is written in a file."""
    return Field(default=text, validate_default=True)


def between(least: str, most: str) -> AfterValidator:
    """Return the validator of a :data:`Duration` with other bounds, as they are written in a file."""
    bounds = _duration(least), _duration(most)

    def check(given: timedelta) -> timedelta:
        if not bounds[0] <= given <= bounds[1]:
            raise ValueError(f"must be from {least} to {most}")
        return given

    return AfterValidator(check)


Value = Annotated[str, BeforeValidator(_quoted)]
"""A text that may be empty."""
Text = Annotated[str, BeforeValidator(_quoted), AfterValidator(_not_blank)]
"""A text that is not blank."""
Word = Annotated[Name, BeforeValidator(_quoted)]
"""A name that becomes a task id."""
Pairs = dict[Text, Value]
"""Codes of workflow inputs or FlexFields with their values."""
Id = Annotated[int, BeforeValidator(_identifier)]
"""An id of FlexDeploy, above 0."""
Clock = Annotated[str, BeforeValidator(clock_of)]
"""A time of the day, ``HH:MM``."""
Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(duration_text, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": "^[1-9][0-9]{0,7}[smhd]$"}),
]
"""A length of time, ``30s``, ``10m``, ``4h`` or ``2d``: a whole number of one unit, from a second to 366 days."""
Zone = Annotated[TimeZone, BeforeValidator(_quoted)]
"""Name of a time zone."""
Hours = Annotated[float, Field(gt=0, le=8784, allow_inf_nan=False)]
"""Hours, up to a year."""
Days = Annotated[float, Field(gt=0, le=366, allow_inf_nan=False)]
"""Days, up to a year."""

_NAMES = TypeAdapter[str](Name)


def name_problem(name: str) -> str | None:
    """Return what is wrong with a name of ours, which becomes a DAG id or a task id; ``None`` where it is fit."""
    try:
        _NAMES.validate_python(name)
    except ValidationError as error:
        return error.errors()[0]["msg"].removeprefix("Value error, ")
    return None
