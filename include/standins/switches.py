"""What the vendor's reference leaves open, as typed settings that can be turned while the server runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec


class Switches(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of a vendor's switches: one field for each thing that the reference marks as unknown or assumed."""


S = TypeVar("S", bound=Switches)


def turned(switches: S, changes: Mapping[str, Any]) -> S:
    """Return the switches with some of them changed, validated.

    :param switches: the switches as they are
    :param changes: new values by name, as Python values or as plain JSON values
    :raises ValueError: no such switch, or a value that does not fit; says which
    """
    known = set(switches.__struct_fields__)
    for name in changes:
        if name not in known:
            raise ValueError(f"no switch {name!r}; there are {', '.join(sorted(known))}")
    plain: dict[str, Any] = msgspec.to_builtins(switches)
    plain.update(msgspec.to_builtins(dict(changes)))
    try:
        return msgspec.convert(plain, type(switches))
    except msgspec.ValidationError as error:
        raise ValueError(f"switch does not fit: {error}") from None


def from_text(switches: S, name: str, text: str) -> S:
    """Return the switches with one changed to a value given as text: JSON where it is JSON, else the text itself.

    :raises ValueError: no such switch, or a value that does not fit
    """
    try:
        value: Any = msgspec.json.decode(text)
    except msgspec.DecodeError:
        value = text
    try:
        return turned(switches, {name: value})
    except ValueError:
        if value == text:
            raise
    return turned(switches, {name: text})
