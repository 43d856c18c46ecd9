"""A range of nights: a run of its own for each, as many at a time as leave a place for the scheduled run."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import DagRunStateResult, ErrorResponse

from nightshift.nights.night import NightOperator, night_form
from nightshift.nights.runs import NightRunsTrigger
from tests.execution_api import FakeExecutionApi, TaskRun

AT_ONCE = 8


def night_task() -> NightOperator:
    with DAG("d", schedule=None, params=night_form(["account"]), max_active_runs=AT_ONCE):
        night = NightOperator(task_id="night", timezone="UTC", settle_hours=0, branches={"account": "account"})
        night >> EmptyOperator(task_id="account")
    return night


def ranged(first: str, until: str) -> FakeExecutionApi:
    return FakeExecutionApi(run_type="manual", conf={"night": first, "until": until})


def underway(api: FakeExecutionApi) -> list[str]:
    return sorted(run for run, state in api.other_runs.items() if state in ("queued", "running"))


def end(api: FakeExecutionApi, count: int, state: str = "success") -> None:
    for run in underway(api)[:count]:
        api.other_runs[run] = state


def resumed(api: FakeExecutionApi, run: TaskRun) -> TaskRun:
    return api.run(night_task(), resume=(run.message.next_method, api.fire(run.message)))


def test_the_nights_begin_as_others_end_and_a_scheduled_run_always_has_a_place() -> None:
    api = ranged("2026-03-01", "2026-03-20")
    run = api.run(night_task())
    begun = [len(api.other_runs)]
    while begun[-1] < 20:
        # This run itself is one of them.
        assert 1 + len(underway(api)) < AT_ONCE
        end(api, 2)
        run = resumed(api, run)
        assert run.state == "deferred", run.error
        begun.append(len(api.other_runs))
    assert begun == [6, 8, 10, 12, 14, 16, 18, 20]
    end(api, 20)
    assert resumed(api, run).state == "success"
    assert [run_id[:10] for run_id in sorted(api.other_runs)] == [f"2026-03-{day:02d}" for day in range(1, 21)]


def test_others_that_take_the_places_are_waited_for_one_night_after_the_other() -> None:
    api = ranged("2026-03-01", "2026-03-09")
    run = api.run(night_task())
    api.other_runs |= {f"by_hand_{n}": "running" for n in range(9)}
    mine = [run_id for run_id in api.other_runs if "__range__" in run_id]
    api.other_runs |= dict.fromkeys(mine[:2], "success")
    run = resumed(api, run)
    assert [run_id for run_id in api.other_runs if "__range__" in run_id] == mine
    api.other_runs |= dict.fromkeys(mine, "success")
    run = resumed(api, run)
    assert len([run_id for run_id in api.other_runs if "__range__" in run_id]) == len(mine) + 1
    assert run.state == "deferred"


def test_what_failed_is_told_at_the_end_whenever_it_was() -> None:
    api = ranged("2026-03-01", "2026-03-09")
    run = api.run(night_task())
    end(api, 1, "failed")
    run = resumed(api, run)
    assert (run.state, len(api.other_runs)) == ("deferred", 7)
    end(api, 2)
    run = resumed(api, run)
    end(api, 9)
    run = resumed(api, run)
    assert run.state == "failed"
    assert "1 of 9 nights failed: 2026-03-01__range__" in str(run.error)


def test_a_range_without_a_place_starts_nothing_and_says_what_to_do() -> None:
    api = ranged("2026-03-01", "2026-03-02")
    api.other_runs |= {f"range_{n}": "running" for n in range(AT_ONCE - 2)}
    run = api.run(night_task())
    assert run.state == "failed"
    assert "7 runs of d are queued or running" in str(run.error)
    assert (
        "Nothing was started. Clear this task when the others have ended; or ask for these nights with a backfill"
        in str(run.error)
    )
    assert len(api.other_runs) == AT_ONCE - 2
    end(api, 1)
    assert api.run(night_task()).state == "deferred"


def test_a_clear_goes_on_with_the_runs_that_are_there() -> None:
    api = ranged("2026-03-01", "2026-03-20")
    api.run(night_task())
    begun = list(api.other_runs)
    api.clear()
    run = api.run(night_task())
    assert run.state == "deferred"
    assert list(api.other_runs) == begun


class Comms:
    """A triggerer's side of Airflow's API, with an answer for each look."""

    def __init__(self, *answers: str | int) -> None:
        self.answers = list(answers)

    async def asend(self, _: Any) -> Any:
        if isinstance(answer := self.answers.pop(0), int):
            raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail={"status_code": answer}))
        return DagRunStateResult(state=answer)


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ((503, "running", "running", 500, "success", "success"), {"a": "success", "b": "success"}),
        (("success", "running", 404), {"a": "success", "b": "deleted"}),
    ],
)
def test_a_look_that_fails_says_nothing_about_the_runs(
    monkeypatch: pytest.MonkeyPatch, answers: tuple[str | int, ...], told: dict[str, str]
) -> None:
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", Comms(*answers), raising=False)

    async def events() -> list[Any]:
        return [one.payload async for one in NightRunsTrigger("d", ["a", "b"], interval=0).run()]

    assert asyncio.run(events()) == [told]
