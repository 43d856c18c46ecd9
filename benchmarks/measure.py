"""What one run of one program costs, seen from outside: wall, processor, peak memory, and what the origin saw of it.

The runner stays small (no heavy imports): Linux counts the memory of the process that starts a program into the
program's own peak, so no figure here can be below the runner's own, about 20 MB.
"""

from __future__ import annotations

import http.client
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.environments import ROOT

TAIL = 2000


class Failed(Exception):
    """A contender did not do its work; carries the end of what it printed."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one run cost.

    :param wall: seconds from start to exit
    :param cpu: seconds of processor, user and system, of the program and the processes that it waited for
    :param rss_mb: peak resident memory of its largest process, MiB
    :param connections: TCP connections that asked for something
    :param requests: requests
    :param most_open: connections open at a time, at most
    :param most_in_flight: requests under way at a time, at most
    :param origin_cpu: seconds of processor of the origin meanwhile
    :param told: what only the program itself can see, such as how late its event loop is
    """

    wall: float
    cpu: float
    rss_mb: float
    connections: int = 0
    requests: int = 0
    most_open: int = 0
    most_in_flight: int = 0
    origin_cpu: float = 0.0
    told: Mapping[str, float] = field(default_factory=dict)


class OriginProcess:
    """The origin, in a process of its own, while the context is open.

    :param page_rows: rows a page
    :param fields: fields a row
    :param core: core to pin it to, ``None`` where there is only one
    """

    def __init__(self, page_rows: int, fields: int, core: int | None) -> None:
        pin = [] if core is None else ["--core", str(core)]
        self.command = [
            sys.executable,
            "-m",
            "benchmarks.origin",
            "--rows",
            str(page_rows),
            "--fields",
            str(fields),
            *pin,
        ]

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(self.command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        told = self.process.stdout.readline()
        if not told:
            raise Failed("The origin did not start; its message is above.")
        self.port = int(told)
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.process.terminate()
        self.process.wait()

    def control(self, settings: Mapping[str, float]) -> dict[str, Any]:
        """Set what is served, and return the counters since the call before."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            query = "&".join(f"{name}={value}" for name, value in settings.items())
            connection.request("GET", f"/control?{query}")
            told: dict[str, Any] = json.loads(connection.getresponse().read())
            return told
        finally:
            connection.close()


def measure(
    command: Sequence[str],
    *,
    log: Path,
    origin: OriginProcess | None = None,
    environ: Mapping[str, str] | None = None,
    limit: float = 7200,
) -> Cost:
    """Run a program to its end.

    :param command: the program and its arguments
    :param log: file for all that it prints
    :param origin: whose counters to read after it; they are started anew before
    :param environ: added to the environment
    :param limit: seconds after which it is killed
    :raises Failed: it ended with an error, or ran longer than ``limit``
    """
    if origin is not None:
        origin.control({})
    with log.open("wb") as sink:
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=log.parent,
            stdout=sink,
            stderr=sink,
            env={**os.environ, **(environ or {})},
            start_new_session=True,
        )
        status, used = _wait(process, began + limit)
        wall = time.perf_counter() - began
    if status:
        raise Failed(f"{' '.join(command)[:200]} ended with {status} after {wall:.1f} s:\n{_end_of(log)}")
    seen = {} if origin is None else origin.control({})
    return Cost(
        wall=round(wall, 4), cpu=round(used.ru_utime + used.ru_stime, 4), rss_mb=round(used.ru_maxrss / 1024, 1), **seen
    )


def _wait(process: subprocess.Popen[bytes], deadline: float) -> tuple[int, Any]:
    """Wait with a deadline and without looking more often than the run is long, then take what the kernel counted."""
    pidfd = os.pidfd_open(process.pid)
    try:
        ended, _, _ = select.select([pidfd], [], [], max(0.0, deadline - time.perf_counter()))
        if not ended:
            os.killpg(process.pid, signal.SIGKILL)
        _, status, used = os.wait4(process.pid, 0)
    finally:
        os.close(pidfd)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, used


def _end_of(log: Path) -> str:
    """Return the end of what was printed; where this checkout is belongs into no results."""
    return log.read_bytes()[-TAIL:].decode(errors="replace").replace(f"{ROOT}/", "")
