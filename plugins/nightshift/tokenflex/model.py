"""What the Token Flex API answers, as types: export requests, ad-hoc queries and their pages.

Token Flex reference, sections 3.3, 3.5 and 4. Fields that the vendor adds later are ignored; one that it leaves out is
``None``. Signed links are in no ``repr``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

import msgspec

State = TypeVar("State", bound=StrEnum)


class ExportState(StrEnum):
    """States of an export request; any other word is :attr:`UNKNOWN` and counts as not finished."""

    REQUESTED = "Requested"
    READY = "Download"
    ERROR = "Error"
    UNKNOWN = "unknown"


class QueryState(StrEnum):
    """States of an ad-hoc query; any other word is :attr:`UNKNOWN` and counts as not finished."""

    QUEUED = "QUEUED"
    PROCESSING = "PROCESSING"
    DONE = "DONE"
    FAILED = "FAILED"
    TIMEOUT = "TIMEOUT"
    EXPIRED = "EXPIRED"
    UNKNOWN = "unknown"


QUERY_FAILED = frozenset({QueryState.FAILED, QueryState.TIMEOUT, QueryState.EXPIRED})


class Export(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One export request at the vendor.

    :param request_key: the vendor's id, ``<UTC time>#<uuid>`` by example
    :param request_status: the vendor's word for its state
    :param download_file_name: with the extension that the vendor adds
    :param download_url: signed, only when ready; whoever holds it can read the file
    :param download_url_expire_date: when the link ends, as given; see :func:`moment`
    :param export_request_date: when it was made, as given
    :param schedule_id: the schedule that made it
    :param read_flag: ``Y`` when marked as read
    """

    request_key: str
    request_status: str
    download_file_name: str | None = None
    download_url: str | None = None
    download_url_expire_date: str | None = None
    export_request_date: str | None = None
    schedule_id: str | None = None
    read_flag: str | None = None

    def __repr__(self) -> str:
        link = "with a link" if self.download_url else "without a link"
        return f"Export({self.request_key}, {self.request_status}, {self.download_file_name!r}, {link})"

    @property
    def state(self) -> ExportState:
        """The state as one of ours."""
        return state_of(self.request_status, ExportState)

    @property
    def stem(self) -> str:
        """File name without its extension."""
        return (self.download_file_name or "").removesuffix(".csv")

    def link_ends(self) -> float | None:
        """Return when the signed link ends, seconds since the epoch; ``None`` where the vendor does not say."""
        return moment(self.download_url_expire_date)

    def asked_at(self) -> float | None:
        """Return when the export was asked for, seconds since the epoch, by its date or its key."""
        return moment(self.export_request_date) or moment(self.request_key.partition("#")[0])


class QueryPage(msgspec.Struct, frozen=True, kw_only=True):
    """An ad-hoc query, and a page of its result once it is done.

    :param id: the vendor's id
    :param status: the vendor's word for its state
    :param columns: names, in the order of each row
    :param rows: one list a row
    :param offset: rows before this page
    :param total: rows in all; ``None`` where the answer has no result
    """

    id: str
    status: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    offset: int = 0
    total: int | None = None

    @property
    def state(self) -> QueryState:
        """The state as one of ours."""
        return state_of(self.status, QueryState)


class _Result(msgspec.Struct, frozen=True, kw_only=True):
    columns: tuple[Any, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    offset: int = 0
    total: int | None = None


class QueryResponse(msgspec.Struct, frozen=True, kw_only=True):
    """The wire form of a query: its result may be there at once, from the vendor's cache."""

    id: str | int
    status: str
    result: _Result | None = None

    def page(self) -> QueryPage:
        """Return it as a page."""
        result = self.result
        if result is None:
            return QueryPage(id=str(self.id), status=self.status)
        columns = tuple(str(one.get("name", one) if isinstance(one, dict) else one) for one in result.columns)
        return QueryPage(
            id=str(self.id), status=self.status, columns=columns, rows=result.rows, offset=result.offset,
            total=len(result.rows) if result.total is None else result.total,
        )  # fmt: skip


def state_of(word: str, states: type[State]) -> State:
    """Return the vendor's word as one of the states, whatever its case; ``UNKNOWN`` for one that is not documented."""
    plain = word.strip().lower()
    found = next((state for state in states if state.value.lower() == plain), None)
    return found or states["UNKNOWN"]


def moment(text: str | None) -> float | None:
    """Return the vendor's time stamp as seconds since the epoch, ``None`` where it cannot be read.

    The vendor's examples have 3, 5, 6 or no fraction digits and sometimes no ``Z``; a time without zone is UTC.

    >>> moment("2018-10-29T03:25:31.40821Z") == moment("2018-10-29T03:25:31.40821")
    True
    """
    if not text:
        return None
    try:
        read = datetime.fromisoformat(text.strip().replace(" ", "T", 1))
    except ValueError:
        return None
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
