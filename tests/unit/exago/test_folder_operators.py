from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nightshift.errors import Rejected, Unreachable
from nightshift.exago.claims import SubtreeBusy
from nightshift.exago.folder_operators import ExagoEnsureFoldersOperator
from tests.execution_api import FakeExecutionApi
from tests.unit.exago.tasks import promotion, task
from tests.unit.exago.vendor import Vendor


def ensure(*folders: str, **given: Any) -> ExagoEnsureFoldersOperator:
    return task(ExagoEnsureFoldersOperator, folders=list(folders), list_lag=0.3, **given)


def test_declared_folders_are_made_parents_first_and_once(
    server: Vendor, api: FakeExecutionApi, capsys: pytest.CaptureFixture[str]
) -> None:
    server.put("Sales/r")
    plan = ["create Ops", "create Ops/100% ä#", "create Sales/Daily"]
    run = api.run(ensure("Sales\\Daily", "Ops/100% ä#", "Sales"))
    assert run.state == "success", run.error
    assert run.result == {"plan": plan, "done": plan}
    assert server.changes == plan
    assert "Plan:\n1. create Ops\n2. create Ops/100% ä#" in capsys.readouterr().out
    again = api.run(ensure("Sales/Daily", "Ops/100% ä#", "Sales"))
    assert again.result == {"plan": [], "done": []}
    assert (server.changes, server.counts["create"]) == (plan, 3)


@pytest.mark.parametrize("dry_run", [True, "{{ True }}"])
def test_dry_run_changes_nothing(server: Vendor, api: FakeExecutionApi, dry_run: object) -> None:
    run = api.run(ensure("A/B", dry_run=dry_run))
    assert run.result == {"plan": ["create A", "create A/B"], "done": []}
    assert server.paths() == set()


@pytest.mark.parametrize(("folders", "words"), [(["rename"], "cannot be made"), (["A/B", "New"], "A is read-only")])
def test_what_cannot_be_made_is_refused_before_anything_is(
    server: Vendor, api: FakeExecutionApi, folders: list[str], words: str
) -> None:
    server.put("A/r")
    server.protect("A")
    run = api.run(ensure(*folders))
    assert isinstance(run.error, Rejected)
    assert words in str(run.error)
    assert server.changes == []


def test_a_lost_answer_and_a_crash_in_the_middle(server: Vendor, api: FakeExecutionApi) -> None:
    server.script["create"] = ["drop", "lost"]
    run = api.run(ensure("A/B"))
    assert isinstance(run.error, Unreachable)
    assert run.state == "up_for_retry"
    assert "create A/B was not done" in str(run.error)
    assert api.run(ensure("A/B")).result["done"] == ["create A/B"]
    assert server.changes == ["create A", "create A/B"]


def test_a_promotion_that_stands_half_way_is_not_disturbed(server: Vendor, api: FakeExecutionApi, lake: Path) -> None:
    for line in ("App/live/a", "App/next/b"):
        server.put(line)
    server.script["list"] = ["", "", (400, b"{}")]
    assert api.run(promotion(archive="App/old")).error is not None
    server.script.clear()
    other = FakeExecutionApi(connections=api.connections, run_id="other")
    assert isinstance(other.run(ensure("App/live/new")).error, SubtreeBusy)
    assert server.changes == ["create App/old"]
    assert other.run(ensure("Else/where")).state == "success"
