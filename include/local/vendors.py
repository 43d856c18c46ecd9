"""The stand-in vendors of a local run, and the Airflow connections that lead to them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from include.local import ROOT
from include.local.airflow import connection_fields, free_port
from include.standins.process import ports_from, vendor_type
from nightshift.sources import VENDORS

START_SECONDS = 30


def standin_connections(ports: Mapping[str, int], host: str = "127.0.0.1") -> dict[str, dict[str, Any]]:
    """Return connection id → fields for the stand-ins that listen on ``ports``.

    The credentials are the stand-ins' own and open nothing else.
    """
    found = {}
    for name, port in ports.items():
        vendor, standin = VENDORS[name], vendor_type(name)
        found[vendor.default_connection] = {
            **connection_fields(conn_type=name, description=f"The stand-in of {vendor.name}", **standin.signs_in),
            # Apart: of a connection without a port, the Test button of the UI sends port 0, which Airflow refuses.
            "host": f"http://{host}{standin.root}",
            "port": port,
        }
    return found


class StandIns:
    """The stand-in vendors in one process of their own.

    :param vendors: names of the vendors
    :param folder: where their log goes
    """

    def __init__(self, vendors: Sequence[str], folder: Path) -> None:
        self.ports = {vendor: free_port() for vendor in vendors}
        self.log_file = folder / "standins.log"
        self._ready = folder / "standins.ready"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start them and wait until all listen.

        :raises RuntimeError: they did not come up; the text ends with their log
        """
        if not self.ports:
            return
        self._ready.parent.mkdir(parents=True, exist_ok=True)
        self._ready.unlink(missing_ok=True)
        named = [part for vendor, port in self.ports.items() for part in ("--vendor", f"{vendor}={port}")]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-m", "include.standins", *named, "--ready-file", str(self._ready)],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        until = time.monotonic() + START_SECONDS
        while not self._ready.exists():
            if self._process.poll() is not None or time.monotonic() > until:
                self.stop()
                tail = self.log_file.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"the stand-in vendors did not come up; their log is {self.log_file}:\n{tail}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop them."""
        if self._process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=5)
                break
        self._process = None


if __name__ == "__main__":
    # The connections of the stand-ins that another host serves, each on a port from a first one on, for `airflow
    # connections import`.
    print(json.dumps(standin_connections(ports_from(int(sys.argv[2])), host=sys.argv[1]), indent=2))
