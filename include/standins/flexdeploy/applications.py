"""What was deployed, as it answers itself: the applications' own health endpoints, no part of FlexDeploy's API.

They are public, unless the switch ``health_signs_in`` wants a login, and lie under the context path for convenience::

    GET …/apps/<environment code>/<project id>/health    200 {"status": "up", "version": "1.0.2", "versionId": 40001, …}
                                                         503 {"status": "down", …} once it has turned bad
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from include.standins.flexdeploy.running import Live
from include.standins.flexdeploy.service import Service, person_of
from include.standins.routing import Request, Response, Route


@dataclass
class _Asked:
    """How often one deployment was asked, and when first."""

    first: datetime
    calls: int = 0


class Applications:
    """The health endpoints of all that runs. Each answer is the effect ``probe_answered`` (key: the environment's code;
    project, version, request of the deployment, status).
    """

    def __init__(self, vendor: Service) -> None:
        self._vendor = vendor
        self._asked: dict[tuple[int, str, int, int], _Asked] = {}

    def routes(self) -> Sequence[Route]:
        return [Route("GET", "/apps/{environment}/{id}/health", self._vendor.served(self._health), public=True)]

    def _health(self, request: Request) -> Response:
        vendor, code = self._vendor, request.parts["environment"]
        project = vendor.number(request.parts["id"], "projectId")
        environment = next((one for one in vendor.site.environments if one.code == code), None)
        if vendor.switches.health_signs_in and person_of(request.basic(), tokens=vendor.switches.tokens) is None:
            return Response.json(401, {"status": "who are you?"})
        found = vendor.running.in_environment(environment) if environment is not None else []
        live = next((one for one in found if one.project == project), None)
        if live is None:
            return Response.json(404, {"status": "nothing runs here"})
        status = 503 if self._is_bad(live) else 200
        request.effect(
            "probe_answered", code, project=project, version=live.version, deployment=live.request, status=status
        )
        body = {
            "status": "up" if status == 200 else "down",
            "version": live.version_name,
            "versionId": live.version,
            "environment": code,
            "checks": [{"name": "database", "ok": status == 200}],
        }
        return Response.json(status, body)

    def _is_bad(self, live: Live) -> bool:
        switches, now = self._vendor.switches, self._vendor.clock.now()
        key = (live.project, live.environment_code, live.version, live.request)
        asked = self._asked.setdefault(key, _Asked(now))
        asked.calls += 1
        old = (
            switches.bad_after_seconds is not None and (now - asked.first).total_seconds() >= switches.bad_after_seconds
        )
        worn = switches.bad_after_calls is not None and asked.calls > switches.bad_after_calls
        applies = not switches.bad_environments or live.environment_code in switches.bad_environments
        return live.version in switches.bad_versions or (applies and (old or worn))
