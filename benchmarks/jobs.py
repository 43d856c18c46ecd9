"""The vendor's asynchronous jobs, as its three kinds of clients ask for them: all run for a while, then all have ended.

The clock starts with the first question after they were set up, so that a client's own start-up takes nothing from it.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from urllib.parse import unquote

FLEXDEPLOY = "/rest/v1/workflowrequest/"
TOKENFLEX = "/tokenflex/v1/export/"
REQUESTS = "/requests"
PLAIN = "/jobs/"
CSV = "/export.csv"
CONTRACT = "110000917988"
WARM_UP = 999_999
"""A job that has ended before anybody asks, and whose answer starts no clock."""

Reply = tuple[bytes, str]
"""Body and status line."""


def export_key(number: int) -> str:
    """Return the key of an export, of the form that the vendor uses: its time, and an id."""
    return f"2026-11-21T02:00:00.{number:06d}Z#0b6f0c1e-{number:06d}"


@dataclass
class Jobs:
    """The jobs, numbered from 1.

    :param running: seconds for which they run; 0: they have ended before anybody asks
    :param count: how many exports the list names
    """

    running: float = 0.0
    count: int = 1
    _ends: float | None = None
    _listed: dict[bool, bytes] | None = None

    def set_up(self, asked: dict[str, str]) -> None:
        """Set their number and how long they run, where a control call says so."""
        if "waits" in asked or "jobs_s" in asked:
            self.count = int(asked.get("waits", self.count))
            self.running = float(asked.get("jobs_s", self.running))
            self._ends = self._listed = None

    def serves(self, path: str) -> bool:
        """Whether a path is one of theirs."""
        return path.startswith((FLEXDEPLOY, TOKENFLEX, PLAIN))

    def answer(self, path: str, root: str) -> Reply:
        """Return the answer to a question.

        :param root: URL of the origin, for the link to the file
        """
        ended = path.endswith(str(WARM_UP)) or self._ended()
        if path.startswith(FLEXDEPLOY):
            return _workflow_request(path.removeprefix(FLEXDEPLOY), ended), "200 OK"
        if path.startswith(PLAIN):
            # What http's own sensor understands: not found until it is done.
            number = path.removeprefix(PLAIN)
            return _workflow_request(number, ended), "200 OK" if ended else "404 Not Found"
        if path.endswith(REQUESTS):
            return self._list(ended, root), "200 OK"
        key = unquote(path.rpartition("/")[2])
        return json.dumps(_export(key, ended, root)).encode(), "200 OK"

    def _ended(self) -> bool:
        now = time.monotonic()
        if self._ends is None:
            self._ends = now + self.running
        return now >= self._ends

    def _list(self, ended: bool, root: str) -> bytes:
        self._listed = self._listed or {
            state: json.dumps(
                [_export(export_key(number), state, root) for number in range(1, self.count + 1)]
            ).encode()
            for state in (False, True)
        }
        return self._listed[ended]


def _workflow_request(number: str, ended: bool) -> bytes:
    return json.dumps(
        {
            "workflowRequestId": int(number),
            "workflowRequestStatus": "COMPLETED" if ended else "SUBMITTED",
            "projectId": 10402,
            "projectVersionId": 55019,
            "projectVersionName": "1.4.2",
            "environmentId": 11,
            "requestedBy": "nightshift",
            "requestedStartTime": "2026-11-21T02:00:00.000Z",
            "flexFields": [],
        }
    ).encode()


def _export(key: str, ended: bool, root: str) -> dict[str, str | None]:
    return {
        "requestKey": key,
        "requestStatus": "Download" if ended else "Requested",
        "downloadFileName": "bench.csv",
        "downloadUrl": f"{root}{CSV}?sig=0" if ended else None,
        "exportRequestDate": key.partition("#")[0],
        "readFlag": "N",
    }
