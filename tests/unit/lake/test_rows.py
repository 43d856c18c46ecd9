from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightshift.lake.columns import Target, known_types, targets
from nightshift.lake.csv_pages import CsvPages
from nightshift.lake.csv_text import breaks_off
from nightshift.lake.errors import CastError, SchemaDrift, UnreadablePage
from nightshift.lake.json_pages import JsonPages, NewColumns
from nightshift.lake.spec import Column, CsvSpec, PublishSpec
from nightshift.lake.survey import Survey
from nightshift.nesting import MAX_DEPTH, is_shallow
from tests.unit.lake.conftest import json_page

SPEC = PublishSpec()


def read(
    kinds: dict[str, str],
    bodies: Iterable[bytes],
    spec: PublishSpec = SPEC,
    reader: Any = JsonPages,
    rows: int | None = 1,
) -> list[dict[str, Any]]:
    pages = reader(targets(kinds, spec), (), spec, "report")
    return [
        row
        for number, body in enumerate(bodies, 1)
        for batch in pages.batches(number, body, rows)
        for row in batch.to_pylist()
    ]


def test_missing_and_null_are_no_value() -> None:
    assert read({"a": "int64", "b": "string"}, [json_page([{"a": 1}, {"b": None}])]) == [
        {"a": 1, "b": None},
        {"a": None, "b": None},
    ]


def test_one_odd_value_does_not_spoil_its_page() -> None:
    rows = [
        {"Seats": 1, "Name": "x"},
        {"Seats": "12", "Name": 7.10},
        {"Seats": 12.0, "Name": {"k": [1]}},
        {"Seats": None, "Name": True},
    ]
    found = read({"Seats": "int64", "Name": "string"}, [json_page(rows), json_page(rows)])
    assert [row["Seats"] for row in found] == [1, 12, 12, None] * 2
    assert [row["Name"] for row in found] == ["x", "7.1", '{"k": [1]}', "true"] * 2


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("int64", 1 << 63, str(1 << 63)),
        ("int64", "", ""),
        ("float64", "x", "x"),
        ("bool", 2, "2"),
        ("timestamp", 1.5, "1.5"),
        ("date", [], "[]"),
    ],
)
def test_a_value_that_does_not_fit_is_named(kind: str, value: Any, shown: str) -> None:
    with pytest.raises(CastError, match="the landed night is untouched") as found:
        read({"a": kind}, [json_page([{}]), json_page([{"a": None}, {"a": value}])])
    error = found.value
    assert (error.page, error.row, error.column, error.value, error.wanted) == (2, 2, "a", shown, kind)


def test_numbers_of_time_are_epoch_milliseconds() -> None:
    rows = [{"at": 1638458509330, "day": 1638403200000}, {"at": None, "day": None}]
    found = read({"at": "timestamp", "day": "date"}, [json_page(rows)])
    assert [str(found[0][name]) for name in ("at", "day")] == ["2021-12-02 15:21:49.330000+00:00", "2021-12-02"]
    for kind, value in itertools.product(("date", "timestamp"), (20261121, 1638403200)):
        with pytest.raises(CastError, match=str(value)):
            read({"at": kind}, [json_page([{"at": value}])])


@pytest.mark.parametrize("value", [1638403200001, 1638489599999, -1638403199999, 2514431227976])
def test_a_number_of_time_in_a_column_of_days_keeps_no_day_alone(value: int) -> None:
    with pytest.raises(CastError, match="it has a time of day, which would be lost") as found:
        read({"day": "date"}, [json_page([{"day": 1638403200000}, {"day": None}, {"day": value}])])
    assert (found.value.row, found.value.value) == (3, str(value))
    assert str(read({"day": "date"}, [json_page([{"day": -1638403200000}])])[0]["day"]) == "1918-01-31"


def test_decimals_are_exact_or_an_error() -> None:
    body = b'{"data": [{"p": 12345678901234.10}, {"p": "0.5"}, {"p": null}, {"p": 3}, {"p": 1e2}]}'
    found = read({"p": "decimal(20,2)"}, [body])
    assert [str(row["p"]) for row in found] == ["12345678901234.10", "0.50", "None", "3.00", "100.00"]
    with pytest.raises(CastError, match="it has more digits"):
        read({"p": "decimal(20,2)"}, [b'[{"p": 0.000000000000000000000999}]'])


def test_a_long_value_is_cut_in_the_message() -> None:
    with pytest.raises(CastError) as found:
        read({"a": "int64"}, [json_page([{"a": "secret" * 100}])])
    assert len(str(found.value)) < 600


def test_nested_values_keep_the_vendors_own_text() -> None:
    body = b'{"data": [{"v" : {"x":1.10,  "y":[ ]}}, {"v": null}, {"v": "text"}]}'
    assert [row["v"] for row in read({"v": "json"}, [body])] == ['{"x":1.10,  "y":[ ]}', None, '"text"']


def test_members_of_nested_values_become_columns() -> None:
    spec = PublishSpec(promote={"variables": {"orderId": "string", "amount": "decimal(9,2)"}})
    rows = [{"variables": {"orderId": 17, "amount": "1.5", "other": 1}}, {"variables": None}, {}]
    found = read({"variables": "json"}, [json_page(rows)], spec)
    assert [row["variables_orderId"] for row in found] == ["17", None, None]
    assert str(found[0]["variables_amount"]) == "1.50"
    assert found[0]["variables"].startswith('{"orderId"')
    with pytest.raises(CastError, match="it is no object"):
        read({"variables": "json"}, [json_page([{"variables": 3}])], spec)


@pytest.mark.parametrize(
    "body",
    [b'[{"a": 1}]', b' \n[{"a": 1}]', b'\xef\xbb\xbf{"data": [{"a": 1}]}', b'{"x": {"data": []}, "data": [{"a": 1}]}'],
)
def test_rows_are_found_where_they_are(body: bytes) -> None:
    assert read({"a": "int64"}, [body]) == [{"a": 1}]


@pytest.mark.parametrize(
    "body", [b'{"data": [{"a": 1}', b'{"data": [1]}', b'{"data": {}}', b"<html>", b'{"data": [null]}', b'{"rows": []}']
)
def test_what_is_not_rows_is_an_error(body: bytes) -> None:
    with pytest.raises(UnreadablePage, match="page 1"):
        read({"a": "int64"}, [body])


def test_a_column_that_nobody_knew_is_not_dropped() -> None:
    with pytest.raises(NewColumns):
        read({"a": "int64"}, [json_page([{"a": 1, "b": 2}])])


def test_the_whole_extract_says_the_types() -> None:
    rows = [
        {"n": 1, "f": 1, "b": True, "s": "x", "j": {}, "mix": 1, "null": None},
        {"n": 2, "f": 1.5, "b": None, "s": "y", "j": [1], "mix": "1", "late": 3},
    ]
    types, empty = Survey(SPEC, False, "r").take([(1, json_page(rows[:1])), (2, json_page(rows[1:]))])
    assert types == {
        "n": "int64",
        "f": "float64",
        "b": "bool",
        "s": "string",
        "j": "json",
        "mix": "string",
        "late": "int64",
    }
    assert empty == ("null",)


def test_csv_types_keep_leading_zeros_as_text() -> None:
    body = b"zip,n,f,b,s,empty\n01234,1,1,true,1,\n4321,22,1.5,FALSE,x,\n"
    types, empty = Survey(SPEC, True, "r").take([(1, body)])
    assert types == {"zip": "string", "n": "int64", "f": "float64", "b": "bool", "s": "string"}
    assert empty == ("empty",)


def test_the_configuration_comes_before_the_model_before_the_table_before_the_values() -> None:
    spec = PublishSpec(types={"a": "string"})
    model = [Column(name="a", type="int64"), Column(name="b", type="float64"), Column(name="c", vendor_type="mystery")]
    table = [Column(name="c", type="date"), Column(name="a", type="json")]
    values = {"a": "bool", "b": "bool", "c": "string", "d": "int64"}
    assert known_types(spec, model, table, values) == {"c": "date", "a": "string", "b": "float64", "d": "int64"}


def test_a_type_that_is_not_the_tables_is_refused_or_cast_to_it() -> None:
    model, table = [Column(name="a", type="string")], [Column(name="a", type="int64")]
    with pytest.raises(SchemaDrift, match=r"string now and int64 in the table.*types: \{a: int64\}"):
        known_types(SPEC, model, table, {})
    allowed = PublishSpec.model_validate({"schema_rules": {"allow_type_change": ["a"]}})
    assert known_types(allowed, model, table, {}) == {"a": "int64"}
    assert known_types(PublishSpec(types={"a": "string"}), model, table, {}) == {"a": "string"}
    assert known_types(SPEC, [Column(name="a", type="float64")], table, {}) == {"a": "int64"}


def test_the_vendors_night_is_not_the_partitions() -> None:
    assert targets({"night": "string"}, SPEC) == [Target("night_", "string", "night")]
    with pytest.raises(SchemaDrift, match="two columns would be called 'a'"):
        targets({"a": "string", "A": "string"}, SPEC)


def test_csv_columns_go_by_name_on_every_page() -> None:
    bodies = [b"\xef\xbb\xbfid,name\r\n1,x\r\n", b'name,id\n"y\nz",2', b"3,w\n", b"id,name\n"]
    found = read({"id": "int64", "name": "string", "gone": "date"}, bodies, reader=CsvPages, rows=None)
    assert found == [{"id": n, "name": s, "gone": None} for n, s in ((1, "x"), (2, "y\nz"), (3, "w"))]


def test_an_empty_csv_field_is_no_value_and_a_quoted_one_is_a_text() -> None:
    assert read({"a": "string", "b": "int64"}, [b'a,b\n"",1\n,\n'], reader=CsvPages) == [
        {"a": "", "b": 1},
        {"a": None, "b": None},
    ]


def test_a_csv_value_that_does_not_fit_is_named() -> None:
    with pytest.raises(CastError) as found:
        read({"a": "int64"}, [b"a\n1\n2\n", b"a\n3\nfour\n"], reader=CsvPages)
    assert (found.value.page, found.value.row, found.value.value) == (2, 2, "four")


@pytest.mark.parametrize(
    "body", [b"a,b\n1\n", b"a,b\n1,2,3\n", b"a,b\n1,2,\n1,2\n", b"a,b\n\xff,1\n", b"a,b,\n1,2,3,4\n"]
)
def test_csv_that_is_not_sound_is_an_error(body: bytes) -> None:
    with pytest.raises(UnreadablePage, match="page 1 is not CSV in utf-8"):
        read({"a": "string", "b": "string"}, [body], reader=CsvPages)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"a,b,A\n1,2,3\n", "names the column 'A' twice.*repeated_names: number.*second one 'A_2'"),
        (b"a,,b\n1,2,3\n", "no name for column 2.*second one 'column_2'"),
        (b"a,b,\n1,2,\n1,2,x\n", "page 1, row 2: column 3 has the value 'x'.*call it 'column_3'"),
    ],
)
def test_names_that_come_twice_or_not_at_all_are_told_with_the_setting_that_helps(body: bytes, told: str) -> None:
    with pytest.raises(UnreadablePage, match=told) as found:
        read({"a": "string", "b": "string"}, [body], reader=CsvPages)
    assert "extract the night again" not in str(found.value)
    spec = PublishSpec(csv=CsvSpec(repeated_names="number"))
    names, _ = Survey(spec, True, "r").take([(1, body)])
    assert len(names) == 3
    assert {"A_2", "column_2", "column_3"} & set(names)


@pytest.mark.parametrize("line", ["\f", "\xa0"])
def test_a_first_line_of_other_characters_than_blanks_is_no_empty_one(line: str) -> None:
    """The names behind it were read as the header, and counted as a row."""
    body = f"{line}\r\na,b\r\n1,2\r\n".encode()
    with pytest.raises(UnreadablePage, match=f"the header is the line {re.escape(repr(line))}, which names no"):
        read({"a": "string", "b": "string"}, [body], reader=CsvPages)
    assert breaks_off(f"1,2\n{line}".encode(), "utf-8", CsvSpec(), 2)
    assert not breaks_off(b"1,2\n \t", "utf-8", CsvSpec(), 2)


def test_what_has_no_members_has_none_of_those_that_are_promoted() -> None:
    body = b'[{"v":[]},{"v":[ ]},{"v":null},{},{"v":{"m":"x"}}]'
    spec = PublishSpec(promote={"v": {"m": "string"}})
    assert [(row["v"], row["v_m"]) for row in read({"v": "json"}, [body], spec)] == [
        ("[]", None),
        ("[ ]", None),
        (None, None),
        (None, None),
        ('{"m":"x"}', "x"),
    ]
    with pytest.raises(CastError, match=r"\(it is no object\).*or empty_as_null: true"):
        read({"v": "json"}, [b'[{"v":""}]'], spec)
    assert read({"v": "json"}, [b'[{"v":""}]'], spec.model_copy(update={"empty_as_null": True}))[0]["v_m"] is None


@pytest.mark.parametrize(
    "body",
    [
        b"a,b,\n1,2,\n3,4,\n",
        b"a,b,\n1,2\n3,4\n",
        b"a,b\n1,2,\n3,4,\n",
        b"a, b\r\n1,2\r\n\r\n3,4\r\n\r\n",
        b'\r\n"a", "b" \r1,2\r3,4',
        b'\xef\xbb\xbf"a","b"\n1,2\n3,4\n',
        "a,b\n1,2\n3,4".encode("utf-16"),
    ],
)
def test_every_habit_of_writing_the_same_table_is_read_alike(body: bytes) -> None:
    assert read({"a": "int64", "b": "int64"}, [body], reader=CsvPages) == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]


def test_a_row_with_the_texts_of_the_header_is_a_row_where_the_count_says_so() -> None:
    pages = CsvPages(targets({"a": "string"}, SPEC), (), SPEC, "report")
    found = [row["a"] for n in (1, 2) for b in pages.batches(n, b"a\nx\n", n) for row in b.to_pylist()]
    assert found == ["x", "a", "x"]


def test_csv_of_another_charset_and_delimiter() -> None:
    spec = PublishSpec(csv=CsvSpec(charset="cp1252", delimiter=";", quote="'"))
    assert read({"a": "string", "b": "string"}, ["a;b\n'x;y';€\n".encode("cp1252")], spec, CsvPages) == [
        {"a": "x;y", "b": "€"}
    ]


text = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=8)


@settings(max_examples=150)
@given(rows=st.lists(st.tuples(text, text, text), min_size=1, max_size=8), delimiter=st.sampled_from(",;\t|"))
def test_every_csv_dialect_comes_through(rows: list[tuple[str, str, str]], delimiter: str) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([("x", "y", "z"), *rows])
    spec = PublishSpec(csv=CsvSpec(delimiter=delimiter))
    found = read(dict.fromkeys("xyz", "string"), [out.getvalue().encode()], spec, CsvPages)
    assert [tuple(row.values()) for row in found] == rows


def nest(levels: int) -> str:
    return "[" * levels + "]" * levels


@pytest.mark.parametrize("around", ['{{"data":[{rows}]}}', "[{rows}]", '{{"header":{deep},"data":[{rows}]}}'])
@pytest.mark.parametrize("rows", [1, MAX_DEPTH + 1])
@pytest.mark.parametrize("levels", [5, MAX_DEPTH - 4, MAX_DEPTH - 3, MAX_DEPTH - 2, MAX_DEPTH])
@pytest.mark.parametrize("row", ['{{"id":1,"a":{deep}}}', '{{"id":1,"a":{deep},"a":2}}', '{{"id":1,"a":"[[{{"}}'])
def test_a_page_is_refused_for_its_depth_wherever_it_is_the_deepest(
    around: str, rows: int, levels: int, row: str
) -> None:
    plain = row.format(deep='{"x":[1]}')
    deepest = [*[plain] * (rows - 1), row.format(deep=nest(levels))]
    body = around.format(rows=",".join(deepest), deep=nest(levels)).encode()
    if is_shallow(body):
        assert len(read({"id": "int64", "a": "json"}, [body])) == rows
    else:
        with pytest.raises(UnreadablePage, match="nested too deep"):
            read({"id": "int64", "a": "json"}, [body])
