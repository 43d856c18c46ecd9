"""What the models of all rooms share: their base, and fields that mean the same everywhere."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Collection, Iterable
from datetime import date
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict


class Frozen(BaseModel):
    """A model in which unknown keys are mistakes, and of which nothing changes after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def nearest(word: str, valid: Collection[str], *, few: bool = False) -> str:
    """Return what to add to a mistake: the valid word that is most like it, else all.

    :param word: what was found
    :param valid: what may be there
    :param few: where none is like it, name no more than a few
    """
    near = difflib.get_close_matches(word, valid, n=1, cutoff=0.5)
    if near:
        return f"; did you mean {near[0]!r}?"
    if not (shown := sorted(valid)):
        return "; there are none"
    return f"; valid: {', '.join(shown[:10] if few else shown)}{' …' if few and len(shown) > 10 else ''}"


def refuse_twice(what: str, names: Iterable[str], why: str = "") -> None:
    """Refuse a name that is there twice.

    :param what: what is named, for the message
    :raises ValueError: names it
    """
    if twice := sorted(name for name, times in Counter(names).items() if times > 1):
        raise ValueError(f"{what} {twice[0]!r} is listed twice{why and f'; {why}'}")


_WHOLE = re.compile(r"[0-9]{1,40}")


def whole_number(text: object) -> int | None:
    """Return the whole number that a text is, of at most forty digits; ``None``: it is none.

    ``str.isdigit`` takes digits that ``int`` does not, such as ``²``, and of thousands of digits ``int`` takes none.
    """
    return int(text) if isinstance(text, str) and _WHOLE.fullmatch(text) else None


YEARS = range(1900, 2201)
"""Of the days that a person may give: beyond, a day more or a time zone is out of what Python and Airflow reckon with.
"""


def night_of(text: str) -> date:
    """Read a day, as the nights of keys and forms are.

    :raises ValueError: another text than ``YYYY-MM-DD``; says what to give
    """
    try:
        day = date.fromisoformat(text)
    except (ValueError, TypeError):  # a form that another program fills in may have a number there
        day = None
    if day is None or day.isoformat() != text:
        raise ValueError(f"{text!r} is not a night; give a day as YYYY-MM-DD.")
    return day


def _day(text: str) -> str:
    try:
        day = night_of(text)
    except ValueError:
        raise ValueError("is not a day; give YYYY-MM-DD") from None
    if day.year not in YEARS:
        raise ValueError(f"is not a day of the years {YEARS[0]} to {YEARS[-1]}")
    return text


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}", text):
        raise ValueError("a name has letters, digits, '_' and '-' only, at most 100, and starts with a letter or digit")
    return text


def _time_zone(name: str) -> str:
    # The list of all names is read from disk, a hundredth of a second each time: asked only about a name that is wrong.
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"is not the name of a time zone{nearest(name, available_timezones(), few=True)}") from None
    return name


TimeZone = Annotated[str, AfterValidator(_time_zone)]
"""Name of a time zone."""
Day = Annotated[str, AfterValidator(_day)]
"""A day, ``YYYY-MM-DD``."""
Name = Annotated[str, AfterValidator(_name)]
"""A name of ours, which becomes a DAG id, a task id or a folder."""
