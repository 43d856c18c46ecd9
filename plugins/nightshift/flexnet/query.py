"""The filter of a report: an object of field → operator → value, with objects that join clauses (FlexNet reference,
section 3.2).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

JUNCTIONS = frozenset({"$and", "$or"})
_VALUES: tuple[tuple[frozenset[str], str, Callable[[Any], bool]], ...] = (
    (frozenset({"$sw", "$ew", "$con"}), "takes a text", lambda value: isinstance(value, str)),
    (
        frozenset({"$in", "$nin"}),
        "takes a list with at least one value",
        lambda value: isinstance(value, list | tuple) and len(value) > 0,
    ),
    (
        frozenset({"$gt", "$gte", "$lt", "$lte"}),
        "takes a number",
        lambda value: value is not None and not isinstance(value, list | tuple | Mapping | bool),
    ),
    (
        frozenset({"$btw"}),
        "takes two values, both ends included: epoch milliseconds or 'YYYY-MM-DD hh:mm:ss.SSS'",
        lambda value: isinstance(value, list | tuple) and len(value) == 2,
    ),
    (
        frozenset({"$eq", "$ne"}),
        "takes one value; use $in or $nin for several",
        lambda value: not isinstance(value, list | tuple | Mapping),
    ),
)
"""Operators, what they take in words, and whether a value is one."""
OPERATORS = frozenset().union(*(operators for operators, _, _ in _VALUES))


class WrongQuery(ValueError):
    """A filter is wrong.

    :param place: where, fields and operators with dots between them; empty: the whole
    :param problem: what, which continues the place
    """

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place} {problem}".strip())
        self.place = place
        self.problem = problem


def check_query(query: Any) -> list[str]:
    """Refuse a filter in which documented operators are misspelt or take something else, and return the operators that
    are not documented: a newer site has a list of its own, which is not published.

    Keys are passed through as given: whether the vendor minds their case is not known.

    :raises WrongQuery: says where
    """
    return list(dict.fromkeys(_unknown(query, "")))


def _unknown(query: Any, place: str) -> Iterator[str]:
    if not isinstance(query, Mapping):
        raise WrongQuery(
            place, f"is {type(query).__name__}; it has to be an object such as {{'accountId': {{'$eq': 'test'}}}}"
        )
    for field, condition in query.items():
        at = f"{place}.{field}".lstrip(".")
        if field in JUNCTIONS:
            if not isinstance(condition, Mapping):
                raise WrongQuery(at, "takes an object of field → condition, not a list")
            yield from _unknown(condition, at)
        elif field in OPERATORS:
            raise WrongQuery(at, "has no field: it stands inside of one, such as {'accountId': {'$eq': 'test'}}")
        elif field.startswith("$"):
            _refuse_slip(field, at, JUNCTIONS)
            yield field
        else:
            yield from _unknown_of(condition, at)


def _unknown_of(condition: Any, place: str) -> Iterator[str]:
    if not isinstance(condition, Mapping) or not condition:
        raise WrongQuery(place, "needs an operator, such as {'$eq': …}")
    for operator, value in condition.items():
        at = f"{place}.{operator}"
        if operator in JUNCTIONS:
            raise WrongQuery(at, "joins fields: it stands outside of them")
        if operator not in OPERATORS:
            _refuse_slip(operator, at, OPERATORS)
            if not operator.startswith("$"):
                raise WrongQuery(at, f"is not an operator; they begin with $: {', '.join(sorted(OPERATORS))}")
            yield operator
        for operators, wanted, fits in _VALUES:
            if operator in operators and not fits(value):
                raise WrongQuery(at, wanted)


def _refuse_slip(name: str, place: str, known: frozenset[str]) -> None:
    """Refuse a name that can only be a slip for a documented one, which does the same.

    One with an ``n`` before it or an ``i`` behind it may be the site's own, for the opposite or for any case of
    letters; the opposites of ``$eq`` and ``$in`` are documented.
    """
    any_case, opposite = name.removesuffix("i"), name.replace("$n", "$", 1)
    if (any_case != name and any_case in known) or (opposite != name and opposite in known - {"$eq", "$in"}):
        return
    word = name.strip().lower()
    alike = [one for one in sorted(known) if one[1] == word.lstrip("$")[:1]]
    if near := difflib.get_close_matches(word, alike, n=1, cutoff=0.75):
        raise WrongQuery(place, f"is not an operator; did you mean {near[0]}?")
