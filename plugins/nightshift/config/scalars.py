"""Words, numbers and times as people write them into YAML.

A text is what stands in the file, with or without quotes: ``1.10``, ``010``, ``on``, ``2026-11-21`` and ``22:00`` are these
texts, see :mod:`nightshift.config.written`. What Python code gives instead of a file has to be a text already: a number may
have lost what was meant.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, ValidationError

from nightshift.config.mistakes import nearest
from nightshift.config.reports import Name

_SWITCHES = frozenset({"true", "false", "yes", "no", "on", "off"})


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
    return isinstance(given, bool) or (isinstance(given, str) and given.strip().lower() in _SWITCHES)


def _identifier(given: Any) -> int:
    number = int(given) if isinstance(given, str) and given.isascii() and given.isdigit() else given
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise ValueError("an id is a whole number above 0; a name is not an id")
    return number


def _clock(given: Any) -> str:
    found = re.fullmatch(r"(\d{1,2}):(\d{2})", given, re.ASCII) if isinstance(given, str) else None
    if found is not None and found[0] == "24:00":
        raise ValueError("midnight is 00:00")
    if found is None or int(found[1]) > 23 or int(found[2]) > 59:
        raise ValueError("must be a time of the day, such as 22:00")
    return f"{int(found[1]):02}:{found[2]}"


def _zone(given: str) -> str:
    # The list of all names is read from disk, a hundredth of a second each time: asked only about a name that is wrong.
    try:
        ZoneInfo(given)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"is not the name of a time zone{nearest(given, available_timezones(), few=True)}") from None
    return given


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
Clock = Annotated[str, BeforeValidator(_clock)]
"""A time of the day, ``HH:MM``."""
Zone = Annotated[str, BeforeValidator(_quoted), AfterValidator(_zone)]
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
