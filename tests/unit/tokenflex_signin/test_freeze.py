"""A renewing worker is frozen with SIGSTOP, others renew or grant meanwhile, and it thaws: nothing newer is overwritten, no
refresh token is used twice, and what only it has been given is not lost.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.execution_api import FileStore, TaskRun
from tests.unit.tokenflex_signin.oauth_server import OAuthServer, serving
from tests.unit.tokenflex_signin.records import GRANT, JOURNAL, RENEWED, granted, renew_task, renewing_api
from tests.unit.tokenflex_signin.test_kill import PROGRAM, ROOT


class Stage(NamedTuple):
    """A server, what is stored, the first attempt in a process of its own, and the gate that holds its answer."""

    server: OAuthServer
    store: FileStore
    process: subprocess.Popen[str]
    gate: threading.Event

    def frozen(self) -> None:
        """Wait until it has frozen itself."""
        end = time.monotonic() + 60
        stat = Path(f"/proc/{self.process.pid}/stat")
        while stat.read_text().rpartition(")")[2].split()[0] != "T":
            assert time.monotonic() < end, "it never froze"
            time.sleep(0.02)

    def freeze_with_the_question_answered(self) -> None:
        """Freeze it while the answer to its question is on its way."""
        end = time.monotonic() + 60
        while not self.server.asked:
            assert time.monotonic() < end, "it never asked"
            time.sleep(0.02)
        os.kill(self.process.pid, signal.SIGSTOP)
        self.gate.set()

    def thaw(self) -> str:
        """Let it go on, and return how it ended."""
        os.kill(self.process.pid, signal.SIGCONT)
        out, _ = self.process.communicate(timeout=60)
        return out.strip().splitlines()[-1]

    def attempt(self) -> TaskRun:
        return renewing_api(self.server, self.store).run(renew_task(), try_number=2)

    @property
    def stored(self) -> tuple[str, str]:
        found = json.loads(self.store[RENEWED])
        return found["grant_id"], found["pair"]["refresh_token"]


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Stage]]:
    """Start one process for each test, all at once, because they take long to start."""
    with ExitStack() as stack:
        found = {}
        for name in ("journal", "renewed", "granted", "lost"):
            server, gate = stack.enter_context(serving()), threading.Event()
            server.grace = name == "renewed"
            server.gate = None if name == "journal" else gate
            folder = tmp_path_factory.mktemp(name)
            store = FileStore(folder)
            store[GRANT] = granted(server, left=600)
            stop = f"freeze:{JOURNAL}" if name == "journal" else "never"
            arguments = [sys.executable, "-c", PROGRAM, server.url, str(folder), stop]
            process = stack.enter_context(
                subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT)
            )
            stack.callback(process.kill)
            found[name] = Stage(server, store, process, gate)
        yield found


def test_frozen_before_its_question_it_uses_no_token_that_was_used_meanwhile(stages: dict[str, Stage]) -> None:
    stage = stages["journal"]
    stage.frozen()
    assert stage.attempt().state == "success"
    newest = stage.stored
    stage.thaw()
    assert stage.server.asked == ["refresh_token"]
    assert stage.stored == newest == ("g1", stage.server.pairs[-1][1])


def test_frozen_with_an_answer_it_does_not_overwrite_a_newer_pair(stages: dict[str, Stage]) -> None:
    stage = stages["renewed"]
    stage.freeze_with_the_question_answered()
    assert stage.attempt().state == "success"
    newest = stage.stored
    assert newest == ("g1", stage.server.pairs[-1][1])
    stage.thaw()
    assert stage.stored == newest
    assert len(stage.server.asked) == 2


def test_frozen_with_an_answer_it_does_not_overwrite_what_follows_from_a_newer_grant(stages: dict[str, Stage]) -> None:
    stage = stages["granted"]
    stage.freeze_with_the_question_answered()
    stage.store[GRANT] = granted(stage.server, left=600, grant_id="g2")
    assert stage.attempt().state == "success"
    newest = stage.stored
    assert newest[0] == "g2"
    stage.thaw()
    assert stage.stored == newest


def test_frozen_with_the_only_good_answer_it_heals_what_the_successor_called_lost(stages: dict[str, Stage]) -> None:
    stage = stages["lost"]
    stage.freeze_with_the_question_answered()
    assert stage.attempt().state == "failed"
    assert json.loads(stage.store[JOURNAL])["outcome"] == "lost"
    assert stage.thaw().endswith("SUCCESS")
    assert stage.stored == ("g1", stage.server.pairs[-1][1])
    assert stage.attempt().state == "skipped"
