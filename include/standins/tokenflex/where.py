"""The ``where`` text of exports and queries: its grammar, its documented limits, and what it selects (reference
3.9).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from include.standins.tokenflex.catalogue import AT, ENUM_FIELDS

Row = Sequence[str]
Test = Callable[[Row, bool], bool | None]
"""Takes a row, and whether only the fields of a day are known; answers true, false or not to be told."""

DEPTH: Final = 50
_TOKEN = re.compile(r"\s*(?:('(?:[^']|'')*')|(\d+(?:\.\d+)?)|([A-Za-z_]\w*)|(<>|!=|>=|<=|[=<>(),]))", re.ASCII)
_WORDS = frozenset({"AND", "OR", "NOT", "LIKE", "IN", "BETWEEN", "IS", "NULL"})


class BadWhere(ValueError):
    """The text breaks a rule; says which."""


def parsed(text: str, names: tuple[tuple[str, str], ...], known_by_day: frozenset[str]) -> Test:
    """Read a condition.

    :param names: the customer's own names of custom fields → ``customFieldN``
    :param known_by_day: the fields that are known of a row before it is made
    :raises BadWhere: not SQL, or against a documented limit
    """
    if not text.strip():
        return lambda row, by_day: True
    reader = _Reader(text, names, known_by_day)
    test = reader.either(0)
    reader.end()
    return test


class _Reader:
    def __init__(self, text: str, names: tuple[tuple[str, str], ...], known_by_day: frozenset[str]) -> None:
        self._tokens = _split(text)
        self._at = 0
        self._names = dict(names)
        self._known = frozenset(AT[name] for name in known_by_day)

    def either(self, depth: int) -> Test:
        if depth > DEPTH:
            raise BadWhere(f"brackets are nested more than {DEPTH} deep")
        tests = [self._both(depth)]
        while self._word("OR"):
            tests.append(self._both(depth))
        return tests[0] if len(tests) == 1 else _any(tests)

    def end(self) -> None:
        if self._at < len(self._tokens):
            raise BadWhere(f"cannot read {self._tokens[self._at]!r}")

    def _both(self, depth: int) -> Test:
        tests = [self._one(depth)]
        while self._word("AND"):
            tests.append(self._one(depth))
        return tests[0] if len(tests) == 1 else _all(tests)

    def _one(self, depth: int) -> Test:
        if self._peek() == "(":
            self._take()
            test = self.either(depth + 1)
            self._expect(")")
            return test
        token = self._take()
        if token.upper() == "NOT":
            raise BadWhere("the keyword 'not' is not allowed, use '!='")
        if token[0] == "'" or token[0].isdigit():
            return self._constant(token)
        if token.upper() in _WORDS or not token[0].isalpha():
            raise BadWhere(f"a field is expected before {token!r}")
        return self._comparison(token)

    def _constant(self, left: str) -> Test:
        compare, right = _COMPARE[self._operator()], self._value()
        value = compare(_key(_unquoted(left)), _key(right))
        return lambda row, by_day: value

    def _comparison(self, name: str) -> Test:
        field = self._names.get(name, name)
        at = AT.get(field, -1)
        if self._word("NOT"):
            raise BadWhere("the keyword 'not' is not allowed, use '!='")
        if self._word("LIKE"):
            return self._test(at, _like(field, self._value()))
        if self._word("IN"):
            values = frozenset(self._listed())
            return self._test(at, lambda value: value in values)
        if self._word("BETWEEN"):
            low = self._value()
            if not self._word("AND"):
                raise BadWhere("BETWEEN needs AND")
            first, last = _key(low), _key(self._value())
            return self._test(at, lambda value: first <= _key(value) <= last)
        if self._word("IS"):
            return self._null(at)
        compare, right = _COMPARE[self._operator()], _key(self._value())
        return self._test(at, lambda value: compare(_key(value), right))

    def _null(self, at: int) -> Test:
        if self._word("NOT"):
            raise BadWhere("the keyword 'not' is not allowed, use '!='")
        if not self._word("NULL"):
            raise BadWhere("IS needs NULL")
        return self._test(at, lambda value: value == "")

    def _test(self, at: int, fits: Callable[[str], bool]) -> Test:
        if at < 0:
            missing = fits("")
            return lambda row, by_day: missing
        if at in self._known:
            return lambda row, by_day: fits(row[at])
        return lambda row, by_day: None if by_day else fits(row[at])

    def _listed(self) -> list[str]:
        self._expect("(")
        values = [self._value()]
        while self._peek() == ",":
            self._take()
            values.append(self._value())
        self._expect(")")
        return values

    def _operator(self) -> str:
        token = self._take()
        if token not in _COMPARE:
            raise BadWhere(f"an operator is expected, not {token!r}")
        return token

    def _value(self) -> str:
        token = self._take()
        if token[0] != "'" and not token[0].isdigit():
            raise BadWhere(f"a value is expected, not {token!r}; strings and dates stand in single quotes")
        return _unquoted(token)

    def _word(self, word: str) -> bool:
        if self._peek().upper() != word:
            return False
        self._at += 1
        return True

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        if self._at >= len(self._tokens):
            raise BadWhere("the text ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def _expect(self, token: str) -> None:
        if self._take() != token:
            raise BadWhere(f"{token!r} is expected")


def _split(text: str) -> list[str]:
    tokens: list[str] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            raise BadWhere(f"cannot read from position {at}")
        tokens.append(found.group().strip())
        at = found.end()
    return tokens


def _like(field: str, pattern: str) -> Callable[[str], bool]:
    if "%" in pattern:
        if field in ENUM_FIELDS:
            raise BadWhere(f"no wildcard on the field {field!r}")
        if len(pattern.replace("%", "")) < 3:
            raise BadWhere("a '%' pattern needs at least 3 other characters")
    parts = (".*" if char == "%" else "." if char == "_" else re.escape(char) for char in pattern)
    compiled = re.compile("".join(parts), re.DOTALL)
    return lambda value: compiled.fullmatch(value) is not None


def _unquoted(token: str) -> str:
    return token[1:-1].replace("''", "'") if token[0] == "'" else token


def _key(value: str) -> tuple[int, float, str]:
    """Numbers order as numbers and before texts; dates in ISO form order as texts."""
    return (
        (0, float(value), "") if value and value.replace(".", "", 1).isdigit() and value.isascii() else (1, 0.0, value)
    )


def _all(tests: list[Test]) -> Test:
    def test(row: Row, by_day: bool) -> bool | None:
        found: bool | None = True
        for one in tests:
            value = one(row, by_day)
            if value is False:
                return False
            if value is None:
                found = None
        return found

    return test


def _any(tests: list[Test]) -> Test:
    def test(row: Row, by_day: bool) -> bool | None:
        found: bool | None = False
        for one in tests:
            value = one(row, by_day)
            if value:
                return True
            if value is None:
                found = None
        return found

    return test


_Key = tuple[int, float, str]
_COMPARE: dict[str, Callable[[_Key, _Key], bool]] = {
    "=": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<>": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    ">": lambda left, right: left > right,
    "<=": lambda left, right: left <= right,
    ">=": lambda left, right: left >= right,
}
