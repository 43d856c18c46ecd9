"""A small client of Airflow's REST API v2, enough to start a run, follow it and read what its tasks returned."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

FINAL = frozenset({"success", "failed"})
BREATH = 1.0


class ApiError(RuntimeError):
    """The API refused a request, with its status and its own words."""

    def __init__(self, method: str, path: str, status: int, body: str) -> None:
        super().__init__(f"{method} {path} answered {status}: {body[:1000]}")
        self.status = status
        self.body = body


class Api:
    """Airflow's REST API v2.

    :param url: base URL, for instance ``http://localhost:8080``
    :param user: user of the simple auth manager
    :param password: that user's password
    """

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url = url
        self._login = {"username": user, "password": password}
        self._token: str | None = None

    def call(
        self, method: str, path: str, body: Any = None, *, anonymous: bool = False, timeout: float = 120, tries: int = 4
    ) -> Any:
        """Send one request and return the decoded answer; a 5xx of an embedded database under load is tried again.

        :raises ApiError: a status of 400 or more
        """
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if not anonymous:
            headers["Authorization"] = f"Bearer {self.token()}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)  # noqa: S310 - loopback
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310
                text = answer.read()
        except urllib.error.HTTPError as error:
            if error.code >= 500 and tries > 1:
                return self._again(method, path, body, anonymous, timeout, tries)
            if error.code == 401 and self._token and not anonymous:
                self._token = None
                return self.call(method, path, body, timeout=timeout)
            raise ApiError(method, path, error.code, error.read().decode(errors="replace")) from None
        except TimeoutError:
            if tries > 1 and method != "POST":
                return self._again(method, path, body, anonymous, timeout, tries)
            raise
        return json.loads(text) if text else None

    def _again(self, method: str, path: str, body: Any, anonymous: bool, timeout: float, tries: int) -> Any:
        time.sleep(BREATH)
        return self.call(method, path, body, anonymous=anonymous, timeout=timeout, tries=tries - 1)

    def token(self) -> str:
        """Return an access token, asked for once."""
        if self._token is None:
            self._token = str(self.call("POST", "/auth/token", self._login, anonymous=True)["access_token"])
        return self._token

    def health(self) -> dict[str, str]:
        """Return component → status; empty while nothing answers."""
        try:
            found = self.call("GET", "/api/v2/monitor/health", anonymous=True, timeout=3)
        except (OSError, ApiError, ValueError):
            return {}
        return {name: str(part.get("status")) for name, part in found.items() if isinstance(part, dict)}

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler run a DAG."""
        self.call("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": False})

    def trigger(
        self,
        dag_id: str,
        *,
        partition_key: str | None = None,
        conf: Mapping[str, Any] | None = None,
        run_id: str | None = None,
    ) -> str:
        """Start a run and return its id."""
        body: dict[str, Any] = {"logical_date": None, "conf": dict(conf or {})}
        if partition_key is not None:
            body["partition_key"] = partition_key
        if run_id is not None:
            body["dag_run_id"] = run_id
        return str(self.call("POST", f"/api/v2/dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Return one run."""
        return dict(self.call("GET", self._run_path(dag_id, run_id)))

    def runs(self, dag_id: str, **filters: str) -> list[dict[str, Any]]:
        """Return the runs of a DAG, newest first, at most 100."""
        return list(
            self.call(
                "GET",
                f"/api/v2/dags/{dag_id}/dagRuns?{urlencode({'order_by': '-run_after', 'limit': '100', **filters})}",
            )["dag_runs"]
        )

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the task instances of a run, page by page: Airflow itself says how long one is."""
        found: list[dict[str, Any]] = []
        while True:
            query = urlencode({"order_by": "id", "limit": "100", "offset": str(len(found))})
            page = self.call("GET", f"{self._run_path(dag_id, run_id)}/taskInstances?{query}")
            found += page["task_instances"]
            if not page["task_instances"] or len(found) >= page["total_entries"]:
                return found

    def returned(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any:
        """Return what a task returned, or ``None``."""
        try:
            value = self.call(
                "GET",
                f"{self._run_path(dag_id, run_id)}/taskInstances/{quote(task_id)}/xcomEntries/{key}?deserialize=true",
            )["value"]
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        return value

    def log(self, dag_id: str, run_id: str, task_id: str, try_number: int = 1) -> str:
        """Return the log of one attempt of a task as text, a line an event."""
        content = self._log(dag_id, run_id, task_id, try_number)
        return "\n".join(line if isinstance(line, str) else json.dumps(line) for line in content)

    def failure(self, dag_id: str, run_id: str, task_id: str, try_number: int = 1) -> tuple[str, str] | None:
        """Return type and text of the last exception in the log of one attempt of a task; ``None`` where there is
        none.
        """
        for line in reversed(self._log(dag_id, run_id, task_id, try_number)):
            if isinstance(line, dict) and (detail := line.get("error_detail")):
                return str(detail[0]["exc_type"]), str(detail[0]["exc_value"])
        return None

    def _log(self, dag_id: str, run_id: str, task_id: str, try_number: int) -> list[Any]:
        path = f"{self._run_path(dag_id, run_id)}/taskInstances/{quote(task_id)}/logs/{try_number}?full_content=true"
        content = self.call("GET", path)["content"]
        return content.splitlines() if isinstance(content, str) else list(content)

    def follow(
        self, dag_id: str, run_id: str, *, timeout: float, interval: float = 1.0
    ) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
        """Yield the run and its tasks again and again until the run has ended.

        :param timeout: seconds after which it is given up
        :raises TimeoutError: the run has not ended by then
        """
        for run in self._until_ended(dag_id, run_id, timeout, interval):
            yield run, self.tasks(dag_id, run_id)

    def wait(self, dag_id: str, run_id: str, *, timeout: float = 300) -> dict[str, Any]:
        """Wait until a run has ended and return it."""
        for run in self._until_ended(dag_id, run_id, timeout, 0.5):
            ended = run
        return ended

    def _until_ended(self, dag_id: str, run_id: str, timeout: float, interval: float) -> Iterator[dict[str, Any]]:
        until = time.monotonic() + timeout
        while True:
            run = self.run(dag_id, run_id)
            yield run
            if run["state"] in FINAL:
                return
            if time.monotonic() > until:
                raise TimeoutError(f"{dag_id} {run_id} is still {run['state']} after {timeout:.0f} s")
            time.sleep(interval)

    def questions(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the approvals of a run that wait for an answer."""
        found = self.call("GET", f"{self._run_path(dag_id, run_id)}/hitlDetails?response_received=false")
        parked = ("awaiting_input", "deferred")
        return [one for one in found["hitl_details"] if one["task_instance"]["state"] in parked]

    def answer(self, dag_id: str, run_id: str, task_id: str, option: str, **fields: str) -> None:
        """Answer a question: an approval by ``Approve`` or ``Reject``; with fields of its form, such as ``reason``."""
        body = {"chosen_options": [option], "params_input": fields}
        path = f"{self._run_path(dag_id, run_id)}/taskInstances/{quote(task_id)}/-1/hitlDetails"
        self.call("PATCH", path, body, tries=1)

    def put_connection(self, connection_id: str, **fields: Any) -> None:
        """Create a connection, or change the one that is there."""
        body = {"connection_id": connection_id, **fields}
        try:
            self.call("POST", "/api/v2/connections", body)
        except ApiError as error:
            if error.status != 409:
                raise
            self.call("PATCH", f"/api/v2/connections/{quote(connection_id)}", body)

    def put_pool(self, name: str, slots: int) -> None:
        """Create a pool whose deferred tasks count, or change the one that is there."""
        body = {"name": name, "slots": slots, "include_deferred": True, "description": "Made by Nightshift"}
        try:
            self.call("POST", "/api/v2/pools", body)
        except ApiError as error:
            if error.status != 409:
                raise
            self.call("PATCH", f"/api/v2/pools/{quote(name)}", {"pool": name, "slots": slots, "include_deferred": True})

    def _run_path(self, dag_id: str, run_id: str) -> str:
        return f"/api/v2/dags/{quote(dag_id)}/dagRuns/{quote(run_id, safe='')}"
