"""One page: what is read, what is refused, and with which words."""

from __future__ import annotations

from typing import Any

import pytest

from nightshift.errors import BadResponse
from nightshift.flexnet.page import PageNames, read_csv_page, read_json_page

PATH = "/report/usage"
BOM = b"\xef\xbb\xbf"
HEADER = ["usageId", "name"]
DEEP = b"[" * 5000 + b"]" * 5000


def json_page(body: bytes, **more: Any) -> Any:
    return read_json_page(3, body, PageNames(), path=PATH, **more)


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        (b'{"header":{"recordCount":2},"data":[{"a":1},{"a":2}]}', 2),
        (BOM + b'{"data":[{"a":"M\xc3\xbcller"}]}', 1),
        (BOM + b' [{"a":1}]', 1),
        (b'{"data":[]}', 0),
        (b'{"data":null}', 0),
        (rb'{"data":[{"a":"x\u0000y"}]}', 1),
        (b'{"data":[{"a":{"b":1e400}}]}', 1),
    ],
)
@pytest.mark.parametrize("key", [(), ("a",)])
def test_json_that_is_read(body: bytes, rows: int, key: tuple[str, ...]) -> None:
    assert json_page(body, key=key).rows == rows


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "is empty where JSON is due"),
        (b" \r\n", "is empty where JSON is due"),
        (b'{"data":[{"a":1},{"a"', "is not the JSON that is due"),
        (b'{"data":[{"a":1}]} trailing', "is not the JSON that is due"),
        (b'{"data":[{"a":NaN}]}', "is not the JSON that is due"),
        (rb'{"data":[{"a":"\ud800 and more"}]}', "unexpected end of hex escape"),
        (b'{"rows":[]}', "missing required field `data`"),
        (b'{"data":{}}', "Expected `array | null`"),
        (b'{"data":[1,2]}', "rows that are no objects"),
        (b'{"data":[[1],[2]]}', "rows that are no objects"),
        (b'{"data":[{"a":' + DEEP + b"}]}", "nested too deep"),
        (
            '{"data":[{"a":"Müller"}]}'.encode("latin-1"),
            r"not in UTF-8, as JSON has to be \(byte 0xfc at 16; .*ISO-8859-1",
        ),
        ('{"data":[]}'.encode("utf-16"), "not in UTF-8"),
    ],
)
def test_json_that_is_refused_by_name(body: bytes, says: str) -> None:
    with pytest.raises(BadResponse, match=says) as caught:
        json_page(body, charset="ISO-8859-1")
    assert caught.value.problem.startswith("page 3 ")
    assert caught.value.path == PATH


def test_long_numbers_in_a_key_do_not_fall_together() -> None:
    page = json_page(b'{"data":[{"a":12345678901234567890123},{"a":12345678901234567890124}]}', key=("a",))
    assert len(set(page.content)) == 2


def csv_page(body: bytes, header: list[str] | None = HEADER, **more: Any) -> Any:
    return read_csv_page(3, body, header, path=PATH, **more)[0]


@pytest.mark.parametrize(
    ("body", "more", "rows"),
    [
        (b"usageId,name\r\n1,a\r\n2,b\r\n", {}, 2),
        (b"1,a\n2,b\n", {}, 2),
        (b"1,a\r2,b\r", {}, 2),
        (b'1,"a"b\n2,5" disk\n', {}, 2),
        (b" usageId , name\n1,a\n", {}, 1),
        (b"usageId,name,\n1,a,\n", {}, 1),
        (b"usageId,name\r\n1,a\r\n2,b", {}, 2),
        (b"usageId,name\r\n", {}, 0),
        (b"", {}, 0),
        (b"\r\n\r\n", {}, 0),
        (BOM + b"usageId,name\r\n1,a\r\n", {}, 1),
        (b'usageId,name\r\n1,"a\r\nb"\r\n', {}, 1),
        (b"name,usageId\r\na,1\r\n", {}, 1),
        (b"usageId,name,more\r\n1,a,x\r\n", {}, 1),
        ("usageId,name\r\n1,Müller\r\n".encode("cp1252"), {"charset": "cp1252"}, 1),
        ("usageId,name\r\n1,Müller\r\n".encode("utf-16"), {"charset": "utf-16"}, 1),
        (b"usageId;name\r\n1;a,b\r\n", {"delimiter": ";"}, 1),
        (b"usageId,name\r\n1,'a,b'\r\n", {"quote": "'"}, 1),
    ],
)
def test_csv_that_is_read(body: bytes, more: dict[str, str], rows: int) -> None:
    assert csv_page(body, **more).rows == rows


def test_lines_that_all_end_with_a_comma_are_not_cut() -> None:
    first, header = read_csv_page(1, b"usageId,name,\r\n1,a,\r\n", None, path=PATH)
    assert first.rows == 1
    assert csv_page(b"usageId,name,\r\n1,a,\r\n", header).rows == 1


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"usageId,name\r\n1,a\r\n2", "its last record has 1 of 2 fields"),
        (b"usageId,name\r\n1,a\r\n2,b", "its last line has no line end"),
        (b'usageId,name\r\n1,a\r\n2,"b', "a quote is open at its end"),
        (b'usageId,name\r\n1,a\r\n2,"b\r\n', "a quote is open at its end"),
        (b'{"error":"no"}', "is JSON where CSV is due"),
        (b"Internal error", "is cut"),
        ("usageId,name\r\n1,Müller\r\n".encode("cp1252"), "is not CSV in utf-8"),
    ],
)
def test_csv_that_is_cut_is_noticed(body: bytes, says: str) -> None:
    with pytest.raises(BadResponse, match=says):
        csv_page(body, open_end=False)


def test_rows_of_csv_are_told_apart_by_their_key_whatever_the_order_of_columns() -> None:
    assert csv_page(b"usageId,name\r\n1,a\r\n", key=("usageId",)).content == [("1",)]
    turned = csv_page(b"name,usageId\r\na,1\r\n", key=("usageId",))
    assert turned.content == [("1",)]
    assert turned.has_keys
    assert not csv_page(b"usageId,name\r\n1,a\r\n", key=("other",)).has_keys


def test_a_line_of_blanks_is_no_row_of_a_csv_page_with_several_columns() -> None:
    page, _ = read_csv_page(1, b"a,b\r\n1,2\r\n  \r\n3,4\r\n \t", None, path="/p")
    assert page.rows == 2
    page, _ = read_csv_page(1, b"a\n1\n  \n", None, path="/p")
    assert page.rows == 2
