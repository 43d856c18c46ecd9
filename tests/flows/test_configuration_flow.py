"""Mistakes in the configuration beside work that is underway, in a real Airflow with a configuration of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from include.local.airflow import LocalAirflow, free_port
from include.local.rest import Api
from include.standins.faults import Fault
from include.standins.flexdeploy import Changes, FlexDeployStandIn, FlexDeploySwitches
from include.standins.flexdeploy.planted import PORTAL, TEST
from include.standins.flexnet import FlexNetStandIn, FlexNetSwitches
from nightshift.promotion.record import PromotionRecord
from nightshift.promotion.vocabulary import PromotionOutcome
from tests.flows.conftest import connect, connect_flexdeploy, until

pytestmark = pytest.mark.airflow
REPORTS = """\
flexnet:
  settle_hours: 0
  retries: 1
  reports:
    - {name: account, key: [AccountID], page_size: 100}
    - {name: entitlement, key: [EntitlementID], page_size: 100}
"""
PROMOTIONS = """\
portal:
  project: Licensing/Portal/LicensePortal
  stream: main
  after: [flexnet/account]
  build: {environment: DEV}
  stages:
    - environment: DEV
    - environment: TEST
      approval: {users: [admin], hours: 1}
"""
SEEN = 120
"""Seconds in which a change of a file is seen: it is parsed again each half minute, twice to be sure, on a busy
machine.
"""


@pytest.fixture(scope="module")
def flexdeploy() -> Iterator[FlexDeployStandIn]:
    switches = FlexDeploySwitches(changes=Changes.ALWAYS, build_seconds=0.2, deploy_seconds=0.2, utility_seconds=0.2)
    with FlexDeployStandIn(switches=switches) as vendor:
        yield vendor


@pytest.fixture(scope="module")
def flexnet() -> Iterator[FlexNetStandIn]:
    with FlexNetStandIn(switches=FlexNetSwitches(rows_a_day={"account": 150, "entitlement": 300})) as vendor:
        yield vendor


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("configuration")


@pytest.fixture
def put_right(folder: Path) -> Iterator[None]:
    yield
    write(folder)


def write(folder: Path, *, reports: str = REPORTS, promotions: str = PROMOTIONS) -> None:
    (folder / "reports.yaml").write_text(reports)
    (folder / "promotions.yaml").write_text(promotions)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lake")


@pytest.fixture(scope="module")
def api(
    tmp_path_factory: pytest.TempPathFactory,
    folder: Path,
    lake: Path,
    flexdeploy: FlexDeployStandIn,
    flexnet: FlexNetStandIn,
) -> Iterator[Api]:
    write(folder)
    environment = {
        "NIGHTSHIFT_LAKE": str(lake),
        "NIGHTSHIFT_CONFIG": str(folder),
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "8",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        "AIRFLOW__DAG_PROCESSOR__STALE_DAG_THRESHOLD": "10",
        "AIRFLOW__SCHEDULER__PARSING_CLEANUP_INTERVAL": "5",
    }
    with LocalAirflow(tmp_path_factory.mktemp("airflow"), free_port(), environment, parallelism=4) as running:
        running.api.put_connection("flexdeploy_default", **connect_flexdeploy(flexdeploy))
        running.api.put_connection("flexnet_default", **connect(flexnet))
        yield running.api


def errors(api: Api) -> list[str]:
    return [one["stack_trace"] for one in api.call("GET", "/api/v2/importErrors")["import_errors"]]


def told(api: Api, words: str) -> str:
    """Wait until the import error is one that begins with these words."""
    found = until(
        lambda: [text for text in errors(api) if text.startswith(words)], f"an error that begins {words!r}", SEEN
    )
    assert len(errors(api)) == 1
    return found[0]


def state_of(api: Api, dag_id: str, run_id: str) -> tuple[str, dict[str, str]]:
    return str(api.run(dag_id, run_id)["state"]), {t["task_id"]: t["state"] for t in api.tasks(dag_id, run_id)}


def stands(api: Api, dag_id: str, run_id: str, seconds: float = 15) -> tuple[str, dict[str, str]]:
    """Watch a run for some loops of the scheduler, and return what did not change in them."""
    first = state_of(api, dag_id, run_id)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert state_of(api, dag_id, run_id) == first
        time.sleep(1)
    return first


def asking(api: Api) -> str:
    """Start a promotion, and return its run when it asks for the approval of TEST."""
    api.unpause("promote_portal")
    run_id = api.trigger("promote_portal")
    until(lambda: api.questions("promote_portal", run_id), f"{run_id} asks", 240)
    # Airflow 3.3.2 loses an answer that comes before it has noticed that the worker is gone.
    time.sleep(4)
    return run_id


def deployed(vendor: FlexDeployStandIn) -> list[Any]:
    found = [one.detail for one in vendor.ledger.effects(kind="deploy_made")]
    return [one["environment"] for one in found if one["project"] == PORTAL]


def record_of(lake: Path, run_id: str) -> PromotionRecord:
    path = lake / "promotions" / "portal" / f"{run_id}.json"
    return PromotionRecord.from_json(path.read_bytes(), str(path))


@pytest.mark.usefixtures("put_right")
def test_a_promotion_that_waits_for_its_approval_goes_on_through_mistakes(
    api: Api, folder: Path, lake: Path, flexdeploy: FlexDeployStandIn
) -> None:
    """Through one file that is no YAML, then through the other, which fits no model; ``tests/unit/dags`` has all
    others.
    """
    run_id = asking(api)
    flexdeploy.ledger.clear()
    write(folder, reports=REPORTS.replace("  retries", "\tretries"))
    assert told(api, f"Mistake: {folder}/reports.yaml:3: a tab indents this line").count("\n") >= 1
    state, tasks = stands(api, "promote_portal", run_id)
    assert (state, "removed" in tasks.values()) == ("running", False)
    write(folder, promotions=PROMOTIONS.replace("stream:", "straem:"))
    words = ":3: portal.straem: unknown field; did you mean 'stream'?"
    assert told(api, f"Mistake: {folder}/promotions.yaml{words}").count("\n") >= 1
    state, tasks = stands(api, "promote_portal", run_id)
    assert (state, "removed" in tasks.values()) == ("running", False)
    # The mistake is still there: the worker makes the DAG of what was kept.
    api.answer("promote_portal", run_id, "TEST.approve", "Approve")
    assert api.wait("promote_portal", run_id)["state"] == "success"
    assert record_of(lake, run_id).outcome is PromotionOutcome.PROMOTED
    assert deployed(flexdeploy) == [TEST]
    write(folder)
    until(lambda: not errors(api), "no import error any more", SEEN)


@pytest.mark.usefixtures("put_right")
def test_a_promotion_of_an_application_that_is_removed_stands_still_until_it_is_put_back(
    api: Api, folder: Path, lake: Path, flexdeploy: FlexDeployStandIn
) -> None:
    run_id = asking(api)
    flexdeploy.ledger.clear()
    write(folder, promotions="{}\n")
    told(api, f"Mistake: {folder}/promotions.yaml: portal: is no longer here. What runs of it stands still")
    until(lambda: "promote_portal" not in _dags(api), "Airflow has noticed that the DAG is gone", SEEN)
    state, tasks = stands(api, "promote_portal", run_id)
    assert (state, "removed" in tasks.values()) == ("running", False)
    api.answer("promote_portal", run_id, "TEST.approve", "Approve")
    # The answer is taken; the task that goes on with it finds no DAG, and is tried again a minute later.
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        state, tasks = state_of(api, "promote_portal", run_id)
        assert (state, "removed" in tasks.values(), deployed(flexdeploy)) == ("running", False, [])
        time.sleep(1)
    write(folder)
    assert api.wait("promote_portal", run_id)["state"] == "success"
    assert (record_of(lake, run_id).outcome, deployed(flexdeploy)) == (PromotionOutcome.PROMOTED, [TEST])
    until(lambda: not errors(api), "no import error any more", SEEN)


def _dags(api: Api) -> set[str]:
    return {one["dag_id"] for one in api.call("GET", "/api/v2/dags?limit=100")["dags"]}


@pytest.mark.usefixtures("put_right")
def test_a_night_that_runs_goes_on_through_a_mistake(
    api: Api, folder: Path, lake: Path, flexnet: FlexNetStandIn
) -> None:
    api.unpause("flexnet_reports")
    night = (datetime.now(UTC).date() - timedelta(days=5)).isoformat()
    flexnet.ledger.clear()
    # Long enough for the mistake to be seen; the tasks that follow are begun while it is there.
    flexnet.faults.add(Fault(kind="delay", path="account", seconds=25))
    run_id = api.trigger("flexnet_reports", partition_key=night)
    until(lambda: "running" in state_of(api, "flexnet_reports", run_id)[1].values(), "a task runs", 120)
    write(folder, reports=REPORTS.replace("flexnet:", "flexnett:"))
    told(api, f"Mistake: {folder}/reports.yaml:1: flexnett: is not a source of reports; did you mean 'flexnet'?")
    assert api.wait("flexnet_reports", run_id)["state"] == "success"
    state, tasks = state_of(api, "flexnet_reports", run_id)
    assert set(tasks.values()) == {"success"}, (state, tasks)
    for report in ("account", "entitlement"):
        assert any((lake / "tables" / "flexnet" / report).rglob(f"night={night}/*.parquet"))
    write(folder)
    until(lambda: not errors(api), "no import error any more", SEEN)
