"""What is done to a process or a store, while others stand at their points."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from include.local.airflow import session_members
from include.local.cluster.airflow import ClusterAirflow
from include.local.cluster.service import Service
from tests.cluster.cases import Victim

DOWN_SECONDS = 3.0
"""For how long a store or a scheduler is gone."""
FROZEN_AT_MOST = 90.0


@dataclass
class Frozen:
    """A task and its supervisor that stand still.

    :param place: where
    :param pids: the supervisor first
    :param tries: number of the attempt
    """

    place: str
    pids: tuple[int, ...]
    tries: int
    since: float = field(default_factory=time.monotonic)

    def thaw(self) -> None:
        """Let both go on."""
        for pid in self.pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


class Strikes:
    """Strikes the cluster.

    :param airflow: what is struck
    :param chance: decides what the seed leaves open
    """

    def __init__(self, airflow: ClusterAirflow, chance: random.Random) -> None:
        self.airflow = airflow
        self.chance = chance
        self.frozen: list[Frozen] = []
        self._down: set[str] = set()
        self._threads: list[threading.Thread] = []

    def strike(self, victim: Victim, held: dict[str, int], go_on: Callable[[Iterable[str]], None]) -> None:
        """Strike; those that stand at their points go on while the victim is down, if they live.

        :param held: place → process
        """
        match victim:
            case Victim.WORKER:
                for name in self._homes(held.values(), "worker-"):
                    self._kill_and_start(name)
            case Victim.TRIGGERER:
                for name in self._homes(held.values(), "triggerer-"):
                    self._kill_and_start(name)
            case Victim.SCHEDULER:
                self._down_for_a_while(
                    [name for name in self.airflow.services if name.startswith("scheduler-")], Service.kill
                )
            case Victim.API:
                self._down_for_a_while(["api-server"], Service.kill)
            case Victim.REDIS:
                self._down_for_a_while(["redis"], Service.kill)
            case Victim.POSTGRESQL:
                # In order, or as a machine that fails: both are recovered from its log.
                how = self.chance.choice((signal.SIGINT, signal.SIGQUIT))
                self._down_for_a_while(["postgresql"], lambda one: one.stop_by(how))
            case Victim.S3:
                self.airflow.s3.send(signal.SIGUSR1)
        go_on(held)

    def kill(self, pid: int) -> None:
        """End a task and its supervisor at once; the worker that they were of goes on."""
        with contextlib.suppress(OSError):
            for one in (_parent(pid), pid):
                os.kill(one, signal.SIGKILL)

    def freeze(self, place: str, pid: int, tries: int) -> None:
        """Let a task and its supervisor stand still, as a machine that hangs."""
        with contextlib.suppress(OSError):
            pids = (_parent(pid), pid)
            for one in pids:
                os.kill(one, signal.SIGSTOP)
            self.frozen.append(Frozen(place, pids, tries))

    def restart_what_ended(self) -> list[str]:
        """Start again what has ended by itself, as whoever runs a cluster does; return the names."""
        ended = [
            name
            for name, one in self.airflow.services.items()
            if name not in self._down and one.pid and one.has_ended()
        ]
        for name in ended:
            self._kill_and_start(name)
        return ended

    def wait(self) -> None:
        """Wait until everything is up again."""
        while self._threads:
            self._threads.pop().join()

    def _homes(self, pids: Iterable[int], kind: str) -> list[str]:
        """Return the processes of the cluster that others are the children of."""
        wanted = set(pids)
        services = self.airflow.services.items()
        return [
            name
            for name, one in services
            if name.startswith(kind) and one.pid and wanted & {one.pid, *session_members(one.pid)}
        ]

    def _kill_and_start(self, name: str) -> None:
        one = self.airflow.services[name]
        one.kill()
        one.start()

    def _down_for_a_while(self, names: list[str], end: Callable[[Service], None]) -> None:
        self._down |= set(names)
        for name in names:
            end(self.airflow.services[name])

        def back() -> None:
            time.sleep(DOWN_SECONDS)
            for name in names:
                self.airflow.services[name].start()
            self._down -= set(names)

        thread = threading.Thread(target=back)
        thread.start()
        self._threads.append(thread)


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
