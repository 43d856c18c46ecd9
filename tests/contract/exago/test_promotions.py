"""Promotions and declared folders against the stand-in: judged by its tree and its ledger."""

from __future__ import annotations

from typing import Any

import pytest

from include.standins import Fault, FaultKind
from include.standins.exago import ExagoStandIn
from nightshift.exago.folder_operators import ExagoEnsureFoldersOperator
from nightshift.exago.promote_operator import ExagoPromoteFolderOperator, PromotionUndone
from tests.contract.exago.conftest import Start
from tests.execution_api import FakeExecutionApi
from tests.unit.exago.tasks import task

CHANGES = ("folder_created", "folder_renamed", "folder_deleted")
STEPS = [
    ("folder_renamed", "Sales/Live", "Sales/Archive/2026-11-21"),
    ("folder_renamed", "Sales/Candidate", "Sales/Live"),
]


def promotion(**given: Any) -> ExagoPromoteFolderOperator:
    shared = {"live": "Sales/Live", "candidate": "Sales/Candidate", "archive": "Sales/Archive", "night": "2026-11-21"}
    return task(ExagoPromoteFolderOperator, **{**shared, "list_lag": 0.3, **given})


def changes(vendor: ExagoStandIn) -> list[tuple[str, str, str | None]]:
    return [(one.kind, one.key, one.detail.get("to")) for one in vendor.ledger.effects() if one.kind in CHANGES]


def promoted(before: list[str]) -> set[str]:
    renamed = {path.replace("Sales/Live/", "Sales/Archive/2026-11-21/", 1) for path in before}
    return {path.replace("Sales/Candidate/", "Sales/Live/", 1) for path in renamed}


@pytest.mark.parametrize(
    ("switches", "extra"),
    [
        ({}, {}),
        ({"version": "2020.1"}, {"separator": "/"}),
        ({"version": "2021.1", "separator": "slash"}, {"separator": "/", "auth": "exagokey"}),
        ({"session_calls": 2}, {}),
        ({"listing_lag_calls": 2}, {}),
        ({"error_body": "text", "existing": "error", "missing": "error"}, {}),
    ],
)
def test_a_promotion(
    vendor_with: Start, api: FakeExecutionApi, switches: dict[str, Any], extra: dict[str, Any]
) -> None:
    vendor = vendor_with(extra=extra, **switches)
    before = vendor.live.paths()
    run = api.run(promotion(list_lag=10))
    assert run.state == "success", run.error
    assert (run.result["outcome"], run.result["remarks"]) == ("as planned", [])
    assert set(vendor.live.paths()) == promoted(before)
    assert changes(vendor) == STEPS
    assert vendor.access.open_sessions() == 0


@pytest.mark.parametrize(
    "kind", [FaultKind.ACCEPT_THEN_DROP, FaultKind.RESET, FaultKind.TRUNCATED, FaultKind.EMPTY_200]
)
@pytest.mark.parametrize("after", [0, 1])
def test_a_broken_answer_is_no_verdict(vendor_with: Start, api: FakeExecutionApi, kind: FaultKind, after: int) -> None:
    vendor = vendor_with()
    more = {"at_bytes": 9} if kind is FaultKind.TRUNCATED else {}
    vendor.faults.add(Fault(kind=kind, path="/rename$", after=after, **more))
    run = api.run(promotion())
    assert run.state == "success", run.error
    assert changes(vendor) == STEPS


@pytest.mark.parametrize("status", [500, 503, 404])
def test_half_way_a_page_at_the_door_ends_nothing(vendor_with: Start, api: FakeExecutionApi, status: int) -> None:
    """The session dies between the two moves, while users are without the folder; a restart answers in its place."""
    vendor = vendor_with()
    before = vendor.live.paths()
    vendor.faults.add(Fault(kind="session_dies", path="/rename$", after=1))
    vendor.faults.add(
        Fault(
            kind=FaultKind.STATUS,
            status=status,
            method="POST",
            path="/sessions$",
            after=1,
            times=2,
            body="<html>restarting</html>",
            content_type="text/html",
        )
    )
    run = api.run(promotion())
    assert run.state == "success", run.error
    assert changes(vendor) == STEPS
    assert set(vendor.live.paths()) == promoted(before)


@pytest.mark.parametrize("answer", ["status", "not_found", "conflict", "error"])
@pytest.mark.parametrize(
    "others",
    [
        {"do": "rename", "path": "Sales/Candidate", "to": "Sales/Mine"},
        {"do": "rename", "path": "Sales/Archive", "to": "Sales/Attic"},
        {"do": "rename", "path": "Sales/Live", "to": "Sales/Old"},
        {"do": "rename", "path": "Sales/Candidate/Daily", "to": "Sales/Candidate/Monthly"},
    ],
)
@pytest.mark.parametrize("after", [0, 1])
def test_another_user_renames_in_between(
    vendor_with: Start, api: FakeExecutionApi, answer: str, others: dict[str, str], after: int
) -> None:
    """Whatever is renamed right before a step: the contents end where the plan or the other user has put them."""
    vendor = vendor_with(missing=answer, existing=answer)
    before = vendor.live.paths()
    vendor.faults.add(Fault(kind="other_user", path="/rename$", after=after, detail=others))
    run = api.run(promotion())
    paths = set(vendor.live.paths())
    old, new = others["path"], others["to"]
    if run.state == "success":
        old, new = (path.replace("Sales/Candidate/", "Sales/Live/") for path in (old, new))
        done = bool(vendor.ledger.effects(kind="other_user")) and old != "Sales/Live"
        assert paths == {path.replace(old, new, 1) if done else path for path in promoted(before)}
        assert bool(run.result["remarks"]) == done
    else:
        assert isinstance(run.error, PromotionUndone), run.error
        assert "as before" in str(run.error)
        assert {path.replace(f"{new}/", f"{old}/", 1) for path in paths} == set(before)


def test_refused_by_the_server_it_is_taken_back(vendor_with: Start, api: FakeExecutionApi) -> None:
    vendor = vendor_with()
    before = vendor.live.paths()
    vendor.faults.add(Fault(kind=FaultKind.STATUS, status=409, path="/rename$", after=1))
    run = api.run(promotion(archive="Attic/Sales"))
    assert isinstance(run.error, PromotionUndone)
    assert set(vendor.live.paths()) == set(before)
    assert [kind for kind, *_ in changes(vendor)] == [
        "folder_created",
        "folder_created",
        "folder_renamed",
        "folder_renamed",
        "folder_deleted",
        "folder_deleted",
    ]


def test_declared_folders(vendor_with: Start, api: FakeExecutionApi) -> None:
    vendor = vendor_with()
    vendor.faults.add(Fault(kind="other_user", method="POST", path="Ops", detail={"do": "create", "path": "Ops"}))
    vendor.faults.add(Fault(kind=FaultKind.ACCEPT_THEN_DROP, method="POST", path="Daily 100"))
    wanted = ["Ops/Daily 100 %", "Sales/Live", "R&D + Café #2 (50 %)/東京 ナイト/neu"]
    run = api.run(task(ExagoEnsureFoldersOperator, folders=wanted, list_lag=0.3))
    assert run.state == "success", run.error
    assert set(run.result["done"]) == {
        "create Ops",
        "create Ops/Daily 100 %",
        "create R&D + Café #2 (50 %)/東京 ナイト/neu",
    }
    assert {f"{path}/" for path in wanted} <= set(vendor.live.paths())
    assert len(vendor.ledger.effects(kind="folder_created")) == 2
    again = api.run(task(ExagoEnsureFoldersOperator, folders=wanted))
    assert again.result == {"plan": [], "done": []}


def test_read_only_folders_are_left_alone(vendor_with: Start, api: FakeExecutionApi) -> None:
    vendor = vendor_with()
    for run in (
        api.run(task(ExagoEnsureFoldersOperator, folders=["Templates/New"])),
        api.run(promotion(live="Templates")),
        api.run(promotion(archive="Templates/Archive")),
    ):
        assert run.state == "failed"
        assert "Templates is read-only" in str(run.error)
    assert changes(vendor) == []
