"""FlexNet's nights through a real Airflow: schedule, form, backfill, failure. Judged by the vendor's ledger and by the
tables.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from include.local.rest import FINAL, Api, ApiError
from include.standins import Fault, FaultKind
from include.standins.flexnet import FlexNetStandIn
from tests.flows.conftest import ROWS_A_DAY, connect, until

pytestmark = pytest.mark.airflow
DAG = "flexnet_reports"
REPORTS = ("entitlement", "account", "usage")


def night(days_ago: int) -> str:
    return (datetime.now(UTC).date() - timedelta(days=days_ago)).isoformat()


def table(lake: Path, report: str, *nights: str) -> list[tuple]:
    """The rows of the given nights, or of all, in an order that does not depend on how they were written."""
    from deltalake import DeltaTable

    rows = DeltaTable(str(lake / "tables" / "flexnet" / report)).to_pyarrow_table().to_pylist()
    return sorted(
        tuple(sorted((name, str(value)) for name, value in row.items()))
        for row in rows
        if not nights or row["night"].isoformat() in nights
    )


def failed_tasks(api: Api, run_id: str) -> dict[str, str]:
    return {
        task["task_id"]: task["state"]
        for task in api.tasks(DAG, run_id)
        if task["state"] in ("failed", "upstream_failed")
    }


def run_night(api: Api, the_night: str, **conf: object) -> dict:
    run_id = api.trigger(DAG, partition_key=the_night, conf=conf)
    return api.wait(DAG, run_id)


def test_a_night_comes_home_with_an_asset_event_keyed_by_it(api: Api, lake_folder: Path) -> None:
    (run,) = api.runs(DAG, run_type="scheduled")
    assert run["state"] == "success", failed_tasks(api, run["dag_run_id"])
    for report in REPORTS:
        told = api.returned(DAG, run["dag_run_id"], f"{report}.publish")
        assert told["rows"] == len(table(lake_folder, report, night(1))) == ROWS_A_DAY[report]
        assert all(check["ok"] for check in told["checks"])
    events = api.call("GET", "/api/v2/assets/events?limit=100")["asset_events"]
    keyed = {event["name"]: event for event in events if event.get("partition_key") == night(1)}
    assert {f"flexnet/{report}" for report in REPORTS} <= set(keyed)
    extra = keyed["flexnet/entitlement"]["extra"]
    assert {"rows", "bytes", "table_version"} <= set(extra)


def test_a_person_chooses_night_and_reports_in_the_form(api: Api, lake_folder: Path, flexnet: FlexNetStandIn) -> None:
    run = api.wait(DAG, api.trigger(DAG, conf={"night": night(3), "reports": ["account"]}))
    assert run["state"] == "success"
    states = {task["task_id"]: task["state"] for task in api.tasks(DAG, run["dag_run_id"])}
    assert states["account.publish"] == "success"
    assert states["usage.extract"] == states["entitlement.extract"] == "skipped"
    assert table(lake_folder, "account", night(3))
    assert not flexnet.ledger.requests(path="/report/usage")


def test_schedule_backfill_form_and_key_mean_the_same_night(api: Api) -> None:
    (scheduled,) = api.runs(DAG, run_type="scheduled")
    assert scheduled["partition_key"] == night(1)
    assert scheduled["dag_run_id"].startswith(f"{night(1)}__scheduled__")
    assert scheduled["run_after"].startswith(f"{night(0)}T00:00:00")
    assert api.call("GET", f"/api/v2/dags/{DAG}")["next_dagrun_run_after"].startswith(f"{night(-1)}T00:00:00")

    def would_fill(first: str, last: str) -> dict[str, str]:
        asked = {"dag_id": DAG, "from_date": f"{first}T00:00:00Z", "to_date": f"{last}T00:00:00Z", "max_active_runs": 1}
        return {
            one["partition_key"]: one["partition_date"]
            for one in api.call("POST", "/api/v2/backfills/dry_run", asked)["backfills"]
        }

    assert would_fill(night(1), night(-3)) == {}, "last night has its run, and no other is over"
    planned = would_fill(night(25), night(24))
    of_the_form = api.trigger(DAG, conf={"night": night(23), "reports": ["account"]})
    by_hand = api.wait(DAG, api.trigger(DAG, partition_key=night(25), conf={"reports": ["account"]}))
    assert planned == {night(25): by_hand["partition_date"], night(24): planned[night(24)]}
    assert set(would_fill(night(25), night(24))) == {night(24)}
    with pytest.raises(ApiError, match="is not a night") as caught:
        api.trigger(DAG, partition_key=night(25).replace("-", ""))
    assert caught.value.status == 400
    by_form = api.wait(DAG, of_the_form)
    events = api.call("GET", "/api/v2/assets/events?limit=100&order_by=-timestamp")["asset_events"]
    told = {e["name"]: e["partition_key"] for e in events if e["source_run_id"] == by_form["dag_run_id"]}
    assert told["flexnet/account"] == night(23)
    assert set(told.values()) == {night(23)}, "nor does what waits for the report hear of another night"


@pytest.mark.parametrize("conf", [{"reports": ["acount"]}, {"night": 7}, {"force": "very"}])
def test_a_form_that_is_wrong_is_refused_at_once(api: Api, conf: dict) -> None:
    with pytest.raises(ApiError) as caught:
        api.trigger(DAG, conf=conf)
    assert caught.value.status == 400


def test_a_typo_in_the_conf_fails_with_the_valid_names(api: Api) -> None:
    run = api.wait(DAG, api.trigger(DAG, conf={"nihgt": night(1)}))
    assert run["state"] == "failed"
    assert "Unknown field in the run's conf: nihgt. Valid: night, until, reports, force" in api.log(
        DAG, run["dag_run_id"], "night"
    )


def test_a_range_becomes_a_run_a_night(api: Api, lake_folder: Path) -> None:
    run = api.wait(DAG, api.trigger(DAG, conf={"night": night(6), "until": night(5), "reports": ["account"]}))
    assert run["state"] == "success", failed_tasks(api, run["dag_run_id"])
    keys = {r["conf"]["night"]: r["state"] for r in api.runs(DAG) if "__range__" in r["dag_run_id"]}
    assert keys == {night(6): "success", night(5): "success"}
    assert table(lake_folder, "account", night(6))
    assert table(lake_folder, "account", night(5))


def test_backfills_end_in_the_same_tables_whatever_their_order(api: Api, lake_folder: Path) -> None:
    nights = [night(days) for days in (12, 11, 10)]

    def backfill(**more: object) -> list[tuple]:
        before = {run["dag_run_id"] for run in api.runs(DAG)}
        asked = {"dag_id": DAG, "from_date": f"{nights[0]}T00:00:00Z", "to_date": f"{nights[-1]}T00:00:00Z"}
        api.call("POST", "/api/v2/backfills", {**asked, "dag_run_conf": {"reports": ["account"]}, **more})

        def ended() -> dict[str, str]:
            runs = [run for run in api.runs(DAG, run_type="backfill") if run["dag_run_id"] not in before]
            found = {run["partition_key"]: run["state"] for run in runs}
            return found if set(found) == set(nights) and set(found.values()) <= FINAL else {}

        assert until(ended, "the backfill has ended", 400) == dict.fromkeys(nights, "success")
        return table(lake_folder, "account", *nights)

    once = backfill()
    assert len(once) == len(nights) * ROWS_A_DAY["account"]
    # Airflow itself notices each half minute only that nothing of a backfill is left.
    until(lambda: not open_backfills(api), "the backfill is closed")
    assert backfill(reprocess_behavior="completed", run_backwards=True) == once


def open_backfills(api: Api) -> list[int]:
    found = api.call("GET", f"/api/v2/backfills?dag_id={DAG}")["backfills"]
    return [one["id"] for one in found if one["completed_at"] is None]


def test_a_night_beyond_the_horizon_fails_and_says_so_unless_it_is_landed(
    api: Api, lake_folder: Path, flexnet: FlexNetStandIn
) -> None:
    old = night(45)
    run = run_night(api, old, reports=["account"])
    assert run["state"] == "failed"
    log = api.log(DAG, run["dag_run_id"], "account.extract")
    assert f"the night {old} is beyond the 30 days that the vendor keeps" in log
    assert not flexnet.ledger.requests(path="/report/account$")
    forced = run_night(api, old, reports=["account"], force=True)
    assert forced["state"] == "success"
    flexnet.ledger.clear()
    rebuilt = run_night(api, old, reports=["account"])
    assert rebuilt["state"] == "success"
    assert not flexnet.ledger.requests()
    assert table(lake_folder, "account", old)


def test_a_wrong_password_fails_at_once_and_says_what_to_do(api: Api, flexnet: FlexNetStandIn) -> None:
    api.put_connection("flexnet_default", **connect(flexnet, password="not-this-one"))
    try:
        run = run_night(api, night(2), reports=["account"])
        task = next(task for task in api.tasks(DAG, run["dag_run_id"]) if task["task_id"] == "account.extract")
        log = api.log(DAG, run["dag_run_id"], "account.extract")
    finally:
        api.put_connection("flexnet_default", **connect(flexnet))
    assert (run["state"], task["state"], task["try_number"]) == ("failed", "failed", 1)
    assert "The login or password is wrong" in log
    assert "not-this-one" not in log
    assert {request.status for request in flexnet.ledger.requests()} == {401}


def test_a_long_retry_after_is_waited_for_without_a_worker(api: Api, flexnet: FlexNetStandIn) -> None:
    flexnet.faults.add(Fault(kind=FaultKind.STATUS, status=503, retry_after="20", path="/report/account$"))
    run_id = api.trigger(DAG, partition_key=night(4), conf={"reports": ["account"]})
    seen = set()
    for _, tasks in api.follow(DAG, run_id, timeout=120, interval=0.5):
        seen |= {task["state"] for task in tasks if task["task_id"] == "account.extract"}
    assert api.run(DAG, run_id)["state"] == "success"
    assert "up_for_retry" in seen
    refused, *later = flexnet.ledger.requests(path="/report/account$")
    assert refused.status == 503
    assert later[0].started - refused.finished >= 20
