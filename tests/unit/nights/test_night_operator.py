"""The first task of a flow through Airflow's own task runner."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

from nightshift.nights.night import NightOperator, night_form
from tests.execution_api import FakeExecutionApi


def night_task(settle_hours: float) -> NightOperator:
    with DAG("d", schedule=None, params=night_form(["account"])):
        night = NightOperator(
            task_id="night", timezone="UTC", settle_hours=settle_hours, branches={"account": "account"}
        )
        night >> EmptyOperator(task_id="account")
    return night


def last_night() -> str:
    return (datetime.now(UTC).date() - timedelta(days=1)).isoformat()


@pytest.mark.parametrize(
    ("run_type", "state"), [("scheduled", "deferred"), ("manual", "success"), ("backfill", "success")]
)
def test_only_a_scheduled_run_waits_until_the_vendor_has_settled(run_type: str, state: str) -> None:
    api = FakeExecutionApi(partition_key=last_night(), run_type=run_type)
    # However late in the day this runs, last night is not settled 24 hours after it ended.
    run: Any = api.run(night_task(24))
    assert run.state == state, run.error
    if state == "deferred":
        assert api.trigger(run.message).moment == datetime.combine(
            datetime.now(UTC).date() + timedelta(days=1), datetime.min.time(), UTC
        )


def test_a_scheduled_run_goes_on_at_once_where_the_night_is_settled() -> None:
    api = FakeExecutionApi(partition_key="2026-01-01", run_type="scheduled")
    assert api.run(night_task(24)).state == "success"


@pytest.mark.parametrize("logical_date", [None, "2026-11-10T09:00:00Z"])
def test_the_night_of_a_run_without_a_key_is_the_last_one_before_it_was_made(logical_date: str | None) -> None:
    api = FakeExecutionApi(run_type="manual", logical_date=logical_date)
    run: Any = api.run(night_task(0))
    assert run.state == "success", run.error
    assert api.xcoms["night", "night"] == ("2026-11-21" if logical_date is None else "2026-11-09")


def test_a_backfill_whose_form_names_another_night_is_refused_with_words() -> None:
    api = FakeExecutionApi(partition_key="2026-11-03", run_type="backfill", conf={"night": "2026-11-04"})
    run: Any = api.run(night_task(0))
    assert run.state == "failed"
    assert "The run is for the night 2026-11-03" in str(run.error)


@pytest.mark.parametrize("pool", ["default_pool", "tokenflex_exports"])
def test_a_pool_that_the_reports_wait_for_is_told(pool: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The tasks themselves can tell nothing: in a pool that nobody has made they never begin."""
    with DAG("d", schedule=None, params=night_form(["account"])):
        night = NightOperator(
            task_id="night", timezone="UTC", settle_hours=0, branches={"account": "account"}, pool_of_reports=pool
        )
        night >> EmptyOperator(task_id="account")
    assert FakeExecutionApi(partition_key="2026-01-01").run(night).state == "success"
    told = capsys.readouterr().out
    assert told.count("for ever where there is no such pool") == (pool != "default_pool")
    assert told.count("airflow pools set tokenflex_exports") == (pool != "default_pool")
