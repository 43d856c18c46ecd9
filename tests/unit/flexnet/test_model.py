from __future__ import annotations

from typing import Any

import pytest

from nightshift.flexnet.model import column_type, columns, names

TWO = [("AccountID", "string"), ("Count", "int64")]


@pytest.mark.parametrize(
    "body",
    [
        {"data": {"account": {"AccountID": "String", "Count": "Integer"}}},
        {"data": {"account": [{"name": "AccountID", "type": "varchar"}, {"name": "Count", "type": "BIGINT"}]}},
        {
            "data": {
                "account": {
                    "fields": [{"name": "AccountID", "type": "text"}, {"name": "Count", "type": "long"}],
                    "filters": ["accountID"],
                }
            }
        },
        {
            "data": {
                "account": {
                    "AccountID": {"type": "string", "filters": []},
                    "Count": {"type": "int"},
                    "filters": {"x": {"type": "string"}},
                }
            }
        },
        {
            "data": [
                {"group": "user", "fields": []},
                {
                    "group": "account",
                    "fields": [
                        {"fieldName": "AccountID", "dataType": "string"},
                        {"fieldName": "Count", "dataType": "int32"},
                    ],
                },
            ]
        },
        {"data": [{"name": "AccountID", "type": "string"}, {"name": "Count", "type": "integer"}]},
        {"data": {"AccountID": "string", "Count": "integer"}},
        [{"name": "AccountID", "type": "string"}, {"name": "Count", "type": "integer"}],
    ],
)
def test_every_shape_of_a_data_model_gives_the_same_columns(body: Any) -> None:
    assert [(column.name, column.type) for column in columns(body, "account")] == TWO


@pytest.mark.parametrize("body", [{"data": {}}, {"data": []}, {"data": None}, {}, [], "x", {"data": {"account": {}}}])
def test_an_answer_that_names_no_columns_is_no_model(body: Any) -> None:
    assert columns(body, "account") is None


def test_a_field_with_the_reports_own_name_is_a_field() -> None:
    assert [
        column.name for column in columns({"data": {"user": {"type": "string"}, "mail": {"type": "string"}}}, "user")
    ] == ["user", "mail"]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("VARCHAR2(255)", "string"),
        ("Number", None),
        ("numeric", None),
        ("double precision", "float64"),
        ("NUMBER(10,2)", "decimal(10,2)"),
        ("NUMBER(19)", "decimal(19,0)"),
        ("decimal(40,2)", None),
        ("decimal(2,3)", None),
        ("decimal(0,0)", None),
        ("date-time", "timestamp"),
        ("timestamp with time zone", "timestamp"),
        ("Boolean", "bool"),
        ("list<string>", "json"),
        ("geometry", None),
    ],
)
def test_the_vendors_words_for_types(word: str, expected: str | None) -> None:
    assert column_type(word) == expected


@pytest.mark.parametrize(
    "body",
    [
        {"data": ["account", "user"]},
        {"data": {"account": {}, "user": {}}},
        {"data": [{"name": "account"}, {"name": "user"}]},
        {"data": {"reports": ["account", "user"]}},
        ["account", "user"],
    ],
)
def test_every_shape_of_report_names(body: Any) -> None:
    assert names(body) == ["account", "user"]


def test_the_documented_sample_names_no_reports() -> None:
    assert names({"data": {}}) == []


def test_fields_may_have_the_names_of_lists() -> None:
    body = {"data": {"usage": {"attributes": {"type": "object"}, "data": {"type": "string"}, "items": {"type": "int"}}}}
    assert [(column.name, column.type) for column in columns(body, "usage")] == [
        ("attributes", "json"),
        ("data", "string"),
        ("items", "int64"),
    ]
