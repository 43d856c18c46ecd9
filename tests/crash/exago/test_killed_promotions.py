"""kill -9 at each request of a promotion of folders, and SIGSTOP after each of its saves: the tree is as planned or as before."""

from __future__ import annotations

import json
import os
import time
from multiprocessing import connection
from pathlib import Path
from typing import Any

import pytest

from nightshift.exago import promote_operator
from nightshift.exago.promote_operator import PromotionUndone
from tests.crash import workers
from tests.crash.workers import frozen_by, killed, stands_still, start, thaw
from tests.unit.exago.conftest import fields
from tests.unit.exago.exago_server import ExagoServer
from tests.unit.exago.tasks import api_in, claims_in, promotion
from tests.unit.exago.test_exago_promote_operator import AFTER, STEPS


def attempt(folder: Path, conn: dict[str, Any], saves: int = 0) -> None:
    """Run the first attempt in this process; what came of it is written to ``ended``.

    :param saves: stand still once it has saved so many times; then its requests have to leave within half a second of what
        they follow from
    """
    os.environ["AIRFLOW_CONN_EXAGO_DEFAULT"] = json.dumps(conn)
    api = api_in(folder, conn)
    if saves:
        promote_operator.SEND_SECONDS = 0.5
        left = iter(range(saves - 1, -1, -1))
        frozen_by(api, lambda when, _: when == "after" and next(left, -1) == 0)
    (folder / "ended").write_text(api.run(promotion(), try_number=1).state)


def end(process: Any) -> None:
    """Kill a worker from the server's thread: its exit code can be read once only, and that is for the thread of the test."""
    process.kill()
    connection.wait([process.sentinel], workers.LONG)


# A whole promotion asks nine times: open, list, create, list, rename, list, rename, list, end.
POINTS = [(number, when) for number in range(1, 10) for when in ("at", "after")]


@pytest.mark.parametrize(("number", "when"), POINTS)
def test_killed_at_each_request(
    server: ExagoServer, before: set[str], tmp_path: Path, number: int, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHTSHIFT_LAKE", str(tmp_path / "lake"))
    (server.at_request if when == "at" else server.after_request)[number] = lambda: end(workers.STARTED[-1])
    killed(start(attempt, tmp_path, fields(server)))
    assert len(server.calls) == number
    run = api_in(tmp_path, fields(server)).run(promotion(), try_number=2)
    assert run.state == "success", run.error
    assert run.result["outcome"] == "as planned"
    assert server.paths() == AFTER
    assert server.changes == STEPS
    assert claims_in(tmp_path / "lake") == []
    assert len(server.sessions) <= 1


@pytest.mark.parametrize("number", [3, 5, 7])
def test_killed_and_then_refused_it_is_as_before(
    server: ExagoServer, before: set[str], tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHTSHIFT_LAKE", str(tmp_path / "lake"))
    server.at_request[number] = lambda: end(workers.STARTED[-1])
    server.script["rename"] = ["lost", "lost"] if number < 7 else ["done", "lost"]
    killed(start(attempt, tmp_path, fields(server)))
    server.script.clear()
    server.script["rename"] = [(409, b"{}")]
    if number == 3:
        server.script["rename"] = ["done", (409, b"{}")]
    run = api_in(tmp_path, fields(server)).run(promotion(), try_number=2)
    assert isinstance(run.error, PromotionUndone), run
    assert server.paths() == before
    assert claims_in(tmp_path / "lake") == []


@pytest.mark.parametrize("saves", range(1, 9))
def test_frozen_after_each_save_it_changes_nothing_when_it_thaws(
    server: ExagoServer, before: set[str], tmp_path: Path, saves: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second attempt ends the promotion, people put everything back by hand, and then the first one thaws."""
    monkeypatch.setenv("NIGHTSHIFT_LAKE", str(tmp_path / "lake"))
    process = start(attempt, tmp_path, fields(server), saves)
    stands_still(process)
    run = api_in(tmp_path, fields(server)).run(promotion(), try_number=2)
    assert run.state == "success", run.error
    assert server.paths() == AFTER
    server.move("App/live", "App/next")
    server.move("Archive/2026-11-21", "App/live")
    by_hand, changes = server.paths(), list(server.changes)
    time.sleep(0.6)  # the time in which a request may leave is what is measured here
    thaw(process)
    assert (tmp_path / "ended").read_text() != "success" or saves == 8
    assert (server.paths(), server.changes) == (by_hand, changes)
