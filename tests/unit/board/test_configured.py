"""What counts of the configuration is what the board shows: a file that is lost or mistaken hides nothing that goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.models.task_state_store import TaskStateStoreModel
from airflow.utils.session import create_session

from nightshift.board.models import Overview
from nightshift.lake.store import Lake
from nightshift.promotion.store import Records
from nightshift.promotion.vocabulary import StepKind, StepState
from nightshift.watch.incident import Incident, IncidentKind, Member, Subject
from nightshift.watch.incidents import Incidents
from tests.unit.board.conftest import PROMOTIONS, Runs
from tests.unit.board.records import ONE, TWO, deploy, promoted, record, step
from tests.unit.board.test_jobs import asked, remembered
from tests.unit.board.test_nights import night
from tests.unit.board.test_promotions import lane, lanes

ROUTES = ("overview", "nights", "promotions", "promotions/portal", "jobs", "connections", "incidents", "holds")
BROKEN = "secret_one: {bild: 1}\n"


def lost(file: Path) -> None:
    file.unlink()


def gone(file: Path) -> None:
    file.write_text(PROMOTIONS.replace("secret_one: *portal\n", "").replace("portal: &portal", "secret_one:"))


def unreadable(file: Path) -> None:
    file.write_text("{]")


def empty(file: Path) -> None:
    file.write_text("")


def mistaken(file: Path) -> None:
    file.write_text(PROMOTIONS.replace("stream_id", "streem_id"))


@pytest.fixture
def waits(runs: Runs) -> Iterator[Runs]:
    yield runs
    with create_session() as session:
        session.query(TaskStateStoreModel).delete()


async def incident(lake: Lake, source: str) -> None:
    at = datetime.now(UTC) - timedelta(hours=1)
    member = Member(report=f"{source}/usage", kind=IncidentKind.LATE, since=at)
    subject = Subject(kind="report", name=f"{source}/usage")
    given = {"night": night(), "members": (member,), "opened": at, "subject": subject}
    await Incidents(lake).write(Incident.model_validate({"id": f"{night()}-{source}", **given}))


async def troubles(client: Any, route: str) -> list[str]:
    """What is told of the configuration."""
    answer = await client.get(f"api/{route}")
    assert answer.status_code == 200, answer.text
    return [one["text"] for one in answer.json()["troubles"] if one["part"] == "configuration"]


@pytest.mark.parametrize("happens", [lost, gone, unreadable, empty, mistaken])
async def test_what_goes_on_is_shown_whatever_happens_to_the_file(
    ada: Any, lake: Lake, config: Path, waits: Runs, happens: Any
) -> None:
    approve = step("TEST.approve", StepKind.APPROVAL, 130, StepState.STARTED)
    await Records(lake, "portal").write(record(2, deploy("DEV", TWO, 121), approve, outcome=None, version=TWO))
    remembered(waits, "failed", asked(time.time() - 60, lost=True))
    assert [await troubles(ada, route) for route in ROUTES] == [[]] * len(ROUTES)
    before = await lane(ada)
    happens(config / "promotions.yaml")

    found = Overview.model_validate_json((await ada.get("api/overview")).content)
    assert found.promotions is not None
    assert (found.promotions.under_way, [one.kind for one in found.promotions.waiting]) == (1, ["approval"])
    assert (found.jobs, found.jobs_in_doubt) == (0, 1)
    assert found.connections_failing is not None
    assert "flexdeploy_default" in found.connections_failing
    after = await lane(ada)
    assert (after.stages, after.under_way, after.after) == (before.stages, before.under_way, before.after)
    assert "portal" in (after.mistake or "portal")
    for route in ROUTES:
        told = await troubles(ada, route)
        assert len(told) == (0 if route == "nights" and happens in (gone, mistaken) else len(set(told)) or 1), route
        assert all("promotions.yaml" in one for one in told)
    press = next(one for one in (await ada.get("api/holds")).json()["presses"] if one["label"] == "Hold portal")
    assert press["allowed"]


async def test_what_is_removed_on_purpose_is_not_there(ada: Any, lake: Lake, config: Path) -> None:
    assert [one.application for one in (await lanes(ada)).lanes] == ["portal", "secret_one"]
    gone(config / "promotions.yaml")
    assert sorted(one.application for one in (await lanes(ada)).lanes) == ["portal", "secret_one"]
    told = (await lane(ada)).mistake
    assert "Put it back, or confirm that it is gone" in told
    file = config / "promotions.yaml"
    file.write_text(f"{file.read_text()}portal: {{removed: true}}\n")
    assert [one.application for one in (await lanes(ada)).lanes] == ["secret_one"]
    assert await troubles(ada, "promotions") == []


async def test_an_application_that_never_was_right_says_so_and_hides_no_other(
    ada: Any, eve: Any, lake: Lake, config: Path
) -> None:
    await Records(lake, "portal").write(promoted(1, ONE))
    file = config / "promotions.yaml"
    file.write_text(f"newone: {{projekt: x}}\n{PROMOTIONS}")
    found = (await lanes(ada)).lanes
    assert [one.application for one in found] == ["newone", "portal", "secret_one"]
    assert (found[0].stages, "projekt: unknown field" in found[0].mistake) == ((), True)
    assert [one.label for one in found[1].stages] == ["DEV", "TEST", "PROD"]
    assert (await ada.get("api/promotions/newone")).status_code == 200


async def test_a_mistake_of_another_team_is_told_to_nobody_else(ada: Any, eve: Any, lake: Lake, config: Path) -> None:
    freezes = "freezes: [{name: f, reason: r, timezone: UTC, from: 2026-01-01, to: 2026-01-02, applications: [secret]}]"
    (config / "promotions.yaml").write_text(PROMOTIONS.replace("secret_one: *portal", BROKEN))
    assert await troubles(eve, "promotions") == []
    for route in ROUTES[2:]:
        assert len(await troubles(ada, route)) == 1, route
        assert "secret_one" not in (await eve.get(f"api/{route}")).text, route
    (config / "promotions.yaml").write_text(f"{PROMOTIONS}freezes: []\n")
    assert await troubles(ada, "holds") == []
    (config / "promotions.yaml").write_text(f"{PROMOTIONS}{freezes}\n")
    assert ["secret_one" in one for one in await troubles(ada, "holds")] == [True], "the nearest name is another team's"
    for route in ROUTES[2:]:
        assert "secret_one" not in (await eve.get(f"api/{route}")).text, route


async def test_an_incident_is_shown_whatever_is_wrong_with_its_section(
    ada: Any, eve: Any, lake: Lake, config: Path
) -> None:
    (config / "reports.yaml").write_text("flexnet: {nonsense: 1}\ncamunda_optimize: {nonsense: 1}\n")
    for source in ("flexnet", "camunda_optimize", "another_vendor"):
        await incident(lake, source)

    async def subjects(client: Any) -> set[str]:
        return {one["subject"].partition("/")[0] for one in (await client.get("api/incidents")).json()["incidents"]}

    assert await subjects(ada) == {"flexnet", "camunda_optimize", "another_vendor"}
    assert await subjects(eve) == {"flexnet"}, "of another team's DAG, and of one that nobody knows, nothing is told"
    assert sum("reports.yaml:" in one for one in await troubles(ada, "incidents")) == 2
    assert (await ada.get("api/overview")).json()["incidents_open"] == 3


async def test_a_job_of_a_source_is_shown_whatever_is_wrong_with_its_section(
    ada: Any, eve: Any, lake: Lake, config: Path, waits: Runs
) -> None:
    (config / "reports.yaml").write_text("flexnet: {nonsense: 1}\n")
    for dag_id in ("flexnet_reports", "camunda_reports"):
        remembered(waits, "failed", asked(time.time(), lost=True), dag_id=dag_id)
    assert len((await ada.get("api/jobs")).json()["jobs"]) == 2
    assert [one["dag_id"] for one in (await eve.get("api/jobs")).json()["jobs"]] == ["flexnet_reports"]


async def test_what_was_kept_and_cannot_be_read_hides_no_application(
    ada: Any, lake: Lake, config: Path, tmp_path: Path
) -> None:
    await Records(lake, "portal").write(promoted(1, ONE))
    await lanes(ada)
    lost(config / "promotions.yaml")
    for file in (tmp_path / "kept").rglob("portal.yaml"):
        file.write_text("portal: {of: another version}\n")
    found = await lane(ada)
    assert ("portal: what it said before cannot be read" in found.mistake, len(found.stages)) == (True, 2)


async def test_people_whom_airflow_cannot_know_count_for_nobody(
    ada: Any, lake: Lake, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for the DAG: the board and the DAG are of the same stages, and what is kept is what both take for right."""
    await lanes(ada)
    monkeypatch.setenv("AIRFLOW__CORE__AUTH_MANAGER", "airflow.providers.fab.auth_manager.FabAuthManager")
    changed = PROMOTIONS.replace("{hours: 24}", "{users: [grace]}").replace("    - environment: PROD\n", "")
    (config / "promotions.yaml").write_text(changed)
    found = await lane(ada)
    assert [one.label for one in found.stages] == ["DEV", "TEST", "PROD"]
    assert "'grace' could never answer" in found.mistake
