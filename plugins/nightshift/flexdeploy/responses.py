"""The shapes that answers come in: one object, an array, rows in ``items``; two spellings of a list of requests.

FlexDeploy reference, sections 3.1, 3.6, 4.1 and 5.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from nightshift.errors import NotFound, VendorError
from nightshift.flexdeploy.model import Started, WorkflowRequest
from nightshift.flexdeploy.vocabulary import Work
from nightshift.http.response import Response

Row = dict[str, Any]
DETAIL_KEYS = ("message", "errorMessage", "detail", "error", "title", "warningMessage", "code")
_REQUEST_KEYS = ("workflowRequests", "wfrequests", "wfRequests", "workflowRequest")
_WRAPPERS = ("items",)
_UNKNOWN_REQUEST = re.compile(
    r"workflow\s?request(?:\s?id)?\s*(?:\[?(\d+)\]?\s+)?(?:is |was )?not found(?:\s*\[(\d+)\])?", re.IGNORECASE
)


def rows_of(response: Response, *wrappers: str) -> list[Row]:
    """Return the rows of a list, however it is wrapped; nothing at all is an empty list.

    :param wrappers: further keys under which this list may come
    :raises BadResponse: it is something else
    """
    if not response.body.strip():
        return []
    found = response.json()
    if isinstance(found, Mapping):
        wrapped = next((found[key] for key in (*_WRAPPERS, *wrappers) if isinstance(found.get(key), list)), None)
        found = wrapped if wrapped is not None else [found] if found else []
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(row, Mapping) for row in found):
        raise response.refused("is neither an object nor a list of objects")
    return [dict(row) for row in found]


def row_of(response: Response) -> Row:
    """Return the one object of an answer.

    :raises BadResponse: it has none, or several
    """
    rows = rows_of(response)
    if len(rows) != 1:
        raise response.refused(f"has {len(rows)} objects where one is due")
    return rows[0]


def started_of(response: Response, work: Work, *, nothing_by_status: bool) -> Started:
    """Read the answer to a build, a deployment or a utility run.

    :param work: what was asked for
    :param nothing_by_status: 200 says that nothing was started, whatever the body holds (builds and deployments of v1)
    :raises Ambiguous: it was accepted, and the answer names no workflow request
    """
    if response.status == 200 and nothing_by_status:
        return _nothing(response)
    body = response.json()
    requests = tuple(dict.fromkeys(_requests(body)))
    if requests:
        return Started(started=True, requests=requests)
    if response.status == 200 and work is Work.BUILD:
        return _nothing(response)
    raise response.refused(f"to {work} names no workflow request", detail=response.beginning)


def request_in(response: Response, request_id: str) -> WorkflowRequest:
    """Read the answer to a poll.

    :raises BadResponse: it is of another request, or names no status; which says nothing about the request
    """
    request = WorkflowRequest.of(row_of(response))
    if request is None or not request.status:
        raise response.refused("names no status of the workflow request")
    if request.id != request_id:
        raise response.refused(f"is of workflow request {request.id}, not {request_id}")
    return request


def is_own_word(error: NotFound, request_id: str) -> bool:
    """Tell whether a 404 is FlexDeploy's own word that it has no such workflow request.

    Known strings are ``WorkflowRequest not found`` and ``WorkflowRequestId [1] not found`` (section 5). Everything else, the
    page of an application server that restarts or of a proxy, is no word on the request.
    """
    found = _UNKNOWN_REQUEST.search(error.detail)
    return found is not None and all(one in (None, request_id) for one in found.groups())


def _requests(body: Any) -> Iterator[WorkflowRequest]:
    listed = body
    if isinstance(body, Mapping):
        listed = next((body[key] for key in _REQUEST_KEYS if body.get(key)), body)
    for row in listed if isinstance(listed, list) else [listed]:
        if (request := WorkflowRequest.of(row)) is not None:
            yield request


def _nothing(response: Response) -> Started:
    # The code alone decides: what the body of a 200 looks like is not published.
    try:
        body = response.json()
    except VendorError:
        body = None
    found = body if isinstance(body, Mapping) else {}
    words = {name: found.get(name) for name in ("warningCode", "warningMessage")}
    return Started(
        started=False,
        requests=tuple(dict.fromkeys(_requests({k: v for k, v in found.items() if k in _REQUEST_KEYS}))),
        warning_code=None if words["warningCode"] is None else str(words["warningCode"]),
        warning_message=None if words["warningMessage"] is None else str(words["warningMessage"]),
    )
