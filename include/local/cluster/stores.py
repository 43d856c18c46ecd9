"""What Airflow and the lake keep things in: PostgreSQL, Redis and an S3 server, of this machine, on loopback."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from include.local import ROOT
from include.local.airflow import NotStarted, free_port, is_taken
from include.local.cluster.service import Service

DEBIAN = "apt-get install --no-install-recommends postgresql redis-server"
BUCKET = "lake"
KEY, SECRET, REGION = "cluster", "opens-nothing-else", "us-east-1"


def missing() -> str:
    """Return what is not installed, and how to install it; empty where nothing is missing."""
    gone = [name for name in ("postgres", "initdb", "redis-server") if program(name) is None]
    return f"{', '.join(gone)} not found. On Debian: {DEBIAN}" if gone else ""


def program(name: str) -> str | None:
    """Return the path of a program of PostgreSQL or Redis: on the path, else where Debian puts it."""
    there = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    return shutil.which(name) or (str(there[0]) if there else None)


class PostgreSQL:
    """A PostgreSQL with an empty database ``airflow``; it refuses to run as root, so that root lends it another user.

    :param logs: folder of its log
    """

    def __init__(self, logs: Path) -> None:
        self.port = free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="nightshift-postgres-"))
        self._data = self._folder / "data"
        options = [
            *("-D", str(self._data), "-p", str(self.port), "-k", str(self._folder)),
            *("-c", "listen_addresses=127.0.0.1", "-c", "max_connections=300", "-c", "fsync=off"),
        ]
        self.service = Service(
            "postgresql",
            [*self._as_user(), program("postgres") or "postgres", *options],
            {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"},
            logs,
            ready=self._answers,
            ends_by=signal.SIGINT,
        )

    @property
    def address(self) -> str:
        """Its address without a scheme."""
        return f"airflow@127.0.0.1:{self.port}/airflow"

    def create(self) -> None:
        """Make the cluster of databases, start it, make the database.

        :raises NotStarted: it did not come up
        """
        if os.geteuid() == 0:
            user = _lent()
            os.chown(self._folder, user.pw_uid, user.pw_gid)
        made = [*self._as_user(), program("initdb") or "initdb", "-D", str(self._data), "-A", "trust", "-U", "airflow"]
        done = subprocess.run(  # noqa: S603 - a program of the machine
            [*made, "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"], text=True, capture_output=True, check=False, cwd="/"
        )
        if done.returncode:
            raise NotStarted(f"initdb failed: {done.stderr[-1000:]}")
        self.service.start()
        self.service.await_ready()
        with contextlib.closing(self._connect("postgres")) as connection:
            connection.autocommit = True
            connection.cursor().execute("CREATE DATABASE airflow")

    def remove(self) -> None:
        """Stop it and remove its files."""
        self.service.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """Return the rows of a query on Airflow's database."""
        with contextlib.closing(self._connect("airflow")) as connection:
            cursor = connection.cursor()
            cursor.execute(query, values)
            return list(cursor.fetchall())

    def _as_user(self) -> list[str]:
        if os.geteuid():
            return []
        user = _lent()
        setpriv = shutil.which("setpriv") or "setpriv"
        return [setpriv, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]

    def _connect(self, database: str) -> Any:
        import psycopg2

        return psycopg2.connect(host="127.0.0.1", port=self.port, user="airflow", dbname=database, connect_timeout=5)

    def _answers(self) -> bool:
        import psycopg2

        with contextlib.suppress(psycopg2.Error):
            self._connect("postgres").close()
            return True
        return False


def _lent() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise NotStarted("PostgreSQL refuses to run as root, and this machine has neither a user postgres nor nobody.")


def redis(home: Path, logs: Path) -> tuple[int, Service]:
    """Return port and process of a Redis that writes down what it is told, as in docker-compose.yaml."""
    port = free_port()
    command = [program("redis-server") or "redis-server", "--port", str(port), "--bind", "127.0.0.1"]
    return port, Service(
        "redis",
        [*command, "--appendonly", "yes", "--save", "", "--dir", str(home)],
        {"PATH": os.environ.get("PATH", "")},
        logs,
        ready=lambda: _pongs(port),
    )


def s3(logs: Path) -> tuple[int, Service]:
    """Return port and process of an S3 server with one bucket."""
    port = free_port()
    command = [sys.executable, "-m", "include.local.cluster.s3", str(port), BUCKET]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return port, Service("s3", command, environment, logs, ready=lambda: is_taken(port))


def s3_settings(port: int) -> dict[str, str]:
    """Return the standard environment of an object store for the S3 server."""
    return {
        "NIGHTSHIFT_LAKE": f"s3://{BUCKET}/lake",
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": REGION,
        "AWS_ENDPOINT": f"http://127.0.0.1:{port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _pongs(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 2) as connection:
        connection.sendall(b"PING\r\n")
        return connection.recv(16).startswith(b"+PONG")
    return False


def installed(names: Sequence[str]) -> bool:
    """Return whether all programs are there."""
    return all(program(name) for name in names)
