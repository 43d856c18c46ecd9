"""What FlexDeploy answers, read from any of its spellings into one.

FlexDeploy reference, sections 3.6, 3.8 and 6.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from nightshift.errors import NotFound, VendorError
from nightshift.fields import whole_number
from nightshift.flexdeploy.vocabulary import RequestState, Work
from nightshift.http.response import Response

_MESSAGES = ("message", "errorMessage", "failureMessage", "executionMessage", "statusMessage", "messages", "errors")


class WorkflowRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One workflow request.

    :param status: the vendor's word, as given; empty where an old server names only the id
    :param stream_id: stream, in v2 called branch
    :param created: when it was asked for, as given; only newer servers tell
    :param requested_start_time: as given
    """

    id: str
    status: str = ""
    project_id: int | None = None
    project_version_id: int | None = None
    project_version_name: str | None = None
    environment_id: int | None = None
    stream_id: int | None = None
    created: str | None = None
    package_name: str | None = None
    requested_by: str | None = None
    requested_start_time: str | None = None
    flex_fields: tuple[tuple[str, str], ...] = ()

    @property
    def state(self) -> RequestState:
        """The status as one of ours; a new request without a word is on its way."""
        return RequestState.of(self.status) if self.status else RequestState.INITIATED

    @classmethod
    def of(cls, row: Any) -> WorkflowRequest | None:
        """Read a row: an object in the spelling of v1 or v2, or the bare id of an old server; ``None``: it is
        neither.
        """
        if not isinstance(row, Mapping):
            number = _text(row)
            return cls(id=number) if number and whole_number(number) is not None else None
        number = _text(_first(row, "workflowRequestId", "id"))
        if not number:
            return None
        return cls(
            id=number,
            status=_text(_first(row, "workflowRequestStatus", "requestStatus")) or "",
            project_id=_number(row.get("projectId")),
            project_version_id=_number(row.get("projectVersionId")),
            project_version_name=_text(row.get("projectVersionName")),
            environment_id=_number(row.get("environmentId")),
            stream_id=_number(_first(row, "projectStreamId", "projectBranchId")),
            created=_text(row.get("createdOn")),
            package_name=_text(row.get("packageName")),
            requested_by=_text(_first(row, "requestedBy", "createdBy")),
            requested_start_time=_text(row.get("requestedStartTime")),
            flex_fields=_flex_fields(row.get("flexFields")),
        )


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a build, a deployment or a utility run.

    :param started: the vendor started something (201); else it had nothing to do (200)
    :param requests: workflow requests; all of them are to be waited for
    :param warning_code: its values are not published; never decided on
    """

    started: bool
    requests: tuple[WorkflowRequest, ...] = ()
    warning_code: str | None = None
    warning_message: str | None = None


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """One execution of a workflow request; its states are words of their own, in mixed case.

    :param request_id: the workflow request that it belongs to
    :param status: ``Success``, ``Failure``, ``Running`` …
    :param kind: such as ``DEPLOY``
    :param started: when it began, as given
    """

    id: str
    request_id: str | None = None
    status: str = ""
    kind: str | None = None
    instance_id: str | None = None
    project_id: int | None = None
    environment_id: int | None = None
    project_version_id: int | None = None
    started: str | None = None
    aborted_by: str | None = None
    messages: tuple[str, ...] = ()

    @property
    def succeeded(self) -> bool:
        """Whether it has ended well."""
        return self.status.strip().lower() in ("success", "succeeded", "completed")

    def is_deployment_to(self, project: int, environment: int) -> bool:
        """Whether it deployed a project to an environment."""
        there = (self.project_id, self.environment_id) == (project, environment)
        return there and "DEPLOY" in (self.kind or "").upper() and whole_number(self.request_id) is not None

    @property
    def words(self) -> str:
        """What a person wants to know of one that did not succeed."""
        kind = f" ({self.kind})" if self.kind else ""
        where = f" on instance {self.instance_id}" if self.instance_id else ""
        whom = f", aborted by {self.aborted_by}" if self.aborted_by else ""
        message = f": {'; '.join(self.messages)}" if self.messages else ""
        return f"execution {self.id}{kind}{where} {self.status or 'has no status'}{whom}{message}"

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Execution:
        """Read a row."""
        return cls(
            id=_text(row.get("workflowExecutionId")) or "?",
            request_id=_text(row.get("workflowRequestId")),
            status=_text(row.get("executionStatus")) or "",
            kind=_text(row.get("workflowType")),
            instance_id=_text(_first(row, "instanceId", "targetId")),
            project_id=_number(row.get("projectId")),
            environment_id=_number(row.get("environmentId")),
            project_version_id=_number(row.get("projectVersionId")),
            started=_text(_first(row, "startTime", "createdOn")),
            aborted_by=_text(row.get("abortedBy")),
            messages=tuple(_messages(row)),
        )


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """An approval task or a scheduled task.

    :param status: ``PENDING`` …; empty where it names none
    :param external: the other system that decides it, and its number there
    :param notes: as given
    :param scheduled: when it is to run, as given
    """

    id: str
    status: str = ""
    request_id: str | None = None
    flex_fields: tuple[tuple[str, str], ...] = ()
    external: str | None = None
    requestor: str | None = None
    notes: str | None = None
    scheduled: str | None = None

    @property
    def open(self) -> bool:
        """Whether it is still to be decided; a task without a status counts as open."""
        return self.status.strip().upper() in ("", "PENDING", "OPEN", "SCHEDULED", "WAITING", "INITIATED")

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Task | None:
        """Read a row; ``None``: it has no id."""
        number = _text(_first(row, "taskId", "scheduledTaskId", "id"))
        if number is None:
            return None
        system, there = _text(row.get("externalSystemType")), _text(row.get("externalId"))
        return cls(
            id=number,
            status=_text(_first(row, "status", "taskStatus")) or "",
            request_id=_text(row.get("workflowRequestId")),
            flex_fields=_flex_fields(row.get("flexFields")),
            external=" ".join(part for part in (system, there) if part) or None,
            requestor=_text(_first(row, "requestorPath", "requestedBy")),
            notes=_text(row.get("notes")),
            scheduled=_text(row.get("scheduledDate")),
        )


def _first(row: Mapping[str, Any], *names: str) -> Any:
    return next((row[name] for name in names if row.get(name) not in (None, "")), None)


def _text(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value).strip() or None


def _number(value: Any) -> int | None:
    return whole_number(_text(value))


def _flex_fields(value: Any) -> tuple[tuple[str, str], ...]:
    rows = value if isinstance(value, list) else []
    pairs = ((_text(row.get("code")), _text(row.get("value"))) for row in rows if isinstance(row, Mapping))
    return tuple((code, held or "") for code, held in pairs if code)


def _messages(row: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    for name in _MESSAGES:
        held = row.get(name)
        for one in held if isinstance(held, list) else [held]:
            message = _text(_first(one, "message", "text", "value")) if isinstance(one, Mapping) else _text(one)
            if message and message not in found:
                found.append(message)
    return found


Row = dict[str, Any]
DETAIL_KEYS = ("message", "errorMessage", "detail", "error", "title", "warningMessage", "code")
_REQUEST_KEYS = ("workflowRequests", "wfrequests", "wfRequests", "workflowRequest")
_WRAPPERS = ("items",)
_TOTALS = ("totalResults", "totalCount", "totalElements", "totalItems", "totalRecords", "total")
_PAGE_OBJECTS = ("page", "paging", "pagination", "meta", "metadata")
_NEXT = ("next", "nextPage", "nextLink", "nextPageUrl")
_UNKNOWN_REQUEST = re.compile(
    r"workflow\s?request(?:\s?id)?\s*(?:\[?(\d+)\]?\s+)?(?:is |was )?not found(?:\s*\[(\d+)\])?", re.IGNORECASE
)


class Rows(list[Row]):
    """The rows of a list as it came.

    ``more`` says how the answer tells that there are further ones, empty where it tells of none: the lists have no
    pages by the vendor's word, which says nothing of how many rows one answer holds.
    """

    more: str = ""


def rows_of(response: Response, *wrappers: str) -> Rows:
    """Return the rows of a list, however it is wrapped; nothing at all is an empty list.

    :param wrappers: further keys under which this list may come
    :raises BadResponse: it is something else
    """
    if not response.body.strip():
        return Rows()
    found: Any = response.json()
    about: Mapping[str, Any] = {}
    if isinstance(found, Mapping):
        wrapped = next((found[key] for key in (*_WRAPPERS, *wrappers) if isinstance(found.get(key), list)), None)
        about = found if wrapped is not None else {}
        found = wrapped if wrapped is not None else [found] if found else []
    if found is None:
        return Rows()
    if not isinstance(found, list) or not all(isinstance(row, Mapping) for row in found):
        raise response.refused("is neither an object nor a list of objects")
    rows = Rows(dict(row) for row in found)
    rows.more = (_more(about, len(rows)) if about else "") or _more_by_header(response, len(rows))
    return rows


def _more(about: Mapping[str, Any], count: int) -> str:
    """Return what beside the rows of a list says that there are more, however a server may write it."""
    for told in (about, *(about[key] for key in _PAGE_OBJECTS if isinstance(about.get(key), Mapping))):
        if str(told.get("hasMore")).lower() == "true":
            return "hasMore is true"
        for key in _TOTALS:
            if (whole_number(str(told.get(key))) or 0) > count:
                return f"{key} is {whole_number(str(told[key]))}"
        links = told.get("links")
        is_linked = isinstance(links, list) and any(
            isinstance(one, Mapping) and one.get("rel") == "next" for one in links
        )
        if is_linked or any(told.get(key) for key in _NEXT) or (isinstance(links, Mapping) and links.get("next")):
            return "it links to a next page"
    return ""


def _more_by_header(response: Response, count: int) -> str:
    if re.search(r"rel\s*=\s*\"?next\b", response.headers.get("Link", "")[:4096]):
        return "it links to a next page"
    total = whole_number(response.headers.get("X-Total-Count", "").strip())
    return f"X-Total-Count is {total}" if total is not None and total > count else ""


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

    Known strings are ``WorkflowRequest not found`` and ``WorkflowRequestId [1] not found`` (section 5). Everything
    else, the page of an application server that restarts or of a proxy, is no word on the request.
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
