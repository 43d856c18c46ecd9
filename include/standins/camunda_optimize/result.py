"""The answer of an export: what is asked for, and one page of records or one aggregated result around its counts."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from include.standins.camunda_optimize.switches import CamundaOptimizeSwitches, Missing, Parameters

MOST_RECORDS = 10_000
LEAST_SECONDS = 60
DEFAULT_LIMIT, DEFAULT_SECONDS = 1_000, 120


class Wrong(Exception):
    """A property of the request is missing or invalid; the text says which."""


@dataclass(frozen=True)
class Asked:
    """What an export asks for (3.1).

    :param limit: records a page, 0 to 10,000
    :param seconds: how long the search context is to be kept, at least 60
    :param search_request_id: empty: the first page
    """

    limit: int
    seconds: int
    search_request_id: str


def asked(query: Mapping[str, str], switches: CamundaOptimizeSwitches) -> Asked:
    """Read the parameters of an export.

    :raises Wrong: one is missing or out of its range
    """
    limit = _number(query, "limit", DEFAULT_LIMIT, switches)
    seconds = _number(query, "paginationTimeout", DEFAULT_SECONDS, switches)
    if not 0 <= limit <= MOST_RECORDS:
        raise Wrong(f"limit has to be between 0 and {MOST_RECORDS}, it is {limit}.")
    if seconds < LEAST_SECONDS:
        raise Wrong(f"paginationTimeout has to be at least {LEAST_SECONDS} seconds, it is {seconds}.")
    most = switches.most_pagination_timeout
    if most is not None and seconds > most:
        raise Wrong(f"paginationTimeout has to be at most {most} seconds, it is {seconds}.")
    return Asked(limit, seconds, query.get("searchRequestId", ""))


def _number(query: Mapping[str, str], name: str, default: int, switches: CamundaOptimizeSwitches) -> int:
    text = query.get(name)
    if text is None and switches.parameters is Parameters.DEFAULTED:
        return default
    if text is None:
        raise Wrong(f"The parameter {name} is missing.")
    try:
        return int(text)
    except ValueError:
        raise Wrong(f"The parameter {name} has to be an integer.") from None


def page(counts: Mapping[str, Any], joined: bytes) -> bytes:
    """Return the body of a page.

    :param counts: everything but the records, in order
    :param joined: the records, with commas between them
    """
    return b'%b,"data":[%b]}' % (msgspec.json.encode(counts)[:-1], joined)


def aggregated(report_id: str, found: Any, limit: int, switches: CamundaOptimizeSwitches) -> dict[str, Any]:
    """Return the answer for a report that is not raw data: everything at once, whatever the limit (4.1).

    A single value counts 1 and null counts 0; the total is the length of a list, else 1 (3.2).
    """
    count = len(found) if isinstance(found, list) else int(found is not None)
    total = count if isinstance(found, list) else 1
    body: dict[str, Any] = {"numberOfRecordsInResponse": count, "totalNumberOfRecords": total}
    if switches.report_id_told:
        body["reportId"] = report_id
    if count > limit and switches.message_told:
        body["message"] = (
            f"All {count} records are delivered in this response regardless of the limit, because only raw data reports can be paginated."
        )
    if found is not None or switches.null_data is Missing.NULL:
        body["data"] = found
    return body


class KeptPages:
    """The records of the pages that were asked for last, joined, up to a number of bytes."""

    def __init__(self) -> None:
        self._pages: OrderedDict[Hashable, bytes] = OrderedDict()
        self.size = 0

    def get(self, key: Hashable, make: Callable[[], bytes], most: int) -> bytes:
        """Return the records of a page, made where they are not kept.

        :param most: bytes to keep in all; 0: keep none
        """
        joined = self._pages.get(key)
        if joined is not None:
            self._pages.move_to_end(key)
            return joined
        joined = make()
        if len(joined) <= most:
            self._pages[key] = joined
            self.size += len(joined)
            while self.size > most:
                self.size -= len(self._pages.popitem(last=False)[1])
        return joined

    def clear(self) -> None:
        """Forget all."""
        self._pages.clear()
        self.size = 0
