"""Promotions through a real Airflow: nights, approvals, roll-back, supersede. Judged by FlexDeploy's ledger and by the
records.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from include.local.rest import Api, ApiError
from include.standins.flexdeploy import FlexDeployStandIn, vendor_fault
from include.standins.flexdeploy.planted import DASHBOARD, DEV, PORTAL, PORTAL_REPORTS, TEST
from nightshift.lake.store import Lake
from nightshift.nights.ready import Waiting, published_report
from nightshift.promotion.record import PromotionRecord
from nightshift.promotion.vocabulary import PromotionOutcome
from nightshift.sources import SOURCES
from tests.flows.conftest import await_scheduled_run, until
from tests.published import publish_night

pytestmark = pytest.mark.airflow
NIGHTLY = tuple(source.dag_id for source in SOURCES.values())
KEYS = {"flexnet/entitlement": "EntitlementID", "flexnet/account": "AccountID"}
LONG_AGO = 200
"""Nights of these tests that nothing else brings home, in days ago."""


def night(days_ago: int) -> str:
    return (datetime.now(UTC).date() - timedelta(days=days_ago)).isoformat()


@pytest.fixture(autouse=True)
def all_paused_again(api: Api) -> Iterator[None]:
    yield
    for application in ("portal", "dashboard", "hurry"):
        api.call("PATCH", f"/api/v2/dags/promote_{application}", {"is_paused": True})


@pytest.fixture
def healthy(flexdeploy: FlexDeployStandIn) -> Iterator[FlexDeployStandIn]:
    flexdeploy.ledger.clear()
    yield flexdeploy
    flexdeploy.faults.clear()


@pytest.fixture
def publish(api: Api, lake_folder: Path) -> Callable[[str, str], None]:
    """Publish a night of a report into the lake, and emit the events that its publish task emits with it."""
    ids = {one["name"]: one["id"] for one in api.call("GET", "/api/v2/assets?limit=100")["assets"]}
    lake = Lake.from_url(str(lake_folder))
    waiting = Waiting({"dashboard": ("flexnet/entitlement", "flexnet/account"), "hurry": ("flexnet/account",)})

    def publish(report: str, the_night: str) -> None:
        publish_night(lake, report, the_night, key=KEYS[report])
        for application in waiting.complete([the_night], partial(published_report, lake)):
            if report in waiting.applications[application]:
                send_event(api, ids[f"ready/{application}"], the_night)

    return publish


def send_event(api: Api, asset_id: int, the_night: str) -> None:
    """Send the event of an asset over REST, as anybody may who is allowed to."""

    def sent() -> bool:
        try:
            api.call("POST", "/api/v2/assets/events", {"asset_id": asset_id, "partition_key": the_night, "extra": {}})
        except ApiError as error:
            if error.status != 500:
                raise
            return False  # SQLite is locked by one of Airflow's other processes
        return True

    until(sent, f"the event of {the_night} is taken")


def record_of(lake: Path, application: str, run_id: str) -> PromotionRecord:
    path = lake / "promotions" / application / f"{run_id}.json"
    return PromotionRecord.from_json(path.read_bytes(), str(path))


def run_for(api: Api, application: str, the_night: str, but: Sequence[str] = ()) -> str:
    """Return the run that Airflow started for a night."""

    def found() -> str:
        runs = api.runs(f"promote_{application}", run_type="asset_triggered")
        ids = [r["dag_run_id"] for r in runs if r["partition_key"] == the_night and r["dag_run_id"] not in but]
        return ids[0] if ids else ""

    return until(found, f"a run of promote_{application} for {the_night}")


def answer(api: Api, application: str, run_id: str, option: str) -> dict[str, Any]:
    """Wait for the question of a run and answer it; return the question."""
    dag_id = f"promote_{application}"
    [question] = until(lambda: api.questions(dag_id, run_id), f"{run_id} asks", 180)
    # Airflow 3.3.2 loses an answer that comes before it has noticed that the worker is gone.
    time.sleep(4)
    api.answer(dag_id, run_id, question["task_instance"]["task_id"], option)
    return dict(question)


def states(api: Api, application: str, run_id: str) -> dict[str, str]:
    return {task["task_id"]: task["state"] for task in api.tasks(f"promote_{application}", run_id)}


def done(vendor: FlexDeployStandIn, project: int, kind: str = "deploy_made") -> list[tuple[Any, Any]]:
    """Return environment and version of each build or deployment, in order."""
    effects = [one.detail for one in vendor.ledger.effects(kind=kind)]
    return [(one["environment"], one["version"]) for one in effects if one["project"] == project]


def wait(api: Api, application: str, run_id: str) -> str:
    return str(api.wait(f"promote_{application}", run_id)["state"])


def test_four_vendors_nights_lead_to_a_deployment_in_the_last_stage(
    api: Api, lake_folder: Path, healthy: FlexDeployStandIn
) -> None:
    api.unpause("promote_portal")
    for dag_id in NIGHTLY:
        api.unpause(dag_id)
    for dag_id in NIGHTLY:
        # The scheduler's own run for last night, which it makes once; FlexNet's was before this test, so another
        # vendor's publish is the one that completes the night.
        assert {run["state"] for run in await_scheduled_run(api, dag_id, 300)} == {"success"}, dag_id
    run_id = run_for(api, "portal", night(1))
    question = answer(api, "portal", run_id, "Approve")
    assert f"to TEST?, night {night(1)}" in question["subject"]
    assert "flexnet/entitlement" in question["body"]
    assert question["assigned_users"] == [{"id": "admin", "name": "admin"}]
    assert wait(api, "portal", run_id) == "success", states(api, "portal", run_id)
    [(_, version)] = done(healthy, PORTAL, "build_made")
    assert done(healthy, PORTAL) == [(DEV, version), (TEST, version)]
    assert {live.version for live in healthy.runs_in("TEST") if live.project == PORTAL} == {version}
    assert len(healthy.ledger.effects(kind="utility_run")) == 1
    record = record_of(lake_folder, "portal", run_id)
    assert (record.outcome, record.night, record.version and record.version.id) == (
        PromotionOutcome.PROMOTED,
        night(1),
        version,
    )
    assert [step.task for step in record.steps] == [
        "build",
        "DEV.deploy",
        "TEST.approve",
        "TEST.deploy",
        "TEST.restart",
    ]
    approval = record.step("TEST.approve")
    assert approval is not None
    assert (approval.by, approval.outcome) == ("admin", "Approve")
    assert {report.name for report in record.reports if report.checks} == {report.name for report in record.reports}


@pytest.fixture
def promoted_before(api: Api, lake_folder: Path, healthy: FlexDeployStandIn) -> None:
    """The records tell what runs in each stage."""
    if not list((lake_folder / "promotions" / "portal").glob("*.json")):
        api.unpause("promote_portal")
        run_id = api.trigger("promote_portal")
        answer(api, "portal", run_id, "Approve")
        assert wait(api, "portal", run_id) == "success"
        healthy.ledger.clear()


@pytest.mark.usefixtures("promoted_before")
def test_a_stage_that_fails_is_rolled_back_when_a_person_approves(
    api: Api, lake_folder: Path, healthy: FlexDeployStandIn
) -> None:
    before = {live.version for live in healthy.runs_in("TEST") if live.project == PORTAL}
    healthy.faults.add(vendor_fault("run_fails", path=rf"/project/{PORTAL}/deploy$", after=1))
    api.unpause("promote_portal")
    run_id = api.trigger("promote_portal", conf={"change_tickets": ["CHG-1"]})
    answer(api, "portal", run_id, "Approve")
    question = answer(api, "portal", run_id, "Approve")
    assert question["task_instance"]["task_id"] == "roll_back.approve"
    assert "TEST failed, bring back" in question["subject"]
    assert wait(api, "portal", run_id) == "failed"
    assert states(api, "portal", run_id)["roll_back.deploy"] == "success"
    [(_, version)] = done(healthy, PORTAL, "build_made")
    assert done(healthy, PORTAL) == [(DEV, version), (TEST, version), (TEST, *before)]
    assert {live.version for live in healthy.runs_in("TEST") if live.project == PORTAL} == before
    record = record_of(lake_folder, "portal", run_id)
    assert (record.outcome, record.night, record.by) == (PromotionOutcome.ROLLED_BACK, None, "admin")
    told = api.log("promote_portal", run_id, "close")
    assert "was rolled back" in told
    assert f"(id {version})" in told


@pytest.mark.usefixtures("promoted_before")
def test_a_person_promotes_a_version_and_another_rejects_it(
    api: Api, lake_folder: Path, healthy: FlexDeployStandIn
) -> None:
    [version] = {live.version for live in healthy.runs_in("DEV") if live.project == PORTAL}
    api.unpause("promote_portal")
    planned = api.trigger("promote_portal", conf={"version_id": version, "from_stage": "TEST", "dry_run": True})
    assert wait(api, "portal", planned) == "success"
    assert record_of(lake_folder, "portal", planned).outcome is PromotionOutcome.DRY_RUN
    assert {request.method for request in healthy.ledger.requests()} <= {"GET"}
    run_id = api.trigger("promote_portal", conf={"version_id": version, "from_stage": "TEST"})
    answer(api, "portal", run_id, "Reject")
    assert wait(api, "portal", run_id) == "success"
    record = record_of(lake_folder, "portal", run_id)
    assert (record.outcome, record.stages) == (PromotionOutcome.REJECTED, ("TEST",))
    assert states(api, "portal", run_id)["TEST.deploy"] == "skipped"
    assert not done(healthy, PORTAL)
    assert not done(healthy, PORTAL, "build_made")


def test_nights_are_promoted_once_each_when_they_are_complete_in_whatever_order(
    api: Api, lake_folder: Path, healthy: FlexDeployStandIn, publish: Callable[[str, str], None]
) -> None:
    nights = [night(LONG_AGO + days) for days in range(5)]
    incomplete = nights[2:4]
    events = [("flexnet/entitlement", one) for one in nights] + [
        ("flexnet/account", one) for one in nights if one not in incomplete
    ]
    random.Random(7).shuffle(events)
    api.unpause("promote_dashboard")
    for report, one in events:
        publish(report, one)
    complete = [one for one in nights if one not in incomplete]
    runs = {one: run_for(api, "dashboard", one) for one in complete}
    assert {one: wait(api, "dashboard", run_id) for one, run_id in runs.items()} == dict.fromkeys(complete, "success")
    assert {run["partition_key"] for run in api.runs("promote_dashboard")} == set(complete)
    records = [record_of(lake_folder, "dashboard", run_id) for run_id in runs.values()]
    assert {record.outcome for record in records} == {PromotionOutcome.PROMOTED}
    _never_overlap(records)
    deployed = done(healthy, DASHBOARD)
    assert len(deployed) == len(set(deployed)) == len(complete)
    assert [version for _, version in deployed] == sorted(
        version for _, version in done(healthy, DASHBOARD, "build_made")
    )
    # A night that is published again is not promoted again; one that becomes complete later is.
    publish("flexnet/entitlement", complete[0])
    publish("flexnet/account", complete[0])
    again = run_for(api, "dashboard", complete[0], but=list(runs.values()))
    assert wait(api, "dashboard", again) == "success"
    assert record_of(lake_folder, "dashboard", again).outcome is PromotionOutcome.SKIPPED
    by_hand = api.trigger("promote_dashboard", partition_key=incomplete[0])
    assert wait(api, "dashboard", by_hand) == "failed"
    gone = f"The night {incomplete[0]} is not complete: flexnet/account is not published"
    assert gone in api.log("promote_dashboard", by_hand, "begin")
    # An event that somebody sends wakes a promotion and opens nothing.
    ready = next(
        one["id"] for one in api.call("GET", "/api/v2/assets?limit=100")["assets"] if one["name"] == "ready/dashboard"
    )
    send_event(api, ready, incomplete[1])
    forged = run_for(api, "dashboard", incomplete[1])
    assert wait(api, "dashboard", forged) == "failed"
    assert "is not complete" in api.log("promote_dashboard", forged, "begin")
    assert len(done(healthy, DASHBOARD)) == len(complete)


def _never_overlap(records: Sequence[PromotionRecord]) -> None:
    spans = sorted((min(s.started for s in r.steps), max(s.ended or s.started for s in r.steps)) for r in records)
    assert all(ended <= begun for (_, ended), (begun, _) in itertools.pairwise(spans))


def test_a_newer_night_takes_the_place_of_one_that_waits_for_approval(
    api: Api, lake_folder: Path, healthy: FlexDeployStandIn, publish: Callable[[str, str], None]
) -> None:
    older, newer = night(LONG_AGO + 1), night(LONG_AGO)
    api.unpause("promote_hurry")
    publish("flexnet/account", older)
    first = run_for(api, "hurry", older)
    until(lambda: api.questions("promote_hurry", first), "the older night asks", 180)
    publish("flexnet/account", newer)
    second = run_for(api, "hurry", newer)
    assert wait(api, "hurry", first) == "success"
    assert record_of(lake_folder, "hurry", first).superseded_by == second
    assert states(api, "hurry", first)["TEST.deploy"] == "skipped"
    answer(api, "hurry", second, "Approve")
    assert wait(api, "hurry", second) == "success"
    versions = [version for _, version in done(healthy, PORTAL_REPORTS, "build_made")]
    assert done(healthy, PORTAL_REPORTS) == [(DEV, versions[0]), (DEV, versions[1]), (TEST, versions[1])]
    assert record_of(lake_folder, "hurry", first).outcome is PromotionOutcome.SUPERSEDED
    assert record_of(lake_folder, "hurry", second).outcome is PromotionOutcome.PROMOTED
