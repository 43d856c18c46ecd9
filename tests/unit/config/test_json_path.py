from __future__ import annotations

from typing import Any

import pytest

from nightshift.config.json_path import LONGEST, parts_of, value_at

ANSWER = {"version": "1.0.2", "checks": [{"state": "up", "a.b": None}], "deep": {"x": {"y": [[7]]}}}


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("$", ()),
        ("version", ("version",)),
        ("$.version", ("version",)),
        ("checks[0].state", ("checks", 0, "state")),
        ("$['a.b'][12]", ("a.b", 12)),
        ('$["a b"].c-d', ("a b", "c-d")),
        ("[3]", (3,)),
    ],
)
def test_a_path_has_names_and_positions(path: str, parts: tuple[str | int, ...]) -> None:
    assert parts_of(path) == parts


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        ".a",
        "$a",
        "$..a",
        "a..b",
        "a.",
        "$[*]",
        "a[-1]",
        "a[01]",
        "a[1:2]",
        "a[?x]",
        "a b",
        "$['']",
        "ä",
        "x" * (LONGEST + 1),
    ],
)
def test_what_may_mean_several_values_or_none_is_no_path(path: str) -> None:
    with pytest.raises(ValueError, match="is not a path into JSON"):
        parts_of(path)


@pytest.mark.parametrize(
    ("path", "value"), [("$", ANSWER), ("checks[0].state", "up"), ("checks[0]['a.b']", None), ("deep.x.y[0][0]", 7)]
)
def test_the_value_is_found(path: str, value: Any) -> None:
    assert value_at(ANSWER, path) == value


@pytest.mark.parametrize(
    ("path", "ends"),
    [
        ("checks[1]", "checks.1"),
        ("version.x", "version.x"),
        ("[0]", "0"),
        ("deep.no.y", "deep.no"),
        ("checks.state", "checks.state"),
    ],
)
def test_or_where_the_answer_ends(path: str, ends: str) -> None:
    with pytest.raises(LookupError, match=f"nothing at {ends}$"):
        value_at(ANSWER, path)
