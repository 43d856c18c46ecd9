"""Airflow's own web server in a process of its own: its FastAPI application on loopback, on an SQLite database.

There is no scheduler and no worker: what a task left is written into the database as it would have been.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
PEOPLE = {"admin": "admin-Pa55word", "vera": "viewer-Pa55word"}
SECONDS = 120.0


@dataclass(frozen=True)
class Server:
    """A running web server.

    :param url: root of it
    """

    url: str
    home: Path

    def environment(self, person: str = "admin") -> dict[str, str]:
        return {
            "NIGHTSHIFT_AIRFLOW_URL": self.url,
            "NIGHTSHIFT_AIRFLOW_USER": person,
            "NIGHTSHIFT_AIRFLOW_PASSWORD": PEOPLE[person],
        }

    def token(self) -> str:
        body = json.dumps({"username": "admin", "password": PEOPLE["admin"]}).encode()
        return str(self._send("POST", "/auth/token", body)["access_token"])

    def send(self, method: str, path: str, body: Any = None) -> Any:
        return self._send(method, path, None if body is None else json.dumps(body).encode(), self.token())

    def _send(self, method: str, path: str, body: bytes | None, token: str = "") -> Any:
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        asked = urllib.request.Request(f"{self.url}{path}", body, headers, method=method)
        with urllib.request.urlopen(asked, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None


@contextmanager
def serving(home: Path, config: Path, lake: Path) -> Iterator[Server]:
    # Bound here and handed on: the server needs long to come up, and a port that is free meanwhile is another's.
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with _serving(bound, home, config, lake) as server:
            yield server


@contextmanager
def _serving(bound: socket.socket, home: Path, config: Path, lake: Path) -> Iterator[Server]:
    port = bound.getsockname()[1]
    home.mkdir()
    (home / "passwords.json").write_text(json.dumps(PEOPLE))
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(home / "plugins"),
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,vera:viewer",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__API_AUTH__JWT_SECRET": "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        # Less than a page of ours: what asks for a list has to ask for all of its pages.
        "AIRFLOW__API__MAXIMUM_PAGE_LIMIT": "3",
        "NIGHTSHIFT_CONFIG": str(config),
        "NIGHTSHIFT_LAKE": str(lake),
        "NIGHTSHIFT_KEPT": str(home / "kept"),
        "PYTHONPATH": os.pathsep.join([str(ROOT / "plugins"), str(ROOT)]),
    }
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, __file__, str(bound.fileno())],
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=[bound.fileno()],
        )
        try:
            _wait(process, port, home / "log")
            yield Server(f"http://127.0.0.1:{port}", home)
        finally:
            process.terminate()
            process.wait(30)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        with socket.socket() as tried:
            tried.settimeout(1)
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError(log.read_text()[-3000:])


def _serve(bound: socket.socket) -> None:
    import uvicorn
    from airflow.api_fastapi.app import create_app
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.utils.db import initdb

    initdb()
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    DagBundlesManager().sync_bundles_to_db()
    sync_bag_to_db(DagBag(str(ROOT / "dags"), bundle_name="dags-folder"), "dags-folder", None)
    uvicorn.Server(uvicorn.Config(create_app(apps="core"), log_level="warning")).run(sockets=[bound])


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
