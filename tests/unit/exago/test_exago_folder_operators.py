from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nightshift.errors import Rejected, Unreachable
from nightshift.exago.claims import SubtreeBusy
from nightshift.exago.folder_operators import (
    PLAN_KEY,
    ExagoDeleteFolderOperator,
    ExagoEnsureFoldersOperator,
    ExagoRenameFolderOperator,
)
from tests.execution_api import FakeExecutionApi
from tests.unit.exago.exago_server import ExagoServer
from tests.unit.exago.tasks import promotion, task


def ensure(*folders: str, **given: Any) -> ExagoEnsureFoldersOperator:
    return task(ExagoEnsureFoldersOperator, folders=list(folders), list_lag=0.3, **given)


def rename(folder: str, to: str, **given: Any) -> ExagoRenameFolderOperator:
    return task(ExagoRenameFolderOperator, folder=folder, to=to, list_lag=0.3, **given)


def delete(folder: str, **given: Any) -> ExagoDeleteFolderOperator:
    return task(ExagoDeleteFolderOperator, folder=folder, list_lag=0.3, **{"declared": ["Ours"], **given})


def test_declared_folders_are_made_parents_first_and_once(
    server: ExagoServer, api: FakeExecutionApi, capsys: pytest.CaptureFixture[str]
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
def test_dry_run_changes_nothing(server: ExagoServer, api: FakeExecutionApi, dry_run: object) -> None:
    run = api.run(ensure("A/B", dry_run=dry_run))
    assert run.result == {"plan": ["create A", "create A/B"], "done": []}
    assert server.paths() == set()


@pytest.mark.parametrize(("folders", "words"), [(["rename"], "cannot be made"), (["A/B", "New"], "A is read-only")])
def test_what_cannot_be_made_is_refused_before_anything_is(
    server: ExagoServer, api: FakeExecutionApi, folders: list[str], words: str
) -> None:
    server.put("A/r")
    server.read_only.add(("A",))
    run = api.run(ensure(*folders))
    assert isinstance(run.error, Rejected)
    assert words in str(run.error)
    assert server.changes == []


def test_a_lost_answer_and_a_crash_in_the_middle(server: ExagoServer, api: FakeExecutionApi) -> None:
    server.script["create"] = ["drop", "lost"]
    run = api.run(ensure("A/B"))
    assert isinstance(run.error, Unreachable)
    assert run.state == "up_for_retry"
    assert "create A/B was not done" in str(run.error)
    assert api.run(ensure("A/B")).result["done"] == ["create A/B"]
    assert server.changes == ["create A", "create A/B"]


def test_a_folder_is_moved_once(server: ExagoServer, api: FakeExecutionApi) -> None:
    server.put("A/x/r")
    server.put("B/")
    server.script["rename"] = ["drop"]
    run = api.run(rename("A/x", "B/y"))
    assert run.result["done"] == ["move A/x to B/y"], run.error
    assert server.paths() == {"A/", "B/", "B/y/", "B/y/r"}
    assert api.run(rename("A/x", "B/y")).result == {"plan": [], "done": []}


@pytest.mark.parametrize(
    ("folder", "to", "words"),
    [
        ("A/x", "B/y", "both A/x and B/y are there"),
        ("A/z", "B/z", "neither A/z nor B/z is there"),
        ("A/x", "C/x", "C, which C/x would be in, is not there"),
        ("A", "A/x/A", "one inside the other"),
        ("L", "M", "L is read-only"),
    ],
)
def test_a_move_that_cannot_be_is_refused(
    server: ExagoServer, api: FakeExecutionApi, folder: str, to: str, words: str
) -> None:
    for line in ("A/x/", "B/y/", "L/"):
        server.put(line)
    server.read_only.add(("L",))
    run = api.run(rename(folder, to))
    assert isinstance(run.error, Rejected)
    assert words in str(run.error)
    assert server.changes == []


def test_an_empty_folder_of_ours_is_deleted_once(server: ExagoServer, api: FakeExecutionApi) -> None:
    server.put("Ours/old/")
    assert api.run(delete("Ours/old")).result["done"] == ["delete Ours/old"]
    assert api.run(delete("Ours/old")).result == {"plan": [], "done": []}
    assert server.paths() == {"Ours/"}


@pytest.mark.parametrize(
    ("folder", "given", "words"),
    [
        ("Theirs", {}, "Theirs is not declared ours"),
        ("OursToo", {}, "not declared ours"),
        ("Ours/full", {"with_folders": True}, "holds 1 reports, the first is Ours/full/a/r"),
        ("Ours/folders", {}, "holds 2 folders"),
        ("Ours/closed", {}, "is read-only"),
        ("Ours", {"with_folders": True, "declared": ["Ours"]}, "reports"),
    ],
)
def test_what_must_not_be_deleted_is_refused(
    server: ExagoServer, api: FakeExecutionApi, folder: str, given: dict[str, Any], words: str
) -> None:
    for line in ("Theirs/", "OursToo/", "Ours/full/a/r", "Ours/folders/a/b/", "Ours/closed/"):
        server.put(line)
    server.read_only.add(("Ours", "closed"))
    run = api.run(delete(folder, **given))
    assert isinstance(run.error, Rejected)
    assert words in str(run.error)
    assert server.counts["delete"] == 0


def test_folders_inside_go_first(server: ExagoServer, api: FakeExecutionApi) -> None:
    server.put("Ours/x/a/b/")
    server.put("Ours/x/c/")
    run = api.run(delete("Ours/x", with_folders=True))
    assert run.result["done"] == ["delete Ours/x/a/b", "delete Ours/x/a", "delete Ours/x/c", "delete Ours/x"]
    assert server.paths() == {"Ours/"}


def test_somebody_fills_the_folder_right_before_it_is_deleted(server: ExagoServer, api: FakeExecutionApi) -> None:
    server.put("Ours/x/")
    server.script["delete"] = [lambda: server.put("Ours/x/r")]
    run = api.run(delete("Ours/x"))
    assert "Folder is not empty" in str(run.error)
    assert "Ours/x/r" in server.paths()


@pytest.mark.parametrize("inside", ["Ours/x/a/theirs/", "Ours/x/a/r", "Ours/x/theirs/"])
def test_a_retry_deletes_no_more_than_was_planned(server: ExagoServer, api: FakeExecutionApi, inside: str) -> None:
    """The first attempt breaks off; somebody puts something of their own inside; a clear is a person's word to plan anew."""
    server.put("Ours/x/a/b/")
    server.script["delete"] = ["done", *[(503, b"{}")] * 2]
    assert api.run(delete("Ours/x", with_folders=True)).state == "up_for_retry"
    server.script.clear()
    server.put(inside)
    run = api.run(delete("Ours/x", with_folders=True))
    assert isinstance(run.error, Rejected)
    assert f"{inside.rstrip('/')} has come into Ours/x" in str(run.error)
    assert inside in server.paths()
    assert server.changes == ["delete Ours/x/a/b"]
    if inside.endswith("/"):
        api.clear()
        assert api.run(delete("Ours/x", with_folders=True)).state == "success"
        assert server.paths() == {"Ours/"}


def test_a_retry_goes_on_with_what_is_left_of_the_plan(server: ExagoServer, api: FakeExecutionApi) -> None:
    server.put("Ours/x/a/b/")
    server.script["delete"] = ["done", (503, b"{}")]
    assert api.run(delete("Ours/x", with_folders=True)).state == "up_for_retry"
    run = api.run(delete("Ours/x", with_folders=True))
    assert run.result["done"] == ["delete Ours/x/a", "delete Ours/x"]
    assert server.changes == ["delete Ours/x/a/b", "delete Ours/x/a", "delete Ours/x"]
    assert PLAN_KEY not in api.task_store


def test_a_retry_leaves_another_folder_of_the_same_name_alone(server: ExagoServer, api: FakeExecutionApi) -> None:
    server.with_ids = True
    server.put("Ours/x/")

    def replaced() -> None:
        server.move("Ours/x", "Ours/elsewhere")
        server.put("Ours/x/")

    server.script["delete"] = [(503, b"{}")]
    assert api.run(delete("Ours/x")).state == "up_for_retry"
    replaced()
    run = api.run(delete("Ours/x"))
    assert "another folder is at Ours/x than the one that was to be deleted" in str(run.error)
    assert server.changes == []
    assert {"Ours/x/", "Ours/elsewhere/"} <= server.paths()


def test_a_promotion_that_stands_half_way_is_not_disturbed(
    server: ExagoServer, api: FakeExecutionApi, lake: Path
) -> None:
    for line in ("App/live/a", "App/next/b"):
        server.put(line)
    server.script["list"] = ["", "", (400, b"{}")]
    assert api.run(promotion(archive="App/old")).error is not None
    server.script.clear()
    other = FakeExecutionApi(connections=api.connections, run_id="other")
    for disturbing in (rename("App", "App2"), ensure("App/live/new"), delete("App/next", declared=["App"])):
        run = other.run(disturbing)
        assert run.error is not None
        assert isinstance(run.error, SubtreeBusy) or "reports" in str(run.error)
    assert server.changes == ["create App/old"]
    assert other.run(ensure("Else/where")).state == "success"
