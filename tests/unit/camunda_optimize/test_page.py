"""One answer of the export: what is read, what is refused, and with which words."""

from __future__ import annotations

import pytest

from nightshift.camunda_optimize.page import read_page
from nightshift.errors import BadResponse

BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize(
    ("body", "rows", "is_value"),
    [
        (b'{"searchRequestId":"S","numberOfRecordsInResponse":1,"totalNumberOfRecords":9,"data":[{"a":1}]}', 1, False),
        (BOM + b'{"searchRequestId":"S","numberOfRecordsInResponse":1,"data":[{"a":1}]}', 1, False),
        (b'{"searchRequestId":"S","numberOfRecordsInResponse":0,"totalNumberOfRecords":9,"data":[]}', 0, False),
        (b'{"searchRequestId":"S","numberOfRecordsInResponse":0,"totalNumberOfRecords":9}', 0, False),
        (b'{"numberOfRecordsInResponse":0,"totalNumberOfRecords":1,"data":null}', 0, True),
        (b'{"numberOfRecordsInResponse":0,"totalNumberOfRecords":1}', 0, True),
        (b'{"numberOfRecordsInResponse":1,"totalNumberOfRecords":1,"data":17.5}', 1, True),
        (b'{"numberOfRecordsInResponse":1,"totalNumberOfRecords":1,"data":{"key":"a","value":null}}', 1, True),
        (b'{"data":[{"a":1}]}', 1, False),
    ],
)
def test_answers_that_are_read(body: bytes, rows: int, is_value: bool) -> None:
    page = read_page(1, body, path="/x")
    assert (page.rows, page.is_value) == (rows, is_value)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "is empty where JSON is due"),
        (b"{}", "neither records nor a count"),
        (b'{"searchRequestId":"S"}', "neither records nor a count"),
        (b"[]", "not the JSON that is due"),
        (b'{"numberOfRecordsInResponse":2,"data":[{"a":1}', "not the JSON that is due"),
        (b'{"numberOfRecordsInResponse":2,"data":[{"a":1}]}', "says it has 2 records and has 1"),
        (b'{"numberOfRecordsInResponse":2,"data":null}', "says it has 2 records and has 0"),
        (b'{"numberOfRecordsInResponse":1,"data":[1]}', "records that are no objects"),
        (b'{"numberOfRecordsInResponse":1,"data":[{"a":' + b"[" * 5000 + b"]" * 5000 + b"}]}", "nested too deep"),
        ('{"numberOfRecordsInResponse":1,"data":[{"a":"ü"}]}'.encode("latin-1"), "not in UTF-8"),
    ],
)
def test_answers_that_are_refused_by_name(body: bytes, says: str) -> None:
    with pytest.raises(BadResponse, match=says) as caught:
        read_page(4, body, path="/x")
    assert caught.value.problem.startswith("page 4 ")
