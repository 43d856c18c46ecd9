"""kill -9 at each request of a promotion of folders, and SIGSTOP after each of its saves: the tree is as planned or as
before.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from include.standins import Fault, FaultKind
from nightshift.exago import promote_operator
from nightshift.exago.promote_operator import PromotionUndone
from tests.crash.workers import LONG, frozen_by, kill, stands_still, start, thaw
from tests.unit.exago.conftest import fields
from tests.unit.exago.tasks import api_in, claims_in, promotion
from tests.unit.exago.test_promote_operator import STEPS
from tests.unit.exago.trees import AFTER
from tests.unit.exago.vendor import Vendor


def attempt(folder: Path, conn: dict[str, Any], saves: int = 0) -> None:
    """Run the first attempt in this process; what came of it is written to ``ended``.

    :param saves: stand still once it has saved so many times; then its requests have to leave within half a second of
        what they follow from
    """
    os.environ["AIRFLOW_CONN_EXAGO_DEFAULT"] = json.dumps(conn)
    api = api_in(folder, conn)
    if saves:
        promote_operator.SEND_SECONDS = 0.5
        left = iter(range(saves - 1, -1, -1))
        frozen_by(api, lambda when, _: when == "after" and next(left, -1) == 0)
    (folder / "ended").write_text(api.run(promotion(), try_number=1).state)


def killed_at(server: Vendor, number: int, how: FaultKind, folder: Path) -> None:
    """Run an attempt that is killed at one of its requests, which the server does not get, or whose answer it holds."""
    server.faults.add(Fault(kind=how), when=lambda request: request.number == number)
    process = start(attempt, folder, fields(server))
    server.ledger.wait_for_request(within=LONG, since=number - 1)
    kill(process)
    assert len(server.ledger.requests()) == number


# A whole promotion asks nine times: open, list, create, list, rename, list, rename, list, end.
POINTS = [(number, when) for number in range(1, 10) for when in ("at", "after")]


@pytest.mark.parametrize(("number", "when"), POINTS)
def test_killed_at_each_request(
    server: Vendor, before: set[str], tmp_path: Path, number: int, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHTSHIFT_LAKE", str(tmp_path / "lake"))
    killed_at(server, number, FaultKind.HOLD if when == "at" else FaultKind.HOLD_ANSWER, tmp_path)
    run = api_in(tmp_path, fields(server)).run(promotion(), try_number=2)
    assert run.state == "success", run.error
    assert run.result["outcome"] == "as planned"
    assert server.paths() == AFTER
    assert server.changes == STEPS
    assert claims_in(tmp_path / "lake") == []
    assert server.open <= 1


@pytest.mark.parametrize("number", [3, 5, 7])
def test_killed_and_then_refused_it_is_as_before(
    server: Vendor, before: set[str], tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHTSHIFT_LAKE", str(tmp_path / "lake"))
    killed_at(server, number, FaultKind.HOLD, tmp_path)
    server.script["rename"] = [(409, b"{}")]
    if number == 3:
        server.script["rename"] = ["done", (409, b"{}")]
    run = api_in(tmp_path, fields(server)).run(promotion(), try_number=2)
    assert isinstance(run.error, PromotionUndone), run
    assert server.paths() == before
    assert claims_in(tmp_path / "lake") == []


@pytest.mark.parametrize("saves", range(1, 9))
def test_frozen_after_each_save_it_changes_nothing_when_it_thaws(
    server: Vendor, before: set[str], tmp_path: Path, saves: int, monkeypatch: pytest.MonkeyPatch
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
