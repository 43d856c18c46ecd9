from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightshift.lake.columns import targets
from nightshift.lake.csv_pages import CsvPages
from nightshift.lake.errors import UnreadablePage
from nightshift.lake.json_pages import JsonPages
from nightshift.lake.spec import PublishSpec
from nightshift.lake.survey import Survey

SPEC = PublishSpec()


def rows_of(*values: str) -> bytes:
    rows = ", ".join(f'{{"c": {value}}}' for value in values)
    return f'{{"data": [{rows}]}}'.encode()


def lines_of(*values: str) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out).writerows([("c", "d"), *((value, "x") for value in values)])
    return out.getvalue().encode()


def survey(body: bytes, *, is_csv: bool = False, spec: PublishSpec = SPEC) -> str | None:
    return Survey(spec, is_csv, "r").take([(1, body)])[0].get("c")


def published(body: bytes, *, is_csv: bool = False) -> list[Any]:
    types, empty = Survey(SPEC, is_csv, "r").take([(1, body)])
    pages = (CsvPages if is_csv else JsonPages)(targets(types, SPEC), empty, SPEC, "r")
    return [row["c"] for batch in pages.batches(1, body, 1) for row in batch.to_pylist()]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (("1", "null", "-9223372036854775808"), "int64"),
        (("1", "2.5"), "float64"),
        (("-0.0", "1e300"), "float64"),
        (("7615917337495251231", "2.5"), "decimal(38,1)"),
        (("9007199254740993.0",), "decimal(38,1)"),
        (("9223372036854775808",), "decimal(38,0)"),
        (("123456789012345678901234567890.125",), "decimal(38,3)"),
        (("1" * 39,), "string"),
        (("1e400", "1"), "string"),
        (("1e-400",), "string"),
        (("0." + "1" * 38, "10"), "string"),
        (("true", "null"), "bool"),
        (("true", "1"), "string"),
        (('"1"', "1"), "string"),
        (('{"a": 1e400}', "[]"), "json"),
        (('{"a": 1}', "1"), "string"),
        (("null",), None),
    ],
)
def test_a_json_column_has_the_type_that_holds_every_digit(values: tuple[str, ...], kind: str | None) -> None:
    assert survey(rows_of(*values)) == kind


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (("1", "1234567890123456789"), "int64"),
        (("12345678901234567890", "5"), "decimal(38,0)"),
        (("21602730330000060100100000358582", "1"), "decimal(38,0)"),
        (("1", "2.5"), "float64"),
        (("0.1234567890123456789", "1"), "decimal(38,19)"),
        (("12.50", "3.00"), "float64"),
        (("2.0", "3.25", "1.5E-7"), "float64"),
        (("1.1", "1.10"), "string"),
        (("1", "1.0"), "string"),
        (("12E4", "5"), "string"),
        (("-0", "0"), "string"),
        (("01", "1"), "string"),
        (("+1", "1"), "string"),
        (("1.5", "1.5 SP1"), "string"),
        (("true", "FALSE"), "bool"),
        (("true", "1"), "string"),
    ],
)
def test_a_csv_column_has_a_type_only_where_texts_that_differ_stay_apart(values: tuple[str, ...], kind: str) -> None:
    assert survey(lines_of(*values), is_csv=True) == kind


def test_a_column_of_the_key_is_whole_numbers_or_text_in_csv() -> None:
    spec = PublishSpec(key=("c",))
    assert survey(lines_of("1", "2"), is_csv=True, spec=spec) == "int64"
    assert survey(lines_of("12345678901234567890"), is_csv=True, spec=spec) == "decimal(38,0)"
    assert survey(lines_of("1.5", "2.5"), is_csv=True, spec=spec) == "string"


def test_rows_of_every_shape_and_page_count() -> None:
    pages = [(1, b'[{"a": 1}, {"b": "x", "a": 2}]'), (2, b'[{"a": 2.5, "late": null}]')]
    assert Survey(SPEC, False, "r").take(pages) == ({"a": "float64", "b": "string"}, ("late",))


def test_what_is_nested_without_end_is_named() -> None:
    with pytest.raises(UnreadablePage, match="page 1"):
        survey(rows_of("[" * 100_000 + "]" * 100_000))


NUMBERS = st.one_of(
    st.integers(-(1 << 140), 1 << 140).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(json.dumps),
    st.from_regex(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
)


def number(value: Any) -> Decimal:
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


@settings(max_examples=200)
@given(values=st.lists(NUMBERS, min_size=1, max_size=4))
def test_what_json_digits_say_is_what_the_column_says(values: list[str]) -> None:
    assert [number(value) for value in published(rows_of(*values))] == [Decimal(value) for value in values]


@settings(max_examples=200)
@given(values=st.lists(NUMBERS, min_size=1, max_size=4))
def test_what_csv_digits_say_is_what_the_column_says_and_no_two_plain_texts_are_one(values: list[str]) -> None:
    found = published(lines_of(*values), is_csv=True)
    assert [number(value) for value in found] == [Decimal(value) for value in values]
    if not any("e" in text.lower() or (text.startswith("-") and not Decimal(text)) for text in values):
        assert len(set(map(str, found))) == len(set(values))
