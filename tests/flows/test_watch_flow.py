"""The watch in a real Airflow: what it asks its supervisor is answered, whatever the DAGs of the nights do."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from include.local.rest import Api
from nightshift.lake.store import Lake
from nightshift.watch.incident import IncidentKind
from nightshift.watch.incidents import read
from nightshift.watch.memory import Memory

pytestmark = pytest.mark.airflow
REPORT = "exago/tree_changes"


def test_a_night_that_never_ran_is_an_incident_with_a_cause_of_airflows(api: Api, lake_folder: Path) -> None:
    lake = Lake.from_url(str(lake_folder))
    night = (datetime.now(UTC).date() - timedelta(days=3)).isoformat()
    asyncio.run(Memory(lake).begin(REPORT, night))
    run = api.trigger("nightshift_watch")
    assert api.wait("nightshift_watch", run)["state"] == "success"
    [incident] = [one for one in read(lake) if one.night == night and REPORT in {each.report for each in one.members}]
    assert incident.id in api.returned("nightshift_watch", run, "look")["open"]
    assert (incident.kind, incident.cause) in {
        (IncidentKind.PAUSED, "the DAG exago_catalog is paused"),
        (IncidentKind.MISSING, "exago_catalog has no scheduled run of the night"),
    }
