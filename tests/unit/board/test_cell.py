"""One night of one report: what is told of it, and what may be pressed by whom."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from nightshift.board.models import CellDetail, CellState, Press, PressKind
from nightshift.board.presses import gap_of
from nightshift.lake.store import Lake
from nightshift.nights.night import asked_nights
from tests.unit.board.conftest import Runs, browser
from tests.unit.board.test_nights import FAILED, GROUP, night
from tests.unit.nights.publishing import published

PATH = f"api/nights/flexnet/{GROUP}"
UNSOUND = {"night": "success", f"{GROUP}.extract": "success", f"{GROUP}.publish": "failed"}


async def detail(client: Any, day: str) -> CellDetail:
    answer = await client.get(f"{PATH}/{day}")
    assert answer.status_code == 200, answer.text
    return CellDetail.model_validate_json(answer.content)


def press(found: CellDetail, kind: PressKind) -> Press:
    return next(one for one in found.presses if one.kind is kind)


async def test_all_that_table_landing_and_airflow_tell(ada: Any, lake: Lake, runs: Runs) -> None:
    await published(lake, night(7), 4)
    await published(lake, night(), 3)
    await published(lake, night(), 5, extract="second")
    run_id = runs.add(
        "flexnet_reports", night(), {f"{GROUP}.extract": "success", f"{GROUP}.publish": "success", "usage.publish": "x"}
    )
    found = await detail(ada, night())
    assert (found.state, found.rows, found.version, found.replaced) == (CellState.REBUILT, 5, 3, 2)
    assert (found.usual, found.usual_of, found.last_good) == (4.0, 1, night(7))
    assert {one.name for one in found.checks} >= {"rows_read", "rows_published", "unique_key"}
    assert all(one.ok and one.detail for one in found.checks)
    assert found.extract is not None
    assert (found.extract.path, found.extract.pages) == (f"raw/flexnet/{GROUP}/night={night()}/second", 1)
    assert found.table is not None
    assert (found.table.version, found.table.nights, found.table.rows) == (3, 2, 9)
    assert (found.depends, found.seconds) == (("portal", "secret_one"), 4200.0)
    attempt = found.attempts[0]
    assert (attempt.run_id, list(attempt.tasks)) == (run_id, [f"{GROUP}.extract", f"{GROUP}.publish"])
    assert [one.href for one in attempt.links][:2] == [
        f"dags/flexnet_reports/runs/{run_id}",
        f"dags/flexnet_reports/runs/{run_id}/tasks/{GROUP}.extract",
    ]


async def test_a_night_that_never_was(ada: Any, lake: Lake) -> None:
    found = await detail(ada, night())
    assert (found.state, found.rows, found.table and found.table.version) == (CellState.NEVER, None, None)
    assert [one.kind for one in found.presses] == [PressKind.RUN, PressKind.BACKFILL, PressKind.FORCE]


async def test_what_is_pressed_is_what_the_dag_takes(ada: Any, lake: Lake, runs: Runs) -> None:
    """The calls are Airflow's own, and their form is one that the first task of the DAG accepts."""
    from airflow.api_fastapi.core_api.datamodels.dag_run import TriggerDAGRunPostBody
    from airflow.api_fastapi.core_api.datamodels.task_instances import ClearTaskInstancesBody

    await published(lake, night(4), 3)
    run_id = runs.add("flexnet_reports", night(1), UNSOUND, state="failed")
    found = await detail(ada, night(1))
    utc = {"zone": ZoneInfo("UTC"), "now": datetime.now(UTC)}
    run, backfill, clear, force = found.presses
    body = TriggerDAGRunPostBody.model_validate(run.calls[0].body)
    assert run.calls[0].path == "api/v2/dags/flexnet_reports/dagRuns"
    assert (body.partition_key, body.conf) == (night(1), {"reports": [GROUP]})
    assert asked_nights(body.partition_key, body.conf or {}, **utc) == [night(1)]
    assert (body.dag_run_id or "").startswith(night(1))
    form = TriggerDAGRunPostBody.model_validate(backfill.calls[0].body).conf or {}
    assert asked_nights(None, form, **utc) == [night(ago) for ago in (3, 2, 1, 0)]
    cleared = ClearTaskInstancesBody.model_validate(clear.calls[0].body)
    assert (cleared.dry_run, cleared.dag_run_id, cleared.task_ids) == (False, run_id, [f"{GROUP}.publish"])
    assert (TriggerDAGRunPostBody.model_validate(force.calls[0].body).conf or {})["force"] is True
    assert all(one.allowed for one in found.presses)


async def test_only_a_run_that_brought_the_report_home_can_publish_it_again(ada: Any, lake: Lake, runs: Runs) -> None:
    """Airflow would skip a publish whose extract did not succeed, and say that the press has worked."""
    for count, states in enumerate(("skipped", "failed", "upstream_failed")):
        runs.add(
            "flexnet_reports", night(), dict.fromkeys(UNSOUND, states), state="failed", run_id=f"{night()}__{count}"
        )
    kinds = [one.kind for one in (await detail(ada, night())).presses]
    assert PressKind.CLEAR_PUBLISH not in kinds
    home = runs.add("flexnet_reports", night(), UNSOUND, state="failed", run_id=f"{night()}__home")
    runs.add("flexnet_reports", night(), dict.fromkeys(UNSOUND, "skipped"), run_id=f"{night()}__later")
    assert press(await detail(ada, night()), PressKind.CLEAR_PUBLISH).calls[0].body["dag_run_id"] == home


async def test_two_who_press_at_once_make_one_run(ada: Any, lake: Lake, runs: Runs) -> None:
    ids = [press(await detail(ada, night()), PressKind.RUN).calls[0].body["dag_run_id"] for _ in range(2)]
    assert ids[0] == ids[1]
    runs.add("flexnet_reports", night(), FAILED, state="failed", run_id=ids[0])
    assert press(await detail(ada, night()), PressKind.RUN).calls[0].body["dag_run_id"] != ids[0]


async def test_a_viewer_sees_what_he_may_not_press(eve: Any, lake: Lake, runs: Runs) -> None:
    runs.add("flexnet_reports", night(), UNSOUND, state="failed")
    found = await detail(eve, night())
    assert [one.allowed for one in found.presses] == [False] * len(found.presses)
    assert all("permission" in one.needs for one in found.presses)


@pytest.mark.parametrize(
    "path", ["camunda_optimize/secret", "flexnet/nothing", "nowhere/entitlement", "..%2F..%2Fetc/entitlement"]
)
async def test_another_teams_report_is_as_one_that_is_not_there(eve: Any, lake: Lake, path: str) -> None:
    answer = await eve.get(f"api/nights/{path}/{night()}")
    assert answer.status_code == 404
    assert set(answer.json()) == {"status", "title", "detail", "advice"}


async def test_anonymous_gets_nothing(app: Any, lake: Lake) -> None:
    async with browser(app) as client:
        assert (await client.get(f"{PATH}/{night()}")).status_code == 401


@pytest.mark.parametrize("day", ["2026-02-30", "0001-01-02", "9999-12-31"])
async def test_no_day_no_answer(ada: Any, lake: Lake, day: str) -> None:
    answer = await ada.get(f"{PATH}/{day}")
    assert (answer.status_code, answer.json()["title"]) == (422, "Not understood")


@pytest.mark.parametrize("day", ["1900-01-01", "2200-12-31"])
async def test_a_night_far_from_any_is_never_published(ada: Any, lake: Lake, day: str) -> None:
    answer = await ada.get(f"{PATH}/{day}")
    assert (answer.status_code, answer.json()["rows"]) == (200, None)


async def test_an_extract_that_was_cleared_away_hides_nothing_else(ada: Any, lake: Lake) -> None:
    await published(lake, night(), 3)
    shutil.rmtree(f"{lake.url.removeprefix('file://')}/raw")
    found = await detail(ada, night())
    assert (found.state, found.rows, found.extract and found.extract.pages) == (CellState.PUBLISHED, 3, None)


@pytest.mark.parametrize(
    ("states", "at", "gap"),
    [
        ("PPP", 1, (1, 1)),
        ("PNP", 1, (1, 1)),
        ("NNPNFN", 4, (3, 5)),
        ("NNPNFN", 0, (0, 1)),
        ("LPPP", 0, (0, 0)),
    ],
)
def test_a_gap_is_what_is_missing_in_a_row(states: str, at: int, gap: tuple[int, int]) -> None:
    words = {"P": CellState.PUBLISHED, "N": CellState.NEVER, "F": CellState.FAILED, "L": CellState.LATE}
    nights = {date(2026, 11, 1 + number).isoformat(): words[one] for number, one in enumerate(states)}
    keys = list(nights)
    assert gap_of(nights, keys[at]) == (keys[gap[0]], keys[gap[1]])
