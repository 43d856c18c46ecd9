"""The route of the nights: what the lake proves, what Airflow does about the rest, and what a person may read."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nightshift.board.models import NightsGrid
from nightshift.lake.store import Lake
from nightshift.nights.cells import FailureKind, NightFailure
from nightshift.nights.index import record_failure
from tests.unit.board.conftest import Runs, browser
from tests.unit.nights.publishing import published

GROUP = "entitlement"


def night(ago: int = 0) -> str:
    """The newest night that is over, or one before it."""
    return (datetime.now(UTC).date() - timedelta(days=1 + ago)).isoformat()


async def grid(client: Any, **query: Any) -> NightsGrid:
    answer = await client.get("api/nights", params=query)
    assert answer.status_code == 200, answer.text
    return NightsGrid.model_validate_json(answer.content)


def state(found: NightsGrid, report: str, day: str) -> str:
    row = next(one for one in found.reports if one.report == report)
    return row.states[found.nights.index(day)]


async def test_anonymous_gets_nothing(app: Any, lake: Lake) -> None:
    async with browser(app) as client:
        answer = await client.get("api/nights")
    assert answer.status_code == 401
    assert answer.json()["title"] == "Not signed in"


async def test_the_grid_has_the_newest_thirty_nights_of_what_one_may_read(ada: Any, eve: Any, lake: Lake) -> None:
    await published(lake, night(), 3)
    found = await grid(ada)
    assert (len(found.nights), found.nights[-1], found.newest) == (30, night(), night())
    assert [one.report for one in found.reports] == ["entitlement", "usage", "secret"]
    assert state(found, "entitlement", night()) == "published"
    row = found.reports[0]
    assert (row.rows[-1], row.rows[-2], row.dag_id, row.waited_for_by) == (
        3,
        None,
        "flexnet_reports",
        ("portal", "secret_one"),
    )
    assert [one.report for one in (await grid(eve)).reports] == ["entitlement", "usage"]


async def test_further_back_is_another_page(ada: Any, lake: Lake) -> None:
    found = await grid(ada, count=7)
    before = await grid(ada, count=7, until=found.earlier)
    assert (before.nights[-1], before.newest) == (night(7), night())
    assert (await grid(ada, count=7, until="2026-01-03")).earlier is None


@pytest.mark.parametrize("until", ["1900-01-01", "2200-12-31"])
async def test_there_are_nights_as_far_as_one_may_ask(ada: Any, lake: Lake, until: str) -> None:
    assert len((await grid(ada, count=400, until=until)).nights) == 400


@pytest.mark.parametrize(
    "query",
    [
        *({"count": 0}, {"count": 5000}, {"until": "yesterday"}, {"until": "../../x"}),
        *({"until": "0001-01-01"}, {"until": "0001-05-01", "count": 400}, {"until": "9999-12-31"}),
    ],
)
async def test_what_is_no_span_of_nights_is_refused(ada: Any, lake: Lake, query: Any) -> None:
    answer = await ada.get("api/nights", params=query)
    assert (answer.status_code, answer.json()["status"], answer.json()["title"]) == (422, 422, "Not understood")


async def test_nothing_new_is_304(ada: Any, lake: Lake) -> None:
    await published(lake, night(1), 3)
    first = await ada.get("api/nights")
    again = {"if-none-match": first.headers["etag"]}
    assert (await ada.get("api/nights", headers=again)).status_code == 304
    await published(lake, night(), 4)
    assert (await ada.get("api/nights", headers=again)).status_code == 200


RUNNING = {"night": "success", f"{GROUP}.extract": "success", f"{GROUP}.publish": "running"}
FAILED = {"night": "success", f"{GROUP}.extract": "failed", f"{GROUP}.publish": "upstream_failed"}
OTHER_FAILED = {f"{GROUP}.extract": "success", f"{GROUP}.publish": None, "usage.extract": "failed"}


@pytest.mark.parametrize(
    ("run", "tasks", "wanted"),
    [
        ("running", RUNNING, "running"),
        ("queued", {}, "running"),
        ("running", {"night": "deferred", f"{GROUP}.extract": None, f"{GROUP}.publish": None}, "running"),
        ("running", {f"{GROUP}.extract": "up_for_retry", f"{GROUP}.publish": None}, "running"),
        ("failed", FAILED, "failed"),
        ("running", FAILED, "failed"),
        ("failed", OTHER_FAILED, "failed"),
        ("failed", {f"{GROUP}.extract": "skipped", f"{GROUP}.publish": "skipped", "usage.extract": "failed"}, "never"),
        ("success", {f"{GROUP}.extract": "success", f"{GROUP}.publish": "success"}, "never"),
    ],
)
async def test_what_airflow_does_about_a_night_that_is_not_there(
    ada: Any, lake: Lake, runs: Runs, run: str, tasks: dict[str, str | None], wanted: str
) -> None:
    """That a run was green publishes nothing."""
    runs.add("flexnet_reports", night(), tasks, state=run)
    assert state(await grid(ada), GROUP, night()) == wanted


async def test_a_run_without_a_key_is_of_the_night_of_its_form(ada: Any, lake: Lake, runs: Runs) -> None:
    runs.add("flexnet_reports", None, RUNNING, state="running", conf={"night": night(3)}, run_after=datetime.now(UTC))
    found = await grid(ada)
    assert (state(found, GROUP, night(3)), state(found, GROUP, night())) == ("running", "never")


async def test_a_later_attempt_takes_nothing_from_what_is_published(ada: Any, lake: Lake, runs: Runs) -> None:
    await published(lake, night(), 3)
    runs.add("flexnet_reports", night(), FAILED, state="failed")
    assert state(await grid(ada), GROUP, night()) == "published"
    runs.add("flexnet_reports", night(), RUNNING, state="running")
    found = await grid(ada)
    assert state(found, GROUP, night()) == "running"
    assert found.reports[0].rows[-1] == 3


async def test_what_was_due_and_is_not_there_is_late(ada: Any, lake: Lake, runs: Runs, config: Path) -> None:
    found = await grid(ada, count=4)
    assert state(found, "usage", night(1)) == "never", "it never came yet, and only last night is waited for"
    await published(lake, night(3), 3, report="usage")
    found = await grid(ada, count=6)
    assert [state(found, "usage", night(ago)) for ago in (1, 2, 3, 4)] == ["late", "late", "published", "never"]
    assert state(found, GROUP, night(1)) == "never", "nobody waits for it"
    runs.add("flexnet_reports", night(1), {"usage.extract": "running"}, state="running")
    runs.add("flexnet_reports", night(2), {"usage.extract": "failed"}, state="failed")
    found = await grid(ada, count=4)
    assert [state(found, "usage", night(ago)) for ago in (1, 2)] == ["late", "failed"]
    usage = found.reports[1]
    note = usage.notes[night(1)]
    assert (note.running, note.late_since and note.late_since.date().isoformat()) == (True, night(0))
    assert (usage.due, usage.due_timezone) == ("06:00", "UTC")


async def test_why_a_night_drifted_is_told_as_text(ada: Any, lake: Lake) -> None:
    drift = NightFailure(FailureKind.DRIFT, "<b>lost</b>", at="2026-11-03T05:00:00+00:00")
    await asyncio.to_thread(record_failure, lake, "flexnet", GROUP, night(), drift)
    found = await grid(ada)
    assert state(found, GROUP, night()) == "drifted"
    assert found.reports[0].notes[night()].text == "<b>lost</b>"


async def test_a_broken_table_breaks_its_own_report_alone(ada: Any, lake: Lake) -> None:
    await published(lake, night(), 3)
    log = Path(lake.url.removeprefix("file://")) / "tables/flexnet/usage/_delta_log"
    log.mkdir(parents=True)
    (log / f"{0:020d}.json").write_text("{]")
    found = await grid(ada)
    assert (state(found, GROUP, night()), state(found, "usage", night())) == ("published", "unproven")
    assert [(one.part, one.of) for one in found.troubles] == [("nights", "flexnet/usage")]


async def test_a_mistake_in_a_section_is_told_beside_the_others(ada: Any, lake: Lake, config: Path) -> None:
    (config / "reports.yaml").write_text("flexnet:\n  reports: [{name: entitlement}]\nexago: {nonsense: 1}\n")
    found = await grid(ada)
    assert [one.report for one in found.reports] == [GROUP]
    assert [(one.part, "exago.nonsense: unknown field" in one.text) for one in found.troubles] == [
        ("configuration", True)
    ]
