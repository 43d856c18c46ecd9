"""One answer of the export, read tolerantly (Camunda Optimize reference, section 3.2)."""

from __future__ import annotations

import msgspec

from nightshift.errors import BadResponse

VENDOR = "Camunda Optimize"
DEFAULT_CONN = "camunda_optimize_default"
MAX_LIMIT = 10_000
"""Records a page at most."""


class ContextLost(BadResponse):
    """The search context is gone, or a page may have been consumed unseen: the walk cannot go on, only start over."""


class _Answer(msgspec.Struct, rename="camel"):
    search_request_id: str | None = None
    number_of_records_in_response: int | None = None
    total_number_of_records: int | None = None
    report_id: str | None = None
    message: str | None = None


class _Records(_Answer):
    data: list[msgspec.Raw] | None = None


class _Value(_Answer):
    data: msgspec.Raw = msgspec.Raw(b"null")


_records = msgspec.json.Decoder(_Records).decode
_value = msgspec.json.Decoder(_Value).decode


class ResultPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a report's result.

    :param number: page number, from 1
    :param body: the answer as received
    :param rows: records in it; a single value counts as one
    :param total: records of the whole result, where the vendor says so
    :param search_request_id: what the next page is asked for with; ``None`` for a report that is not raw data
    :param message: the vendor's extra information, for instance that paging is for raw data only
    :param is_list: whether ``data`` is a list of records; an aggregated report may give a single value
    :param fingerprint: of the first and the last record and their number, to notice a page that comes twice
    """

    number: int
    body: bytes
    rows: int
    total: int | None
    search_request_id: str | None
    message: str | None
    is_list: bool
    fingerprint: int


def read_page(number: int, body: bytes, *, path: str) -> ResultPage:
    """Read an answer of the export; its records are counted, not decoded.

    :param number: page number, from 1
    :param body: the answer
    :param path: path of the request, for errors
    :raises BadResponse: not JSON, cut off, or its own count of records is wrong
    """
    try:
        answer, records = _read(body)
    except msgspec.DecodeError as error:
        raise bad_page(number, path, f"is not a report result ({error}); it begins {body[:80]!r}") from None
    is_list, rows = records is not None, 1 if records is None else len(records)
    said = answer.number_of_records_in_response
    if is_list and said is not None and said != rows:
        raise bad_page(number, path, f"says it has {said} records and has {rows}")
    return ResultPage(
        number=number,
        body=body,
        rows=rows,
        total=answer.total_number_of_records,
        search_request_id=answer.search_request_id or None,
        message=answer.message,
        is_list=is_list,
        fingerprint=hash((rows, bytes(records[0]), bytes(records[-1]))) if records else 0,
    )


def _read(body: bytes) -> tuple[_Answer, list[msgspec.Raw] | None]:
    """Return an answer and its records; ``None`` for a single value."""
    try:
        found = _records(body)
        return found, found.data or []
    except msgspec.ValidationError:
        return _value(body), None


def bad_page(number: int, path: str, problem: str) -> BadResponse:
    """Return the error for a page that cannot be used."""
    return BadResponse(
        f"page {number} {problem}",
        vendor=VENDOR,
        method="GET",
        path=path,
        status=200,
        advice="Nothing of the night was published; the export starts over with the next attempt.",
    )
