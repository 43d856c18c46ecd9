"""The stand-in of FlexDeploy as the tests of this room use it: quick, and with answers that no site of its own
gives.
"""

from __future__ import annotations

import json
from typing import Any

from include.standins import Entry, Fault, FaultKind
from include.standins.flexdeploy import LOGIN, PASSWORD, FlexDeployStandIn, FlexDeploySwitches
from include.standins.flexdeploy.planted import DEV, PORTAL, RESTART

__all__ = ["DEV", "LOGIN", "MAIN", "NIGHT", "PASSWORD", "PORTAL", "RESTART", "VERSION", "Vendor"]

MAIN = PORTAL + 400
"""The stream of the portal."""
VERSION = 20000 + PORTAL
"""The version of the portal that runs everywhere at the start."""
NIGHT = "2099-01-01T00:00:00Z"
STARTS = "/(build|deploy|execute)$"
QUICK_SITE = {"ready_seconds": 0.02, "build_seconds": 0.05, "deploy_seconds": 0.05, "utility_seconds": 0.05}


class Vendor(FlexDeployStandIn):
    """A FlexDeploy whose work takes no time; requests are numbered from 12001."""

    def __init__(self, **switches: Any) -> None:
        super().__init__(switches=FlexDeploySwitches(**{**QUICK_SITE, **switches}))

    def answers(self, method: str, path: str, body: Any, *, times: int | None = None) -> None:
        """Answer these calls with JSON, or with ``(status, text)``, whatever there is; nothing is done.

        :param path: its end
        """
        status, text = body if isinstance(body, tuple) else (200, json.dumps(body))
        kind = "text/html" if text.startswith("<") else "application/json"
        self.faults.add(
            Fault(
                kind=FaultKind.STATUS,
                method=method,
                path=f"{path}$",
                status=status,
                body=text,
                content_type=kind,
                times=times,
            )
        )

    def spoil(self, kind: FaultKind, **more: Any) -> None:
        """Spoil the next start of a build, a deployment or a utility run."""
        self.faults.add(Fault(kind=kind, method="POST", path=STARTS, **more))

    def asked(self, method: str = "GET", path: str = "") -> list[Entry]:
        """The requests that came, in order."""
        return self.ledger.requests(method=method, path=path)

    def starts(self) -> int:
        """How often something was to be started."""
        return len(self.asked("POST", STARTS))

    def wanted(self, kind: str) -> dict[str, Any]:
        """What was asked for with the only ``build_made``, ``deploy_made`` or ``utility_run``."""
        (effect,) = self.ledger.effects(kind=kind)
        return effect.detail

    def hours_pass(self) -> None:
        """Let everything end that runs."""
        self.clock.advance(7200)
        self.settle()
