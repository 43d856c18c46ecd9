"""Where each call goes, and how a site leads one elsewhere.

FlexDeploy reference, sections 2 and 7: several paths are not published, and a newer server may want others. Each route
can be replaced by the extra ``paths`` of the connection, ``{"abort": "PUT /rest/v2/workflowrequest/{id}/abort"}``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from nightshift.errors import Rejected
from nightshift.flexdeploy.vocabulary import VENDOR, ApiVersion
from nightshift.http.address import segment
from nightshift.nesting import UNREADABLE, shallow

_FIELD = re.compile(r"\{(\w*)\}")
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
OFF = frozenset({"off", "none"})


class Call(StrEnum):
    """Calls whose route a connection may replace."""

    BUILD = "build"
    DEPLOY = "deploy"
    EXECUTE = "execute"
    REQUEST = "workflow_request"
    EXECUTIONS = "executions"
    """The executions of one workflow request. The name of the filter is not published; foreign rows are left out."""
    APPROVE = "approve"
    REJECT = "reject"
    RUN_SCHEDULED = "run_scheduled"
    CANCEL_SCHEDULED = "cancel_scheduled"
    ABORT = "abort"
    """No path of it is public: off, unless a connection names one."""
    RECENT_EXECUTIONS = "recent_executions"
    """The latest executions of a project, to find a lost request in; off, unless a connection names it."""


_V1: Mapping[Call, str] = {
    Call.BUILD: "POST /rest/v1/project/{project}/build",
    Call.DEPLOY: "POST /rest/v1/project/{project}/deploy",
    Call.EXECUTE: "POST /rest/v1/project/{project}/execute",
    Call.REQUEST: "GET /rest/v1/workflowrequest/{id}",
    Call.EXECUTIONS: "GET /rest/v1/workflowexecution?workflowRequestId={id}",
    Call.APPROVE: "PUT /rest/v1/tasks/approval/approve/{id}",
    Call.REJECT: "PUT /rest/v1/tasks/approval/reject/{id}",
    Call.RUN_SCHEDULED: "PUT /rest/v1/tasks/scheduled/run/{id}",
    Call.CANCEL_SCHEDULED: "PUT /rest/v1/tasks/scheduled/cancel/{id}",
}
_V2: Mapping[Call, str] = {
    **_V1,
    Call.BUILD: "POST /rest/v2/workflowrequest/build",
    Call.REQUEST: "GET /rest/v2/workflowrequest/{id}",
}
_FIELDS: Mapping[Call, frozenset[str]] = {
    call: frozenset({"project"})
    if call in (Call.BUILD, Call.DEPLOY, Call.EXECUTE, Call.RECENT_EXECUTIONS)
    else frozenset({"id"})
    for call in Call
}


class Route(msgspec.Struct, frozen=True):
    """A method and a path with named gaps.

    :param template: path under the root of the connection, with gaps such as ``{id}``; may have a query
    """

    method: str
    template: str

    def path(self, **parts: str | int) -> str:
        """Return the path with its gaps filled, each part encoded."""
        return _FIELD.sub(lambda gap: segment(str(parts[gap[1]])), self.template)


class Routes(msgspec.Struct, frozen=True):
    """The routes of one connection; one that is missing is off."""

    by_call: dict[Call, Route]

    def get(self, call: Call) -> Route | None:
        """Return a route, or ``None`` where the site has none."""
        return self.by_call.get(call)

    def need(self, call: Call) -> Route:
        """Return a route.

        :raises Rejected: no path is known for it; the message says how to name one
        """
        if (route := self.by_call.get(call)) is None:
            raise Rejected(
                f"no path is known for {call!s}",
                vendor=VENDOR,
                advice="Nothing was sent. Name it in the extra paths of the connection: "
                f'{{"{call}": "PUT /rest/…/{{id}}"}}.',
            )
        return route


def read_routes(version: ApiVersion, given: Any) -> Routes:
    """Return the routes of a version, with those that a connection replaces.

    :param given: the extra ``paths``: an object, or the same as JSON text; ``"off"`` switches a call off
    :raises Rejected: a name or a template is not usable; the message says which
    """
    replaced = _object(given)
    routes = {call: _route(call, text) for call, text in (_V2 if version is ApiVersion.V2 else _V1).items()}
    for name, text in replaced.items():
        if name not in set(Call):
            raise _wrong(f"has {name!r}; known: {', '.join(Call)}")
        call = Call(name)
        if isinstance(text, str) and text.strip().lower() in OFF:
            routes.pop(call, None)
        else:
            routes[call] = _route(call, text, routes.get(call))
    return Routes(routes)


def _object(given: Any) -> Mapping[str, Any]:
    if isinstance(given, str) and given.strip():
        try:
            given = msgspec.json.decode(shallow(given.encode()))
        except UNREADABLE:
            raise _wrong("is not JSON") from None
    if given is None or given == "":
        return {}
    if not isinstance(given, Mapping):
        raise _wrong("must be an object of names and paths")
    return given


def _route(call: Call, text: Any, before: Route | None = None) -> Route:
    words = text.split() if isinstance(text, str) else []
    method = words[0].upper() if len(words) == 2 else (before.method if before else "PUT")
    path = words[-1] if words else ""
    if len(words) not in (1, 2) or method not in _METHODS or not path.startswith("/") or path.startswith("//"):
        raise _wrong(
            f"has {call}: {text!r}; it is a method and a path, such as PUT /rest/v1/tasks/approval/reject/{{id}}"
        )
    if unknown := set(_FIELD.findall(path)) - _FIELDS[call]:
        raise _wrong(f"has {call} with the gap {{{min(unknown)}}}; known: {', '.join(sorted(_FIELDS[call]))}")
    return Route(method, path)


def _wrong(problem: str) -> Rejected:
    return Rejected(
        f"the extra 'paths' of the Airflow connection {problem}",
        vendor=VENDOR,
        advice="Nothing was sent. Correct the extra in the Airflow connection.",
    )
