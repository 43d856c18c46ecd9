"""A path into a JSON answer: names and positions, one value or none."""

from __future__ import annotations

import re
from typing import Any

LONGEST = 200
_PART = re.compile(
    r"""\.?(?P<name>[A-Za-z_][\w-]*)|\[(?P<at>0|[1-9]\d{0,5})\]|\[(['"])(?P<quoted>[^'"\]]+)\3\]""", re.ASCII
)


def parts_of(path: str) -> tuple[str | int, ...]:
    """Return the names and positions of a path such as ``$.checks[0].state``, ``checks[0].state`` or ``$['a.b']``.

    It is the part of RFC 9535 that means exactly one value: no wildcards, no filters, no slices. ``$`` alone is the
    whole answer.

    :raises ValueError: it is no such path
    """
    rest, found = path.removeprefix("$"), list[str | int]()
    at, bare = 0, not path.startswith("$")
    while at < len(rest):
        part = _PART.match(rest, at)
        # Only the very first name of a path without $ stands without its dot.
        if part is None or (part["name"] and (rest[at] == ".") == (bare and at == 0)):
            raise ValueError("is not a path into JSON; give for instance $.version or checks[0].state")
        found.append(int(part["at"]) if part["at"] else part["name"] or part["quoted"])
        at = part.end()
    if not path or len(path) > LONGEST or (bare and not found):
        raise ValueError("is not a path into JSON; give for instance $.version or checks[0].state")
    return tuple(found)


def value_at(answer: Any, path: str) -> Any:
    """Return the value at a path.

    :raises LookupError: there is none; says where the path ends
    """
    for number, part in enumerate(parts := parts_of(path)):
        fits = isinstance(answer, dict) if isinstance(part, str) else isinstance(answer, list)
        if not fits or (part not in answer if isinstance(part, str) else part >= len(answer)):
            raise LookupError(f"nothing at {'.'.join(map(str, parts[: number + 1]))}")
        answer = answer[part]
    return answer
