"""A worker that renews, and stands still before it writes a given Variable."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from tests.crash.workers import freeze, kill, start, thaw
from tests.execution_api import TaskRun
from tests.file_store import FileStore
from tests.unit.tokenflex.records import GRANT, at_once, granted, renew_task, renewing_api
from tests.unit.tokenflex.sign_in import SignInVendor


def renew(url: str, folder: Path, stop_before: str | None) -> None:
    """Run the task once; what came of it is written to ``ended``."""
    at_once()
    api = renewing_api(url, FileStore(folder / "variables"))

    def stop(key: str) -> None:
        if key == stop_before:
            freeze()

    api.before_put = stop
    (folder / "ended").write_text(api.run(renew_task()).state)


class Stage(NamedTuple):
    """A server, what is stored, and the first attempt in a process of its own."""

    server: SignInVendor
    folder: Path
    store: FileStore
    process: Any

    def next_attempt(self) -> TaskRun:
        return renewing_api(self.server.url, self.store).run(renew_task(), try_number=2)

    def kill(self) -> None:
        kill(self.process)

    def thaw(self) -> str:
        """Let it go on, and return how it ended."""
        thaw(self.process)
        return (self.folder / "ended").read_text()


def stage(server: SignInVendor, folder: Path, stop_before: str | None = None) -> Stage:
    """Let a worker renew a pair that the server knows."""
    store = FileStore(folder / "variables")
    store[GRANT] = granted(server, left=600)
    return Stage(server, folder, store, start(renew, server.url, folder, stop_before))
