"""What must never happen while an input is taken, whatever it is: seen by hooks of the interpreter, not by the code."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SECONDS = 20.0
"""Processor seconds that one input may take; the usual one takes some milliseconds."""
MEGABYTES = 400
"""Memory that one input may make the process grow by."""
_WRITING = {"os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod"}


class Forbidden(AssertionError):
    """What no input may bring about."""


class Watch:
    """Sees each file that is written and each connection that is made, once it is installed in this process.

    :param folder: the only place where files may be written
    """

    def __init__(self, folder: Path) -> None:
        self.folder = os.path.realpath(folder)
        self.ports: set[int] = set()
        self.anywhere = False
        self.seen: list[str] = []
        self._on = False
        sys.addaudithook(self._hook)

    @contextmanager
    def one(self) -> Iterator[None]:
        """Watch one input.

        :raises Forbidden: a file outside, a foreign connection, a new process, too much time or memory
        """
        self.seen = []
        self._on = True
        grown, began = _peak(), time.process_time()
        try:
            yield
        finally:
            self._on = False
            took, more = time.process_time() - began, _peak() - grown
        if self.seen:
            raise Forbidden("; ".join(dict.fromkeys(self.seen))[:600])
        if took > SECONDS:
            raise Forbidden(f"it took {took:.1f} s of the processor")
        if more > MEGABYTES << 10:
            raise Forbidden(f"memory grew by {more >> 10} MB")

    def _hook(self, event: str, given: tuple[Any, ...]) -> None:
        if not self._on:
            return
        if event == "open" and isinstance(given[0], str | bytes | os.PathLike):
            mode, flags = given[1] or "", given[2] or 0
            if set(str(mode)) & set("wax+") or (not mode and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
                self._file(event, given[0])
        elif event in _WRITING:
            for path in given[:2]:
                if isinstance(path, str | bytes | os.PathLike):
                    self._file(event, path)
        elif event == "socket.connect":
            address = given[1]
            near = isinstance(address, tuple) and address[0] == "127.0.0.1" and address[1] in self.ports
            if isinstance(address, tuple) and not near and not self.anywhere:
                self.seen.append(f"a connection to {address}")
        elif event == "socket.getaddrinfo" and given[0] not in ("127.0.0.1", None) and not self.anywhere:
            self.seen.append(f"the name {given[0]!r} was looked up")
        elif event in ("subprocess.Popen", "os.system", "os.exec", "os.fork"):
            self.seen.append(event)

    def _file(self, event: str, path: Any) -> None:
        real = os.path.realpath(os.fsdecode(path))
        if real.startswith(self.folder) or real in ("/dev/null",) or "__pycache__" in real:
            return
        self.seen.append(f"{event} of {real}")


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
