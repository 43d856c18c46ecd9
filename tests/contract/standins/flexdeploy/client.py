"""A plain client of the FlexDeploy stand-in: standard library only, so that nothing of ours is on both sides."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from include.standins import Clock
from include.standins.flexdeploy import LOGIN, PASSWORD, FlexDeployStandIn, FlexDeploySwitches
from include.standins.flexdeploy.planted import APP, DEV, FORMS, PORTAL, PROD, RESTART, TEST, WEB
from tests.contract.standins.client import Answer, ask, basic

__all__ = [
    "APP",
    "DEV",
    "FORMS",
    "MAIN",
    "NOON",
    "PORTAL",
    "PROD",
    "RESTART",
    "TEST",
    "WEB",
    "Caller",
    "example",
    "site",
]

EXAMPLES = Path(__file__).parents[4] / "include/standins/flexdeploy/examples"
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MAIN = PORTAL + 400
"""The stream ``main`` of the portal."""


def example(name: str) -> Any:
    return json.loads((EXAMPLES / f"{name}.json").read_text(encoding="utf-8"))


class Caller:
    """Somebody who is signed in."""

    def __init__(self, vendor: FlexDeployStandIn, login: str = LOGIN, secret: str = PASSWORD) -> None:
        self.vendor = vendor
        self.header = basic(login, secret)

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> Answer:
        url = f"{self.vendor.url}/rest{path}" + (f"?{urlencode(query, quote_via=quote)}" if query else "")
        sent = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        return ask(url, method=method, headers={"Authorization": self.header}, body=sent)

    def get(self, path: str, **query: Any) -> Any:
        """Return the JSON of something that is there."""
        answer = self.call("GET", path, **query)
        assert answer.status == 200, answer.body
        return answer.json

    def build(self, project: int = PORTAL, **body: Any) -> Answer:
        sent = {"environmentId": DEV, "streamId": project + 400, **body}
        return self.call("POST", f"/v1/project/{project}/build", sent)

    def deploy(self, project: int = PORTAL, environment: int = DEV, **body: Any) -> Answer:
        return self.call("POST", f"/v1/project/{project}/deploy", {"environmentId": environment, **body})

    def execute(self, project: int = RESTART, environment: int = DEV, **body: Any) -> Answer:
        sent = {"environmentId": environment, "inputs": [{"code": "SERVICE", "value": "web"}], **body}
        return self.call("POST", f"/v1/project/{project}/execute", sent)

    def built(self, project: int = PORTAL, **body: Any) -> dict[str, Any]:
        """Build to the end; return the request as it was accepted."""
        request = only(self.build(project, forceBuild=True, **body))
        self.vendor.clock.advance(1)
        assert self.status(request["workflowRequestId"]) == "COMPLETED"
        return request

    def deployed(self, project: int = PORTAL, environment: int = DEV, **body: Any) -> int:
        """Start a forced deploy; return the request's id."""
        return int(only(self.deploy(project, environment, forceDeploy=True, **body))["workflowRequestId"])

    def look(self, request: int) -> Any:
        return self.get(f"/v1/workflowrequest/{request}")

    def status(self, request: int) -> str:
        return str(self.look(request)["workflowRequestStatus"])

    def runs(self, request: int) -> Any:
        """Return the executions of a request."""
        return self.get("/v1/workflowexecution", workflowRequestId=request)


def only(answer: Answer) -> dict[str, Any]:
    """Return the one request that was started."""
    assert answer.status == 201, answer.body
    (found,) = next(answer.json[key] for key in ("workflowRequests", "wfrequests") if key in answer.json)
    return dict(found)


@contextmanager
def site(**switches: Any) -> Iterator[Caller]:
    """Run a stand-in whose clock stands at noon of 2026-11-22, a Sunday, UTC."""
    with FlexDeployStandIn(clock=Clock(NOON), switches=FlexDeploySwitches(**switches)) as vendor:
        yield Caller(vendor)
