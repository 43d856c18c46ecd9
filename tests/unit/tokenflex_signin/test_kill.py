"""A worker is killed with SIGKILL in the middle of a refresh; the next attempt goes on from what it left behind."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from nightshift.tokenflex.oauth import GrantSpent
from tests.execution_api import FileStore, TaskRun
from tests.unit.tokenflex_signin.oauth_server import OAuthServer, serving
from tests.unit.tokenflex_signin.records import GRANT, JOURNAL, RENEWED, granted, renew_task, renewing_api

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'plugins')!r}]; import tests.conftest; import tests.unit.tokenflex_signin.renewing_process"


class Stage(NamedTuple):
    """A server, a store that outlives the process, and the process, which runs up to the point where it is to be killed."""

    server: OAuthServer
    store: FileStore
    process: subprocess.Popen[str]

    def wait_for(self, words: str) -> None:
        assert self.process.stdout is not None
        assert any(words in line for line in self.process.stdout), f"the process ended before it said {words!r}"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def next_attempt(self) -> TaskRun:
        return renewing_api(self.server, self.store).run(renew_task(), try_number=2)


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Stage]]:
    """Start one process for each test, all at once, because they take long to start."""
    with ExitStack() as stack:
        found = {}
        for name, stop_before in (("rotates", RENEWED), ("grace", RENEWED), ("hangs", "never")):
            server = stack.enter_context(serving())
            server.grace, server.faults = name == "grace", ["hang"] if name == "hangs" else []
            folder = tmp_path_factory.mktemp(name)
            store = FileStore(folder)
            store[GRANT] = granted(server, left=600)
            arguments = [sys.executable, "-c", PROGRAM, server.url, str(folder), stop_before]
            process = stack.enter_context(
                subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT)
            )
            stack.callback(process.kill)
            found[name] = Stage(server, store, process)
        yield found


def killed_between_answer_and_save(stage: Stage) -> None:
    stage.wait_for(f"stopped before {RENEWED}")
    stage.kill()
    assert (stage.server.asked, RENEWED in stage.store) == (["refresh_token"], False)


def test_a_kill_between_answer_and_save_is_recognised_and_told(stages: dict[str, Stage]) -> None:
    stage = stages["rotates"]
    killed_between_answer_and_save(stage)
    run = stage.next_attempt()
    assert run.state == "failed"
    assert isinstance(run.error, GrantSpent)
    assert "after Autodesk had answered and before the new refresh token was saved" in str(run.error)
    assert "grant access anew" in str(run.error)
    assert json.loads(stage.store[JOURNAL])["outcome"] == "lost"
    stage.store[GRANT] = granted(stage.server, left=600, grant_id="g2")
    assert stage.next_attempt().state == "success"


def test_where_the_old_token_is_still_good_the_chain_goes_on(stages: dict[str, Stage]) -> None:
    stage = stages["grace"]
    killed_between_answer_and_save(stage)
    assert stage.next_attempt().state == "success"
    assert json.loads(stage.store[RENEWED])["pair"]["refresh_token"] == stage.server.pairs[-1][1]


def test_a_kill_before_the_question_is_taken_costs_nothing(stages: dict[str, Stage]) -> None:
    stage = stages["hangs"]
    assert stage.server.hanging.wait(60)
    stage.kill()
    assert stage.next_attempt().state == "success"
    assert stage.server.asked == ["refresh_token"]
