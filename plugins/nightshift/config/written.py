"""The words of a configuration file as a person wrote them.

Every scalar is the text that stands in the file; the model of the section says whether it is a number, a switch, a day or
a text. So ``0110000917``, ``1.10``, ``22:00``, ``no``, ``1_000`` and ``2026-11-21`` need no quotes where a text is meant,
and nothing that YAML 1.1 makes of them can happen. Where a value goes to a vendor as it is (:data:`Json`), words without
quotes are what they are in JSON: numbers, ``true``, ``false``.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_SWITCHES = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


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
        return int(self) if found[1] is None and found[2] is None else float(self)


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
    """Return a value in which whole numbers that are written with an exponent have all their digits: ``1e3`` is ``1000``.

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
