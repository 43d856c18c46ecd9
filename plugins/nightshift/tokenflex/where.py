"""The ``where`` of a usage request: built from values, and refused here when the vendor would refuse it.

Token Flex reference, section 3.9. Only the documented operators are built; a text of a person's own is passed through
after the documented rules have been checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from nightshift.tokenflex.vocabulary import ENUM_FIELDS, Rule, Violation, broken

OPERATORS = frozenset({"=", "!=", ">=", "<=", "<", "LIKE", "IN"})
MIN_PATTERN = 3
"""Characters other than ``%`` that a pattern needs."""
_COMPARES = OPERATORS | {"<>", ">"}
"""What a text of a person's own may compare with; the vendor judges it."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_FORBIDDEN = re.compile(r"[\"\\\x00-\x1f\x7f]")
_TOKEN = re.compile(r"'(?:[^']|'')*'|[A-Za-z_][A-Za-z0-9_]*|[0-9]+(?:\.[0-9]+)?|<=|>=|<>|!=|[=<>(),]|\S")


@dataclass(frozen=True)
class Condition:
    """One comparison; its value is quoted here and can never end the text that it stands in.

    :param field: name of a field
    :param operator: ``=``, ``!=``, ``>=``, ``<=``, ``<``, ``LIKE`` or ``IN``; words in any case
    :param value: text, date or number; for ``IN`` a list of them with at least one
    :raises Rejected: the rules of ``where`` do not allow it; names the rule and the field
    """

    field: str
    operator: str
    value: Any

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(str(self.field)):
            raise broken(Rule.WHERE_FIELD, str(self.field), "is not the name of a field")
        if str(self.operator).upper() not in OPERATORS:
            raise broken(
                Rule.WHERE_OPERATOR,
                self.field,
                f"is compared with {self.operator!r}; valid: {', '.join(sorted(OPERATORS))}",
            )
        self.text()

    def text(self) -> str:
        """Return the condition as the vendor reads it."""
        operator = self.operator.upper()
        if operator == "IN":
            if isinstance(self.value, str) or not isinstance(self.value, Iterable) or not (values := list(self.value)):
                raise broken(Rule.WHERE_VALUE, self.field, "takes a list with at least one value after IN")
            return f"{self.field} IN ({', '.join(literal(self.field, value) for value in values)})"
        if operator == "LIKE":
            if not isinstance(self.value, str):
                raise broken(Rule.WHERE_VALUE, self.field, "takes a text after LIKE")
            check_pattern(self.field, self.value)
        return f"{self.field} {operator} {literal(self.field, self.value)}"


def parts_of(condition: Any) -> dict[str, Any]:
    """Return what a :class:`Condition` is made of, given by the names ``field``, ``operator`` and ``value``; without
    ``operator`` it is ``=``.

    :raises Rejected: a name is missing, or is none of these
    """
    advice = "Give each as {field, operator, value}; without operator it is =."
    if not isinstance(condition, Mapping):
        raise broken(Rule.WHERE_VALUE, "conditions", f"have a {type(condition).__name__} among them", advice)
    if unknown := sorted(set(condition) - {"field", "operator", "value"}, key=str):
        raise broken(Rule.WHERE_VALUE, "conditions", f"have one with {unknown[0]!r}", advice)
    if missing := [name for name in ("field", "value") if name not in condition]:
        raise broken(Rule.WHERE_VALUE, "conditions", f"have one without {missing[0]!r}", advice)
    return {"operator": "=", **condition}


def literal(field: str, value: Any) -> str:
    """Return a value as it stands in ``where``: texts and dates in single quotes, numbers without.

    :raises Rejected: the value is none of them, or has quotes, backslashes or control characters
    """
    if isinstance(value, bool) or value is None:
        raise broken(Rule.WHERE_VALUE, field, f"is compared with {value!r}; give a text, a date or a number")
    if isinstance(value, int | float):
        return repr(value)
    text = value.isoformat() if isinstance(value, date) else value
    if not isinstance(text, str):
        raise broken(Rule.WHERE_VALUE, field, f"is compared with a {type(value).__name__}; give a text or a number")
    # How the vendor reads a doubled quote is not known, so a value with one is refused instead of escaped.
    if "'" in text or _FORBIDDEN.search(text):
        raise broken(Rule.WHERE_QUOTES, field, "has a value with a quote, a backslash or a control character in it")
    if "%" in text and field in ENUM_FIELDS:
        raise broken(Rule.WHERE_ENUM, field, "takes no wildcard: it is one of a fixed list of values")
    return f"'{text}'"


def check_pattern(field: str, pattern: str) -> None:
    """Refuse a ``LIKE`` pattern that is too short, or stands on a field with fixed values.

    :raises Rejected: names the rule and the field
    """
    if field in ENUM_FIELDS:
        raise broken(Rule.WHERE_ENUM, field, "takes no LIKE: it is one of a fixed list of values; use = or IN")
    if "%" in pattern and len(pattern.replace("%", "")) < MIN_PATTERN:
        raise broken(
            Rule.WHERE_PATTERN, field, f"has the pattern {pattern!r}; besides % it needs {MIN_PATTERN} characters"
        )


def days(field: str, first: str | date, last: str | date) -> tuple[Condition, Condition]:
    """Return the conditions for whole days, half open as in the vendor's own example.

    :param field: a date field, such as ``usageDate``
    :param first: first day
    :param last: last day, itself included
    """
    begin, end = _day(first), _day(last)
    return Condition(field, ">=", begin), Condition(field, "<", end + timedelta(days=1))


def _day(day: str | date) -> date:
    return date.fromisoformat(day) if isinstance(day, str) else day


def all_of(*parts: str | Condition | None) -> str | None:
    """Join conditions with ``and``; a text of a person's own goes first and, where it has an ``or``, into brackets."""
    texts = [part.text() if isinstance(part, Condition) else part.strip() for part in parts if part]
    texts = [text for text in texts if text]
    if len(texts) > 1:
        texts = [f"({text})" if _has_word(text, "or") else text for text in texts]
    return " and ".join(texts) or None


def check_where(where: str, skip: frozenset[Rule] = frozenset()) -> None:
    """Refuse a ``where`` that breaks a documented rule; what is beyond the rules is left to the vendor.

    :param where: the text
    :param skip: rules that are not checked
    :raises Rejected: names the rule and the field
    """
    for found in _violations(where):
        if found.rule not in skip:
            raise broken(*found)


def _violations(where: str) -> Iterator[Violation]:
    tokens = _TOKEN.findall(where)
    field, operator, opened = "", "", 0
    for number, piece in enumerate(tokens):
        word = piece.upper()
        if piece[0] == "'" and (len(piece) == 1 or piece[-1] != "'"):
            yield Violation(Rule.WHERE_QUOTES, field or "where", "has a quote without an end")
        elif piece[0] == "'":
            yield from _value_problems(field, operator, piece[1:-1])
        elif word == "NOT":
            yield Violation(
                Rule.WHERE_NOT, field or "where", "has the keyword 'not', which the vendor does not allow; use !="
            )
        elif word in _COMPARES:
            operator = word
        elif piece in {"(", ")"}:
            opened += 1 if piece == "(" else -1
        elif piece in {'"', "\\"}:
            yield Violation(Rule.WHERE_QUOTES, field or "where", f"has a {piece}; texts stand in single quotes")
        elif word not in {"AND", "OR"} and _NAME.fullmatch(piece) and _is_name(tokens, number):
            field = piece
    if opened:
        yield Violation(Rule.WHERE_QUOTES, "where", "has brackets that do not match")


def _value_problems(field: str, operator: str, value: str) -> Iterator[Violation]:
    if field in ENUM_FIELDS and (operator == "LIKE" or "%" in value):
        yield Violation(Rule.WHERE_ENUM, field, "takes no wildcard: it is one of a fixed list of values; use = or IN")
    elif operator == "LIKE" and "%" in value and len(value.replace("%", "")) < MIN_PATTERN:
        problem = f"has the pattern {value!r}; besides % it needs {MIN_PATTERN} characters"
        yield Violation(Rule.WHERE_PATTERN, field or "where", problem)


def _is_name(tokens: Sequence[str], number: int) -> bool:
    after = tokens[number + 1].upper() if number + 1 < len(tokens) else ""
    return after in _COMPARES or after == "NOT"


def _has_word(text: str, word: str) -> bool:
    return any(token.lower() == word for token in _TOKEN.findall(text))
