"""What Airflow tells of a night that is not there, as a table; and the id of the run that the schedule makes for it."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import pendulum
import pytest

from nightshift.local_time import end_of
from nightshift.nights.timetable import NightTimetable
from nightshift.watch.airflow import NightRun, reason_of, scheduled_run_id
from nightshift.watch.incident import IncidentKind
from tests.unit.watch.looks import report

LATE, STUCK, MISSING = IncidentKind.LATE, IncidentKind.STUCK, IncidentKind.MISSING
PAUSED, FAILED = IncidentKind.PAUSED, IncidentKind.FAILED


@pytest.mark.parametrize(
    ("paused", "state", "tasks", "kind", "cause"),
    [
        (True, None, {}, PAUSED, "the DAG flexnet_reports is paused"),
        (True, "running", {"usage.extract": "scheduled"}, PAUSED, "the DAG flexnet_reports is paused"),
        (False, None, {}, MISSING, "flexnet_reports has no scheduled run of the night"),
        (None, None, {}, None, ""),
        (False, "queued", {}, STUCK, "the run of flexnet_reports is queued"),
        (False, "running", {"night": "queued"}, STUCK, "the task night is queued, in the pool default_pool"),
        (False, "running", {"night": "deferred"}, LATE, "night waits"),
        (
            False,
            "running",
            {"night": "success", "usage.extract": "queued"},
            STUCK,
            "the task usage.extract is queued, in the pool vendor",
        ),
        (False, "running", {"night": "success", "usage.extract": "running"}, LATE, "the task usage.extract is running"),
        (False, "running", {"usage.wait": "deferred"}, LATE, "the task usage.wait waits for its vendor"),
        (
            False,
            "running",
            {"usage.extract": "up_for_retry"},
            LATE,
            "the task usage.extract has failed and is tried again",
        ),
        (
            False,
            "running",
            {"usage.extract": "failed", "usage.publish": "upstream_failed"},
            FAILED,
            "the task usage.extract has failed",
        ),
        # Of another report it says nothing.
        (
            False,
            "running",
            {"night": "success", "user.extract": "failed", "usage.extract": "running"},
            LATE,
            "the task usage.extract is running",
        ),
        (False, "failed", {"night": "failed", "usage.extract": "upstream_failed"}, FAILED, "the task night has failed"),
        (False, "failed", {}, FAILED, "the run of flexnet_reports has failed"),
        (
            False,
            "success",
            {"night": "success", "usage.extract": "skipped"},
            MISSING,
            "the run of flexnet_reports has ended, and did not bring it home",
        ),
    ],
)
def test_the_likely_cause(paused, state, tasks, kind, cause) -> None:
    of = report("flexnet/usage").__class__(**{**vars(report("flexnet/usage")), "pool": "vendor"})
    found = reason_of(NightRun(paused, state, tasks), of)
    assert (found and (found.kind, found.cause)) == (None if kind is None else (kind, cause))


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/Santiago"])
def test_the_run_that_is_asked_for_is_that_of_the_schedule(zone: str) -> None:
    from airflow.utils.types import DagRunType

    night = date(2026, 9, 5)
    made = NightTimetable(zone).generate_run_id(
        run_type=DagRunType.SCHEDULED,
        run_after=pendulum.instance(end_of(night, ZoneInfo(zone))),
        data_interval=None,
        partition_key="2026-09-05",
    )
    assert scheduled_run_id("2026-09-05", zone) == made
