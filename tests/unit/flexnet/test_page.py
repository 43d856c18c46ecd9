"""One page: what is read, what is refused, and with which words."""

from __future__ import annotations

import json
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
        (b'{"rows":[]}', r"has no 'data', and no count of 0 rows; .* set data_key"),
        (b'{"header":{"recordCount":3,"totalPages":1}}', "has no 'data', and no count of 0 rows"),
        (b'{"header":{"recordCount":0},"error":"down"}', "tells of an error"),
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
    return read_csv_page(3, body, header, path=PATH, **more)


@pytest.mark.parametrize(
    ("body", "more", "rows"),
    [
        (b"usageId,name\r\n1,a\r\n2,b\r\n", {}, 2),
        (b"1,a\n2,b\n", {}, 2),
        (b"1,a\r2,b\r", {}, 2),
        (b'1,"a""b"\n2,5" disk\n', {}, 2),
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
        (b'usageId,name\r\n1,"a" \r\n"2" ,b\r\n', {}, 2),
        (b"{3F2504E0-4F89},x\r\n{3F2504E0-4F90},y\r\n", {}, 2),
        (b"[none],x\r\n[1],y\r\n", {}, 2),
        (b"<none>,<none>\r\n", {}, 1),
    ],
)
def test_csv_that_is_read(body: bytes, more: dict[str, str], rows: int) -> None:
    assert csv_page(body, **more).rows == rows


def test_lines_that_all_end_with_a_comma_are_not_cut() -> None:
    first = read_csv_page(1, b"usageId,name,\r\n1,a,\r\n", None, path=PATH)
    assert first.rows == 1
    assert csv_page(b"usageId,name,\r\n1,a,\r\n", list(first.header)).rows == 1


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"usageId,name\r\n1,a\r\n2", "its last record has 1 of 2 fields"),
        (b"usageId,name\r\n1,a\r\n2,b", "its last line has no line end"),
        (b'usageId,name\r\n1,a\r\n2,"b', "a quote is open at its end"),
        (b'usageId,name\r\n1,a\r\n2,"b\r\n', "a quote is open at its end"),
        (b'{"error":"no"}', "is JSON where CSV is due"),
        (b' [{"error": "no, and cut', "is JSON where CSV is due"),
        (b"[1,\r\n2]", "is JSON where CSV is due"),
        (b'<?xml version="1.0"?><error>no, not now</error>', "is XML or HTML where CSV is due"),
        (b"<error>no</error>\n<code>5,0</code>\n", "is XML or HTML where CSV is due"),
        (b"<error text='no, not now'/>", "is XML or HTML where CSV is due"),
        (b"Internal error", "is cut"),
        ("usageId,name\r\n1,Müller\r\n".encode("cp1252"), "is not CSV in utf-8"),
    ],
)
def test_csv_that_is_cut_is_noticed(body: bytes, says: str) -> None:
    with pytest.raises(BadResponse, match=says):
        csv_page(body, open_end=False)


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b'1,"12" disk"\r\n2,b\r\n', "record 1, up to line 1"),
        (b'usageId,name\r\n1,"12\\""\r\n2,"14\\""\r\n', "record 2, up to line 3"),
        (b'usageId,name\r\n1,a\r\n2,"14\\""\r\n3,c\r\n', "record 3, up to line 4"),
    ],
)
def test_a_quote_that_closes_too_early_joins_no_rows(body: bytes, where: str) -> None:
    with pytest.raises(BadResponse, match=where) as caught:
        csv_page(body)
    assert "Set csv: {quote: …} for the report" in caught.value.advice
    assert "have the vendor write a quote inside of a field twice" in caught.value.advice
    assert csv_page(body.replace(b"'", b""), quote="'").rows == body.count(b"\n") - body.count(b"usageId")


REPORT = b"AccountID,AccountName\r\nA-1,Acme\r\n"
MODEL = ("AccountID", "AccountName")


def first_page(body: bytes, **more: Any) -> Any:
    return read_csv_page(1, body, None, path=PATH, **more)


@pytest.mark.parametrize(
    ("body", "more"),
    [
        (REPORT, {"key": ("AccountID",)}),
        (REPORT, {"key": ("AccountID",), "columns": ("other",), "content_type": "application/json"}),
        (REPORT, {"columns": MODEL, "content_type": "application/xml"}),
        (REPORT, {"content_type": "application/octet-stream"}),
        (b" AccountID ,AccountName,\r\nA-1,Acme,\r\n", {"key": ("AccountID",)}),
        (b"account_id,Account Name\r\nA-1,Acme\r\n", {"columns": MODEL}),
        (b"AccountID,Name,Name\r\nA-1,Acme,x\r\n", {"key": ("AccountID", "Name_2")}),
        (b"[AccountID],[AccountName]\r\nA-1,Acme\r\n", {}),
        (b"<AccountID>,<AccountName>\r\nA-1,Acme\r\n", {"key": ("<AccountID>",)}),
        (b"a;b\r\nA-1\r\n", {"key": ("a;b",)}),
        (b"AccountID\r\nA-1\r\n", {}),
    ],
)
def test_a_first_line_that_names_columns_is_a_header(body: bytes, more: dict[str, Any]) -> None:
    page = first_page(body, **more)
    assert (page.rows, page.has_keys) == (1, bool(more.get("key")) and b"Name,Name" not in body and b" A" not in body)


@pytest.mark.parametrize(
    ("body", "more", "says", "advice"),
    [
        (b"System is under maintenance", {"key": ("AccountID",)}, "names none of the report's columns", "into key"),
        (b"Error: try again, later\r\n", {"columns": MODEL}, r"columns \(AccountID, AccountName\)", "or into types"),
        (b"Error\r\n\tat A.b(A.java:1)\r\n", {"columns": MODEL}, "names none of", "or into types"),
        (REPORT, {"key": ("AccountID", "Site")}, "has no column 'Site', which the key", "into key"),
        (REPORT, {"key": ("accountid",), "columns": MODEL}, "has no column 'accountid'", "into key"),
        (b"AccountID;AccountName\r\nA-1;Acme\r\n", {"key": ("AccountID",)}, "has no ','", r"csv: {delimiter: ';'}"),
        (b"AccountID\tAccountName\r\n", {}, "and tab instead", "csv: {delimiter: tab}"),
        (b"AccountID,AccountName\r\n", {"delimiter": ";"}, "has no ';'", "csv: {delimiter: ','}"),
        (b'<?xml version="1.0"?><error/>', {}, "is XML or HTML where CSV is due", "status page"),
        (b'{"error": "no"}', {"key": ("AccountID",)}, "is JSON where CSV is due", "status page"),
        (b"Error, no report\r\n", {"content_type": "text/xml"}, "is text/xml where CSV is due", "status page"),
        (b"Error, none\r\n", {"content_type": "application/problem+json"}, r"is application/problem\+json", "types"),
    ],
)
def test_a_first_line_that_is_none_is_refused_with_what_cures_it(
    body: bytes, more: dict[str, Any], says: str, advice: str
) -> None:
    with pytest.raises(BadResponse, match=says) as caught:
        first_page(body, **more)
    assert advice in caught.value.advice


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"status": "ERROR", "message": "no warehouse", "data": None}, "no warehouse · ERROR"),
        ({"error": "no warehouse", "data": None}, "no warehouse"),
        ({"errors": [{"title": 7}], "data": []}, '[{"title":7}]'),
        ({"header": {"recordCount": 0}, "errors": ["no warehouse"], "data": []}, '["no warehouse"]'),
        ({"header": {"error": "no warehouse"}, "data": []}, "no warehouse"),
        ({"status": 500, "data": None}, "500"),
        ({"status": "ERROR", "message": "token=abc123def is old"}, "token=*** is old · ERROR"),
    ],
    ids=str,
)
@pytest.mark.parametrize("key", [(), ("a",)])
def test_an_answer_without_rows_that_tells_of_an_error_is_no_empty_page(
    body: dict[str, Any], words: str, key: tuple[str, ...]
) -> None:
    with pytest.raises(BadResponse) as caught:
        json_page(json.dumps(body).encode(), key=key)
    assert caught.value.detail == words


@pytest.mark.parametrize(
    "body",
    [
        {"data": []},
        {"header": {}, "data": [], "message": "nothing found", "status": "OK"},
        {"data": None, "error": None, "errors": [], "message": ""},
        {"data": None, "message": "nothing found", "status": "success"},
        {"data": None, "message": "nothing found", "status": 200},
        {"header": {"recordCount": 0}, "data": None, "message": "nothing found"},
    ],
    ids=str,
)
def test_an_answer_without_rows_that_tells_of_none_is_an_empty_page(body: dict[str, Any]) -> None:
    assert json_page(json.dumps(body).encode()).rows == 0


def test_rows_of_csv_are_told_apart_by_their_key_whatever_the_order_of_columns() -> None:
    assert csv_page(b"usageId,name\r\n1,a\r\n", key=("usageId",)).content == [("1",)]
    turned = csv_page(b"name,usageId\r\na,1\r\n", key=("usageId",))
    assert turned.content == [("1",)]
    assert turned.has_keys
    assert not csv_page(b"usageId,name\r\n1,a\r\n", key=("other",)).has_keys


def test_a_line_of_blanks_is_no_row_of_a_csv_page_with_several_columns() -> None:
    page = read_csv_page(1, b"a,b\r\n1,2\r\n  \r\n3,4\r\n \t", None, path="/p")
    assert page.rows == 2
    page = read_csv_page(1, b"a\n1\n  \n", None, path="/p")
    assert page.rows == 2
