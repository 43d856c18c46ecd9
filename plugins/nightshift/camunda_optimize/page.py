"""What is asked of a report's result, and one page of it, read tolerantly (Camunda Optimize reference, sections 3.1
and 3.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from nightshift.camunda_optimize.source import CAMUNDA_OPTIMIZE
from nightshift.errors import BadResponse, Rejected
from nightshift.http.address import segment
from nightshift.http.bodies import NotJson, decoded

MAX_LIMIT = 10_000
MIN_TIMEOUT = 60


@dataclass(frozen=True, kw_only=True)
class ResultRequest:
    """What is asked of one report; the search is named from page to page.

    :param report_id: id of the report
    :param limit: records a page, 1 to 10000; counts on the first page only
    :param pagination_timeout: seconds that the server keeps the search between two pages, at least 60
    :raises Rejected: a parameter is outside what the vendor documents
    """

    report_id: str
    limit: int = MAX_LIMIT
    pagination_timeout: int = 120

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= MAX_LIMIT:
            raise _refused(f"limit is {self.limit}; a page has 1 to {MAX_LIMIT} records")
        if self.pagination_timeout < MIN_TIMEOUT:
            raise _refused(
                f"pagination_timeout is {self.pagination_timeout}; the server wants at least {MIN_TIMEOUT} s"
            )

    @property
    def path(self) -> str:
        """Path of the result."""
        return f"/api/public/export/report/{segment(self.report_id)}/result/json"

    def params(self, search_request_id: str | None = None) -> dict[str, str]:
        """Return the query parameters of a page.

        :param search_request_id: of the answer before; ``None`` for the first page
        """
        search = {} if search_request_id is None else {"searchRequestId": search_request_id}
        return {"limit": str(self.limit), "paginationTimeout": str(self.pagination_timeout), **search}


def _refused(problem: str) -> Rejected:
    advice = "Nothing was sent. Correct it in reports.yaml, or in the connection, and run again."
    return Rejected(problem, vendor=CAMUNDA_OPTIMIZE.name, advice=advice)


class ContextLost(BadResponse):
    """The search context is gone, or a page may have been consumed unseen: the walk cannot go on, only start over."""


class _Answer(msgspec.Struct, rename="camel"):
    search_request_id: str | None = None
    number_of_records_in_response: int | None = None
    total_number_of_records: int | None = None
    report_id: str | None = None
    message: str | None = None


class _Records(_Answer):
    data: list[msgspec.Raw] | msgspec.UnsetType | None = msgspec.UNSET


class _Value(_Answer):
    data: msgspec.Raw = msgspec.Raw(b"null")


_records = msgspec.json.Decoder(_Records).decode
_value = msgspec.json.Decoder(_Value).decode


class ResultPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a report's result.

    :param number: page number, from 1
    :param body: the answer as received
    :param rows: records in it; a single value counts as one, a value that is null as none
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

    @property
    def is_value(self) -> bool:
        """Whether this is the single value of an aggregated report, which may be null, and no list of records."""
        return not self.is_list and self.search_request_id is None


def read_page(number: int, body: bytes, *, path: str, charset: str = "") -> ResultPage:
    """Read an answer of the export; its records are counted, not decoded.

    :param number: page number, from 1
    :param body: the answer
    :param path: path of the request, for errors
    :param charset: character set that the answer names, for the message: JSON is UTF-8
    :raises BadResponse: not JSON in UTF-8, cut off, nested too deep, or its own count of records is wrong
    """
    try:
        response, records, rows = decoded(_read, body, charset)
    except NotJson as wrong:
        raise bad_page(number, path, f"{wrong}; it begins {body[:80]!r}") from None
    is_list, said = records is not None, response.number_of_records_in_response
    if (is_list or not rows) and said is not None and said != rows:
        raise bad_page(number, path, f"says it has {said} records and has {rows}")
    if said is None and not is_list and not rows:
        raise bad_page(number, path, f"has neither records nor a count of them; it begins {body[:80]!r}")
    if records and not all(bytes(record)[:1] == b"{" for record in (records[0], records[-1])):
        raise bad_page(number, path, f"has records that are no objects, such as {bytes(records[-1])[:80]!r}")
    return ResultPage(
        number=number,
        body=body,
        rows=rows,
        total=response.total_number_of_records,
        search_request_id=response.search_request_id or None,
        message=response.message,
        is_list=is_list,
        fingerprint=hash((rows, bytes(records[0]), bytes(records[-1]))) if records else 0,
    )


def _read(body: bytes) -> tuple[_Answer, list[msgspec.Raw] | None, int]:
    """Return an answer, its records, and how many; without records for a single value, which may be null or left
    out.
    """
    try:
        found = _records(body)
    except msgspec.ValidationError:
        return _value(body), None, 1
    return (found, found.data, len(found.data)) if isinstance(found.data, list) else (found, None, 0)


def bad_page(
    number: int,
    path: str,
    problem: str,
    advice: str = "Clearing the task reads the report anew, from its first page.",
) -> BadResponse:
    """Return the error for a page that cannot be used."""
    return BadResponse(
        f"page {number} {problem}",
        vendor=CAMUNDA_OPTIMIZE.name,
        method="GET",
        path=path,
        status=200,
        advice=f"Nothing of the night was published. {advice}",
    )
