"""A process of the cluster: in a session of its own, with a log of its own, ended with everything that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from include.local.airflow import NotStarted, session_members

READY_SECONDS = 300
"""For a slow machine with much else to do; a quiet one takes a tenth. A process that ends is noticed at once."""
GRACE_SECONDS = 8.0


class Service:
    """One process and its children.

    :param name: what it is called, also its log
    :param command: what to run
    :param environment: its whole environment
    :param logs: folder of its log, which goes on over restarts
    :param ready: asked until it says yes
    :param ends_by: the signal that asks it to end
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        logs: Path,
        *,
        ready: Callable[[], bool] = lambda: True,
        ends_by: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name = name
        self.command = list(command)
        self.environment = dict(environment)
        self.log_file = logs / f"{name}.log"
        self._ready = ready
        self._ends_by = ends_by
        self._process: subprocess.Popen[bytes] | None = None
        self._log_from = 0

    @property
    def pid(self) -> int:
        """The process that leads the session; 0 where there is none."""
        return self._process.pid if self._process is not None else 0

    def ready_when(self, ready: Callable[[], bool]) -> None:
        """Set what tells that it is ready."""
        self._ready = ready

    def log_since_start(self) -> str:
        """Return what it has written to its log since it was started last."""
        with self.log_file.open("rb") as log:
            log.seek(self._log_from)
            return log.read().decode(errors="replace")

    def start(self) -> None:
        """Start it; :meth:`await_ready` waits for it."""
        self._log_from = self.log_file.stat().st_size if self.log_file.exists() else 0
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                self.command,
                env=self.environment,
                cwd=self.log_file.parent,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def await_ready(self, seconds: float = READY_SECONDS) -> None:
        """Wait until it is ready.

        :raises NotStarted: it ended or took too long; the text ends with its log
        """
        until = time.monotonic() + seconds
        while not self._ready():
            if self._process is None or self._process.poll() is not None or time.monotonic() > until:
                tail = self.log_since_start()[-3000:]
                raise NotStarted(
                    f"{self.name} did not come up within {seconds:.0f} s; its log {self.log_file}:\n{tail}"
                )
            time.sleep(0.1)

    def ask_to_end(self) -> None:
        """Ask it to end, whatever it does; :meth:`stop` waits for it."""
        self.send(signal.SIGCONT)
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, self._ends_by)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it and to all that it started."""
        if self._process is None:
            return
        for pid in {self._process.pid, *session_members(self._process.pid)}:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)

    def kill(self) -> None:
        """End it at once, as a machine that fails: nothing of it hears of it."""
        self._end(((signal.SIGKILL, GRACE_SECONDS),), together=True)

    def stop(self) -> None:
        """End it in order; what does not end is killed."""
        self.stop_by(self._ends_by)

    def stop_by(self, number: signal.Signals) -> None:
        """End it by a signal to the process that leads it; what does not end is killed."""
        self._end(((number, GRACE_SECONDS), (signal.SIGKILL, GRACE_SECONDS)), together=False)

    def has_ended(self) -> bool:
        """Return whether it was started and has ended by itself."""
        return self._process is not None and self._process.poll() is not None

    def _end(self, steps: Sequence[tuple[signal.Signals, float]], *, together: bool) -> None:
        if self._process is None:
            return
        leader = self._process.pid
        for number, seconds in steps:
            if together or number is signal.SIGKILL:
                self.send(number)
            else:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(leader, number)
            until = time.monotonic() + seconds
            while time.monotonic() < until and session_members(leader):
                self._process.poll()
                time.sleep(0.05)
                if together:
                    self.send(number)
            if not session_members(leader):
                break
        self._process.wait(timeout=GRACE_SECONDS)
        self._process = None


def start_all(services: Sequence[Service]) -> None:
    """Start processes together and wait until all are ready.

    :raises NotStarted: one did not come up
    """
    for one in services:
        one.start()
    for one in services:
        one.await_ready()


def stop_all(services: Sequence[Service]) -> None:
    """End processes: all are asked first, so that they end side by side."""
    for one in services:
        one.ask_to_end()
    for one in services:
        one.stop()
