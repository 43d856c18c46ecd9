"""Lists: which rows a query keeps, and the shape in which they are sent (3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from include.standins.flexdeploy.bodies import Wrong
from include.standins.flexdeploy.switches import ListShape, Taken

Row = dict[str, Any]


def shaped(rows: Sequence[Row], shape: ListShape) -> Any:
    """Return rows as a v1 list is sent."""
    match shape:
        case ListShape.ITEMS:
            return {"items": list(rows)}
        case ListShape.BARE_ONE if len(rows) == 1:
            return rows[0]
        case ListShape.LAST_BARE if rows:
            return rows[-1]
        case _:
            return list(rows)


def kept(rows: Sequence[Row], query: Sequence[tuple[str, str]], unknown: Taken) -> list[Row]:
    """Return the rows whose attributes have the values of a query, in any letter case.

    :param unknown: what is done with a parameter that is no attribute
    :raises Wrong: there is an unknown parameter
    """
    found = list(rows)
    for name, text in query:
        if rows and name not in rows[0]:
            if unknown is Taken.REJECT:
                raise Wrong(f"unknown query parameter {name}")
            continue
        found = [row for row in found if _text(row.get(name)) == text.casefold()]
    return found


def truth(text: str, what: str) -> bool:
    """Return a boolean of a query.

    :raises Wrong: it is none
    """
    if text.lower() not in ("true", "false"):
        raise Wrong(f"{what} has to be true or false, not {text!r}")
    return text.lower() == "true"


def _text(value: Any) -> str:
    return str(value).casefold()
