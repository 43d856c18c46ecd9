"""Names in a text that stand for what is known later: ``${version}``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from nightshift.fields import nearest

VERSION_NAMES = ("version", "version_id")
"""Names that stand for the version that was deployed: its name, and its id."""
LONGEST = 40
"""Characters of a mistake that are shown."""
_PLACEHOLDER = re.compile(
    rf"\$(?P<plain>\$)?(?:\{{(?P<name>[^{{}}]*)(?P<end>\}}?)|(?P<bare>{'|'.join(VERSION_NAMES)})\b)", re.IGNORECASE
)


def check_placeholders(text: str) -> None:
    """Refuse a text with a ``${…}`` that stands for nothing; a ``$`` alone is a ``$``, and so is ``$$`` before a name.

    :raises ValueError: there is one; names what is like it
    """
    for found in _PLACEHOLDER.finditer(text):
        name = found["name"] if found["bare"] is None else found["bare"]
        if found["plain"] or (found["end"] and name in VERSION_NAMES):
            continue
        shown, valid = found[0][:LONGEST], [f"${{{one}}}" for one in VERSION_NAMES]
        raise ValueError(
            f"{shown!r} stands for nothing (where the answer itself has it, write {f'${shown}'!r})"
            f"{nearest(f'${{{name.strip().lower()}}}', valid)}"
        )


def filled(text: str, known: Mapping[str, Any]) -> Any:
    """Return a text with what its names stand for; a text that is one name alone is that value, a number also.

    :param known: name → its value
    """
    if (whole := _PLACEHOLDER.fullmatch(text)) is not None and not whole["plain"]:
        return known[whole["name"]]
    return _PLACEHOLDER.sub(lambda one: one[0][1:] if one["plain"] else str(known[one["name"]]), text)
