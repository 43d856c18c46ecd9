from __future__ import annotations

import json

import pytest

from nightshift.lake.pages import listed


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        ({"data": 42.5, "message": None}, [{"value": 42.5}]),
        ({"data": "x"}, [{"value": "x"}]),
        ({"data": {"a": 1}}, [{"a": 1}]),
        ({"data": [{"a": 1}]}, [{"a": 1}]),
        ({"data": None}, None),
    ],
)
def test_one_value_is_a_list_of_one_row(body: dict, rows: list | None) -> None:
    assert json.loads(listed(json.dumps(body).encode(), "data"))["data"] == rows


@pytest.mark.parametrize("body", [b'[{"a": 1}]', b"not json", b"{broken", b'{"rows": 1}'])
def test_anything_else_stays_as_it_is(body: bytes) -> None:
    assert listed(body, "data") == body
