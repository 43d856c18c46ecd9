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
