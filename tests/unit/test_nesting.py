"""How deep JSON may be: told exactly, whatever else is in the text."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from airflow.sdk import Connection
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nightshift.errors import BadResponse, Rejected
from nightshift.exago.report import json_rows
from nightshift.exago.tree import Tree
from nightshift.flexdeploy.routes import read_routes
from nightshift.flexdeploy.vocabulary import ApiVersion
from nightshift.http.credentials import extras_of
from nightshift.nesting import MAX_DEPTH, shallow
from nightshift.nights import index as nights_index
from nightshift.promotion import index as promotions_index
from nightshift.promotion.standing import Standing
from nightshift.promotion.timeline import Timeline
from nightshift.tokenflex.tokens import Grant, decode

TRICKS = ["", "}}}}]]]]", "[[[[{{{{", '"]', "\\", '\\"[', 'é{"']
ROW = {"id": 1, "note": "}] and [{", "tags": ["a"], "more": {"x": None}}


def nested(shape: str, text: str, inner: Any) -> Any:
    """Put a value as deep as the shape is long, beside texts that look like brackets."""
    for kind in shape:
        inner = {"[": [text, inner], "{": {text: text, f"{text}.": inner}}[kind]
    return inner


def is_taken(body: bytes) -> bool:
    try:
        return shallow(body) is body
    except RecursionError:
        return False


@settings(max_examples=20)
@given(
    shape=st.text(st.sampled_from("[{"), min_size=1, max_size=8),
    text=st.sampled_from(TRICKS),
    rows=st.sampled_from([0, 3, MAX_DEPTH]),
    indent=st.sampled_from([None, 0, 1]),
    is_ascii=st.booleans(),
)
@example(shape="{", text="", rows=0, indent=None, is_ascii=True)
@example(shape="[", text="}", rows=MAX_DEPTH, indent=None, is_ascii=True)
def test_one_level_more_than_the_limit_is_refused(
    shape: str, text: str, rows: int, indent: int | None, is_ascii: bool
) -> None:
    levels = (shape * MAX_DEPTH)[: MAX_DEPTH - 1]
    separators = (",", ":") if indent is None and is_ascii else None

    def body(value: Any) -> bytes:
        text = json.dumps([*[ROW] * rows, value], separators=separators, ensure_ascii=is_ascii).encode()
        return text if indent is None else msgspec.json.format(text, indent=indent)

    assert is_taken(body(nested(levels, text, 1)))
    assert not is_taken(body(nested(levels, text, [])))
    assert not is_taken(body(nested(levels, text, {})))


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"a" : \n', b'[{"a":', b'{"a":[1,'])
def test_what_never_ends_is_refused_before_a_decoder_sees_it(opening: bytes) -> None:
    assert not is_taken(opening * 100_000)


def test_what_the_limit_lets_pass_is_decoded_by_every_python() -> None:
    body = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert is_taken(body)
    assert msgspec.json.encode(msgspec.json.decode(body)) == body


@pytest.mark.parametrize("body", [b"", b"1", b'"' + b"[{" * MAX_DEPTH + b'"', b"]" * 2 * MAX_DEPTH, b'"' * 2001])
def test_brackets_of_a_text_and_those_that_close_count_for_nothing(body: bytes) -> None:
    assert is_taken(body)


DEEP = b"[" * 5000 + b"]" * 5000


def test_a_report_a_tree_and_extras_that_are_too_deep_are_refused_in_their_own_words() -> None:
    with pytest.raises(BadResponse, match="no JSON of rows: nested too deep"):
        json_rows(b'{"data":[' + DEEP + b"]}", "data")
    with pytest.raises(BadResponse, match="nested too deep"):
        Tree.of(b'{"entity":[],"more":' + DEEP + b"}")
    with pytest.raises(Rejected, match="not a JSON object"):
        extras_of(Connection(conn_id="c", conn_type="exago", extra='{"more":' + DEEP.decode() + "}"))
    with pytest.raises(Rejected, match="is not JSON"):
        read_routes(ApiVersion.V2, DEEP.decode())


DEEP = b'{"more": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
READERS: dict[str, Callable[[bytes], object]] = {
    "the index of the nights": lambda text: nights_index._decoded(text, ("flexnet", "usage")),
    "a night that failed": nights_index._failure,
    "the index of promotions": promotions_index._decoded,
    "a standing": Standing.from_json,
    "a timeline": Timeline.from_json,
}


@pytest.mark.parametrize("what", READERS)
def test_what_is_made_anew_where_it_is_damaged_is_so_where_it_is_too_deep(what: str) -> None:
    assert not READERS[what](DEEP)


@pytest.mark.parametrize("text", [DEEP.decode(), "\udc00"])
def test_a_variable_that_cannot_be_read_is_refused_by_name(text: str) -> None:
    with pytest.raises(Rejected, match="'some key' does not hold what Nightshift wrote there"):
        decode(text, Grant, "some key")
