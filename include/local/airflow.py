"""An embedded Airflow in a home of its own: SQLite, LocalExecutor, loopback only."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from include.local import ROOT
from include.local.rest import Api

SETTINGS = ROOT / "deploy" / "airflow.env"
LOCKED_SECONDS = 60
COMPONENTS = ("metadatabase", "scheduler", "dag_processor", "triggerer")
START_SECONDS = 600
"""For a slow machine with much else to do; a quiet one takes twenty. A process that ends is noticed at once."""
USER = "admin"


class NotStarted(RuntimeError):
    """Airflow did not come up; the text says why and where its log is."""


def shared_settings(path: Path = SETTINGS) -> dict[str, str]:
    """Return the settings that Nightshift needs wherever it runs, read from ``deploy/airflow.env``."""
    pairs = (
        line.partition("=")
        for line in path.read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    )
    return {name.strip(): value.strip() for name, _, value in pairs}


def free_port() -> int:
    """Return a loopback port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_taken(port: int) -> bool:
    """Return whether something listens on a loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class LocalAirflow:
    """One Airflow process tree. Everything that it started is stopped with it.

    :param home: its home; a user's own ``~/airflow`` is never touched
    :param port: port of the UI and the API
    :param environment: further environment, for instance ``NIGHTSHIFT_LAKE``
    :param dags: folder of the DAGs
    """

    def __init__(
        self,
        home: Path,
        port: int,
        environment: Mapping[str, str] | None = None,
        *,
        dags: Path = ROOT / "dags",
        parallelism: int = 6,
    ) -> None:
        self.home = home
        self.port = port
        self.dags = dags
        self.url = f"http://localhost:{port}"
        self.log_file = home / "airflow.log"
        self.parallelism = parallelism
        self.extra_environment = dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def password(self) -> str:
        """The password of the user ``admin``, made once for this home."""
        path = self.home / "simple_auth_manager_passwords.json.generated"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                json.dump({USER: secrets.token_urlsafe(9)}, file)
        return str(json.loads(path.read_text())[USER])

    @property
    def leaders(self) -> list[int]:
        """The processes that lead the sessions of this Airflow; empty where it does not run."""
        return [self._process.pid] if self._process is not None else []

    @property
    def stores(self) -> list[int]:
        """The processes that lead the sessions of its database, broker and object store, where they are its own."""
        return []

    @property
    def database(self) -> Path:
        """The file of Airflow's database."""
        return self.home / "airflow.db"

    @property
    def api(self) -> Api:
        """A client of this Airflow's API."""
        return Api(self.url, USER, self.password)

    def environment(self) -> dict[str, str]:
        """Return the environment of every process of this Airflow: the user's own, without any Airflow setting of
        theirs, connections and variables excepted.
        """
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AIRFLOW__", "AIRFLOW_HOME", "AIRFLOW_CONFIG"))
        }
        own = {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            # The Test button of the connection form: for one person on one machine. Whoever may edit a connection could
            # have its stored password sent somewhere by it, so that it is off in production.
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__CORE__PARALLELISM": str(self.parallelism),
            # On a machine with much else to do, a task that does not get its DAG file read in half a minute finds no DAG.
            "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": str(START_SECONDS),
            "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": str(START_SECONDS),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__BASE_URL": self.url,
            # A process that waits for its turn longer than this is told "database is locked", and the scheduler ends of
            # it.
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.database}?timeout={LOCKED_SECONDS}",
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
            "PYTHONPATH": os.pathsep.join([str(ROOT / "plugins"), str(ROOT)]),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
            "no_proxy": "localhost,127.0.0.1",
        }
        return {**kept, **shared_settings(), **own, **self.extra_environment}

    def start(self, say: Callable[[str], None] = print, before: Callable[[], None] = lambda: None) -> None:
        """Make the database, start all components and wait until they are healthy.

        :param say: told what is going on
        :param before: called when the database is there and nothing works on it yet
        :raises NotStarted: the port is taken, or a component did not come up
        """
        if is_taken(self.port):
            raise NotStarted(
                f"port {self.port} is taken by another program. Stop it, or choose another: make run PORT={free_port()}"
            )
        self.home.mkdir(parents=True, exist_ok=True)
        _ = self.password
        environment = self.environment()
        say("preparing Airflow's database")
        self._airflow("db", "migrate", environment=environment, timeout=START_SECONDS)
        with contextlib.closing(sqlite3.connect(self.database)) as database:
            # Readers then do not wait for writers; a scheduler, a triggerer, an API and six workers share this file.
            database.execute("PRAGMA journal_mode=WAL")
        before()
        say("starting Airflow")
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "airflow", "standalone"],
                env=environment,
                cwd=self.home,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._await_health()

    def cli(self, *arguments: str, timeout: float = 180) -> str:
        """Run an ``airflow`` command of this Airflow and return what it printed.

        :raises NotStarted: it failed
        """
        return self._airflow(*arguments, environment=self.environment(), timeout=timeout)

    def unfinished(self, dag_id: str) -> list[str]:
        """Return the runs of a DAG that have not ended, read from the database: nothing needs to be started for it."""
        with contextlib.closing(sqlite3.connect(self.database)) as database:
            found = database.execute(
                "SELECT run_id FROM dag_run WHERE dag_id = ? AND state IN ('queued', 'running')", (dag_id,)
            )
            return [str(run_id) for (run_id,) in found]

    def stop(self) -> None:
        """Stop every process of this Airflow; the second signal is one that cannot be ignored."""
        if self._process is None:
            return
        for number, seconds in ((signal.SIGINT, 4.0), (signal.SIGTERM, 6.0), (signal.SIGKILL, 5.0)):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)
            for pid in session_members(self._process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            until = time.monotonic() + seconds
            while time.monotonic() < until and session_members(self._process.pid):
                self._process.poll()
                time.sleep(0.1)
            if not session_members(self._process.pid):
                break
        self._process.wait(timeout=5)
        self._process = None

    def __enter__(self) -> LocalAirflow:
        self.start(say=lambda _: None)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _airflow(self, *arguments: str, environment: dict[str, str], timeout: float = 180) -> str:
        done = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "airflow", *arguments],
            env=environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode:
            raise NotStarted(f"airflow {' '.join(arguments)} failed:\n{(done.stderr or done.stdout)[-3000:]}")
        return done.stdout

    def _await_health(self) -> None:
        until = time.monotonic() + START_SECONDS
        api = self.api
        while time.monotonic() < until:
            if self._process is None or self._process.poll() is not None:
                break
            found = api.health()
            if all(found.get(name) == "healthy" for name in COMPONENTS):
                return
            time.sleep(0.25)
        tail = self.log_file.read_text(errors="replace")[-3000:]
        self.stop()
        raise NotStarted(f"Airflow did not come up within {START_SECONDS} s; its log is {self.log_file}:\n{tail}")


def session_members(*leaders: int) -> list[int]:
    """Return the processes of the sessions that ``leaders`` began, without those that have ended but are not yet
    collected; empty where there is no ``/proc``.
    """
    found = []
    for entry in Path("/proc").iterdir() if Path("/proc").is_dir() else []:
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) in leaders and fields[0] != "Z":
                found.append(int(entry.name))
    return found


def connection_fields(**fields: Any) -> dict[str, Any]:
    """Return the fields of a connection with its extra as text, as the API wants it."""
    extra = fields.pop("extra", None)
    return {**fields, **({"extra": json.dumps(extra)} if extra else {})}
