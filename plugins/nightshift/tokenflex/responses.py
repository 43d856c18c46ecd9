"""What the Token Flex API answers: export requests, ad-hoc queries and their pages as types, and what its errors mean.

Token Flex reference, sections 3.3, 3.5, 4 and 5. Fields that the vendor adds later are ignored; one that it leaves out
is ``None``. Signed links are in no ``repr``. Errors come in two families of bodies, one with a key that has a blank in
it, or with no body at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from nightshift.errors import AuthFailed, Forbidden, RateLimited, Unreachable, VendorError
from nightshift.http.bodies import json_object
from nightshift.retry_after import retry_after
from nightshift.tokenflex.vocabulary import PAGE

if TYPE_CHECKING:
    from nightshift.http.response import Response

State = TypeVar("State", bound=StrEnum)

DETAIL_KEYS = (
    "Code",
    "Message",
    "errorCode",
    "developerMessage",
    "userMessage",
    "error",
    "error_description",
    "message",
)
QUEUE_WAIT = 60.0
"""Seconds to wait where a 429 does not say: 50 exports may be pending, and one has to end first."""

_ENTITLE = "Have Autodesk entitle the client id of the Airflow connection to the Token Flex API, then clear the task."
_GATEWAY: Mapping[str, tuple[type[VendorError], str, str]] = {
    "AUTH-001": (Forbidden, "the client id is not entitled to this API", _ENTITLE),
    "AUTH-002": (Forbidden, "the client id may not call this endpoint", _ENTITLE),
    "AUTH-003": (
        AuthFailed,
        "the client secret is wrong",
        "Correct the password (the client secret) of the Airflow connection, then clear the task.",
    ),
    "AUTH-004": (
        AuthFailed,
        "the scope is not one that this client id may have",
        f"Grant access anew with data:read and data:write: {PAGE}.",
    ),
    "AUTH-010": (
        Forbidden,
        "the access token lacks a scope",
        f"An export needs data:read and data:write. Grant access anew with both: {PAGE}; then clear the task.",
    ),
}


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
    """

    request_key: str
    request_status: str
    download_file_name: str | None = None
    download_url: str | None = None
    download_url_expire_date: str | None = None
    export_request_date: str | None = None
    schedule_id: str | None = None

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
        return moment(self.export_request_date) or moment_of_key(self.request_key)


def listed_exports(items: Iterable[Any]) -> list[Export]:
    """Return what a list of exports shows, one by one: of an export whose fields are not what they should be, which may
    be somebody else's, the texts count and the rest is left out, so that it says nothing of the others.
    """
    bare = {"requestKey": "", "requestStatus": ""}
    texts = (
        {name: value for name, value in one.items() if isinstance(value, str)} for one in items if isinstance(one, dict)
    )
    return [msgspec.convert({**bare, **one}, Export) for one in texts]


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
        total = len(result.rows) if result.total is None else result.total
        return QueryPage(
            id=str(self.id), status=self.status, columns=columns, rows=result.rows, offset=result.offset, total=total
        )


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


def moment_of_key(request_key: str) -> float | None:
    """Return when an export was asked for, as its key says; ``None`` where it does not."""
    return moment(request_key.partition("#")[0])


def meaning_of(response: Response) -> VendorError | None:
    """Return the error that an answer means where its status says too little; ``None``: what the status says.

    A 429 that names no time gets one: it is then waited for without a worker instead of asked again at once.
    """
    if response.status < 400:
        return None
    code, words = _read(response)
    if response.status == 429 or code == "ERR-001":
        asked = retry_after(response.headers)
        return RateLimited(
            "too many requests, or too many pending exports",
            status=response.status,
            detail=words,
            retry_after=QUEUE_WAIT if asked is None else asked,
            advice="Nothing was lost. Token Flex counts 5 requests a minute and 50 pending exports for all programs of "
            "one user together: look for others, then clear the task.",
        )
    if response.is_page and response.status in (400, 404, 410):
        return Unreachable(
            "a page of a web server or proxy came where Token Flex answers in JSON",
            status=response.status,
            advice="Nothing is concluded from it. If it lasts, check the host of the Airflow connection and the proxy, "
            "then clear the task.",
        )
    if code in _GATEWAY:
        kind, problem, advice = _GATEWAY[code]
        return kind(problem, status=response.status, detail=words, advice=advice)
    return None


def _read(response: Response) -> tuple[str, str]:
    found = json_object(response.body) if len(response.body) <= 65536 else None
    if found is None:
        return "", ""
    words = " · ".join(dict.fromkeys(str(found[key]) for key in DETAIL_KEYS if found.get(key)))
    return str(found.get("errorCode") or ""), words
